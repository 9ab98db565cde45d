"""Writes a wheelhouse directory, and reads one.

The directory is described in ``docs/wheelhouse.md``. It is made beside its final place;
:mod:`wheelhouse.publish` puts it there once it is proven.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Literal, TypeVar

from wheelhouse import manifest as manifests
from wheelhouse.errors import StorageError
from wheelhouse.fetch import redacted
from wheelhouse.imagesteps import INSTALL_COMMANDS, family
from wheelhouse.manifest import (
    BuiltStory,
    FetchedStory,
    Generator,
    ImageFacts,
    Manifest,
    Needs,
    TargetFacts,
    WheelFacts,
)
from wheelhouse.store import BLOCK, sha256_of, storage_errors
from wheelhouse.targets import Libc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.targets import Interpreter, Target

T = TypeVar("T")
R = TypeVar("R")

WHEELS = "wheels"
SUMS = "SHA256SUMS"
INSTALLER = "install.sh"
REQUIREMENTS = "requirements.txt"
PYLOCK = "pylock.toml"

#: Reading, hashing and writing release the interpreter; more threads than this gain nothing.
THREADS = 8

#: The glibc that a legacy platform tag stands for (PEP 513, 571, 599).
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_PLATFORM = re.compile(r"(?P<kind>many|musl)linux_(?P<major>\d+)_(?P<minor>\d+)_(?P<arch>\w+)")
_SUM_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<file>.+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseWheel:
    """A wheel that goes in.

    :ivar path: its verified file, which may have another name.
    :ivar facts: everything that is told about it.
    """

    path: Path
    facts: WheelFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseContents:
    """All that a wheelhouse is made from.

    :ivar interpreter: the target's Python, as probed.
    :ivar images: the images that wheels were built in and the proof will run in.
    :ivar lock_sha256: the hash of the lock's file.
    :ivar requirements: the requirements that the user wrote.
    :ivar version: wheelhouse's own.
    """

    target: Target
    interpreter: Interpreter
    wheels: tuple[HouseWheel, ...]
    images: TargetImages
    lock_sha256: str
    requirements: tuple[str, ...]
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """A whole wheelhouse directory."""

    path: Path
    manifest: Manifest

    @property
    def size(self) -> int:
        """Bytes of its wheels."""
        return sum(wheel.size for wheel in self.manifest.wheels)

    def files(self) -> list[str]:
        """Every file in it, relative to it, sorted."""
        return _files_in(self.path)


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseProblem:
    """A file that is not as ``SHA256SUMS`` has it.

    :ivar file: relative to the wheelhouse.
    """

    file: str
    kind: Literal["missing", "changed", "added", "unreadable"]

    def __str__(self) -> str:
        said = {
            "missing": "is missing",
            "changed": "was changed",
            "added": "does not belong here",
            "unreadable": "cannot be read as what it should be",
        }
        return f"{self.file} {said[self.kind]}"


# -- writing -------------------------------------------------------------------------------------


def assemble(contents: HouseContents, staging: Path) -> House:
    """Write the wheelhouse of *contents* into the empty folder *staging*.

    Equal contents give equal bytes.

    :raises StorageError: the disk is full or not writable, or a wheel's file is not what its
        facts say.
    """
    manifest = describe(contents)
    texts = {
        REQUIREMENTS: requirements_text(manifest),
        PYLOCK: pylock_text(manifest),
        manifests.FILENAME: manifests.to_json(manifest),
        INSTALLER: installer_text(contents.target, manifest),
    }
    with storage_errors(staging):
        _copy_wheels(contents.wheels, staging / WHEELS)
        for name, text in texts.items():
            _write(staging / name, text.encode(), mode=0o755 if name == INSTALLER else 0o644)
        _write(staging / SUMS, _sums_text(manifest, texts).encode(), mode=0o644)
    return House(path=staging, manifest=manifest)


def read_house(path: Path) -> House:
    """The wheelhouse in the folder *path*; its files are not hashed (see :func:`verify_house`).

    :raises StorageError: there is none.
    """
    return House(path=path, manifest=manifests.read_manifest(path))


def describe(contents: HouseContents) -> Manifest:
    """The manifest of *contents*."""
    wheels = sorted((wheel.facts for wheel in contents.wheels), key=lambda facts: facts.name)
    return Manifest(
        generator=Generator(name="wheelhouse", version=contents.version),
        target=_target_facts(contents.target, contents.interpreter),
        needs=Needs(
            libc=needed_libc(wheels, contents.target),
            libraries=tuple(sorted({name for each in wheels for name in each.system_libraries})),
        ),
        builder=_image_facts(contents.images.builder),
        runtime=_image_facts(contents.images.runtime),
        lock_sha256=contents.lock_sha256,
        requirements=tuple(sorted(contents.requirements)),
        wheels=tuple(_settled(facts) for facts in wheels),
    )


def _target_facts(target: Target, interpreter: Interpreter) -> TargetFacts:
    environment = interpreter.environment
    return TargetFacts(
        name=target.name,
        platform=target.preset.name,
        title=target.preset.title,
        python=target.python,
        python_full_version=environment["python_full_version"],
        implementation=environment["platform_python_implementation"],
        free_threaded=interpreter.is_free_threaded,
        arch=target.arch,
        libc=str(interpreter.libc),
        environment=dict(environment),
    )


def _image_facts(image: Image) -> ImageFacts:
    return ImageFacts(id=image.id, name=image.name)


def _settled(facts: WheelFacts) -> WheelFacts:
    """*facts* in a settled order, without anything secret."""
    return replace(
        facts,
        tags=tuple(sorted(facts.tags)),
        modules=tuple(sorted(facts.modules)),
        extension_modules=tuple(sorted(facts.extension_modules)),
        required_by=tuple(sorted(facts.required_by)),
        skip_imports=tuple(sorted(facts.skip_imports)),
        system_libraries=tuple(sorted(facts.system_libraries)),
        story=_settled_story(facts.story),
    )


def _settled_story(story: FetchedStory | BuiltStory) -> FetchedStory | BuiltStory:
    if isinstance(story, FetchedStory):
        return replace(story, url=redacted(story.url))
    return replace(
        story,
        sdist_url=redacted(story.sdist_url),
        build_requirements=tuple(sorted(story.build_requirements, key=lambda each: each.name)),
        system_packages=tuple(sorted(story.system_packages)),
        grafted=tuple(sorted(story.grafted)),
    )


def needed_libc(wheels: Iterable[WheelFacts], target: Target) -> str:
    """The oldest C library that all *wheels* run on; empty if they run on any."""
    needs = [need for wheel in wheels if (need := _libc_of(wheel, target)) is not None]
    return str(max(needs, key=lambda need: need.version)) if needs else ""


def _libc_of(wheel: WheelFacts, target: Target) -> Libc | None:
    """The oldest C library that one of the wheel's tags promises; None for a pure wheel."""
    promised: list[Libc] = []
    for tag in wheel.tags:
        platform = tag.rpartition("-")[2]
        if platform == "any":
            return None
        if (libc := _libc_of_platform(platform, target)) is not None:
            promised.append(libc)
    return min(promised, key=lambda libc: libc.version, default=target.preset.libc)


