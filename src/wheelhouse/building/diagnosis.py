"""From a failed build's output to its cause and the next step. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.building.answers import (
    against_fix,
    env_fix,
    limits_fix,
    requires_fix,
    system_fix,
)
from wheelhouse.building.guesses import guesses
from wheelhouse.building.limitations import LIMITS, of_disk, of_network
from wheelhouse.building.symptomage import AGE
from wheelhouse.building.symptomcode import CODE
from wheelhouse.building.symptomconfigure import CONFIGURE
from wheelhouse.building.symptomnetwork import NETWORK
from wheelhouse.building.symptomproject import PROJECT
from wheelhouse.building.symptompython import PYTHON
from wheelhouse.building.symptoms import Diagnosis, Log, quoted, read
from wheelhouse.building.symptomsystem import SYSTEM
from wheelhouse.building.symptomtools import TOOLS
from wheelhouse.missing import Missing
from wheelhouse.text import exact_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from packaging.version import Version

    from wheelhouse.building.runner import Failure
    from wheelhouse.engine import Limits

__all__ = ["Diagnosis", "against_fix", "diagnose", "env_fix", "requires_fix", "system_fix"]

#: Of the same line, what comes first here is said.
SYMPTOMS = (*PYTHON, *AGE, *NETWORK, *SYSTEM, *CONFIGURE, *TOOLS, *CODE, *PROJECT)

#: Kinds of which nothing is known but what the build itself says.
_IN_ITS_OWN_WORDS = {"script-error", "script-stops", "unknown"}


def diagnose(
    failure: Failure, package: str, limits: Limits, *, toolkit: Version | None = None
) -> Diagnosis:
    """Explain *failure* of the build of *package* (its name, for the settings proposed).

    :param toolkit: the release of the CUDA toolkit that it had; None if it had none.
    """
    known = _BY_STAGE.get(failure.stage)
    if known is not None:
        return of_disk(known(failure, package, limits), limits, failure.message)
    found = _by_text(failure, package, toolkit)
    if found is not None and failure.stage == "recipe":  # which of its commands, is the message
        found = replace(found, cause=f"{failure.message}: {found.cause}")
    found = of_disk(found, limits) if found else _unknown(failure, package)
    return _with_guesses(of_network(found, failure.wanted, package))


def _with_guesses(found: Diagnosis) -> Diagnosis:
    if found.kind not in _IN_ITS_OWN_WORDS or found.missing or found.constraints or found.requires:
        return found
    return replace(found, guesses=guesses("\n".join((found.cause, *found.evidence))))


def _by_text(failure: Failure, package: str, toolkit: Version | None = None) -> Diagnosis | None:
    """What the log says, and what the failure's own message does where the log is silent."""
    texts = (failure.tail, failure.message)
    found = (read(Log.of(package, text, toolkit), SYMPTOMS) for text in texts)
    return next(filter(None, found), None)


def _unknown(failure: Failure, package: str) -> Diagnosis:
    every = (line.strip() for line in Log.of(package, failure.tail).lines)
    lines = [line for line in every if not re.match(r"[|!*~^]|self\.", line)]
    telling = [line for line in lines if re.search(r"(?i)\b(error|fatal|failed|no such)\b", line)]
    last = next(iter(telling[-1:] or [line for line in lines if line][-1:]), "")
    said = f" ({quoted(last, 200)})" if last else ""
    return Diagnosis(
        kind="unknown",
        cause=f"{failure.message}{said}",
        hint="read the log; if a package of the distribution is missing, add it to "
        f"`[packages.{package}] system`",
        evidence=tuple(line[:200] for line in lines if line)[-3:],
        dated=True,
    )


# -- Stages that say enough, or have a log of another kind ------------------------------------


def _output(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    large = "more than the limit" in failure.message
    return Diagnosis(
        kind="result-refused",
        cause=f"its result was refused: {failure.message}",
        hint="raise `result` under [limits] in wheelhouse.toml, if that is as it should be"
        if large
        else "read the log",
        fix=limits_fix("result", f'"{exact_size(2 * limits.result)}"') if large else None,
    )


def _extension(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    """The build went on without its C extension: why stands in the log, among other things."""
    why = _by_text(failure, package)
    pure = f"if the slower, pure form will do, set `[packages.{package}] allow-pure = true`"
    if why is None:
        return Diagnosis(
            kind="extension-left-out",
            cause=failure.message,
            hint=f"the log tells why the compiler failed; {pure}",
        )
    return replace(
        why,
        kind="extension-left-out",
        cause=f"{failure.message}: {why.cause}",
        hint=f"{why.hint}; {pure}",
    )


def _repair(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    """auditwheel could not make the wheel independent of the builder."""
    log = Log.of(package, f"{failure.tail}\n{failure.message}")
    found = re.search(r"required library \"?([\w.+-]{1,120})\"? could not be located", log.text)
    if found:
        return Diagnosis(
            kind="repair-library",
            cause=f"its wheel needs the library {found.group(1)}, which is not in the builder",
            hint=f"add the distribution's package that has it: `[packages.{package}] system`; or, "
            "if a requirement has it, have it built against that: `build-against`",
            evidence=(log.lines[log.line_of(found)][:200],),
            missing=(Missing("soname", found.group(1)),),
        )
    return Diagnosis(
        kind="repair",
        cause=f"auditwheel cannot repair its wheel: {quoted(failure.message, 200)}",
        hint=f"pin another version of {package}, or choose a target with a newer libc",
        evidence=tuple(line[:200] for line in log.lines if "auditwheel" in line)[-3:],
    )


def _environment(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="build-environment",
        cause=failure.message,
        hint="run `wheelhouse lock`: the build requirements that are locked do not fit together",
        dated=True,
    )


def _unpack(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="bad-sdist",
        cause=failure.message,
        hint="pin another version, or tell the project's maintainers",
    )


def _requires(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(kind="unlocked", cause=failure.message, hint="run `wheelhouse lock`")


def _not_generated(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="not-generated",
        cause=failure.message,
        hint=f"take `regenerate` out of what the lock has for {package}",
    )


def _recipe_network(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="recipe-network",
        cause=f"its recipe wants the network (in {failure.message}), and has none",
        hint=f"if it only installs system packages, name them in `[packages.{package}] system`; "
        "or allow it the network by `network = true` there: what it fetches is then checked by "
        "nobody",
    )


def _pure(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="recipe-pure",
        cause="its wheel has nothing compiled in it, and cibuildwheel refuses such wheels",
        hint=f'leave out `builder = "cibuildwheel"` under `[packages.{package}]`',
    )


_BY_STAGE: dict[str, Callable[[Failure, str, Limits], Diagnosis]] = {
    **LIMITS,
    "output": _output,
    "protocol": _output,
    "extension": _extension,
    "repair": _repair,
    "environment": _environment,
    "unpack": _unpack,
    "unlocked": _requires,
    "regenerate": _not_generated,
    "recipe-network": _recipe_network,
    "pure": _pure,
}
