"""Following a plan whose builds take more than the lock says: what is given, kept and told.

The containers of builds say what they are told to; everything else is real.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import FakeContainer, FakeEngine, file_frame, frame
from lockingfactory import (
    FakeIndex,
    NoPlaces,
    images,
    index_file,
    metadata,
    page,
    project,
    remember_probe,
    sha,
    tar_bytes,
    target,
)
from packaging.utils import canonicalize_name

from housefactory import Package, wheel_bytes
from wheelhouse.building.runner import Runner
from wheelhouse.config import PackageSettings
from wheelhouse.durable import replace_text
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import InterruptedRunError, StorageError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking import metadata as metadata_module
from wheelhouse.locking.current import Freshness
from wheelhouse.locking.lock import Locker
from wheelhouse.locking.lockfile import dump_lock, load_lock, lock_path
from wheelhouse.locking.model import Lock, LockedBuild, Provision
from wheelhouse.planning import plan_one
from wheelhouse.run import Run
from wheelhouse.scheduler import Scheduler
from wheelhouse.store import Store, sha256_of
from wheelhouse.supplying import supply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelhouse.engine import TargetImages
    from wheelhouse.events import Event
    from wheelhouse.plan import Planned
    from wheelhouse.targets import Target

HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
LACKS_A_HEADER = b"demo.c:1:10: fatal error: libpq-fe.h: No such file or directory\n"
GIVEN = Provision(system={"debian12": ("libpq-dev",)})


def asked() -> FakeContainer:
    """The container of a hook that asks for nothing."""
    message: dict[str, Any] = {"type": "result", "requires": [], "missing": [], "metadata": None}
    return FakeContainer([("stdout", frame(message))])


def lacks_a_header() -> FakeContainer:
    message = {"type": "failed", "stage": "build", "message": "the build backend failed"}
    return FakeContainer([("stderr", LACKS_A_HEADER), ("stdout", frame(message))])


def installed() -> FakeContainer:
    """The container that tells which packages of the distribution the builder has."""
    return FakeContainer([("stdout", frame({"type": "result", "packages": ["gcc"]}))])


def works(then: Callable[[], None] = lambda: None) -> FakeContainer:
    message = {"type": "result", "seconds": {"build": 1.0}, "repaired": False}
    content = wheel_bytes(Package(name="demo", version="1.0"))
    file = file_frame("demo-1.0-py3-none-any.whl", content)
    return FakeContainer([("stdout", file), ("stdout", frame(message))], before=lambda _: then())


class Ready(FakeEngine):
    """An engine that has the images."""

    def images(self, target: Target) -> TargetImages:
        return images()


class World:
    """A project that asks for demo, which is an sdist, and for wheel."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "store")
        remember_probe(self.store)
        self.index = FakeIndex()
        self.stop = Cancellation()
        self.settings = PackageSettings()
        (root / "requirements.txt").write_text("demo\nwheel\n")
        for name, version in (("hatchling", "1.27"), ("wheel", "0.45"), ("wheel", "0.46")):
            self.wheel(name, version)
        self.sdist("demo")

    def sdist(self, name: str) -> None:
        info = metadata(name, "1.0", level="2.2")
        data = tar_bytes({f"{name}-1.0/PKG-INFO": info, f"{name}-1.0/pyproject.toml": HATCH})
        self.store.add([data])
        file = index_file(f"{name}-1.0.tar.gz", sha256=sha(data))
        self.index.pages[canonicalize_name(name)] = page(name, file)

    def wheel(self, name: str, version: str) -> None:
        data = wheel_bytes(Package(name=name, version=version))
        self.store.add([data])
        text = {"text": metadata(name, version)}
        self.store.write_record(metadata_module.KIND, sha(data), text)
        file = index_file(f"{name}-{version}-py3-none-any.whl", sha256=sha(data))
        present = self.index.pages.get(canonicalize_name(name)) or page(name)
        self.index.pages[present.name] = replace(present, files=(*present.files, file))

    def emit(self, event: Event) -> None:
        """Nobody listens."""

    @contextmanager
    def run(self, *containers: FakeContainer) -> Iterator[Run]:
        wanted = project(self.root, {"demo": self.settings})
        engine = Ready(*containers)
        fetcher = Fetcher(Client(), self.store, self.stop.check)
        runner = Runner(engine, self.store, Limits(), self, self.stop)
        with Scheduler(1) as scheduler:
            parts: dict[str, Any] = {"fetcher": fetcher, "runner": runner, "scheduler": scheduler}
            yield Run(
                project=wanted,
                store=self.store,
                engine=engine,
                locker=Locker(wanted, indexes=self.index, pinner=NoPlaces(), **parts),
                reporter=self,
                cancellation=self.stop,
                **parts,
            )

    def supply(self, *containers: FakeContainer) -> tuple[Planned, str]:
        """What came of a build whose containers said that."""
        with self.run(*containers) as run:
            planned = plan_one(run, target(), Freshness.RENEW_IF_STALE)
            planned, lock_sha256, _ = supply(run, planned, Freshness.RENEW_IF_STALE)
        return planned, lock_sha256

    @property
    def path(self) -> Path:
        return lock_path(self.root, "web")

    def present(self) -> Lock:
        lock = load_lock(self.path)
        assert lock is not None
        return lock


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def build_of(lock: Lock) -> LockedBuild:
    package = lock.package(canonicalize_name("demo"))
    assert package is not None
    assert package.build is not None
    return package.build


