"""The lock file: what is written is read back, by us and by others; what is damaged is told."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from lockingfactory import interpreter, locked
from packaging.pylock import Pylock
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.errors import LockError
from wheelhouse.locking.lockfile import dump_lock, load_lock, lock_path
from wheelhouse.locking.model import (
    BuildRequirement,
    Lock,
    LockedBuild,
    LockedPackage,
    RefusedFile,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UPLOADED = datetime(2024, 5, 1, 12, 30, 0, 123456, tzinfo=UTC)


def a_lock() -> Lock:
    tool = BuildRequirement(
        name=canonicalize_name("setuptools"),
        version=Version("80.1"),
        wheel=locked("setuptools-80.1-py3-none-any.whl", size=5, upload_time=UPLOADED),
    )
    return Lock(
        target="web",
        inputs="digest",
        python="3.11.2",
        environment=dict(sorted(interpreter().environment.items())),
        packages=(
            LockedPackage(
                name=canonicalize_name("demo"),
                version=Version("1!1.0+local.1"),
                sdist=locked("demo-1!1.0+local.1.tar.gz", size=12, upload_time=UPLOADED),
                required_by=("requirements.txt:1", "flask"),
                build=LockedBuild(
                    static=("setuptools>=40",),
                    dynamic=("wheel; python_version < '4'",),
                    environment=(tool,),
                    system=("libpq-dev",),
                ),
                yanked="",
            ),
            LockedPackage(
                name=canonicalize_name("flask"),
                version=Version("3.0"),
                wheels=(
                    locked("flask-3.0-cp311-cp311-manylinux_2_17_x86_64.whl"),
                    locked("flask-3.0-py3-none-any.whl"),
                ),
                sdist=locked("flask-3.0.tar.gz"),
                yanked='a "reason"\nin two lines ü',
            ),
        ),
        requested=("demo[x]>=1", "flask"),
        refused=(
            RefusedFile(
                filename="flask-3.0-cp311-cp311-manylinux2014_x86_64.whl",
                sha256="5" * 64,
                reason="flask/_x.so: needs GLIBC_2.38 of libc.so.6",
                platform="glibc 2.36, GLIBCXX 3.4.30, x86_64, Python 3.11",
            ),
        ),
    )


def write(root: Path, text: str | bytes) -> Path:
    path = lock_path(root, "web")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path, dump_lock(a_lock()))
    assert path.name == "pylock.web.toml"
    assert load_lock(path) == a_lock()


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    text = dump_lock(a_lock())
    loaded = load_lock(write(tmp_path, text))
    assert loaded is not None
    assert dump_lock(loaded) == text


def test_an_empty_lock(tmp_path: Path) -> None:
    empty = replace(a_lock(), packages=(), requested=(), refused=())
    assert "refused" not in dump_lock(empty)
    assert load_lock(write(tmp_path, dump_lock(empty))) == empty


def test_a_package_is_found_by_its_name() -> None:
    found = a_lock().package(canonicalize_name("Flask"))
    assert found is not None
    assert str(found) == "flask 3.0"
    assert a_lock().package(canonicalize_name("other")) is None


def test_others_can_read_it() -> None:
    pylock = Pylock.from_dict(tomllib.loads(dump_lock(a_lock())))
    pylock.validate()
    assert str(pylock.lock_version) == "1.0"
    assert [package.name for package in pylock.packages] == ["demo", "flask"]
    assert pylock.requires_python is not None
    assert "3.11.9" in pylock.requires_python


def test_others_choose_the_same_files() -> None:
    own = interpreter()
    pylock = Pylock.from_dict(tomllib.loads(dump_lock(a_lock())))
    chosen = pylock.select(environment=own.markers, tags=own.tags)  # type: ignore[arg-type]
    assert [file.filename for _, file in chosen] == [  # type: ignore[union-attr]
        "demo-1!1.0+local.1.tar.gz",
        "flask-3.0-cp311-cp311-manylinux_2_17_x86_64.whl",
    ]


def test_others_refuse_it_for_another_machine() -> None:
    pylock = Pylock.from_dict(tomllib.loads(dump_lock(a_lock())))
    arm = interpreter("3.12", arch="aarch64")
    with pytest.raises(Exception, match=r"(?i)python|environment"):
        list(pylock.select(environment=arm.markers, tags=list(sys_tags())))  # type: ignore[arg-type]


def test_no_lock_is_none(tmp_path: Path) -> None:
    assert load_lock(lock_path(tmp_path, "web")) is None


# --- damage -----------------------------------------------------------------------------------


def told(path: Path) -> str:
    with pytest.raises(LockError, match="no lock that wheelhouse can read") as error:
        load_lock(path)
    assert path.name in str(error.value.hint)
    return error.value.message


@pytest.mark.parametrize(
    "content", [b"lock-version = ", b"\xff\xfe", b"", b"lock-version = '9.9'", b"<<<<<<< HEAD\n"]
)
def test_what_is_no_lock_at_all(tmp_path: Path, content: bytes) -> None:
    assert "pylock.web.toml" in told(write(tmp_path, content))


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    path = lock_path(tmp_path, "web")
    path.mkdir()
    told(path)


def test_another_format_is_told_with_both_numbers(tmp_path: Path) -> None:
    text = dump_lock(a_lock()).replace("format = 1", "format = 2")
    message = told(write(tmp_path, text))
    assert "its format is 2, this version reads 1" in message


def test_a_lock_of_another_tool_is_told_as_such(tmp_path: Path) -> None:
    data = tomllib.loads(dump_lock(a_lock()))
    del data["tool"]
    assert "made by another tool" in told(write(tmp_path, tomli_w.dumps(data)))


def _file(data: dict[str, Any]) -> dict[str, Any]:
    sdist: dict[str, Any] = data["packages"][0]["sdist"]
    return sdist


def _tool_wheel(data: dict[str, Any]) -> dict[str, Any]:
    own = data["packages"][0]["tool"]["wheelhouse"]
    wheel: dict[str, Any] = own["build"]["environment"][0]["wheel"]
    return wheel


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no version": lambda data: data["packages"][0].pop("version"),
    "no version that is one": lambda data: data["packages"][0].update(version="x.y"),
    "no name": lambda data: data["packages"][0].pop("name"),
    "no own table": lambda data: data["packages"][0].pop("tool"),
    "an own table of another kind": lambda data: data["tool"].update(wheelhouse=[1]),
    "no inputs": lambda data: data["tool"]["wheelhouse"].pop("inputs"),
    "an environment of another kind": lambda d: d["tool"]["wheelhouse"].update(environment=["x"]),
    "requested of another kind": lambda data: data["tool"]["wheelhouse"].update(requested=7),
    "a build of another kind": lambda d: d["packages"][0]["tool"]["wheelhouse"].update(build=7),
    "no hash": lambda data: _file(data).update(hashes={"md5": "x"}),
    "a hash that is a path": lambda data: _file(data).update(hashes={"sha256": "../../etc/passwd"}),
    "a short hash": lambda data: _file(data).update(hashes={"sha256": "abc"}),
    "no address": lambda data: _file(data).pop("url"),
    "a path as a file's name": lambda data: _file(data).update(name="../demo-1.0.tar.gz"),
    "a build wheel's hash": lambda data: _tool_wheel(data).update(hashes={"sha256": "/etc/x"}),
    "a build wheel's path": lambda data: _tool_wheel(data).update(name="../x-1-py3-none-any.whl"),
    "a build wheel's address": lambda data: _tool_wheel(data).pop("url"),
    "a number as a name": lambda data: _tool_wheel(data).update(name=7),
    "a refusal without a reason": lambda d: d["tool"]["wheelhouse"]["refused"][0].pop("reason"),
    "a refusal of no form": lambda data: data["tool"]["wheelhouse"].update(refused=["x.whl"]),
    "a number as a target": lambda data: data["tool"]["wheelhouse"].update(target=7),
    "a number as a name in the environment": lambda data: data["tool"]["wheelhouse"].update(
        environment={"python_version": 3.11}
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_lock_is_told(tmp_path: Path, damage: str) -> None:
    data = tomllib.loads(dump_lock(a_lock()))
    DAMAGE[damage](data)
    told(write(tmp_path, tomli_w.dumps(data)))


@pytest.mark.parametrize(
    "filename",
    ["flask-3.0-1/../../../../x-py3-none-any.whl", "flask-3.0-1\n-py3-none-any.whl"],
)
def test_a_wheels_name_is_no_path(tmp_path: Path, filename: str) -> None:
    data = tomllib.loads(dump_lock(a_lock()))
    data["packages"][1]["wheels"][1]["name"] = filename
    told(write(tmp_path, tomli_w.dumps(data)))
