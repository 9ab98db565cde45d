"""From a failed build's output to its cause and the next step. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.text import human_size, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelhouse.building.runner import Failure
    from wheelhouse.engine import Limits
    from wheelhouse.missing import Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What a failure's text says.

    :ivar kind: a stable name of the kind of failure, such as ``missing-header``.
    :ivar cause: what happened, in one sentence.
    :ivar hint: what to do, in one sentence.
    :ivar evidence: the few lines of the log that show it.
    :ivar fix: the exact lines for `wheelhouse.toml`, if some help.
    :ivar missing: what of the distribution was not there.
    :ivar constraints: limits to build requirements that are known to help, such as
        ``setuptools<82``.
    :ivar requires: build requirements that the sdist needs and does not declare.
    :ivar imports: modules that its metadata step or build imports and that belong to a
        requirement of the package itself, such as ``torch``: for `build-against`.
    :ivar dated: whether build requirements of the sdist's own time may help.
    :ivar regenerate: whether C code that Cython generated does not know this Python.
    """

    kind: str
    cause: str
    hint: str
    evidence: tuple[str, ...] = ()
    fix: str | None = None
    missing: tuple[Missing, ...] = ()
    constraints: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    dated: bool = False
    regenerate: bool = False


def diagnose(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    """Explain *failure* of the build of *package* (its name, for the settings proposed)."""
    known = _BY_STAGE.get(failure.stage)
    if known is not None:
        return known(failure, package, limits)
    for pattern, rule in _BY_TEXT:
        if match := re.search(pattern, failure.tail, re.MULTILINE):
            return rule(match, package)
    return Diagnosis(
        cause=f"{failure.message}{_last_words(failure.tail)}",
        hint="read the log; if a system library is missing, add its package to "
        f"`[packages.{package}] system`",
    )


def _last_words(text: str) -> str:
    """The last line that says something is wrong, in parentheses."""
    lines = [sanitize(line).strip() for line in text.splitlines()]
    telling = [line for line in lines if re.search(r"(?i)\b(error|fatal|failed|no such)\b", line)]
    last = next(iter(telling[-1:] or [line for line in lines if line][-1:]), "")
    return f" ({last[:200]})" if last else ""


def _memory(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        cause=f"the build ran out of memory (limit: {human_size(limits.memory)})",
        hint='raise `memory` under [limits] in wheelhouse.toml, such as memory = "8GiB"',
    )


def _deadline(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        cause=f"the build did not end within {limits.deadline:.0f} s and was stopped",
        hint='raise `deadline` under [limits] in wheelhouse.toml, such as deadline = "2h"',
    )


def _output(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(cause=f"its result was refused: {failure.message}", hint="read the log")


def _extension(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        cause=failure.message,
        hint="the log tells why the compiler failed; if the slower, pure form will do, set "
        f"`[packages.{package}] allow-pure = true`",
    )


def _unpack(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        cause=failure.message, hint="pin another version, or tell the project's maintainers"
    )


def _requires(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(cause=failure.message, hint="run `wheelhouse lock`")


def _recipe_network(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        cause=f"its recipe wants the network (in {failure.message}), and has none",
        hint=f"if it only installs system packages, name them in `[packages.{package}] system`; "
        "or allow it the network by `network = true` there: what it fetches is then checked by "
        "nobody",
    )


def _pure(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        cause="its wheel has nothing compiled in it, and cibuildwheel refuses such wheels",
        hint=f'leave out `builder = "cibuildwheel"` under `[packages.{package}]`',
    )


_BY_STAGE: dict[str, Callable[[Failure, str, Limits], Diagnosis]] = {
    "memory": _memory,
    "deadline": _deadline,
    "output": _output,
    "protocol": _output,
    "extension": _extension,
    "unpack": _unpack,
    "unlocked": _requires,
    "recipe-network": _recipe_network,
    "pure": _pure,
}


#: Modules that Python had, and has no longer.
GONE = {"asynchat", "asyncore", "cgi", "distutils", "imp", "pipes", "smtpd", "telnetlib", "xdrlib"}


def _missing_system(what: str) -> Callable[[re.Match[str], str], Diagnosis]:
    def rule(match: re.Match[str], package: str) -> Diagnosis:
        return Diagnosis(
            cause=f"{what.format(match.group(1))} is missing in the builder",
            hint="add the distribution's package that has it: "
            f'`[packages.{package}] system = ["…-dev"]`',
        )

    return rule


def _network(match: re.Match[str], package: str) -> Diagnosis:
    return Diagnosis(
        cause="the build wants the network, and builds have none",
        hint="the log names what it asked for; set what it offers to do without, under "
        f"`[packages.{package}] env` or config-settings",
    )


def _no_module(match: re.Match[str], package: str) -> Diagnosis:
    module = match.group(1)
    if module == "pkg_resources":
        return Diagnosis(
            cause="it needs pkg_resources, which setuptools 82 and later no longer have",
            hint=f"pin a newer {package}; old sdists need the build tools of their time",
        )
    if module in GONE:
        return Diagnosis(
            cause=f"its build imports {module}, which newer Pythons no longer have",
            hint=f"pin a newer {package}, or choose a target with an older Python",
        )
    return Diagnosis(
        cause=f"its build imports {module}, which its build requirements do not name",
        hint=f"pin another version of {package} whose build requirements are complete",
    )


def _rust(match: re.Match[str], package: str) -> Diagnosis:
    return Diagnosis(
        cause="its build wants to download a Rust compiler, and builds have no network",
        hint=f'use a wheel of it: `[packages.{package}] source = "wheel"`; where the target has '
        "none, pin a version that has",
    )


def _outdated(match: re.Match[str], package: str) -> Diagnosis:
    return Diagnosis(
        cause=f"its build stops with {sanitize(match.group(1))[:200]}",
        hint=f"pin a newer {package}: this one does not get on with today's Python or build tools",
    )


def _no_file(match: re.Match[str], package: str) -> Diagnosis:
    return Diagnosis(
        cause=f"its build reads the file {match.group(1)}, which its sdist does not have",
        hint=f"pin another version of {package}, or tell the project's maintainers",
    )


def _older_python(match: re.Match[str], package: str) -> Diagnosis:
    return Diagnosis(
        cause=f"it was written for older Pythons: it includes {match.group(1)}, which is gone",
        hint=f"pin a newer {package}, or replace it: no system package brings that header back",
    )


def _compiler(match: re.Match[str], package: str) -> Diagnosis:
    return Diagnosis(
        cause=f"its code does not compile: {sanitize(match.group(1))[:200]}",
        hint=f"pin a newer {package}, which knows the target's Python, libraries and compiler, or "
        "choose a target with an older Python",
    )


# Each begins with fixed text, or where a word does: a log is a stranger's, and a long line of
# word characters must not be tried from every one of them.
_BY_TEXT: tuple[tuple[str, Callable[[re.Match[str], str], Diagnosis]], ...] = (
    (r"fatal error: '?(longintrepr\.h)'?:? (?:No such file|file not found)", _older_python),
    (
        r"fatal error: '?([\w./+-]+)'?:? (?:No such file|file not found)",
        _missing_system("the header {}"),
    ),
    (r"cannot find -l([\w.+-]+)", _missing_system("the library {}")),
    (r"No package '([\w.+-]+)' found", _missing_system("the pkg-config file {}.pc")),
    (
        r"Package '?([\w.+-]+)'? was not found in the pkg-config",
        _missing_system("the pkg-config file {}.pc"),
    ),
    (r'Dependency "([\w.+-]+)" not found', _missing_system("the dependency {}")),
    (r"CMake Error[^\n]*\n\s*Could NOT find ([\w+-]+)", _missing_system("the dependency {}")),
    (r"\b(pg_config) executable not found", _missing_system("the tool {}")),
    (r"sh: (?:line )?\d+: ([\w.+-]+): (?:command )?not found", _missing_system("the tool {}")),
    (
        r"(?<![\w.+-])([\w.+-]*[-_]config): (?:command )?not found",
        _missing_system("the tool {}"),
    ),
    (r"error: command '([\w.+-]+)' failed: No such file", _missing_system("the tool {}")),
    (r"\[Errno 2\] No such file or directory: '([a-z][\w+-]*)'", _missing_system("the tool {}")),
    (r"\[Errno 2\] No such file or directory: '([\w.+-][\w./+-]*)'", _no_file),
    (r"(?:can't find|requires) (Rust|rustc|cargo)\b", _missing_system("the compiler {}")),
    (r"static\.rust-lang\.org", _rust),
    (r"Temporary failure in name resolution|Could not resolve host", _network),
    (r"Network is unreachable|Name or service not known", _network),
    (r"ModuleNotFoundError: No module named '([\w.]+)'", _no_module),
    (r"^((?:AttributeError|ImportError): [^\n]+)", _outdated),
    (r"^\s{0,8}((?!conftest)[\w./+-]{1,200}\.[a-z]{1,3}:\d+:\d+: error: [^\n]+)", _compiler),
)