def mended(then: Callable[[], None] = lambda: None) -> tuple[FakeContainer, ...]:
    """A build that works once it has what it lacked; *then* happens meanwhile."""
    return (asked(), lacks_a_header(), installed(), asked(), works(then))


def test_what_has_no_room_is_not_begun(world: World) -> None:
    huge = index_file("wheel-0.47-py3-none-any.whl", size=1 << 60)
    world.store.write_record(
        metadata_module.KIND, str(huge.sha256), {"text": metadata("wheel", "0.47")}
    )
    world.index.pages[canonicalize_name("wheel")] = page("wheel", huge)
    with pytest.raises(StorageError, match=r"the disk is full: .* are to come"):
        world.supply(asked())


def test_what_a_build_lacked_is_locked(world: World) -> None:
    planned, lock_sha256 = world.supply(*mended())
    assert build_of(world.present()).provision == GIVEN
    assert planned.lock == world.present()
    assert lock_sha256 == sha256_of(world.path)


def test_a_second_attempt_has_what_it_is_built_against(world: World) -> None:
    world.settings = PackageSettings(build_against=(canonicalize_name("wheel"),))
    world.supply(*mended())
    build = build_of(world.present())
    assert build.provision == GIVEN
    assert [each.name for each in build.environment] == ["hatchling", "wheel"]


def test_a_lock_that_another_run_renewed_is_not_what_was_followed(world: World) -> None:
    """It learns too, but a wheelhouse that was made by an older one must not pass for its own."""

    def renew() -> None:
        present = world.present()
        others = tuple(each for each in present.packages if each.name != "wheel")
        replace_text(world.path, dump_lock(replace(present, packages=others)))

    planned, lock_sha256 = world.supply(*mended(renew))
    assert [each.name for each in world.present().packages] == ["demo"]
    assert build_of(world.present()).provision == GIVEN
    assert [each.name for each in planned.lock.packages] == ["demo", "wheel"]
    assert lock_sha256 != sha256_of(world.path)


def test_what_was_learned_outlives_an_interrupt(world: World) -> None:
    """The wheel is in the store; what it took is in the lock."""
    (world.root / "requirements.txt").write_text("demo\nother\n")
    world.sdist("other")
    first, *others = mended()
    with pytest.raises(InterruptedRunError):
        world.supply(first, asked(), *others, works(world.stop.cancel))
    assert build_of(world.present()).provision == GIVEN
