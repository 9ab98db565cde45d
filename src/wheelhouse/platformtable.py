"""`[platforms.NAME]`: platforms that a user describes, beside those known beforehand.

Such a table becomes a :class:`Preset` like those of ``presets.toml``, so that nothing else knows
the difference. What it does not say is as on the platform that it is ``like``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from packaging.version import Version
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from wheelhouse.cudavalues import CudaVersion
from wheelhouse.filevalues import (
    IMAGE,
    INTERPRETER,
    Architecture,
    Family,
    Line,
    Missing,
    PythonVersion,
    Refusal,
    SystemPackage,
    Table,
    matching,
)
from wheelhouse.targets import Libc, Preset, PresetPython, presets
from wheelhouse.wording import did_you_mean, quoted, type_name

#: All platforms that a project's targets may name; None for one whose own table is faulty.
Platforms = Mapping[str, Preset | None]

LIBC: Final = r"^(glibc 2|musl 1)\.[0-9]{1,3}(\.[0-9]{1,3})?$"
GLIBCXX: Final = r"^3\.4\.[0-9]{1,3}$"

_LIBC_HINT: Final = 'write it as `ldd --version` says there, such as "glibc 2.34" or "musl 1.2"'
_GLIBCXX_HINT: Final = (
    "write the highest that `strings /usr/lib64/libstdc++.so.6 | grep GLIBCXX_3` prints there, "
    'such as "3.4.29"'
)
_PATH_HINT: Final = 'write where it is there, such as "/usr/bin/python3.11"'


def _from_path(value: object) -> object:
    """*value* as a Python's table, of which its path is the short form."""
    if isinstance(value, str):
        return {"path": value}
    if isinstance(value, dict):
        return value
    raise Refusal(
        f"must be the path of an interpreter, or a table, not {type_name(value)}",
        hint=_PATH_HINT,
    )


def _preset_name(value: str) -> str:
    if value in presets():
        return value
    raise Refusal(
        f"unknown platform {quoted(value)}{did_you_mean(value, list(presets()))}",
        hint="`wheelhouse targets` lists the platforms known beforehand, one of which it must be",
    )


class PythonTable(Table):
    """A Python of a platform."""

    model_config = ConfigDict(title="[platforms.NAME.pythons.VERSION]")

    path: Annotated[
        str,
        matching(INTERPRETER, "is not the full path of an interpreter", _PATH_HINT),
        WithJsonSchema({"type": "string", "pattern": INTERPRETER}),
    ] = Field(description="The interpreter's path, on the platform and in its image.")
    packages: list[SystemPackage] = Field(
        default=[],
        description="System packages that bring it, able to make virtual environments; none if "
        "the image has it.",
    )
    headers: list[SystemPackage] = Field(
        default=[],
        description="System packages that compiling extensions for it takes in addition.",
    )


def _completeness(schema: dict[str, Any]) -> None:
    """Say what :class:`PlatformTable`'s validators say of keys that need one another."""
    schema["anyOf"] = [{"required": ["like"]}, {"required": ["libc", "pythons"]}]
    glibc = {"properties": {"libc": {"pattern": "^glibc"}}, "required": ["libc"]}
    schema["allOf"] = [
        {"if": glibc, "then": {"required": ["glibcxx"]}},
        {
            "if": {"required": ["image"], "not": {"required": ["like"]}},
            "then": {"required": ["family"]},
        },
        {"if": {"required": ["cuda"]}, "then": {"required": ["image"]}},
    ]


