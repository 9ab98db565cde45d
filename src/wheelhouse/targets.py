"""Targets: the platform, Python and architecture that a wheelhouse is for.

A *preset* is data about a platform (``data/presets.toml``). A *target* is one preset with a
Python and an architecture, as a user declares it. What only the target's own interpreter can
tell truthfully (tags, marker environment) is its :class:`Interpreter`, probed in its image.

Pure: reads its own data file and nothing else. The host's Python and libc never matter here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from packaging.tags import Tag
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from datetime import date

    from wheelhouse.cuda import Cuda

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
class PresetPython:
    """One Python of a platform.

    :ivar path: the interpreter's path, on the platform and in its images.
    :ivar packages: the distribution's packages that bring it, able to make virtual environments.
    :ivar headers: those that compiling extensions for it takes in addition.
    :ivar pip: the version of the pip that its virtual environments get, where it is known.
    :ivar from_source: built from the distribution's own source package, in an image of its own.
    """

    path: str
    packages: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    pip: Version | None = None
    from_source: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """What is known about a platform before any image is looked at.

    :ivar family: its kind of distribution, which names packages alike: ``images/FAMILY.toml``.
    :ivar glibcxx: the highest GLIBCXX symbol version of its libstdc++; None if there is no limit
        that is known.
    :ivar image: its official image in a registry, with ``{python}`` and ``{arch}`` where those
        are part of it; None if it has none.
    :ivar suite: the Debian release that its base can be made from without a registry.
    :ivar base: the platform that its images start from, if it is but another platform with
        further Pythons.
    :ivar toolchain: the packages that bring compilers, where they are not the family's.
    :ivar end_of_life: the last day with free updates; None where that cannot be said.
    :ivar cuda: the version of the CUDA toolkit that its image has, in ``/usr/local/cuda``; None if
        it has none.
    :ivar pythons: by ``MAJOR.MINOR``, with a ``t`` behind it for free-threaded ones.
    :ivar note: what else a person should know of it.
    """

    name: str
    title: str
    family: str
    libc: Libc
    glibcxx: Version | None
    image: str | None = None
    suite: str | None = None
    base: str | None = None
    toolchain: tuple[str, ...] | None = None
    end_of_life: date | None = None
    cuda: Version | None = None
    arches: tuple[str, ...]
    pythons: Mapping[str, PresetPython] = field(hash=False)
    note: str | None = None

    @property
    def is_made_here(self) -> bool:
        """Whether its images can be made without a container registry."""
        return self.suite is not None or self.base is not None

    def runs_what_is_built_on(self, other: Preset) -> bool:
        """Whether *other*'s C library and libstdc++ are of the same kind and not newer."""
        if self.libc.family != other.libc.family or other.libc.version > self.libc.version:
            return False
        return not (self.glibcxx and other.glibcxx) or other.glibcxx <= self.glibcxx


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A platform with one Python and one architecture: what images are made for."""

    preset: Preset
    python: str
    arch: str

    @property
    def interpreter(self) -> PresetPython:
        """What is known of its Python."""
        return self.preset.pythons[self.python]

    @property
    def image(self) -> str | None:
        """The reference of its official image."""
        image = self.preset.image
        return image and image.replace("{python}", self.python).replace("{arch}", self.arch)

    @property
    def origin(self) -> Place:
        """The place whose images its own start from: itself, for most."""
        if self.preset.base is None:
            return self
        origin = presets()[self.preset.base]
        return Place(preset=origin, python=next(iter(origin.pythons)), arch=self.arch)

    def __str__(self) -> str:
        return f"{self.preset.title}, Python {self.python}, {self.arch}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One declared target.

    :ivar name: the user's name for it, also that of its lock and its output folder.
    :ivar python: ``MAJOR.MINOR``, with a ``t`` behind it for a free-threaded one.
    :ivar arch: as `platform.machine()` says, such as ``x86_64``.
    :ivar builder: the platform to build on, if not its own.
    :ivar captured: what a probe on the deployed machine itself said, if there was one.
    :ivar runtime_system: whether the server may be asked to have packages of the distribution.
    :ivar torch_backend: what PyTorch's packages are made for, as its indexes are called: ``cu128``;
        empty for whatever the index has.
    :ivar provided: how packages that bypass the wheelhouse come to the server, by their names:
        ``image``, ``system:PACKAGE`` or ``wheel``.
    :ivar cuda: what its GPUs run; None if it has none.
    """

    name: str
    preset: Preset
    python: str
    arch: str = "x86_64"
    builder: Preset | None = None
    captured: Capture | None = None
    runtime_system: bool = True
    torch_backend: str = ""
    provided: Mapping[str, str] = field(default_factory=dict, hash=False)
    cuda: Cuda | None = None

    @property
    def place(self) -> Place:
        """Where its wheelhouse is proven: on its own platform."""
        return Place(preset=self.preset, python=self.python, arch=self.arch)

    @property
    def build_place(self) -> Place:
        """Where its wheels are built: on its own platform, or on the one that was named."""
        return Place(preset=self.builder or self.preset, python=self.python, arch=self.arch)

    @property
    def python_path(self) -> str:
        """The interpreter's path on the deployed machine."""
        return self.place.interpreter.path

    def describe(self) -> str:
        """The target for a person: ``Debian 12 (bookworm), Python 3.11, x86_64``."""
        return str(self.place)


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
    def is_free_threaded(self) -> bool:
        """Whether it runs without the global interpreter lock."""
        return any(tag.abi.startswith("cp") and tag.abi.endswith("t") for tag in self.tags)

    @property
    def short_version(self) -> str:
        """``MAJOR.MINOR``, with a ``t`` behind it if it is free-threaded, as targets name it."""
        return self.environment["python_version"] + ("t" if self.is_free_threaded else "")

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """What a probe on a deployed machine said of it.

    :ivar interpreter: its Python.
    :ivar libraries: sonames that its loader knows.
    """

    interpreter: Interpreter
    libraries: frozenset[str]


