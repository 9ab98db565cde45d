"""Making locks: resolver, build requirements and files put together, without a container."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import FakeContainer, FakeEngine, file_frame, frame
from lockingfactory import (
    images,
    index_file,
    interpreter,
    locked,
    metadata,
    page,
    project,
    pure,
    sha,
    target,
)
from lockingworld import MAIN, World, answer, names
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.agent.metadata import _missing
from wheelhouse.config import PackageSettings
from wheelhouse.durable import replace_text
from wheelhouse.engine import Container, ContainerSpec, Exit
from wheelhouse.errors import (
    BuildError,
    ConfigError,
    FetchError,
    InterruptedRunError,
    LockError,
    SeveralErrors,
    StaleLockError,
)
from wheelhouse.events import Notice
from wheelhouse.inputs import read_inputs
from wheelhouse.locking import metadata as metadata_module
from wheelhouse.locking.current import Freshness, check_locks
from wheelhouse.locking.freshness import inputs_digest
from wheelhouse.locking.lockfile import dump_lock, load_lock, lock_path
from wheelhouse.locking.model import LockedBuild, LockedPackage, Provision, RefusedFile
from wheelhouse.locking.refusal import limits
from wheelhouse.scheduler import Scheduler
from wheelhouse.settings import IndexSettings, InputFile
from wheelhouse.targets import Capture, Libc, Target, presets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.locking.index import ProjectPage
    from wheelhouse.locking.model import Lock


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(autouse=True)
def tools(world: World) -> None:
    """What a build environment is made of is in the store, as if it had been fetched."""
    for each in ("hatchling-1.27", "setuptools-80.1", "cython-3.0", "wheel-0.45"):
        world.tool(each)


def build_of(lock: Lock, name: str = "demo") -> LockedBuild:
    package = lock.package(canonicalize_name(name))
    assert package is not None
    assert package.build is not None
    return package.build


# --- what a lock has --------------------------------------------------------------------------


def test_a_lock_of_wheels(world: World) -> None:
    world.ask("flask\n# only a comment\nclick<9\n")
    world.wheel("flask", "3.0", "click>=8", "itsdangerous; extra == 'signed'")
    world.wheel("click", "8.1")
    lock = world.lock()
    assert names(lock) == ["click 8.1", "flask 3.0"]
    assert lock.packages[0].required_by == (f"{MAIN}:3", "flask")
    assert lock.packages[1].required_by == (f"{MAIN}:1",)
    assert lock.packages[1].wheels[0].filename == "flask-3.0-py3-none-any.whl"
    assert lock.packages[1].build is None
    assert lock.requested == ("click<9", "flask")
    assert lock.environment == dict(interpreter().environment)
    assert world.jobs() == []


def test_all_usable_files_are_locked_best_first(world: World) -> None:
    world.ask("demo\n")
    world.wheel("demo", "1.0")
    world.sdist("demo", "1.0")
    best = index_file("demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
    world._put("demo", best)
    world._put("demo", index_file("demo-1.0-cp311-cp311-win_amd64.whl"))
    assert best.sha256 is not None
    world.store.write_record(metadata_module.KIND, best.sha256, {"text": metadata("demo", "1.0")})
    (package,) = world.lock().packages
    assert [wheel.filename for wheel in package.wheels] == [
        "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "demo-1.0-py3-none-any.whl",
    ]
    assert package.sdist is not None
    assert package.build is None  # a wheel will do


def test_extras_ask_too(world: World) -> None:
    world.ask("flask[Async]\n")
    world.wheel("flask", "3.0", "asgiref; extra == 'async'", "nothing; sys_platform == 'win32'")
    world.wheel("asgiref", "3.7")
    lock = world.lock()
    assert lock.packages[0].required_by == ("flask",)


def test_old_pins_are_kept(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    old = world.lock()
    world.wheel("flask", "4.0")
    assert names(world.lock(old)) == ["flask 3.0"]
    assert names(world.lock()) == ["flask 4.0"]


def test_a_yanked_pin_is_locked_with_a_warning(world: World) -> None:
    world.ask("flask==3.0\n")
    world.wheel("flask", "3.0", yanked="broken \x1b[2Jsetup")
    (package,) = world.lock().packages
    assert package.yanked is not None
    notices = [event for event in world.reporter.events if isinstance(event, Notice)]
    assert "flask 3.0 was withdrawn (yanked)" in notices[0].message


def test_hashes_of_the_user_choose_the_file(world: World) -> None:
    world.wheel("demo", "1.0")
    world.sdist("demo", "1.0")
    (_, file) = world.index.pages[canonicalize_name("demo")].files
    world.ask(f"demo==1.0 --hash=sha256:{file.sha256}\n")
    (package,) = world.lock().packages
    assert package.wheels == ()
    assert package.sdist is not None
    assert package.build is not None


def test_hashes_that_no_file_has_are_told_as_such(world: World) -> None:
    world.wheel("demo", "1.0")
    world.wheel("demo", "2.0")
    world.ask(f"demo==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(LockError, match=r"^requirements.txt:1: none of the files .* demo==1.0 "):
        world.lock()


def test_an_index_that_fails_is_not_told_as_a_conflict(world: World) -> None:
    world.ask("demo\n")
    world.index.project = fails  # type: ignore[method-assign]
    with pytest.raises(FetchError) as told:
        world.lock()
    assert told.value.hint == "try again"
    assert told.value.context == (("requirements.txt:1", "asks for demo"),)


def fails(name: str) -> ProjectPage | None:
    raise FetchError(f"/simple/{name}/ cannot be reached", hint="try again")


# --- refused wheels ---------------------------------------------------------------------------


def refusal(name: str, version: str, platform: str | None = None) -> RefusedFile:
    """What is remembered of a wheel that :meth:`World.wheel` has put on the index."""
    file = pure(name, version)
    assert file.sha256 is not None
    return RefusedFile(
        filename=file.filename,
        sha256=file.sha256,
        reason="demo/_x.so: needs GLIBC_2.38",
        platform=limits(target()) if platform is None else platform,
    )


def test_without_a_refused_wheel_its_sdist_is_used(world: World) -> None:
    world.ask("demo\n")
    world.wheel("demo", "1.0")
    world.sdist("demo", "1.0")
    world.wheel("demo", "0.9")
    lock = world.lock(world.lock(), [refusal("demo", "1.0")])
    (package,) = lock.packages
    assert (str(package), package.wheels) == ("demo 1.0", ())
    assert package.build is not None
    assert lock.refused == (refusal("demo", "1.0"),)


def test_without_a_refused_wheel_an_older_release_is_used(world: World) -> None:
    world.ask("demo\nother\n")
    world.wheel("other", "1.0")
    for version in ("1.0", "0.9"):
        world.wheel("demo", version)
    old = world.lock()
    world.wheel("other", "2.0")
    assert names(world.lock(old, [refusal("demo", "1.0")])) == ["demo 0.9", "other 1.0"]


def test_a_refusal_lasts_as_long_as_it_can_matter(world: World) -> None:
    world.ask("demo\n")
    world.wheel("demo", "1.0")
    gone, unasked = refusal("demo", "0.5"), refusal("other", "1.0")
    elsewhere = refusal("demo", "1.0", platform="glibc 2.17, x86_64, Python 3.11")
    lock = world.lock(None, [gone, unasked, elsewhere, unasked])
    assert names(lock) == ["demo 1.0"]
    assert lock.refused == (unasked,)


def test_without_a_refused_wheel_there_may_be_nothing(world: World) -> None:
    world.ask("demo==1.0\n")
    world.wheel("demo", "1.0")
    world.wheel("demo", "2.0")
    with pytest.raises(LockError) as told:
        world.lock(None, [refusal("demo", "1.0")])
    assert told.value.message.startswith(
        "demo-1.0-py3-none-any.whl is not what its tag says: demo/_x.so: needs GLIBC_2.38; "
        "nothing can take its place: "
    )
    assert told.value.message.endswith(
        ": requirements.txt:1 asks for demo==1.0, but demo 1.0 has a wheel that is not what its "
        "tag says"
    )
    assert str(told.value.hint).startswith("demo 2.0 would do (requirements.txt:1); ")


def test_a_refused_wheel_that_alone_is_allowed_by_its_hash(world: World) -> None:
    world.wheel("demo", "1.0")
    world.sdist("demo", "1.0")
    world.ask(f"demo==1.0 --hash=sha256:{refusal('demo', '1.0').sha256}\n")
    with pytest.raises(LockError, match=r"is not what its tag says: demo/_x\.so") as told:
        world.lock(None, [refusal("demo", "1.0")])
    assert told.value.hint is not None
    assert "name the hashes of other files too" in told.value.hint


def test_upgrading_forgets_no_refusal(world: World) -> None:
    world.ask("demo\n")
    for version in ("1.0", "0.9"):
        world.wheel("demo", version)
    first = world.current()
    path = lock_path(world.root, "web")
    path.write_text(dump_lock(replace(first, refused=(refusal("demo", "1.0"),))))
    assert names(world.current()) == ["demo 1.0"], "a fresh lock is taken as it is"
    upgraded = world.current(Freshness.UPGRADE)
    assert names(upgraded) == ["demo 0.9"]
    assert upgraded.refused == (refusal("demo", "1.0"),)


# --- builds -----------------------------------------------------------------------------------


def test_an_sdist_has_its_build_environment_locked(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    lock = world.lock()
    build = build_of(lock)
    assert (build.static, build.dynamic, build.system) == (("hatchling",), (), ())
    assert [str(each.version) for each in build.environment] == ["1.27"]
    assert build.environment[0].file.sha256 == sha(b"the wheel of hatchling-1.27")
    assert world.jobs() == ["metadata demo"]


def test_what_the_backend_asks_for_is_locked_too(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", pyproject="")
    world.containers(answer(["cython", "wheel"], ["cython", "wheel"]), answer(["cython", "wheel"]))
    build = build_of(world.lock())
    assert build.static == ("setuptools>=40.8.0",)
    assert build.dynamic == ("cython", "wheel")
    assert [each.name for each in build.environment] == ["cython", "setuptools", "wheel"]
    assert len(world.jobs()) == 2


def test_what_is_missing_only_on_other_machines_is_not_missing(tmp_path: Path) -> None:
    """Else a backend that asks for something on Windows would never give its metadata."""
    lines = ["pywin32; sys_platform == 'win32'", "wheel; extra == 'x'", "old; python_version < '3'"]
    environment = dict(interpreter().environment)
    found = _missing([*lines, "cython>=3"], str(tmp_path), environment, relaxed=False)
    assert found == ["cython>=3"]


def test_what_is_there_is_not_missing_where_limits_do_not_count(tmp_path: Path) -> None:
    """Else a backend that pins what is gone would never give its metadata."""
    info = tmp_path / "numpy-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 2.0\n")
    lines = ["numpy==1.13", "cython<3"]
    environment = dict(interpreter().environment)
    assert _missing(lines, str(tmp_path), environment, relaxed=False) == lines
    assert _missing(lines, str(tmp_path), environment, relaxed=True) == ["cython<3"]


def test_the_container_knows_the_targets_markers(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    container = answer()
    container.before = until_fed
    world.containers(container)
    world.lock()
    assert job_of(container)["markers"] == dict(interpreter().environment)


def job_of(container: FakeContainer) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(bytes(container.fed))) as tar:
        file = tar.extractfile("job.json")
        assert file is not None
        job: dict[str, Any] = json.loads(file.read())
    return job


def until_fed(container: FakeContainer) -> None:
    until = time.monotonic() + 5
    while not container.fed.endswith(bytes(tarfile.RECORDSIZE)) and time.monotonic() < until:
        time.sleep(0.001)


def test_a_backend_that_gives_no_metadata(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", level="2.1")
    with pytest.raises(BuildError, match=r"demo 1\.0: its build backend gave no metadata"):
        world.lock()


def test_a_backend_that_never_has_enough(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    world.containers(answer(["wheel"], ["wheel>=99"]))
    with pytest.raises(BuildError, match=r"demo 1\.0: its build backend keeps asking for more"):
        world.lock()
    assert len(world.jobs()) <= 4


def test_the_answer_of_a_backend_is_remembered(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    first = world.lock()
    world.containers(FakeContainer([], Exit(status=1)))
    assert world.lock() == first
    assert world.jobs() == []


def test_a_damaged_memory_of_an_answer_is_none(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    first = world.lock()
    for path in (world.store.root / "records/inspection").iterdir():
        path.write_text(json.dumps({"requires": []}))
    assert world.lock() == first
    assert world.jobs() == ["metadata demo"] * 2


def test_the_settings_of_a_package_are_in_its_build(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    world.configure(demo=PackageSettings(system=("libb-dev", "liba-dev"), env={"A": "1"}))
    assert build_of(world.lock()).system == ("liba-dev", "libb-dev")
    assert world.engine.started[0].image == "sha256:liba-dev+libb-dev"


def test_the_lock_names_system_packages_as_the_declared_platform_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a stand-in asks the backend, with those that have other names."""
    elsewhere = replace(target(), preset=presets()["amazonlinux2023"])
    monkeypatch.setattr("wheelhouse.locking.lock.probe_builder", lambda *_: interpreter())
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    world.configure(
        demo=PackageSettings(system={"debian": ("libx-dev",), "amazon": ("libx-devel",)})
    )
    world.images = replace(images(), build_place=elsewhere.place)
    assert build_of(world.lock()).system == ("libx-dev",)
    assert world.engine.started[0].image == "sha256:libx-devel"


