"""Symptoms of code that is for another Python than the target's."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from wheelhouse.building.answers import aged, of_old_setuptools, requires_fix
from wheelhouse.building.symptoms import Diagnosis, Rank, Symptom, first_group, quoted

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log

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
    r"(?:code|longintrepr|pystrhex|pyfpe|Python-ast|graminit|parsetok|cStringIO|intobject"
    r"|stringobject"
    r"|pyarena|asdl|internal/pystate|internal/pycore_\w{1,30})\.h"
)

#: What CPython's own C names begin with; numpy's begin with PyArray, PyUFunc and NPY.
_OWN = r"_?Py(?!Array|UFunc|CFFI)[A-Za-z]{0,60}(?:_[A-Za-z]\w{0,60})?"

_STRUCTS = (
    r"_?(?:Py|struct _)?(?:PyThreadState|ThreadState|ts|PyFrameObject|_frame|PyTypeObject"
    r"|_typeobject"
    r"|PyLongObject|_longobject|PyErr_StackItem|_PyErr_StackItem|_err_stackitem|PyCodeObject"
    r"|PyInterpreterState|PyUnicodeObject|PyASCIIObject|PyModuleDef|PyGenObject|PyHeapTypeObject"
    r"|_CFrame|PyCFrame|PyCodeObject|PyCFunctionObject|PyWeakReference|PyDictObject)"
)


def _newer_python(package: str, kind: str, cause: str, *, dated: bool = False) -> Diagnosis:
    return Diagnosis(
        kind=kind,
        cause=cause,
        hint=f"pin a newer {package}, which knows this Python, or choose a target with an older "
        "one",
        dated=dated,
        regenerate=kind == "c-of-another-python",
    )


def _own_code(match: re.Match[str], log: Log) -> bool:
    """Whether an exception came from the sdist's code, and not from a build requirement's."""
    return "site-packages" not in log.raised_in(match)


def _gone(match: re.Match[str], log: Log) -> Diagnosis | None:
    """A module of the standard library that is no longer there."""
    module = match.group(1).partition(".")[0]
    since = GONE.get(module)
    if since is None:
        return None
    if module == "distutils" and not of_old_setuptools(match, log):
        return Diagnosis(
            kind="distutils-gone",
            cause="its build imports distutils, which is setuptools' since Python 3.12, and its "
            "build requirements do not name setuptools",
            hint="give it setuptools",
            fix=requires_fix(log.package, ["setuptools"]),
            requires=("setuptools",),
        )
    if of_old_setuptools(match, log):
        return aged(
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
    if of_old_setuptools(match, log):
        cause = f"its setuptools is too old for this Python: it uses {module}.{name}"
        return aged("setuptools-too-old", cause, "setuptools>=66.1")(match, log)
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


PYTHON: tuple[Symptom, ...] = (
    Symptom(
        rf"fatal error: ['\"<]?({_HEADERS_GONE})['\">]?:? (?:No such file|file not found)",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(
        r": error: (?:implicit declaration of function|unknown type name|too (?:few|many)"
        r" arguments to "
        r"function|incompatible types? for argument \d{1,3} of|invalid use of (?:incomplete"
        r"|undefined) "
        r"type(?:def)?|use of undeclared identifier|no matching function for call to|passing"
        r" argument \d{1,3} of)"
        rf" '({_OWN})",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(
        rf": error: '({_OWN})[^\n]{{0,20}}' (?:undeclared|was not declared|does not name a type"
        r"|has not been declared|has no member named)",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(
        rf": error: '{_STRUCTS}[^\n]{{0,60}}has no member named '(\w{{1,60}})",
        _c_of_python,
        Rank.DECISIVE,
    ),
    Symptom(rf": error: expected '.{{1,3}}' before '({_OWN})", _c_of_python, Rank.DECISIVE),
    Symptom(r": error: lvalue required as left operand of assignment", _assigned, Rank.DECISIVE),
    Symptom(r"#error [\"']?((?:Python|Cython)[^\n]{1,100})", _c_of_python, Rank.DECISIVE),
    Symptom(rf"No module named '({'|'.join(GONE)})'", _gone),
    Symptom(r"module '(?P<module>[\w.]{1,60})' has no attribute '(?P<name>\w{1,60})'", _part_gone),
    Symptom(r"cannot import name '(?P<name>\w{1,60})' from '(?P<module>[\w.]{1,60})'", _part_gone),
    Symptom(r"ValueError: invalid mode: 'r?U", _mode_u),
    Symptom(rf"No module named '{_OF_PYTHON_2}'", _python_2),
    Symptom(rf"NameError: name '{_NAMES_OF_PYTHON_2}' is not defined", _python_2),
    Symptom(
        r"SyntaxError: (?:Missing parentheses in call to '(?:print|exec)'|multiple exception"
        r" types must be"
        r" parenthesized|leading zeros in decimal integer|invalid syntax|invalid decimal literal"
        r"|\(unicode error\))[^\n]{0,60}|^TabError: [^\n]{1,80}",
        _python_2,
    ),
    Symptom(r"[^\n]{0,80}backport is (?:meant only )?for Python 2[^\n]{0,60}", _python_2),
    Symptom(
        r"^[^\n]{0,60}(?:Cannot install on Python version|Python version[^\n]{1,60}(?:not"
        r" supported|unsupported)"
        r"|requires (?:at least )?Python ?(?:version )?[<>=]{0,2} ?[23]\.\d|[Pp]ython"
        r" ?[<>=]{0,2} ?[23][\d.]{0,6}\+?"
        r" (?:or (?:newer|later|above|higher) )?(?:is|are) (?:not supported|required"
        r"|unsupported))[^\n]{0,120}",
        _refused,
    ),
)
