"""Symptoms of build requirements of the wrong age: setuptools, Cython, numpy, CMake, Rust."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.building.answers import aged, of_old_setuptools, requires_fix
from wheelhouse.building.symptoms import Diagnosis, Rank, Symptom, first_group, quoted

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log

#: The first setuptools without what an sdist uses, by the setting that makes it go.
_WITHOUT = "which setuptools {0} and later no longer have"


def _newer_tool(package: str, name: str, version: str) -> Diagnosis:
    """Of a build tool that is older than a build wants."""
    requirement = f"{name}>={version}"
    return Diagnosis(
        kind="tool-too-old",
        cause=f"its build wants {name} {version} or newer",
        hint="give it one of PyPI's",
        fix=requires_fix(package, [requirement]),
        requires=(requirement,),
    )


def _newer_rust(package: str, wanted: str) -> Diagnosis:
    """Of Rust code for a newer compiler than the distribution's."""
    return Diagnosis(
        kind="rust-too-old",
        cause=f"it is written in a newer Rust than the distribution's compiler knows ({wanted})",
        hint=f'use a wheel of it: `[packages.{package}] source = "wheel"`; where the target has '
        "none, pin an older version",
    )


def _setuptools_part(match: re.Match[str], log: Log) -> Diagnosis | None:
    part = first_group(match)
    if of_old_setuptools(match, log):
        cause = f"its setuptools is too old for this Python: it does not find its own {part}"
        return aged("setuptools-too-old", cause, "setuptools>=66.1")(match, log)
    cause = f"its build imports {part}, which setuptools no longer has"
    limits = {
        "dep_util": "70",
        "command.bdist_wininst": "56",
        "command.py36compat": "68",
        "command.register": "75",
        "command.upload": "75",
        "command.upload_docs": "75",
        "extern": "71",
        "lib2to3_ex": "58",
        "package_index": "80.3",
        "py27compat": "50",
        "py31compat": "50",
        "py33compat": "50",
        "sandbox": "80",
        "ssl_support": "57.1",
        "ScriptWriter": "80.3",
        "get_script_args": "80.3",
    }
    limit = limits.get(part.removeprefix("setuptools."))
    constraints = [f"setuptools<{limit}"] if limit else []
    return aged("setuptools-part-gone", cause, *constraints)(match, log)


def _cython(match: re.Match[str], log: Log) -> Diagnosis | None:
    """An error of Cython's: most of them are of code for Cython before 3."""
    what = quoted(match.group(1), 140)
    if missing := re.match(r"'([\w/]{1,40})\.pxd' not found", what):
        module = missing.group(1).partition("/")[0]
        if module in {"numpy", "mpi4py", "cysignals", "gmpy2", "lxml"}:
            return Diagnosis(
                kind="undeclared-cimport",
                cause=f"its Cython code cimports {module}, which its build requirements do not "
                "name",
                hint="give its build what it does not ask for itself",
                fix=requires_fix(log.package, [module]),
                requires=(module,),
            )
    return aged(
        "cython-3", f"Cython refuses its code, which is for another Cython: {what}", "cython<3"
    )(match, log)


def _numpy_part(match: re.Match[str], log: Log) -> Diagnosis | None:
    name = match.group(1)
    limit = (
        "numpy<1.24"
        if name in {"bool", "complex", "float", "int", "long", "object", "str", "typeDict"}
        else "numpy<2"
    )
    cause = f"its build uses numpy.{name}, which newer numpys no longer have"
    return aged("numpy-too-new", cause, limit)(match, log)


_NUMPY_C = aged("numpy-too-new", "its C code uses {0}, which numpy 2 has no longer", "numpy<2")

