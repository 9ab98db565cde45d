"""What comes from elsewhere than an index, as a lock file has it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from lockingfactory import sha
from packaging.pylock import Pylock
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.inputs.model import Direct
from wheelhouse.locking.directtable import direct_fields, locked_direct
from wheelhouse.locking.lockfile import dump_lock, load_lock
from wheelhouse.locking.model import Lock, LockedFile, LockedPackage

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WHEEL = "demo-1.0-py3-none-any.whl"


def file(filename: str, url: str) -> LockedFile:
    return LockedFile(filename=filename, url=url, sha256=sha(filename), size=12)


CASES = {
    "archive": (
        Direct(location="https://host.example/demo-1.0.tar.gz", subdirectory="sub"),
        file("demo-1.0.tar.gz", "https://host.example/demo-1.0.tar.gz#subdirectory=sub"),
        {"url": "https://host.example/demo-1.0.tar.gz", "subdirectory": "sub"},
    ),
    "archive of the project": (
        Direct(location=f"file:vendor/{WHEEL}"),
        file(WHEEL, f"file:vendor/{WHEEL}"),
        {"path": f"vendor/{WHEEL}"},
    ),
    "directory": (
        Direct(location="dir:app"),
        file("demo.tar", "dir:app"),
        {"path": "app"},
    ),
    "vcs": (
        Direct(location="git+https://host.example/demo.git", revision="main"),
        file("demo.tar", f"git+https://host.example/demo.git@{COMMIT}"),
        {
            "type": "git",
            "url": "https://host.example/demo.git",
            "requested-revision": "main",
            "commit-id": COMMIT,
        },
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_table_says_what_was_asked_for_and_found(kind: str) -> None:
    direct, found, _ = CASES[kind]
    assert locked_direct(direct_fields(direct, found)) == (direct, found)


@pytest.mark.parametrize("kind", CASES)
def test_other_tools_find_the_field_of_the_standard(kind: str, tmp_path: Path) -> None:
    direct, found, standard = CASES[kind]
    is_wheel = found.filename.endswith(".whl")
    package = LockedPackage(
        name=canonicalize_name("demo"),
        version=Version("1.0"),
        wheels=(found,) if is_wheel else (),
        sdist=None if is_wheel else found,
        required_by=("requirements.txt:1",),
        direct=direct,
    )
    lock = Lock(
        target="web",
        inputs="x",
        python="3.11.2",
        environment={
            "implementation_name": "cpython",
            "platform_machine": "x86_64",
            "python_version": "3.11",
            "sys_platform": "linux",
        },
        packages=(package,),
    )
    path = tmp_path / "pylock.web.toml"
    path.write_text(dump_lock(lock))
    assert load_lock(path) == lock
    entry = tomllib.loads(path.read_text())["packages"][0]
    table = entry[kind.partition(" ")[0]]
    assert {name: table[name] for name in standard} == standard
    assert "wheels" not in entry
    assert "sdist" not in entry
    Pylock.from_dict(tomllib.loads(path.read_text())).validate()
