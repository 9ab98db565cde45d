"""Choosing versions: the real uv, over views of indexes in memory. Nothing leaves this machine."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import (
    UPLOADED,
    FakeIndex,
    FakeMetadata,
    index_file,
    interpreter,
    page,
    pure,
    sha,
)
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from flakyindex import Answer, FlakyIndex
from wheelhouse.errors import (
    BuildError,
    FetchError,
    InterruptedRunError,
    LockError,
    SeveralErrors,
)
from wheelhouse.locking.resolver import UnsolvableError, explain, resolve
from wheelhouse.locking.view import Policy, View
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelhouse.locking.candidates import Release, Source
    from wheelhouse.locking.index import ProjectPage
    from wheelhouse.targets import Interpreter

ANY = Policy(source=lambda _: "any", hashes=lambda _: ())


class Resolving:
    """An index of *pages*, whose releases need what *requires* says."""

    def __init__(
        self, root: Path, *pages: ProjectPage, requires: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.root = root
        self.index = FakeIndex(*pages)
        self.metadata = FakeMetadata(Store(root / "store"), requires)

    def view(self, policy: Policy = ANY, own: Interpreter | None = None) -> View:
        return View(self.index, own or interpreter(), self.metadata, policy)

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.root))

    def pins(
        self,
        *asked: str,
        policy: Policy = ANY,
        own: Interpreter | None = None,
        **more: Any,
    ) -> dict[str, str]:
        own = own or interpreter()
        found = resolve(self.view(policy, own), own, asked, folder=self.folder(), **more)
        return {pin.name: str(pin.version) for pin in found}

    def refusal(self, *asked: str, **more: Any) -> str:
        with pytest.raises(LockError) as told:
            self.pins(*asked, **more)
        message = told.value.message
        assert "127.0.0.1" not in message
        assert "\n" not in message
        return message


def source(kind: Source) -> Policy:
    return Policy(source=lambda _: kind, hashes=lambda _: ())


# --- what is chosen ---------------------------------------------------------------------------


def test_a_project_is_pinned_once_whatever_asks_for_its_extras(tmp_path: Path) -> None:
    resolving = Resolving(
        tmp_path,
        *(page(each, pure(each, "1.0")) for each in ("kit", "torch", "cupy", "one", "two")),
        requires={
            "kit 1.0": ["one; extra == 'one'", "two; extra == 'two'"],
            "torch 1.0": ["kit[one]; platform_system == 'Linux'"],
            "cupy 1.0": ["kit[two]; extra == 'ctk'"],
        },
    )
    asked = ["torch", "cupy[ctk]"]
    found = resolve(resolving.view(), interpreter(), asked, folder=resolving.folder())
    assert [(pin.name, pin.extras) for pin in found if pin.name == "kit"] == [
        ("kit", ("one", "two"))
    ]


def test_the_newest_and_what_it_needs(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page("Flask", pure("flask", "2.0"), pure("flask", "3.0")),
        page("click", pure("click", "8.0"), pure("click", "8.1"), pure("click", "9.0")),
        requires={"flask 3.0": ["Click>=8,<9"], "flask 2.0": ["click<8"]},
    )
    assert world.pins("flask") == {"click": "8.1", "flask": "3.0"}
    assert "flask 2.0" not in world.metadata.asked


def test_extras(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page("demo", pure("demo", "1.0")),
        page("fast", pure("fast", "1.0")),
        page("slow", pure("slow", "1.0")),
        requires={"demo 1.0": ["fast; extra == 'speed-up'", "slow; extra == 'other'"]},
    )
    assert world.pins("demo") == {"demo": "1.0"}
    assert world.pins("demo[Speed_Up]") == {"demo": "1.0", "fast": "1.0"}
    own = interpreter()
    (demo, _) = resolve(world.view(), own, ["demo[speed-up]"], folder=tmp_path)
    assert demo.extras == ("speed-up",)


@pytest.mark.parametrize(
    ("own", "needs"),
    [
        (interpreter(), {"linux", "x86", "glibc"}),
        (interpreter("3.9"), {"linux", "x86", "glibc", "old"}),
        (interpreter("3.13", arch="aarch64"), {"linux", "arm", "glibc"}),
        (interpreter(libc="musl 1.2"), {"linux", "x86", "glibc"}),
        (interpreter("3.11", full="3.11.9"), {"linux", "x86", "glibc", "patched"}),
    ],
)
def test_markers_are_those_of_the_target_and_not_of_this_machine(
    tmp_path: Path, own: Interpreter, needs: set[str]
) -> None:
    markers = {
        "linux": "sys_platform == 'linux'",
        "windows": "sys_platform == 'win32'",
        "x86": "platform_machine == 'x86_64'",
        "arm": "platform_machine == 'aarch64'",
        "old": "python_version < '3.10'",
        "patched": "python_full_version >= '3.11.5' and python_version == '3.11'",
        "glibc": "platform_system == 'Linux' and implementation_name == 'cpython'",
        "pypy": "platform_python_implementation == 'PyPy'",
    }
    world = Resolving(
        tmp_path,
        page("demo", pure("demo", "1.0")),
        *(page(name, pure(name, "1.0")) for name in markers),
        requires={"demo 1.0": [f"{name}; {marker}" for name, marker in markers.items()]},
    )
    assert set(world.pins("demo", own=own)) == needs | {"demo"}


def test_constraints_limit_but_do_not_ask(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page("demo", pure("demo", "1.0"), pure("demo", "2.0")),
        page("other", pure("other", "1.0")),
    )
    assert world.pins("demo", constraints=["demo<2", "other==1.0"]) == {"demo": "1.0"}


def test_old_pins_are_kept_where_nothing_speaks_against_them(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page("demo", pure("demo", "1.0"), pure("demo", "2.0")),
        page("other", pure("other", "1.0"), pure("other", "2.0")),
    )
    old = {
        canonicalize_name("demo"): Version("1.0"),
        canonicalize_name("other"): Version("1.0"),
        canonicalize_name("gone"): Version("7"),
    }
    assert world.pins("demo", "other", preferences=old) == {"demo": "1.0", "other": "1.0"}
    assert world.pins("demo>1", "other", preferences=old) == {"demo": "2.0", "other": "1.0"}
    assert world.pins("demo", "other") == {"demo": "2.0", "other": "2.0"}


def test_prereleases_only_where_they_are_wanted(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0"), pure("demo", "2.0rc1")))
    assert world.pins("demo") == {"demo": "1.0"}
    assert world.pins("demo>=2.0rc1") == {"demo": "2.0rc1"}
    assert world.pins("demo", prereleases=True) == {"demo": "2.0rc1"}


def test_a_release_for_another_python_is_passed_over(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0"), pure("demo", "2.0", ">=3.12")))
    assert world.pins("demo") == {"demo": "1.0"}
    assert world.pins("demo", own=interpreter("3.12")) == {"demo": "2.0"}


def test_a_yanked_release_only_if_it_is_pinned(tmp_path: Path) -> None:
    yanked = replace(pure("demo", "2.0"), yanked="broken")
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0"), yanked))
    assert world.pins("demo") == {"demo": "1.0"}
    assert world.pins("demo==2.0") == {"demo": "2.0"}


def test_local_versions_and_epochs(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page("torch", pure("torch", "2.3"), pure("torch", "2.3+cu118")),
        page("old", pure("old", "1!0.5"), pure("old", "7.0")),
        page("zope.interface", pure("zope_interface", "5.0")),
        requires={"torch 2.3+cu118": ["zope.interface"]},
    )
    found = world.pins("torch==2.3+cu118", "old")
    assert found == {"old": "1!0.5", "torch": "2.3+cu118", "zope-interface": "5.0"}


# --- which files ------------------------------------------------------------------------------


def a_newer_sdist() -> ProjectPage:
    return page("demo", "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-2.0.tar.gz")


def test_the_newest_is_chosen_although_only_an_older_one_has_wheels(tmp_path: Path) -> None:
    assert Resolving(tmp_path, a_newer_sdist()).pins("demo") == {"demo": "2.0"}


def test_where_only_wheels_will_do_an_older_one_is_taken(tmp_path: Path) -> None:
    world = Resolving(tmp_path, a_newer_sdist())
    assert world.pins("demo", policy=source("wheel")) == {"demo": "1.0"}


def test_what_came_later_does_not_exist(tmp_path: Path) -> None:
    old, new = UPLOADED, UPLOADED + timedelta(days=1)
    files = [
        index_file("demo-1.0-py3-none-any.whl", upload_time=old),
        index_file("demo-2.0-py3-none-any.whl", upload_time=new),
        index_file("demo-3.0-py3-none-any.whl", upload_time=None),
    ]
    world = Resolving(tmp_path, page("demo", *files))
    policy = Policy(source=lambda _: "any", hashes=lambda _: (), before=new)
    assert world.pins("demo", policy=policy) == {"demo": "1.0"}


def test_where_only_sdists_will_do_wheels_do_not_count(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", "demo-1.0.tar.gz", "demo-2.0-py3-none-any.whl"))
    assert world.pins("demo", policy=source("sdist")) == {"demo": "1.0"}


def test_wheels_are_judged_for_the_target(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page(
            "demo",
            "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
            "demo-2.0-cp311-cp311-manylinux_2_17_aarch64.whl",
            "demo-3.0-cp312-cp312-manylinux_2_17_x86_64.whl",
            "demo-4.0-cp311-cp311-manylinux_2_99_x86_64.whl",
        ),
    )
    assert world.pins("demo") == {"demo": "1.0"}
    assert world.pins("demo", own=interpreter(arch="aarch64")) == {"demo": "2.0"}
    assert world.pins("demo", own=interpreter("3.12")) == {"demo": "3.0"}


def test_only_files_of_allowed_hashes_count(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0"), pure("demo", "2.0")))
    allowed = sha("demo-1.0-py3-none-any.whl")
    policy = Policy(source=lambda _: "any", hashes=lambda _: {allowed})
    assert world.pins("demo", policy=policy) == {"demo": "1.0"}


# --- what cannot be had -----------------------------------------------------------------------


def test_a_project_that_does_not_exist(tmp_path: Path) -> None:
    message = Resolving(tmp_path).refusal("no-such-thing")
    assert "no-such-thing was not found" in message


def test_a_version_that_does_not_exist(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0")))
    message = world.refusal("demo==7.0")
    assert "demo==7.0" in message
    assert "no version of demo" in message


def test_two_requirements_in_conflict(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page("flask", pure("flask", "3.0")),
        page("celery", pure("celery", "5.0")),
        page("click", pure("click", "7.0"), pure("click", "8.0")),
        requires={"flask 3.0": ["click>=8"], "celery 5.0": ["click<8"]},
    )
    message = world.refusal("flask", "celery")
    assert "flask" in message
    assert "celery" in message
    assert "click" in message


def test_conflicting_lines(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0")))
    message = world.refusal("demo==1.0", "demo==2.0")
    assert "demo==1.0" in message
    assert "demo==2.0" in message


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "2.0", ">=3.12")))
    message = world.refusal("demo")
    assert "demo" in message
    assert "Python" in message
    assert "3.12" in message


def test_no_file_for_the_platform(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page(
            "demo",
            "demo-1.0-cp311-cp311-win_amd64.whl",
            "demo-1.0-cp311-cp311-macosx_11_0_arm64.whl",
        ),
    )
    message = world.refusal("demo")
    assert "no wheels for this target" in message
    assert "manylinux" not in message  # the tag by which uv was told of the platform
    assert "hint" not in message


def test_a_project_without_usable_files(tmp_path: Path) -> None:
    assert "demo" in Resolving(tmp_path, page("demo")).refusal("demo")


def test_a_quarantined_project_is_refused(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0"), status="quarantined"))
    message = world.refusal("demo")
    assert "demo is quarantined" in message


def test_an_archived_project_is_fine(tmp_path: Path) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0"), status="archived"))
    assert world.pins("demo") == {"demo": "1.0"}


# --- errors while answering -------------------------------------------------------------------


class BrokenIndex(FakeIndex):
    """An index that does not answer."""

    def project(self, name: NormalizedName) -> ProjectPage | None:
        raise FetchError(f"{name}: the index answers with status 403")


class BrokenMetadata(FakeMetadata):
    """Metadata that cannot be had of one version."""

    broken: Exception

    def of(self, name: NormalizedName, release: Release, source: Source) -> str:
        if release.version == Version("2.0"):
            raise self.broken
        return super().of(name, release, source)


def test_an_index_that_does_not_answer_is_the_cause(tmp_path: Path) -> None:
    own = interpreter()
    metadata = FakeMetadata(Store(tmp_path))
    view = View(BrokenIndex(), own, metadata, ANY)
    with pytest.raises((FetchError, SeveralErrors)) as told:
        resolve(view, own, ["demo"], folder=tmp_path)
    errors = told.value.errors if isinstance(told.value, SeveralErrors) else (told.value,)
    assert {error.message for error in errors} == {"demo: the index answers with status 403"}
    assert len(errors) == 1  # however often uv asked


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (BuildError("its backend failed"), "its backend failed"),
        (ValueError("a bug of ours"), "ValueError: a bug of ours"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_metadata_that_cannot_be_had_is_the_cause(
    tmp_path: Path, broken: Exception, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    own = interpreter()
    metadata = BrokenMetadata(Store(tmp_path))
    metadata.broken = broken
    index = FakeIndex(page("demo", pure("demo", "1.0"), pure("demo", "2.0")))
    with pytest.raises((BuildError, LockError, SeveralErrors)) as told:
        resolve(View(index, own, metadata, ANY), own, ["demo"], folder=tmp_path)
    assert words in str(told.value)
    assert capfd.readouterr() == ("", "")  # no traceback of a thread


# --- nothing of this machine, nothing of others -----------------------------------------------


def test_settings_of_this_machine_have_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0"), pure("demo", "2.0")))
    with FlakyIndex() as trap:
        trap.page("demo", [{"filename": "demo-9.0-py3-none-any.whl", "url": "x", "hashes": {}}])
        links = trap.on("/links", Answer(body=b"<a href='demo-8.0-py3-none-any.whl'>x</a>"))
        home = tmp_path / "home"
        (home / ".config/uv").mkdir(parents=True)
        (home / ".config/pip").mkdir()
        settings = f'[[index]]\nurl = "{trap.url("/simple/")}"\ndefault = true\n'
        (home / ".config/uv/uv.toml").write_text(f'{settings}\n[pip]\nresolution = "lowest"\n')
        (home / ".config/pip/pip.conf").write_text(
            f"[global]\nindex-url = {trap.url('/simple/')}\n"
        )
        (home / "uv.toml").write_text('[pip]\nresolution = "lowest"\n')
        monkeypatch.chdir(home)
        for name, value in {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "UV_INDEX": trap.url("/simple/"),
            "UV_DEFAULT_INDEX": trap.url("/simple/"),
            "UV_EXTRA_INDEX_URL": trap.url("/simple/"),
            "UV_FIND_LINKS": links,
            "UV_RESOLUTION": "lowest",
            "UV_CONSTRAINT": str(home / "missing.txt"),
            "UV_EXCLUDE_NEWER": "2001-01-01",
            "UV_CONFIG_FILE": str(home / "uv.toml"),
            "UV_PRERELEASE": "allow",
            "UV_OFFLINE": "1",
            "PIP_INDEX_URL": trap.url("/simple/"),
            "PIP_EXTRA_INDEX_URL": trap.url("/simple/"),
            "PIP_FIND_LINKS": links,
            "PYTHONPATH": str(home),
            "PYTHONHOME": str(home),
            "VIRTUAL_ENV": str(home),
            "http_proxy": trap.url(),
            "HTTP_PROXY": trap.url(),
            "all_proxy": trap.url(),
        }.items():
            monkeypatch.setenv(name, value)
        assert world.pins("demo") == {"demo": "2.0"}
        assert trap.asked == []


@pytest.mark.parametrize(
    "line",
    [
        "demo @ {url}/demo-1.0-py3-none-any.whl",
        "{url}/demo-1.0-py3-none-any.whl",
        "--index-url {url}/simple\ndemo",
        "--extra-index-url {url}/simple",
        "demo\n--find-links {url}/links",
        "-r {url}/more.txt",
        "-r /etc/hostname",
        "-e .",
        ".",
        "/tmp",
        "file:///tmp",
        "demo @ git+{url}/demo.git",
    ],
)
def test_a_requirement_from_an_sdist_leads_nowhere(tmp_path: Path, line: str) -> None:
    """Build requirements are a stranger's text, and must not become options or addresses."""
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0")))
    with FlakyIndex() as trap:
        with pytest.raises(LockError) as told:
            world.pins(line.format(url=trap.url("")))
        assert trap.asked == []
    message = told.value.message
    assert "is no requirement" in message or "does not come from an index" in message


