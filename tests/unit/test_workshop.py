"""Building with what failures call for, from the step that was planned to the one that worked."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from fakeengine import FakeContainer, FakeEngine, file_frame, frame
from lockingfactory import images, interpreter, locked, project, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelfactory import members, zip_bytes
from wheelhouse.building.circumstances import circumstances
from wheelhouse.building.failed import FailedBuildError
from wheelhouse.building.mending import Mender
from wheelhouse.building.runner import Runner
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.model import NOTHING_MORE, LockedBuild, LockedPackage, Provision
from wheelhouse.locking.requires import Inspection
from wheelhouse.missing import Missing
from wheelhouse.plan import build_step
from wheelhouse.store import Store
from wheelhouse.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wheelhouse.building.downloads import Downloads
    from wheelhouse.events import Event
    from wheelhouse.locking.requires import BuildInspector
    from wheelhouse.plan import Step

SDIST = b"an sdist"
NAME = canonicalize_name("demo")
LACKS_A_HEADER = b"demo.c:1:10: fatal error: libpq-fe.h: No such file or directory\n"


class Shelf:
    """A distribution with one package. Implements `PackageFinder`."""

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        return {
            each: ("libpq-dev",) if each == Missing("header", "libpq-fe.h") else ()
            for each in missing
        }


class Inspector:
    """Inspects nothing: what a build is given is all that changes."""

    def __init__(self) -> None:
        self.asked: list[Provision] = []

    def inspect_with(self, provision: Provision, package: LockedPackage) -> Inspection:
        self.asked.append(provision)
        return Inspection(build=build(provision), metadata=None)


def build(provision: Provision) -> LockedBuild:
    return LockedBuild(static=(), dynamic=(), environment=(), provision=provision)


def fails(log: bytes) -> FakeContainer:
    message = {"type": "failed", "stage": "build", "message": "the build backend failed"}
    return FakeContainer([("stderr", log), ("stdout", frame(message))])


def works() -> FakeContainer:
    message = {"type": "result", "seconds": {"build": 1.0}, "repaired": False}
    content = zip_bytes(list(members().items()))
    return FakeContainer(
        [
            ("stdout", file_frame("demo-1.0-py3-none-any.whl", content)),
            ("stdout", frame(message)),
        ]
    )


class Shop:
    """A workshop whose containers do as they are told."""

    def __init__(self, root: Path, *containers: FakeContainer, learning: bool = True) -> None:
        store = Store(root / "store")
        store.add([SDIST])
        stop = Cancellation()
        self.engine = FakeEngine(*containers)
        runner = Runner(self.engine, store, Limits(), self, stop)
        fetcher = Fetcher(Client(), store, stop.check)
        self.here = circumstances(
            *(runner, target(), images(), interpreter()),
            downloads=cast("Downloads", None),  # there is no toolkit to fetch
        )
        self.project = project(root)
        self.inspector = Inspector()
        self.workshop = Workshop(
            self.project,
            self.here,
            runner=runner,
            fetcher=fetcher,
            mender=Mender(target(), images(), Shelf(), self, auto_system=True, learning=learning),
            inspector=lambda: cast("BuildInspector", self.inspector),
        )

    def emit(self, event: Event) -> None:
        """Nobody listens."""

    def step(self) -> Step:
        package = LockedPackage(
            name=NAME,
            version=Version("1.0"),
            sdist=locked("demo-1.0.tar.gz", sha256=sha(SDIST)),
            required_by=("requirements.txt:1",),
            build=build(NOTHING_MORE),
        )
        return build_step(package, self.project, self.here)


def test_what_builds_as_planned_teaches_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path, works())
    planned = shop.step()
    step, _ = shop.workshop.build(planned)
    assert step is planned
    assert shop.workshop.learned == {}
    assert shop.inspector.asked == []


def test_what_a_failure_calls_for_is_given_and_kept(tmp_path: Path) -> None:
    shop = Shop(tmp_path, fails(LACKS_A_HEADER), works())
    step, built = shop.workshop.build(shop.step())
    given = Provision(system={"debian12": ("libpq-dev",)})
    assert built.filename == "demo-1.0-py3-none-any.whl"
    assert step.recipe is not None
    assert step.recipe.system == ("libpq-dev",)
    assert [spec.image for spec in shop.engine.started] == ["sha256:builder", "sha256:libpq-dev"]
    assert shop.workshop.learned == {NAME: step.package}
    assert step.package.build == build(given)


def test_nothing_is_kept_of_what_did_not_help(tmp_path: Path) -> None:
    shop = Shop(tmp_path, fails(LACKS_A_HEADER))
    with pytest.raises(FailedBuildError) as told:
        shop.workshop.build(shop.step())
    assert "libpq-fe.h" in told.value.message
    assert shop.workshop.learned == {}


def test_a_lock_that_is_required_is_followed_to_the_letter(tmp_path: Path) -> None:
    shop = Shop(tmp_path, fails(LACKS_A_HEADER), works(), learning=False)
    with pytest.raises(FailedBuildError):
        shop.workshop.build(shop.step())
    assert len(shop.engine.started) == 1
