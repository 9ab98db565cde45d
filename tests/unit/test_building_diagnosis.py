"""From a build's output to its cause: excerpts of real logs, and ones that must not mislead."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from wheelhouse.building.diagnosis import Diagnosis, diagnose
from wheelhouse.building.runner import Failure
from wheelhouse.engine import GIB, Limits


def told(tail: str, stage: str = "build", message: str = "its build backend failed") -> Diagnosis:
    failure = Failure(stage, message, Path("log"), tail)
    return diagnose(failure, "demo", Limits(memory=2 * GIB, deadline=90))


PYTHON_H = """\
      gcc -pthread -Wsign-compare -fPIC -I/usr/include/python3.11 -c src/demo.c -o demo.o
      src/demo.c:1:10: fatal error: Python.h: No such file or directory
          1 | #include <Python.h>
            |          ^~~~~~~~~~
      compilation terminated.
      error: command '/usr/bin/gcc' failed with exit code 1
"""

LDAP = """\
      In file included from Modules/LDAPObject.c:3:
      Modules/common.h:15:10: fatal error: lber.h: No such file or directory
"""

NESTED_HEADER = "x.cpp:3:10: fatal error: hdf5/serial/hdf5.h: No such file or directory\n"

CLANG = "demo.c:1:10: fatal error: 'ffi.h' file not found\n"

LINKER = """\
      gcc -shared build/temp/demo.o -lgfortran -lopenblas -o demo.so
      /usr/bin/ld: cannot find -lopenblas: No such file or directory
      collect2: error: ld returned 1 exit status
"""

PG_CONFIG = """\
      Error: pg_config executable not found.

      pg_config is required to build psycopg2 from source.  Please add the directory
      containing pg_config to the $PATH or specify the full executable path with the
      option:
"""

MYSQL = """\
      /bin/sh: 1: mysql_config: not found
      /bin/sh: 1: mariadb_config: not found
      Exception: Can not find valid pkg-config name.
