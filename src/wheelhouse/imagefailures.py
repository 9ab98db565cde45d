"""From a failed image build's output to its cause and the next step. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.bootstrap import MIRROR_VARIABLE
from wheelhouse.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.imagesteps import Step
    from wheelhouse.targets import Place

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_UNKNOWN_PACKAGES = "unknown packages:"
_TELLING = ("E: ", "Err:", "error: ", "Error: ", "ERROR: ")

_VIRTUAL = re.compile(
    r"^Package (\S+) is a virtual package provided by:\n((?: +\S.*\n)+)", re.MULTILINE
)

_HINTS = {
    r"No space left on device": (
        "Free disk space where the engine keeps its images (`docker system df`)."
    ),
    r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress": (
        "The mirror is being updated: run it again in a few minutes."
    ),
    r"Release file .* is (expired|not valid yet)": (
        f"Check the clock of the engine's machine, or choose another mirror with {MIRROR_VARIABLE}."
    ),
    r"Temporary failure resolving|Could not resolve|Unable to connect|Could not connect"
    r"|Connection (timed out|refused|failed)|Failed to fetch|Network is unreachable"
    r"|Couldn't (resolve|connect)|Failed to (connect|download metadata)|[Tt]emporary error"
    r"|DNS lookup error": (
        "Building images needs the distribution's packages: allow the engine to reach the "
        f"mirror, set http_proxy, or choose another mirror of Debian with {MIRROR_VARIABLE}."
    ),
}


def clean(line: str) -> str:
    """*line* as it may be shown: without control characters and what a carriage return hides."""
    return _CONTROL.sub("", line.rstrip("\r\n").rpartition("\r")[2]).rstrip()


def failure(step: Step, lines: Sequence[str], cause: str) -> ImageError:
    """The error that says why *step* failed, from the *lines* it printed.

    :param cause: what the engine said of it.
    """
    for line in lines:
        if line.startswith(_UNKNOWN_PACKAGES):
            names = line.removeprefix(_UNKNOWN_PACKAGES).split()
            return ImageError(
                f"{step.place.preset.title} has no package {', '.join(names)}",
                hint=_where_to_look(step.place.origin),
            )
    text = "\n".join(lines)
    if virtual := _VIRTUAL.search(text):
        providers = [line.split()[0] for line in virtual[2].splitlines()]
        return ImageError(
            f"{virtual[1]} is no package of {step.place.preset.title} but a name that several have",
            hint=f"Choose one of {', '.join(providers)}.",
        )
    hint = next((hint for pattern, hint in _HINTS.items() if re.search(pattern, text)), None)
    telling = [line for line in lines if line.startswith(_TELLING)]
    telling = telling or [line for line in lines if line and not line.startswith("Step ")]
    return ImageError(
        f"The image {step.title} cannot be built: {'; '.join(telling[-4:]) or cause}",
        hint=hint or "Read the output above of the step that failed.",
    )


def _where_to_look(place: Place) -> str:
    """The hint that says where the names of a distribution's packages are found."""
    if place.preset.suite:
        return f"Look the name up at https://packages.debian.org/{place.preset.suite}"
    return f"Look the name up among the packages of {place.preset.title}."
