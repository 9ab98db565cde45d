"""What `cuda`, `cuda-arch` and `cuda-libraries` may say in `wheelhouse.toml`.

Pure; an import of pydantic, as :mod:`wheelhouse.projectfile`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from packaging.version import Version
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from wheelhouse.cuda import arches, is_known, release, siblings, toolkit_libraries
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
        raise Refusal(
            f"{quoted(value)} is not a version of CUDA of the form MAJOR.MINOR",
            hint=_as_version(value),
        )
    if not is_known(Version(value)):
        known = siblings(value.partition(".")[0])
        raise Refusal(
            f"unknown version of CUDA: {value}{did_you_mean(value, known)}",
            hint=f"{listed(known)} {'is' if len(known) == 1 else 'are'} known",
        )
    return value


def _as_version(value: str) -> str:
    """How to write what was meant with *value*."""
    match = re.match(r"(?:cuda|cu)?[ -]?([1-9][0-9])\.?([0-9]{1,2})?", value.lower())
    if match and match[2]:
        return f'write it as "{match[1]}.{match[2]}"'
    known = siblings(match[1] if match else "")
    return f'write it as "{known[-1]}"; {listed(known)} {"is" if len(known) == 1 else "are"} known'


def _arch(value: str) -> str:
    if re.fullmatch(ARCH, value):
        return value
    match = re.fullmatch(r"(?:sm_|compute_|cc)?(\d+)\.?(\d[af]?)(\+ptx)?", value.lower())
    if match and match[1] + match[2].rstrip("af") in arches():
        hint = f'write "{match[1]}{match[2]}"'
        hint += ": PTX of the newest is kept without that" if match[3] else ""
    elif value.lower() == "native":
        hint = 'name the GPUs, such as "80": builds have none to look at'
    else:
        hint = 'write it without the dot, such as "80" for 8.0 (an A100); '
        hint += f"{listed(arches())} are known"
    raise Refusal(f"{quoted(value)} is not a compute capability", hint=hint)


def _some(value: Any) -> Any:
    if value == []:
        raise Refusal("must not be empty", hint="leave it out: packages then choose themselves")
    return value


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