AGE: tuple[Symptom, ...] = (
    Symptom(
        r": error: '(?:PyArray_Descr|_PyArray_Descr)[^\n]{0,60}has no member named '(\w{1,60})",
        _NUMPY_C,
    ),
    Symptom(
        r": error: (?:implicit declaration of function |use of undeclared identifier )?'("
        r"(?:PyArray|NPY)_\w{1,60})'"
        r"(?: undeclared| was not declared|; did you| \[-W)",
        _NUMPY_C,
    ),
    Symptom(r"fatal error: (numpy/(?:noprefix|oldnumeric|old_defines)\.h)", _NUMPY_C),
    Symptom(r"`np\.(\w{1,40})` was (?:removed|a deprecated alias)", _numpy_part),
    Symptom(r"module 'numpy' has no attribute '(\w{1,40})'", _numpy_part),
    Symptom(
        r"No module named '(numpy\.distutils)|cannot import name '\w{1,40}' from"
        r" '(numpy\.distutils)",
        aged(
            "numpy-distutils",
            "its setup.py uses numpy.distutils, which newer numpys no longer have, "
            "and none for Python 3.12 or later",
            "numpy<2",
            "setuptools<60",
        ),
    ),
    Symptom(
        r"No module named '(pkg_resources)",
        aged(
            "pkg-resources",
            f"its build imports pkg_resources, {_WITHOUT.format(82)}",
            "setuptools<82",
        ),
    ),
    Symptom(
        r"use_2to3 is invalid",
        aged(
            "use-2to3",
            f"it is translated from Python 2 by use_2to3, {_WITHOUT.format(58)}",
            "setuptools<58",
        ),
    ),
    Symptom(
        r"cannot import name '(Feature)' from 'setuptools'",
        aged(
            "setuptools-feature",
            f"its setup.py imports Feature, {_WITHOUT.format(46)}",
            "setuptools<46",
        ),
    ),
    Symptom(
        r"cannot import name 'msvccompiler' from 'distutils'|No module named '"
        r"(?:setuptools\._)?distutils\.msvc",
        aged(
            "distutils-msvccompiler",
            f"its setup.py imports distutils.msvccompiler, {_WITHOUT.format(74)}",
            "setuptools<74",
        ),
    ),
    Symptom(
        r"got an unexpected keyword argument '(dry_run|verbose|force)'",
        aged(
            "setuptools-arguments",
            "its setup.py uses distutils' {0}, which newer setuptools no longer have",
            "setuptools<81",
        ),
    ),
    Symptom(
        # numpy.distutils, which passes dry_run by its place among the arguments.
        r"TypeError: (Compiler\.__init__)\(\) takes from 1 to 3 positional arguments but 4",
        aged(
            "setuptools-arguments",
            "its setup.py uses distutils' {0} with dry_run, which newer setuptools no longer have",
            "setuptools<81",
        ),
    ),
    Symptom(r"No module named '(setuptools\.[\w.]{1,60})'", _setuptools_part),
    Symptom(
        r"cannot import name '(\w{1,60})' from '(?:setuptools|pkg_resources|distutils)[\w.]{0,60}'",
        _setuptools_part,
    ),
    Symptom(
        r"InvalidVersion: Invalid version: ([^\n]{1,100})",
        aged(
            "invalid-version",
            "its version is none by PEP 440 ({0}), as setuptools demands since 66",
            "setuptools<66",
        ),
    ),
    Symptom(
        r"'((?:install|setup|tests|extras)_requires?)' must be a (?:string|dictionary)",
        aged(
            "invalid-requirement",
            "its {0} has a requirement that is none by PEP 508, as setuptools demands since 66",
            "setuptools<66",
        ),
    ),
    Symptom(
        r"configuration error: `project\.(license[\w-]{0,10})`|`project\.(license)` must be"
        r" valid exactly by one",
        aged(
            "license-expression",
            "it gives its license as setuptools understands it since 77, and the one here is older",
            "setuptools>=77",
        ),
    ),
    Symptom(
        r"Multiple top-level (?:packages|modules) discovered in a flat-layout",
        aged(
            "flat-layout",
            "setuptools finds several packages in it, and since 61 refuses to guess",
            "setuptools<61",
        ),
    ),
    Symptom(
        r"The \[tool\.flit\.metadata\] table is no longer supported",
        aged("flit-metadata", "its pyproject.toml is for flit before 4", "flit-core<4"),
    ),
    Symptom(
        r"Compatibility with CMake < 3\.5 has been removed",
        aged("cmake-too-new", "its CMakeLists.txt is for CMake before 4", "cmake<4"),
    ),
    Symptom(
        r"CMake (\d[\w.]{0,10}) or higher is required|requires? CMake (?:>=|version)"
        r" ?(\d[\w.]{0,10})",
        lambda match, log: _newer_tool(log.package, "cmake", first_group(match)),
    ),
    Symptom(
        r"Meson version is [\w.]{1,20} but project requires >= ?([\w.]{1,20})",
        lambda match, log: _newer_tool(log.package, "meson", match.group(1)),
    ),
    Symptom(
        r"requires rustc (\d[\w.]{0,12}) or newer|older than the `(\d{4})` edition"
        r"|rustc (\d[\w.]{0,12}) is not supported by|feature `(edition\d{4})` is required"
        r"|requires (?:at least )?Rust (\d[\w.]{0,12})"
        r"|Rust \d[\w.]{0,12} does not match extension requirement ([<>=^~]{0,2}\d[\w.]{0,12})",
        lambda match, log: _newer_rust(log.package, first_group(match)),
        Rank.DECISIVE,
    ),
    Symptom(
        r"'build_ext' object has no attribute '(cython_sources)'",
        aged("cython-3", "its setup.py is for Cython before 3", "cython<3"),
    ),
    Symptom(
        r"^[ \t]{0,20}[\w./+-]{1,200}\.p(?:yx|xd|y|xi):\d{1,7}:\d{1,5}: (?!warning"
        r"|performance)([^\n]{1,200})",
        _cython,
    ),
    Symptom(r"Cython\.Compiler\.Errors\.CompileError: ([\w./+-]{1,200})", _cython),
)