def test_a_dependency_that_is_an_address_leads_nowhere(tmp_path: Path) -> None:
    with FlakyIndex() as trap:
        wheel = trap.on("/other-1.0-py3-none-any.whl", Answer(body=b"x"))
        world = Resolving(
            tmp_path,
            page("demo", pure("demo", "1.0")),
            requires={"demo 1.0": [f"other @ {wheel}"]},
        )
        with pytest.raises(LockError, match="other"):
            world.pins("demo")
        assert trap.asked == []


def test_no_file_is_asked_for(tmp_path: Path) -> None:
    """A hundred releases, and only the metadata of the one that is chosen."""
    many = [pure("demo", f"1.{number}") for number in range(100)]
    world = Resolving(tmp_path, page("demo", *many))
    assert world.pins("demo") == {"demo": "1.99"}
    assert world.metadata.asked == ["demo 1.99"]
    assert world.index.asked == ["demo"]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("HOME", str(folder))
    Resolving(tmp_path, page("demo", pure("demo", "1.0"))).pins("demo")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("end", ["kill -2 $$", "kill -15 $$", "exit 130"])
def test_a_resolver_that_was_stopped_has_found_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0")))
    _stand_in(tmp_path, monkeypatch, end)
    with pytest.raises(InterruptedRunError):
        world.pins("demo")


