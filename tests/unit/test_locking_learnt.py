"""What builds have shown to be required is remembered as long as it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockingworld import World, answer, names
from packaging.utils import canonicalize_name

from wheelhouse.config import PackageSettings
from wheelhouse.locking.current import Freshness
from wheelhouse.locking.lockfile import dump_lock, lock_path
from wheelhouse.locking.model import AddedRequirement

if TYPE_CHECKING:
    from pathlib import Path

LEARNT = AddedRequirement(
    package=canonicalize_name("demo"), requirement="hatchling==1.27", library="libgeo.so"
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An index with a project that is built with hatchling; its lock has what was learnt."""
    made = World(tmp_path)
    made.containers(answer(), answer())
    made.tool("hatchling-1.27")
    made.wheel("hatchling", "1.26")
    made.sdist("demo", "1.0")
    made.ask("demo\n")
    lock = replace(made.current(), added=(LEARNT,))
    lock_path(made.root, lock.target).write_text(dump_lock(lock))
    return made


def test_a_version_is_required_as_long_as_it_is_built_with(world: World) -> None:
    world.ask("demo\nhatchling\n")
    lock = world.current()
    assert lock.added == (LEARNT,)
    assert names(lock) == ["demo 1.0", "hatchling 1.27"]
    assert world.current(Freshness.UPGRADE).added == (), "it may be another one now"


def test_what_is_the_distributions_is_required_no_more(world: World) -> None:
    world.configure(demo=PackageSettings(system_libraries=("libgeo.so",)))
    lock = world.current()
    assert (lock.added, names(lock)) == ((), ["demo 1.0"])
