"""Recipes: what is in a key, and what a job is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wheelhouse.building.recipe import EARLIEST, Recipe
from wheelhouse.locking.model import LockedFile

if TYPE_CHECKING:
    from pathlib import Path


def recipe(**more: Any) -> Recipe:
    source = LockedFile(filename="demo.tar", url="dir:.", sha256="a" * 64)
    return Recipe(sdist=source, image="i", python="p", tool_python="t", tool_path="b", **more)


def test_a_key_without_a_subdirectory_stays_what_it_was() -> None:
    assert recipe().key("build") == recipe(subdirectory="").key("build")
    keys = {recipe(subdirectory=each).key("build") for each in ("", "a", "b")}
    assert len(keys) == 3


@pytest.mark.parametrize("subdirectory", ["", "pkg/inner"])
def test_a_job_is_told_where_the_project_is(tmp_path: Path, subdirectory: str) -> None:
    job = recipe(subdirectory=subdirectory).job("build", tmp_path / "x", ())
    assert job.parameters["subdirectory"] == subdirectory
    assert job.parameters["sdist"] == "sdist/demo.tar"


def test_a_source_without_an_upload_has_a_fixed_time() -> None:
    assert recipe().variables()["SOURCE_DATE_EPOCH"] == str(EARLIEST)
