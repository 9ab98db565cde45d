"""Settings for packages that nothing locked has are told, with where they stand."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockfactory import lock, package
from lockingfactory import interpreter, locked
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.config import load_project
from wheelhouse.errors import BuildError, InterruptedRunError
from wheelhouse.events import Notice
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.freshness import inputs_digest
from wheelhouse.locking.lockfile import dump_lock, lock_path
from wheelhouse.locking.model import BuildRequirement, LockedBuild
from wheelhouse.unused import telling_unused

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.events import Event

TOML = """\
requirements = ["requirements.txt"]
[targets]
web = {platform = "debian12", python = "3.11"}
api = {platform = "debian13", python = "3.13"}
[packages.Djnago]
source = "sdist"
[packages.Setup_Tools]
index = "default"
[packages.flask]
source = "wheel"
"""
TOOL = BuildRequirement(
    name=canonicalize_name("setup-tools"),
    version=Version("80"),
    file=locked("setup_tools-80-py3-none-any.whl"),
)
DJANGO = replace(
    package("django", "5.2", "requirements.txt:1"),
    sdist=locked("django-5.2.tar.gz"),
    build=LockedBuild(static=(), dynamic=(), environment=(TOOL,)),
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One whose target `web` has django, and `api` flask."""
    (tmp_path / "wheelhouse.toml").write_text(TOML)
    (tmp_path / "requirements.txt").write_text("django\nflask\n")
    made = load_project(tmp_path / "wheelhouse.toml")
    requirements = read_inputs(made.root, made.requirements)
    for name, each in (("web", DJANGO), ("api", package("flask", "3.0", "requirements.txt:2"))):
        written = replace(
            lock(each),
            target=name,
            environment=dict(interpreter().environment),
            inputs=inputs_digest(made, made.targets[name], requirements),
        )
        lock_path(made.root, name).write_text(dump_lock(written))
    return made


class Notices:
    """A reporter that keeps them."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def emit(self, event: Event) -> None:
        assert isinstance(event, Notice)
        self.told.append(event)


def notices(project: Project, error: Exception | None = None) -> list[str]:
    said = Notices()
    expected = pytest.raises(type(error)) if error else nullcontext()
    with expected, telling_unused(project, said):
        if error is not None:
            raise error
    return [each.message for each in said.told]


TOLD = (
    "[packages.Djnago] (wheelhouse.toml, line 5) is for nothing that is locked for any target; "
    'did you mean "django"?'
)


def test_a_name_that_no_lock_has_is_told(project: Project) -> None:
    assert notices(project) == [TOLD]
    assert notices(project, BuildError("djnago may be why")) == [TOLD]
    assert notices(project, InterruptedRunError("enough")) == []


@pytest.mark.parametrize("hurt", ["", "nonsense"])
def test_a_lock_that_is_not_there_may_have_it(project: Project, hurt: str) -> None:
    path = lock_path(project.root, "api")
    path.unlink()
    if hurt:
        path.write_text(hurt)
    assert notices(project) == []


def test_a_stale_lock_may_come_to_have_it(project: Project) -> None:
    (project.root / "requirements.txt").write_text("django\nflask\ndjnago\n")
    assert notices(project) == []
