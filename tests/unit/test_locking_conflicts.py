"""What cannot be found or does not fit together, in terms of the user's own files.

The real uv, over views of indexes in memory. Nothing leaves this machine.
"""

from __future__ import annotations

import contextlib
import tempfile
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
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelhouse.errors import (
    InterruptedRunError,
    LockError,
    SeveralErrors,
    WheelhouseError,
)
from wheelhouse.inputs.model import Asked, Requirements
from wheelhouse.locking.explaining import choose, explained_build
from wheelhouse.locking.misnomers import meant_by
from wheelhouse.locking.resolver import UnsolvableError, resolve
from wheelhouse.locking.trials import RUNS
from wheelhouse.locking.view import Policy, View
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.locking.candidates import Release, Source
    from wheelhouse.locking.index import IndexFile

FLASK = {
    "flask 3.1": ["Werkzeug>=3.1"],
    "flask 2.0": ["werkzeug>=2"],
    "flask 1.0": [],
}


class World:
    """An index, and what its releases need; what requirements are refused for there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = FakeIndex()
        self.requires: dict[str, list[str]] = {}
        self.more: dict[str, Any] = {}

    def has(self, name: str, *versions: str | IndexFile) -> None:
        files = [pure(name, each) if isinstance(each, str) else each for each in versions]
        self.index.pages[canonicalize_name(name)] = page(name, *files)

    def needs(self, release: str, *requires: str) -> None:
        self.requires[release] = list(requires)

    def view(self) -> View:
        policy = Policy(**{"source": lambda _: "any", "hashes": lambda _: frozenset(), **self.more})
        metadata = FakeMetadata(Store(self.root / "store"), self.requires)
        return View(self.index, interpreter(), metadata, policy)

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self.root) as path:
            yield Path(path)

    def choose(self, *asked: str | Asked, **more: Any) -> dict[str, str]:
        requirements = Requirements(
            asked=lines("requirements.txt", asked),
            constraints=lines("limits.txt", more.pop("constraints", ())),
            prereleases=more.pop("prereleases", False),
        )
        if any(each.hashes for each in requirements.asked):
            self.more["hashes"] = requirements.hashes
        pins = choose(self.view(), requirements, workspace=self.folder, **more)
        return {pin.name: str(pin.version) for pin in pins}

    def refusals(self, *asked: str | Asked, **more: Any) -> list[WheelhouseError]:
        with pytest.raises((LockError, SeveralErrors)) as told:
            self.choose(*asked, **more)
        error = told.value
        return list(error.errors) if isinstance(error, SeveralErrors) else [error]

    def refusal(self, *asked: str | Asked, **more: Any) -> WheelhouseError:
        (error,) = self.refusals(*asked, **more)
        return error


def lines(file: str, asked: Sequence[str | Asked]) -> tuple[Asked, ...]:
    return tuple(
        each
        if isinstance(each, Asked)
        else Asked(requirement=Requirement(each), origin=f"{file}:{number}")
        for number, each in enumerate(asked, 1)
    )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- names that do not exist ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sklearn", "the module sklearn is in the project scikit-learn: ask for that"),
        ("cv2", "the module cv2 is in the project opencv-python: ask for that"),
        ("PIL", "the module pil is in the project pillow: ask for that"),
        ("json", "json is in Python's standard library: take the line out"),
        ("importlib", "importlib is in Python's standard library: take the line out"),
        ("reqeusts", "is requests meant?"),
        ("corp-billng", "is corp-billing meant?"),
    ],
)
def test_what_a_name_may_mean(name: str, hint: str) -> None:
    assert meant_by(canonicalize_name(name), [canonicalize_name("corp-billing")]) == hint


def test_a_frequent_name_that_an_index_lacks_does_not_mean_itself() -> None:
    assert "is requests meant" not in str(meant_by(canonicalize_name("requests"), ()))


def test_a_name_like_no_other() -> None:
    assert meant_by(canonicalize_name("qqzzxx"), []) is None


def test_all_names_that_do_not_exist_are_told_at_once(world: World) -> None:
    world.has("there", "1.0")
    yaml, own = world.refusals("there", "yaml", "own-thing", places=["https://index.example"])
    assert yaml.message == "requirements.txt:2 asks for yaml, and there is no project of that name"
    assert yaml.kind == own.kind == "not-found"
    assert own.context == (("looked for on", "https://index.example"),)
    assert own.hint == "if it is a private project, declare the index that has it"


def test_a_name_that_does_not_exist_through_a_chain(world: World) -> None:
    world.has("one", "1.0", "2.0")
    world.has("two", "1.0")
    world.needs("one 2.0", "two")
    world.needs("two 1.0", "nope>=5")
    error = world.refusal("one==2.0")
    assert error.message == "two 1.0 requires nope>=5, and there is no project of that name"
    assert error.context == (("requirements.txt:1", "one 2.0 → two 1.0 → nope>=5"),)
    assert str(error.hint).startswith("one 1.0 would do (requirements.txt:1); ")


# --- versions that do not exist, or may not be used -------------------------------------------


def test_a_version_between_others(world: World) -> None:
    world.has("numpy", "1.25", "1.26.4", "2.0.0", "2.1.0", "2.2.0rc1")
    error = world.refusal("numpy==1.99")
    assert error.message == "requirements.txt:1 asks for numpy==1.99, and there is no such version"
    assert error.hint == "numpy 1.26.4 or 2.0.0 would do (requirements.txt:1); the newest is 2.1.0"
    assert error.kind == "no-version"


def test_a_version_above_all_and_one_below_all(world: World) -> None:
    world.has("demo", "1.0", "2.0")
    world.has("other", "3.0", "4.0")
    above, below = world.refusals("demo>=9", "other<1")
    assert above.hint == "demo 2.0 would do (requirements.txt:1)"
    assert below.hint == "other 3.0 would do (requirements.txt:2); the newest is 4.0"


def test_versions_near_by_that_do_not_fit_other_lines_are_not_told(world: World) -> None:
    world.has("demo", "1.0", "2.0", "3.0")
    world.has("other", "1.0")
    world.needs("demo 2.0", "other>=2")
    error = world.refusal("demo==2.5", "other==1.0")
    assert error.hint == "demo 1.0 or 3.0 would do (requirements.txt:1)"


def test_a_version_for_other_pythons(world: World) -> None:
    world.has("new", "1.0", pure("new", "2.0", ">=3.12"))
    old = [f"old-1.15-cp{each}-cp{each}m-manylinux2014_x86_64.whl" for each in (27, 35, 36, 37)]
    world.has("old", *(index_file(each) for each in old), "2.12")
    new, old_one = world.refusals("new==2.0", "old==1.15")
    assert new.message == (
        "requirements.txt:1 asks for new==2.0, but new 2.0 requires Python >=3.12; "
        "this target has 3.11.2"
    )
    assert new.hint == "new 1.0 would do (requirements.txt:1)"
    assert old_one.message == (
        "requirements.txt:2 asks for old==1.15, but old 1.15 has wheels for Python 2.7, 3.5 to "
        "3.7 only and no sdist; this target has 3.11"
    )
    assert old_one.hint == "old 2.12 would do (requirements.txt:2)"
    assert {new.kind, old_one.kind} == {"python"}


def test_a_project_for_other_platforms(world: World) -> None:
    names = (
        "win32",
        "win_amd64",
        "macosx_11_0_arm64",
        "manylinux_2_99_x86_64",
        "musllinux_1_2_x86_64",
    )
    world.has(
        "demo", *(index_file(f"demo-{v}-cp311-cp311-{each}.whl") for v in (1, 2) for each in names)
    )
    error = world.refusal("demo")
    assert error.message == (
        "requirements.txt:1 asks for demo, but demo 2, the newest, has wheels for "
        "macosx_11_0_arm64, manylinux_2_99_x86_64, musllinux_1_2_x86_64, win32 and 1 more only "
        "and no sdist"
    )
    assert error.kind == "platform"
    assert error.hint == "ask for it with a marker if this target does without, or replace it"


def test_a_project_without_files(world: World) -> None:
    world.has("sklearn")
    error = world.refusal("sklearn")
    assert error.message.endswith("asks for sklearn, and that project has no files to install")
    assert error.hint == "the module sklearn is in the project scikit-learn: ask for that"


def test_a_yanked_version(world: World) -> None:
    world.has("demo", "1.0", replace(pure("demo", "2.0"), yanked=""))
    error = world.refusal("demo>=2")
    assert error.message.endswith("but demo 2.0 was withdrawn (yanked) by its maintainers")
    assert error.kind == "yanked"
    assert str(error.hint).startswith("demo 1.0 would do (requirements.txt:1); pin it with `==`")


def test_a_pre_release_is_not_yet_the_version(world: World) -> None:
    world.has("demo", "1.0", "2.0rc1")
    error = world.refusal("demo>=2")
    assert error.message == "requirements.txt:1 asks for demo>=2, and there is no such version"
    assert error.hint == (
        "demo 1.0 would do (requirements.txt:1); there is a pre-release: `demo==2.0rc1`"
    )
    assert world.choose("demo==2.0rc1") == {"demo": "2.0rc1"}
    assert world.choose("demo>1") == {"demo": "2.0rc1"}  # nothing else is


def test_what_came_too_late(world: World) -> None:
    new = index_file("demo-2.0-py3-none-any.whl", upload_time=UPLOADED + timedelta(days=3))
    world.has("demo", "1.0", new)
    world.more["before"] = UPLOADED + timedelta(days=1)
    error = world.refusal("demo>=2")
    assert error.message.endswith(
        "but demo 2.0 came to the index on 2024-05-04, and only what was there before "
        "2024-05-02 12:30 is used"
    )
    assert error.kind == "cut-off"
    assert str(error.hint).startswith("demo 1.0 would do (requirements.txt:1); ")


def test_hashes_that_no_file_has(world: World) -> None:
    world.has("demo", "1.0", "2.0")
    line = Asked(
        requirement=Requirement("demo==2.0"), origin="a.txt:7", hashes=frozenset({sha("another")})
    )
    error = world.refusal(line)
    assert error.message == (
        "a.txt:7: none of the files that the index has for demo==2.0 has a hash that the "
        "requirements allow"
    )
    assert error.kind == "hash"
    assert error.hint == (
        "renew the hashes if they are old; else find out why the index has other files"
    )


def pinned(name: str, version: str, origin: str, *, closed: bool = True) -> Asked:
    """A pin with the hash of its file."""
    return Asked(
        requirement=Requirement(f"{name}=={version}"),
        origin=origin,
        hashes=frozenset({pure(name, version).sha256 or ""}),
        closed=closed,
    )


def test_a_pin_with_hashes_and_another_version(world: World) -> None:
    """The hashes rule other versions out, but it is the pin that is fought over."""
    world.has("demo", "1.0", "2.0")
    error = world.refusal(pinned("demo", "2.0", "uv.lock"), "demo<2")
    assert error.message == "uv.lock has demo==2.0, but requirements.txt:2 asks for demo<2"
    assert error.kind == "conflict"
    two = world.refusal(pinned("demo", "2.0", "uv.lock"), pinned("demo", "1.0", "pdm.lock"))
    assert two.message == "uv.lock has demo==2.0, but pdm.lock has demo==1.0"


def test_a_pin_with_hashes_and_what_another_requires(world: World) -> None:
    flask(world)
    error = world.refusal("flask==3.1", pinned("werkzeug", "2.0", "b.txt:3", closed=False))
    assert error.message == (
        "b.txt:3 asks for werkzeug==2.0, but flask 3.1 (requirements.txt:1) requires werkzeug>=3.1"
    )


@pytest.mark.parametrize(
    ("kind", "file"), [("wheel", "demo-2.0.tar.gz"), ("sdist", "demo-2.0-py3-none-any.whl")]
)
def test_a_source_that_is_ruled_out(world: World, kind: str, file: str) -> None:
    world.has("demo", index_file(file))
    world.more["source"] = lambda _: kind
    error = world.refusal("demo")
    assert error.message.endswith(f"but demo 2.0 has no {kind}, and only a {kind} is to be used")
    assert error.kind == "source"


# --- what does not fit together ---------------------------------------------------------------


def flask(world: World) -> None:
    world.has("flask", "1.0", "2.0", "3.1")
    world.has("werkzeug", "1.0.1", "2.0", "3.0", "3.1", "3.2")
    world.requires = {name: list(requires) for name, requires in FLASK.items()}


def test_a_line_and_what_another_requires(world: World) -> None:
    flask(world)
    error = world.refusal("flask==3.1", "gone; sys_platform == 'win32'", "werkzeug<2")
    assert error.message == (
        "requirements.txt:3 asks for werkzeug<2, but flask 3.1 (requirements.txt:1) requires "
        "werkzeug>=3.1"
    )
    assert error.hint == (
        "werkzeug 3.1 would do (requirements.txt:3), "
        "or flask 1.0 with werkzeug 1.0.1 (requirements.txt:1)"
    )
    assert (error.kind, error.context, error.evidence) == ("conflict", (), ())


def test_two_lines_that_contradict_each_other(world: World) -> None:
    world.has("demo", "1", "2", "3", "4")
    error = world.refusal("demo<2", "demo>=3")
    assert (
        error.message
        == "requirements.txt:1 asks for demo<2, but requirements.txt:2 asks for demo>=3"
    )
    assert error.hint == "demo 3 would do (requirements.txt:1), or demo 1 (requirements.txt:2)"


def test_three_that_contradict_each_other(world: World) -> None:
    world.has("demo", "1", "2", "3")
    error = world.refusal("demo<3", "demo!=1", "demo!=2")
    assert error.message == (
        "requirements.txt:1 asks for demo<3, requirements.txt:2 asks for demo!=1, and "
        "requirements.txt:3 asks for demo!=2: no version of demo is all of that"
    )


def test_a_constraint(world: World) -> None:
    flask(world)
    error = world.refusal("flask==2.0", constraints=["werkzeug<2", "unrelated==1"])
    assert error.message == (
        "limits.txt:1 limits werkzeug to <2, but flask 2.0 (requirements.txt:1) requires "
        "werkzeug>=2"
    )
    assert error.hint == ("werkzeug 2.0 would do (limits.txt:1), or flask 1.0 (requirements.txt:1)")


def test_lines_that_could_not_say_less(world: World) -> None:
    """Each alone can be had in many versions, of which none fits one of the other."""
    flask(world)
    world.has("celery", "4", "5")
    world.requires |= {"celery 4": ["werkzeug<1"], "celery 5": ["werkzeug<0.9"]}
    world.has("werkzeug", "0.8", "0.9", "1.0.1", "2.0", "3.1")
    world.requires["flask 1.0"] = ["werkzeug>=1"]
    world.has("unrelated", "1")
    error = world.refusal("flask", "unrelated", "celery")
    assert error.message == (
        "flask 3.1 (requirements.txt:1; the newest that fits) requires werkzeug>=3.1, but "
        "celery 5 (requirements.txt:3; the newest that fits) requires werkzeug<0.9"
    )
    (quoted,) = error.evidence
    assert "celery" in quoted
    assert "requirements.txt:2" not in str(error.hint)
    assert str(error.hint).startswith("change or take out requirements.txt:1 or requirements.txt:3")


def test_an_extra_of_an_extra(world: World) -> None:
    world.has("demo", "1.0")
    world.has("fast", "1.0", "2.0")
    world.needs("demo 1.0", "demo[speed]; extra == 'all'", "fast>=2; extra == 'speed'")
    error = world.refusal("demo[all]==1.0", "fast==1.0")
    assert error.message == (
        "requirements.txt:2 asks for fast==1.0, but demo 1.0 (requirements.txt:1) requires fast>=2"
    )
    assert error.hint == "fast 2.0 would do (requirements.txt:2)"


def test_what_a_lock_pins_is_not_told_to_be_changed(world: World) -> None:
    flask(world)
    pin = Asked(requirement=Requirement("werkzeug==2.0"), origin="uv.lock", closed=True)
    error = world.refusal("flask==3.1", pin)
    assert (
        error.message
        == "uv.lock has werkzeug==2.0, but flask 3.1 (requirements.txt:1) requires werkzeug>=3.1"
    )
    assert error.hint == "flask 2.0 would do (requirements.txt:1)"
    alone = world.refusal(
        Asked(requirement=Requirement("werkzeug==3.1"), origin="poetry.lock", closed=True), pin
    )
    assert str(alone.hint).startswith("renew poetry.lock and uv.lock with the tool that made it")


def test_a_deep_conflict_tells_the_chain(world: World) -> None:
    world.has("app", "1.0", "2.0")
    world.has("middle", "1.0")
    world.has("low", "1.0", "2.0")
    world.requires = {"app 2.0": ["middle"], "middle 1.0": ["low>=2"]}
    error = world.refusal("app==2.0", "low<2")
    assert error.message == "requirements.txt:2 asks for low<2, but middle 1.0 requires low>=2"
    assert error.context == (("requirements.txt:1", "app 2.0 → middle 1.0 → low>=2"),)
    assert error.hint == (
        "low 2.0 would do (requirements.txt:2), or app 1.0 with low 1.0 (requirements.txt:1)"
    )


def test_several_conflicts_are_told_at_once(world: World) -> None:
    flask(world)
    world.has("click", "7", "8")
    world.requires["flask 3.1"] = ["werkzeug>=3.1", "click>=8"]
    one, two = world.refusals("flask==3.1", "werkzeug<2", "click<8")
    assert one.message.startswith("requirements.txt:2 asks for werkzeug<2")
    assert two.message.startswith("requirements.txt:3 asks for click<8")
    assert str(one.hint).startswith("werkzeug 3.1 would do (requirements.txt:2)")
    assert str(two.hint).startswith("click 8 would do (requirements.txt:3)")


def test_many_conflicts_are_told_without_trying_what_would_do(world: World) -> None:
    names = ["a1", "b2", "c3", "d4", "e5"]
    world.has("all", "1")
    for each in names:
        world.has(each, "1", "2", "3")
    world.needs("all 1", *(f"{each}>=2" for each in names))
    errors = world.refusals("all", *(f"{each}<2" for each in names))
    assert [each.message.split(" asks for ")[1].split(",")[0] for each in errors] == [
        f"{each}<2" for each in names
    ]
    assert str(errors[0].hint).endswith("; a1 2 is the nearest version that fits the rest")


# --- what it takes to find out ----------------------------------------------------------------


class Counting(World):
    """Counts the folders, one of which each run of uv gets."""

    runs = 0
    stop_after: int | None = None

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        self.runs += 1
        with super().folder() as path:
            yield path

    def check(self) -> None:
        if self.stop_after is not None and self.runs > self.stop_after:
            raise InterruptedRunError("stopped")


def test_it_is_bounded(tmp_path: Path) -> None:
    """Forty lines are impossible together, and each of them may be the one to change."""
    world = Counting(tmp_path)
    names = [f"p{number}" for number in range(40)]
    for each in names:
        world.has(each, "1", "2")
        world.requires |= {
            f"{each} {version}": ["base!=1" if each != "p0" else "base<2"] for version in (1, 2)
        }
    world.has("base", "1", "2")
    error = world.refusal(*(f"{each}>=1" for each in names))
    assert "base" in error.message
    assert world.runs <= RUNS + 1


def test_stopping_ends_it_at_once(tmp_path: Path) -> None:
    world = Counting(tmp_path)
    flask(world)
    world.stop_after = 2
    with pytest.raises(InterruptedRunError):
        world.choose("flask==3.1", "werkzeug<2", check=world.check)
    assert world.runs == 3


class Backends(FakeMetadata):
    """Sdists whose backends have to be asked."""

    ran: tuple[str, ...] = ()

    def of(self, name: NormalizedName, release: Release, source: Source) -> str:
        if release.wheels:
            return super().of(name, release, source)
        return self._builder.metadata(name, release, Path("none"))


def test_no_backend_is_run_for_what_is_impossible_anyway(tmp_path: Path) -> None:
    """Old releases are built for ages, only to find that they do not fit."""
    world = World(tmp_path)
    world.has("pandas", "2.2")
    world.has("numpy", index_file("numpy-1.19.tar.gz"), "1.23", "2.0")
    world.needs("pandas 2.2", "numpy>=1.23,<2")
    metadata = Backends(Store(tmp_path / "store"), world.requires)
    policy = Policy(source=lambda _: "any", hashes=lambda _: ())
    view = View(world.index, interpreter(), metadata, policy)
    with pytest.raises(LockError) as told:  # `NoBuilder` fails the test where it is asked
        choose(
            view,
            Requirements(asked=lines("a.txt", ["pandas==2.2", "numpy<1.20"])),
            workspace=world.folder,
        )
    assert told.value.message == (
        "a.txt:2 asks for numpy<1.20, but pandas 2.2 (a.txt:1) requires numpy<2,>=1.23"
    )
    assert told.value.hint == "numpy 1.23 would do (a.txt:2)"


def test_what_only_a_backend_tells_is_asked_before_anything_is_chosen(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.has("demo", index_file("demo-1.0.tar.gz"))
    metadata = Backends(Store(tmp_path / "store"))
    policy = Policy(source=lambda _: "any", hashes=lambda _: ())
    view = View(world.index, interpreter(), metadata, policy)
    with pytest.raises(LockError, match=r"the backend of demo 1\.0 was run"):
        choose(view, Requirements(asked=lines("a.txt", ["demo"])), workspace=world.folder)


# --- build requirements -----------------------------------------------------------------------


def test_build_requirements_are_told_in_their_own_words(world: World) -> None:
    world.has("setuptools", "68", "80")
    world.has("plugin", "1.0")
    world.needs("plugin 1.0", "setuptools>=99")
    for requires, message, hint in (
        (
            ["setuptools==70"],
            "its build asks for setuptools==70, and there is no such version",
            "the nearest versions are 68 and 80",
        ),
        (
            ["plugin"],
            "plugin 1.0 (its build) requires setuptools>=99, and there is no such version",
            "the nearest version is 80",
        ),
    ):
        view = world.view()
        with world.folder() as folder, pytest.raises(UnsolvableError) as told:
            resolve(view, view.interpreter, requires, folder=folder)
        error = explained_build(told.value, view, requires, (), world.folder)
        assert (error.message, error.hint, error.kind) == (message, hint, "no-version")
