"""Which images of an engine a project needs: looked up by the way that a run takes, making none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lockfactory import build, file, lock, package
from test_images import MemoryStore, new_maker

from wheelhouse.config import load_project
from wheelhouse.errors import EngineError, ImageError
from wheelhouse.imageneeds import NOTHING, needed
from wheelhouse.locking.lockfile import dump_lock, lock_path
from wheelhouse.locking.model import Provision, SystemRequirement

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.engine import TargetImages
    from wheelhouse.images import TargetImageMaker


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "wheelhouse.toml").write_text(
        'requirements = ["requirements.txt"]\n'
        '[targets.web]\nplatform = "debian12"\npython = "3.11"\n'
        '[targets.db]\nplatform = "debian13"\npython = "3.13"\n'
    )
    return load_project(tmp_path / "wheelhouse.toml", inputs=False)


@pytest.fixture
def engine() -> MemoryStore:
    return MemoryStore(registry=True)


@pytest.fixture
def maker(engine: MemoryStore, tmp_path: Path) -> TargetImageMaker:
    return new_maker(engine, tmp_path)


@pytest.fixture
def web(maker: TargetImageMaker, project: Project) -> TargetImages:
    return maker.prepare(project.targets["web"])


def names(engine: MemoryStore) -> set[str]:
    return {name for name, _ in engine.images}


def test_what_a_run_has_made_is_needed_by_its_target(
    web: TargetImages, project: Project, engine: MemoryStore
) -> None:
    there = names(engine)
    engine.registry = False
    found = needed(project, engine).images
    assert {name for name, targets in found.items() if "web" in targets} == there
    assert web.builder.name in there
    assert names(engine) == there, "a look makes nothing"


def test_images_for_builds_and_servers_of_the_lock_are_needed_and_no_others(
    web: TargetImages, maker: TargetImageMaker, project: Project, engine: MemoryStore
) -> None:
    wanted = [
        maker.with_system(web, ("libpq-dev",)),
        maker.with_system(web, ("libffi-dev", "zlib1g-dev")),
        maker.with_runtime_system(web, ("libpq5",)),
    ]
    others = [
        maker.with_system(web, ("libpq-dev", "zlib1g-dev")),
        maker.with_runtime_system(web, ("libpq5", "zlib1g")),
    ]
    provision = Provision(system={"debian12": ("zlib1g-dev",), "debian13": ("libzstd-dev",)})
    written = lock(
        package("psycopg2", sdist=file("psycopg2-1.0.tar.gz"), build=build(system=("libpq-dev",))),
        package(
            "cffi",
            sdist=file("cffi-1.0.tar.gz"),
            build=build(system=("libffi-dev",), provision=provision),
        ),
        environment={
            "implementation_name": "cpython",
            "platform_machine": "x86_64",
            "python_version": "3.11",
            "sys_platform": "linux",
        },
        system=(
            SystemRequirement(package="libpq5", platform="debian12", required_by=("psycopg2",)),
        ),
    )
    lock_path(project.root, "web").write_text(dump_lock(written))
    found = needed(project, engine).images
    assert {image.name for image in wanted} <= found.keys()
    assert not {image.name for image in others} & found.keys()


def test_a_target_whose_lock_cannot_be_read_needs_any_image_of_its_platform(
    web: TargetImages, project: Project, engine: MemoryStore
) -> None:
    lock_path(project.root, "web").write_text("{")
    found = needed(project, engine)
    assert found.images[web.builder.name] == ["web"]
    assert found.untold.keys() == {"web"}
    assert "no lock that wheelhouse can read" in found.untold["web"]
    assert "debian12" in found.presets
    assert "debian13" not in found.presets


@pytest.mark.parametrize(
    "error", [ImageError("error 500: the disk is broken"), EngineError("it does not answer")]
)
def test_an_engine_that_does_not_tell_is_none_that_has_nothing(
    project: Project,
    engine: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    error: EngineError,
) -> None:
    def find(name: str, platform: str) -> None:
        raise error

    monkeypatch.setattr(engine, "find", find)
    with pytest.raises(EngineError, match=error.message):
        needed(project, engine)


def test_nothing_is_needed_that_is_not_there(project: Project) -> None:
    assert needed(project, MemoryStore(registry=True)) == NOTHING