def test_known_system_packages_need_no_settings(world: World) -> None:
    world.ask("psycopg2\n")
    world.sdist("psycopg2", "2.9")
    assert build_of(world.lock(), "psycopg2").system == ("libpq-dev",)


def test_dynamic_metadata_comes_from_the_container(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", level="2.1")
    world.wheel("click", "8.1")
    world.containers(answer(text=metadata("demo", "1.0", ["click"])))
    lock = world.lock()
    assert names(lock) == ["click 8.1", "demo 1.0"]
    assert lock.packages[0].required_by == ("demo",)


def test_backends_are_asked_for_metadata_when_there_is_room(world: World) -> None:
    asked = [f"demo{number}" for number in range(6)]
    world.ask("\n".join(asked))
    for name in asked:
        world.sdist(name, "1.0", level="2.1")
    room = threading.Semaphore(2)

    def enter(_: FakeContainer) -> None:
        assert room.acquire(blocking=False), "the scheduler has two threads"
        time.sleep(0.05)
        room.release()

    class Engine(FakeEngine):
        def start(self, spec: ContainerSpec) -> Container:
            said = answer(text=metadata(spec.purpose.removeprefix("metadata "), "1.0")).script
            return FakeContainer(said, before=enter)

    world.engine = Engine()
    assert len(world.lock().packages) == 6


def test_packages_are_inspected_in_parallel_and_fail_together(world: World) -> None:
    world.ask("one\ntwo\nthree\n")
    together = threading.Barrier(2)

    def meet(_: FakeContainer) -> None:
        together.wait(5)

    for name in ("one", "two", "three"):
        world.sdist(name, "1.0")
    failed = {"type": "failed", "stage": "unpack", "message": "no luck"}
    broken = FakeContainer([("stdout", frame(failed))], before=meet)
    world.containers(broken, broken, answer())
    with pytest.raises(SeveralErrors) as told:
        world.lock()
    assert len(told.value.errors) == 2
    assert all("cannot be built: no luck" in each.message for each in told.value.errors)
    assert ("asked for by", f"{MAIN}:1") in told.value.errors[0].context


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"requires": 7, "missing": [], "metadata": None},
        {"requires": [7], "missing": [], "metadata": None},
        {"requires": ["!!"], "missing": ["!!"], "metadata": None},
        {"requires": [], "missing": [], "metadata": 7},
        {"requires": None, "missing": None, "metadata": None},
    ],
)
def test_a_strange_answer_is_told(world: World, message: dict[str, Any]) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    world.containers(FakeContainer([("stdout", frame({"type": "result", **message}))]))
    with pytest.raises((BuildError, LockError), match="demo"):
        world.lock()


