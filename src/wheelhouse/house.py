"""Writes a wheelhouse directory, and reads one.

The directory is described in ``docs/wheelhouse.md``. It is made beside its final place;
:mod:`wheelhouse.publish` puts it there once it is proven.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from wheelhouse import manifest as manifests
from wheelhouse.errors import StorageError
from wheelhouse.fetcherrors import redacted
from wheelhouse.installer import FILENAME as INSTALLER
from wheelhouse.installer import installer_text
from wheelhouse.manifest import (
    BuiltStory,
    FetchedStory,
    Generator,
    ImageFacts,
    Manifest,
    TargetFacts,
    WheelFacts,
)
from wheelhouse.needs import machine_needs
from wheelhouse.store import BLOCK, sha256_of, storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.locking.model import SystemRequirement
    from wheelhouse.manifest import Bypassed
    from wheelhouse.targets import Interpreter, Target

T = TypeVar("T")
R = TypeVar("R")

WHEELS = "wheels"
SUMS = "SHA256SUMS"
REQUIREMENTS = "requirements.txt"
PYLOCK = "pylock.toml"

#: Reading, hashing and writing release the interpreter; more threads than this gain nothing.
THREADS = 8

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
    :ivar system: what the latter has been given.
    :ivar lock_sha256: the hash of the lock's file.
    :ivar requirements: the requirements that the user wrote.
    :ivar version: wheelhouse's own.
    :ivar bypassed: what is to be on the server, and not in it.
    """

    target: Target
    interpreter: Interpreter
    wheels: tuple[HouseWheel, ...]
    images: TargetImages
    lock_sha256: str
    requirements: tuple[str, ...]
    version: str
    system: tuple[SystemRequirement, ...] = ()
    bypassed: tuple[Bypassed, ...] = ()


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
        INSTALLER: installer_text(contents.target, manifest, contents.images.place),
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
        needs=machine_needs(wheels, contents.target, contents.system),
        builder=_image_facts(contents.images.builder),
        runtime=_image_facts(contents.images.runtime),
        lock_sha256=contents.lock_sha256,
        requirements=tuple(sorted(contents.requirements)),
        wheels=tuple(_settled(facts) for facts in wheels),
        bypassed=tuple(sorted(contents.bypassed, key=lambda each: each.name)),
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
        system_programs=tuple(sorted(facts.system_programs)),
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
    return head + _bypassed_comment(manifest) + "".join(pins)


def _bypassed_comment(manifest: Manifest) -> str:
    if not manifest.bypassed:
        return ""
    names = ", ".join(f"{each.name}=={each.version}" for each in manifest.bypassed)
    return f"# Not in here, to be on the server already: {names};\n# so add --no-deps.\n"


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
