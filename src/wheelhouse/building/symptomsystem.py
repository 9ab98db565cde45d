"""Symptoms of headers, libraries and .pc files that the builder has not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.building.answers import (
    built_against,
    cuda,
    cuda_linked,
    java,
    lacking,
    other_cpu,
    other_system,
    requiring,
)
from wheelhouse.building.symptoms import NAME, Diagnosis, Rank, Symptom, first_group
from wheelhouse.missing import Missing

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log

#: The first folders of headers that build requirements have, or requirements.
_OF_REQUIRES = {
    "cppy": "cppy",
    "cysignals": "cysignals",
    "greenlet": "greenlet",
    "mpi4py": "mpi4py",
    "nanobind": "nanobind",
    "numpy": "numpy",
    "pybind11": "pybind11",
    "pythran": "pythran",
}

_OF_IMPORTS = {"ATen": "torch", "c10": "torch", "tensorflow": "tensorflow", "torch": "torch"}

_OF_CUDA = re.compile(
    r"(?:cuda|cublas|cudnn|cufft|cufile|cupti|curand|cusparse|cusolver|nccl|npp|nvFatbin|nvJitLink"
    r"|nvml|nvrtc|nvshmem|nvToolsExt|nvtx\d|nvjpeg|NvInfer|thrust/|cub/)[\w/]*\.(?:h|hpp|cuh)$"
)

_CUDA_LIBRARIES = re.compile(
    r"(?:cuda|cudadevrt|cudart|cudnn|cublas|cublasLt|cufft|cufftw|cufile|cupti|curand|cusolver|cusparse"
    r"|cusparseLt|nccl|npp[a-z]+|nvidia-ml|nvFatbin|nvJitLink|nvjpeg|nvrtc|nvToolsExt)(?:_static)?"
)

_OF_OTHER_SYSTEMS = re.compile(
    r"(?i)(?:windows|winsock2?|winbase|winioctl|direct|io|tchar|shlobj|sys/event|sys/sysctl)\.h$"
    r"|(?:mach|libkern|Carbon|CoreFoundation|Foundation|ApplicationServices|IOKit|Cocoa|AppKit)/"
)

_OF_CPUS = re.compile(r"(?:[a-z]mm|nmm|imm|x86)intrin\.h$|cpuid\.h$|arm_(?:neon|sve|acle)\.h$")


def _header(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = first_group(match).removeprefix("./")
    top = name.partition("/")[0]
    if name in {"Python.h", "pyconfig.h"}:
        return Diagnosis(
            kind="missing-python-headers",
            cause=f"Python's own header {name} is missing in the builder: its image is not whole",
            hint="have the image made again, or add Python's headers to your own image for "
            "building",
        )
    if name.endswith((".c", ".cc", ".cpp", ".cxx")):
        return Diagnosis(
            kind="incomplete-sdist",
            cause=f"its build needs {name}, which its sdist does not have",
            hint=f"pin another version of {log.package}, or tell the project's maintainers",
        )
    if top in _OF_REQUIRES:
        cause = f"its C code includes {name}, of {top}, which its build requirements do not name"
        return requiring("undeclared-header", log.package, cause, _OF_REQUIRES[top])
    if top in _OF_IMPORTS:
        return built_against(log.package, _OF_IMPORTS[top], f"its C code includes {name}")
    if _OF_CUDA.match(name):
        return cuda(log.package, f"it includes {name}", Missing("header", name))
    if _OF_OTHER_SYSTEMS.match(name):
        return other_system(log.package, f"it includes {name}")
    if _OF_CPUS.match(name):
        return other_cpu(log.package, f"it includes {name}")
    if top == "jni.h":
        return java(log.package, Missing("header", name), Missing("program", "javac"))
    return lacking("missing-header", log.package, Missing("header", name))


def _library(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = first_group(match).strip("'\"").removeprefix(":")
    name = re.sub(r"^lib(.+)\.(?:so|a)(?:\.[\d.]+)?$", r"\1", name)
    if _CUDA_LIBRARIES.fullmatch(name):
        return cuda_linked(log.package, name)
    return lacking("missing-library", log.package, Missing("library", name))


def _pc(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = first_group(match).removesuffix(".pc")
    return lacking("missing-pkg-config", log.package, Missing("pkg-config", name))


def _pc_command(match: re.Match[str], log: Log) -> Diagnosis | None:
    """The arguments of a `pkg-config` that failed: what it was asked for comes last."""
    words = re.findall(r"(?<![\w.-])[A-Za-z][\w.+-]{0,80}", match.group(1))
    return (
        lacking("missing-pkg-config", log.package, Missing("pkg-config", words[-1]))
        if words
        else None
    )


def _requirements_of_pkg_config(match: re.Match[str], log: Log) -> Diagnosis | None:
    """``configure: error: Package requirements (a >= 1 b) were not met``."""
    names = re.findall(r"([A-Za-z][\w.+-]*)(?: ?[<>=]+ ?[\w.]+)?", match.group(1))
    missing = [Missing("pkg-config", name) for name in names]
    old = [line for line in log.after(match, 6) if "but version of" in line]
    return None if old or not missing else lacking("missing-pkg-config", log.package, *missing)


def _too_old(match: re.Match[str], log: Log) -> Diagnosis | None:
    name, wanted, found = (match.group(each) for each in ("name", "wanted", "found"))
    if name.startswith("Python"):
        return Diagnosis(
            kind="python-refused",
            cause=f"its build wants Python {wanted}, and the target has {found}",
            hint=f"pin another version of {log.package}, or choose a target with another Python",
        )
    own = name.removeprefix("lib") == log.package
    which = f"{log.package}<={found}" if own else f"an older {log.package}"
    return Diagnosis(
        kind="library-too-old",
        cause=f"it needs {name} {wanted}, and the distribution has {found}",
        hint=f"pin {which}, or choose a target whose distribution is newer",
    )


def _soname(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = match.group(1)
    if plain := re.match(r"lib([\w+-]{1,60})\.so$", name):
        missing = Missing("library", plain.group(1))
    else:
        missing = Missing("soname", name)
    return lacking("missing-library", log.package, missing)


_VERSIONS = r"'?(?P<wanted>[<>=!]{0,2} ?[\w.]{1,20})"

SYSTEM: tuple[Symptom, ...] = (
    Symptom(
        r"fatal error: ['\"<]?([\w./+-]{1,200})['\">]?:? (?:No such file|file not found)", _header
    ),
    Symptom(r"\b(?:cannot find|unable to find library) -l(:?[\w.+-]{1,100})", _library),
    Symptom(r"\bcannot find (lib[\w.+-]{1,100}\.(?:so|a)[\w.]{0,20})", _library),
    Symptom(r"Package requirements \(([^)\n]{1,300})\) were not met", _requirements_of_pkg_config),
    Symptom(rf"pkg-config package '({NAME})", _pc),
    Symptom(rf"No package '({NAME})' found", _pc, Rank.CLUE),
    Symptom(rf"Package '?({NAME}?)'? was not found in the pkg-config", _pc, Rank.CLUE),
    Symptom(rf"Package '({NAME})', required by '[^'\n]{{1,80}}', not found", _pc, Rank.CLUE),
    Symptom(r"Command '\[?'?pkg-config\b([^\n]{1,300}) returned non-zero", _pc_command, Rank.CLUE),
    Symptom(
        rf"Requested '(?P<name>{NAME}?) {_VERSIONS}' but version of [^\n]{{1,80}} is"
        r" (?P<found>[\w.]{1,20})",
        _too_old,
    ),
    Symptom(
        rf"Invalid version(?: of dependency)?, need '(?P<name>{NAME})'"
        rf" \[{_VERSIONS}'[^\n]{{0,80}}\]"
        r" found '(?P<found>[\w.]{1,20})'",
        _too_old,
    ),
    Symptom(
        rf"Dependency '?(?P<name>{NAME})'? found: NO[^\n]{{0,20}} found"
        r" '?(?P<found>[\w.]{1,20})'? "
        rf"but need: {_VERSIONS}",
        _too_old,
    ),
    Symptom(
        rf"Could NOT find (?P<name>{NAME}): Found unsuitable"
        r" version\s{1,20}\"(?P<found>[\w.]{1,20})\",\s{1,20}but\s{1,20}"
        r"required\s{1,20}is\s{1,20}(?:at\s{1,20}least"
        r"|exact\s{1,20}version)\s{1,20}\"(?P<wanted>[\w.]{1,20})\"",
        _too_old,
    ),
    Symptom(
        rf"\brequires? at least (?P<name>lib{NAME}) (?P<wanted>[\w.]{{1,20}}),? but"
        r" (?P<found>[\w.]{1,20}) was found",
        _too_old,
    ),
    Symptom(r"(lib[\w.+-]{1,80}\.so[\w.]{0,20}): cannot open shared object file", _soname),
)
