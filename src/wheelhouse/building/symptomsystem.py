"""Symptoms of what the distribution has, and the builder has not: headers, libraries, programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.building.symptoms import Diagnosis, Rank, Symptom, first_group, quoted, requires_fix
from wheelhouse.missing import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelhouse.building.symptoms import Log
    from wheelhouse.missing import Kind

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
_MPI = {"mpicc", "mpicxx", "mpic++", "mpif90", "mpirun"}
_OTHER_SYSTEMS = {"brew", "cl", "cl.exe", "otool", "port", "sw_vers", "xcode-select", "xcrun"}
#: Programs that builds can do without, and ask about their system.
_OPTIONAL = {"dpkg", "dpkg-architecture", "hostname", "ldconfig", "lsb_release", "rpm", "uname"}
_DOWNLOADERS = {"bazel", "bazelisk", "conan", "curl", "vcpkg", "wget"}

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
    "pip": "pip",
    "pybind11-config": "pybind11",
    "pythran": "pythran",
    "samu": "ninja",
    "scons": "scons",
    "sip-build": "sip",
    "sphinx-build": "sphinx",
}

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
    r"(?:cuda|cublas|cudnn|cufft|curand|cusparse|cusolver|nvml|nccl|nvToolsExt|NvInfer|nvrtc)"
    r"[\w/]*\.h(?:pp)?$"
)
_OF_OTHER_SYSTEMS = re.compile(
    r"(?i)(?:windows|winsock2?|winbase|winioctl|direct|io|tchar|shlobj|sys/event|sys/sysctl)\.h$"
    r"|(?:mach|libkern|Carbon|CoreFoundation|Foundation|ApplicationServices|IOKit|Cocoa|AppKit)/"
)
_OF_CPUS = re.compile(r"(?:[a-z]mm|nmm|imm|x86)intrin\.h$|cpuid\.h$|arm_(?:neon|sve|acle)\.h$")

#: What a setup.py calls a library, and a header of it.
_HEADERS = {
    "berkeley db": "db.h",
    "bzip2": "bzlib.h",
    "curl": "curl/curl.h",
    "expat": "expat.h",
    "fftw": "fftw3.h",
    "fftw3": "fftw3.h",
    "freetype": "ft2build.h",
    "hdf5": "hdf5.h",
    "jpeg": "jpeglib.h",
    "lcms": "lcms2.h",
    "lz4": "lz4.h",
    "lzma": "lzma.h",
    "netcdf": "netcdf.h",
    "openssl": "openssl/ssl.h",
    "png": "png.h",
    "readline": "readline/readline.h",
    "snappy": "snappy-c.h",
    "sqlite": "sqlite3.h",
    "sqlite3": "sqlite3.h",
    "tiff": "tiffio.h",
    "webp": "webp/decode.h",
    "zlib": "zlib.h",
    "zstd": "zstd.h",
}

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

_NAME = r"[\w.+-]{1,80}"
_PROGRAMS = (
    r"(?:[a-z][\w.+]{0,30}[-_]config|apxs|autoconf|automake|autoreconf|bison|bzip2|cargo|clang|cmake"
    r"|CMake|doxygen|flex|gcc|g\+\+|gfortran|git|go|gperf|hg|java|javac|libtool|libtoolize|llvm-config"
    r"|m4|make|meson|mpicc|msgfmt|nasm|ninja|Ninja|node|npm|nvcc|pandoc|patch|perl|pkg-config|pkgconf"
    r"|protoc|qmake|ragel|re2c|rustc|svn|swig|SWIG|tar|thrift|unzip|xz|xxd|yasm|dot|dotnet)"
)

SYSTEM_HINT = 'add the distribution\'s package that has it: `[packages.{package}] system = ["…"]`'


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


# -- Headers -------------------------------------------------------------------------------


def _header(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = first_group(match).removeprefix("./")
    top = name.partition("/")[0]
    if name in {"Python.h", "pyconfig.h"}:
        return Diagnosis(
            kind="missing-python-headers",
            cause=f"Python's own header {name} is missing in the builder: its image is not whole",
            hint="have the image made again, or add Python's headers to your own image for building",
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


def built_against(package: str, module: str, cause: str) -> Diagnosis:
    """Of a build that needs a requirement of the package itself."""
    from wheelhouse.building.symptoms import against_fix

    return Diagnosis(
        kind="build-against",
        cause=f"{cause}: its build needs {module}, and its build requirements do not name it",
        hint=f"have it built against the {module} that is locked for the target",
        fix=against_fix(package, [module]),
        imports=(module,),
    )


def cuda(package: str, why: str, *missing: Missing) -> Diagnosis:
    """Of a build that wants NVIDIA's compiler."""
    return Diagnosis(
        kind="missing-cuda",
        cause=f"it needs the CUDA toolkit: {why}",
        hint=f"pin a version of {package} that has a wheel, or declare a platform whose image has "
        "the toolkit",
        missing=missing,
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


# -- Libraries and .pc files ------------------------------------------------------------------


def _library(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = first_group(match).strip("'\"").removeprefix(":")
    name = re.sub(r"^lib(.+)\.(?:so|a)(?:\.[\d.]+)?$", r"\1", name)
    if name in {"cuda", "cudart", "cublas", "cudnn", "nvrtc"}:
        return cuda(log.package, f"it is linked with {name}", Missing("library", name))
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


def _listed_packages(match: re.Match[str], log: Log) -> Diagnosis | None:
    """CMake's list of .pc files that were not found."""
    names = re.findall(r"- ([A-Za-z][\w.+-]*)", "\n".join(log.after(match, 8)))
    missing = [Missing("pkg-config", re.split("[<>=]", name)[0]) for name in names]
    return lacking("missing-pkg-config", log.package, *missing) if missing else None


def _too_old(match: re.Match[str], log: Log) -> Diagnosis | None:
    name, wanted, found = (match.group(each) for each in ("name", "wanted", "found"))
    if name.startswith("Python"):
        return Diagnosis(
            kind="python-refused",
            cause=f"its build wants Python {wanted}, and the target has {found}",
            hint=f"pin another version of {log.package}, or choose a target with another Python",
        )
    return Diagnosis(
        kind="library-too-old",
        cause=f"it needs {name} {wanted}, and the distribution has {found}",
        hint=f"pin an older {log.package}, or choose a target whose distribution is newer",
    )


def _soname(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = match.group(1)
    if plain := re.match(r"lib([\w+-]{1,60})\.so$", name):
        missing = Missing("library", plain.group(1))
    else:
        missing = Missing("soname", name)
    return lacking("missing-library", log.package, missing)


# -- CMake and Meson ------------------------------------------------------------------------


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
        if (found := re.search(rf"(Library|dependency) ({_NAME}) found: NO", line))
    ]
    missing = [
        Missing("library" if kind == "Library" else "pkg-config", name) for kind, name in looked
    ]
    return lacking("missing-dependency", log.package, *dict.fromkeys(missing)) if missing else None


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


# -- Programs ---------------------------------------------------------------------------------


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


def _program(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = first_group(match)
    return None if name in _OPTIONAL else program(name, log.package)


def _rust(match: re.Match[str], log: Log) -> Diagnosis | None:
    return rust(log.package)


def _no_such_file(match: re.Match[str], log: Log) -> Diagnosis | None:
    """``[Errno 2] No such file or directory``: of a program that was called, or of a file."""
    if match.group(1).rpartition("/")[2] in _OPTIONAL:
        return None
    name, above = match.group(1), "\n".join(log.before(match, 14))
    called = "_execute_child" in above or "subprocess" in above or "_spawn" in above
    if name.startswith(("/usr/", "/opt/", "/lib", "/etc/")):
        missing = Missing("program", name.rpartition("/")[2]) if called else Missing("file", name)
        return lacking("missing-program" if called else "missing-file", log.package, missing)
    likely = re.fullmatch(r"[a-z][\w+-]{0,40}", name) and name not in {"version", "requirements"}
    if "/" not in name and (called or (likely and "open(" not in above[-400:])):
        return program(name, log.package)
    return Diagnosis(
        kind="incomplete-sdist",
        cause=f"its build reads the file {name}, which its sdist does not have",
        hint=f"pin another version of {log.package}, or tell the project's maintainers",
    )


def _fortran(match: re.Match[str], log: Log) -> Diagnosis | None:
    return fortran(log.package)


def _cuda(match: re.Match[str], log: Log) -> Diagnosis | None:
    return cuda(log.package, "its build does not find nvcc", Missing("program", "nvcc"))


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
        return _cuda(match, log)
    return program({"C": "gcc", "CXX": "g++", "Swift": "swiftc"}.get(language, "gcc"), log.package)


# -- A setup.py's own words -------------------------------------------------------------------


def _said_libraries(match: re.Match[str], log: Log) -> Diagnosis | None:
    names = [group for group in match.groups() if group]
    missing = []
    for name in names:
        bare = name.removeprefix("lib")
        header = _HEADERS.get(name.lower()) or _HEADERS.get(bare.lower())
        missing.append(Missing("header", header) if header else Missing("library", bare))
    return lacking("missing-library", log.package, *missing)


def _said_header(match: re.Match[str], log: Log) -> Diagnosis | None:
    return lacking("missing-header", log.package, Missing("header", match.group(1)))


def _said_not_in_path(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = match.group(1)
    missing = Missing("pkg-config", name), Missing("program", name)
    return lacking("missing-pkg-config", log.package, *missing)


def _mpi(match: re.Match[str], log: Log) -> Diagnosis | None:
    missing = Missing("program", "mpicc"), Missing("header", "mpi.h")
    return lacking("missing-program", log.package, *missing)


def _jdk(match: re.Match[str], log: Log) -> Diagnosis | None:
    return java(log.package, Missing("program", "javac"))


def _r(match: re.Match[str], log: Log) -> Diagnosis | None:
    return lacking("missing-program", log.package, Missing("program", "R"))


_VERSIONS = r"'?(?P<wanted>[<>=!]{0,2} ?[\w.]{1,20})"

SYSTEM: tuple[Symptom, ...] = (
    Symptom(
        r"fatal error: ['\"<]?([\w./+-]{1,200})['\">]?:? (?:No such file|file not found)", _header
    ),
    Symptom(r"\b(?:cannot find|unable to find library) -l(:?[\w.+-]{1,100})", _library),
    Symptom(r"\bcannot find (lib[\w.+-]{1,100}\.(?:so|a)[\w.]{0,20})", _library),
    # pkg-config
    Symptom(r"Package requirements \(([^)\n]{1,300})\) were not met", _requirements_of_pkg_config),
    Symptom(r"The following required packages were not found:", _listed_packages),
    Symptom(rf"pkg-config package '({_NAME})", _pc),
    Symptom(rf"No package '({_NAME})' found", _pc, Rank.CLUE),
    Symptom(rf"Package '?({_NAME}?)'? was not found in the pkg-config", _pc, Rank.CLUE),
    Symptom(rf"Package '({_NAME})', required by '[^'\n]{{1,80}}', not found", _pc, Rank.CLUE),
    Symptom(r"Command '\[?'?pkg-config\b([^\n]{1,300}) returned non-zero", _pc_command, Rank.CLUE),
    Symptom(
        rf"Requested '(?P<name>{_NAME}?) {_VERSIONS}' but version of [^\n]{{1,80}} is (?P<found>[\w.]+)",
        _too_old,
    ),
    Symptom(
        rf"Invalid version(?: of dependency)?, need '(?P<name>{_NAME})' \[{_VERSIONS}'[^\n]{{0,80}}\]"
        r" found '(?P<found>[\w.]{1,20})'",
        _too_old,
    ),
    Symptom(
        rf"Dependency '?(?P<name>{_NAME})'? found: NO[^\n]{{0,20}} found '?(?P<found>[\w.]{{1,20}})'? "
        rf"but need: {_VERSIONS}",
        _too_old,
    ),
    Symptom(
        rf"Could NOT find (?P<name>{_NAME}): Found unsuitable version\s{{1,20}}\"(?P<found>[\w.]{{1,20}})\",\s{{1,20}}but\s{{1,20}}"
        r"required\s{1,20}is\s{1,20}(?:at\s{1,20}least|exact\s{1,20}version)\s{1,20}\"(?P<wanted>[\w.]{1,20})\"",
        _too_old,
    ),
    Symptom(r"(lib[\w.+-]{1,80}\.so[\w.]{0,20}): cannot open shared object file", _soname),
    # Meson
    Symptom(
        rf"ERROR: Dependency ['\"](?P<name>{_NAME})['\"](?: is required but)? not found", _meson
    ),
    Symptom(
        rf"ERROR: Dependency lookup for (?P<name>{_NAME}) with [^\n]{{1,40}} failed: (?!Invalid version)",
        _meson,
    ),
    Symptom(rf"ERROR: C(?:\+\+)? (?:shared or static )?library '({_NAME})' not found", _library),
    Symptom(r"ERROR: C(?:\+\+)? header '([\w./+-]{1,200})' not found", _header),
    Symptom(rf"ERROR: Program '({_NAME})' not found", _program),
    Symptom(rf"ERROR: Program\(s\) \['({_NAME})'", _program),
    Symptom(r"ERROR: Unknown compiler\(s\): \[(.{1,100})", _unknown_compilers),
    Symptom(r"ERROR: (?:python3?|[\w./-]{1,80}) is missing modules: (?P<name>[\w.]{1,60})", _meson),
    Symptom(r"ERROR: Problem encountered: ", _meson_vain),
    Symptom(
        r"Could not detect Ninja|unable to find a build program corresponding to \"Ninja\""
        r"|could not get a working generator for your system",
        _ninja,
    ),
    # CMake
    Symptom(
        rf"CMake Error[^\n]{{0,300}}\n\s{{0,20}}Could NOT find (?P<name>[\w+-]{{1,60}})\b(?!:)"
        r"(?:[^\n]{0,200}\n[^\n]{0,40}NumPy)?",
        _cmake,
    ),
    Symptom(
        r"Could not find a package configuration file provided\s{1,20}by\s{1,20}\"(?P<name>[\w+-]{1,60})\"",
        _cmake,
    ),
    Symptom(
        r"CMake Error[^\n]{0,300}\((find_\w{1,10})\):\n\s{0,20}Could not find \w{1,60} using the following "
        r"(?:names|files): ([^\n]{1,200})",
        _cmake_names,
    ),
    Symptom(r"No CMAKE_(\w{1,10})_COMPILER could be found", _cmake_language),
    Symptom(r"error: could not find (git|hg|svn) for clone of", _program),
    Symptom(
        r"Failed to find nvcc|nvcc (?:was )?not found|CUDA_HOME environment variable is not set",
        _cuda,
    ),
    Symptom(r"Your CUDA environment is invalid|CUDA_PATH environment variable is not set", _cuda),
    # Programs
    Symptom(r"error: command '([^'\s]{1,200})' failed: No such file", _program),
    Symptom(rf"unable to execute '({_NAME})': No such file", _program),
    Symptom(
        rf"^[ \t]{{0,40}}(?:error|[\w.]{{1,80}}): \[Errno 2\] No such file or directory: '([^'\n]{{1,200}})'",
        _no_such_file,
    ),
    Symptom(r"\[Errno 2\] No such file or directory: '([^'\n]{1,200})'", _no_such_file, Rank.CLUE),
    Symptom(rf"\bmake(?:\[\d{{1,3}}\])?: ({_NAME}): No such file or directory", _program),
    Symptom(rf"\benv: [‘'`]({_NAME})['’]: No such file", _program),
    Symptom(
        rf"\bsh: (?:line )?\d{{1,6}}: ([\w./+-]{{1,100}}): (?:command )?not found",
        _program,
        Rank.CLUE,
    ),
    Symptom(rf": (?:line \d{{1,6}}: )?({_NAME}): command not found", _program, Rank.CLUE),
    Symptom(
        r"no acceptable (?:C|C\+\+) compiler found|\b(gcc): command not found",
        lambda _, log: program("gcc", log.package),
    ),
    Symptom(
        r"(?i)can't find (?:the )?Rust compiler|Rust toolchain[^\n]{0,40} not (?:found|installed)",
        _rust,
    ),
    Symptom(r"Cargo, the Rust package manager, is not installed|static\.rust-lang\.org", _rust),
    Symptom(
        r"Rust not found, installing into a temporary directory|requires Rust(?:,| and Cargo| to)",
        _rust,
    ),
    Symptom(
        r"(?i)\bno Fortran compiler found|Fortran compiler (?:was )?not found|requires a Fortran compiler",
        _fortran,
    ),
    # A setup.py's own words
    Symptom(
        rf"\b({_PROGRAMS})['\"`]?(?: executable| tool| program| binary| command)?(?: is| was| could)?"
        r"(?: not (?:be )?(?:found|available|installed)| missing)\b",
        _program,
        Rank.CLUE,
    ),
    Symptom(
        rf"(?i:could not|can't|cannot|can not|unable to|failed to) (?:find|run|execute|locate|call) "
        rf"(?:the )?(?:an? )?['\"`]?({_PROGRAMS})\b(?!\.)",
        _program,
        Rank.CLUE,
    ),
    Symptom(
        rf"\b({_PROGRAMS}) (?:must be|needs to be|has to be) (?:installed|in)\b",
        _program,
        Rank.CLUE,
    ),
    Symptom(rf"(?i:please install) ['\"`]?({_PROGRAMS})\b", _program, Rank.VAGUE),
    Symptom(
        r"\b(lib[\w+-]{1,40}) and (lib[\w+-]{1,40}) development packages are installed",
        _said_libraries,
    ),
    Symptom(
        r"need to install ([\w+-]{1,40}) development (?:headers|files|packages?)", _said_libraries
    ),
    Symptom(r"headers or library files could not be found for ([\w+-]{1,40})", _said_libraries),
    Symptom(r"RequiredDependencyException: ([\w+-]{1,40})$", _said_libraries),
    Symptom(
        r"(?:Can't|Could not|Cannot) find a local (?:Oracle )?([A-Z][\w +-]{1,40}?) installation",
        _said_libraries,
    ),
    Symptom(r"Did not find ([A-Za-z][\w-]{1,40}) version \d+ headers", _said_libraries),
    Symptom(r"Unable to load dependency ([\w-]{1,40}), make sure", _said_libraries),
    Symptom(
        r"(?:Could not|Cannot|Can't) find (?:the )?(?:shared )?library '?(?:lib)?([\w+-]{1,60})",
        _said_libraries,
    ),
    Symptom(
        r"(?i)could not find (?:the )?(?:\w{1,20} )?header(?: file)? ['\"<]?([\w./+-]{1,80}\.h\w{0,2})",
        _said_header,
    ),
    Symptom(
        r"(?i)(?:could not|cannot|can't|unable to) find ['\"<]?([\w./+-]{1,80}\.h(?:pp|xx)?)\b",
        _said_header,
        Rank.CLUE,
    ),
    Symptom(rf"error: ({_NAME}) is not installed or not in path", _said_not_in_path),
    Symptom(r"Cannot compile MPI programs", _mpi),
    Symptom(
        r"environment variable JAVA_HOME|JAVA_HOME (?:is |environment variable )?not (?:set|found)",
        _jdk,
    ),
    Symptom(rf"\b([a-z][\w+-]{{1,30}}) executable (?:was )?not found", _program, Rank.CLUE),
    Symptom(rf"The '({_NAME})' command appears not to be installed", _program, Rank.CLUE),
    Symptom(r"Specify a working (qmake)\b|PyProjectOptionException\('(qmake)'", _program),
    Symptom(r"without R in the PATH or R_HOME defined", _r),
    Symptom(r"configure: error:([^\n]{0,200})", _configure),
)
