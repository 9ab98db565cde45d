"""From a build's output to its cause: logs of real builds, and text that must not mislead.

`tests/data/logs` holds what builds of packages of PyPI, and of small projects made for one way to
fail each, have printed in containers of the builders' images, without a network: on Debian 12 with
Python 3.11, and on Debian 13 with 3.13; a few had Rust or git added. They are shortened: what says
nothing of the failure was left out, and lines end after 300 characters.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

from wheelhouse.building import (
    symptomage,
    symptomcode,
    symptomconfigure,
    symptomnetwork,
    symptomproject,
    symptompython,
    symptoms,
    symptomsystem,
    symptomtools,
)
from wheelhouse.building.answers import against_fix, env_fix, requires_fix, system_fix
from wheelhouse.building.diagnosis import SYMPTOMS, Diagnosis, diagnose
from wheelhouse.building.runner import TAIL, Failure
from wheelhouse.building.symptoms import EVIDENCE, WIDTH
from wheelhouse.engine import GIB, Limits
from wheelhouse.missing import Missing
from wheelhouse.text import sanitize

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "tests" / "data" / "logs"

#: For each log, the kind of its failure, then what of it a program can use.
EXPECTED = {
    "backend-missing": "undeclared-import poetry",
    "beautifulsoup": "python-2",
    "berkeleydb": "missing-library header:db.h",
    "bjoern": "missing-header header:ev.h",
    "bottleneck": "script-error",
    "cargo-crates": "rust-crates",
    "cargo-edition-2024": "rust-too-old",
    "cmake-bison": "missing-dependency program:bison cmake:BISON",
    "cmake-blas": "missing-dependency library:blas cmake:BLAS",
    "cmake-boost": "missing-dependency header:boost/version.hpp cmake:Boost",
    "cmake-config-file": "missing-dependency cmake:OpenCV",
    "cmake-cuda": "missing-cuda program:nvcc",
    "cmake-curl": "missing-dependency pkg-config:libcurl cmake:CURL",
    "cmake-fetch-content": "cmake-download",
    "cmake-fetch-git": "git-clone",
    "cmake-find-library": "missing-library library:foo",
    "cmake-find-path": "missing-header header:foo/foo.h",
    "cmake-fortran": "missing-fortran program:gfortran",
    "cmake-jni": "missing-java program:javac",
    "cmake-mpi": "missing-dependency program:mpicc cmake:MPI",
    "cmake-numpy": "undeclared-dependency numpy",
    "cmake-pkg-check-modules": "missing-pkg-config pkg-config:glib-2.0",
    "cmake-pybind11": "undeclared-dependency pybind11",
    "cmake-python": "python-refused",
    "coincurve": "missing-program program:autoreconf",
    "compiler-arch": "other-system",
    "compiler-avx": "other-cpu",
    "compiler-cxx20": "language-standard",
    "compiler-error": "compile-error",
    "compiler-plugin": "compile-error",
    "compiler-unknown-flag": "compiler-flag",
    "compiler-werror": "warnings-as-errors",
    "cryptography-crates": "rust-crates",
    "cryptography-openssl": "missing-header header:openssl/opensslv.h",
    "cupy": "missing-cuda program:nvcc",
    "cvxopt": "missing-library library:lapack library:blas",
    "cx-oracle": "pkg-resources setuptools<82",
    "cysignals": "missing-program program:autoconf",
    "cython-numpy-pxd": "undeclared-cimport numpy",
    "dbus-python-1.2": "missing-pkg-config pkg-config:dbus-1",
    "demjson": "use-2to3 setuptools<58",
    "disk-full": "disk-full",
    "distutils-msvccompiler": "distutils-msvccompiler setuptools<74",
    "dlib": "missing-build-tool cmake",
    "fasttext": "undeclared-import pybind11",
    "fiona": "missing-config-program program:gdal-config",
    "flash-attn": "build-against torch",
    "flit-metadata": "flit-metadata flit-core<4",
    "frozenlist": "c-of-another-python",
    "gcc14-implicit-function": "old-c",
    "gcc14-incompatible-pointer": "old-c",
    "gcc14-int-conversion": "old-c",
    "gdal": "missing-config-program program:gdal-config",
    "gevent": "cython-3 cython<3",
    "glmnet": "undeclared-import numpy",
    "gpg": "missing-config-program program:gpgme-config",
    "greenlet": "c-of-another-python",
    "gssapi": "missing-config-program program:krb5-config",
    "h5py": "missing-library header:hdf5.h library:hdf5",
    "hatch-vcs": "version-from-git",
    "hatchling": "backend-config",
    "hatchling-license": "backend-config",
    "hidapi": "missing-pkg-config pkg-config:libusb-1.0",
    "horovod": "download",
    "html5lib": "pkg-resources setuptools<82",
    "hunspell": "missing-header header:hunspell.hxx",
    "ibm-db": "download",
    "isal": "missing-program program:nasm",
    "jep": "missing-java program:javac",
    "jpype1": "missing-java program:javac",
    "kerberos": "missing-config-program program:krb5-config",
    "labmaze": "download",
    "leveldb": "c-of-another-python",
    "libvirt-python": "missing-pkg-config pkg-config:libvirt",
    "line-profiler": "cython-3 cython<3",
    "linker-fpic": "not-position-independent",
    "linker-multiple": "multiple-definition",
    "linker-undefined": "undefined-reference",
    "llfuse": "missing-pkg-config pkg-config:fuse",
    "lxml": "missing-library library:xml2 library:xslt",
    "m2crypto": "script-error",
    "make-no-rule": "incomplete-sdist",
    "make-protoc": "missing-program program:protoc",
    "markupsafe-1.0": "setuptools-feature setuptools<46",
    "matplotlib": "download",
    "mecab-python3": "missing-config-program program:mecab-config",
    "meinheld": "c-of-another-python",
    "meson-cuda": "missing-cuda program:nvcc",
    "meson-cython": "missing-build-tool cython",
    "meson-fortran": "missing-fortran program:gfortran",
    "meson-header": "missing-header header:foo/foo.h",
    "meson-library": "missing-library library:foo",
    "meson-numpy": "undeclared-dependency numpy",
    "meson-rust": "missing-rust program:cargo program:rustc",
    "meson-subproject": "meson-download",
    "meson-too-old": "tool-too-old meson>=99",
    "meson-version-of-dependency": "library-too-old",
    "mod-wsgi": "missing-program program:apxs",
    "mpi4py": "missing-program program:mpicc header:mpi.h",
    "mpi4py-3": "setuptools-arguments setuptools<81",
    "mysql-python": "python-2",
    "mysqlclient": (
        "missing-pkg-config pkg-config:mysqlclient pkg-config:mariadb "
        "pkg-config:libmariadb pkg-config:perconaserverclient"
    ),
    "mysqlclient-1.4": "missing-config-program program:mysql_config program:mariadb_config",
    "netcdf4": "missing-library header:netcdf.h",
    "numba": "python-refused",
    "numpy-1.19": "c-of-another-python",
    "numpy-1.21-setuptools": "setuptools-too-old setuptools>=66.1",
    "numpy-2-c": "numpy-too-new numpy<2",
    "numpy-2-python": "numpy-too-new numpy<2",
    "numpy-distutils": "numpy-distutils numpy<2 setuptools<60",
    "onnx": "missing-build-tool cmake",
    "orjson": "missing-rust program:cargo program:rustc",
    "orjson-rust-1.63": "rust-too-old",
    "os-system-doxygen": "missing-program program:doxygen",
    "osqp": "missing-program program:git",
    "panel": "numpy-too-new numpy<2",
    "partd-versioneer": "stdlib-name-gone",
    "pbr": "version-from-git",
    "pdm": "backend-config",
    "pdm-pep517": "backend-config",
    "permission-denied": "writes-outside",
    "permission-denied-folder": "writes-outside",
    "pillow": "missing-library header:jpeglib.h",
    "pillow-8-python-3.13": "script-error",
    "pocketsphinx": "missing-program program:swig",
    "poetry-constraint": "backend-config",
    "poetry-fields": "backend-config",
    "poetry-no-package": "backend-config",
    "psycopg2": "missing-config-program program:pg_config",
    "pyav": (
        "missing-pkg-config pkg-config:libavformat pkg-config:libavcodec "
        "pkg-config:libavdevice pkg-config:libavutil pkg-config:libavfilter "
        "pkg-config:libswscale pkg-config:libswresample"
    ),
    "pycairo": "missing-dependency pkg-config:cairo",
    "pycuda": "missing-cuda header:cuda.h",
    "pycurl": "missing-config-program program:curl-config",
    "pycurl-py-type": "c-of-another-python",
    "pyfftw": "missing-header header:fftw3.h",
    "pygame": "missing-config-program program:sdl2-config pkg-config:freetype2",
    "pygit2": "missing-header header:git2.h",
    "pygraphviz": "missing-program program:dot",
    "pygresql": "missing-config-program program:pg_config",
    "pyicu": "missing-config-program program:icu-config",
    "pylibmc-mode-u": "stdlib-name-gone",
    "pynfft": "stdlib-module-gone",
    "pyodbc": "missing-header header:sql.h",
    "pyjq": "missing-program program:aclocal",
    "pypcap": "missing-header header:pcap.h",
    "pyproj": "missing-program program:proj",
    "pyqt5": "missing-program program:qmake",
    "pysam": "missing-library library:bz2",
    "pyscard": "missing-header header:winscard.h",
    "pysha3": "c-of-another-python",
    "pysmbc": "missing-pkg-config pkg-config:smbclient",
    "pystan": "undeclared-import cython numpy",
    "python-2-except": "python-2",
    "python-2-execfile": "python-2",
    "python-2-octal": "python-2",
    "python-ldap": "missing-header header:lber.h",
    "python-prctl": "missing-library library:cap",
    "python-rapidjson": "c-of-another-python",
    "python-rocksdb": "cython-3 cython<3",
    "pythonnet": "missing-program program:dotnet",
    "pyyaml": "cython-3 cython<3",
    "pyzmq": "c-of-another-python",
    "pyzmq-pipes": "stdlib-module-gone",
    "pyzmq-scikit-build-core": "script-stops",
    "read-only": "writes-outside",
    "rpy2": "missing-program program:R",
    "scikit-umfpack": "missing-program program:swig",
    "scipy": "missing-fortran program:gfortran",
    "script-not-executable": "not-executable",
    "scs": (
        "missing-dependency library:openblas pkg-config:openblas library:blas "
        "pkg-config:blas library:lapack pkg-config:lapack library:cblas "
        "pkg-config:cblas"
    ),
    "setup-getargspec": "stdlib-name-gone",
    "setup-git-clone": "git-clone",
    "setup-git-describe": "no-repository",
    "setup-linux-distribution": "stdlib-name-gone",
    "setup-pip-install": "fetches-requirements numpy",
    "setup-pip-req": "pip-internals",
    "setup-readme": "incomplete-sdist",
    "setup-refuses-python": "python-refused",
    "setup-requests": "download",
    "setup-swig": "missing-program program:swig",
    "setup-toml": "undeclared-import toml",
    "setup-unicode": "encoding",
    "setup-urlopen": "download",
    "setup-wget": "download",
    "setup-wheel": "undeclared-import wheel",
    "setuptools-50-python-3.13": "setuptools-too-old setuptools>=66.1",
    "setuptools-65-python-3.13": "setuptools-too-old setuptools>=66.1",
    "setuptools-70-license": "license-expression setuptools>=77",
    "setuptools-78-dashes": "backend-config",
    "setuptools-attr": "imports-itself",
    "setuptools-extras-require": "invalid-requirement setuptools<66",
    "setuptools-fetch-build-eggs": "fetches-requirements numpy>=1.10",
    "setuptools-flat-layout": "flat-layout setuptools<61",
    "setuptools-install-requires": "invalid-requirement setuptools<66",
    "setuptools-invalid-version": "invalid-version setuptools<66",
    "setuptools-license-twice": "backend-config",
    "setuptools-package-folder": "incomplete-sdist",
    "setuptools-package-index": "setuptools-part-gone setuptools<80.3",
    "setuptools-pyproject": "backend-config",
    "setuptools-rust": "missing-rust program:cargo program:rustc",
    "setuptools-scm": "version-from-git",
    "setuptools-source-left-out": "incomplete-sdist",
    "setuptools-upload-docs": "setuptools-part-gone setuptools<75",
    "shapely-1.7": "missing-library library:geos_c",
    "shapely-2": "missing-dependency pkg-config:geos",
    "shell-flex": "missing-program program:flex",
    "sklearn": "deprecated-name",
    "suds-jurko": "fetches-setuptools setuptools<82",
    "systemd-python": "missing-pkg-config pkg-config:libsystemd pkg-config:libsystemd-journal",
    "tables": "missing-library header:hdf5.h",
    "tesserocr": "missing-header header:leptonica/allheaders.h",
    "thinc": "distutils-msvccompiler setuptools<74",
    "tokenizers": "missing-rust program:cargo program:rustc",
    "torch-scatter": "build-against torch",
    "typed-ast": "c-of-another-python",
    "uamqp": "cmake-too-new cmake<4",
    "unittest2": "invalid-version setuptools<66",
    "wsgiref": "python-2",
    "wxpython": "missing-pkg-config pkg-config:gtk+-3.0",
    "xmlsec": "missing-pkg-config pkg-config:xmlsec1 program:xmlsec1",
}


def told(tail: str, stage: str = "build", message: str = "its build backend failed") -> Diagnosis:
    failure = Failure(stage, message, Path("log"), tail)
    return diagnose(failure, "demo", Limits(memory=2 * GIB, deadline=90))


def log(name: str) -> str:
    return (LOGS / f"{name}.log").read_text("utf-8")


def summary(found: Diagnosis) -> str:
    """*found* in one line: its kind, and all that may be acted upon without a person."""
    missing = [f"{each.kind}:{each.name}" for each in found.missing]
    return " ".join([found.kind, *missing, *found.constraints, *found.requires, *found.imports])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_log_tells_its_cause(name: str) -> None:
    assert summary(told(log(name))) == EXPECTED[name]


def test_every_log_is_told_of() -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == EXPECTED.keys()


def test_many_kinds_have_a_real_log() -> None:
    assert len({each.partition(" ")[0] for each in EXPECTED.values()}) >= 65


@pytest.mark.parametrize("name", EXPECTED)
def test_a_diagnosis_is_fit_to_be_shown(name: str) -> None:
    text, found = log(name), told(log(name))
    assert "\n" not in found.cause + found.hint
    assert found.hint
    assert 1 <= len(found.evidence) <= EVIDENCE
    plain = text.replace("\u2018", "'").replace("\u2019", "'")
    for line in found.evidence:
        assert len(line) <= WIDTH
        assert line == sanitize(line)
        assert line in plain
    if found.fix is not None:
        table = tomllib.loads(found.fix)
        assert table.get("packages", {"demo": {}}).keys() == {"demo"}
        assert table.keys() <= {"packages", "limits"}


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("python-ldap", "the header lber.h is missing in the builder"),
        ("cvxopt", "the library liblapack (-llapack) is missing in the builder"),
        ("pycairo", "the pkg-config file cairo.pc is missing in the builder"),
        ("cmake-config-file", "the CMake package OpenCV is missing in the builder"),
        ("psycopg2", "the program pg_config is missing in the builder"),
        ("meson-version-of-dependency", "it needs zlib >=99, and the distribution has 1.3.1"),
        ("greenlet", "its C code is for another Python than the target's: it uses exc_type"),
        ("pynfft", "its build imports imp, which Python has no longer since 3.12"),
        ("uamqp", "its CMakeLists.txt is for CMake before 4"),
        ("cmake-python", "its build wants Python 3.99, and the target has 3.13.5"),
        ("setup-urlopen", "the build wants the network, and builds have none"),
        ("setup-readme", "its build reads the file README.rst, which its sdist does not have"),
        (
            "setuptools-pyproject",
            (
                "its build backend refuses its pyproject.toml: `project.requires-python` must be "
                "string"
            ),
        ),
        ("m2crypto", "its build stops with RuntimeError: gcc -E ended with return code 1"),
    ],
)  # fmt: skip
def test_the_cause_is_one_sentence(name: str, cause: str) -> None:
    assert told(log(name)).cause == cause


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("html5lib", '[packages.demo]\nbuild-requires = ["setuptools<82"]'),
        ("pystan", '[packages.demo]\nbuild-requires = ["cython", "numpy"]'),
        ("flash-attn", '[packages.demo]\nbuild-against = ["torch"]'),
        ("gcc14-implicit-function", '[packages.demo.env]\nCFLAGS = "-fpermissive"'),
        ("python-ldap", None),  # who knows the distribution's packages adds theirs
    ],
)
def test_the_fix_is_lines_to_paste(name: str, fix: str | None) -> None:
    assert told(log(name)).fix == fix


def test_the_evidence_is_what_the_compiler_said_and_of_what() -> None:
    assert told(log("python-ldap")).evidence == (
        "In file included from Modules/LDAPObject.c:3:",
        "Modules/common.h:15:10: fatal error: lber.h: No such file or directory",
        "   15 | #include <lber.h>",
    )


def test_the_evidence_of_an_exception_is_where_it_was_raised() -> None:
    assert told(log("flash-attn")).evidence == (
        '  File "<string>", line 19, in <module>',
        "ModuleNotFoundError: No module named 'torch'",
    )


@pytest.mark.parametrize(
    ("name", "dated", "regenerate"),
    [
        ("html5lib", True, False),
        ("gevent", True, False),
        ("m2crypto", True, False),
        ("frozenlist", False, True),
        ("python-ldap", False, False),
        ("numba", False, False),
    ],
)
def test_what_build_requirements_of_another_age_may_help(
    name: str, dated: bool, regenerate: bool
) -> None:
    found = told(log(name))
    assert (found.dated, found.regenerate) == (dated, regenerate)


# -- Wordings of tools that these logs do not have -------------------------------------------


NO_HEADER = "a.c:1:1: fatal error: {}: No such file or directory\n"
VAIN = "checking for {}... no\nconfigure: error: it is required\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # clang's, lld's and the shells' own words
        ("demo.c:1:10: fatal error: 'ffi.h' file not found\n", "missing-header header:ffi.h"),
        ("ld.lld: error: unable to find library -lfoo\n", "missing-library library:foo"),
        ("sh: line 1: c-config: command not found\n", "missing-config-program program:c-config"),
        ("./build.sh: line 7: xxd: command not found\n", "missing-program program:xxd"),
        ("env: \u2018perl\u2019: No such file or directory\n", "missing-program program:perl"),
        ("error: unknown argument: '-fno-such'\n", "compiler-flag"),
        # gcc's, as it runs out of memory or fails itself; a Makefile that goes on
        ("g++: fatal error: Killed signal terminated program cc1plus\n", "memory"),
        ("cc1plus: out of memory allocating 65536 bytes after a total of 1\n", "memory"),
        ("demo.c:1:2: internal compiler error: Segmentation fault\n", "compiler-bug"),
        # pkg-config's and Meson's of a version
        (
            "Requested 'glib-2.0 >= 2.80' but version of GLib is 2.74.6\n",
            "library-too-old",
        ),
        # GDAL's of its library, setuptools-rust's of the compiler
        (
            (
                "Exception: Python bindings of GDAL 3.13.3 require at least libgdal 3.13.3, but "
                "3.6.2 was found\n"
            ),
            "library-too-old",
        ),
        ("error: Rust 1.63.0 does not match extension requirement >=1.64.0\n", "rust-too-old"),
        # distutils', when it cannot start the compiler
        ("error: command 'gcc' failed: No such file\n", "missing-compiler program:gcc"),
        ("error: invalid command 'bdist_wheel'\n", "no-bdist-wheel wheel"),
        # pip's and maturin's for Rust
        (
            "Cargo, the Rust package manager, is not installed or is not on PATH.\n",
            "missing-rust program:cargo program:rustc",
        ),
        # easy_install's
        (
            (
                "distutils.errors.DistutilsError: Could not find suitable distribution for "
                "Requirement.parse('numpy>=1.7')\n"
            ),
            "fetches-requirements numpy>=1.7",
        ),
        # packages whose real files are elsewhere
        ("    $ pip install nvidia-pyindex\n", "placeholder"),
        # headers of build requirements, of other systems and of other processors
        (NO_HEADER.format("numpy/arrayobject.h"), "undeclared-header numpy"),
        (NO_HEADER.format("torch/extension.h"), "build-against torch"),
        (NO_HEADER.format("windows.h"), "other-system"),
        (NO_HEADER.format("immintrin.h"), "other-cpu"),
        (NO_HEADER.format("Python.h"), "missing-python-headers"),
        # configure's, in words of the script's own
        (VAIN.format("inflate in -lz"), "missing-library library:z"),
        (VAIN.format("pcap.h"), "missing-header header:pcap.h"),
        (VAIN.format("bison"), "missing-program program:bison"),
        ("configure: error: this is no good day\n", "configure-error"),
        # Python's
        ("ModuleNotFoundError: No module named 'skbuild'\n", "undeclared-import scikit-build"),
        ("ModuleNotFoundError: No module named 'helpers'\n", "unknown-import helpers"),
        ("ModuleNotFoundError: No module named 'winreg'\n", "other-system"),
        ("ModuleNotFoundError: No module named 'distutils'\n", "distutils-gone setuptools"),
        ("No distribution was found. Ensure that `setup.py` is not empty\n", "empty-setup"),
        ("AttributeError: module 'ast' has no attribute 'Str'\n", "stdlib-name-gone"),
        ("MemoryError\n", "memory"),
    ],
)  # fmt: skip
def test_other_wordings(text: str, expected: str) -> None:
    assert summary(told(text)) == expected


# -- Which of several counts -----------------------------------------------------------------

PROBES = """\
Did not find CMake 'cmake'
Run-time dependency openblas found: NO (tried pkgconfig)
conftest.c:9:10: fatal error: sys/vxworks.h: No such file or directory
_configtest.c:1:10: fatal error: endian_of_old.h: No such file or directory
/tmp/tmpq2x3/has.c:1:10: fatal error: rare.h: No such file or directory
checking for fancy.h... no
Running `ifort --version` gave "[Errno 2] No such file or directory: 'ifort'"
"""


def test_what_a_probe_did_not_find_is_not_the_cause() -> None:
    found = told(PROBES + log("python-ldap"))
    assert (found.kind, found.missing) == ("missing-header", (Missing("header", "lber.h"),))


def test_what_a_probe_did_not_find_is_told_where_nothing_else_is() -> None:
    found = told("_configtest.c:1:10: fatal error: only.h: No such file or directory\n")
    assert found.missing == (Missing("header", "only.h"),)


def test_a_clue_gives_way_to_what_ended_the_build() -> None:
    clue = "Package libffi was not found in the pkg-config search path.\n"
    fatal = "c/x.c:1:10: fatal error: ffi.h: No such file or directory\n"
    assert summary(told(clue + fatal)) == "missing-header header:ffi.h"
    assert summary(told(clue)) == "missing-pkg-config pkg-config:libffi"


def test_the_first_exception_counts_and_not_what_handling_it_raised() -> None:
    text = (
        "ModuleNotFoundError: No module named 'numpy'\n"
        "During handling of the above exception, another exception occurred:\n"
        "FileNotFoundError: [Errno 2] No such file or directory: 'demo.c'\n"
    )
    assert summary(told(text)) == "undeclared-import numpy"


def test_code_of_another_python_outweighs_whatever_else_is_missing() -> None:
    assert told(log("python-ldap") + log("frozenlist")).kind == "c-of-another-python"


def test_all_that_is_missing_is_told_at_once() -> None:
    text = "".join(f"a.c:1:1: fatal error: h{each}.h: No such file\n" for each in range(40))
    assert [each.name for each in told(text).missing] == [f"h{each}.h" for each in range(16)]


def test_a_download_for_want_of_a_library_names_the_library() -> None:
    found = told(
        "Package libzmq was not found in the pkg-config search path.\n" + log("matplotlib")
    )
    assert found.kind == "download"
    assert found.missing == (Missing("pkg-config", "libzmq"),)
    assert found.cause.endswith("before that, it looked for the pkg-config file libzmq.pc")


def test_a_file_that_was_opened_is_not_called_a_program() -> None:
    opened = (
        '  File "setup.py", line 9, in <module>\n'
        "    long_description=open('readme').read(),\n"
        "FileNotFoundError: [Errno 2] No such file or directory: 'readme'\n"
    )
    assert told(opened).kind == "incomplete-sdist"
    called = opened.replace("open('readme').read()", "subprocess.call(['readme'])")
    assert summary(told(called)) == "missing-program program:readme"


def test_an_attribute_of_a_module_that_is_not_pythons_is_an_error_like_others() -> None:
    assert told("AttributeError: module 'demo_of_us' has no attribute 'x'\n").kind == "script-error"


def test_a_setuptools_that_is_too_old_is_not_the_sdists_fault() -> None:
    trace = '  File "/build/env/lib/python3.13/site-packages/{}/x.py", line 1, in <module>\n'
    error = "ModuleNotFoundError: No module named 'distutils'\n"
    assert told(trace.format("setuptools") + error).constraints == ("setuptools>=66.1",)
    assert told(trace.format("other") + error).requires == ("setuptools",)


# -- Stages that say enough -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "kind", "cause", "hint"),
    [
        ("memory", "memory", "the build the message (limit: 2GiB)", "memory"),
        ("machine-memory", "machine-memory", "the build the message; it was below", "--jobs"),
        ("deadline", "deadline", "the build the message and was stopped", "deadline"),
        (
            "processes",
            "processes",
            "the build could not start another process (limit: 512): the message",
            "processes",
        ),
        (
            "crowded",
            "processes",
            "the build could not start another process (limit: 512), then the message",
            "processes",
        ),
        ("killed", "killed", "the build was killed: the message", "dmesg"),
        ("outside", "killed-from-outside", "the build the message", "again"),
        ("output", "result-refused", "its result was refused: the message", "log"),
        ("protocol", "result-refused", "its result was refused: the message", "log"),
        ("unpack", "bad-sdist", "the message", "pin another version"),
        ("unlocked", "unlocked", "the message", "`wheelhouse lock`"),
        ("environment", "build-environment", "the message", "`wheelhouse lock`"),
        (
            "recipe-network",
            "recipe-network",
            "its recipe wants the network (in the message), and has none",
            "network = true",
        ),
        ("pure", "recipe-pure", "its wheel has nothing compiled in it", "[packages.demo]"),
    ],
)
def test_a_stage_that_explains_itself(stage: str, kind: str, cause: str, hint: str) -> None:
    found = told(log("python-ldap"), stage, "the message")  # what the log has is its echo
    assert found.kind == kind
    assert found.cause.startswith(cause)
    assert hint in found.hint


def test_an_extension_that_was_left_out_tells_why() -> None:
    found = told(log("python-ldap"), "extension", "its C extension was left out")
    assert found.kind == "extension-left-out"
    assert (
        found.cause == "its C extension was left out: the header lber.h is missing in the builder"
    )
    assert found.missing == (Missing("header", "lber.h"),)
    assert "`[packages.demo] allow-pure = true`" in found.hint


def test_an_extension_that_was_left_out_without_a_word() -> None:
    found = told("all is well\n", "extension", "its C extension was left out")
    assert (found.kind, found.missing) == ("extension-left-out", ())
    assert "`[packages.demo] allow-pure = true`" in found.hint


# Of auditwheel 6.8's repair.py and main_repair.py.
LOST = (
    'ValueError: Cannot repair wheel, because required library "libfoo.so.2" could not be located'
)
TOO_NEW = (
    'cannot repair "demo.whl" to "manylinux_2_28_x86_64" ABI because of the presence of too-recent '
    "versioned symbols. You'll need to compile the wheel on an older toolchain."
)


def test_a_wheel_whose_library_is_not_found() -> None:
    found = told(f"Traceback\n{LOST}\n", "repair", LOST)
    assert summary(found) == "repair-library soname:libfoo.so.2"
    assert found.evidence == (LOST,)


def test_a_wheel_that_is_too_new() -> None:
    found = told(f"auditwheel: error: {TOO_NEW}\n", "repair", TOO_NEW)
    assert found.kind == "repair"
    assert "too-recent versioned symbols" in found.cause
    assert found.evidence


def test_a_backend_that_crashes() -> None:
    found = told("compiling\n", message="the build backend was killed by signal 11")
    assert found.kind == "backend-killed"
    assert "was killed by signal 11" in found.cause


# -- What nothing is known of -------------------------------------------------------------------


def test_of_an_unknown_failure_the_last_telling_line_is_shown() -> None:
    found = told("all is well\n  \x1b[31mit failed\x1b[0m in x\nmore\n\n")
    assert found.kind == "unknown"
    assert found.cause == "its build backend failed (it failed in x)"
    assert "log" in found.hint
    assert found.evidence == ("all is well", "it failed in x", "more")


def test_without_a_telling_line_the_last_one_is_shown() -> None:
    assert told("first\nlast words\n\n").cause == "its build backend failed (last words)"
    assert told("").cause == "its build backend failed"


@pytest.mark.parametrize(
    "text", ["{}\n", "error: {}\n", "RuntimeError: {}\n", "a.c:1:1: error: {}\n"]
)
def test_what_a_log_says_is_short_and_harmless(text: str) -> None:
    for evil in ("x" * 5000, "::set-env name=error::x", "\x1b[31m##vso[task]\x1b]0;t\x07\u202e"):
        found = told(text.format(evil))
        said = "".join((found.cause, found.hint, *found.evidence))
        assert len(found.cause) < 300
        assert not any(sign in said for sign in ("\x1b", "\u202e", "##vso", "\x07"))
        assert not any(line.startswith("::") for line in (found.cause, *found.evidence))


# -- A stranger's text costs little -------------------------------------------------------------

MODULES = (
    *(symptomage, symptomcode, symptomconfigure, symptomnetwork, symptomproject, symptompython),
    *(symptoms, symptomsystem, symptomtools),
)


def test_no_symptom_repeats_anything_without_a_bound() -> None:
    """Lines are cut before they are read, so what is bounded within one takes linear time."""
    for symptom in SYMPTOMS:
        re.compile(symptom.pattern, re.MULTILINE)
        plain = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", symptom.pattern)
        assert not re.search(r"[+*]|\{\d*,\}", plain), symptom.pattern


def hostile() -> list[str]:
    """Beginnings of what is looked for: text that almost matches, everywhere."""
    units = [
        "a",
        "a-",
        "'",
        "\\",
        "\n",
        " \n",
        "error: ",
        "checking for x... no\n",
        "CMake Error\n",
    ]
    for name in ("cmake-curl", "gssapi", "greenlet", "pystan", "setuptools-fetch-build-eggs"):
        line = told(log(name)).evidence[-1]
        units += [line[: len(line) // 2], f"{line}\n"]
    return units


@pytest.mark.parametrize("unit", hostile())
def test_a_log_of_the_longest_kind_is_read_to_its_end(unit: str) -> None:
    """Whatever it repeats, and however much of that almost matches."""
    found = told((unit * (TAIL // len(unit) + 1))[:TAIL])
    assert len(found.evidence) <= EVIDENCE


# -- The lines of wheelhouse.toml -----------------------------------------------------------------


def test_fixes_are_toml_whatever_the_names() -> None:
    names = ["libpq-dev", 'a"b\\c', "gtk+-3.0", "\u00e9"]
    assert tomllib.loads(system_fix("demo", names)) == {"packages": {"demo": {"system": names}}}
    assert tomllib.loads(requires_fix("demo", names))["packages"]["demo"]["build-requires"] == names
    assert tomllib.loads(against_fix("demo", names))["packages"]["demo"]["build-against"] == names
    assert tomllib.loads(env_fix("demo", "CFLAGS", names[1]))["packages"]["demo"]["env"] == {
        "CFLAGS": names[1]
    }


# -- The table for people -----------------------------------------------------------------------


def kinds_in_the_source() -> set[str]:
    folder = ROOT / "src" / "wheelhouse" / "building"
    files = [folder / f"{name}.py" for name in ("answers", "diagnosis", "limitations")]
    files += folder.glob("symptom*.py")
    text = "\n".join(path.read_text("utf-8") for path in files)
    found = re.findall(
        r'(?:kind=|aged\(\s*|_newer_python\(\s*log\.package,\s*|requiring\(\s*|lacking\(\s*)"([a-z0-9-]+)"',
        text,
    )
    return {*found, "missing-compiler", "missing-config-program", "missing-program", "missing-file"}


def test_the_table_of_failures_has_every_kind() -> None:
    table = (ROOT / "docs" / "failures.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)) == kinds_in_the_source()


LINKED = '[packages.demo.env] LIBRARY_PATH = "/usr/local/cuda/lib64"'


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("demo.cpp:1:10: fatal error: cuda_runtime.h: No such file or directory", 'cuda = "13.2"'),
        ("demo.cpp:1:10: fatal error: cublas_v2.h: No such file or directory", '["cublas"]'),
        ("demo.cpp:1:10: fatal error: cusparse.h: No such file or directory", '["cusparse"]'),
        ("demo.cpp:1:10: fatal error: nvtx3/nvToolsExt.h: No such file or directory", '["nvtx"]'),
        ("demo.cpp:1:10: fatal error: cudnn.h: No such file or directory", "nvidia-cudnn-cu13"),
        (
            "demo.cpp:1:10: fatal error: cusparseLt.h: No such file or directory",
            "nvidia-cusparselt-cu13",
        ),
        ("/usr/bin/ld: cannot find -lcublasLt: No such file or directory", '["cublas"]'),
        ("/usr/bin/ld: cannot find -lnvidia-ml: No such file or directory", '["nvml"]'),
        ("/usr/bin/ld: cannot find -lcudart: No such file or directory", "cuda = true"),
        ("/usr/bin/ld: cannot find -lnccl: No such file or directory", "nvidia-nccl-cu13"),
        ("KeyError: 'CUDA_HOME'", 'cuda = "13.2"'),
        ("KeyError: 'CUDA_PATH'", "in place of any `cuda = false`"),
        (
            "  Target links to:\n\n    CUDA::cublasLt\n\n  but the target was not found.",
            '["cublas"]',
        ),
        ("KeyError: 'CUDACXX'", "unless it is there"),
        ("/usr/bin/ld: cannot find -lcudart: No such file or directory", LINKED),
        ("/usr/bin/ld: cannot find -lcublas: No such file or directory", LINKED),
        ("/usr/bin/ld: cannot find -lcuda: No such file or directory", f'{LINKED[:-1]}/stubs"'),
        ("/usr/bin/ld: cannot find -lcufft_static: No such file or directory", '["cufft"]'),
    ],
)
def test_who_lacks_a_part_of_cuda_is_told_how_to_have_it(line: str, hint: str) -> None:
    found = told(line)
    assert found.kind == "missing-cuda"
    assert hint in found.hint


@pytest.mark.parametrize(
    ("target", "part"),
    [
        *((name, "cublas") for name in ("cublas", "cublas_static", "cublasLt", "cublasLt_static")),
        *((name, "cufft") for name in ("cufft", "cufftw", "cufft_static_nocallback")),
        ("curand", "curand"),
        ("cusolver", "cusolver"),
        ("cusparse", "cusparse"),
        *((name, "npp") for name in ("nppc", "nppial", "nppisu_static")),
        ("nvjpeg", "nvjpeg"),
        *((name, "nvrtc") for name in ("nvrtc", "nvrtc_builtins")),
        ("nvml", "nvml"),
        ("nvJitLink", "nvjitlink"),
        ("nvfatbin_static", "nvfatbin"),
        *((name, "nvtx") for name in ("nvtx3", "nvToolsExt")),
        *((name, "cupti") for name in ("cupti", "nvperf_host")),
        *((name, "cufile") for name in ("cuFile", "cuFile_rdma_static")),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        "links to:\n\n    CUDA::{}\n\n  but the target was not found.  Possible reasons include:",
        'links to target "CUDA::{}" but the target was\n  not found.  Perhaps a call',
    ],
)
def test_a_target_of_cmake_is_of_a_part_of_the_toolkit(words: str, target: str, part: str) -> None:
    found = told(
        "CMake Error at CMakeLists.txt:5 (target_link_libraries):\n"
        f'  Target "demo" {words.format(target)}\n\n'
        "CMake Generate step failed.  Build files cannot be regenerated correctly.\n"
    )
    assert found.kind == "missing-cuda"
    assert found.cause == f"it needs a part of the CUDA toolkit: it links with CUDA::{target}"
    assert f'cuda-libraries = ["{part}"]' in found.hint
    assert ("the shared one" in found.hint) == ("_static" in target)


def test_what_every_toolkit_has_is_no_part() -> None:
    found = told('Target "demo" links to:\n\n    CUDA::cudart\n\n  but the target was not found.')
    assert found.cause == "it needs the CUDA toolkit: it links with CUDA::cudart"
    assert "cuda-libraries" not in found.hint


@pytest.mark.parametrize(
    ("arch", "why", "hint"),
    [
        ("sm_70", "sm_70, which this CUDA no longer makes (CUDA 12.9 does)", '"12.9"'),
        ("compute_70", "compute_70, which this CUDA no longer makes (CUDA 12.9 does)", '"12.9"'),
        (
            "compute_120",
            "compute_120, which this CUDA does not make yet (CUDA 12.8 does)",
            '"12.8"',
        ),
        ("sm_90a", "sm_90a, which this CUDA does not make yet (CUDA 11.8 does)", '"11.8"'),
        ("sm_85", "sm_85, which no CUDA makes", "the package's own switch"),
    ],
)
def test_code_for_a_gpu_that_the_compiler_does_not_know(arch: str, why: str, hint: str) -> None:
    found = told(
        "CMake Error at CMakeTestCUDACompiler.cmake:59 (message):\n"
        '  The CUDA compiler "nvcc" is not able to compile a simple test program.\n'
        f"nvcc fatal   : Unsupported gpu architecture '{arch}'\n"
        "error: command '/usr/local/cuda/bin/nvcc' failed with exit code 1\n"
    )
    assert (found.kind, found.cause) == ("gpu-architecture", f"its build asks for code for {why}")
    assert hint in found.hint
    assert "the package's own switch" in found.hint
    # Build requirements of no other age change what the compiler can do.
    assert not (found.dated or found.constraints or found.requires or found.guesses)


def test_code_for_a_gpu_is_judged_by_the_toolkit_that_the_build_had() -> None:
    """The target's own may be a later one: a newer `cuda` in the target changes nothing then."""
    failure = Failure("build", "failed", Path("log"), "Unsupported gpu architecture 'sm_120'")
    limits = Limits(memory=2 * GIB, deadline=90)
    found = diagnose(failure, "demo", limits, toolkit=Version("12.4"))
    assert found.cause == (
        "its build asks for code for sm_120, which CUDA 12.4, that it is built with, does not make "
        "yet (CUDA 12.8 does)"
    )
    assert "a `builder` that goes with it" in found.hint
