"""A target from a running server: what the script of `wheelhouse targets probe` said there.

The script (``data/probe_server.py``) tells facts and judges nothing. Here they are checked, since
the file has been through many hands, and made into a platform like those of ``presets.toml``.

This module costs an import of pydantic, so it is imported when there is such a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, Self

from packaging.version import InvalidVersion, Version
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from wheelhouse.errors import ConfigError
from wheelhouse.filevalues import INTERPRETER
from wheelhouse.tags import tags_of
from wheelhouse.targets import (
    OCI_ARCHITECTURES,
    Capture,
    Interpreter,
    Libc,
    Preset,
    PresetPython,
    presets,
)
from wheelhouse.wording import printable, quoted, shown_path

if TYPE_CHECKING:
    from pathlib import Path

#: Of the script's output. Another number means that this version cannot read it.
FORMAT: Final = 1

#: Bytes; a server with very many libraries comes to a tenth of it.
LARGEST: Final = 1 << 20

#: The oldest Python that runs what we send it.
OLDEST_PYTHON: Final = (3, 9)

#: Distributions, by what their os-release calls them or says that they are like.
_FAMILIES: Final = {
    "debian": "debian",
    "ubuntu": "debian",
    "amzn": "amazon",
    "rhel": "redhat",
    "fedora": "redhat",
    "centos": "redhat",
    "suse": "suse",
    "opensuse": "suse",
    "alpine": "alpine",
}

_AGAIN: Final = "run the script again on the server, and bring its output back unchanged"


@dataclass(frozen=True, kw_only=True, slots=True)
class CapturedTarget:
    """A server as a target.

    :ivar preset: its platform. Its images are those of a known one that is the same for wheels,
        if there is one.
    :ivar python: ``MAJOR.MINOR``, with a ``t`` behind it for a free-threaded one.
    :ivar arch: as `platform.machine()` says.
    """

    preset: Preset
    python: str
    arch: str
    capture: Capture


def read_capture(path: Path) -> CapturedTarget:
    """The target that *path* describes.

    :raises ConfigError: it is not what the script prints, or no wheelhouse can be for such a
        server.
    :raises OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    name = shown_path(path)
    said = _parsed(data, name)
    if problem := _unfit(said):
        raise ConfigError(f"{name}: {problem[0]}", hint=problem[1])
    return _target(said)


# --- the file ------------------------------------------------------------------------------------


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("has a control character in it")
    return value


def _version(value: str) -> str:
    """A version; CPython between two releases calls itself ``3.15.0+``."""
    value = f"{value}local" if value.endswith("+") else value
    try:
        Version(value)
    except InvalidVersion:
        raise ValueError(f"{quoted(value)} is not a version") from None
    return value


_Text = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
_Version = Annotated[str, Field(max_length=100), AfterValidator(_version)]
_Soname = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{1,200}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Numbered(BaseModel):
    """Whatever the number says, the number is there."""

    format: int


class _Python(_Table):
    abi: _Text
    free_threaded: bool
    bits: int
    executable: Annotated[str, Field(pattern=INTERPRETER, max_length=1000)]
    pip: _Version | None


class _Environment(_Table):
    """All eleven variables of PEP 508."""

    implementation_name: _Text
    implementation_version: _Version
    os_name: _Text
    platform_machine: _Text
    platform_python_implementation: _Text
    platform_release: _Text
    platform_system: _Text
    platform_version: _Text
    python_full_version: _Version
    python_version: Annotated[str, Field(pattern=r"^[0-9]\.[0-9]{1,2}$")]
    sys_platform: _Text


class _Libstdcxx(_Table):
    glibcxx: _Version
    cxxabi: _Version


class _OsRelease(_Table):
    id: _Text = "linux"
    id_like: _Text = ""
    version_id: _Text = ""
    pretty_name: _Text = "Linux"

    @property
    def slug(self) -> str:
        """``debian12``, ``ubuntu24.04``, ``rocky9.6``: its name as those of presets are made."""
        return re.sub("[^a-z0-9.]", "", f"{self.id}{self.version_id}".lower()) or "linux"

    @property
    def family(self) -> str:
        """The family of the distribution, or ``other``."""
        known = (_FAMILIES[name] for name in (self.id, *self.id_like.split()) if name in _FAMILIES)
        return next(known, "other")


class _Said(_Table):
    """What the script prints."""

    format: int
    python: _Python
    environment: _Environment
    libc: Annotated[str, Field(pattern=r"^(glibc|musl) [0-9](\.[0-9]{1,3}){1,3}$")] | None
    libstdcxx: _Libstdcxx | None
    os_release: _OsRelease
    libraries: list[_Soname]

    @property
    def short_version(self) -> str:
        """``3.14t``, as targets name it."""
        return self.environment.python_version + ("t" if self.python.free_threaded else "")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        release = Version(self.environment.python_full_version).release[:2]
        if self.environment.python_version != ".".join(map(str, release)):
            raise ValueError("python_version and python_full_version are of two Pythons")
        own = f"cpython-{self.short_version.replace('.', '')}"
        if self.environment.implementation_name == "cpython" and not re.match(
            rf"{own}[dm]*(-|$)", self.python.abi
        ):
            raise ValueError(f"a Python {self.short_version} has not the ABI {self.python.abi}")
        return self


