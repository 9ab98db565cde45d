"""The script for servers, run on this machine, and what its output is made into."""

from __future__ import annotations

import ast
import copy
import ctypes
import json
import os
import platform
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import packaging.tags
import pytest
from configfolder import FACTS
from packaging.markers import default_environment
from packaging.version import Version

import wheelhouse
from wheelhouse.capture import read_capture
from wheelhouse.errors import ConfigError
from wheelhouse.targets import Libc, Place, presets, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelhouse.capture import CapturedTarget

SCRIPT = Path(wheelhouse.__file__).parent / "data" / "probe_server.py"

#: The Python that the tests' virtual environment was made with.
BASE = sys._base_executable  # type: ignore[attr-defined]

#: As the script prints it on Amazon Linux 2023, with a newer compiler's library.
SERVER: dict[str, Any] = {
    **FACTS,
    "libstdcxx": {"glibcxx": "3.4.33", "cxxabi": "1.3.15"},
    "os_release": {
        "id": "amzn",
        "id_like": "fedora",
        "version_id": "2023",
        "pretty_name": "Amazon Linux 2023.9.20251110",
    },
    "libraries": ["libc.so.6", "libstdc++.so.6"],
}


def server(**changes: object) -> dict[str, Any]:
    """:data:`SERVER` with changes, each at a path such as ``python__abi``."""
    data = copy.deepcopy(SERVER)
    for path, value in changes.items():
        *tables, name = path.split("__")
        table = data
        for each in tables:
            table = table[each]
        table[name] = value
    return data


@pytest.fixture
def captured(tmp_path: Path) -> Callable[..., CapturedTarget]:
    def read(**changes: object) -> CapturedTarget:
        path = tmp_path / "web.json"
        path.write_text(json.dumps(server(**changes)))
        return read_capture(path)

    return read


def run(python: str, *, cwd: Path, **variables: str) -> str:
    """What the script prints, read by *python* from its standard input."""
    done = subprocess.run(
        [python, "-"],
        input=SCRIPT.read_text(),
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **variables},
    )
    assert not done.stderr
    return done.stdout


# --- the script ----------------------------------------------------------------------------------


def test_it_is_of_an_old_python_and_needs_the_standard_library_only() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 6))
    names = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert names <= sys.stdlib_module_names


