"""Symptoms of CMake, Meson and configure scripts that do not find what they look for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.building.answers import (
    SYSTEM_HINT,
    cuda,
    fortran,
    java,
    lacking,
    program,
    requiring,
)
from wheelhouse.building.symptoms import NAME, Diagnosis, Symptom, quoted
from wheelhouse.missing import Missing

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log
    from wheelhouse.missing import Kind

#: What CMake and Meson find by names of their own.
_DEPENDENCIES: dict[str, tuple[Kind, str]] = {
    "bison": ("program", "bison"),
    "blas": ("library", "blas"),
    "boost": ("header", "boost/version.hpp"),
    "bzip2": ("header", "bzlib.h"),
    "cuda": ("program", "nvcc"),
    "cudatoolkit": ("program", "nvcc"),
    "cups": ("program", "cups-config"),
    "curl": ("pkg-config", "libcurl"),
    "curses": ("header", "curses.h"),
    "doxygen": ("program", "doxygen"),
    "flex": ("program", "flex"),
    "gettext": ("program", "msgfmt"),
    "git": ("program", "git"),
    "java": ("program", "javac"),
    "jni": ("program", "javac"),
    "jpeg": ("header", "jpeglib.h"),
    "lapack": ("library", "lapack"),
    "liblzma": ("header", "lzma.h"),
    "llvm": ("program", "llvm-config"),
    "mpi": ("program", "mpicc"),
    "perl": ("program", "perl"),
    "pkgconfig": ("program", "pkg-config"),
    "pkg-config": ("program", "pkg-config"),
    "protobuf": ("program", "protoc"),
    "swig": ("program", "swig"),
    "tclsh": ("program", "tclsh"),
    "zlib": ("header", "zlib.h"),
}

_REQUIRED_DEPENDENCIES = {"cython", "nanobind", "numpy", "pybind11", "pythran"}


def _dependency(match: re.Match[str], log: Log, own: Kind) -> Diagnosis | None:
    """Of a dependency by the name that CMake or Meson has for it; *own* is what else it may be."""
    name = match.group("name")
    low = name.lower()
    if low in _REQUIRED_DEPENDENCIES or "NumPy" in match.group():
        required = low if low in _REQUIRED_DEPENDENCIES else "numpy"
        cause = f"its build needs {required}, which its build requirements do not name"
        return requiring("undeclared-dependency", log.package, cause, required)
    if low.startswith("python"):
        return Diagnosis(
            kind="missing-python-headers",
            cause=f"its build does not find {name}'s headers or library",
            hint="give it a newer CMake, or have the builder's image made again",
            dated=True,
        )
    kind, known = _DEPENDENCIES.get(low, (own, name))
    missing = Missing(kind, known)
    if known == "nvcc":
        return cuda(log.package, f"it looks for {name}", missing)
    if known == "javac":
        return java(log.package, missing)
    # The package of a program with a name of its own may well have CMake's files of it, too.
    more = () if (kind, known) == (own, name) or own != "cmake" else (Missing(own, name),)
    return lacking("missing-dependency", log.package, missing, *more)


def _cmake(match: re.Match[str], log: Log) -> Diagnosis | None:
    return _dependency(match, log, "cmake")


def _meson(match: re.Match[str], log: Log) -> Diagnosis | None:
    return _dependency(match, log, "pkg-config")


def _cmake_names(match: re.Match[str], log: Log) -> Diagnosis | None:
    """``find_library``, ``find_path`` and ``find_program`` with REQUIRED."""
    what, names = match.group(1), re.split(r"[,\s]+", match.group(2).strip())
    kind: Kind = {"find_library": "library", "find_program": "program"}.get(what, "header")  # type: ignore[assignment]
    if kind == "program":
        return program(names[0], log.package)
    missing = [Missing(kind, name.removeprefix("lib")) for name in names if name]
    if kind == "header":
        missing = [Missing(kind, name) for name in names if name]
    return lacking(f"missing-{kind}", log.package, *missing)


def _meson_vain(match: re.Match[str], log: Log) -> Diagnosis | None:
    """Meson's own words of an error; what it had looked for stands above."""
    above = log.before(match, 30)
    looked = [
        found.group(1, 2)
        for line in above
        if (found := re.search(rf"(Library|dependency) ({NAME}) found: NO", line))
    ]
    missing = [
        Missing("library" if kind == "Library" else "pkg-config", name) for kind, name in looked
    ]
    return lacking("missing-dependency", log.package, *dict.fromkeys(missing)) if missing else None


def _meson_thing(match: re.Match[str], log: Log) -> Diagnosis | None:
    kind: Kind = "header" if "header" in match.group() else "library"
    return lacking(f"missing-{kind}", log.package, Missing(kind, match.group(1)))


def _called(match: re.Match[str], log: Log) -> Diagnosis | None:
    return program(match.group(1), log.package)


def _listed_packages(match: re.Match[str], log: Log) -> Diagnosis | None:
    """CMake's list of .pc files that were not found."""
    names = re.findall(r"^ +- ([A-Za-z][\w.+-]*)", "\n".join(log.after(match, 8)), re.MULTILINE)
    missing = [Missing("pkg-config", re.split("[<>=]", name)[0]) for name in names]
    return lacking("missing-pkg-config", log.package, *missing) if missing else None