"""

PKG_CONFIG = """\
      Package libffi was not found in the pkg-config search path.
      Perhaps you should add the directory containing `libffi.pc'
      to the PKG_CONFIG_PATH environment variable
      No package 'libffi' found
"""

MESON = """\
      Found pkg-config: YES (/usr/bin/pkg-config) 1.8.1
      Run-time dependency cairo found: NO (tried pkgconfig and cmake)

      ../cairo/meson.build:31:12: ERROR: Dependency "cairo" not found, tried pkgconfig and cmake
"""

CMAKE = """\
      CMake Error at /usr/share/cmake/Modules/FindPackageHandleStandardArgs.cmake:230 (message):
        Could NOT find OpenSSL, try to set the path to OpenSSL root folder in the
        system variable OPENSSL_ROOT_DIR (missing: OPENSSL_CRYPTO_LIBRARY)
"""

XMLSEC = "/bin/sh: 1: xml2-config: not found\n"

SWIG = """\
      running build_ext
      building 'M2Crypto._m2crypto' extension
      swigging src/SWIG/_m2crypto.i to src/SWIG/_m2crypto_wrap.c
      error: [Errno 2] No such file or directory: 'swig'
"""

NO_GCC = """\
      building 'demo._speedups' extension
      gcc -pthread -fPIC -c demo.c
      error: command 'gcc' failed: No such file or directory
"""

RUST = """\
      running build_rust
      error: can't find Rust compiler

      If you are using an outdated pip version, it is possible a prebuilt wheel is available
"""

CARGO = """\
      Cargo, the Rust package manager, is not installed or is not on PATH.
      This package requires Rust and Cargo to compile extensions. Install it through
"""

NETWORK = """\
      WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(
      '<urllib3.connection.HTTPSConnection object>: Failed to establish a new connection:
      [Errno -3] Temporary failure in name resolution')': /simple/numpy/
"""

NETWORK_GIT = """\
      Cloning into 'third_party/pybind11'...
      fatal: unable to access 'https://github.com/x/pybind11/': Could not resolve host: github.com
"""

NO_MODULE = """\
        File "/build/source/demo-1.0/setup.py", line 4, in <module>
          import numpy
      ModuleNotFoundError: No module named 'numpy'
"""

PKG_RESOURCES = "ModuleNotFoundError: No module named 'pkg_resources'\n"

MISSING_FILE = """\
        File "/build/source/demo-1.0/setup.py", line 9, in <module>
          install_requires=open('requirements.txt').readlines(),
      FileNotFoundError: [Errno 2] No such file or directory: 'requirements.txt'
"""

MISSING_VERSION = "FileNotFoundError: [Errno 2] No such file or directory: 'VERSION'\n"


@pytest.mark.parametrize(
    ("tail", "cause"),
    [
        (PYTHON_H, "the header Python.h is missing in the builder"),
        (LDAP, "the header lber.h is missing in the builder"),
        (NESTED_HEADER, "the header hdf5/serial/hdf5.h is missing in the builder"),
        (CLANG, "the header ffi.h is missing in the builder"),
        (LINKER, "the library openblas is missing in the builder"),
        (PG_CONFIG, "the tool pg_config is missing in the builder"),
        (MYSQL, "the tool mysql_config is missing in the builder"),
        (PKG_CONFIG, "the pkg-config file libffi.pc is missing in the builder"),
        (
            PKG_CONFIG.partition("No pack")[0],
            "the pkg-config file libffi.pc is missing in the builder",
        ),
        (MESON, "the dependency cairo is missing in the builder"),
        (CMAKE, "the dependency OpenSSL is missing in the builder"),
        (XMLSEC, "the tool xml2-config is missing in the builder"),
        ("sh: line 1: curl-config: command not found\n", "the tool curl-config is missing"),
        (SWIG, "the tool swig is missing in the builder"),
        (NO_GCC, "the tool gcc is missing in the builder"),
        (RUST, "the compiler Rust is missing in the builder"),
        (CARGO, "the compiler Rust is missing in the builder"),
    ],
)
def test_what_the_system_lacks(tail: str, cause: str) -> None:
    found = told(tail)
    assert found.cause.startswith(cause)
    assert '`[packages.demo] system = ["' in found.hint


@pytest.mark.parametrize(
    "tail",
    [
        NETWORK,
        NETWORK_GIT,
        "OSError: [Errno 101] Network is unreachable",
        "urllib.error.URLError: <urlopen error [Errno -2] Name or service not known>",
        "curl: (6) Could not resolve host: example.com",
    ],
)
def test_a_build_that_wants_the_network(tail: str) -> None:
    found = told(tail)
    assert found.cause == "the build wants the network, and builds have none"
    assert "[packages.demo]" in found.hint


def test_an_undeclared_build_requirement() -> None:
    found = told(NO_MODULE)
    assert found.cause == "its build imports numpy, which its build requirements do not name"
    assert "demo" in found.hint


def test_the_pkg_resources_of_old() -> None:
    assert "setuptools 82" in told(PKG_RESOURCES).cause


@pytest.mark.parametrize(
    ("tail", "name"), [(MISSING_FILE, "requirements.txt"), (MISSING_VERSION, "VERSION")]
)
def test_a_file_that_the_sdist_lacks_is_not_called_a_tool(tail: str, name: str) -> None:
    found = told(tail)
    assert found.cause == f"its build reads the file {name}, which its sdist does not have"
    assert "pin another version" in found.hint


@pytest.mark.parametrize(
    ("stage", "cause", "hint"),
    [
        ("memory", "the build ran out of memory (limit: 2.1 GB)", "memory"),
        ("deadline", "the build did not end within 90 s and was stopped", "deadline"),
        ("output", "its result was refused: the message", "log"),
        ("protocol", "its result was refused: the message", "log"),
        ("extension", "the message", "`[packages.demo] allow-pure = true`"),
        ("unpack", "the message", "pin another version"),
        ("unlocked", "the message", "`wheelhouse lock`"),
    ],
)
def test_a_stage_that_explains_itself(stage: str, cause: str, hint: str) -> None:
    found = told(PYTHON_H, stage, "the message")  # what the log has is its echo
    assert found.cause == cause
    assert hint in found.hint


def test_of_an_unknown_failure_the_last_telling_line_is_shown() -> None:
    tail = "all is well\n  \x1b[31mERROR: assertion failed\x1b[0m in x\nmore\n\n"
    found = told(tail)
    assert found.cause == "its build backend failed (ERROR: assertion failed in x)"
    assert "log" in found.hint


def test_without_a_telling_line_the_last_one_is_shown() -> None:
    assert told("first\nlast words\n\n").cause == "its build backend failed (last words)"
    assert told("").cause == "its build backend failed"


def test_the_last_words_are_short_and_harmless() -> None:
    cause = told("error: " + "x" * 5000 + "\n").cause
    assert len(cause) < 300
    assert "::set-env" not in told("::set-env name=error::x\n").cause


@pytest.mark.parametrize("unit", ["a", "a-", "-config", "error ", "'", "a.", "\\", "Package x "])
def test_no_log_takes_long(unit: str) -> None:
    """A log is what a stranger's build printed: the longest line costs no more than others."""
    started = time.monotonic()
    told((unit * 65_536)[:65_536])
    assert time.monotonic() - started < 1


def test_a_compiler_error_is_told_in_the_compilers_words() -> None:
    found = told(
        "src/connection.c: In function 'convert':\n"
        "src/connection.c:527:13: error: implicit declaration of function 'PyObject_AsCharBuffer'\n"
        "error: Command '['gcc', '-c', 'src/connection.c']' returned non-zero exit status 1.\n"
    )
    assert found.cause == (
        "its code does not compile: src/connection.c:527:13: error: implicit declaration of "
        "function 'PyObject_AsCharBuffer'"
    )
    assert "pin a newer demo" in found.hint


def test_a_header_that_python_no_longer_has_is_not_searched_in_the_distribution() -> None:
    found = told("src/_fastmath.c:33:10: fatal error: longintrepr.h: No such file or directory\n")
    assert "older Pythons" in found.cause
    assert "-dev" not in found.hint


def test_rust_is_not_taken_for_a_wish_for_the_network() -> None:
    found = told(
        "Downloading rustup-init from https://static.rust-lang.org/rustup/dist/rustup-init\n"
        "Rust not found, installing into a temporary directory\n"
        "httpx.ConnectError: [Errno -3] Temporary failure in name resolution\n"
    )
    assert "a Rust compiler" in found.cause
    assert '[packages.demo] source = "wheel"' in found.hint


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (
            "AttributeError: 'build_ext' object has no attribute 'cython_sources'\n",
            "no attribute 'cython_sources'",
        ),
        ("ModuleNotFoundError: No module named 'imp'\n", "newer Pythons no longer have"),
    ],
)
def test_an_sdist_of_another_age(tail: str, words: str) -> None:
    found = told(tail)
    assert words in found.cause
    assert "pin a newer demo" in found.hint


def test_a_recipe_that_wants_the_network_is_told_how_to_do_without_or_get_it() -> None:
    found = told("Could not resolve host", stage="recipe-network", message="before-all")
    assert found.cause == "its recipe wants the network (in before-all), and has none"
    assert "`[packages.demo] system`" in found.hint
    assert "network = true" in found.hint


def test_a_recipe_without_anything_compiled() -> None:
    found = told("", stage="pure")
    assert "nothing compiled" in found.cause
    assert "[packages.demo]" in found.hint
