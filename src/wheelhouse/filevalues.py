"""What a value in `wheelhouse.toml` may be: paths, URLs, names, versions.

Each type here says in its own words what is wrong with a value (:class:`Refusal`), and gives an
editor the pattern of right ones. Pure; an import of pydantic, as :mod:`wheelhouse.projectfile`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from wheelhouse.targets import OCI_ARCHITECTURES, presets
from wheelhouse.torchindex import backends, objection, pattern
from wheelhouse.wording import did_you_mean, has_control, in_quotes, printable, quoted, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Variables that the build environment or the interpreter depends on; its maker sets them.
RESERVED_VARIABLES: Final = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_PRELOAD", "PATH", "SOURCE_DATE_EPOCH", "TMPDIR", "TZ"}
    | {"VIRTUAL_ENV"}
)
#: The same, by beginning: the interpreter's own, and the settings of the tools of a build.
RESERVED_PREFIXES: Final = "PYTHON[A-Z]|PIP_|UV_|WHEELHOUSE_"

TARGET_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
PLATFORM_NAME: Final = "^[a-z0-9]+([._-][a-z0-9]+)*$"
PYTHON: Final = "^3\\.(0|[1-9][0-9]*)t?$"
IMAGE: Final = r"^[A-Za-z0-9]([A-Za-z0-9._:/@-]|\{python\}|\{arch\})*$"
INTERPRETER: Final = "^(/[A-Za-z0-9._+-]+)+$"
_VERSIONS: Final = r"(===|[=!~<>]=|[<>])\s*[A-Za-z0-9][A-Za-z0-9.!+*_-]*"
PACKAGE_NAME: Final = "^([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])$"
#: A name, extras, versions, and any marker; `packaging` has the last word.
REQUIREMENT: Final = (
    rf"^\s*{PACKAGE_NAME[1:-1]}\s*(\[[A-Za-z0-9._,\s-]*\])?\s*"
    rf"\(?\s*({_VERSIONS}(\s*,\s*{_VERSIONS})*,?)?\s*\)?\s*(;.+)?$"
)
SONAME: Final = r"^[^/\s]+\.so(\.[^/\s]+)?$"
SYSTEM_PACKAGE: Final = "^[A-Za-z0-9][A-Za-z0-9+._-]*$"
PROVIDED: Final = f"^(image|wheel|system:{SYSTEM_PACKAGE[1:-1]})$"
VARIABLE: Final = "^[A-Za-z_][A-Za-z0-9_]*$"
FREE_VARIABLE: Final = (
    f"^(?!(?:{'|'.join(sorted(RESERVED_VARIABLES))})$)(?!{RESERVED_PREFIXES})" + VARIABLE[1:]
)
MODULE: Final = r"^(\*|[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*)$"


class Refusal(ValueError):  # noqa: N818  (pydantic catches it; no user sees it as an error)
    """Raised by a validator: what is wrong with a value, and what to do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Missing(Refusal):
    """Raised by a validator: a key that is not given, but must be here."""

    def __init__(self, hint: str) -> None:
        super().__init__("missing", hint=hint)


#: Kinds of distributions that name packages alike and install them with the same tool.
FAMILIES: Final = ("debian", "amazon", "redhat", "suse", "alpine")

# --- values ---------------------------------------------------------------------------------


def path_text(value: str) -> str:
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


def _line(value: str) -> str:
    if not value.strip():
        raise Refusal("must not be empty")
    if printable(value) != value:
        raise Refusal(f"{quoted(value)} has a line break or another control character in it")
    return value


def _family(value: str) -> str:
    known = list(FAMILIES)
    if value in known:
        return value
    raise Refusal(
        f"unknown family {quoted(value)}{did_you_mean(value, known)}",
        hint=f"the families of distributions are {', '.join(known)}",
    )


def architecture(value: str, known: Iterable[str], of: str = "") -> str:
    """*value*, if it is one of *known*, which are the architectures *of* something."""
    names = list(known)
    if value in names:
        return value
    if of and value in OCI_ARCHITECTURES:
        raise Refusal(f"{of} has no {value}", hint=f"it has: {', '.join(names)}")
    aliases = {alias: name for name, alias in OCI_ARCHITECTURES.items()}
    meant = aliases.get(value.lower())
    clause = f'; did you mean "{meant}"?' if meant in names else did_you_mean(value, names)
    raise Refusal(
        f"unknown architecture {quoted(value)}{clause}",
        hint=f"the architectures {of and f'of {of} '}are {', '.join(names)}",
    )


def _architecture(value: str) -> str:
    return architecture(value, OCI_ARCHITECTURES)


def _torch_backend(value: str) -> str:
    if problem := objection(value):
        raise Refusal(problem)
    return value


def _provided(value: str) -> str:
    if re.fullmatch(PROVIDED, value):
        return value
    raise Refusal(
        f"{quoted(value)} is no way for a package to come to the server",
        hint='write "image" if its image has it, "system:PACKAGE" if a package of the distribution '
        'brings it, or "wheel" if its wheel is installed by other means',
    )


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