def _unknown_compilers(match: re.Match[str], log: Log) -> Diagnosis | None:
    """Meson's list of the compilers that it tried for a language."""
    if name := re.search(r"'([\w+.-]+)'", match.group(1)):
        return program(name.group(1), log.package)
    return None


def _ninja(match: re.Match[str], log: Log) -> Diagnosis | None:
    if any("Trying 'Ninja' generator" in line for line in log.before(match, 16)):
        return None  # scikit-build tries other generators, too
    return program("ninja", log.package)


def _cmake_language(match: re.Match[str], log: Log) -> Diagnosis | None:
    language = match.group(1)
    if language == "Fortran":
        return fortran(log.package)
    if language == "CUDA":
        return cuda(log.package, "it has CUDA code", Missing("program", "nvcc"))
    return program({"C": "gcc", "CXX": "g++", "Swift": "swiftc"}.get(language, "gcc"), log.package)


def _cmake_cuda_target(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = match.group(1)
    return cuda(log.package, f"it links with CUDA::{name}", Missing("library", name))


_IN_VAIN = re.compile(
    r"[ \t]{0,40}checking (?:for|whether) (\S.{0,120})\.\.\. .{0,40}(?:no|not found)$"
)


def _looked_for(words: str) -> Missing | None:
    """What a configure script says it checks for."""
    if library := re.search(r"\bin -l(\S+)", words):
        return Missing("library", library.group(1))
    if header := re.match(r"(\S+\.h(?:pp|h|xx)?)\b", words):
        return Missing("header", header.group(1))
    if versioned := re.match(r"(\S+) - version >= (\d+\.\d+)", words):  # AM_PATH_GTK_3_0
        return Missing("pkg-config", f"{versioned.group(1).lower()}-{versioned.group(2)}")
    return Missing("program", words) if re.fullmatch(r"[a-z][\w.+-]{0,40}", words) else None


def _configure(match: re.Match[str], log: Log) -> Diagnosis | None:
    """``configure: error:`` in words of the script's own: what it last looked for in vain."""
    if match.group(1).startswith(" Package requirements"):
        return None
    words = match.group(1).strip() or " ".join(log.after(match, 2))
    for distance, line in enumerate(reversed(log.before(match, 40))):
        found = _IN_VAIN.match(line)
        if found is None or (distance > 3 and found.group(1).split()[0] not in words):
            continue
        if missing := _looked_for(found.group(1)):
            return lacking(f"missing-{missing.kind}", log.package, missing)
    return Diagnosis(
        kind="configure-error",
        cause=f"its configure script stops: {quoted(words)}",
        hint=SYSTEM_HINT.format(package=log.package),
    )


CONFIGURE: tuple[Symptom, ...] = (
    Symptom(r"The following required packages were not found:", _listed_packages),
    Symptom(
        rf"ERROR: Dependency ['\"](?P<name>{NAME})['\"](?: is required but)? not found", _meson
    ),
    Symptom(
        rf"ERROR: Dependency lookup for (?P<name>{NAME}) with [^\n]{{1,40}} failed:"
        r" (?!Invalid version)",
        _meson,
    ),
    Symptom(rf"ERROR: C(?:\+\+)? (?:shared or static )?library '({NAME})' not found", _meson_thing),
    Symptom(r"ERROR: C(?:\+\+)? header '([\w./+-]{1,200})' not found", _meson_thing),
    Symptom(rf"ERROR: Program '({NAME})' not found", _called),
    Symptom(rf"ERROR: Program\(s\) \['({NAME})'", _called),
    Symptom(r"ERROR: Unknown compiler\(s\): \[(.{1,100})", _unknown_compilers),
    Symptom(r"ERROR: (?:python3?|[\w./-]{1,80}) is missing modules: (?P<name>[\w.]{1,60})", _meson),
    Symptom(r"ERROR: Problem encountered: ", _meson_vain),
    Symptom(
        r"Could not detect Ninja|unable to find a build program corresponding to \"Ninja\""
        r"|could not get a working generator for your system",
        _ninja,
    ),
    Symptom(
        r"CMake Error[^\n]{0,300}\n\s{0,20}Could NOT find (?P<name>[\w+-]{1,60})\b(?!:)"
        r"(?:[^\n]{0,200}\n[^\n]{0,40}NumPy)?",
        _cmake,
    ),
    Symptom(
        r"Could not find a package configuration file"
        r" provided\s{1,20}by\s{1,20}\"(?P<name>[\w+-]{1,60})\"",
        _cmake,
    ),
    Symptom(
        r"CMake Error[^\n]{0,300}\((find_\w{1,10})\):\n\s{0,20}Could not find \w{1,60} using"
        r" the following "
        r"(?:names|files): ([^\n]{1,200})",
        _cmake_names,
    ),
    Symptom(r"No CMAKE_(\w{1,10})_COMPILER could be found", _cmake_language),
    Symptom(
        r"links to(?::| target)\s{1,20}\"?CUDA::(\w{1,40})\"?\s{1,20}"
        r"but\s{1,20}the\s{1,20}target\s{1,20}was\s{1,20}not\s{1,20}found",
        _cmake_cuda_target,
    ),
    Symptom(r"error: could not find (git|hg|svn) for clone of", _called),
    Symptom(r"configure: error:([^\n]{0,200})", _configure),
)
