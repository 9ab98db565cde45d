"""The shape of `wheelhouse.toml`: its keys, their types, and what each may say.

The models below are the one description of the file: they check it, they are its JSON Schema,
and their descriptions are what an editor shows. A check that needs more than the value itself
is a validator, so that it runs for each value that can be checked, whatever else is wrong.
Nothing here touches the disk.

This module costs an import of pydantic, so :mod:`wheelhouse.config` imports it when it reads.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from packaging.utils import InvalidName, canonicalize_name
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from wheelhouse.engine import GIB, MIB
from wheelhouse.targets import OCI_ARCHITECTURES, presets
from wheelhouse.wording import did_you_mean, has_control, in_quotes, quoted, type_name

KIB: Final = 1024
UNITS: Final = {
    "B": 1,
    "KiB": KIB,
    "MiB": MIB,
    "GiB": GIB,
    "TiB": KIB * GIB,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
LONGEST: Final = 30 * 24 * 3600
LARGEST: Final = KIB * KIB * GIB

#: Variables that the build environment or the interpreter depends on; its maker sets them.
RESERVED_VARIABLES: Final = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_PRELOAD", "PATH", "SOURCE_DATE_EPOCH", "TMPDIR", "TZ"}
    | {"VIRTUAL_ENV"}
)
#: The same, by beginning: the interpreter's own, and the settings of the tools of a build.
RESERVED_PREFIXES: Final = "PYTHON[A-Z]|PIP_|UV_|WHEELHOUSE_"

TARGET_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
PYTHON: Final = "^3\\.(0|[1-9][0-9]*)$"
PACKAGE_NAME: Final = "^([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])$"
SYSTEM_PACKAGE: Final = "^[A-Za-z0-9][A-Za-z0-9+._-]*$"
VARIABLE: Final = "^[A-Za-z_][A-Za-z0-9_]*$"
FREE_VARIABLE: Final = (
    f"^(?!(?:{'|'.join(sorted(RESERVED_VARIABLES))})$)(?!{RESERVED_PREFIXES})" + VARIABLE[1:]
)
MODULE: Final = r"^(\*|[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*)$"
SIZE: Final = f"^([0-9]+(?:\\.[0-9]+)?)({'|'.join(UNITS)})$"
DURATION: Final = "^(?=.)(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?$"


class Refusal(ValueError):  # noqa: N818  (pydantic catches it; no user sees it as an error)
    """Raised by a validator: what is wrong with a value, and what to do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# --- values ---------------------------------------------------------------------------------


