"""Locks of what does not come from an index, or is pinned already, or is on the server anyway."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakeengine import FakeContainer, frame
from lockingfactory import interpreter, metadata, sha, target
from lockingworld import MAIN, World, answer, names
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flakyindex import Answer, FlakyIndex
from wheelhouse.errors import BuildError, FetchError, LockError
from wheelhouse.events import Notice
from wheelhouse.inputs.model import Asked, Direct, Requirements
from wheelhouse.scheduler import Scheduler

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.locking.model import Lock

APP = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "my-app"
version = "1.2"
dependencies = ["click>=8"]
optional-dependencies = { web = ["flask"] }
"""

#: What a backend would have to be asked for.
DYNAMIC = APP.replace('version = "1.2"\n', 'dynamic = ["version"]\n')


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.tool("hatchling-1.27")
    found.wheel("click", "8.1")
    found.wheel("click", "9.0")
    found.wheel("flask", "3.0", "click>=8")
    return found


def folder(world: World, name: str = "app", pyproject: str = APP) -> None:
    (world.root / name).mkdir(exist_ok=True)
    (world.root / name / "pyproject.toml").write_text(pyproject)


def wheel(path: Path, name: str, version: str, *requires: str) -> str:
    """A wheel at *path*, of which only the metadata matters; its SHA-256."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        text = metadata(name, version, requires)
        file.writestr(f"{name.replace('-', '_')}-{version}.dist-info/METADATA", text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def made(world: World, *asked: Asked, old: Lock | None = None) -> Lock:
    """The lock of *asked*, however a file says it."""
    with Scheduler(2) as scheduler:
        return world.locker(scheduler).lock(
            target(), interpreter(), world.images, Requirements(asked=asked), old
        )


def asked(line: str, *, closed: bool = False, hashes: tuple[str, ...] = (), **more: str) -> Asked:
    direct = Direct(**more) if more else None
    return Asked(
        requirement=Requirement(line),
        origin="uv.lock" if closed else f"{MAIN}:1",
        hashes=frozenset(hashes),
        direct=direct,
        closed=closed,
    )


# --- folders and archives ---------------------------------------------------------------------


def test_a_folder_whose_metadata_is_static_needs_no_backend(world: World) -> None:
    folder(world)
    lock = made(world, asked("my-app[web]", location="dir:app"))
    assert names(lock) == ["click 9.0", "flask 3.0", "my-app 1.2"]
    app = lock.packages[2]
    assert app.direct == Direct(location="dir:app")
    assert (app.wheels, app.index) == ((), None)
    assert app.sdist is not None
    assert app.sdist.url == "dir:app"
    assert app.required_by == (f"{MAIN}:1",)
    assert app.requires == ("click>=8", "flask")
    assert app.build is not None
    assert [str(each.name) for each in app.build.environment] == ["hatchling"]
    assert world.jobs() == ["metadata my-app"]  # what else its build requires


def test_a_folder_with_a_broken_pyproject_is_told_by_its_line(world: World) -> None:
    folder(world, pyproject="[project\n")
    with pytest.raises(BuildError) as told:
        made(world, asked("my-app", location="dir:app"))
    assert told.value.message.startswith(f"{MAIN}:1: app: its pyproject.toml cannot be read: ")
    assert str(told.value.hint).startswith("correct it")


def test_a_folder_whose_build_requirements_cannot_be_had(world: World) -> None:
    folder(world, pyproject='[build-system]\nrequires = ["nowhere"]\n')
    with pytest.raises(LockError) as told:
        made(world, asked("my-app", location="dir:app"))
    assert told.value.message.startswith("the build requirements of app cannot be met: ")
    assert "correct what it asks for in app" in str(told.value.hint)
    assert "pin another version" not in str(told.value.hint)


def test_an_extra_that_there_is_not_is_told(world: World) -> None:
    folder(world)
    world.wheel("demo", "1.0")
    lock = made(
        world,
        asked("my-app[web,nope]", location="dir:app"),
        asked("demo[other] ; python_version > '3'"),
        asked("demo[another] ; python_version < '3'"),
    )
    assert names(lock) == ["click 9.0", "demo 1.0", "flask 3.0", "my-app 1.2"]
    notices = [each for each in world.reporter.events if isinstance(each, Notice)]
    assert [(each.message, each.hint) for each in notices] == [
        (f"{MAIN}:1: my-app 1.2 has no extra nope", "it has web"),
        (f"{MAIN}:1: demo 1.0 has no extra other", "it has none"),
    ]


def test_nothing_for_a_target_is_told(world: World) -> None:
    lock = made(world, asked("click ; sys_platform == 'win32'"))
    assert lock.packages == ()
    (notice,) = [each for each in world.reporter.events if isinstance(each, Notice)]
    assert notice.message == "nothing of what is asked for is for this target"


def test_what_a_folder_does_not_say_its_backend_is_asked_for(world: World) -> None:
    folder(world, pyproject=DYNAMIC)
    world.containers(answer(text=metadata("my-app", "7.1", ["click<9"])))
    lock = made(world, asked("my-app", location="dir:app"))
    assert names(lock) == ["click 8.1", "my-app 7.1"]


@pytest.mark.parametrize(
    ("pyproject", "told"),
    [(DYNAMIC, "app cannot be built: "), (APP, "my-app 1.2 cannot be built: ")],
)
def test_what_has_no_name_yet_is_called_by_its_place(
    world: World, pyproject: str, told: str
) -> None:
    folder(world, pyproject=pyproject)
    broken = {"type": "failed", "stage": "backend", "message": "it is broken"}
    world.containers(FakeContainer([("stdout", frame(broken))]))
    line = replace(asked("unnamed-1", location="dir:app"), unnamed=True)
    with pytest.raises(BuildError) as caught:
        made(world, line)
    assert caught.value.message.startswith(told)


@pytest.mark.parametrize("name", ["unknown", "UNKNOWN"])
def test_a_folder_that_never_gets_a_name_is_refused(world: World, name: str) -> None:
    folder(world, pyproject=DYNAMIC)
    world.containers(answer(text=metadata(name, "0.0.0")))
    line = replace(asked("unnamed-1", location="dir:app"), unnamed=True)
    with pytest.raises(BuildError, match="app does not say which version of which project it is"):
        made(world, line)


def test_a_folder_is_locked_as_it_is_now(world: World) -> None:
    folder(world)
    line = asked("my-app", location="dir:app")
    before = made(world, line)
    assert made(world, line, old=before).packages == before.packages
    (world.root / "app" / "module.py").write_text("X = 1\n")
    world.containers(answer())
    after = made(world, line, old=before)
    assert after.packages[1].sdist != before.packages[1].sdist


def test_a_line_that_names_a_place_only_gets_its_name_there(world: World) -> None:
    folder(world)
    line = replace(asked("app[web] ; python_version > '3'", location="dir:app"), unnamed=True)
    lock = made(world, line)
    assert names(lock) == ["click 9.0", "flask 3.0", "my-app 1.2"]
    assert lock.requested == ('my-app[web]; python_version > "3"',)


def test_what_is_not_for_the_target_is_not_looked_for(world: World) -> None:
    line = asked("gone ; sys_platform == 'win32'", location="dir:gone")
    assert names(made(world, line, asked("click<9"))) == ["click 8.1"]


def test_another_project_than_its_line_says(world: World) -> None:
    folder(world)
    with pytest.raises(
        LockError, match=rf"{MAIN}:1 asks for other, but what lies at .*app is my-app 1\.2"
    ):
        made(world, asked("other", location="dir:app"))


def test_two_places_for_one_project(world: World) -> None:
    folder(world)
    folder(world, "copy")
    with pytest.raises(LockError, match="my-app is asked for from two places"):
        made(world, asked("my-app", location="dir:app"), asked("my-app", location="dir:copy"))


def test_a_wheel_by_its_path(world: World) -> None:
    name = "demo-1.0-py3-none-any.whl"
    found = wheel(world.root / "vendor" / name, "demo", "1.0", "click<9")
    lock = made(world, asked("demo", location=f"file:vendor/{name}"))
    assert names(lock) == ["click 8.1", "demo 1.0"]
    demo = lock.packages[1]
    assert (demo.sdist, demo.build) == (None, None)
    assert [each.sha256 for each in demo.wheels] == [found]
    assert demo.wheels[0].url == f"file:vendor/{name}"


def test_a_wheel_for_another_target(world: World) -> None:
    name = "demo-1.0-cp39-cp39-win_amd64.whl"
    wheel(world.root / name, "demo", "1.0")
    with pytest.raises(LockError, match=rf"{MAIN}:1: {name} is not for this target"):
        made(world, asked("demo", location=f"file:{name}"))


def test_a_file_with_another_hash_than_its_line_allows(world: World) -> None:
    name = "demo-1.0-py3-none-any.whl"
    wheel(world.root / name, "demo", "1.0")
    line = asked("demo", location=f"file:{name}", hashes=(sha("one"), sha("two")))
    with pytest.raises(LockError, match="has none of the hashes that the line allows"):
        made(world, line)


def test_what_cannot_be_had_is_told_with_its_line_and_what_to_do(world: World) -> None:
    """Locking again, the advice for what a lock has, would not help."""
    name = "demo-1.0-py3-none-any.whl"
    wheel(world.root / name, "demo", "1.0")
    with FlakyIndex() as server:
        url = server.url(f"/{name}")
        server.on(f"/{name}", Answer(status=404))
        with pytest.raises(FetchError) as gone:
            made(world, asked("demo", location=url))
        server.on(f"/{name}", Answer(body=(world.root / name).read_bytes()))
        with pytest.raises(FetchError) as changed:
            made(world, asked("demo", location=url, hashes=(sha("one"),)))
    assert gone.value.message == f"{MAIN}:1: {url} is not there (404)"
    assert gone.value.hint == "correct the address"
    assert changed.value.message.startswith(f"{MAIN}:1: {url} has changed: its SHA-256 is ")
    assert str(changed.value.hint).startswith("find out why; renew the hash in the line")


def test_what_comes_from_a_place_may_name_others(world: World) -> None:
    name = "demo-1.0-py3-none-any.whl"
    inner = world.root / name
    wheel(inner, "demo", "1.0", "click<9")
    needs = APP.replace('"click>=8"', f'"demo @ file://{inner}"')
    folder(world, pyproject=needs)
    lock = made(world, asked("my-app", location="dir:app"))
    assert names(lock) == ["click 8.1", "demo 1.0", "my-app 1.2"]
    assert lock.packages[1].required_by == ("my-app",)
    assert lock.packages[1].direct == Direct(location=f"file:{name}")  # the same on all machines


def test_what_comes_from_elsewhere_names_nothing_of_this_machine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's archive is not to have files of this machine built, and shipped."""
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    secret = world.root.parent / "secret"
    secret.mkdir()
    (secret / "pyproject.toml").write_text(APP.replace("my-app", "secret"))
    name = "demo-1.0-py3-none-any.whl"
    wheel(world.root / name, "demo", "1.0", f"secret @ {secret.as_uri()}")
    with FlakyIndex() as server:
        server.on(f"/{name}", Answer(body=(world.root / name).read_bytes()))
        with pytest.raises(LockError, match=r"demo 1\.0.* wants .*secret of this machine"):
            made(world, asked("demo", location=server.url(f"/{name}")))


