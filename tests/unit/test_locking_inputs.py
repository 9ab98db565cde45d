"""What makes a lock stale, of the settings beyond sources: and what may change without that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import project, target
from packaging.utils import canonicalize_name

from wheelhouse.config import PackageSettings, load_project
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.current import check_locks
from wheelhouse.locking.freshness import inputs_digest
from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from wheelhouse.inputs.model import Requirements

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def requirements(tmp_path: Path) -> Requirements:
    (tmp_path / "requirements.txt").write_text("flask\n")
    return read_inputs(tmp_path, [InputFile(path=tmp_path / "requirements.txt")])


def digest(requirements: Requirements, folder: Path, **settings: Any) -> str:
    packages = {"demo": PackageSettings(**settings)}
    return inputs_digest(project(folder, packages), target(), requirements)


@pytest.mark.parametrize(
    "settings",
    [
        {"requires": ("six",)},
        {"build_requires": ("six",)},
        {"build_against": (canonicalize_name("six"),)},
        {"requires": ("six",), "build_requires": ("six",)},
    ],
)
def test_requirements_that_are_added_make_a_lock_stale(
    tmp_path: Path, requirements: Requirements, settings: dict[str, tuple[str, ...]]
) -> None:
    others: list[dict[str, tuple[str, ...]]] = [
        {"requires": ("six<2",)},
        {"build_requires": ("six<2",)},
        {},
    ]
    digests = [digest(requirements, tmp_path, **each) for each in (settings, *others)]
    assert len(set(digests)) == len(digests)


def test_what_only_the_proof_asks_for_makes_no_lock_stale(
    tmp_path: Path, requirements: Requirements
) -> None:
    before = digest(requirements, tmp_path)
    assert digest(requirements, tmp_path, runtime_system=("graphviz",)) == before
    assert digest(requirements, tmp_path, skip_imports=("*",)) == before


def test_whether_things_are_found_by_themselves_makes_no_lock_stale(
    tmp_path: Path, requirements: Requirements
) -> None:
    here = project(tmp_path)
    before = inputs_digest(here, target(), requirements)
    other = replace(here, auto_system=False, auto_requires=True)
    assert inputs_digest(other, target(), requirements) == before
    forbidden = replace(target(), runtime_system=False)
    assert inputs_digest(here, forbidden, requirements) == before


@pytest.mark.parametrize("example", ["fleet", "webapp"])
def test_a_lock_without_such_settings_stays_fresh(example: str) -> None:
    """Those of the examples are committed: their digests are of before there were any."""
    here = load_project(EXAMPLES / example / "wheelhouse.toml")
    check_locks(here, here.targets.values())