def _path_text(value: str) -> str:
    if not value:
        raise Refusal("must not be empty")
    if has_control(value):
        raise Refusal(f"{quoted(value)} has a line break or another control character in it")
    if value.startswith("~"):
        raise Refusal(
            f'{quoted(value)} begins with "~", which is not expanded',
            hint="write the path in full, or relative to the project's folder",
        )
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  (raises where it is no number)
    except ValueError:
        raise Refusal("is not a valid URL", hint=_INDEX_HINT) from None
    if "@" in parts.netloc:
        raise Refusal(
            "has a user name or a password in it",
            hint="take them out, and put them in your netrc file (~/.netrc, or the file that "
            "NETRC names)",
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refusal("must be the http or https URL of a package index", hint=_INDEX_HINT)
    if parts.query or parts.fragment:
        raise Refusal('must not have a "?" or "#" part', hint=_INDEX_HINT)
    if has_control(value) or " " in value:
        raise Refusal("has a space or a control character in it", hint=_INDEX_HINT)
    return value.rstrip("/")


_INDEX_HINT = "write the address of its simple API, such as https://pypi.org/simple"


def _target_name(value: str) -> str:
    if re.fullmatch(TARGET_NAME, value):
        return value
    if len(value) > 64:
        raise Refusal("a target's name has at most 64 characters")
    raise Refusal(
        "a target's name begins with a letter or digit and has only letters, digits, - and _",
        hint="it is part of the name of the lock file, pylock.NAME.toml, in which the standard "
        "allows no further dot"
        if "." in value
        else "it becomes the name of a lock file and of a folder",
    )


def _package_name(value: str) -> str:
    try:
        return canonicalize_name(value, validate=True)
    except InvalidName:
        raise Refusal("is not a valid name of a Python package") from None


def _matching(pattern: str, message: str, hint: str | None = None) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise Refusal(f"{quoted(value)} {message}", hint=hint)
        return value

    return AfterValidator(check)


def _variable(value: str) -> str:
    if not re.fullmatch(VARIABLE, value):
        raise Refusal("is not a valid name of an environment variable")
    if not re.fullmatch(FREE_VARIABLE, value):
        raise Refusal(
            "may not be set: the build environment sets it itself, or its tools read it",
            hint="set what the package's own build reads, such as CFLAGS or its own switches",
        )
    return value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise Refusal("has a NUL character in it, which an environment variable cannot have")
    return value


def _settings_value(value: object) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        for entry in value:
            if not isinstance(entry, str):
                raise Refusal(f"must be a list of strings, but has {type_name(entry)} in it")
        return value
    raise Refusal(
        f"must be a string or a list of strings, not {type_name(value)}", hint=in_quotes(value)
    )


def _size(smallest: str) -> PlainValidator:
    def check(value: object) -> int:
        number = _bytes(value)
        if number < _bytes(smallest):
            hint = 'a bare number counts bytes; write "4GiB" for gibibytes'
            raise Refusal(f"must be at least {smallest}", hint=hint)
        if number > LARGEST:
            raise Refusal("must be at most 1024TiB")
        return number

    schema = {"type": ["integer", "string"], "pattern": SIZE, "minimum": _bytes(smallest)}
    return PlainValidator(check, json_schema_input_type=Annotated[Any, WithJsonSchema(schema)])


def _bytes(value: object) -> int:
    """Read ``4GiB`` or a number of bytes."""
    from fractions import Fraction

    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise Refusal(f"must be a size, not {type_name(value)}", hint=_SIZE_HINT)
    if not (match := re.fullmatch(SIZE, value)):
        raise Refusal(f"{quoted(value)} is not a size{_meant_unit(value)}", hint=_SIZE_HINT)
    return int(Fraction(match[1]) * UNITS[match[2]])


def _meant_unit(value: str) -> str:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt])(?:i?b)?", value.lower())
    return f'; did you mean "{match[1]}{match[2].upper()}iB"?' if match else ""


_SIZE_HINT = f'write a number and one of {", ".join(UNITS)}, such as "4GiB", or a number of bytes'


def _seconds(value: object) -> float:
    """Read ``1h30m``, or a number of seconds."""
    if isinstance(value, str) and (match := re.fullmatch(DURATION, value)):
        hours, minutes, seconds = (int(part[:9]) if part else 0 for part in match.groups())
        number: int | float = hours * 3600 + minutes * 60 + seconds
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    else:
        what = quoted(value) if isinstance(value, str) else type_name(value)
        raise Refusal(f"must be a duration, not {what}", hint=_DURATION_HINT)
    if not 1 <= number <= LONGEST:
        raise Refusal("must be at least a second and at most 30 days", hint=_DURATION_HINT)
    return float(number)


_DURATION_HINT = 'write it as "1h", "90m", "1h30m" or "45s", or as a number of seconds'

