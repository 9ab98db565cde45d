"""Asking an image's Python, where there is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from lockingfactory import images, target

from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import EngineError, ImageError
from wheelhouse.probe import probe
from wheelhouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.building.runner import Runner

PYTHON = "/usr/bin/python3.11"


def runner(folder: Path, refusal: str) -> Runner:
    """Starts nothing, as an engine that refuses."""

    def refuse(*_: object, **__: object) -> None:
        raise EngineError(f"the engine cannot start a container: {refusal}")

    return cast(
        "Runner", SimpleNamespace(store=Store(folder), cancellation=Cancellation(), run=refuse)
    )


@pytest.mark.parametrize(
    "refusal",
    [
        f'runc create failed: exec: "{PYTHON}": stat {PYTHON}: no such file or directory: unknown',
        f"crun: executable file `{PYTHON}` not found: No such file or directory",
    ],
)
def test_an_image_without_the_python_is_told(tmp_path: Path, refusal: str) -> None:
    with pytest.raises(ImageError) as caught:
        probe(runner(tmp_path, refusal), target(), images())
    assert caught.value.message == f"runtime has no {PYTHON}"
    assert "correct the path" in (caught.value.hint or "")


def test_another_refusal_comes_through(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no space left") as caught:
        probe(runner(tmp_path, "no space left on device"), target(), images())
    assert not isinstance(caught.value, ImageError)
