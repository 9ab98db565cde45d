"""Locks of other tools, through to the proof: their pins, their hashes, and the project itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from wheelhouse.manifest import BuiltStory, FetchedStory, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = [pytest.mark.containers, pytest.mark.index]

TARGETS = """
[targets.d12]
platform = "debian12"
python = "3.11"

[targets.d13]
platform = "debian13"
python = "3.13"
"""

PYPROJECT = """
[project]
name = "own-app"
version = "1.4"
requires-python = ">=3.11"
dependencies = [
    "click>=8",
    "colorama; sys_platform == 'win32'",
    "typing-extensions<4.13; python_version < '3.13'",
]

[project.optional-dependencies]
fast = ["markupsafe==2.1.5"]

[dependency-groups]
dev = ["iniconfig"]

[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

#: Makes the wheel of its project with the standard library.
BACKEND = """
import base64, hashlib, os, zipfile

METADATA = open("pyproject.toml").read()
INFO = "own_app-1.4.dist-info/"

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "own_app-1.4-py3-none-any.whl"
    requires = ["click>=8", "typing-extensions<4.13; python_version < '3.13'"]
    lines = "".join("Requires-Dist: %s\\n" % line for line in requires)
    files = {
        "own_app.py": open("own_app.py").read(),
        INFO + "METADATA": "Metadata-Version: 2.1\\nName: own-app\\nVersion: 1.4\\n" + lines,
        INFO + "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += "%s,sha256=%s,%d\\n" % (path, digest.decode(), len(text.encode()))
    files[INFO + "RECORD"] = record + INFO + "RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


def own_application(folder: Path, requirements: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "own_app.py").write_text("import click\n")
    (folder / "wheelhouse.toml").write_text(f"requirements = {requirements}\n{TARGETS}")


def uv(folder: Path, *arguments: str) -> str:
    """What uv prints, which reads and writes nothing but *folder*."""
    variables = {name: text for name, text in os.environ.items() if not name.startswith("UV_")}
    variables.pop("PIP_FIND_LINKS", None)
    done = subprocess.run(
        [find_uv_bin(), *arguments, "--no-config", "--no-python-downloads"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pins(house: Path) -> set[str]:
    return {f"{each.name}=={each.version}" for each in read_manifest(house).wheels}


def exported(text: str) -> set[str]:
    """The pins of a requirements file without hashes that hold everywhere they are asked for."""
    return {line.partition(" ")[0].lower() for line in text.splitlines() if "==" in line}


def test_a_lock_of_uv_on_two_targets(workplace: Workplace) -> None:
    """With the project itself, an extra, and another file that asks for more."""
    folder = workplace.project
    own_application(folder, '[{ file = "uv.lock", extras = ["fast"] }, "more.txt"]')
    (folder / "more.txt").write_text("six\n")
    uv(folder, "lock")
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert "uv.lock: " in done.said  # what of it is not for a target
    assert "colorama (sys_platform == 'win32')" in done.said.replace('"', "'")

    plain = ("--no-hashes", "--no-annotate", "--no-header", "--no-emit-project")
    text = uv(folder, "export", "--frozen", "--no-dev", "--extra", "fast", *plain)
    locked = exported(text)
    for target, lacking in (("d12", {"colorama"}), ("d13", {"colorama", "typing-extensions"})):
        found = pins(workplace.house(target))
        six = next(each for each in found if each.startswith("six=="))
        wanted = {each for each in locked if each.partition("==")[0] not in lacking}
        assert found == {*wanted, "own-app==1.4", six}, target
    stories = {each.name: each.story for each in read_manifest(workplace.house("d12")).wheels}
    assert isinstance(stories["own-app"], BuiltStory)
    assert stories["own-app"].sdist_url == "dir:."
    assert isinstance(stories["click"], FetchedStory)
    lock_text = (folder / "uv.lock").read_text()
    for name, story in stories.items():
        if isinstance(story, FetchedStory) and name != "six":
            assert f"sha256:{story.sha256}" in lock_text, name


def test_a_file_with_other_bytes_than_its_lock_says(workplace: Workplace) -> None:
    """Whoever renews an index's file: the hash in the lock counts."""
    folder = workplace.project
    own_application(folder, '["pylock.deploy.toml"]')
    uv(folder, "lock")
    flags = ("--format", "pylock.toml", "--no-dev", "--no-emit-project")
    text = uv(folder, "export", "--frozen", *flags)
    wrong = hashlib.sha256(b"another").hexdigest()
    start = text.index('name = "click"')
    end = text.index("[[packages]]", start)
    entry = text[start:end]
    for part in entry.split('sha256 = "')[1:]:
        entry = entry.replace(part[:64], wrong)
    (folder / "pylock.deploy.toml").write_text(text[:start] + entry + text[end:])
    done = workplace.run("lock", "-t", "d12")
    assert done.status == 3, done.said
    assert "click" in done.said
    assert "hash" in done.said