def test_it_tells_the_truth_about_this_machine(tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(run(sys.executable, cwd=tmp_path))
    found = read_capture(tmp_path / "web.json")
    interpreter = found.capture.interpreter
    expected = {**default_environment(), "platform_release": "", "platform_version": ""}
    assert interpreter.environment == expected
    assert interpreter.tags == tuple(packaging.tags.sys_tags())
    assert interpreter.libc == Libc.parse(os.confstr("CS_GNU_LIBC_VERSION") or "")
    assert found.python == interpreter.short_version
    assert found.arch == platform.machine()
    python = found.preset.pythons[found.python].path
    assert Path(python).samefile(BASE)
    assert found.preset.title == platform.freedesktop_os_release()["PRETTY_NAME"]


def test_the_libraries_are_those_that_the_loader_finds(tmp_path: Path) -> None:
    said = json.loads(run(sys.executable, cwd=tmp_path))
    assert "libc.so.6" in said["libraries"]
    for soname in ("libc.so.6", "libm.so.6", "libgcc_s.so.1"):
        ctypes.CDLL(soname)
        assert soname in said["libraries"]
    assert "libnone.so.1" not in said["libraries"]


def test_the_symbol_versions_are_those_of_the_library(tmp_path: Path) -> None:
    said = json.loads(run(sys.executable, cwd=tmp_path))["libstdcxx"]
    ctypes.CDLL("libstdc++.so.6")
    path = re.search(r"\S+/libstdc\+\+\.so\.6\S*", Path("/proc/self/maps").read_text())
    assert path is not None
    read = subprocess.run(["readelf", "-VW", path[0]], capture_output=True, text=True, check=True)
    for name in ("GLIBCXX", "CXXABI"):
        defined = re.findall(rf"Name: {name}_([0-9.]+)$", read.stdout, re.MULTILINE)
        assert said[name.lower()] == str(max(map(Version, defined)))


def test_in_a_virtual_environment_it_tells_its_base_and_its_own_pip(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    packages = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    (packages / "pip-20.3.1.dist-info").mkdir()
    said = json.loads(run(str(tmp_path / "venv" / "bin" / "python"), cwd=tmp_path))
    assert said["python"]["pip"] == "20.3.1"
    assert Path(said["python"]["executable"]).samefile(BASE)


def test_it_tells_nothing_of_its_surroundings(tmp_path: Path) -> None:
    secret = "swordfish"
    said = run(sys.executable, cwd=tmp_path, TOKEN=secret, USER=secret, HOME=f"/{secret}")
    assert secret not in said
    assert platform.release() not in said
    assert platform.version() not in said
    assert f'"{platform.node()}"' not in said
    assert said.isascii()


# --- what it is made into -------------------------------------------------------------------------


def test_a_known_platform_lends_its_images(captured: Callable[..., CapturedTarget]) -> None:
    known = presets()["amazonlinux2023"]
    found = captured()
    preset = found.preset
    assert (found.python, found.arch) == ("3.11", "x86_64")
    assert (preset.name, preset.image, preset.family) == (known.name, known.image, "amazon")
    assert preset.title == "Amazon Linux 2023.9.20251110"
    assert preset.glibcxx == Version("3.4.33")  # this server's, not the oldest there is
    assert preset.arches == ("x86_64",)
    assert list(preset.pythons) == ["3.11"]
    assert preset.pythons["3.11"].packages == known.pythons["3.11"].packages
    assert preset.pythons["3.11"].pip == Version("22.3.1")
    assert found.capture.libraries == {"libc.so.6", "libstdc++.so.6"}
    assert found.capture.interpreter.pip == "22.3.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"python__executable": "/opt/python/bin/python3.11"},
        {"libc": "glibc 2.35"},
        {"libstdcxx__glibcxx": "3.4.25"},
        {"os_release": {}},
    ],
    ids=["its own Python", "another libc", "an older libstdc++", "an unknown distribution"],
)
def test_what_differs_for_wheels_has_no_images_but_a_stand_in(
    captured: Callable[..., CapturedTarget], changes: dict[str, object]
) -> None:
    found = captured(**changes)
    assert found.preset.image is None
    assert not found.preset.is_made_here
    assert found.preset.name.startswith("captured-")
    assert found.preset.pythons["3.11"].path == changes.get(
        "python__executable", "/usr/bin/python3.11"
    )
    place = stand_in(Place(preset=found.preset, python=found.python, arch=found.arch))
    if changes.get("libstdcxx__glibcxx"):
        assert place is None
    else:
        assert place is not None
        assert place.preset.name == "portable"


def test_of_known_platforms_that_are_the_same_its_namesake_comes_first(
    captured: Callable[..., CapturedTarget],
) -> None:
    changes = {"libc": "glibc 2.31", "libstdcxx__glibcxx": "3.4.28"}
    changes |= {"python__executable": "/usr/bin/python3.9", "python__abi": "cpython-39"}
    changes |= {"environment__python_version": "3.9", "environment__python_full_version": "3.9.2"}
    both = [name for name, each in presets().items() if str(each.libc) == "glibc 2.31"]
    assert len(both) > 1
    for number, name in (("11", "debian11"), ("", "debian11")):
        release = {"id": "debian", "version_id": number, "pretty_name": "Debian"}
        assert captured(os_release=release, **changes).preset.name == name


def test_a_server_without_libstdcxx_has_the_limit_of_its_platform(
    captured: Callable[..., CapturedTarget],
) -> None:
    assert captured(libstdcxx=None).preset.glibcxx == presets()["amazonlinux2023"].glibcxx
    assert captured(libstdcxx=None, libc="glibc 2.35").preset.glibcxx is None


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ({"id": "ubuntu", "id_like": "debian"}, "debian"),
        ({"id": "linuxmint", "id_like": "ubuntu debian"}, "debian"),
        ({"id": "almalinux", "id_like": "rhel centos fedora"}, "redhat"),
        ({"id": "opensuse-leap", "id_like": "suse opensuse"}, "suse"),
        ({"id": "alpine"}, "alpine"),
        ({"id": "arch"}, "other"),
        ({}, "other"),
    ],
)
def test_the_family_is_told_by_what_a_distribution_is_like(
    captured: Callable[..., CapturedTarget], release: dict[str, str], family: str
) -> None:
    assert captured(os_release=release).preset.family == family