TextPath = Annotated[str, AfterValidator(_path_text), Field(min_length=1)]
IndexUrl = Annotated[
    str, AfterValidator(_url), WithJsonSchema({"type": "string", "pattern": "^https?://[^@?# ]+$"})
]
TargetName = Annotated[
    str,
    AfterValidator(_target_name),
    WithJsonSchema({"type": "string", "pattern": TARGET_NAME}),
]
PackageName = Annotated[
    str,
    AfterValidator(_package_name),
    WithJsonSchema({"type": "string", "pattern": PACKAGE_NAME}),
]
SystemPackage = Annotated[
    str,
    _matching(
        SYSTEM_PACKAGE,
        "is not a valid name of a system package",
        'write the distribution\'s own name of it, such as "libpq-dev", without a version',
    ),
    WithJsonSchema({"type": "string", "pattern": SYSTEM_PACKAGE}),
]
Variable = Annotated[
    str, AfterValidator(_variable), WithJsonSchema({"type": "string", "pattern": FREE_VARIABLE})
]
VariableValue = Annotated[str, AfterValidator(_no_nul)]
SettingValue = Annotated[
    Any,
    BeforeValidator(_settings_value),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    ),
]
Module = Annotated[
    str,
    _matching(
        MODULE,
        "is not the name of a module",
        'write the name that "import" takes, or "*" for all of them',
    ),
    WithJsonSchema({"type": "string", "pattern": MODULE}),
]
Duration = Annotated[
    float,
    PlainValidator(
        _seconds,
        json_schema_input_type=Annotated[
            Any,
            WithJsonSchema(
                {
                    "type": ["number", "string"],
                    "pattern": DURATION,
                    "minimum": 1,
                    "maximum": LONGEST,
                }
            ),
        ],
    ),
]


# --- tables ---------------------------------------------------------------------------------


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=_kebab)


def _platforms(schema: dict[str, Any]) -> None:
    schema["enum"] = list(presets())


def _per_platform(schema: dict[str, Any]) -> None:
    """Let an editor offer only the Pythons and architectures that the platform has."""
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


class TargetTable(_Table):
    """A platform to make a wheelhouse for."""

    model_config = ConfigDict(title="[targets.NAME]", json_schema_extra=_per_platform)

    platform: str = Field(
        description="The platform that the wheelhouse is deployed to.",
        json_schema_extra=_platforms,
    )
    python: str = Field(
        description='The Python there, as MAJOR.MINOR in quotes, such as "3.11".',
        json_schema_extra={"pattern": PYTHON},
    )
    arch: str = Field(
        default="x86_64",
        description="The machine's architecture, as `uname -m` prints it.",
        validate_default=True,
        json_schema_extra={"enum": list(OCI_ARCHITECTURES)},
    )

    @field_validator("platform")
    @classmethod
    def _check_platform(cls, value: str) -> str:
        names = list(presets())
        if value in names:
            return value
        raise Refusal(
            f"unknown platform {quoted(value)}{did_you_mean(value, names)}",
            hint=f"the platforms are {', '.join(names)}",
        )

    @field_validator("python")
    @classmethod
    def _check_python(cls, value: str, info: ValidationInfo) -> str:
        if not re.fullmatch(PYTHON, value):
            raise Refusal(
                f"{quoted(value)} is not a Python version of the form MAJOR.MINOR",
                hint=_short_version(value),
            )
        preset = presets().get(info.data.get("platform", ""))
        if preset is None or value in preset.pythons:
            return value
        raise Refusal(
            f"{preset.title} has no Python {value}, but {_listed(list(preset.pythons))}",
            hint=_who_has(value),
        )

    @field_validator("arch")
    @classmethod
    def _check_arch(cls, value: str, info: ValidationInfo) -> str:
        preset = presets().get(info.data.get("platform", ""))
        names = list(preset.arches if preset else OCI_ARCHITECTURES)
        if value in names:
            return value
        aliases = {alias: name for name, alias in OCI_ARCHITECTURES.items()}
        meant = aliases.get(value.lower())
        clause = f'; did you mean "{meant}"?' if meant in names else did_you_mean(value, names)
        raise Refusal(
            f"unknown architecture {quoted(value)}{clause}",
            hint=f"the architectures {f'of {preset.title} ' if preset else ''}are "
            f"{', '.join(names)}",
        )


def _short_version(value: str) -> str | None:
    match = re.match(r"(?:[Pp]ython\s*)?(3\.[0-9]+)", value)
    return f'write "{match[1]}"' if match else 'write it as "3.11"'


