"""Which wheel of a real release is chosen, compared with uv and pip: on this machine's Python."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from packaging.markers import default_environment
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.fetch import Client
from wheelhouse.locking.candidates import releases
from wheelhouse.locking.index import Index
from wheelhouse.tags import tags_of
from wheelhouse.targets import Interpreter, Libc

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.index

INDEX = "https://pypi.org/simple"

#: Old releases and new ones, with everything that wheels are tagged with: versions' own ABIs, the
#: stable one of several versions, no ABI at all, legacy names of platforms, and several platforms
#: in one release, one name or one file.
RELEASES = """
    aiohttp==3.14.5 bcrypt==5.0.0 cffi==2.1.1 charset-normalizer==3.4.0 cmake==4.4.4
    coverage==7.17.3 cryptography==43.0.3 duckdb==1.1.3 greenlet==3.1.1 h5py==3.12.1
    kiwisolver==1.4.7 lxml==4.9.3 lz4==4.4.5 markupsafe==2.1.5 matplotlib==3.9.2 msgpack==1.0.5
    multidict==6.1.0 ninja==1.11.1 numpy==1.26.4 orjson==3.10.11 pandas==2.2.3 pillow==9.5.0
    protobuf==4.25.3 psutil==5.9.5 psycopg2-binary==2.9.10 pyarrow==18.0.0 pynacl==1.6.2
    pyyaml==6.0.1 regex==2023.10.3 rpds-py==0.21.0 scipy==1.14.1 setproctitle==1.3.3
    shapely==2.0.6 simplejson==3.19.3 tornado==6.4.1 uvloop==0.21.0 watchfiles==0.24.0
    wrapt==1.15.0 yarl==1.17.1 zstandard==0.23.0
"""
PINS = RELEASES.split()

#: pip takes one index page after another; so many pips at once.
PIPS = 4


def this_interpreter() -> Interpreter:
    """This machine's Python, by its facts and not by its own word."""
    libc = Libc.parse(os.confstr("CS_GNU_LIBC_VERSION") or "")
    environment = {name: str(value) for name, value in default_environment().items()}
    return Interpreter(
        environment=environment,
        tags=tags_of(environment["python_version"], libc, platform.machine()),
        libc=libc,
        pip=None,
    )


def chosen_by_us() -> dict[str, str]:
    index, interpreter = Index(Client(), INDEX), this_interpreter()

    def choose(pin: str) -> str:
        name, version = pin.split("==")
        page = index.project(canonicalize_name(name))
        assert page is not None
        return releases(page, interpreter)[Version(version)].files("any")[0].filename

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(PINS, pool.map(choose, PINS), strict=True))


def chosen_by_uv(folder: Path) -> dict[str, str]:
    options = [
        "--no-config",
        "--no-deps",
        "--no-build",
        "--color=never",
        f"--default-index={INDEX}",
    ]
    options += [f"--python={sys.executable}", "--cache-dir", str(folder / "uv-cache")]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "--verbose", *options, "-"],
        input="\n".join(PINS),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(re.findall(r"Selecting: (\S+) .* \((\S+)\)$", done.stderr, re.MULTILINE))


def chosen_by_pip(folder: Path) -> dict[str, str]:
    uv, python = [sys.executable, "-m", "uv"], str(folder / "venv" / "bin" / "python")
    install = ["pip", "install", "--quiet", "--no-config", f"--default-index={INDEX}"]
    for command in (
        ["venv", "--quiet", f"--python={sys.executable}", str(folder / "venv")],
        [*install, f"--python={python}", "pip==26.3"],
    ):
        subprocess.run([*uv, *command], check=True)
    with ThreadPoolExecutor(PIPS) as pool:
        parts = [PINS[start::PIPS] for start in range(PIPS)]
        found = pool.map(lambda pins: _report(python, pins, folder / f"{pins[0]}.json"), parts)
        return {
            f"{each['metadata']['name']}=={each['metadata']['version']}": unquote(
                each["download_info"]["url"].rpartition("/")[2]
            )
            for part in found
            for each in part
        }


def _report(python: str, pins: list[str], report: Path) -> list[dict[str, Any]]:
    """What pip would install; of each wheel it reads the metadata, and no more where it can."""
    options = ["--dry-run", "--no-deps", "--only-binary=:all:", f"--index-url={INDEX}"]
    options += ["--use-feature=fast-deps", "--no-cache-dir", f"--report={report}"]
    env = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", *options, *pins],
        env={**env, "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(report.read_text())["install"]
    return found


def test_of_real_releases_the_same_wheels_are_chosen_as_by_uv_and_by_pip(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        by_uv, by_pip = pool.submit(chosen_by_uv, tmp_path), pool.submit(chosen_by_pip, tmp_path)
        ours = chosen_by_us()
    assert not [pin for pin, name in ours.items() if not name.endswith(".whl")]
    assert by_uv.result() == ours
    assert {canonicalize_name(pin): name for pin, name in by_pip.result().items()} == {
        canonicalize_name(pin): name for pin, name in ours.items()
    }
