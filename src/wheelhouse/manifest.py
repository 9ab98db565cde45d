"""``manifest.json``: the whole story of a wheelhouse, as data.

What it holds follows from the lock and the images alone. There are no dates and no durations in
it, so the same lock and the same images give the same bytes.

:mod:`wheelhouse.manifestschema` makes its JSON Schema of the types below and their ``:ivar:``
lines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from wheelhouse.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter

#: Raised by one when a reader of the old form would misread the new one.
FORMAT: Literal[1] = 1

FILENAME = "manifest.json"


class _Strict:
    """Unknown keys are refused: they would be lost without a word."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Generator(_Strict):
    """What made the wheelhouse.

    :ivar name: always ``wheelhouse``.
    :ivar version: its version.
    """

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetFacts(_Strict):
    """What the wheelhouse is for.

    :ivar name: the target's name in ``wheelhouse.toml``.
    :ivar platform: the preset, such as ``debian12``.
    :ivar title: the platform's full name.
    :ivar python: MAJOR.MINOR.
    :ivar python_full_version: the version of the Python that the wheelhouse was proven with.
    :ivar implementation: ``CPython`` or another, as `platform.python_implementation()` says.
    :ivar free_threaded: whether that Python runs without the global interpreter lock.
    :ivar arch: as `platform.machine()` says.
    :ivar libc: the platform's C library, such as ``glibc 2.36``.
    :ivar environment: the marker variables of PEP 508 that requirements were resolved with.
    """

    name: str
    platform: str
    title: str
    python: str
    python_full_version: str
    implementation: str
    free_threaded: bool
    arch: str
    libc: str
    environment: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemPackage(_Strict):
    """A package of the distribution that a machine must have.

    :ivar package: its name.
    :ivar platform: the platform that calls it so: that on which the wheelhouse was proven.
    :ivar libraries: sonames that it is needed for.
    :ivar programs: names of commands that it is needed for.
    :ivar required_by: the wheels' projects that need it.
    """

    package: str
    platform: str
    libraries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuNeeds(_Strict):
    """What a machine with an NVIDIA GPU must have where something is to be computed on that.

    :ivar cuda: the version of CUDA that everything here was chosen and built for.
    :ivar driver: the oldest driver that runs it, such as ``580.65.06``; empty if that is not known.
    :ivar release_driver: the driver that came with that CUDA; an older one runs no code that is
        there as PTX only. Empty if that is not known.
    :ivar arches: the compute capabilities that packages were built for, such as ``80``; empty if
        that was left to them.
    """

    cuda: str
    driver: str
    release_driver: str
    arches: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs(_Strict):
    """What a machine must have; ``install.sh`` checks it before it touches anything.

    :ivar libc: the oldest C library that all wheels run on, such as ``glibc 2.17``; empty if any.
    :ivar libraries: sonames of shared libraries that no wheel brings along.
    :ivar programs: names of commands that wheels run.
    :ivar system: the distribution's packages that the proof was given, and what they are for.
    :ivar gpu: what a GPU there must have; null if the target names no CUDA.
    """

    libc: str
    libraries: tuple[str, ...]
    programs: tuple[str, ...] = ()
    system: tuple[SystemPackage, ...] = ()
    gpu: GpuNeeds | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts(_Strict):
    """A container image.

    :ivar id: its content-addressed ID.
    :ivar name: the name it carried.
    """

    id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequirementFacts(_Strict):
    """What was installed in a build environment, or of a CUDA toolkit in its image.

    :ivar name: its project, normalized.
    :ivar version: its version.
    :ivar sha256: the hash of its file on the index: the wheel that was installed, or the sdist of
        which that was built first.
    :ivar url: where that file was fetched from, without credentials.
    """

    name: str
    version: str
    sha256: str
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedStory(_Strict):
    """The wheel came from an index as it is.

    :ivar kind: ``fetched``.
    :ivar url: where it was fetched from, without credentials.
    :ivar sha256: the hash that the lock demands of it.
    :ivar index: the address of the index that has it; empty if it came from no index.
    """

    kind: Literal["fetched"] = "fetched"
    url: str
    sha256: str
    index: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedLibrary(_Strict):
    """A library that a wheel uses of another one.

    :ivar soname: the name that it asks for it by.
    :ivar provider: the project of the wheel that has it.
    :ivar folder: where that is installed, from site-packages on; empty for site-packages itself.
    """

    soname: str
    provider: str
    folder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltStory(_Strict):
    """The wheel was built and repaired in a container.

    :ivar kind: ``built``.
    :ivar reason: why it was built and not fetched.
    :ivar sdist_url: where the sdist was fetched from, without credentials.
    :ivar sdist_sha256: the hash that the lock demands of it.
    :ivar index: the address of the index that has it; empty if it came from no index.
    :ivar build_requirements: what the build environment had.
    :ivar toolkit: the wheels of the CUDA toolkit that was put into the image, if it was built with
        one.
    :ivar image: the image it was built in.
    :ivar system_packages: the distribution's packages that were added to the image.
    :ivar environment: environment variables that the user set for the build.
    :ivar config_settings: settings for the build backend, by PEP 517.
    :ivar grafted: shared libraries that were copied from the image into the wheel.
    :ivar shared: shared libraries that it uses of other wheels, where they are.
    :ivar policy: the auditwheel policy that it was repaired for; empty for a pure wheel.
    :ivar builder: ``cibuildwheel`` if its maintainers' own recipe built it.
    :ivar network: whether that recipe had a network, so that what it fetched is not recorded.
    :ivar cache_key: the hash of everything that went into the build.
    """

    kind: Literal["built"] = "built"
    reason: str = ""
    sdist_url: str
    sdist_sha256: str
    index: str = ""
    image: ImageFacts
    cache_key: str
    build_requirements: tuple[BuildRequirementFacts, ...] = ()
    toolkit: tuple[BuildRequirementFacts, ...] = ()
    system_packages: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    config_settings: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    grafted: tuple[str, ...] = ()
    shared: tuple[SharedLibrary, ...] = ()
    policy: str = ""
    builder: Literal["wheelhouse", "cibuildwheel"] = "wheelhouse"
    network: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelFacts(_Strict):
    """One wheel of the wheelhouse.

    :ivar filename: its file's name in ``wheels/``.
    :ivar name: its project, normalized.
    :ivar version: its version.
    :ivar sha256: the hash of the file here, after build and repair.
    :ivar size: bytes.
    :ivar requires_python: what it says about Python; empty if nothing.
    :ivar tags: the tags of its file name.
    :ivar modules: what can be imported from it, outermost names only.
    :ivar extension_modules: dotted names of its extension modules.
    :ivar required_by: the packages and requirement files that ask for it.
    :ivar skip_imports: modules that the proof left out by the user's wish; ``*`` is all of them.
    :ivar system_libraries: sonames that it needs and no wheel brings along.
    :ivar system_programs: names of commands that it runs.
    :ivar license: its license, as its METADATA has it; empty if nothing is said.
    :ivar story: where it came from.
    """

    filename: str
    name: str
    version: str
    sha256: str
    size: int
    tags: tuple[str, ...]
    story: FetchedStory | BuiltStory
    requires_python: str = ""
    modules: tuple[str, ...] = ()
    extension_modules: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    skip_imports: tuple[str, ...] = ()
    system_libraries: tuple[str, ...] = ()
    system_programs: tuple[str, ...] = ()
    license: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitFacts(_Strict):
    """What one container might use; no result depends on it.

    :ivar memory: bytes, swap and temporary files in memory included.
    :ivar processes: processes and threads at one time.
    :ivar cpus: CPUs' worth of time.
    :ivar deadline: seconds that it might run.
    :ivar output: bytes of its log that were kept.
    :ivar result: bytes that it might hand back in all.
    """

    memory: int
    processes: int
    cpus: float
    deadline: float
    output: int
    result: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bypassed(_Strict):
    """A package that is no part of the wheelhouse: something else brings it to the server.

    :ivar name: its project, normalized.
    :ivar version: the version that everything here was chosen to fit.
    :ivar way: how it comes there: ``image`` (the server's image has it), ``system`` (a package of
        the distribution brings it) or ``wheel`` (somebody installs its wheel).
    :ivar package: that package of the distribution; empty otherwise.
    :ivar required_by: the packages and requirement files that ask for it.
    :ivar needed: whether something here, or a requirement of the user's, asks for it, so that
        ``install.sh`` looks whether it is there; not only what else bypasses the wheelhouse.
    """

    name: str
    version: str
    way: Literal["image", "system", "wheel"]
    package: str = ""
    required_by: tuple[str, ...] = ()
    needed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest(_Strict):
    """The whole story of a wheelhouse.

    :ivar format: the version of this form.
    :ivar generator: what made it.
    :ivar target: what it is for.
    :ivar needs: what a machine must have.
    :ivar builder: the image that wheels were built in, system packages of single builds apart.
    :ivar runtime: the image that the proof ran in.
    :ivar limits: what each build and each proof might use, by the settings; a wheel that an earlier
        run has built may have been built under others.
    :ivar lock_sha256: the hash of the lock it was made from.
    :ivar requirements: the requirements that the user wrote.
    :ivar wheels: all wheels, by name.
    :ivar bypassed: what else they were chosen to fit, and is not here, by name.
    """

    format: Literal[1] = FORMAT
    generator: Generator
    target: TargetFacts
    needs: Needs
    builder: ImageFacts
    runtime: ImageFacts
    limits: LimitFacts
    lock_sha256: str
    requirements: tuple[str, ...]
    wheels: tuple[WheelFacts, ...]
    bypassed: tuple[Bypassed, ...] = ()


@cache
def adapter() -> TypeAdapter[Manifest]:
    """What reads a manifest, and knows its shape."""
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def to_json(manifest: Manifest) -> str:
    """*manifest* as the text of ``manifest.json``; the same text for equal manifests."""
    return json.dumps(asdict(manifest), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def from_json(text: str | bytes) -> Manifest:
    """Read the text of a ``manifest.json``.

    :raises ValueError: it is none, or one of a later version of wheelhouse.
    """
    return adapter().validate_json(text, strict=True)


def read_manifest(house: Path) -> Manifest:
    """The manifest of the wheelhouse in the folder *house*.

    :raises StorageError: there is none that can be read.
    """
    path = house / FILENAME
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        raise StorageError(
            f"{house} is no wheelhouse: {path.name} cannot be read ({error.strerror})",
            hint="name a folder that `wheelhouse build` made, such as dist/TARGET",
        ) from error
    except ValueError as error:
        raise StorageError(
            f"{path} is damaged, or a later version of wheelhouse made it",
            hint="build it anew with `wheelhouse build`, or upgrade wheelhouse",
        ) from error
