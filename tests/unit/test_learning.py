"""From a proof that failed to a wheelhouse that is proven: what is learnt, and what is kept of it.

The containers of proofs say what they are told to; everything else is real.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import FakeContainer, FakeEngine, frame
from lockingfactory import (
    FakeIndex,
    NoPlaces,
    images,
    index_file,
    interpreter,
    metadata,
    page,
    project,
    remember_probe,
    sha,
    target,
)
from packaging.version import Version

from housefactory import Package, wheel_bytes
from wheelhouse import learning, pipeline
from wheelhouse.building.runner import Runner
from wheelhouse.cuda import Cuda
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import LockError, ProofError
from wheelhouse.events import Event, Notice
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking import metadata as metadata_module
from wheelhouse.locking.current import Freshness, current_lock
from wheelhouse.locking.lock import Locker
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.locking.model import AddedRequirement, Lock, SystemRequirement
from wheelhouse.run import Run
from wheelhouse.scheduler import Scheduler
from wheelhouse.store import Store, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from wheelhouse.engine import TargetImages
    from wheelhouse.house import House
    from wheelhouse.missing import Missing
    from wheelhouse.targets import Target

GL = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"


def failed(kind: str, message: str, missing: str | None = None) -> dict[str, Any]:
    """What the agent tells of `demo`, which does not import."""
    return {
        "distribution": "demo",
        "module": "demo",
        "what": "module",
        "kind": kind,
        "message": message,
        "missing": missing,
        "traceback": message,
        "origin": None,
        "tried": [],
    }


NO_PKG_RESOURCES = failed("missing", "No module named 'pkg_resources'", "pkg_resources")
NO_GL = failed("library", GL)
NO_DRIVER = failed("library", GL.replace("libGL.so.1", "libcuda.so.1"))


def answer(*failures: dict[str, Any]) -> FakeContainer:
    """The container of a proof."""
    message = {
        "type": "result",
        "installed": 1,
        "imports": 1,
        "programs": [],
        "pip": "26.1",
        "failures": list(failures),
        "optional": [],
        "lacking": [],
        "seconds": {"install": 0.1, "import": 0.1},
    }
    return FakeContainer([("stdout", frame(message))])


class Table:
    """The packages of a distribution."""

    def __init__(self, *given: object) -> None:
        """Whatever a real one is given."""

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        return {each: ("libgl1",) if each.name == "libGL.so.1" else () for each in missing}


class Ready(FakeEngine):
    """An engine that has the images."""

    def images(self, target: Target) -> TargetImages:
        return images()


class World:
    """A project that asks for demo; its wheels are in the store, as if they had been fetched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "store")
        remember_probe(self.store)
        self.notices: list[str] = []
        self.index = FakeIndex()
        (root / "requirements.txt").write_text("demo\n")
        self.wheel("demo", "1.0")

    def wheel(self, name: str, version: str) -> None:
        data = wheel_bytes(Package(name=name, version=version))
        self.store.add([data])
        text = {"text": metadata(name, version)}
        self.store.write_record(metadata_module.KIND, sha(data), text)
        file = index_file(f"{name}-{version}-py3-none-any.whl", sha256=sha(data))
        present = self.index.project(page(name).name) or page(name)
        self.index.pages[present.name] = replace(present, files=(*present.files, file))

    def emit(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.notices.append(event.message)

    @contextmanager
    def run(self, *containers: FakeContainer, **settings: Any) -> Iterator[Run]:
        stop = Cancellation()
        wanted = replace(project(self.root), **settings)
        engine = Ready(*containers)
        fetcher = Fetcher(Client(), self.store, stop.check)
        runner = Runner(engine, self.store, Limits(), self, stop)
        with Scheduler(1) as scheduler:
            parts: dict[str, Any] = {"fetcher": fetcher, "runner": runner, "scheduler": scheduler}
            yield Run(
                project=wanted,
                store=self.store,
                engine=engine,
                locker=Locker(wanted, indexes=self.index, pinner=NoPlaces(), **parts),
                reporter=self,
                cancellation=stop,
                **parts,
            )

    def build(
        self,
        *containers: FakeContainer,
        freshness: Freshness = Freshness.RENEW_IF_STALE,
        cuda: Cuda | None = None,
        **settings: Any,
    ) -> House:
        with self.run(*containers, **settings) as run:
            return pipeline.build_target(run, replace(target(), cuda=cuda), freshness)

    def present(self) -> Lock:
        lock = load_lock(lock_path(self.root, "web"))
        assert lock is not None
        return lock


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(learning, "DistributionFinder", Table)
    return World(tmp_path)


ADDED = AddedRequirement(
    package=page("demo").name, requirement="setuptools<82", module="pkg_resources"
)
LIBGL = SystemRequirement(
    package="libgl1", platform="debian12", libraries=("libGL.so.1",), required_by=("demo",)
)


# -- hidden dependencies -------------------------------------------------------------------------


def test_a_hidden_dependency_is_locked_and_comes_along(world: World) -> None:
    for version in ("81.0.0", "82.0.1"):
        world.wheel("setuptools", version)
    house = world.build(answer(NO_PKG_RESOURCES), answer(), auto_requires=True)
    assert [f"{each.name} {each.version}" for each in house.manifest.wheels] == [
        "demo 1.0",
        "setuptools 81.0.0",
    ]
    assert house.manifest.wheels[1].required_by == ("demo",)
    assert world.present().added == (ADDED,)
    assert house.manifest.lock_sha256 == sha256_of(lock_path(world.root, "web"))
    assert world.notices == [
        "demo imports pkg_resources and declares nothing that has it: setuptools<82 is added"
    ]


def test_it_is_known_from_then_on(world: World) -> None:
    world.wheel("setuptools", "81.0.0")
    world.build(answer(NO_PKG_RESOURCES), answer(), auto_requires=True)
    locked = world.present()
    world.wheel("demo", "2.0")
    for freshness in (Freshness.REQUIRE, Freshness.UPGRADE):
        house = world.build(answer(), freshness=freshness)
        assert "setuptools" in {each.name for each in house.manifest.wheels}
    assert world.present().added == locked.added
    (world.root / "requirements.txt").write_text("setuptools\n")
    world.build(answer())
    assert world.present().added == ()  # nobody asks for demo any longer


def test_a_setting_says_the_same(world: World) -> None:
    from wheelhouse.config import PackageSettings

    world.wheel("setuptools", "81.0.0")
    settings = {page("demo").name: PackageSettings(requires=("setuptools<82",))}
    house = world.build(answer(), packages=settings)
    assert [each.name for each in house.manifest.wheels] == ["demo", "setuptools"]
    assert world.present().added == ()


def test_a_hidden_dependency_that_cannot_be_had(world: World) -> None:
    world.wheel("setuptools", "82.0.1")
    with pytest.raises(
        LockError, match=r"^demo imports pkg_resources, so it was to get setuptools<82"
    ):
        world.build(answer(NO_PKG_RESOURCES), auto_requires=True)
    assert world.present().added == ()


def test_what_does_not_help_is_not_tried_for_ever(world: World) -> None:
    world.wheel("setuptools", "81.0.0")
    with pytest.raises(ProofError, match="a hidden dependency"):
        world.build(answer(NO_PKG_RESOURCES), answer(NO_PKG_RESOURCES), auto_requires=True)


# -- packages of the distribution ----------------------------------------------------------------


def test_what_the_server_lacks_is_installed_locked_and_told(world: World) -> None:
    house = world.build(answer(NO_GL), answer())
    assert house.manifest.runtime.id == "sha256:libgl1"
    assert [each.package for each in house.manifest.needs.system] == ["libgl1"]
    assert house.manifest.needs.libraries == ("libGL.so.1",)
    assert world.present().system == (LIBGL,)
    assert house.manifest.lock_sha256 == sha256_of(lock_path(world.root, "web"))
    assert world.notices == ["the server must have libgl1 (demo); install.sh will ask for it"]


def test_the_next_run_starts_from_it(world: World) -> None:
    world.build(answer(NO_GL), answer())
    house = world.build(answer(), freshness=Freshness.REQUIRE)
    assert house.manifest.runtime.id == "sha256:libgl1"


def test_a_lock_that_is_required_stays_as_it_is(world: World) -> None:
    with world.run() as run:
        current_lock(
            *(run.locker, run.project, target(), interpreter(), images()), Freshness.UPGRADE
        )
    before = lock_path(world.root, "web").read_bytes()
    with pytest.raises(ProofError) as told:
        world.build(answer(NO_GL), freshness=Freshness.REQUIRE)
    assert "without --locked" in (told.value.hint or "")
    assert lock_path(world.root, "web").read_bytes() == before


def test_the_driver_is_on_the_server_only(world: World) -> None:
    world.build(answer(NO_DRIVER), cuda=Cuda(version=Version("13.2")))
    (notice,) = world.notices
    assert notice.startswith("proven without demo of demo: that needs libcuda.so.1 of the GPU's")


def test_a_server_of_which_no_gpu_is_told_has_no_driver(world: World) -> None:
    with pytest.raises(ProofError, match=r"libcuda\.so\.1") as told:
        world.build(answer(NO_DRIVER))
    assert 'cuda = "13.2"' in (told.value.hint or "")


def test_a_driver_excuses_nothing_else(world: World) -> None:
    other = failed("import", "RuntimeError: no libcuda.so.1 here")
    with pytest.raises(ProofError, match="RuntimeError"):
        world.build(answer(other), cuda=Cuda(version=Version("13.2")))


def test_both_at_once(world: World) -> None:
    world.wheel("setuptools", "81.0.0")
    other = {**NO_PKG_RESOURCES, "module": "demo.more"}
    world.build(answer(NO_GL, other), answer(), auto_requires=True)
    lock = world.present()
    assert (lock.system, lock.added) == ((LIBGL,), (ADDED,))