def _libc_of_platform(platform: str, target: Target) -> Libc | None:
    """What the platform tag promises to *target*; None if it is not for it or promises nothing."""
    family, arch = target.preset.libc.family, target.arch
    kind = platform.removesuffix(f"_{arch}")
    if kind in _LEGACY and family == "glibc":
        return Libc(family="glibc", version=_LEGACY[kind])
    match = _PLATFORM.fullmatch(platform)
    if match is None or match["arch"] != arch:
        return None
    found = "glibc" if match["kind"] == "many" else "musl"
    version = (int(match["major"]), int(match["minor"]))
    return Libc(family=found, version=version) if found == family else None


def requirements_text(manifest: Manifest) -> str:
    """``requirements.txt``: exact pins with the hashes of the files in ``wheels/``."""
    target = manifest.target
    head = (
        f"# The wheelhouse {target.name}: {target.title}, Python {target.python}, {target.arch}.\n"
        "# Installs offline: python -m pip install -r requirements.txt\n"
        "# (install.sh does it too, after a look at the machine).\n"
        "--no-index\n"
        f"--find-links ./{WHEELS}\n"
        "--only-binary :all:\n"
    )
    pins = (
        f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in manifest.wheels
    )
    return head + "".join(pins)


def pylock_text(manifest: Manifest) -> str:
    """``pylock.toml`` by PEP 751, with paths relative to itself."""
    import tomli_w
    from packaging.pylock import Package, PackageWheel, Pylock
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    packages = [
        Package(
            name=canonicalize_name(wheel.name),
            version=Version(wheel.version),
            wheels=[
                PackageWheel(
                    name=wheel.filename,
                    path=f"{WHEELS}/{wheel.filename}",
                    size=wheel.size,
                    hashes={"sha256": wheel.sha256},
                )
            ],
        )
        for wheel in manifest.wheels
    ]
    pylock = Pylock(
        lock_version=Version("1.0"),
        requires_python=SpecifierSet(f"=={manifest.target.environment['python_version']}.*"),
        created_by="wheelhouse",
        packages=packages,
    )
    return tomli_w.dumps(dict(pylock.to_dict()))


