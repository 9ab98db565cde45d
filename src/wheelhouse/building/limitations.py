"""What to tell of a build that has met the limits of its container, and how to raise them. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.building.answers import limits_fix, more_memory
from wheelhouse.building.symptoms import Diagnosis
from wheelhouse.text import exact_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelhouse.building.runner import Failure
    from wheelhouse.engine import Limits

#: What a program is told whose disk is full.
FULL = re.compile(r"No space left on device|Errno 28\b|os error 28\b|\bENOSPC\b")

#: Kinds that say no more than that something is wrong: a place that was wanted says more.
_VAGUE = {"script-error", "script-stops", "unknown"}

#: Kinds that know of the network; and how many places are told.
_OF_NETWORK = {"download"}
_TOLD = 3


def _memory(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="memory",
        cause=f"the build {failure.message} (limit: {exact_size(limits.memory)})",
        hint="raise `memory` under [limits] in wheelhouse.toml",
        fix=more_memory(limits),
    )


def _machine_memory(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="machine-memory",
        cause=f"the build {failure.message}; it was below its own limit, which is "
        f"{exact_size(limits.memory)}",
        hint="end other programs on the engine's machine, or run fewer containers at one time: "
        "--jobs, or `jobs` in wheelhouse.toml",
    )


def _deadline(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    waited = f", having looked for {_listed(failure.wanted)}" if failure.wanted else ""
    doubt = "; it may be waiting for the network, which it has not" if failure.wanted else ""
    return Diagnosis(
        kind="deadline",
        cause=f"the build {failure.message} and was stopped{waited}{doubt}",
        hint="raise `deadline` under [limits] in wheelhouse.toml",
        fix=limits_fix("deadline", f'"{2 * limits.deadline:.0f}s"'),
    )


def _processes(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    stopped = failure.stage == "crowded"
    told = f", then {failure.message} and was stopped" if stopped else f": {failure.message}"
    return Diagnosis(
        kind="processes",
        cause=f"the build could not start another process (limit: {limits.processes}){told}",
        hint="raise `processes` under [limits] in wheelhouse.toml, unless it starts them without "
        "end",
        fix=limits_fix("processes", str(2 * limits.processes)),
    )


def _killed(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="killed",
        cause=f"the build was killed: {failure.message}",
        hint="something in the build has done it, or the engine's machine ran out of memory, which "
        "its kernel's log tells (`dmesg`): then run fewer containers at one time, by --jobs",
    )


def _outside(failure: Failure, package: str, limits: Limits) -> Diagnosis:
    return Diagnosis(
        kind="killed-from-outside",
        cause=f"the build {failure.message}",
        hint="run the command again, and leave its containers alone",
    )


#: By the stage of a failure.
LIMITS: dict[str, Callable[[Failure, str, Limits], Diagnosis]] = {
    "memory": _memory,
    "machine-memory": _machine_memory,
    "deadline": _deadline,
    "crowded": _processes,
    "processes": _processes,
    "killed": _killed,
    "outside": _outside,
}


def of_disk(found: Diagnosis, limits: Limits, message: str = "") -> Diagnosis:
    """*found*, or that the disk is full if this, or a failure's *message*, says so."""
    if found.kind != "disk-full" and not FULL.search(message):
        return found
    return Diagnosis(
        kind="disk-full",
        cause="the disk of the build's container is full: its files are in memory, and may take "
        f"three quarters of that (limit: {exact_size(limits.memory)})",
        hint="raise `memory` under [limits] in wheelhouse.toml",
        evidence=found.evidence,
        fix=more_memory(limits),
    )


def of_network(found: Diagnosis, wanted: Sequence[str], package: str) -> Diagnosis:
    """*found*, with what was *wanted* of the network where that, most likely, is the cause."""
    if not wanted or found.kind not in _VAGUE | _OF_NETWORK:
        return found
    if found.kind in _OF_NETWORK:
        hosts = (place.rpartition(":")[0] or place for place in wanted)
        unnamed = not any(host in found.cause for host in hosts)
        told = f"{found.cause} (it looked for {_listed(wanted)})" if unnamed else found.cause
        return replace(found, cause=told)
    return replace(
        found,
        kind="download",
        cause=f"the build wants the network ({_listed(wanted)}), and builds have none; then "
        f"{found.cause}",
        hint="give it by `system` what it would fetch, or tell it to do without: "
        f"`[packages.{package}.env]`, or config-settings",
        guesses=(),
    )


def _listed(wanted: Sequence[str]) -> str:
    more = f" and {len(wanted) - _TOLD} more" if len(wanted) > _TOLD else ""
    return ", ".join(wanted[:_TOLD]) + more
