"""What is told of a cause, wherever it is found, and the lines that help against it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.building.symptoms import Diagnosis, quoted
from wheelhouse.cuda import HOME
from wheelhouse.missing import Missing
from wheelhouse.text import exact_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheelhouse.building.symptoms import Log
    from wheelhouse.engine import Limits

    Rule = Callable[[re.Match[str], Log], Diagnosis | None]

#: Programs of a kind of their own: what to do is another thing than adding one package.
_COMPILERS = {
    "c++",
    "c89",
    "c99",
    "cc",
    "clang",
    "clang++",
    "g++",
    "gcc",
    "icc",
    "x86_64-linux-gnu-gcc",
}

_FORTRAN = {"f77", "f90", "f95", "flang", "fort77", "g77", "g95", "gfortran", "ifort", "mpif90"}

_RUST = {"cargo", "rustc", "rustup"}

_JAVA = {"jar", "java", "javac", "javah", "mvn"}

_CUDA = {"nvcc"}

#: By how headers and libraries of CUDA begin: the part of the toolkit that has them. The compiler
#: and the run time are in every toolkit.
_OF_TOOLKIT = {
    **{part: part for part in ("cublas", "cufft", "cufile", "cupti", "curand", "cusolver")},
    **{part: part for part in ("cusparse", "npp", "nvfatbin", "nvjitlink", "nvjpeg", "nvml")},
    "nvidia-ml": "nvml",
    "nvperf": "cupti",
    "nvrtc": "nvrtc",
    "nvtoolsext": "nvtx",
    "nvtx": "nvtx",
    "cuda_profiler_api": "profiler",
    "cudaprofiler": "profiler",
}

#: Libraries of the driver's, which is on servers alone: builders have what stands for them.
_OF_DRIVER = {"cuda", "nvidia-ml"}

#: What is no part of it, but in wheels of its own.
_OF_NVIDIA = {
    "cudnn": "nvidia-cudnn-cu13",
    "cusparselt": "nvidia-cusparselt-cu13",
    "nccl": "nvidia-nccl-cu13",
    "nvshmem": "nvidia-nvshmem-cu13",
}

_MPI = {"mpicc", "mpicxx", "mpic++", "mpif90", "mpirun"}

_OTHER_SYSTEMS = {"brew", "cl", "cl.exe", "otool", "port", "sw_vers", "xcode-select", "xcrun"}

_DOWNLOADERS = {"bazel", "bazelisk", "conan", "curl", "pip", "vcpkg", "wget"}

#: Programs that PyPI has too, in wheels that need nothing of the distribution.
OF_PYPI = {
    "cmake": "cmake",
    "cmake3": "cmake",
    "cppy": "cppy",
    "cython": "cython",
    "cython3": "cython",
    "f2py": "numpy",
    "maturin": "maturin",
    "meson": "meson",
    "ninja": "ninja",
    "ninja-build": "ninja",
    "pybind11-config": "pybind11",
    "pythran": "pythran",
    "samu": "ninja",
    "scons": "scons",
    "sip-build": "sip",
    "sphinx-build": "sphinx",
}

SYSTEM_HINT = 'add the distribution\'s package that has it: `[packages.{package}] system = ["…"]`'


# -- The lines of `wheelhouse.toml` ------------------------------------------------------------


def system_fix(package: str, names: Iterable[str]) -> str:
    """The lines of `wheelhouse.toml` that give *package*'s build the distribution's *names*."""
    return _list(package, "system", names)


def requires_fix(package: str, requirements: Iterable[str]) -> str:
    """The lines that give *package*'s build more *requirements*, or limits to those it has."""
    return _list(package, "build-requires", requirements)


def against_fix(package: str, names: Iterable[str]) -> str:
    """The lines that have *package* built against the locked versions of *names*."""
    return _list(package, "build-against", names)


def declared_fix(package: str, requirements: Iterable[str]) -> str:
    """The lines that give *package* itself *requirements* that it does not declare."""
    return _list(package, "requires", requirements)


