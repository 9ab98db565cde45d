"""From a failed image build's output to its cause and the next step. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.bootstrap import MIRROR_VARIABLE
from wheelhouse.cuda import HOME as CUDA_HOME
from wheelhouse.errors import ImageError
from wheelhouse.targets import Place, stand_in
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.imagesteps import Step

BOOTSTRAP_HINT = "run `wheelhouse images bootstrap`"

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")

#: How the engine tells that a request to a registry failed: the request, then cause after cause.
_TRANSPORT = re.compile(
    r"(?:Error response from daemon: )?\w+ \"https?://(?P<host>[^/\"]+)[^\"]*\": "
    r"(?:.*: )?(?P<reason>[^:]+)"
)

_UNKNOWN_PACKAGES = "unknown packages:"
_ENGINES_OWN = ("Step ", " ---> ", "Removing intermediate container")
_SAYING_NOTHING = ("E: Failed to fetch some archives.",)
_TELLING = ("E: ", "Err:", "error: ", "Error: ", "ERROR: ")

_VIRTUAL = re.compile(
    r"^Package (\S+) is a virtual package provided by:\n((?: +\S.*\n)+)", re.MULTILINE
)

#: What NVIDIA's header says of a host compiler that it does not know.
_TOO_NEW = re.compile(r"unsupported GNU version! gcc versions later than (\d+)")

#: What ``images/cuda-own.sh`` says of an image that has not what its platform says.
_OTHER_TOOLKIT = re.compile(r"^other toolkit: *(.*)$", re.MULTILINE)

#: What it says of one whose compiler does not run.
_UNUSABLE_NVCC = re.compile(r"^unusable nvcc: *(.*)$", re.MULTILINE)

_HINTS = {
    r"exec format error": (
        "the engine runs no programs of this architecture: `wheelhouse doctor` tells what to do."
    ),
    r"No space left on device": (
        "free disk space where the engine keeps its images (`docker system df`)."
    ),
    r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress": (
        "the mirror is being updated: run it again in a few minutes."
    ),
    r"\b(yum|apt-get|zypper|apk): (command )?not found": (
        "correct the platform's `family`: the image has not the package manager of that one."
    ),
    r"404  Not Found": (
        "the mirror's index and its files are of different days: run it again later, or choose "
        f"another mirror with {MIRROR_VARIABLE}."
    ),
    r"Release file .* is (expired|not valid yet)": (
        f"check the clock of the engine's machine, or choose another mirror with {MIRROR_VARIABLE}."
    ),
    r"Temporary failure resolving|Could not resolve|Unable to connect|Could not connect"
    r"|Connection (timed out|refused|failed)|Failed to fetch|Network is unreachable"
    r"|Couldn't (resolve|connect)|Failed to (connect|download metadata)|[Tt]emporary error"
    r"|DNS lookup error": (
        "building images needs the distribution's packages: allow the engine to reach the "
        f"mirror, set http_proxy, or choose another mirror of Debian with {MIRROR_VARIABLE}."
    ),
}


def clean(line: str) -> str:
    """*line* as it may be shown: without control characters and what a carriage return hides."""
    return _CONTROL.sub("", line.rstrip("\r\n").rpartition("\r")[2]).rstrip()


def without_image(place: Place) -> ImageError:
    """The error that says that nobody has named an image of *place*'s platform."""
    return ImageError(
        f"there is no base image for {place.preset.title}: no image of it is known",
        hint="name one, as `image` of a platform of your own ([platforms.NAME] in "
        f"wheelhouse.toml): nothing stands in for {place}",
    )


def not_pulled(place: Place, cause: str) -> ImageError:
    """The error that says why the image of *place* cannot be fetched from its registry.

    :param cause: what the engine said of it.
    """
    transport = _TRANSPORT.fullmatch(cause)
    said = f"{transport['host']}: {transport['reason']}" if transport else cause
    return ImageError(
        f"there is no base image for {place.preset.title}: {said}",
        hint=BOOTSTRAP_HINT if place.preset.is_made_here else _without_registry(place),
    )


def _without_registry(place: Place) -> str:
    others = [
        python
        for python in place.preset.pythons
        if stand_in(Place(preset=place.preset, python=python, arch=place.arch))
    ]
    clause = f" (there are stand-ins for its Python {listed(others)})" if others else ""
    return (
        f"let the engine reach its registry, or `docker load` {place.image} there: nothing stands "
        f"in for {place}{clause}"
    )


def without_start(step: Step) -> ImageError:
    """The error that says that *step* has lost what it starts from."""
    return ImageError(
        f"what the image {step.title} starts from is gone from the engine: somebody has removed it",
        hint="run the command again: what is missing is made again.",
    )


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
    if unsupported := _TOO_NEW.search(text):
        return _too_new(step, unsupported[1])
    if other := _OTHER_TOOLKIT.search(text):
        return _other_toolkit(step, other[1])
    if unusable := _UNUSABLE_NVCC.search(text):
        return ImageError(
            f"the toolkit in the image of {step.place.preset.title} cannot be used: {unusable[1]}",
            hint=f"correct what is in {CUDA_HOME} of {step.place.image}, or name another image.",
        )
    if virtual := _VIRTUAL.search(text):
        providers = [line.split()[0] for line in virtual[2].splitlines()]
        return ImageError(
            f"{virtual[1]} is no package of {step.place.preset.title} but a name that several have",
            hint=f"choose one of {', '.join(providers)}.",
        )
    hint = next((hint for pattern, hint in _HINTS.items() if re.search(pattern, text)), None)
    telling = _telling(lines)
    telling = telling or [line for line in lines if not line.startswith(_ENGINES_OWN)]
    return ImageError(
        f"the image {step.title} cannot be built: {'; '.join(telling[-4:]) or cause}",
        hint=hint or "those are the last lines that the step printed.",
    )


def _too_new(step: Step, newest: str) -> ImageError:
    """Of a compiler that nvcc does not take, where no older one is beside it."""
    preset, beside = step.place.preset, f"g++-{newest}"
    hint = (
        "build on a platform with an older one, by `builder` of the target, such as "
        f'"portable"; or have {beside} in the image of a platform of your own: it is used.'
    )
    if not step.wheels:
        hint = f"have {beside}, or an older one, in {step.place.image}: it is used."
    return ImageError(
        f"the compiler of {preset.title} is too new for CUDA {step.inputs['VERSION']}, which takes "
        f"GCC up to {newest}",
        hint=hint,
    )


def _other_toolkit(step: Step, found: str) -> ImageError:
    """Of an image that has the toolkit of CUDA *found*, or none, and not the one it is to have."""
    place, wanted = step.place, step.inputs["VERSION"]
    has = f"the toolkit of CUDA {found}" if found else "no toolkit"
    return ImageError(
        f"the image of {place.preset.title} has {has} in {CUDA_HOME}, and is said to have that of "
        f"CUDA {wanted}",
        hint=f"say as `cuda` of the platform what {place.image} has, or name another image.",
    )


def _telling(lines: Sequence[str]) -> list[str]:
    """Those of *lines* that tell of errors, each error once: apt repeats `Err:` as `E: ` later."""
    found = [line for line in lines if line.startswith(_TELLING) and line not in _SAYING_NOTHING]
    return [line for line in found if not line.startswith("Err:")] or found


def _where_to_look(place: Place) -> str:
    """The hint that says where the names of a distribution's packages are found."""
    if place.preset.suite:
        return f"look the name up at https://packages.debian.org/{place.preset.suite}"
    return f"look the name up among the packages of {place.preset.title}."