def test_a_resolver_that_breaks_has_found_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Resolving(tmp_path, page("demo", pure("demo", "1.0")))
    _stand_in(tmp_path, monkeypatch, "echo error: something else >&2; exit 2")
    with pytest.raises(LockError, match=r"^something else$") as told:
        world.pins("demo")
    assert not isinstance(told.value, UnsolvableError)


def _stand_in(root: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in place of uv."""
    program = root / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(program))


class SlowMetadata(FakeMetadata):
    """Metadata for which everybody has to wait."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.wanted, self.there = threading.Event(), threading.Event()

    def of(self, name: NormalizedName, release: Release, source: Source) -> str:
        self.wanted.set()
        self.there.wait(60)
        return super().of(name, release, source)


def test_stopping_does_not_wait_for_the_resolver(tmp_path: Path) -> None:
    metadata = SlowMetadata(Store(tmp_path / "store"))
    own = interpreter()
    view = View(FakeIndex(page("demo", pure("demo", "1.0"))), own, metadata, ANY)

    def check() -> None:
        if metadata.wanted.is_set():
            raise InterruptedRunError("stopped")

    with pytest.raises(InterruptedRunError):
        resolve(view, own, ["demo"], folder=tmp_path, check=check)
    assert metadata.asked == []  # nobody has waited for it
    metadata.there.set()


# --- the view itself --------------------------------------------------------------------------


def test_a_view_shows_one_wheel_for_each_release(tmp_path: Path) -> None:
    world = Resolving(
        tmp_path,
        page(
            "My.Demo",
            index_file("my_demo-1.0.tar.gz", requires_python=SpecifierSet(">=3.8")),
            "my_demo-1.0-py3-none-any.whl",
            index_file("my_demo-2.0-cp311-cp311-win_amd64.whl", yanked=""),
        ),
    )
    shown = world.view().page(canonicalize_name("my.demo"))
    assert shown is not None
    first, second = shown["files"]
    assert first["filename"] == "my_demo-1.0-py3-none-any.whl"
    assert (first["requires-python"], first["yanked"]) == (">=3.8", False)
    assert first["upload-time"].startswith("2024-05-01T12:30:00")
    assert second["filename"] == "my_demo-2.0-py3-none-win_amd64.whl"
    assert second["yanked"] is True
    assert world.view().page(canonicalize_name("other")) is None


def test_explaining() -> None:
    stderr = (
        "error: No solution found when resolving dependencies for Python 3.11:\n"
        "  cause: Because demo was not found in the package registry at http://127.0.0.1:1/ and\n"
        "      you require demo, we can conclude that your requirements are unsatisfiable.\n"
        "\n  hint: something about uv\n    more of it\n"
    )
    text = explain(stderr, "http://127.0.0.1:1/")
    assert text.startswith("for Python 3.11: Because demo was not found")
    assert text.endswith("unsatisfiable.")
    assert explain("\n", "x") == "\n"
