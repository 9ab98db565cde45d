"""From steps to checked wheels: what a build gave is judged each time it is used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest
from fakeengine import FakeContainer, FakeEngine, file_frame, frame
from lockingfactory import NoPackages, images, interpreter, locked, project, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from flakyindex import Answer, FlakyIndex
from wheelfactory import members, zip_bytes
from wheelhouse.building.build import known_build
from wheelhouse.building.circumstances import circumstances
from wheelhouse.building.downloads import Downloads
from wheelhouse.building.mending import Mender
from wheelhouse.building.recipe import Recipe
from wheelhouse.building.runner import Runner
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import CheckError, FetchError
from wheelhouse.events import StepFinished
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.model import LockedBuild, LockedPackage
from wheelhouse.obtain import Obtained, obtain
from wheelhouse.plan import Plan, Step
from wheelhouse.scheduler import Scheduler
from wheelhouse.store import Store
from wheelhouse.weights import files, weigh
from wheelhouse.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheelhouse.errors import WheelhouseError
    from wheelhouse.events import Event, Outcome
    from wheelhouse.locking.requires import BuildInspector
    from wheelhouse.plan import Action

SDIST = b"an sdist"
KEY = "c" * 64
PURE = "demo-1.0-py3-none-any.whl"


def _nobody() -> BuildInspector:
    raise AssertionError("nothing is to be inspected")


class Shop:
    """A store, and an engine whose container sends one wheel."""

    def __init__(self, root: Path, filename: str, content: Mapping[str, bytes]) -> None:
        self.root = root
        self.store = Store(root / "store")
        self.store.add([SDIST])
        message = {"type": "result", "seconds": {"build": 1.0}, "repaired": False}
        file = file_frame(filename, zip_bytes(list(content.items())))
        self.engine = FakeEngine(FakeContainer([("stdout", file), ("stdout", frame(message))]))
        self.outcomes: list[Outcome] = []

    def emit(self, event: Event) -> None:
        """Keep how steps end."""
        if isinstance(event, StepFinished):
            self.outcomes.append(event.outcome)

    def step(self, name: str = "demo") -> Step:
        """What the plan says now."""
        sdist = locked(f"{name}-1.0.tar.gz", sha256=sha(SDIST))
        built = known_build(self.store, KEY)
        action: Action = "reuse" if built else "build"
        return Step(
            action=action,
            package=LockedPackage(
                name=canonicalize_name(name),
                version=Version("1.0"),
                build=LockedBuild(static=(), dynamic=(), environment=()),
            ),
            file=sdist,
            reason="why",
            recipe=Recipe(
                sdist=sdist,
                image="sha256:builder",
                python="/usr/bin/python3",
                tool_python="/opt/tools/bin/python",
                tool_path="/opt/tools/bin",
            ),
            key=KEY,
            built=built,
        )

    def obtain(self, step: Step) -> Obtained:
        stop = Cancellation()
        runner = Runner(self.engine, self.store, Limits(), self, stop)
        fetcher = Fetcher(Client(), self.store, stop.check)
        with Scheduler(1) as scheduler:
            workshop = Workshop(
                project(self.root),
                circumstances(
                    *(runner, target(), images(), interpreter()),
                    downloads=Downloads(
                        target(), runner=runner, fetcher=fetcher, scheduler=scheduler
                    ),
                ),
                runner=runner,
                fetcher=fetcher,
                mender=Mender(
                    target(), images(), NoPackages(), self, auto_system=True, learning=False
                ),
                inspector=_nobody,
            )
            plan = Plan(target="web", steps=(step,))
            (found,) = obtain(
                plan,
                target(),
                interpreter(),
                weights=weigh(files(plan), {}, self.store),
                workshop=workshop,
                fetcher=fetcher,
                scheduler=scheduler,
            )
        return found


def test_a_built_wheel_is_reused(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PURE, members())
    first = shop.obtain(shop.step())
    again = shop.step()
    assert again.action == "reuse"
    assert shop.obtain(again) == Obtained(
        step=again, wheel=first.wheel, sha256=first.sha256, built=first.built
    )
    assert len(shop.engine.started) == 1


def test_a_flipped_bit_makes_a_reuse_a_build(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PURE, members())
    sha256 = shop.obtain(shop.step()).sha256
    again = shop.step()
    path = shop.store.blob(sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert shop.obtain(again).sha256 == sha256
    assert len(shop.engine.started) == 2


def test_a_record_that_leads_to_another_wheel_makes_a_reuse_a_build(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PURE, members())
    first = shop.obtain(shop.step())
    other = members(metadata="Metadata-Version: 2.1\nName: demo\nVersion: 2.0\n")
    record = shop.store.record("build", KEY)
    assert record is not None
    for content in (zip_bytes(list(other.items())), b"no wheel at all"):
        lie = {**record, "sha256": shop.store.add([content])}
        shop.store.write_record("build", KEY, lie)
        again = shop.step()
        assert again.action == "reuse"
        assert shop.obtain(again).sha256 == first.sha256
        assert shop.store.record("build", KEY) == record | {"facts": ANY}
    assert len(shop.engine.started) == 3


def test_the_wheel_of_another_project_is_refused_each_time(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PURE, members())
    for action in ("build", "reuse"):
        step = shop.step("wanted")
        assert step.action == action
        with pytest.raises(CheckError, match="gave the wheel of demo"):
            shop.obtain(step)


def test_a_lost_extension_is_refused_each_time_unless_it_may_be(tmp_path: Path) -> None:
    tag = "cp311-cp311-linux_x86_64"
    shop = Shop(tmp_path, f"demo-1.0-{tag}.whl", members(tags=[tag], purelib=False))
    for action in ("build", "reuse"):
        step = shop.step()
        assert step.action == action
        with pytest.raises(CheckError, match="its extension was left out"):
            shop.obtain(step)
    shop.obtain(replace(shop.step(), may_be_pure=True))


def test_a_built_wheel_of_another_platform_fails_its_own_step_each_time(tmp_path: Path) -> None:
    """So whatever else fails is told in the same run."""
    tag = "cp311-cp311-manylinux_2_39_x86_64"
    shop = Shop(tmp_path, f"demo-1.0-{tag}.whl", members(tags=[tag], purelib=False))
    for action in ("build", "reuse"):
        step = shop.step()
        assert step.action == action
        with pytest.raises(CheckError, match="it is made for cp311-cp311-manylinux_2_39"):
            shop.obtain(replace(step, may_be_pure=True))
    assert shop.outcomes == ["failed", "failed"]


def _fetched(shop: Shop, index: FlakyIndex, answer: Answer) -> WheelhouseError:
    """What becomes of a wheel whose hash in the lock is not that of *answer*'s."""
    file = replace(locked(PURE, sha256="0" * 64), url=index.on(f"/{PURE}", answer))
    step = replace(shop.step(), action="fetch", file=file, recipe=None, key=None)
    with pytest.raises(FetchError) as told:
        shop.obtain(step)
    return told.value


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (
            Answer(body=b"other"),
            "is not what pylock.web.toml says: its SHA-256 is d9298a10d1b07358…, not 00000000",
            "changed and that is right: `wheelhouse lock --upgrade-package demo`",
        ),
        (
            Answer(body=b"<html>", kind="text/html"),
            "a web page comes in its place",
            "it may be a login page of your network",
        ),
        (
            Answer(status=404),
            "is not there (404), where pylock.web.toml says it is",
            "have another one locked: `wheelhouse lock --upgrade-package demo`",
        ),
    ],
)
def test_another_file_than_the_locked_one_is_told_of_its_package(
    tmp_path: Path, answer: Answer, message: str, hint: str
) -> None:
    with FlakyIndex() as index:
        error = _fetched(Shop(tmp_path, PURE, members()), index, answer)
    assert error.message.startswith("demo 1.0: http://127.0.0.1")
    assert message in error.message
    assert hint in str(error.hint)
