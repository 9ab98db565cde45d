"""How steps are named for people: ``lxml 6.0.2`` is *building*, was *built*, took *12 s*.

The kind of a step is its phase (``fetch``, ``build``, ``repair``, …). A phase that is one of a
target's own stages is refined by the step's first word, if that names a kind: ``fetch torch``.
Steps of the stage ``wheels`` that say nothing else are builds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.text import human_duration, human_size, sanitize

if TYPE_CHECKING:
    from wheelhouse.events import StepFinished
    from wheelhouse.reporting.state import RunningStep

#: For each kind, what is going on and what has been done.
_VERBS = {
    "build": ("building", "built"),
    "fetch": ("fetching", "fetched"),
    "download": ("downloading", "downloaded"),
    "repair": ("repairing", "repaired"),
    "check": ("checking", "checked"),
    "metadata": ("reading metadata of", "read metadata of"),
    "resolve": ("resolving", "resolved"),
    "image": ("preparing image", "prepared image"),
    "system": ("installing system packages", "installed system packages"),
    "lock": ("locking", "locked"),
    "plan": ("planning", "planned"),
    "assemble": ("assembling", "assembled"),
    "prove": ("running the", "passed"),
    "sign": ("signing", "signed"),
}
_STAGES = {"wheels": "build", "images": "image"}
_OTHER = ("running", "finished")

#: Steps of other kinds than builds are worth a line of their own when they took this many seconds.
NOTEWORTHY = 5.0


def _split(step: str) -> tuple[str, str]:
    """The step's leading word, as a kind, and the rest; no kind if the word isn't one."""
    for separator in (" ", ":"):
        first, found, rest = step.partition(separator)
        if found and first in _VERBS and rest.strip():
            return first, rest.strip()
    return "", step


def kind_of(step: str, phase: str) -> str:
    """The kind of *step* in *phase*: ``build``, ``fetch``, …"""
    own = _split(step)[0]
    if phase in _STAGES:
        return own or _STAGES[phase]
    return phase or own


def subject(step: str) -> str:
    """What *step* is about, for people: its name without a leading verb."""
    return sanitize(_split(step)[1])


def doing(step: str, phase: str) -> str:
    """``building lxml 6.0.2``."""
    return f"{_VERBS.get(kind_of(step, phase), _OTHER)[0]} {subject(step)}"


def how_far(step: RunningStep) -> str:
    """``412 MB of 1.2 GB``: how far *step* is, if it tells that. What is there is being checked."""
    if step.progress is None:
        return ""
    done, total = step.progress
    if done == total:
        return f"checking {human_size(done)}"
    return human_size(done) + (f" of {human_size(total)}" if total is not None else "")


def is_download(step: str, phase: str) -> bool:
    """Whether *step* brings a file, of which progress says enough."""
    return kind_of(step, phase) in ("fetch", "download")


def is_build(step: str, phase: str) -> bool:
    """Whether *step* runs foreign code for long, and so deserves a line at its end."""
    return kind_of(step, phase) == "build"


def ending(event: StepFinished) -> str:
    """How the step ended, without its name: ``built in 12 s``, ``failed after 3 s: no pg_config``.

    The first line of the event's detail follows a failure or a skip after a colon, since it is
    the reason; after anything else it is an aside.
    """
    took = human_duration(event.seconds)
    detail = sanitize(event.detail.strip().partition("\n")[0])
    if event.outcome == "failed":
        return _with(f"failed after {took}", ": ", detail)
    if event.outcome == "skipped":
        return _with("skipped", ": ", detail)
    if event.outcome == "reused":
        return _with("reused", " · ", detail)
    if event.how == "not yet":
        return _with(f"not passed yet after {took}", ": ", detail)
    if event.how == "stored":
        return _with("stored", " · ", detail)
    done = _VERBS.get(kind_of(event.step, event.phase), _OTHER)[1].split()[0]
    return _with(f"{done} in {took}", " · ", detail)


def _with(text: str, joint: str, detail: str) -> str:
    return f"{text}{joint}{detail}" if detail else text


def tally(counts: dict[str, int]) -> str:
    """``9 fetched · 3 built``: the counts that are not zero."""
    names = ("fetched", "stored", "built", "reused", "failed", "skipped")
    return " · ".join(f"{counts[name]} {name}" for name in names if counts.get(name))
