"""Keeping a lock up: what of it is chosen anew, what may be how old, and what is told of it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from lockingfactory import UPLOADED, images, interpreter, metadata, sha, target
from lockingworld import World, names
from packaging.utils import canonicalize_name
from test_locking_lock import build_of

from wheelhouse.errors import ConfigError, LockError, StaleLockError
from wheelhouse.events import Notice
from wheelhouse.locking import metadata as metadata_module
from wheelhouse.locking.current import (
    AS_EVER,
    Freshness,
    Renewal,
    check_locks,
    check_upgradable,
    current_lock,
    lock_adding,
    lock_without,
)
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.locking.model import AddedRequirement, RefusedFile
from wheelhouse.locking.refusal import limits
from wheelhouse.plan import Plan, Planned
from wheelhouse.scheduler import Scheduler
from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.locking.model import Lock, LockedFile

#: A day after the files of these tests came to the index, and a day after that.
BETWEEN = UPLOADED + timedelta(days=1)
LATER = UPLOADED + timedelta(days=2)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project that asks for flask, which needs click."""
    made = World(tmp_path)
    for each in ("hatchling-1.27", "setuptools-80.1"):
        made.tool(each)
    made.ask("flask\n")
    made.wheel("flask", "3.0", "click>=8")
    made.wheel("click", "8.1")
    return made


def current(
    world: World,
    freshness: Freshness = Freshness.RENEW_IF_STALE,
    *packages: str,
    before: datetime | timedelta | None = None,
    written: bool = True,
) -> Lock:
    chosen = frozenset(map(canonicalize_name, packages))
    renewal = Renewal(packages=chosen, before=before, written=written)
    with Scheduler(2) as scheduler:
        return current_lock(
            *(world.locker(scheduler), world.project, target(), interpreter(), images()),
            freshness,
            renewal,
        )


def newer(world: World) -> None:
    """A later release of each came to the index."""
    world.wheel("flask", "3.1", "click>=8", upload_time=LATER)
    world.wheel("click", "8.2", upload_time=LATER)


def planned(lock: Lock) -> Planned:
    plan = Plan(target="web", steps=())
    return Planned(
        target=target(), images=images(), interpreter=interpreter(), lock=lock, plan=plan
    )


# --- which versions are chosen anew --------------------------------------------------------------


def test_only_the_named_package_is_upgraded(world: World) -> None:
    current(world)
    newer(world)
    assert names(current(world)) == ["click 8.1", "flask 3.0"]
    assert names(current(world, Freshness.RENEW_IF_STALE, "Click")) == ["click 8.2", "flask 3.0"]
    assert names(current(world, Freshness.UPGRADE)) == ["click 8.2", "flask 3.1"]


def test_what_has_to_move_with_the_named_package_moves(world: World) -> None:
    current(world)
    world.wheel("flask", "4.0", "click>=9")
    world.wheel("click", "9.0")
    world.wheel("click", "10.0")
    assert names(current(world, Freshness.RENEW_IF_STALE, "flask")) == ["click 10.0", "flask 4.0"]


def test_a_wrong_hash_is_kept_until_the_package_is_upgraded(world: World) -> None:
    world.sdist("built", "1.0")
    world.ask("flask\nbuilt\n")
    right = current(world)
    path = lock_path(world.root, "web")
    for name, hurt in (
        ("click", next(each for each in right.packages if each.name == "click").wheels[0]),
        ("built", _sdist(right)),
        ("built", _tool(right)),
    ):
        path.write_text(path.read_text().replace(hurt.sha256, "0" * 64))
        wrong = current(world)
        assert wrong != right
        assert current(world, Freshness.RENEW_IF_STALE, name) == right
        assert load_lock(path) == right


def _sdist(lock: Lock) -> LockedFile:
    (package,) = (each for each in lock.packages if each.name == "built")
    assert package.sdist is not None
    return package.sdist


def _tool(lock: Lock) -> LockedFile:
    (package,) = (each for each in lock.packages if each.name == "built")
    assert package.build is not None
    return package.build.environment[0].file