def _who_has(python: str) -> str:
    having = [name for name, preset in presets().items() if python in preset.pythons]
    return (
        f"Python {python} is on {', '.join(having)}"
        if having
        else f"no platform has Python {python}"
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


class PackageTable(_Table):
    """How one package is to be built; rarely needed."""

    model_config = ConfigDict(title="[packages.NAME]")

    source: Literal["any", "wheel", "sdist"] = Field(
        default="any",
        description='What to take from the index: "wheel" never builds it, "sdist" always does, '
        '"any" builds it where no wheel fits the target.',
    )
    system: list[SystemPackage] = Field(
        default=[],
        description="System packages that its build needs, as the target's distribution names "
        "them.",
    )
    env: dict[Variable, VariableValue] = Field(
        default={},
        description="Environment variables for its build. They are recorded: put no secret here.",
    )
    config_settings: dict[str, SettingValue] = Field(
        default={},
        description="Settings for its build backend, as `pip --config-settings` passes them.",
    )
    allow_pure: bool = Field(
        default=False,
        description="Accept a wheel without the compiled extension that its sdist has: some "
        "packages leave it out silently where it cannot be compiled.",
    )
    skip_imports: list[Module] = Field(
        default=[],
        description="Modules of it that the proof leaves out, with all below them; `*` is all.",
    )


class LimitsTable(_Table):
    """What one container may use: every build and every proof runs in one."""

    model_config = ConfigDict(title="[limits]")

    memory: Annotated[int, _size("64MiB")] = Field(
        default=4 * GIB,
        description="Memory, temporary files in memory included.",
        json_schema_extra={"default": "4GiB"},
    )
    processes: int = Field(
        default=512, ge=16, le=4194304, description="Processes and threads at one time."
    )
    cpus: float = Field(
        default=2.0,
        gt=0,
        le=4096,
        allow_inf_nan=False,
        description="How many CPUs' time; fractions are allowed.",
    )
    deadline: Duration = Field(
        default=3600.0,
        description="How long it may run; it is killed then. A bare number counts seconds.",
        json_schema_extra={"default": "1h"},
    )
    output: Annotated[int, _size("64KiB")] = Field(
        default=64 * MIB,
        description="How much of its log is kept.",
        json_schema_extra={"default": "64MiB"},
    )
    result: Annotated[int, _size("1MiB")] = Field(
        default=8 * GIB,
        description="How large the files that it hands back may be in all.",
        json_schema_extra={"default": "8GiB"},
    )


class ProjectFile(_Table):
    """A project's wheelhouse.toml."""

    model_config = ConfigDict(title="wheelhouse.toml")

    requirements: list[TextPath] = Field(
        default=["requirements.txt"],
        min_length=1,
        description="The files that say what is wanted, relative to this file's folder and "
        "inside it.",
    )
    output: TextPath = Field(
        default="dist",
        description="The folder for finished wheelhouses, one subfolder per target.",
    )
    index: IndexUrl = Field(
        default="https://pypi.org/simple",
        description="The package index that everything is taken from, without credentials.",
    )
    jobs: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="How many containers may run at one time; as many as the engine has room "
        "for, if not given.",
    )
    targets: dict[TargetName, TargetTable] = Field(
        min_length=1, description="The platforms to make wheelhouses for, by a name of your own."
    )
    packages: dict[PackageName, PackageTable] = Field(
        default={}, description="Settings for single packages, by name."
    )
    limits: LimitsTable = Field(
        default_factory=LimitsTable, description="What one container may use."
    )


# --- the schema -----------------------------------------------------------------------------


class _Schema(GenerateJsonSchema):
    """Plain draft 2020-12, without what TOML cannot say: it has no null."""

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", "") is None:
            del made["default"]
        return made

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            made["additionalProperties"] = False  # a name that does not match is refused
        return made


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `wheelhouse.toml`."""
    schema = ProjectFile.model_json_schema(schema_generator=_Schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
