"""What tests of locking, planning and building share: an index in memory, sdists, a project."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse import probe
from wheelhouse.config import PackageSettings, Project
from wheelhouse.engine import Image, Limits, TargetImages
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.index import Index, IndexFile, Pages, ProjectPage
from wheelhouse.locking.metadata import MetadataSource
from wheelhouse.locking.model import LockedFile
from wheelhouse.settings import IndexSettings, InputFile
from wheelhouse.store import digest_of
from wheelhouse.targets import Interpreter, Libc, Target, presets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.version import Version

    from wheelhouse.inputs.model import Direct
    from wheelhouse.locking.candidates import Release, Source
    from wheelhouse.missing import Missing
    from wheelhouse.store import Store

UPLOADED = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)


def sha(data: bytes | str) -> str:
    """A SHA-256; of a text, one that stands for a file of that name."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def interpreter(
    python: str = "3.11", *, arch: str = "x86_64", full: str = "", libc: str = "glibc 2.36"
) -> Interpreter:
    """An interpreter as a probe of a target's image would tell."""
    major, minor = (int(part) for part in python.split("."))
    if libc.startswith("musl"):
        platforms = [f"musllinux_1_{number}_{arch}" for number in (2, 1, 0)] + [f"linux_{arch}"]
    else:
        newest = int(libc.rpartition(".")[2])
        platforms = [f"manylinux_2_{number}_{arch}" for number in range(newest, 4, -1)]
        platforms += [f"manylinux2014_{arch}", f"linux_{arch}"]
    name = f"cp{major}{minor}"
    return Interpreter(
        environment={
            "implementation_name": "cpython",
            "implementation_version": full or f"{python}.2",
            "os_name": "posix",
            "platform_machine": arch,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full or f"{python}.2",
            "python_version": python,
            "sys_platform": "linux",
        },
        tags=(
            *cpython_tags((major, minor), [name], platforms),
            *compatible_tags((major, minor), name, platforms),
        ),
        libc=Libc.parse(libc),
        pip="23.0.1",
    )


def target(name: str = "web") -> Target:
    """Debian 12 with Python 3.11."""
    return Target(name=name, preset=presets()["debian12"], python="3.11")


def images() -> TargetImages:
    """Images that nobody starts."""
    return TargetImages(
        place=target().place,
        build_place=target().place,
        builder=Image(id="sha256:builder", name="builder", origin="bootstrap"),
        runtime=Image(id="sha256:runtime", name="runtime", origin="bootstrap"),
        builder_python="/usr/bin/python3",
        runtime_python="/usr/bin/python3",
        tool_python="/opt/tools/bin/python",
        tool_path="/opt/tools/bin",
    )


def remember_probe(store: Store) -> None:
    """Have *store* know the interpreter of these images, as if it had been asked."""
    path = target().place.interpreter.path
    key = digest_of([images().runtime.id, path, agent_digest("probe")])
    store.write_record(probe.KIND, key, interpreter().to_dict())


def project(root: Path, packages: Mapping[str, PackageSettings] | None = None) -> Project:
    """A project of one target."""
    return Project(
        root=root,
        file=root / "wheelhouse.toml",
        requirements=(InputFile(path=root / "requirements.txt"),),
        output=root / "dist",
        default_index=IndexSettings(name="default", url="https://index.example/simple"),
        targets={"web": target()},
        packages={canonicalize_name(name): each for name, each in (packages or {}).items()},
        limits=Limits(),
        jobs=None,
    )


def locked(filename: str, **more: object) -> LockedFile:
    """A file as a lock has it."""
    return LockedFile(
        **{  # type: ignore[arg-type]
            "filename": filename,
            "url": f"https://files.example/{filename}",
            "sha256": sha(filename),
            **more,
        }
    )


def index_file(filename: str, **more: object) -> IndexFile:
    """A file as an index has it."""
    return IndexFile(
        **{  # type: ignore[arg-type]
            "filename": filename,
            "url": f"https://files.example/{filename}",
            "sha256": sha(filename),
            "requires_python": None,
            "yanked": None,
            "upload_time": UPLOADED,
            "size": 1000,
            "metadata": True,
            **more,
        }
    )


def page(name: str, *files: IndexFile | str, status: str = "active") -> ProjectPage:
    """A project's page."""
    return ProjectPage(
        name=canonicalize_name(name),
        files=tuple(index_file(each) if isinstance(each, str) else each for each in files),
        status=status,
    )


def pure(name: str, version: str, python: str | None = None) -> IndexFile:
    """A wheel that fits everywhere."""
    return index_file(
        f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
        requires_python=SpecifierSet(python) if python else None,
    )


class FakeIndex(Index):
    """An index in memory. It remembers which projects were asked for."""

    def __init__(self, *pages: ProjectPage) -> None:
        super().__init__(Client(), "https://index.example/simple")
        self.pages = {each.name: each for each in pages}
        self.asked: list[NormalizedName] = []

    def project(self, name: NormalizedName) -> ProjectPage | None:
        """The page put in, if one was."""
        self.asked.append(name)
        return self.pages.get(name)

    def seen_by(self, target: Target, **_: object) -> Pages:
        """See :class:`~wheelhouse.locking.indexes.Shelves`."""
        return self


class NoBuilder:
    """A builder of metadata that must not be needed."""

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        """Fail."""
        raise AssertionError(f"the backend of {name} {release.version} was run for {sdist}")


class NoPlaces:
    """Where nothing lies. Implements `Pinner`."""

    def pin(self, direct: Direct) -> str:
        """Fail."""
        raise AssertionError(f"{direct} was looked for")


class NoPackages:
    """A distribution that has nothing. Implements `PackageFinder`."""

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        """Nothing."""
        return dict.fromkeys(missing, ())


class FakeMetadata(MetadataSource):
    """Metadata from a table: ``{"flask 1.0": ["click>=8"]}``; what is not there needs nothing."""

    def __init__(self, store: Store, requires: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(Fetcher(Client(), store, lambda: None), NoBuilder())
        self.requires = requires or {}
        self.asked: list[str] = []

    def of(self, name: NormalizedName, release: Release, source: Source) -> str:
        """The text of METADATA."""
        key = f"{name} {release.version}"
        self.asked.append(key)
        return metadata(name, release.version, self.requires.get(key, ()))


def metadata(
    name: str, version: Version | str, requires: Sequence[str] = (), *more: str, level: str = "2.1"
) -> str:
    """A METADATA file. Extras that markers name are provided."""
    found = {
        part.partition("'")[0].partition('"')[0]
        for line in requires
        for part in line.replace("extra == ", "extra==").replace('"', "'").split("extra=='")[1:]
    }
    lines = [
        f"Metadata-Version: {level}",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Provides-Extra: {extra}" for extra in sorted(found)),
        *(f"Requires-Dist: {line}" for line in requires),
        *more,
    ]
    return "\n".join(lines) + "\n"


def wheel_bytes(name: str, version: str, text: str, padding: int = 0) -> bytes:
    """A wheel with that METADATA, made big by *padding* bytes that do not compress."""
    buffer = io.BytesIO()
    folder = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        noise = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(padding // 32))
        archive.writestr(f"{name}/data.bin", noise)
        archive.writestr(f"{folder}/METADATA", text)
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\n")
    return buffer.getvalue()


def tar_bytes(files: Mapping[str, bytes | str], mode: str = "w:gz") -> bytes:
    """A tar of *files*."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(files: Mapping[str, bytes | str]) -> bytes:
    """A ZIP of *files*."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