def _platform_name(value: str) -> str:
    if value in presets():
        raise Refusal(
            "is the name of a platform that is known already",
            hint=f'choose another name, and say like = "{value}" under it to change parts of it',
        )
    if not re.fullmatch(PLATFORM_NAME, value) or len(value) > 64:
        raise Refusal(
            "a platform's name has small letters and digits, with single -, _ or . between them, "
            "and at most 64 characters",
            hint="it becomes part of the names of images",
        )
    return value


def _python_version(value: str) -> str:
    if re.fullmatch(PYTHON, value):
        return value
    for beginning, name in _OTHER_PYTHONS.items():
        if value.lower().startswith(beginning):
            raise Refusal(
                f"{quoted(value)} is {name}, but wheelhouses are made for CPython only",
                hint='write the version of a CPython there, such as "3.11"; leave the target out '
                "if there is none",
            )
    raise Refusal(
        f"{quoted(value)} is not a Python version of the form MAJOR.MINOR",
        hint=_short_version(value),
    )


#: Other implementations, by how their versions and tags begin.
_OTHER_PYTHONS: Final = {
    "pypy": "PyPy",
    "pp": "PyPy",
    "graalpy": "GraalPy",
    "jython": "Jython",
    "ironpython": "IronPython",
    "micropython": "MicroPython",
    "rustpython": "RustPython",
    "pyston": "Pyston",
}


def _short_version(value: str) -> str:
    """What *value* was likely meant to be: ``cp314t``, ``Python 3.11.2`` or ``3.13T``."""
    match = re.match(r"(?:c?python|cp)?[ -]?3\.?([0-9]{1,2})(?:\.[0-9]+)?(t?)", value.lower())
    return f'write "3.{int(match[1])}{match[2]}"' if match else 'write it as "3.11"'


def _package_name(value: str) -> str:
    try:
        return canonicalize_name(value, validate=True)
    except InvalidName:
        raise Refusal(
            "is not a valid name of a Python package",
            hint="write its name alone, without versions and extras",
        ) from None


def _part_name(value: str) -> str:
    try:
        return canonicalize_name(value, validate=True)
    except InvalidName:
        raise Refusal(
            f"{quoted(value)} is not a valid name of an extra or a group",
            hint="write one name in each pair of quotes",
        ) from None


def matching(pattern: str, message: str, hint: str | None = None) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise Refusal(f"{quoted(value)} {message}", hint=hint)
        return value

    return AfterValidator(check)


def _requirement(value: str) -> str:
    try:
        found = Requirement(value)
    except InvalidRequirement:
        raise Refusal(f"{quoted(value)} is not a requirement", hint=_REQUIREMENT_HINT) from None
    if found.url is not None:
        raise Refusal(f"{quoted(value)} names a file", hint=_REQUIREMENT_HINT)
    return str(found).replace('"', "'")  # so that messages can propose it in TOML's quotes


_REQUIREMENT_HINT = 'write a name, and versions on the index, such as "setuptools<82"'


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


TextPath = Annotated[str, AfterValidator(path_text), Field(min_length=1)]
TorchBackend = Annotated[
    str,
    AfterValidator(_torch_backend),
    WithJsonSchema(
        {"type": "string", "anyOf": [{"enum": list(backends())}, {"pattern": pattern()}]}
    ),
]
Provided = Annotated[
    str, AfterValidator(_provided), WithJsonSchema({"type": "string", "pattern": PROVIDED})
]
TargetName = Annotated[
    str,
    AfterValidator(_target_name),
    WithJsonSchema({"type": "string", "pattern": TARGET_NAME}),
]
PlatformName = Annotated[
    str,
    AfterValidator(_platform_name),
    WithJsonSchema({"type": "string", "pattern": PLATFORM_NAME}),
]
Family = Annotated[
    str,
    AfterValidator(_family),
    WithJsonSchema({"type": "string", "enum": list(FAMILIES)}),
]
Architecture = Annotated[
    str,
    AfterValidator(_architecture),
    WithJsonSchema({"type": "string", "enum": list(OCI_ARCHITECTURES)}),
]
Line = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line)]
PythonVersion = Annotated[
    str, AfterValidator(_python_version), WithJsonSchema({"type": "string", "pattern": PYTHON})
]
PartName = Annotated[
    str,
    AfterValidator(_part_name),
    WithJsonSchema({"type": "string", "pattern": PACKAGE_NAME}),
]
PackageName = Annotated[
    str,
    AfterValidator(_package_name),
    WithJsonSchema({"type": "string", "pattern": PACKAGE_NAME}),
]
SystemPackage = Annotated[
    str,
    matching(
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
    matching(
        MODULE,
        "is not the name of a module",
        'write the name that "import" takes, or "*" for all of them',
    ),
    WithJsonSchema({"type": "string", "pattern": MODULE}),
]
Soname = Annotated[
    str,
    matching(
        SONAME,
        "is not the name of a shared library",
        "write it as the error has it, such as libssl.so.3",
    ),
    WithJsonSchema({"type": "string", "pattern": SONAME}),
]
RequirementLine = Annotated[
    str,
    AfterValidator(_requirement),
    WithJsonSchema({"type": "string", "pattern": REQUIREMENT}),
]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Table(BaseModel):
    """A table of the file: its keys are those of its model and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=_kebab)