# --- what a lock has pinned -------------------------------------------------------------------


def test_where_others_come_from_is_for_the_lock_to_say(world: World) -> None:
    """What it takes from a repository, say, it has with the commit, and not the project."""
    name = "demo-1.0-py3-none-any.whl"
    wheel(world.root / name, "demo", "1.0")
    folder(world, pyproject=APP.replace('"click>=8"', '"demo @ git+https://git.invalid/demo"'))
    app = asked("my-app", closed=True, location="dir:app")
    lock = made(world, app, asked("demo==1.0", closed=True, location=f"file:{name}"))
    assert names(lock) == ["demo 1.0", "my-app 1.2"]
    assert lock.packages[0].direct == Direct(location=f"file:{name}")


def test_a_lock_is_not_resolved_anew(world: World) -> None:
    """flask wants another click, and neither of them its own dependencies."""
    world.wheel("flask", "3.1", "click>=9", "itsdangerous")
    lock = made(world, asked("flask==3.1", closed=True), asked("click==8.1", closed=True))
    assert names(lock) == ["click 8.1", "flask 3.1"]
    assert lock.packages[0].required_by == ("uv.lock", "flask")
    assert lock.packages[1].requires == ("click>=9", "itsdangerous")  # as it says itself


def test_other_files_may_want_extras_of_what_a_lock_has(world: World) -> None:
    world.wheel("web", "1.0", "itsdangerous; extra == 'safe'", "unlocked")
    world.wheel("itsdangerous", "2.0")
    lock = made(world, asked("web==1.0", closed=True), asked("web[safe]"))
    assert names(lock) == ["itsdangerous 2.0", "web 1.0"]


