"""Wheels that are not what their tags say: what takes their place, and how long it is sought."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakeengine import FakeContainer, FakeEngine
from lockingfactory import (
    FakeIndex,
    NoPlaces,
    images,
    index_file,
    interpreter,
    locked,
    metadata,
    page,
    project,
    remember_probe,
    sha,
    target,
)
from packaging.version import Version

import liars
from wheelhouse import planning, supplying
from wheelhouse.building.runner import Runner
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import StaleLockError
from wheelhouse.events import Event, Notice
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking import metadata as metadata_module
from wheelhouse.locking.current import Freshness, current_lock, lock_learned, lock_without
from wheelhouse.locking.lock import Locker
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.locking.model import LockedPackage
from wheelhouse.obtain import UntrueTagsError
from wheelhouse.plan import Action, Plan, Step
from wheelhouse.run import Run
from wheelhouse.scheduler import Scheduler
from wheelhouse.store import Store, sha256_of
from wheelhouse.supplying import as_done

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.locking.model import Lock
    from wheelhouse.plan import Planned

WORSE = "py3-none-linux_x86_64"


class Remembering:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.notices.append(event.message)


class World:
    """A project that asks for demo; its wheels are in the store, as if they had been fetched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "store")
        remember_probe(self.store)
        self.reporter = Remembering()
        self.index = FakeIndex(page("demo"))
        (root / "requirements.txt").write_text("demo\n")
        self.honest = liars.extension(root, too_new=False)
        self.liar = liars.extension(root, too_new=True)

    def wheel(self, version: str, *, honest: bool = False, tag: str = liars.TAG) -> str:
        """Put a wheel on the index; return its SHA-256."""
        data = liars.wheel("demo", version, self.honest if honest else self.liar, tag=tag)
        self.store.add([data])
        text = {"text": metadata("demo", version)}
        self.store.write_record(metadata_module.KIND, sha(data), text)
        file = index_file(f"demo-{version}-{tag}.whl", sha256=sha(data))
        (present,) = self.index.pages.values()
        self.index.pages[present.name] = replace(present, files=(*present.files, file))
        return sha(data)

    @contextmanager
    def run(self) -> Iterator[Run]:
        stop = Cancellation()
        wanted = project(self.root)
        engine = FakeEngine(FakeContainer([]))
        fetcher = Fetcher(Client(), self.store, stop.check)
        runner = Runner(engine, self.store, Limits(), self.reporter, stop)
        with Scheduler(1) as scheduler:
            yield Run(
                project=wanted,
                store=self.store,
                engine=engine,
                fetcher=fetcher,
                locker=Locker(
                    wanted,
                    indexes=self.index,
                    pinner=NoPlaces(),
                    fetcher=fetcher,
                    runner=runner,
                    scheduler=scheduler,
                ),
                runner=runner,
                scheduler=scheduler,
                reporter=self.reporter,
                cancellation=stop,
            )

    def planned(self, run: Run) -> Planned:
        """Everything up to the plan, of the lock that there is or is made now."""
        lock = current_lock(
            *(run.locker, run.project, target(), interpreter(), images()), Freshness.RENEW_IF_STALE
        )
        return planning.plan_with(run, target(), images(), interpreter(), lock)

    def present(self) -> Lock:
        lock = load_lock(lock_path(self.root, "web"))
        assert lock is not None
        return lock


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def files(plan: Plan) -> list[str]:
    return [step.file.filename for step in plan.steps]