def runtime_fix(package: str, names: Iterable[str], family: str | None = None) -> str:
    """The lines that have the server get the distribution's *names* for *package*.

    :param family: the only kind of distribution that calls them so, if there are others.
    """
    listed = f"[{', '.join(map(_string, names))}]"
    value = f"{{ {family} = {listed} }}" if family else listed
    return f"[packages.{package}]\nruntime-system = {value}"


def env_fix(package: str, name: str, value: str) -> str:
    """The lines that set a variable of *package*'s build."""
    return f"[packages.{package}.env]\n{name} = {_string(value)}"


def limits_fix(key: str, value: str) -> str:
    """The lines that raise one of the limits of containers to *value*."""
    return f"[limits]\n{key} = {value}"


def more_memory(limits: Limits) -> str:
    """The lines that give containers twice the memory."""
    return limits_fix("memory", _string(exact_size(2 * limits.memory)))


def _list(package: str, key: str, values: Iterable[str]) -> str:
    return f"[packages.{package}]\n{key} = [{', '.join(map(_string, values))}]"


def _string(value: str) -> str:
    """*value* as a basic string of TOML, which JSON's strings are."""
    return json.dumps(value, ensure_ascii=False)


# -- Of the distribution ------------------------------------------------------------


def lacking(kind: str, package: str, *missing: Missing) -> Diagnosis:
    """What to tell of a thing of the distribution that was not there."""
    return Diagnosis(
        kind=kind,
        cause=f"{missing[0]} is missing in the builder",
        hint=SYSTEM_HINT.format(package=package),
        missing=missing,
    )


def requiring(kind: str, package: str, cause: str, *requirements: str) -> Diagnosis:
    """What to tell of build requirements that would help, and that the sdist does not name."""
    return Diagnosis(
        kind=kind,
        cause=cause,
        hint="give its build what it does not ask for itself",
        fix=requires_fix(package, requirements),
        requires=requirements,
    )


def built_against(package: str, module: str, cause: str) -> Diagnosis:
    """Of a build that needs a requirement of the package itself."""
    return Diagnosis(
        kind="build-against",
        cause=f"{cause}: its build needs {module}, and its build requirements do not name it",
        hint=f"have it built against the {module} that is locked for the target; if the "
        f"requirements do not ask for {module} yet, add it there",
        fix=against_fix(package, [module]),
        imports=(module,),
    )


def cuda(package: str, why: str, *missing: Missing) -> Diagnosis:
    """Of a build that wants NVIDIA's compiler, or a library of NVIDIA's."""
    name = next((each.name.removeprefix("lib").lower() for each in missing), "")
    of_wheels = next((word for word in _OF_NVIDIA if name.startswith(word)), None)
    part = next((part for word, part in _OF_TOOLKIT.items() if name.startswith(word)), None)
    if of_wheels is not None:
        hint = (
            f"have it in its build environment: `[packages.{package}] build-requires`, such as "
            f'["{_OF_NVIDIA[of_wheels]}"] for CUDA 13'
        )
    elif part is not None:
        hint = (
            f'have that part in the builders\' toolkit: cuda-libraries = ["{part}"] in the target, '
            f"below its `cuda`, and no cuda = false in [packages.{package}]"
        )
        if "_static" in name:
            hint += (
                ". NVIDIA's wheels have few static libraries: if that does not help, have its "
                "build use the shared one"
            )
    else:
        hint = (
            'write which CUDA its servers run into the target, such as cuda = "13.2", unless '
            f"it is there; if it is, write cuda = true into [packages.{package}], in place of any "
            f"`cuda = false`. Or pin a version of {package} that has a wheel"
        )
    return Diagnosis(
        kind="missing-cuda",
        cause=f"it needs {'a part of ' if part and not of_wheels else ''}the CUDA toolkit: {why}",
        hint=hint,
        missing=missing,
    )


def cuda_linked(package: str, name: str) -> Diagnosis:
    """Of a linker that does not find NVIDIA's library *name*: it may be where none looks."""
    found = cuda(package, f"it is linked with {name}", Missing("library", name))
    if name.lower().startswith(tuple(_OF_NVIDIA)):
        return found  # compilers are told where wheels have theirs
    stubs = "/stubs" if name in _OF_DRIVER else ""
    return replace(
        found,
        hint=f"{found.hint}. If the toolkit has it, -L$CUDA_HOME/lib64{stubs} is missing where it "
        f"is linked, and this makes up for it: [packages.{package}.env] "
        f'LIBRARY_PATH = "{HOME}/lib64{stubs}"',
    )