def test_a_pin_of_a_lock_is_not_held_to_a_cutoff(world: World) -> None:
    from datetime import UTC, datetime

    new = datetime(2026, 1, 1, tzinfo=UTC)
    world.wheel("late", "1.0", upload_time=new)
    world.wheel("late", "0.9", upload_time=datetime(2020, 1, 1, tzinfo=UTC))
    before = datetime(2021, 1, 1, tzinfo=UTC)
    with Scheduler(2) as scheduler:
        for line, expected in (("late==1.0", "late 1.0"), ("late", "late 0.9")):
            requirements = Requirements(asked=(asked(line, closed="==" in line),))
            lock = world.locker(scheduler).lock(
                *(target(), interpreter(), world.images, requirements, None), before=before
            )
            assert names(lock) == [expected]


# --- what an index has ------------------------------------------------------------------------


def test_a_package_is_locked_with_its_index(world: World) -> None:
    key = canonicalize_name("click")
    world.index.pages[key] = replace(world.index.pages[key], index="https://corp.example/simple")
    lock = made(world, asked("click"))
    assert lock.packages[0].index == "https://corp.example/simple"


def test_two_locks_that_have_a_package_from_different_indexes(world: World) -> None:
    one = replace(asked("click==8.1", closed=True), index="https://one.example/simple")
    two = replace(one, index="https://two.example/simple", origin="poetry.lock")
    with pytest.raises(
        LockError, match=r"uv\.lock has click from https://one\.example/simple, and poetry\.lock"
    ):
        made(world, one, two)