class PlatformTable(Table):
    """A platform of your own."""

    model_config = ConfigDict(title="[platforms.NAME]", json_schema_extra=_completeness)

    like: (
        Annotated[
            str,
            AfterValidator(_preset_name),
            WithJsonSchema({"type": "string", "enum": list(presets())}),
        ]
        | None
    ) = Field(
        default=None,
        description="A platform known beforehand: all that is not said here is as there.",
    )
    title: Line | None = Field(default=None, description="Its name for people.")
    libc: (
        Annotated[
            str,
            matching(LIBC, "is not a C library and its version", _LIBC_HINT),
            WithJsonSchema({"type": "string", "pattern": LIBC}),
        ]
        | None
    ) = Field(
        default=None,
        description='Its C library and the version of it, such as "glibc 2.34".',
        validate_default=True,
    )
    glibcxx: (
        Annotated[
            str,
            matching(GLIBCXX, "is not a GLIBCXX symbol version", _GLIBCXX_HINT),
            WithJsonSchema({"type": "string", "pattern": GLIBCXX}),
        ]
        | None
    ) = Field(
        default=None,
        description='The highest GLIBCXX symbol version of its libstdc++, such as "3.4.29".',
        validate_default=True,
    )
    image: (
        Annotated[
            str,
            matching(
                IMAGE,
                "is not the reference of an image",
                'write it as the registry names it, such as "registry.example.com/base:7"',
            ),
            WithJsonSchema({"type": "string", "pattern": IMAGE}),
        ]
        | None
    ) = Field(
        default=None,
        description="A container image of it, which builds and proofs start from; `{python}` and "
        "`{arch}` in it stand for the Python's version and the architecture.",
    )
    arches: (
        Annotated[
            list[Architecture],
            Field(min_length=1),
        ]
        | None
    ) = Field(
        default=None,
        description="Its architectures, as `uname -m` prints them.",
        json_schema_extra={"default": ["x86_64"]},
    )
    pythons: (
        Annotated[
            dict[
                PythonVersion,
                Annotated[
                    PythonTable,
                    BeforeValidator(_from_path, json_schema_input_type=str | PythonTable),
                ],
            ],
            Field(min_length=1),
        ]
        | None
    ) = Field(
        default=None,
        description="Its Pythons, by version: their paths, or tables.",
        validate_default=True,
    )

    family: Family | None = Field(
        default=None,
        description="The family of its distribution: how packages are named and installed.",
        validate_default=True,
    )

    cuda: CudaVersion | None = Field(
        default=None,
        description="The CUDA toolkit that its image has in /usr/local/cuda, as MAJOR.MINOR.",
    )

    @field_validator("libc")
    @classmethod
    def _need_libc(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and _stands_alone(info):
            raise Missing(_LIBC_HINT)
        return value

    @field_validator("glibcxx")
    @classmethod
    def _need_glibcxx(cls, value: str | None, info: ValidationInfo) -> str | None:
        """A C library of one platform and a libstdc++ of another would be no platform at all."""
        if value is None and (info.data.get("libc") or "").startswith("glibc"):
            raise Missing(_GLIBCXX_HINT)
        return value

    @field_validator("pythons")
    @classmethod
    def _need_pythons(
        cls, value: dict[str, PythonTable] | None, info: ValidationInfo
    ) -> dict[str, PythonTable] | None:
        if value is None and _stands_alone(info):
            raise Missing('write such as pythons = { "3.11" = "/usr/bin/python3.11" }')
        return value

    @field_validator("family")
    @classmethod
    def _need_family(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and _stands_alone(info) and _names_packages(info):
            raise Missing('write how packages are named there, such as family = "debian"')
        return value

    @field_validator("cuda")
    @classmethod
    def _need_image(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("image", "") is None:
            raise Refusal(
                "is said of an image, and there is none",
                hint="name the `image` that has the toolkit, or leave it out",
            )
        return value


def _stands_alone(info: ValidationInfo) -> bool:
    """Whether the table says that it is like no other; a faulty `like` says nothing."""
    return info.data.get("like", "") is None


def _names_packages(info: ValidationInfo) -> bool:
    """Whether system packages are to be installed: in the image, or as the table says."""
    pythons = (info.data.get("pythons") or {}).values()
    return bool(info.data.get("image")) or any(each.packages or each.headers for each in pythons)


def known_platforms(document: Mapping[str, Any]) -> Platforms:
    """All platforms that the targets of *document* may name.

    :param document: what `tomllib` gives, unchecked. What is wrong with its tables is told when
        the document itself is checked: here such a platform is known by name only, so that a
        target that names it is not told a second time.
    """
    tables = document.get("platforms")
    own = {
        name: _own(name, table)
        for name, table in (tables.items() if isinstance(tables, dict) else ())
        if name not in presets()
    }
    return {**presets(), **own}


def _own(name: str, table: object) -> Preset | None:
    try:
        return _preset(name, PlatformTable.model_validate(table))
    except ValidationError:
        return None


def _preset(name: str, table: PlatformTable) -> Preset:
    like = presets().get(table.like or "")
    preset = _as(like, name) if like else _blank(name)
    if table.title:
        preset = replace(preset, title=table.title)
    if table.arches:
        preset = replace(preset, arches=tuple(dict.fromkeys(table.arches)))
    if table.libc or table.glibcxx or table.family or table.pythons:
        preset = _changed(preset, table)
    if table.cuda:
        preset = replace(preset, cuda=Version(table.cuda))
    return replace(preset, image=table.image, suite=None, base=None) if table.image else preset


def _as(like: Preset, name: str) -> Preset:
    return replace(like, name=name, title=f"{name} (like {like.title})", note=None)


def _blank(name: str) -> Preset:
    """A platform of which nothing is known, for :func:`_changed` to fill."""
    return Preset(
        name=name,
        title=name,
        family="other",  # no recipes are for it; and none are asked for, where there is no image
        libc=Libc(family="glibc", version=(2, 0)),
        glibcxx=None,
        arches=("x86_64",),
        pythons={},
    )


def _changed(preset: Preset, table: PlatformTable) -> Preset:
    """*preset* with what *table* says of its system, for which its old images are none."""
    pythons = table.pythons or {}
    return replace(
        preset,
        family=table.family or preset.family,
        toolchain=preset.toolchain if table.family in (None, preset.family) else None,
        libc=Libc.parse(table.libc) if table.libc else preset.libc,
        glibcxx=_glibcxx(preset, table),
        cuda=None,
        pythons={name: _python(each) for name, each in pythons.items()} or preset.pythons,
        image=None,
        suite=None,
        base=None,
    )


def _glibcxx(preset: Preset, table: PlatformTable) -> Version | None:
    if table.glibcxx:
        return Version(table.glibcxx)
    return None if table.libc else preset.glibcxx  # another C library's, such as musl's


def _python(table: PythonTable) -> PresetPython:
    return PresetPython(
        path=table.path, packages=tuple(table.packages), headers=tuple(table.headers)
    )