def test_what_no_lock_has_cannot_be_upgraded(world: World) -> None:
    current(world)
    project, targets = world.project, [target()]
    check_upgradable(project, targets, [canonicalize_name("click")])
    with pytest.raises(ConfigError, match='no lock has "clack"; did you mean "click"'):
        check_upgradable(project, targets, [canonicalize_name("clack")])
    with pytest.raises(ConfigError, match='no lock has "a" and "b"'):
        check_upgradable(project, targets, map(canonicalize_name, ("b", "click", "a")))
    other = [*targets, target("other")]  # which may come to have it
    check_upgradable(project, other, [canonicalize_name("clack")])


def test_what_another_tools_lock_pins_cannot_be_upgraded(world: World) -> None:
    (world.root / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "another"\n'
        '[[packages]]\nname = "click"\nversion = "8.1"\n'
        '[[packages.wheels]]\nname = "click-8.1-py3-none-any.whl"\n'
        'url = "https://files.example/click-8.1-py3-none-any.whl"\n'
        f'hashes = {{sha256 = "{sha("click-8.1-py3-none-any.whl")}"}}\n'
    )
    files = (InputFile(path=world.root / "pylock.toml"),)
    world.project = replace(world.project, requirements=files)
    assert names(current(world)) == ["click 8.1"]
    with pytest.raises(ConfigError, match=r"click cannot be upgraded here: pylock\.toml pins it"):
        current(world, Freshness.RENEW_IF_STALE, "click")


def test_what_is_only_to_be_told_is_not_written(world: World) -> None:
    current(world, written=False)
    assert not lock_path(world.root, "web").exists()
    old = current(world)
    newer(world)
    assert names(current(world, Freshness.UPGRADE, written=False)) == ["click 8.2", "flask 3.1"]
    assert load_lock(lock_path(world.root, "web")) == old


# --- how old things may be -----------------------------------------------------------------------


def test_what_is_newer_is_not_used(world: World) -> None:
    newer(world)
    assert names(current(world, before=BETWEEN)) == ["click 8.1", "flask 3.0"]
    text = lock_path(world.root, "web").read_text()
    assert tomllib.loads(text)["tool"]["wheelhouse"]["exclude-newer"] == BETWEEN


def test_a_pin_that_is_newer_is_given_up(world: World) -> None:
    newer(world)
    assert names(current(world)) == ["click 8.2", "flask 3.1"]
    assert names(current(world, before=BETWEEN)) == ["click 8.1", "flask 3.0"]


def test_what_came_at_that_very_moment_is_newer(world: World) -> None:
    newer(world)
    assert names(current(world, before=LATER)) == ["click 8.1", "flask 3.0"]


def test_a_file_that_an_old_release_got_later_is_newer(world: World) -> None:
    page = world.index.pages[canonicalize_name("click")]
    added = replace(
        page.files[0], filename="click-8.1-1-py3-none-any.whl", sha256="0" * 64, upload_time=LATER
    )
    world.index.pages[page.name] = replace(page, files=(*page.files, added))
    told = {"text": metadata("click", "8.1")}
    world.store.write_record(metadata_module.KIND, "0" * 64, told)
    assert [each.filename for each in current(world, before=BETWEEN).packages[0].wheels] == [
        "click-8.1-py3-none-any.whl"
    ]
    assert len(current(world, Freshness.UPGRADE).packages[0].wheels) == 2


def test_an_index_that_tells_no_times_is_taken_as_it_is(world: World) -> None:
    world.wheel("flask", "3.1", "click>=8", upload_time=LATER)
    page = world.index.pages[canonicalize_name("click")]
    untold = tuple(replace(each, upload_time=None) for each in page.files)
    world.index.pages[page.name] = replace(page, files=untold)
    assert names(current(world, before=BETWEEN)) == ["click 8.1", "flask 3.0"]


def test_where_all_is_newer_there_is_no_lock(world: World) -> None:
    with pytest.raises(LockError):
        current(world, before=UPLOADED)


