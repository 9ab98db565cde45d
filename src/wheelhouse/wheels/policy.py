"""What a platform promises to every wheel: libraries that are there, symbol versions they have.

The libraries come from auditwheel's policy data (its JSON files; none of its code, which looks at
the machine it runs on). The limits of symbol versions are those of the target's preset.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.targets import Libc, Target

_FILES = {"glibc": "manylinux-policy.json", "musl": "musllinux-policy.json"}
_POLICY_NAME = re.compile(r"(?:many|musl)linux_(\d+)_(\d+)\Z")

#: The loader itself; auditwheel takes it for granted too.
_LOADER = re.compile(r"ld-linux[\w-]*\.so\.\d+\Z|ld64\.so\.\d+\Z|ld-musl-[\w-]+\.so\.1\Z")
#: The run time libraries of GCC's and LLVM's languages, and of their OpenMP.
_COMPILER = re.compile(
    r"lib(?:gcc_s|stdc\+\+|gomp|gfortran|quadmath|atomic|c\+\+|c\+\+abi|omp|iomp5)\.so(?:\.|\Z)"
)
_LIBPYTHON = re.compile(r"libpython\d[\w.]*\.so(\.[\d.]+)?\Z")

#: They belong to the GPU's driver, so no package may bring them along.
DRIVER_SONAMES = frozenset(
    {"libcuda.so.1", "libnvidia-ml.so.1", "libnvidia-ptxjitcompiler.so.1", "libnvcuvid.so.1"}
)

#: What every Linux that runs CPython has: the C library's own parts, the compilers'
#: run time, and zlib, which `zipimport` needs.
#: Policies whitelist more (X11, OpenGL, GLib), which servers and small images often lack.
BASE_SONAMES = frozenset(
    {
        "libc.so.6",
        "libm.so.6",
        "libmvec.so.1",
        "libdl.so.2",
        "librt.so.1",
        "libpthread.so.0",
        "libutil.so.1",
        "libresolv.so.2",
        "libanl.so.1",
        "libgcc_s.so.1",
        "libstdc++.so.6",
        "libz.so.1",
    }
)

#: GLIBCXX version -> the CXXABI and GCC (libgcc_s) versions of the same release of GCC, of the
#: architecture where they are highest: a version that another one skips is needed by nothing there.
#: From https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html and libgcc's version scripts.
_SAME_RELEASE = {
    "3.4.19": ("1.3.7", "4.8.0"),
    "3.4.20": ("1.3.8", "4.8.0"),
    "3.4.21": ("1.3.9", "4.8.0"),
    "3.4.22": ("1.3.10", "4.8.0"),
    "3.4.23": ("1.3.11", "7.0.0"),
    "3.4.24": ("1.3.11", "7.0.0"),
    "3.4.25": ("1.3.11", "7.0.0"),
    "3.4.26": ("1.3.12", "7.0.0"),
    "3.4.27": ("1.3.12", "7.0.0"),
    "3.4.28": ("1.3.12", "7.0.0"),
    "3.4.29": ("1.3.13", "11.0"),
    "3.4.30": ("1.3.13", "12.0.0"),
    "3.4.31": ("1.3.14", "13.0.0"),
    "3.4.32": ("1.3.14", "13.0.0"),
    "3.4.33": ("1.3.15", "14.0.0"),
    "3.4.34": ("1.3.15", "14.0.0"),
    "3.4.35": ("1.3.17", "16.0"),
}


@cache
def system_sonames(libc: Libc, arch: str) -> frozenset[str]:
    """The sonames that every platform with this C library provides, by auditwheel's policies.

    The highest policy that is not above *libc* decides; where *libc* is newer than all policies,
    that is the newest of them.
    """
    _, names = _highest(libc)
    return frozenset(_musl_name(name, arch) for name in names) if libc.family == "musl" else names


def repair_policy(target: Target) -> str:
    """The highest of auditwheel's policies whose wheels run there: ``manylinux_2_36_x86_64``."""
    libc = target.preset.libc
    kind = "musllinux" if libc.family == "musl" else "manylinux"
    (major, minor), _ = _highest(libc)
    return f"{kind}_{major}_{minor}_{target.arch}"


@cache
def symbol_limits(libc: Libc, glibcxx: Version | None) -> Mapping[str, Version]:
    """The highest version of each symbol family that a platform's own libraries have.

    Families that nothing is known of are left out, and so not limited.
    """
    if libc.family != "glibc":
        return {}
    limits = {"GLIBC": Version(".".join(map(str, libc.version)))}
    if glibcxx is not None:
        limits["GLIBCXX"] = glibcxx
    if str(glibcxx) in _SAME_RELEASE:
        cxxabi, gcc = _SAME_RELEASE[str(glibcxx)]
        limits |= {"CXXABI": Version(cxxabi), "GCC": Version(gcc)}
    return limits


def symbol_version(name: str) -> tuple[str, Version] | None:
    """Family and version of a symbol version such as ``GLIBC_2.34``; None where it has no number.

    ``GLIBC_ABI_DT_RELR`` counts as the glibc that introduced it.
    """
    if name == "GLIBC_ABI_DT_RELR":
        return "GLIBC", Version("2.36")
    family, _, number = name.partition("_")
    if not re.fullmatch(r"\d+(\.\d+)*", number):
        return None
    return family, Version(number)


def is_loader(soname: str) -> bool:
    """Whether *soname* is the dynamic loader."""
    return bool(_LOADER.match(soname))


def is_libpython(soname: str) -> bool:
    """Whether *soname* is Python's own library, which most Pythons do not have as a file."""
    return bool(_LIBPYTHON.match(soname))


def libpython_of(python: str) -> str:
    """The soname of the own library of *python*, a target's version such as ``3.11`` or ``3.14t``.

    That is CPython's ``INSTSONAME``, which has not changed since Python 3.8.
    """
    return f"libpython{python}.so.1.0"


def is_of_compiler(soname: str) -> bool:
    """Whether *soname* is part of a compiler, and so comes with whatever it has compiled."""
    return bool(_COMPILER.match(soname))


def _highest(libc: Libc) -> tuple[tuple[int, int], frozenset[str]]:
    """The highest policy not above *libc*: its libc's version, and the sonames it provides.

    Below all policies it is *libc* itself, which provides nothing that is known.
    """
    fitting = [policy for policy in _policies(libc.family) if policy[0] <= libc.version]
    return max(fitting, default=(libc.version, frozenset()))


@cache
def _policies(family: str) -> tuple[tuple[tuple[int, int], frozenset[str]], ...]:
    """(libc version, whitelisted sonames) of each policy of a family."""
    text = resources.files("auditwheel").joinpath("policy", _FILES[family]).read_text("utf-8")
    policies: list[dict[str, Any]] = json.loads(text)
    return tuple(
        ((int(match[1]), int(match[2])), frozenset(policy["lib_whitelist"]))
        for policy in policies
        if (match := _POLICY_NAME.match(policy["name"]))
    )


def _musl_name(soname: str, arch: str) -> str:
    return f"libc.musl-{arch}.so.1" if soname == "libc.so" else soname