def needs(*names: str) -> str:
    """A pyproject.toml with these build requirements."""
    return f"[build-system]\nrequires = {json.dumps(names)}\n"


def built(name: str, version: str) -> FakeContainer:
    """The container that builds a wheel."""
    message = {"type": "result", "seconds": {"build": 1.0}, "repaired": False}
    file = file_frame(f"{name}-{version}-py3-none-any.whl", f"{name} {version}".encode())
    return FakeContainer([("stdout", file), ("stdout", frame(message))])


def test_a_build_requirement_without_a_wheel_is_built_first(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", needs("only-sdist"))
    world.sdist("only_sdist", "2.0")
    world.containers(answer(), built("only_sdist", "2.0"), answer())
    (requirement,) = build_of(world.lock()).environment
    assert (requirement.name, str(requirement.version)) == ("only-sdist", "2.0")
    assert requirement.file.filename == "only_sdist-2.0.tar.gz"
    assert requirement.build is not None
    assert [each.name for each in requirement.build.environment] == ["hatchling"]
    assert world.jobs() == ["metadata only-sdist", "only-sdist", "metadata demo"]


def test_an_older_wheel_is_better_than_a_build(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", needs("tool"))
    world.sdist("tool", "2.0")
    world.wheel("tool", "1.0")
    world.store.add([b"x"])
    file = world.index.pages[canonicalize_name("tool")].files[1]
    world.index.pages[canonicalize_name("tool")] = page(
        "tool",
        world.index.pages[canonicalize_name("tool")].files[0],
        replace(file, sha256=sha(b"x")),
    )
    world.store.write_record(metadata_module.KIND, sha(b"x"), {"text": metadata("tool", "1.0")})
    (requirement,) = build_of(world.lock()).environment
    assert (str(requirement.version), requirement.build) == ("1.0", None)


@pytest.mark.parametrize("way", [["one"], ["one", "two"], ["one", "two", "three"]])
def test_a_cycle_of_builds_is_told_and_not_followed(world: World, way: list[str]) -> None:
    world.ask("one\n")
    for name, other in zip(way, [*way[1:], way[0]], strict=True):
        world.sdist(name, "1.0", needs(other))
    with pytest.raises(BuildError, match=r"one cannot be built: it takes itself") as told:
        world.lock()
    assert " takes ".join([*way, "one"]) in told.value.message
    assert world.jobs() == []


def test_a_build_requirement_that_cannot_be_had_is_told_with_who_asks(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", needs("nowhere"))
    with pytest.raises(LockError, match="the build requirements of demo cannot be met") as told:
        world.lock()
    assert "nowhere" in told.value.message
    assert str(told.value.hint).endswith(
        "; pin another version of demo, or name others that it can be built with: "
        "`[packages.demo] build-requires`"
    )


def test_a_misspelt_build_requirement_is_asked_about(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", needs("setuptoolz"))
    with pytest.raises(LockError) as told:
        world.lock()
    assert str(told.value.hint).startswith("is setuptools meant? Else pin another version of demo")


# --- what builds are given --------------------------------------------------------------------


def broken(text: bytes) -> FakeContainer:
    message = {"type": "failed", "stage": "requires", "message": "the build backend failed"}
    return FakeContainer([("stderr", text), ("stdout", frame(message))])


PKG_RESOURCES = b"ModuleNotFoundError: No module named 'pkg_resources'\n"


def test_what_a_failure_calls_for_is_given_and_locked(world: World) -> None:
    world.tool("setuptools-83.0")
    world.ask("demo\n")
    world.sdist("demo", "1.0", pyproject="")
    world.containers(broken(PKG_RESOURCES), answer())
    build = build_of(world.lock())
    assert build.provision == Provision(constraints=("setuptools<82",))
    assert len(world.jobs()) == 2


LACKS_A_HEADER = b"only.c:1:10: fatal error: libpq-fe.h: No such file or directory\n"


def installed() -> FakeContainer:
    """The container that tells which packages of the distribution the builder has."""
    return FakeContainer([("stdout", frame({"type": "result", "packages": ["gcc"]}))])


def test_the_build_of_a_build_requirement_is_given_what_it_lacks(world: World) -> None:
    """Its hook may need nothing of what its compiler misses."""
    world.ask("demo\n")
    world.sdist("demo", "1.0", needs("only-sdist"))
    world.sdist("only_sdist", "2.0")
    world.containers(
        *(answer(), broken(LACKS_A_HEADER), installed()),
        *(answer(), built("only_sdist", "2.0"), answer()),
    )
    (requirement,) = build_of(world.lock()).environment
    assert requirement.build is not None
    assert requirement.build.provision == Provision(system={"debian12": ("libpq-dev",)})


def test_a_build_requirement_that_cannot_be_built_is_not_tried_again(world: World) -> None:
    """Other ages of what takes it may take the same sdist."""
    world.ask("demo\n")
    world.sdist("demo", "1.0", needs("only-sdist<3"))
    world.sdist("only_sdist", "2.0", pyproject="")
    world.containers(broken(b"error: it is broken\n"))
    with pytest.raises(BuildError, match="only-sdist"):
        world.lock()
    assert world.jobs() == ["metadata only-sdist"]  # all ages of its requirements are the same


def test_what_is_known_of_an_sdist_is_given_from_the_start(world: World) -> None:
    world.tool("setuptools-83.0")
    world.ask("demo\n")
    world.sdist("demo", "1.0", pyproject="")
    world.containers(broken(PKG_RESOURCES), answer())
    first = world.lock()
    world.ask("demo==1.0\n")
    world.containers(answer())
    assert build_of(world.lock(first)) == build_of(first)
    assert len(world.jobs()) <= 1


def test_an_sdist_that_names_what_is_gone_gets_what_is_there(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", needs("cython==0.1"))
    container = answer()
    container.before = until_fed
    world.containers(container)
    build = build_of(world.lock())
    assert job_of(container)["relaxed"] is True
    assert build.static == ("cython==0.1",)
    assert [str(each.version) for each in build.environment] == ["3.0"]
    assert build.provision.relaxed


def test_undeclared_requirements_of_the_settings_are_given(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    world.configure(demo=PackageSettings(build_requires=("wheel", "cython<4")))
    names = [each.name for each in build_of(world.lock()).environment]
    assert names == ["cython", "hatchling", "wheel"]


def test_built_against_what_is_locked(world: World) -> None:
    """What `demo` needs is known once `wheel` is chosen; what its hook sees is that version."""
    world.ask("demo\nwheel<0.46\n")
    world.sdist("demo", "1.0", level="2.1")
    world.configure(demo=PackageSettings(build_against=(canonicalize_name("wheel"),)))
    world.containers(answer(text=metadata("demo", "1.0", ["cython"])))
    lock = world.lock()
    assert [each.name for each in build_of(lock).environment] == ["hatchling", "wheel"]
    assert [package.name for package in lock.packages] == ["cython", "demo", "wheel"]


def test_what_is_not_locked_cannot_be_built_against(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    world.configure(demo=PackageSettings(build_against=(canonicalize_name("torch"),)))
    with pytest.raises(BuildError, match="built against torch, which is not locked"):
        world.lock()


def test_a_build_requirement_is_no_option(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0", '[build-system]\nrequires = ["--index-url https://evil.example"]\n')
    with pytest.raises(LockError, match="is no requirement"):
        world.lock()


def test_stopping_is_no_failure_of_the_lock(world: World) -> None:
    world.ask("one\ntwo\n")
    for name in ("one", "two"):
        world.sdist(name, "1.0", level="2.1")
    world.containers(FakeContainer([], before=lambda _: world.cancellation.cancel()))
    with pytest.raises(InterruptedRunError):
        world.lock()


# --- conflicts --------------------------------------------------------------------------------


def test_a_conflict_names_the_lines_that_ask(world: World) -> None:
    world.ask("flask==3.0\nre\nclick<8\n")
    world.wheel("flask", "3.0", "click>=8")
    world.wheel("click", "8.1")
    world.wheel("click", "7.0")
    world.wheel("re", "1.0")
    with pytest.raises(LockError) as told:
        world.lock()
    assert told.value.message == (
        f"{MAIN}:3 asks for click<8, but flask 3.0 ({MAIN}:1) requires click>=8"
    )
    assert told.value.hint == f"click 8.1 would do ({MAIN}:3)"


def test_a_name_that_does_not_exist_names_its_line(world: World) -> None:
    world.ask("\n\nNo_Such.Thing\n")
    with pytest.raises(LockError, match=f"^{MAIN}:3 asks for No_Such.Thing, and there is no "):
        world.lock()


# --- fresh or stale ---------------------------------------------------------------------------


def test_a_lock_is_written_then_kept(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    first = world.current()
    path = lock_path(world.root, "web")
    assert load_lock(path) == first
    before = path.stat().st_mtime_ns
    world.wheel("flask", "4.0")
    assert world.current() == first
    assert world.current(Freshness.REQUIRE) == first
    assert path.stat().st_mtime_ns == before


def test_upgrading_forgets_old_pins(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    world.current()
    world.wheel("flask", "4.0")
    assert names(world.current(Freshness.UPGRADE)) == ["flask 4.0"]


def test_a_stale_lock_is_renewed_with_its_pins(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    world.wheel("click", "8.1")
    world.current()
    world.wheel("flask", "4.0")
    world.ask("flask\nclick\n")
    assert names(world.current()) == ["click 8.1", "flask 3.0"]


def test_a_lock_copied_from_another_target_is_stale(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    world.current()
    path = lock_path(world.root, "web")
    path.write_text(path.read_text().replace('target = "web"', 'target = "other"'))
    with pytest.raises(StaleLockError):
        world.current(Freshness.REQUIRE)
    assert world.current().target == "web"


def test_a_fresh_lock_may_be_required(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    with pytest.raises(StaleLockError, match=r"there is no pylock\.web\.toml"):
        world.current(Freshness.REQUIRE)
    world.current()
    world.ask("flask>=1\n")
    with pytest.raises(StaleLockError, match="does not belong to the present requirements"):
        world.current(Freshness.REQUIRE)


def test_locks_are_checked_all_at_once(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    world.current()
    check_locks(world.project, [target()])
    with pytest.raises(StaleLockError, match=r"pylock\.other\.toml"):
        check_locks(world.project, [target(), target("other")])
    world.ask("flask>1\n")
    with pytest.raises(SeveralErrors) as told:
        check_locks(world.project, [target(), target("other")])
    assert len(told.value.errors) == 2


def test_no_requirements_no_lock(world: World) -> None:
    with pytest.raises(ConfigError, match=MAIN):
        world.current()


def _with_package(**settings: Any) -> Callable[[World], Project]:
    return lambda world: project(world.root, {"demo": PackageSettings(**settings)})


CHANGES: dict[str, Callable[[World], Project]] = {
    "another index": lambda world: replace(
        world.project,
        default_index=IndexSettings(name="default", url="https://other.example/simple"),
    ),
    "a package's source": _with_package(source="sdist"),
    "system packages": _with_package(system=("x",)),
    "system packages of a family": _with_package(system={"suse": ("x",)}),
    "variables": _with_package(env={"A": "1"}),
    "config settings": _with_package(config_settings={"a": "1"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_makes_a_lock_stale(world: World, change: str) -> None:
    world.ask("flask\n")
    requirements = read_inputs(world.root, world.project.requirements)
    before = inputs_digest(world.project, target(), requirements)
    assert inputs_digest(CHANGES[change](world), target(), requirements) != before


def _other_places() -> list[Target]:
    """The target of these tests, each time with something else about where it is for."""
    here, seen = target(), interpreter()
    python = here.preset.pythons["3.11"]
    later = replace(seen, environment={**seen.environment, "python_full_version": "3.11.99"})
    presets_ = [
        replace(here.preset, name="own"),
        replace(here.preset, libc=Libc(family="glibc", version=(2, 31))),
        replace(here.preset, glibcxx=None),
        replace(here.preset, image="registry.example.com/own"),
        replace(here.preset, family="suse"),
        replace(here.preset, pythons={"3.11": replace(python, path="/opt/python")}),
    ]
    captures = [
        Capture(interpreter=seen, libraries=frozenset()),
        Capture(interpreter=seen, libraries=frozenset({"libz.so.1"})),
        Capture(interpreter=later, libraries=frozenset()),
    ]
    return [
        replace(here, arch="aarch64"),
        replace(here, preset=presets()["portable"], python="3.13"),
        *(replace(here, preset=preset) for preset in presets_),
        *(replace(here, builder=preset) for preset in presets_),
        *(replace(here, captured=captured) for captured in captures),
    ]


def test_another_place_makes_a_lock_stale_but_not_another_folder(
    world: World, tmp_path: Path
) -> None:
    world.ask("flask\n")
    requirements = read_inputs(world.root, world.project.requirements)
    before = inputs_digest(world.project, target(), requirements)
    digests = {inputs_digest(world.project, other, requirements) for other in _other_places()}
    assert len(digests | {before}) == 1 + len(_other_places())
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / MAIN).write_text("flask\n")
    again = read_inputs(moved, [InputFile(path=moved / MAIN)])
    assert inputs_digest(project(moved), target(), again) == before
    (moved / MAIN).write_text("flask \n")
    changed = read_inputs(moved, [InputFile(path=moved / MAIN)])
    assert inputs_digest(project(moved), target(), changed) != before


def test_a_lock_is_replaced_in_one_step(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    world.current()
    path = lock_path(world.root, "web")
    inode = path.stat().st_ino
    world.current(Freshness.UPGRADE)
    assert path.stat().st_ino != inode
    assert sorted(each.name for each in world.root.iterdir()) == [path.name, MAIN]


def test_of_two_runs_at_one_time_one_makes_the_lock(world: World) -> None:
    world.ask("flask\n")
    world.wheel("flask", "3.0")
    first = world.current()
    path = lock_path(world.root, "web")
    text = path.read_text()
    path.unlink()
    with ThreadPoolExecutor(1) as pool, Scheduler(1) as scheduler:
        with world.locker(scheduler).alone(path):
            other = pool.submit(world.current)
            with pytest.raises(TimeoutError):
                other.result(0.5)
            world.wheel("flask", "4.0")
            path.write_text(text)
        assert other.result(10) == first


def test_runs_at_one_time_do_not_take_each_others_half_written_lock(world: World) -> None:
    path = lock_path(world.root, "web")
    texts = [f"# {number}\n" * 20_000 for number in range(8)]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(replace_text, [path] * len(texts), texts))
    assert path.read_text() in texts
    assert [each.name for each in world.root.iterdir()] == [path.name]


def test_what_a_killed_run_left_of_a_lock_goes(world: World) -> None:
    path = lock_path(world.root, "web")
    left = [path.with_name(f".{path.name}.{number}-1.tmp") for number in (1, 2)]
    for each in left:
        each.touch()
    os.utime(left[0], (0, 0))
    replace_text(path, "")
    assert sorted(world.root.iterdir()) == [left[1], path]


def test_a_locked_package_is_shown_by_name_and_version() -> None:
    made = LockedPackage(
        name=canonicalize_name("demo"), version=Version("1.0"), sdist=locked("demo-1.0.tar.gz")
    )
    assert str(made) == "demo 1.0"
