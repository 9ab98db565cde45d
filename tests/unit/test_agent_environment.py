"""What hooks see, and what is said of a build backend that cannot be used."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from pyproject_hooks import BackendUnavailable

from wheelhouse.agent import toolkit
from wheelhouse.agent.environment import PROGRAMS, hook, variables
from wheelhouse.agent.errors import JobError

if TYPE_CHECKING:
    from pathlib import Path

TRACEBACK = """Traceback (most recent call last):
  File "/build/env/lib/python3.13/site-packages/setuptools/__init__.py", line 10, in <module>
    import distutils.core
ModuleNotFoundError: No module named 'distutils'
"""


def test_why_a_backend_cannot_be_imported_is_one_line_and_the_rest_is_in_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(JobError) as caught, hook("build"):
        raise BackendUnavailable(TRACEBACK, message="Cannot import 'setuptools.build_meta'")
    assert str(caught.value) == (
        "its build backend cannot be imported: ModuleNotFoundError: No module named 'distutils'"
    )
    assert TRACEBACK in capfd.readouterr().err


def test_a_backend_without_a_traceback_says_what_it_says() -> None:
    with pytest.raises(JobError, match="cannot be imported: Cannot import 'nope'"), hook("build"):
        raise BackendUnavailable("", message="Cannot import 'nope'")


@pytest.mark.parametrize(
    ("image", "path"),
    [
        ("/opt/rh/gcc-toolset-14/root/usr/bin:/usr/bin", None),
        ("", PROGRAMS),
    ],
)
def test_programs_are_where_the_image_says(
    image: str, path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", image)
    found = variables({"env": {}, "search": [], "cuda": ""}, str(tmp_path), "/build/env")
    assert found["PATH"] == f"/build/env/bin:{path or image}"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_build_without_cuda_does_not_find_the_nvcc_of_the_image(
    elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever name the image's PATH has its folder."""
    release, programs, cuda = tmp_path / "cuda-12.9", tmp_path / "programs", tmp_path / "cuda"
    for folder in (release, programs, tmp_path / "cuda-like"):
        folder.mkdir()
    nvcc = programs / "nvcc" if elsewhere else release / "bin" / "nvcc"
    nvcc.parent.mkdir(exist_ok=True)
    nvcc.touch(0o755)
    if elsewhere:
        (release / "bin").symlink_to(programs)
    cuda.symlink_to(release.name)
    (tmp_path / "cuda-12").symlink_to(release.name)
    monkeypatch.setattr(toolkit, "HOME", str(cuda))
    theirs = [f"{cuda}/bin", f"{tmp_path}/cuda-12/bin", f"{release}/bin/", str(cuda)]
    others = [f"{tmp_path}/cuda-like", "/usr/bin"]
    monkeypatch.setenv("PATH", os.pathsep.join([*theirs[:2], *others, *theirs[2:]]))
    job: dict[str, Any] = {"env": {}, "search": []}

    without = variables({**job, "cuda": ""}, str(tmp_path), "/build/env")
    assert without["PATH"].split(os.pathsep) == ["/build/env/bin", *others]
    assert shutil.which("nvcc", path=without["PATH"].replace("/usr/bin", "")) is None
    having = variables({**job, "cuda": str(cuda)}, str(tmp_path), "/build/env")
    assert set(having["PATH"].split(os.pathsep)) == {"/build/env/bin", *theirs, *others}