def test_the_projects_setting_holds_and_does_not_make_the_lock_stale(world: World) -> None:
    newer(world)
    world.project = replace(world.project, exclude_newer=datetime.now(UTC) - BETWEEN)
    lock = current(world)
    assert names(lock) == ["click 8.1", "flask 3.0"]
    assert lock.before is not None
    assert abs(lock.before - BETWEEN) < timedelta(minutes=1)
    check_locks(world.project, [target()])
    world.index.asked.clear()
    assert current(world) == lock
    assert not world.index.asked


def test_an_option_counts_in_place_of_the_setting(world: World) -> None:
    newer(world)
    world.project = replace(world.project, exclude_newer=BETWEEN)
    assert names(current(world)) == ["click 8.1", "flask 3.0"]
    lock = current(world, Freshness.UPGRADE, before=timedelta(0))
    assert names(lock) == ["click 8.2", "flask 3.1"]


def test_a_later_moment_alone_makes_no_other_lock(world: World) -> None:
    newer(world)
    first = current(world, before=BETWEEN)
    later = current(world, Freshness.UPGRADE, before=BETWEEN + timedelta(hours=1))
    assert later == first
    assert load_lock(lock_path(world.root, "web")) == first


def test_build_requirements_are_not_newer_either(world: World) -> None:
    world.ask("demo\n")
    world.sdist("demo", "1.0")
    world.tool("hatchling-2.0")
    page = world.index.pages[canonicalize_name("hatchling")]
    files = [
        replace(each, upload_time=LATER) if "2.0" in each.filename else each for each in page.files
    ]
    world.index.pages[page.name] = replace(page, files=tuple(files))
    (tool,) = build_of(current(world, before=BETWEEN)).environment
    assert str(tool.version) == "1.27"
    (tool,) = build_of(current(world, Freshness.UPGRADE)).environment
    assert str(tool.version) == "2.0"


def test_a_lock_that_a_run_mends_is_of_the_time_that_it_was(world: World) -> None:
    world.wheel("click", "8.0")
    newer(world)
    lock = current(world, before=BETWEEN)
    file = lock.packages[0].wheels[0]
    refused = RefusedFile(
        filename=file.filename, sha256=file.sha256, reason="it lies", platform=limits(target())
    )
    with Scheduler(2) as scheduler:
        locker, here = world.locker(scheduler), planned(lock)
        mended = lock_without([refused], locker, world.project, here, Freshness.RENEW_IF_STALE)
        assert names(mended) == ["click 8.0", "flask 3.0"]
        world.wheel("six", "1.16")
        world.wheel("six", "1.17", upload_time=LATER)
        added = AddedRequirement(package=mended.packages[1].name, requirement="six", module="six")
        more = lock_adding([added], locker, world.project, planned(mended))
    assert names(more) == ["click 8.0", "flask 3.0", "six 1.16"]
    assert more.before == mended.before == BETWEEN
    assert more.sources == lock.sources
    check_locks(world.project, [target()])


# --- what is told --------------------------------------------------------------------------------


def test_a_stale_lock_says_what_has_changed(world: World) -> None:
    current(world)
    world.ask("flask>=1\n")
    world.project = replace(world.project, source="wheel")
    with pytest.raises(StaleLockError) as told:
        check_locks(world.project, [target()])
    assert told.value.message == (
        "pylock.web.toml does not belong to the present requirements or settings: "
        "requirements.txt changed; source is new"
    )
    assert told.value.target == "web"
    with pytest.raises(StaleLockError, match=r"requirements\.txt changed"):
        current(world, Freshness.REQUIRE)


def test_archived_projects_are_warned_of(world: World) -> None:
    page = world.index.pages[canonicalize_name("click")]
    world.index.pages[page.name] = replace(page, status="archived")
    current(world)
    (notice,) = [each for each in world.reporter.events if isinstance(each, Notice)]
    assert notice.message.startswith("click is archived")


def test_nothing_is_asked_of_a_fresh_lock_as_ever(world: World) -> None:
    assert not AS_EVER.changes_a_fresh_lock
    lock = current(world)
    newer(world)
    assert current(world) == lock