def test_what_is_not_as_its_tag_says_is_replaced_until_something_is(world: World) -> None:
    lies = [world.wheel("3.0"), world.wheel("3.0", tag=WORSE), world.wheel("2.0")]
    world.wheel("1.0", honest=True)
    with world.run() as run:
        planned, lock_sha256, wheels = supplying.supply(
            run, world.planned(run), Freshness.RENEW_IF_STALE
        )
    assert files(planned.plan) == [f"demo-1.0-{liars.TAG}.whl"]
    assert [each.wheel.filename for each in wheels] == files(planned.plan)
    assert planned.lock == world.present()
    assert lock_sha256 == sha256_of(lock_path(world.root, "web"))
    assert {each.sha256 for each in planned.lock.refused} == set(lies)
    why = (
        "demo/_native.abi3.so: needs GLIBC_2.99 of libc.so.6 (of_tomorrow); "
        "Debian 12 (bookworm) has at most GLIBC_2.36"
    )
    assert {each.reason for each in planned.lock.refused} == {why}
    worse = f"demo-3.0-{WORSE}.whl"
    assert world.reporter.notices == [
        f"demo-3.0-{liars.TAG}.whl is not what its tag says: {why}; {worse} is used instead",
        f"{worse} is not what its tag says: {why}; demo 2.0 is used instead",
        f"demo-2.0-{liars.TAG}.whl is not what its tag says: {why}; demo 1.0 is used instead",
    ]


def test_what_was_built_before_a_second_proof_is_told_as_built() -> None:
    def plan(*actions: Action) -> Plan:
        steps = [
            Step(
                action=action,
                package=LockedPackage(name=page(f"p{number}").name, version=Version("1.0")),
                file=locked(f"p{number}-1.0.tar.gz"),
                reason="why",
            )
            for number, action in enumerate(actions)
        ]
        return Plan(target="web", steps=tuple(steps))

    told = as_done(plan("build", "reuse", "fetch"), plan("reuse", "reuse", "fetch"))
    assert [step.action for step in told.steps] == ["build", "reuse", "fetch"]


def test_the_search_ends(world: World) -> None:
    for version in ("4.0", "3.0", "2.0", "1.0"):
        world.wheel(version)
    with world.run() as run:
        planned = world.planned(run)
        with pytest.raises(UntrueTagsError) as told:
            supplying.supply(run, planned, Freshness.RENEW_IF_STALE, rounds=2)
    (error,) = told.value.errors
    assert error.message.startswith(f"demo-2.0-{liars.TAG}.whl must not enter the wheelhouse: ")
    assert [each.filename[:8] for each in world.present().refused] == ["demo-3.0", "demo-4.0"]


def test_a_lock_that_is_required_stays_as_it_is(world: World) -> None:
    world.wheel("2.0")
    world.wheel("1.0", honest=True)
    with world.run() as run:
        planned = world.planned(run)
        before = lock_path(world.root, "web").read_bytes()
        with pytest.raises(StaleLockError, match=r"cannot be used: demo-2\.0-py3") as told:
            supplying.supply(run, planned, Freshness.REQUIRE)
    assert told.value.hint is not None
    assert "without --locked" in told.value.hint
    assert lock_path(world.root, "web").read_bytes() == before


def test_what_another_run_has_found_out_meanwhile_is_taken(world: World) -> None:
    world.wheel("2.0")
    world.wheel("1.0", honest=True)
    with world.run() as run:
        stale = world.planned(run)
        done, _, _ = supplying.supply(run, stale, Freshness.RENEW_IF_STALE)
        world.index.asked.clear()
        again = lock_without(
            done.lock.refused, run.locker, run.project, stale, Freshness.RENEW_IF_STALE
        )
    assert len(again.refused) == 1
    assert again == done.lock
    assert not world.index.asked


def test_a_lock_that_another_run_has_made_of_other_inputs_is_left_alone(world: World) -> None:
    """This run's is of before; whoever changed the requirements has locked that."""
    world.wheel("1.0", honest=True)
    with world.run() as run:
        planned = world.planned(run)
        (world.root / "requirements.txt").write_text("demo>=1\n")
        other = current_lock(
            *(run.locker, run.project, target(), interpreter(), images()), Freshness.RENEW_IF_STALE
        )
        followed = lock_learned({}, run.locker, run.project, planned)
        assert followed == planned.lock
        assert world.present() == other != followed