def _python(data: Mapping[str, Any]) -> PresetPython:
    return PresetPython(
        path=data["path"],
        packages=tuple(data.get("packages", ())),
        headers=tuple(data.get("headers", ())),
        pip=Version(data["pip"]) if "pip" in data else None,
        from_source=data.get("from-source", False),
    )


def _preset(name: str, data: Mapping[str, Any]) -> Preset:
    return Preset(
        name=name,
        title=data["title"],
        family=data["family"],
        libc=Libc.parse(data["libc"]),
        glibcxx=Version(data["glibcxx"]) if "glibcxx" in data else None,
        image=data.get("image"),
        suite=data.get("suite"),
        base=data.get("base"),
        toolchain=tuple(data["toolchain"]) if "toolchain" in data else None,
        end_of_life=data.get("end-of-life"),
        cuda=Version(data["cuda"]) if "cuda" in data else None,
        arches=tuple(data["arches"]),
        pythons={python: _python(each) for python, each in data["pythons"].items()},
        note=data.get("note"),
    )


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, in the order of ``presets.toml``."""
    text = resources.files("wheelhouse").joinpath("data/presets.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    return {
        name: _preset(name, tables.get(data.get("like"), {}) | data)
        for name, data in tables.items()
    }


def made_here(place: Place) -> Place | None:
    """*place*, if its images need no registry; else what stands in for it; None if nothing."""
    return place if place.preset.is_made_here else stand_in(place)


def oci_platform(arch: str) -> str:
    """*arch* as container engines name it: ``linux/amd64``."""
    return f"linux/{OCI_ARCHITECTURES[arch]}"


def stand_in(place: Place) -> Place | None:
    """Where to build and prove for *place* when its own image cannot be had; None if nowhere.

    Of the platforms whose images need no registry, the one that is nearest from below: what was
    built and proven with an older C library runs with a newer one, and not the other way round.
    """
    able = [
        preset
        for preset in presets().values()
        if preset.is_made_here
        and place.python in preset.pythons
        and place.arch in preset.arches
        and place.preset.runs_what_is_built_on(preset)
    ]
    if not able:
        return None
    nearest = max(able, key=lambda preset: preset.libc.version)
    return Place(preset=nearest, python=place.python, arch=place.arch)
