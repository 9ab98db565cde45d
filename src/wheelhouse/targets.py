"""Targets: the platform, Python and architecture that a wheelhouse is for.

A *preset* is data about a platform (``data/presets.toml``). A *target* is one preset with a
Python and an architecture, as a user declares it. What only the target's own interpreter can
tell truthfully (tags, marker environment) is its :class:`Interpreter`, probed in its image.

Pure: reads its own data file and nothing else. The host's Python and libc never matter here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packaging.tags import Tag
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from datetime import date

#: Architectures as `platform.machine()` names them, and as container engines do.
OCI_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Libc:
    """A C library: its family (``glibc`` or ``musl``) and its version."""

    family: str
    version: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> Libc:
        """Read ``glibc 2.36``."""
        family, _, version = text.partition(" ")
        major, minor = version.split(".")[:2]
        return cls(family=family, version=(int(major), int(minor)))

    def __str__(self) -> str:
        return f"{self.family} {self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """What is known about a platform before any image is looked at."""

    name: str
    title: str
    family: str
    libc: Libc
    glibcxx: Version
    image: str
    suite: str | None
    end_of_life: date
    arches: tuple[str, ...]
    pythons: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One declared target.

    :ivar name: the user's name for it, also that of its lock and its output folder.
    :ivar python: ``MAJOR.MINOR``.
    :ivar arch: as `platform.machine()` says, such as ``x86_64``.
    """

    name: str
    preset: Preset
    python: str
    arch: str = "x86_64"

    @property
    def python_path(self) -> str:
        """The interpreter's path in the target's images."""
        return self.preset.pythons[self.python]

    @property
    def policy(self) -> str:
        """The highest auditwheel policy whose wheels run here, such as ``manylinux_2_36_x86_64``.

        Auditwheel's policies stop before the newest libc; its newest is found at repair.
        """
        kind = "musllinux" if self.preset.libc.family == "musl" else "manylinux"
        major, minor = self.preset.libc.version
        return f"{kind}_{major}_{minor}_{self.arch}"

    def describe(self) -> str:
        """The target for a person: ``Debian 12 (bookworm), Python 3.11, x86_64``."""
        return f"{self.preset.title}, Python {self.python}, {self.arch}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """The target's own Python, as probed in its image.

    :ivar environment: all eleven marker variables of PEP 508.
    :ivar tags: every tag it installs, best first.
    :ivar libc: the C library it runs on.
    :ivar pip: the version of the pip that its virtual environments get, or None.
    """

    environment: Mapping[str, str]
    tags: tuple[Tag, ...]
    libc: Libc
    pip: str | None

    @property
    def markers(self) -> dict[str, str | AbstractSet[str]]:
        """The environment, as `packaging.markers.Marker.evaluate` takes it."""
        return dict(self.environment)

    @property
    def full_version(self) -> Version:
        """The interpreter's version with its patch level."""
        return Version(self.environment["python_full_version"])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Interpreter:
        """Read what the probe printed (see ``agent/probe.py``)."""
        return cls(
            environment=dict(data["environment"]),
            tags=tuple(Tag(*tag.split("-")) for tag in data["tags"]),
            libc=Libc.parse(data["libc"]),
            pip=data.get("pip"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The inverse of :meth:`from_dict`."""
        return {
            "environment": dict(self.environment),
            "tags": [str(tag) for tag in self.tags],
            "libc": str(self.libc),
            "pip": self.pip,
        }


def _preset(name: str, data: Mapping[str, Any]) -> Preset:
    return Preset(
        name=name,
        title=data["title"],
        family=data["family"],
        libc=Libc.parse(data["libc"]),
        glibcxx=Version(data["glibcxx"]),
        image=data["image"],
        suite=data.get("suite"),
        end_of_life=data["end-of-life"],
        arches=tuple(data["arches"]),
        pythons=data["pythons"],
    )


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, in the order of ``presets.toml``."""
    text = resources.files("wheelhouse").joinpath("data/presets.toml").read_text("utf-8")
    return {name: _preset(name, data) for name, data in tomllib.loads(text).items()}
