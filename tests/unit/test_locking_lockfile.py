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
from wheelhouse.locking.buildtable import DEPTH
from wheelhouse.locking.lockfile import dump_lock, load_lock, lock_path
from wheelhouse.locking.model import (
    AddedRequirement,
    BuildRequirement,
    Lock,
    LockedBuild,
    LockedPackage,
    Provision,
    RefusedFile,
    SystemRequirement,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UPLOADED = datetime(2024, 5, 1, 12, 30, 0, 123456, tzinfo=UTC)


SETUPTOOLS = BuildRequirement(
    name=canonicalize_name("setuptools"),
    version=Version("80.1"),
    file=locked("setuptools-80.1-py3-none-any.whl", size=5, upload_time=UPLOADED),
)

NVCC = BuildRequirement(
    name=canonicalize_name("nvidia-cuda-nvcc"),
    version=Version("13.2.86"),
    file=locked("nvidia_cuda_nvcc-13.2.86-py3-none-any.whl"),
    index="https://nvidia.example/simple",
)


def built_first(name: str, environment: tuple[BuildRequirement, ...]) -> BuildRequirement:
    """A build requirement that has no wheel, and what it is built with."""
    return BuildRequirement(
        name=canonicalize_name(name),
        version=Version("2.0"),
        file=locked(f"{name}-2.0.tar.gz", size=7, upload_time=UPLOADED),
        build=LockedBuild(static=("setuptools",), dynamic=(), environment=environment),
    )


def a_lock() -> Lock:
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
                    environment=(SETUPTOOLS,),
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


def learned() -> Lock:
    """The lock of a package that took several tries, and asks something of the server."""
    demo, flask = a_lock().packages
    assert demo.build is not None
    ninja = built_first("ninja", (SETUPTOOLS, built_first("cmake", (SETUPTOOLS,))))
    build = replace(
        demo.build,
        cuda=True,
        environment=(ninja, SETUPTOOLS),
        provision=Provision(
            system={"debian12": ("libpq-dev", "zlib1g-dev"), "portable": ("libpq-dev",)},
            constraints=("cython<3", "setuptools<82"),
            requires=("numpy",),
            before=UPLOADED,
            relaxed=True,
            search=("header hdf5.h", "library hdf5"),
        ),
    )
    return replace(
        a_lock(),
        packages=(replace(demo, build=build), flask),
        system=(
            SystemRequirement(
                package="graphviz", platform="debian12", programs=("dot",), required_by=("demo",)
            ),
            SystemRequirement(
                package="libgl1",
                platform="debian12",
                libraries=("libGL.so.1", "libGLX.so.0"),
                required_by=("demo", "flask"),
            ),
        ),
        added=(
            AddedRequirement(
                package=canonicalize_name("demo"),
                requirement="setuptools<82",
                module="pkg_resources",
            ),
        ),
        toolkit=(NVCC,),
    )


def write(root: Path, text: str | bytes) -> Path:
    path = lock_path(root, "web")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("lock", [a_lock(), learned()], ids=["plain", "learned"])
def test_what_is_written_is_read_back(tmp_path: Path, lock: Lock) -> None:
    path = write(tmp_path, dump_lock(lock))
    assert path.name == "pylock.web.toml"
    assert load_lock(path) == lock


@pytest.mark.parametrize("lock", [a_lock(), learned()], ids=["plain", "learned"])
def test_writing_again_changes_nothing(tmp_path: Path, lock: Lock) -> None:
    text = dump_lock(lock)
    loaded = load_lock(write(tmp_path, text))
    assert loaded is not None
    assert dump_lock(loaded) == text


def test_an_empty_lock(tmp_path: Path) -> None:
    empty = replace(a_lock(), packages=(), requested=(), refused=())
    assert "refused" not in dump_lock(empty)
    assert load_lock(write(tmp_path, dump_lock(empty))) == empty


def test_what_nothing_is_known_of_is_left_out() -> None:
    own = tomllib.loads(dump_lock(a_lock()))["tool"]["wheelhouse"]
    assert not {"system", "added", "toolkit"} & own.keys()
    build = own_build(tomllib.loads(dump_lock(a_lock())))
    assert build.keys() == {"requires", "requires-dynamic", "system", "environment"}
    assert build["environment"][0].keys() == {"name", "version", "wheel"}


def test_what_was_learned_stands_in_a_table_of_its_own() -> None:
    lines = dump_lock(learned()).splitlines()
    start = lines.index("[packages.tool.wheelhouse.build.provision]")
    assert lines[start + 1 : start + 25] == [
        "constraints = [",
        '    "cython<3",',
        '    "setuptools<82",',
        "]",
        "requires = [",
        '    "numpy",',
        "]",
        "before = 2024-05-01 12:30:00.123456+00:00",
        "relaxed = true",
        "search = [",
        '    "header hdf5.h",',
        '    "library hdf5",',
        "]",
        "",
        "[packages.tool.wheelhouse.build.provision.system]",
        "debian12 = [",
        '    "libpq-dev",',
        '    "zlib1g-dev",',
        "]",
        "portable = [",
        '    "libpq-dev",',
        "]",
        "",
        "[[packages.tool.wheelhouse.build.environment]]",
    ]


def test_a_build_requirement_that_is_built_first_is_an_sdist_with_its_own_build() -> None:
    [ninja, setuptools] = own_build(tomllib.loads(dump_lock(learned())))["environment"]
    assert setuptools.keys() == {"name", "version", "wheel"}
    assert ninja.keys() == {"name", "version", "sdist", "build"}
    assert ninja["sdist"]["name"] == "ninja-2.0.tar.gz"
    assert [each["name"] for each in ninja["build"]["environment"]] == ["setuptools", "cmake"]
    assert "provision" not in ninja["build"]


def test_the_order_in_which_proofs_found_things_does_not_matter() -> None:
    lock = learned()
    other = AddedRequirement(
        package=canonicalize_name("a"), requirement="standard-imp", module="imp"
    )
    one = replace(lock, added=(*lock.added, other))
    two = replace(lock, system=lock.system[::-1], added=(other, *lock.added))
    assert dump_lock(one) == dump_lock(two)


def nested(depth: int) -> Lock:
    """The lock of a package to build, whose builds stand *depth* deep in one another."""
    requirement = SETUPTOOLS
    for _ in range(depth - 1):
        requirement = built_first("more", (requirement,))
    demo, _ = a_lock().packages
    assert demo.build is not None
    build = replace(demo.build, environment=(requirement,))
    return replace(a_lock(), packages=(replace(demo, build=build),))


def test_builds_stand_in_one_another_up_to_a_bound(tmp_path: Path) -> None:
    assert load_lock(write(tmp_path, dump_lock(nested(DEPTH)))) == nested(DEPTH)
    message = told(write(tmp_path, dump_lock(nested(DEPTH + 1))))
    assert f"more than {DEPTH} builds stand in one another" in message


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
    "content",
    [
        b"lock-version = ",
        b"\xff\xfe",
        b"",
        b"lock-version = '9.9'",
        b"<<<<<<< HEAD\n",
        b"a = " + b"[" * 50_000,
    ],
    ids=range(6),
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


def own_build(data: dict[str, Any]) -> dict[str, Any]:
    build: dict[str, Any] = data["packages"][0]["tool"]["wheelhouse"]["build"]
    return build


def _file(data: dict[str, Any]) -> dict[str, Any]:
    sdist: dict[str, Any] = data["packages"][0]["sdist"]
    return sdist


def _tool_wheel(data: dict[str, Any]) -> dict[str, Any]:
    wheel: dict[str, Any] = own_build(data)["environment"][-1]["wheel"]
    return wheel


def _provision(data: dict[str, Any]) -> dict[str, Any]:
    provision: dict[str, Any] = own_build(data)["provision"]
    return provision


def _built_first(data: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = own_build(data)["environment"][0]
    return entry


def _needed(data: dict[str, Any]) -> dict[str, Any]:
    needed: dict[str, Any] = data["tool"]["wheelhouse"]["system"][0]
    return needed


def _added(data: dict[str, Any]) -> dict[str, Any]:
    added: dict[str, Any] = data["tool"]["wheelhouse"]["added"][0]
    return added


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a toolkit of another kind": lambda d: d["tool"]["wheelhouse"].update(toolkit=[7]),
    "a toolkit without a hash": lambda d: d["tool"]["wheelhouse"]["toolkit"][0]["wheel"].pop(
        "hashes"
    ),
    "a toolkit without a file": lambda d: d["tool"]["wheelhouse"]["toolkit"][0].pop("wheel"),
    "CUDA of another kind": lambda d: own_build(d).update(cuda="13.2"),
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
    "a text as a size": lambda data: _tool_wheel(data).update(size="5"),
    "an sdist's time without an offset": lambda data: _file(data).update(
        {"upload-time": UPLOADED.replace(tzinfo=None)}
    ),
    "a text as a time": lambda data: _tool_wheel(data).update({"upload-time": "2024-05-01"}),
    "an sdist without its build": lambda data: _built_first(data).pop("build"),
    "a build without its sdist": lambda data: _built_first(data).pop("sdist"),
    "an sdist's path": lambda data: _built_first(data)["sdist"].update(name="../x.tar.gz"),
    "a nested build of another kind": lambda data: _built_first(data).update(build=["x"]),
    "a nested hash": lambda data: _built_first(data)["build"]["environment"][0]["wheel"].update(
        hashes={"sha256": "/etc/x"}
    ),
    "an option as a system package": lambda data: own_build(data).update(system=["-o=x"]),
    "a provision of another kind": lambda data: own_build(data).update(provision=["x"]),
    "system packages of no platform": lambda data: _provision(data).update(system=["libpq-dev"]),
    "a command as a system package": lambda data: _provision(data).update(
        system={"debian12": ["x; rm -r /"]}
    ),
    "a constraint that is none": lambda data: _provision(data).update(constraints=["a b"]),
    "a requirement that is none": lambda data: _provision(data).update(requires=["-r x"]),
    "a day without a time": lambda data: _provision(data).update(before=UPLOADED.date()),
    "a time without an offset": lambda data: _provision(data).update(
        before=UPLOADED.replace(tzinfo=None)
    ),
    "a text as a flag": lambda data: _provision(data).update(relaxed="yes"),
    "a search of another kind": lambda data: _provision(data).update(search="header hdf5.h"),
    "a need without a package": lambda data: _needed(data).pop("package"),
    "a need without a platform": lambda data: _needed(data).pop("platform"),
    "a need of an option": lambda data: _needed(data).update(package="--force"),
    "a need of no form": lambda data: data["tool"]["wheelhouse"].update(system={"libgl1": 1}),
    "an addition without a module": lambda data: _added(data).pop("module"),
    "an addition for two uses": lambda data: _added(data).update(library="libx.so.1"),
    "an addition to a path": lambda data: _added(data).update(package="../x"),
    "an addition that is none": lambda data: _added(data).update(requirement="a b"),
    "an addition of no form": lambda data: data["tool"]["wheelhouse"].update(added=["x"]),
    "a refusal without a reason": lambda d: d["tool"]["wheelhouse"]["refused"][0].pop("reason"),
    "a refusal of no form": lambda data: data["tool"]["wheelhouse"].update(refused=["x.whl"]),
    "a number as a target": lambda data: data["tool"]["wheelhouse"].update(target=7),
    "a number as a name in the environment": lambda data: data["tool"]["wheelhouse"].update(
        environment={"python_version": 3.11}
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_lock_is_told(tmp_path: Path, damage: str) -> None:
    data = tomllib.loads(dump_lock(learned()))
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


def test_the_toolkit_comes_from_where_it_was_locked(tmp_path: Path) -> None:
    loaded = load_lock(write(tmp_path, dump_lock(learned())))
    assert loaded is not None
    assert loaded.homes[NVCC.name] == "https://nvidia.example/simple"