def installer_text(target: Target, manifest: Manifest) -> str:
    """``install.sh``, with the facts of *manifest* filled in."""
    facts = manifest.target
    values = {
        "name": facts.name,
        "title": target.describe(),
        "python": facts.python,
        "python_path": target.python_path,
        "implementation": facts.implementation,
        "free_threaded": "yes" if facts.free_threaded else "no",
        "arch": facts.arch,
        "libc": manifest.needs.libc,
        "libraries": " ".join(manifest.needs.libraries),
        "python_fix": _python_fix(target),
    }
    text = resources.files("wheelhouse").joinpath(f"data/{INSTALLER}").read_text("utf-8")
    return re.sub(r"@(\w+)@", lambda match: shlex.quote(values[match[1]]), text)


def _python_fix(target: Target) -> str:
    """How the target's distribution installs its Python."""
    packages = target.place.interpreter.packages
    if not packages:
        return f"install Python {target.python}"
    return f"sudo {INSTALL_COMMANDS[family(target.preset.family).manager]} {' '.join(packages)}"


def _copy_wheels(wheels: Sequence[HouseWheel], folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    _in_parallel(lambda wheel: _copy(wheel, folder / wheel.facts.filename), wheels)


def _copy(wheel: HouseWheel, destination: Path) -> None:
    """Copy a wheel, hashing what is written: what is in the store may have rotted since."""
    digest = hashlib.sha256()
    with wheel.path.open("rb") as source, destination.open("xb") as copy:
        while block := source.read(BLOCK):
            digest.update(block)
            copy.write(block)
    destination.chmod(0o644)
    if digest.hexdigest() != wheel.facts.sha256:
        raise StorageError(
            f"{wheel.path}, the stored file of {wheel.facts.filename}, has been damaged",
            hint="run the command again: it has the file made or fetched anew",
        )


def _write(path: Path, data: bytes, *, mode: int) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def _sums_text(manifest: Manifest, texts: Mapping[str, str]) -> str:
    sums = {f"{WHEELS}/{wheel.filename}": wheel.sha256 for wheel in manifest.wheels}
    sums |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))


# -- verifying -----------------------------------------------------------------------------------


def verify_house(path: Path) -> list[HouseProblem]:
    """Hash every file of the wheelhouse in *path*; all that is not as ``SHA256SUMS`` has it.

    A symbolic link is never followed: it is no file of a wheelhouse.

    :raises StorageError: there is no wheelhouse.
    """
    try:
        text = (path / SUMS).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"{path} is no wheelhouse: it has no readable {SUMS}",
            hint="name a folder that `wheelhouse build` made, such as dist/TARGET",
        ) from error
    sums = _parse_sums(text)
    if sums is None:
        return [HouseProblem(file=SUMS, kind="unreadable")]
    present = set(_files_in(path)) - {SUMS}
    found = _in_parallel(lambda item: _compare(path, *item), sorted(sums.items()))
    added = (HouseProblem(file=file, kind="added") for file in sorted(present - sums.keys()))
    return [*(problem for problem in found if problem is not None), *added]


def _parse_sums(text: str) -> dict[str, str] | None:
    """The hash of each file; None if *text* is no list of them or reaches outside its folder."""
    sums: dict[str, str] = {}
    for line in text.splitlines():
        match = _SUM_LINE.fullmatch(line)
        if match is None or match["file"].startswith("/") or ".." in match["file"].split("/"):
            return None
        sums[match["file"]] = match["sha256"]
    return sums or None


def _compare(house: Path, file: str, sha256: str) -> HouseProblem | None:
    path = house / file
    try:
        if path.is_symlink() or not path.is_file():
            return HouseProblem(
                file=file, kind="unreadable" if os.path.lexists(path) else "missing"
            )
        return None if sha256_of(path) == sha256 else HouseProblem(file=file, kind="changed")
    except OSError:
        return HouseProblem(file=file, kind="unreadable")


def _files_in(folder: Path) -> list[str]:
    """Everything in *folder* that is no folder, relative to it, sorted."""
    found: list[str] = []
    for top, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(top, name))]  # noqa: PTH114, PTH118
        found += [os.path.relpath(os.path.join(top, name), folder) for name in (*files, *links)]  # noqa: PTH118
    return sorted(found)


def _in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(function, items))