def test_a_free_threaded_python(captured: Callable[..., CapturedTarget]) -> None:
    found = captured(
        python__abi="cpython-314t-x86_64-linux-gnu",
        python__free_threaded=True,
        python__executable="/usr/local/bin/python3.14t",
        environment__python_version="3.14",
        environment__python_full_version="3.14.0",
    )
    assert found.python == "3.14t"
    assert found.capture.interpreter.short_version == "3.14t"
    assert found.capture.interpreter.tags[0].abi == "cp314t"


def test_a_python_between_two_releases(captured: Callable[..., CapturedTarget]) -> None:
    found = captured(environment__python_full_version="3.11.14+")
    assert found.capture.interpreter.full_version > Version("3.11.14")


def test_another_architecture(captured: Callable[..., CapturedTarget]) -> None:
    found = captured(environment__platform_machine="aarch64")
    assert found.arch == "aarch64"
    assert found.capture.interpreter.tags[0].platform == "linux_aarch64"
    assert found.preset.name == "amazonlinux2023"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "is of format 2; this wheelhouse reads 1"),
        (
            {
                "environment__implementation_name": "pypy",
                "environment__platform_python_implementation": "PyPy",
                "python__abi": "pypy311-pp73",
            },
            'its Python is "PyPy 3.11.14"; wheelhouse supports CPython only',
        ),
        (
            {
                "environment__python_version": "3.6",
                "environment__python_full_version": "3.6.8",
                "python__abi": "cpython-36m-x86_64-linux-gnu",
            },
            'its Python is "CPython 3.6.8", which is too old',
        ),
        ({"environment__sys_platform": "darwin"}, "is not Linux"),
        ({"environment__platform_machine": "armv7l"}, 'its architecture is "armv7l"'),
        ({"python__bits": 32}, "its Python is one of 32 bits"),
        ({"libc": None}, "its C library is neither glibc nor musl"),
    ],
)
def test_a_server_that_no_wheelhouse_can_be_for(
    captured: Callable[..., CapturedTarget], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        captured(**changes)
    assert "web.json" in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"libc": "glibc"}, "libc"),
        ({"libc": 2.34}, "libc"),
        ({"libc": "glibc 2.999999999"}, "libc"),
        ({"libc": "musl 1." + "9" * 5000}, "libc"),
        ({"environment__python_version": "3.999999999"}, "environment.python_version"),
        ({"hostname": "web1"}, "hostname"),
        ({"environment": {"os_name": "posix"}}, "environment.implementation_name"),
        ({"environment__os_name": "\x1b[31mposix"}, "environment.os_name"),
        ({"environment__python_version": "3"}, "environment.python_version"),
        ({"environment__python_full_version": "eleven"}, "environment.python_full_version"),
        ({"environment__python_full_version": "3.12.1"}, "are of two Pythons"),
        ({"python__free_threaded": True}, "a Python 3.11t has not the ABI cpython-311-x86_64"),
        ({"python__free_threaded": "no"}, "python.free_threaded"),
        ({"python__executable": "python3.11"}, "python.executable"),
        ({"python__executable": "/bin/sh -c 'x'"}, "python.executable"),
        ({"python__pip": "$(reboot)"}, "python.pip"),
        ({"libraries": ["libc.so.6", "../lib.so"]}, "libraries.1"),
        ({"libraries": "libc.so.6"}, "libraries"),
        ({"libstdcxx": {"glibcxx": "3.4.33"}}, "libstdcxx.cxxabi"),
        ({"os_release__pretty_name": "A\nB"}, "os_release.pretty_name"),
    ],
)
def test_what_the_script_does_not_print_is_refused(
    captured: Callable[..., CapturedTarget], changes: dict[str, object], place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        captured(**changes)
    assert place in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.hint == (
        "run the script again on the server, and bring its output back unchanged"
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b"Traceback", b"[" * 100_000, b" " * ((1 << 20) + 1)],
    ids=["empty", "cut", "list", "null", "bytes", "other", "deep", "large"],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "web.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"web\.json is not what the script") as caught:
        read_capture(tmp_path / "web.json")
    assert len(caught.value.message) < 400
