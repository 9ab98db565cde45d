"""`[targets.NAME]`: what a user says of a target, and which builders fit it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from packaging.version import Version
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from wheelhouse.cuda import first_with, has_compiler, misfit_of_arch
from wheelhouse.cudavalues import CudaArches, CudaLibrary, CudaVersion, arches_hint
from wheelhouse.filevalues import (
    PLATFORM_NAME,
    Missing,
    PackageName,
    Provided,
    PythonVersion,
    Refusal,
    Table,
    TextPath,
    TorchBackend,
    architecture,
)
from wheelhouse.targets import OCI_ARCHITECTURES, Place, Preset, presets
from wheelhouse.toolkit import makes_for
from wheelhouse.wording import did_you_mean, listed, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.platformtable import Platforms

#: How many platforms a hint names before it only counts them.
SHOWN = 6


def _platforms(schema: dict[str, Any]) -> None:
    """Let an editor offer the platforms known beforehand, and take the user's own."""
    schema["anyOf"] = [{"enum": list(presets())}, {"pattern": PLATFORM_NAME}]


def _per_platform(schema: dict[str, Any]) -> None:
    """Let an editor offer only the Pythons and architectures that the platform has."""
    keys = schema["properties"]
    keys["captured"] = keys.pop("captured")  # the model has it first, for its checks
    declared = ["platform", "python", "arch"]
    schema["oneOf"] = [
        {"required": declared[:2], "not": {"required": ["captured"]}},
        {"required": ["captured"], "not": {"anyOf": [{"required": [key]} for key in declared]}},
    ]
    schema["allOf"] = [
        {
            "if": {"properties": {"platform": {"const": name}}, "required": ["platform"]},
            "then": {
                "properties": {
                    "python": {"enum": list(preset.pythons)},
                    "arch": {"enum": list(preset.arches)},
                }
            },
        }
        for name, preset in presets().items()
    ]


