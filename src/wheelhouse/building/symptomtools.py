"""Symptoms of programs that the builder has not, and what setup scripts say in words of"
" their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.building.answers import cuda, fortran, java, lacking, program, rust
from wheelhouse.building.symptoms import NAME, Diagnosis, Rank, Symptom, first_group
from wheelhouse.missing import Missing

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log

#: Programs that builds can do without, and ask about their system.
_OPTIONAL = {"dpkg", "dpkg-architecture", "hostname", "ldconfig", "lsb_release", "rpm", "uname"}

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


_PROGRAMS = (
    r"(?:[a-z][\w.+]{0,30}[-_]config|apxs|autoconf|automake|autoreconf|bison|bzip2|cargo"
    r"|clang|cmake"
    r"|CMake|doxygen|flex|gcc|g\+\+|gfortran|git|go|gperf|hg|java|javac|libtool|libtoolize"
    r"|llvm-config"
    r"|m4|make|meson|mpicc|msgfmt|nasm|ninja|Ninja|node|npm|nvcc|pandoc|patch|perl|pkg-config"
    r"|pkgconf"
    r"|protoc|qmake|ragel|re2c|rustc|svn|swig|SWIG|tar|thrift|unzip|xz|xxd|yasm|dot|dotnet)"
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


def _cuda_variable(match: re.Match[str], log: Log) -> Diagnosis | None:
    return cuda(log.package, f"it looks for {match.group(1)}", Missing("program", "nvcc"))


TOOLS: tuple[Symptom, ...] = (
    Symptom(r"KeyError: '(CUDA_HOME|CUDA_PATH|CUDACXX)'", _cuda_variable),
    Symptom(r"Failed to find nvcc|Your CUDA environment is invalid", _cuda),
    Symptom(r"Error: CUDA_HOME environment variable is not set", _cuda),
    Symptom(r"nvcc (?:was )?not found|CUDA_(?:HOME|PATH) [^\n]{0,30}not set", _cuda, Rank.CLUE),
    Symptom(r"error: command '([^'\s]{1,200})' failed: No such file", _program),
    Symptom(rf"unable to execute '({NAME})': No such file", _program),
    Symptom(
        r"^[ \t]{0,40}(?:error|[\w.]{1,80}): \[Errno 2\] No such file or directory:"
        r" '([^'\n]{1,200})'",
        _no_such_file,
    ),
    Symptom(r"\[Errno 2\] No such file or directory: '([^'\n]{1,200})'", _no_such_file, Rank.CLUE),
    Symptom(rf"\bmake(?:\[\d{{1,3}}\])?: ({NAME}): No such file or directory", _program),
    Symptom(rf"\benv: ['`]({NAME})': No such file", _program),
    Symptom(
        r"\bsh: (?:line )?\d{1,6}: ([\w./+-]{1,100}): (?:command )?not found",
        _program,
        Rank.CLUE,
    ),
    Symptom(rf": (?:line \d{{1,6}}: )?({NAME}): command not found", _program, Rank.CLUE),
    Symptom(rf"Can't exec \"({NAME})\": No such file", _program),
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
        r"(?i)\bno Fortran compiler found|Fortran compiler (?:was )?not found|requires a"
        r" Fortran compiler",
        _fortran,
    ),
    Symptom(
        rf"\b({_PROGRAMS})['\"`]?(?: executable| tool| program| binary| command)?(?: is| was|"
        r" could)?"
        r"(?: not (?:be )?(?:found|available|installed)| missing)\b",
        _program,
        Rank.CLUE,
    ),
    Symptom(
        r"(?i:could not|can't|cannot|can not|unable to|failed to) (?:find|run|execute|locate"
        r"|call) "
        rf"(?:the )?(?:an? )?['\"`]?({_PROGRAMS})\b(?!\.\w)",
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
    Symptom(r"Did not find ([A-Za-z][\w-]{1,40}) version \d{1,3} headers", _said_libraries),
    Symptom(r"Unable to load dependency ([\w-]{1,40}), make sure", _said_libraries),
    Symptom(
        r"(?:Could not|Cannot|Can't) find (?:the )?(?:shared )?library '?(?:lib)?([\w+-]{1,60})",
        _said_libraries,
    ),
    Symptom(
        r"(?i)could not find (?:the )?(?:\w{1,20} )?header(?: file)?"
        r" ['\"<]?([\w./+-]{1,80}\.h\w{0,2})",
        _said_header,
    ),
    Symptom(
        r"(?i)(?:could not|cannot|can't|unable to) find ['\"<]?([\w./+-]{1,80}\.h(?:pp|xx)?)\b",
        _said_header,
        Rank.CLUE,
    ),
    Symptom(
        r"\b([A-Za-z][\w./+-]{1,80}\.h(?:pp|xx)?) (?:header )?(?:file )?(?:was |is |could )?not"
        r" (?:be )?found",
        _said_header,
        Rank.CLUE,
    ),
    Symptom(rf"error: ({NAME}) is not installed or not in path", _said_not_in_path),
    Symptom(r"Cannot compile MPI programs", _mpi),
    Symptom(
        r"environment variable JAVA_HOME|JAVA_HOME (?:is |environment variable )?not (?:set|found)",
        _jdk,
    ),
    Symptom(r"\b([a-z][\w+-]{1,30}) executable (?:was )?not found", _program, Rank.CLUE),
    Symptom(rf"The '({NAME})' command appears not to be installed", _program, Rank.CLUE),
    Symptom(r"Specify a working (qmake)\b|PyProjectOptionException\('(qmake)'", _program),
    Symptom(r"without R in the PATH or R_HOME defined", _r),
)