def java(package: str, *missing: Missing) -> Diagnosis:
    """Of a build that wants a Java development kit."""
    return lacking("missing-java", package, *missing)


def other_system(package: str, why: str) -> Diagnosis:
    """Of a build that is not meant for Linux."""
    return Diagnosis(
        kind="other-system",
        cause=f"it is for another operating system than the target's: {why}",
        hint=f"leave {package} out where the target is Linux, by a marker such as "
        "`; sys_platform == 'win32'`",
    )


def other_cpu(package: str, why: str) -> Diagnosis:
    """Of code for another processor."""
    return Diagnosis(
        kind="other-cpu",
        cause=f"its code is for another processor than it is compiled for: {why}",
        hint=f"pin a version of {package} that knows the target's processor; if the servers have "
        f"one of a newer level, say so to the compiler: `[packages.{package}.env]` CFLAGS",
    )


def program(name: str, package: str) -> Diagnosis:
    """What to tell of a program that is not there."""
    name = name.rpartition("/")[2]
    low = name.lower()
    if required := OF_PYPI.get(low):
        cause = f"the program {name} is missing in the builder"
        return requiring("missing-build-tool", package, cause, required)
    missing = Missing("program", low if low in {"swig", "cmake"} else name)
    if name in _RUST:
        return rust(package)
    if name in _FORTRAN and name not in _MPI:
        return fortran(package)
    if name in _JAVA:
        return java(package, missing)
    if name in _CUDA:
        return cuda(package, f"it calls {name}", missing)
    if name in _OTHER_SYSTEMS:
        return other_system(package, f"it calls {name}")
    if name in _DOWNLOADERS:
        return Diagnosis(
            kind="download",
            cause=f"its build calls {name}, which downloads, and builds have no network",
            hint="give it by `system` what it would fetch, or tell it to do without: "
            f"`[packages.{package}.env]`, or config-settings",
        )
    kind = "missing-compiler" if name in _COMPILERS else "missing-program"
    if kind == "missing-program" and name.endswith(("-config", "_config")):
        kind = "missing-config-program"
    return lacking(kind, package, missing)


def rust(package: str) -> Diagnosis:
    """Of a build that wants a Rust compiler."""
    return Diagnosis(
        kind="missing-rust",
        cause="it is written in Rust, and the builder has no Rust compiler",
        hint=f'use a wheel of it: `[packages.{package}] source = "wheel"`; where the target has '
        "none, pin a version that has: what it is made of would be downloaded, too",
        missing=(Missing("program", "cargo"), Missing("program", "rustc")),
    )


def fortran(package: str) -> Diagnosis:
    """Of a build that wants a Fortran compiler."""
    return Diagnosis(
        kind="missing-fortran",
        cause="it has Fortran code, and the builder has no Fortran compiler",
        hint=f'add one: `[packages.{package}] system = ["gfortran"]`, or as the distribution names '
        "it; or use a wheel of it",
        missing=(Missing("program", "gfortran"),),
    )


# -- Of the wrong age ------------------------------------------------------------


def aged(kind: str, cause: str, *constraints: str, dated: bool = True) -> Rule:
    """A rule for build requirements that are too new, or too old."""

    def rule(match: re.Match[str], log: Log) -> Diagnosis:
        groups = [quoted(group) for group in match.groups() if group is not None]
        return Diagnosis(
            kind=kind,
            cause=cause.format(*groups),
            hint=f"give its build the tools of its time, or pin a newer {log.package}",
            fix=requires_fix(log.package, constraints) if constraints else None,
            constraints=constraints,
            dated=dated,
        )

    return rule


def of_old_setuptools(match: re.Match[str], log: Log) -> bool:
    """Whether an exception was raised in a setuptools, or a pip or wheel, of the environment."""
    where = log.raised_in(match)
    return re.search(r"site-packages/(?:setuptools|pkg_resources|wheel|pip)/", where) is not None