class TargetTable(Table):
    """A platform to make a wheelhouse for.

    Validated with the :data:`Platforms` there are as its context. `captured` stands first, since
    what the other keys have to say depends on it.
    """

    model_config = ConfigDict(title="[targets.NAME]", json_schema_extra=_per_platform)

    captured: TextPath | None = Field(
        default=None,
        description="The file that `wheelhouse targets probe`'s script wrote on the machine that "
        "the wheelhouse is deployed to: instead of platform, python and arch.",
    )
    platform: str | None = Field(
        default=None,
        description="The platform that the wheelhouse is deployed to.",
        validate_default=True,
        json_schema_extra=_platforms,
    )
    python: PythonVersion | None = Field(
        default=None,
        description='The Python there, as MAJOR.MINOR in quotes, such as "3.11"; "3.14t" is the '
        "free-threaded one.",
        validate_default=True,
    )
    arch: str | None = Field(
        default=None,
        description="The machine's architecture, as `uname -m` prints it.",
        validate_default=True,
        json_schema_extra={"enum": list(OCI_ARCHITECTURES), "default": "x86_64"},
    )
    builder: str | None = Field(
        default=None,
        description="The platform to build on, if not that of the target: one whose C library is "
        "not newer.",
        json_schema_extra=_platforms,
    )
    runtime_system: bool = Field(
        default=True,
        description="Whether packages of the distribution may be asked of the server, beside "
        "Python; if not, a package that cannot do without is refused.",
    )
    cuda: CudaVersion | None = Field(
        default=None,
        description="What its GPUs run, as MAJOR.MINOR in quotes: builds have that toolkit, the "
        "lock is held to that major version, and the server to a driver for it.",
    )
    cuda_arch: CudaArches | None = Field(
        default=None,
        description='Its GPUs, by their compute capabilities: "80" for an A100, "90" for an H100.',
    )
    cuda_libraries: list[CudaLibrary] = Field(
        default=[],
        description="Parts of the toolkit that builds need beyond its compiler and its run time, "
        'such as "cublas".',
    )
    torch_backend: TorchBackend | None = Field(
        default=None,
        description="What PyTorch is to be made for there, as its own indexes are called: "
        '"cpu", "cu128"; its packages come from that index.',
    )
    provided: dict[PackageName, Provided] = Field(
        default={},
        description='How packages with `bypass` come to the server: "image" if its image has '
        'them, "system:PACKAGE" if a package of the distribution brings them, or "wheel" if '
        "their wheels are installed by other means.",
    )

    @field_validator("platform")
    @classmethod
    def _check_platform(cls, value: str | None, info: ValidationInfo) -> str | None:
        if _is_captured(value, info):
            return None
        if value is None:
            raise Missing(platforms_hint(_known(info)))
        return _known_name(value, info)

    @field_validator("python")
    @classmethod
    def _check_python(cls, value: str | None, info: ValidationInfo) -> str | None:
        if _is_captured(value, info):
            return None
        if value is None:
            raise Missing('write the Python that runs there, such as python = "3.11"')
        preset = _preset(info)
        if preset is not None and value not in preset.pythons:
            raise Refusal(_lacks_python(preset, value), hint=_who_has(value, _known(info)))
        return value

    @field_validator("arch")
    @classmethod
    def _check_arch(cls, value: str | None, info: ValidationInfo) -> str | None:
        if _is_captured(value, info):
            return None
        value = "x86_64" if value is None else value
        preset = _preset(info)
        if preset is None:
            return architecture(value, OCI_ARCHITECTURES)
        return architecture(value, preset.arches, preset.title)

    @field_validator("builder")
    @classmethod
    def _check_builder(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        builder = _known(info).get(_known_name(value, info))
        if builder and (place := _place(info)):
            check_builder(builder, place, _known(info))
        return value

    @field_validator("cuda")
    @classmethod
    def _check_cuda(cls, value: str | None, info: ValidationInfo) -> str | None:
        preset = _preset(info)
        if value is not None and preset is not None:
            check_cuda(Version(value), preset, _known(info).get(info.data.get("builder") or ""))
        return value

    @field_validator("cuda_arch")
    @classmethod
    def _check_cuda_arch(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        version = _cuda_version("cuda-arch", value, info)
        for arch in value or []:
            if version is not None and (problem := misfit_of_arch(arch, version)):
                raise Refusal(problem, hint=arches_hint(version))
        if value and version is not None and (place := _place(info)):
            builder = _known(info).get(info.data.get("builder") or "")
            check_arches(value, version, place, builder, _known(info))
        return value

    @field_validator("cuda_libraries")
    @classmethod
    def _check_cuda_libraries(cls, value: list[str], info: ValidationInfo) -> list[str]:
        version = _cuda_version("cuda-libraries", value, info)
        if value and version is not None and not has_compiler(version):
            raise Refusal(
                f"PyPI has no toolkit of CUDA {version} to take parts of",
                hint="leave it out: the builder's image has what it has",
            )
        return value

    @field_validator("provided")
    @classmethod
    def _check_provided(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        names = [name for name, way in value.items() if way.startswith("system:")]
        if names and info.data.get("runtime_system") is False:
            raise Refusal(
                f"packages of the distribution are to bring {listed(names)}, but runtime-system is "
                "false",
                hint="leave runtime-system out, or say how else they come there",
            )
        return value


def check_cuda(version: Version, preset: Preset, builder: Preset | None) -> None:
    """Check that what is built for CUDA *version* on *builder*, or on *preset* itself, runs there.

    :raises Refusal: the platform has no CUDA, or what is built on has another toolkit, or a later.
    """
    if preset.libc.family != "glibc":
        raise Refusal(
            f"NVIDIA has no CUDA for {preset.title}: it takes glibc",
            hint="choose another platform, or leave it out",
        )
    used = builder or preset
    if used.cuda is not None and not makes_for(used.cuda, version):
        key = "builder" if builder else "platform"
        later = used.cuda.major == version.major
        raise Refusal(
            f"packages are built on {used.title}, and what its CUDA {used.cuda} makes "
            f"{'may' if later else 'does'} not run with CUDA {version}",
            hint=f'write "{used.cuda}", or name as `{key}` one that has CUDA '
            + (f"{version} or an earlier {version.major}" if later else f"{version.major}")
            + (" or none: PyPI has its toolkit" if has_compiler(version) else ""),
        )


def check_arches(
    arches: Sequence[str], version: Version, place: Place, builder: Preset | None, known: Platforms
) -> None:
    """Check that what *place* is built for on, *builder* or itself, makes code for *arches*.

    :param version: of the target's CUDA, which does; a toolkit of the builder's may be older.
    :raises Refusal: its own toolkit does not; the hint names the platforms whose toolkit does.
    """
    used = builder or place.preset
    if used.cuda is None:
        return
    for arch in arches:
        if misfit_of_arch(arch, used.cuda):
            raise Refusal(
                f"packages are built on {used.title}, and the compiler of its CUDA {used.cuda} "
                f"makes no code for {arch}",
                hint=_who_makes(arches, version, place, known),
            )


def _who_makes(arches: Sequence[str], version: Version, place: Place, known: Platforms) -> str:
    """Which toolkits make code for *arches*, and the platforms to build on for one of them."""
    first = first_with(arches, version)
    able = [
        preset.name
        for preset in known.values()
        if preset and preset.cuda and first <= preset.cuda <= version and not _misfit(preset, place)
    ]
    which = f"CUDA {first}" + ("" if first == version else f" to {version}")
    named = f", such as {quoted(able[0])}" if able else ""
    other = ", or one without a toolkit: PyPI has it" if has_compiler(version) else ""
    return f"name as `builder` a platform whose image has {which}{named}{other}"


def _cuda_version(key: str, value: object, info: ValidationInfo) -> Version | None:
    """The version that *key* is about, if there is nothing wrong with it."""
    if value and "cuda" in info.data and info.data["cuda"] is None:
        raise Refusal(f"{key} is given, but no `cuda`", hint='write such as cuda = "13.2" above it')
    version = info.data.get("cuda")
    return Version(version) if version else None


def _known(info: ValidationInfo) -> Platforms:
    return cast("Platforms", info.context)


def _preset(info: ValidationInfo) -> Preset | None:
    """The platform of the table, if there is nothing wrong with it."""
    return _known(info).get(info.data.get("platform") or "")


def _place(info: ValidationInfo) -> Place | None:
    """What the table is about, if there is nothing wrong with it, and no captured file says it."""
    preset, python, arch = _preset(info), info.data.get("python"), info.data.get("arch")
    return Place(preset=preset, python=python, arch=arch) if preset and python and arch else None


def _is_captured(value: str | None, info: ValidationInfo) -> bool:
    """Whether the captured file says it. Then nobody else may."""
    if "captured" not in info.data:
        return True  # by a file that cannot be named so, which is told
    if info.data["captured"] is None:
        return False
    if value is not None:
        raise Refusal(
            "comes from the captured file, and may not be given",
            hint="leave it out, or leave `captured` out and give platform and python",
        )
    return True


def _known_name(value: str, info: ValidationInfo) -> str:
    known = _known(info)
    if value not in known:
        raise Refusal(
            f"unknown platform {quoted(value)}{did_you_mean(value, list(known))}",
            hint=platforms_hint(known),
        )
    return value


def platforms_hint(known: Platforms) -> str:
    """Where to find the name of a platform, with those of the user's own."""
    own = [name for name in known if name not in presets()]
    clause = f"; this file has {listed(own)}" if own else ""
    return f"`wheelhouse targets` lists the platforms known beforehand{clause}"


def _lacks_python(preset: Preset, python: str) -> str:
    others = f", but {listed(list(preset.pythons))}" if preset.pythons else ", nor any other"
    return f"{preset.title} has no Python {python}{others}"


def _who_has(python: str, known: Platforms) -> str:
    having = [name for name, preset in known.items() if preset and python in preset.pythons]
    return (
        f"Python {python} is on {shown(having)}" if having else f"no platform has Python {python}"
    )


def shown(names: list[str]) -> str:
    """*names* as one says them, the first few of many."""
    rest = len(names) - SHOWN
    return listed([*names[:SHOWN], f"{rest} more"] if rest > 0 else names)


def check_builder(builder: Preset, place: Place, known: Platforms) -> None:
    """Check that what is built on *builder* runs at *place*.

    :raises Refusal: it has not the Python or the architecture, or its C library or libstdc++ is
        another or newer; the hint names the platforms that fit.
    """
    if problem := _misfit(builder, place):
        raise Refusal(problem, hint=_fitting(place, known))


def _misfit(builder: Preset, place: Place) -> str | None:
    if place.python not in builder.pythons:
        return _lacks_python(builder, place.python)
    if place.arch not in builder.arches:
        return f"{builder.title} has no {place.arch}, but {listed(list(builder.arches))}"
    target = place.preset
    if builder.libc.family != target.libc.family:
        return (
            f"{builder.name} has {builder.libc}, but {target.title} {target.libc}: what is built "
            "with one does not run with the other"
        )
    what = None
    if builder.libc.version > target.libc.version:
        what = f"{builder.libc}, newer than {target.title}'s {_number(target)}"
    elif not target.runs_what_is_built_on(builder):
        what = f"GLIBCXX {builder.glibcxx}, newer than {target.title}'s {target.glibcxx}"
    return f"{builder.name} has {what}: what it builds may not run there" if what else None


def _number(preset: Preset) -> str:
    return str(preset.libc).partition(" ")[2]


def _fitting(place: Place, known: Platforms) -> str:
    """The platforms to build on for *place*: those whose images need no registry, if any."""
    able = [
        preset
        for preset in known.values()
        if preset and preset.name != place.preset.name and _misfit(preset, place) is None
    ]
    names = [
        f'"{preset.name}" ({preset.libc})'
        for preset in ([preset for preset in able if preset.is_made_here] or able)
    ]
    if not names:
        return "leave it out, to build on the target's own platform"
    has, is_ = ("has", "is") if len(names) == 1 else ("have", "are")
    return f"{shown(names)} {has} Python {place.python} and {is_} old enough"