def _parsed(data: bytes, name: str) -> _Said:
    if len(data) > LARGEST:
        raise _foreign(name, "it is too large")
    try:
        found = _Numbered.model_validate_json(data).format
        if found != FORMAT:
            raise ConfigError(
                f"{name} is of format {found}; this wheelhouse reads {FORMAT}",
                hint="run the script that `wheelhouse targets probe` writes now",
            )
        return _Said.model_validate_json(data)
    except ValidationError as error:
        raise _foreign(name, _first_problem(error)) from error


def _foreign(name: str, problem: str) -> ConfigError:
    return ConfigError(
        f"{name} is not what the script of `wheelhouse targets probe` prints: {problem}",
        hint=_AGAIN,
    )


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = problem["msg"].removeprefix("Value error, ")
    place = ".".join(map(str, problem["loc"]))
    return printable(f"{place}: {message}" if place else message)


# --- what it means -------------------------------------------------------------------------------


def _unfit(said: _Said) -> tuple[str, str] | None:
    """Why there can be no wheelhouse for that server, and what to do."""
    here = said.environment
    python = f"{here.platform_python_implementation} {here.python_full_version}"
    another = f"run the script with a CPython {_dotted(OLDEST_PYTHON)} or later of that server"
    if here.sys_platform != "linux":
        return f"{quoted(here.platform_system)} is not Linux", "run the script on the server"
    if here.implementation_name != "cpython":
        return f"its Python is {quoted(python)}; wheelhouse supports CPython only", another
    if Version(here.python_full_version).release < OLDEST_PYTHON:
        return f"its Python is {quoted(python)}, which is too old", another
    if said.python.bits != 64:
        return f"its Python is one of {said.python.bits} bits", "use a 64-bit Python there"
    if here.platform_machine not in OCI_ARCHITECTURES:
        known = ", ".join(OCI_ARCHITECTURES)
        return f"its architecture is {quoted(here.platform_machine)}", f"there are: {known}"
    if said.libc is None:
        return "its C library is neither glibc nor musl", "use a distribution with one of them"
    return None


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _target(said: _Said) -> CapturedTarget:
    assert said.libc is not None
    libc, arch = Libc.parse(said.libc), said.environment.platform_machine
    interpreter = Interpreter(
        environment=said.environment.model_dump(),
        tags=tags_of(said.short_version, libc, arch),
        libc=libc,
        pip=said.python.pip,
    )
    return CapturedTarget(
        preset=_preset(said, libc, arch),
        python=said.short_version,
        arch=arch,
        capture=Capture(interpreter=interpreter, libraries=frozenset(said.libraries)),
    )


def _preset(said: _Said, libc: Libc, arch: str) -> Preset:
    glibcxx = Version(said.libstdcxx.glibcxx) if said.libstdcxx else None
    pip = Version(said.python.pip) if said.python.pip else None
    own = Preset(
        name=f"captured-{said.os_release.slug}",
        title=said.os_release.pretty_name,
        family=said.os_release.family,
        libc=libc,
        glibcxx=glibcxx,
        arches=(arch,),
        pythons={said.short_version: PresetPython(path=said.python.executable, pip=pip)},
    )
    known = _same_for_wheels(own, said)
    return _with_images(own, known, said.short_version) if known else own


def _same_for_wheels(own: Preset, said: _Said) -> Preset | None:
    """A known platform that differs from *own* in nothing that a wheel, or its proof, may notice.

    That of the same name first: others are its rebuilds, or images made from it.
    """
    found = [preset for preset in presets().values() if _is_same(own, preset, said.short_version)]
    namesake = (preset for preset in found if said.os_release.slug.startswith(preset.name))
    return next(namesake, found[0] if found else None)


def _is_same(own: Preset, known: Preset, python: str) -> bool:
    return (
        (known.family, known.libc) == (own.family, own.libc)
        and own.runs_what_is_built_on(known)
        and own.arches[0] in known.arches
        and python in known.pythons
        and known.pythons[python].path == own.pythons[python].path
    )


def _with_images(own: Preset, known: Preset, python: str) -> Preset:
    """*own*, made and named as *known*."""
    return replace(
        own,
        name=known.name,
        image=known.image,
        suite=known.suite,
        base=known.base,
        toolchain=known.toolchain,
        glibcxx=own.glibcxx or known.glibcxx,
        pythons={python: replace(known.pythons[python], pip=own.pythons[python].pip)},
    )
