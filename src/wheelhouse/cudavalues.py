"""What `cuda`, `cuda-arch` and `cuda-libraries` may say in `wheelhouse.toml`.

Pure; an import of pydantic, as :mod:`wheelhouse.projectfile`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from packaging.version import Version
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from wheelhouse.cuda import is_known, is_newer, release, releases, split, toolkit_libraries
from wheelhouse.filevalues import Refusal
from wheelhouse.wording import did_you_mean, listed, quoted

VERSION: Final = r"^[1-9][0-9]\.[0-9]{1,2}$"
ARCH: Final = "^[1-9][0-9]{1,2}[af]?$"


def _no_switch(value: Any) -> Any:
    """``cuda = true`` is what packages have."""
    if isinstance(value, bool):
        raise Refusal(
            f"{str(value).lower()} is not a version of CUDA",
            hint='write the version, such as "13.2"'
            if value
            else "leave it out: there is none without it",
        )
    return value


def _version(value: str) -> str:
    if not re.fullmatch(VERSION, value):
        match = re.match(r"(?:cuda|cu)?[ -]?([1-9][0-9])\.?([0-9]{1,2})?", value.lower())
        example = f"{match[1]}.{match[2]}" if match and match[2] else "13.2"
        raise Refusal(
            f"{quoted(value)} is not a version of CUDA of the form MAJOR.MINOR",
            hint=f'write it as "{example}"',
        )
    if not is_known(Version(value)):
        every, major = [str(version) for version in releases()], value.partition(".")[0]
        known = [each for each in every if each.partition(".")[0] == major] or every
        raise Refusal(
            f"unknown version of CUDA: {value}{did_you_mean(value, known)}",
            hint=f"{listed(known)} {'is' if len(known) == 1 else 'are'} known",
        )
    return value


def _arch(value: str) -> str:
    if re.fullmatch(ARCH, value):
        return value
    match = re.fullmatch(r"(?:sm_|compute_|cc)?(\d+)\.?(\d[af]?)(\+ptx)?", value.lower())
    if match:
        hint = f'write "{match[1]}{match[2]}"'
        hint += ": PTX of the newest is kept without that" if match[3] else ""
    elif value.lower() == "native":
        hint = 'name the GPUs, such as "80": builds have none to look at'
    else:
        hint = 'write it without the dot, such as "80" for 8.0 (an A100)'
    raise Refusal(f"{quoted(value)} is not a compute capability", hint=hint)


def _some(value: Any) -> Any:
    if value == []:
        raise Refusal("must not be empty", hint="leave it out: packages then choose themselves")
    return value


def misfit_of_arch(arch: str, version: Version) -> str | None:
    """Why CUDA *version* makes no code for *arch*, in a sentence; None if it does.

    One that is newer than all known ones may do so for GPUs that are newer than all known ones.
    """
    number, _ = split(arch)
    if is_newer(version) and number > max(int(each) for each in release(version).arches):
        return None
    known = release(version).arches
    if str(number) in known:
        return None
    having = [str(each) for each, of in releases().items() if str(number) in of.arches]
    if not having:
        return f"there is no GPU of compute capability {number // 10}.{number % 10} that is known"
    word = "no longer" if Version(having[-1]) < version else "not yet"
    return f"CUDA {version} {word} makes code for {arch}; of those known, {having[-1]} does"


def arches_hint(version: Version) -> str:
    """Which there are."""
    return f"CUDA {version} has {listed(list(release(version).arches))}"


def _library(value: str) -> str:
    known = list(toolkit_libraries())
    if value in known:
        return value
    raise Refusal(
        f"unknown part of the toolkit: {quoted(value)}{did_you_mean(value, known)}",
        hint=f"there are {listed(known)}",
    )


CudaVersion = Annotated[
    str,
    BeforeValidator(_no_switch),
    AfterValidator(_version),
    WithJsonSchema({"type": "string", "pattern": VERSION}),
]
CudaArch = Annotated[
    str, AfterValidator(_arch), WithJsonSchema({"type": "string", "pattern": ARCH})
]
CudaArches = Annotated[list[CudaArch], Field(min_length=1), BeforeValidator(_some)]
CudaLibrary = Annotated[
    str,
    AfterValidator(_library),
    WithJsonSchema({"type": "string", "enum": list(toolkit_libraries())}),
]
