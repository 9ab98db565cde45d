"""Symptoms of the wrong age: of Python, of setuptools, of Cython, of numpy."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from wheelhouse.building.symptoms import Diagnosis, Rank, Symptom, first_group, quoted, requires_fix

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelhouse.building.symptoms import Log

    Rule = Callable[[re.Match[str], Log], Diagnosis | None]

#: Modules that Python had, and the first Python without each.
GONE = {
    **dict.fromkeys(("_bootlocale", "formatter", "parser", "symbol"), "3.10"),
    **dict.fromkeys(("binhex",), "3.11"),
    **dict.fromkeys(("asynchat", "asyncore", "distutils", "imp", "smtpd"), "3.12"),
    **dict.fromkeys(
        ("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"),
        "3.13",
    ),
    **dict.fromkeys(
        ("msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"), "3.13"
    ),
    **dict.fromkeys(("telnetlib", "uu", "xdrlib"), "3.13"),
}

#: What modules of Python had, and the first Python without it.
_PARTS_GONE = {
    "ast.Num": "3.14",
    "ast.Str": "3.14",
    "base64.encodestring": "3.9",
    "cgi.escape": "3.8",
    "configparser.SafeConfigParser": "3.12",
    "fractions.gcd": "3.9",
    "inspect.formatargspec": "3.11",
    "inspect.getargspec": "3.11",
    "pkgutil.ImpImporter": "3.12",
    "platform.dist": "3.8",
    "platform.linux_distribution": "3.8",
    "ssl.wrap_socket": "3.12",
    "time.clock": "3.8",
    "unittest.makeSuite": "3.13",
}

#: Modules and names of Python 2.
_OF_PYTHON_2 = (
    r"(?:ConfigParser|Cookie|HTMLParser|Queue|SocketServer|StringIO|Tkinter|__builtin__|cPickle"
    r"|cStringIO|commands|cookielib|copy_reg|exceptions|httplib|md5|sets|sha|urllib2|urlparse)"
)
_NAMES_OF_PYTHON_2 = (
    r"(?:basestring|cmp|execfile|file|long|raw_input|reduce|reload|unichr|unicode|xrange|buffer)"
)

#: Headers that CPython had.
_HEADERS_GONE = (
    r"(?:code|longintrepr|pystrhex|pyfpe|Python-ast|graminit|parsetok|cStringIO|intobject|stringobject"
    r"|pyarena|asdl|internal/pystate|internal/pycore_\w{1,30})\.h"
)

#: What CPython's own C names begin with; numpy's begin with PyArray, PyUFunc and NPY.
_OWN = r"_?Py(?!Array|UFunc|CFFI)[A-Za-z]*(?:_[A-Za-z]\w{0,60})?"
_STRUCTS = (
    r"_?(?:Py|struct _)?(?:PyThreadState|ThreadState|ts|PyFrameObject|_frame|PyTypeObject|_typeobject"
    r"|PyLongObject|_longobject|PyErr_StackItem|_PyErr_StackItem|_err_stackitem|PyCodeObject"
    r"|PyInterpreterState|PyUnicodeObject|PyASCIIObject|PyModuleDef|PyGenObject|PyHeapTypeObject"
    r"|_CFrame|PyCFrame|PyCodeObject|PyCFunctionObject|PyWeakReference|PyDictObject)"
)

#: The first setuptools without what an sdist uses, by the setting that makes it go.
_WITHOUT = "which setuptools {0} and later no longer have"


def _aged(kind: str, cause: str, *constraints: str, dated: bool = True) -> Rule:
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


def _newer_python(package: str, kind: str, cause: str, *, dated: bool = False) -> Diagnosis:
    return Diagnosis(
        kind=kind,
        cause=cause,
        hint=f"pin a newer {package}, which knows this Python, or choose a target with an older one",
        dated=dated,
        regenerate=kind == "c-of-another-python",
    )


def _own_code(match: re.Match[str], log: Log) -> bool:
    """Whether an exception came from the sdist's code, and not from a build requirement's."""
    return "site-packages" not in _raised_in(match, log)


def _raised_in(match: re.Match[str], log: Log) -> str:
    """The line of a traceback that names the file in which it ends."""
    above = [line for line in log.before(match, 12) if re.match(r"\s{0,40}File \"", line)]
    return above[-1] if above else ""


def _setuptools_of_old(match: re.Match[str], log: Log) -> bool:
    where = _raised_in(match, log)
    return re.search(r"site-packages/(?:setuptools|pkg_resources|wheel|pip)/", where) is not None


def _gone(match: re.Match[str], log: Log) -> Diagnosis | None:
    """A module of the standard library that is no longer there."""
    module = match.group(1).partition(".")[0]
    since = GONE.get(module)
    if since is None:
        return None
    if module == "distutils" and not _setuptools_of_old(match, log):
        return Diagnosis(
            kind="distutils-gone",
            cause="its build imports distutils, which is setuptools' since Python 3.12, and its "
            "build requirements do not name setuptools",
            hint="give it setuptools",
            fix=requires_fix(log.package, ["setuptools"]),
            requires=("setuptools",),
        )
    if _setuptools_of_old(match, log):
        return _aged(
            "setuptools-too-old",
            f"its setuptools is too old for this Python: it imports {module}",
            "setuptools>=66.1",
        )(match, log)
    cause = f"its build imports {module}, which Python has no longer since {since}"
    own = _own_code(match, log)
    return _newer_python(log.package, "stdlib-module-gone", cause, dated=not own)


def _part_gone(match: re.Match[str], log: Log) -> Diagnosis | None:
    """A name that a module of the standard library no longer has."""
    module, name = match.group("module"), match.group("name")
    top = module.partition(".")[0]
    if top not in sys.stdlib_module_names or top == "distutils":
        return None
    if _setuptools_of_old(match, log):
        cause = f"its setuptools is too old for this Python: it uses {module}.{name}"
        return _aged("setuptools-too-old", cause, "setuptools>=66.1")(match, log)
    since = _PARTS_GONE.get(f"{module}.{name}", "3.10" if module == "collections" else None)
    when = f" since {since}" if since else ""
    cause = f"its build uses {module}.{name}, which Python has no longer{when}"
    return _newer_python(log.package, "stdlib-name-gone", cause, dated=not _own_code(match, log))


def _mode_u(match: re.Match[str], log: Log) -> Diagnosis | None:
    cause = "its build opens a file in mode U, which Python has no longer since 3.11"
    return _newer_python(log.package, "stdlib-name-gone", cause)


def _python_2(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="python-2",
        cause=f"it is written for Python 2: {quoted(match.group(), 120)}",
        hint=f"pin a newer {log.package}, or use what has taken its place",
        # Old releases were translated to Python 3 by setuptools, as long as that could.
        dated=True,
    )


def _refused(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="python-refused",
        cause=f"it refuses this Python: {quoted(match.group().strip(), 200)}",
        hint=f"pin a version of {log.package} that supports it, or choose a target with another",
    )


def _c_of_python(match: re.Match[str], log: Log) -> Diagnosis | None:
    """C that uses what another CPython had, or has otherwise."""
    line = log.lines[log.line_of(match)]
    made_here = "site-packages" in line or "Cythonizing" in log.text
    what = (
        f"it includes {match.group(1)}"
        if match.group(1).endswith(".h")
        else f"it uses {first_group(match)}"
    )
    cause = f"its C code is for another Python than the target's: {what}"
    return _newer_python(log.package, "c-of-another-python", cause, dated=made_here)


def _assigned(match: re.Match[str], log: Log) -> Diagnosis | None:
    """``Py_TYPE(x) = y``, which was possible until Python 3.10."""
    macro = re.search(r"\b(Py_(?:TYPE|SIZE|REFCNT))\b", "\n".join(log.after(match, 6)))
    if macro is None:
        return None
    cause = f"its C code is for another Python than the target's: it assigns to {macro.group(1)}()"
    return _newer_python(log.package, "c-of-another-python", cause)


def _setuptools_part(match: re.Match[str], log: Log) -> Diagnosis | None:
    part = first_group(match)
    if _setuptools_of_old(match, log):
        cause = f"its setuptools is too old for this Python: it does not find its own {part}"
        return _aged("setuptools-too-old", cause, "setuptools>=66.1")(match, log)
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
    return _aged("setuptools-part-gone", cause, *constraints)(match, log)


def _cython(match: re.Match[str], log: Log) -> Diagnosis | None:
    """An error of Cython's: most of them are of code for Cython before 3."""
    what = quoted(match.group(1), 140)
    if missing := re.match(r"'([\w/]{1,40})\.pxd' not found", what):
        module = missing.group(1).partition("/")[0]
        if module in {"numpy", "mpi4py", "cysignals", "gmpy2", "lxml"}:
            return Diagnosis(
                kind="undeclared-cimport",
                cause=f"its Cython code cimports {module}, which its build requirements do not name",
                hint="give its build what it does not ask for itself",
                fix=requires_fix(log.package, [module]),
                requires=(module,),
            )
    return _aged(
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
    return _aged("numpy-too-new", cause, limit)(match, log)


_NUMPY_C = _aged("numpy-too-new", "its C code uses {0}, which numpy 2 has no longer", "numpy<2")
_EXPRESSION = r"(?:[^\n‘']{0,80}[‘'])"

AGE: tuple[Symptom, ...] = (
    # C for another Python: nothing else matters then.
    Symptom(
        rf"fatal error: ['\"<]?({_HEADERS_GONE})['\">]?:? (?:No such file|file not found)",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(
        rf": error: (?:implicit declaration of function|unknown type name|too (?:few|many) arguments to "
        rf"function|incompatible types? for argument \d+ of|invalid use of (?:incomplete|undefined) "
        rf"type(?:def)?|use of undeclared identifier|no matching function for call to|passing argument \d+ of)"
        rf" [‘']({_OWN})",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(
        rf": error: [‘']({_OWN})[^\n]{{0,20}}[’'] (?:undeclared|was not declared|does not name a type"
        r"|has not been declared|has no member named)",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(
        rf": error: [‘']{_STRUCTS}[^\n]{{0,60}}has no member named [‘'](\w{{1,60}})",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(
        rf": error: expected [‘'].{{1,3}}[’'] before [‘']({_OWN})", _c_of_python, Rank.DECISIVE
    ),
    Symptom(r": error: lvalue required as left operand of assignment", _assigned, Rank.DECISIVE),
    Symptom(r"#error [\"']?((?:Python|Cython)[^\n]{1,100})", _c_of_python, Rank.DECISIVE),
    # numpy
    Symptom(
        rf": error: [‘'](?:PyArray_Descr|_PyArray_Descr)[^\n]{{0,60}}has no member named [‘'](\w{{1,60}})",
        _NUMPY_C,
    ),
    Symptom(
        r": error: (?:implicit declaration of function |use of undeclared identifier )?[‘']((?:PyArray|NPY)_\w{1,60})[’']"
        r"(?: undeclared| was not declared|; did you| \[-W)",
        _NUMPY_C,
    ),
    Symptom(r"fatal error: (numpy/(?:noprefix|oldnumeric|old_defines)\.h)", _NUMPY_C),
    Symptom(r"`np\.(\w{1,40})` was (?:removed|a deprecated alias)", _numpy_part),
    Symptom(r"module 'numpy' has no attribute '(\w{1,40})'", _numpy_part),
    Symptom(
        r"No module named '(numpy\.distutils)|cannot import name '\w{1,40}' from '(numpy\.distutils)",
        _aged(
            "numpy-distutils",
            "its setup.py uses numpy.distutils, which newer numpys no longer have, "
            "and none for Python 3.12 or later",
            "numpy<2",
            "setuptools<60",
        ),
    ),
    # setuptools
    Symptom(
        r"No module named '(pkg_resources)",
        _aged(
            "pkg-resources",
            f"its build imports pkg_resources, {_WITHOUT.format(82)}",
            "setuptools<82",
        ),
    ),
    Symptom(
        r"use_2to3 is invalid",
        _aged(
            "use-2to3",
            f"it is translated from Python 2 by use_2to3, {_WITHOUT.format(58)}",
            "setuptools<58",
        ),
    ),
    Symptom(
        r"cannot import name '(Feature)' from 'setuptools'",
        _aged(
            "setuptools-feature",
            f"its setup.py imports Feature, {_WITHOUT.format(46)}",
            "setuptools<46",
        ),
    ),
    Symptom(
        r"cannot import name 'msvccompiler' from 'distutils'|No module named '(?:setuptools\._)?distutils\.msvc",
        _aged(
            "distutils-msvccompiler",
            f"its setup.py imports distutils.msvccompiler, {_WITHOUT.format(74)}",
            "setuptools<74",
        ),
    ),
    Symptom(
        r"got an unexpected keyword argument '(dry_run|verbose|force)'",
        _aged(
            "setuptools-arguments",
            "its setup.py uses distutils' {0}, which newer setuptools no longer have",
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
        _aged(
            "invalid-version",
            "its version is none by PEP 440 ({0}), as setuptools demands since 66",
            "setuptools<66",
        ),
    ),
    Symptom(
        r"'((?:install|setup|tests|extras)_requires?)' must be a (?:string|dictionary)",
        _aged(
            "invalid-requirement",
            "its {0} has a requirement that is none by PEP 508, as setuptools demands since 66",
            "setuptools<66",
        ),
    ),
    Symptom(
        r"configuration error: `project\.(license[\w-]{0,10})`|`project\.(license)` must be valid exactly by one",
        _aged(
            "license-expression",
            "it gives its license as setuptools understands it since 77, and the one here is older",
            "setuptools>=77",
        ),
    ),
    Symptom(
        r"Multiple top-level (?:packages|modules) discovered in a flat-layout",
        _aged(
            "flat-layout",
            "setuptools finds several packages in it, and since 61 refuses to guess",
            "setuptools<61",
        ),
    ),
    Symptom(
        r"The \[tool\.flit\.metadata\] table is no longer supported",
        _aged("flit-metadata", "its pyproject.toml is for flit before 4", "flit-core<4"),
    ),
    Symptom(
        r"Compatibility with CMake < 3\.5 has been removed",
        _aged("cmake-too-new", "its CMakeLists.txt is for CMake before 4", "cmake<4"),
    ),
    Symptom(
        r"CMake (\d[\w.]{0,10}) or higher is required|requires? CMake (?:>=|version) ?(\d[\w.]{0,10})",
        lambda match, log: _newer_tool(log.package, "cmake", first_group(match)),
    ),
    Symptom(
        r"Meson version is [\w.]{1,20} but project requires >= ?([\w.]{1,20})",
        lambda match, log: _newer_tool(log.package, "meson", match.group(1)),
    ),
    Symptom(
        r"requires rustc (\d[\w.]{0,12}) or newer|older than the `(\d{4})` edition"
        r"|feature `(edition\d{4})` is required|requires (?:at least )?Rust (\d[\w.]{0,12})",
        lambda match, log: _newer_rust(log.package, first_group(match)),
        Rank.DECISIVE,
    ),
    # Cython
    Symptom(
        r"'build_ext' object has no attribute '(cython_sources)'",
        _aged("cython-3", "its setup.py is for Cython before 3", "cython<3"),
    ),
    Symptom(
        r"^[ \t]{0,20}[\w./+-]{1,200}\.p(?:yx|xd|y|xi):\d{1,7}:\d{1,5}: (?!warning|performance)([^\n]{1,200})",
        _cython,
    ),
    Symptom(r"Cython\.Compiler\.Errors\.CompileError: ([\w./+-]{1,200})", _cython),
    # Python
    Symptom(rf"No module named '({'|'.join(GONE)})\b", _gone),
    Symptom(r"module '(?P<module>[\w.]{1,60})' has no attribute '(?P<name>\w{1,60})'", _part_gone),
    Symptom(r"cannot import name '(?P<name>\w{1,60})' from '(?P<module>[\w.]{1,60})'", _part_gone),
    Symptom(r"ValueError: invalid mode: 'r?U", _mode_u),
    Symptom(rf"No module named '{_OF_PYTHON_2}'", _python_2),
    Symptom(rf"NameError: name '{_NAMES_OF_PYTHON_2}' is not defined", _python_2),
    Symptom(
        r"SyntaxError: (?:Missing parentheses in call to '(?:print|exec)'|multiple exception types must be"
        r" parenthesized|leading zeros in decimal integer|invalid syntax|invalid decimal literal"
        r"|\(unicode error\))[^\n]{0,60}|^TabError: [^\n]{1,80}",
        _python_2,
    ),
    Symptom(r"[^\n]{0,80}backport is (?:meant only )?for Python 2[^\n]{0,60}", _python_2),
    Symptom(
        r"^[^\n]{0,60}(?:Cannot install on Python version|Python version[^\n]{1,60}(?:not supported|unsupported)"
        r"|requires (?:at least )?Python ?(?:version )?[<>=]{0,2} ?[23]\.\d|[Pp]ython ?[<>=]{0,2} ?[23][\d.]{0,6}\+?"
        r" (?:or (?:newer|later|above|higher) )?(?:is|are) (?:not supported|required|unsupported))[^\n]{0,120}",
        _refused,
    ),
)


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
        cause=f"it is written in a newer Rust ({wanted}) than the distribution's compiler knows",
        hint=f'use a wheel of it: `[packages.{package}] source = "wheel"`; where the target has '
        "none, pin an older version",
    )
