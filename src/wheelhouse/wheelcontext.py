"""The build context of an image that is made of wheels."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol

from wheelhouse.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path


class PinnedWheel(Protocol):
    """A wheel by its address and its hash."""

    @property
    def filename(self) -> str:
        """Its file name."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def sha256(self) -> str:
        """Of the file, in hexadecimal."""


class Layout(Protocol):
    """Where members of wheels go."""

    def __call__(self, member: str, /) -> str | None:
        """The path in the context for a file of a wheel; None if it is left out."""


def write_files(archive: tarfile.TarFile, files: Mapping[str, bytes]) -> None:
    """Add *files* to *archive*, normalised."""
    for name, content in sorted(files.items()):
        _add(archive, name, len(content), io.BytesIO(content), is_program=_is_in_bin(name))


def write_context(
    output: IO[bytes],
    wheels: Iterable[PinnedWheel],
    fetch: Callable[[PinnedWheel], Path],
    files: Mapping[str, bytes],
    layout: Layout,
) -> None:
    """Write a build context to *output*, as a tar archive.

    The same input gives the same bytes.

    :param fetch: gives the path of a wheel's file, whose hash it has checked. Called from several
        threads.
    :param files: what else belongs into the context: the Dockerfile and what it runs.
    :raises ImageError: a wheel is not a readable archive, or leads out of its folder.
    """
    wheels = tuple(wheels)
    with ThreadPoolExecutor() as pool:
        paths = tuple(pool.map(fetch, wheels))
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        write_files(archive, files)
        for wheel, path in zip(wheels, paths, strict=True):
            _write_wheel(archive, wheel, path, layout)


def _write_wheel(archive: tarfile.TarFile, pinned: PinnedWheel, path: Path, layout: Layout) -> None:
    try:
        with zipfile.ZipFile(path) as wheel:
            for info, destination in _members(wheel, layout):
                with wheel.open(info) as content:
                    is_program = _is_in_bin(destination) or _is_executable(info)
                    _add(archive, destination, info.file_size, content, is_program=is_program)
    except (zipfile.BadZipFile, OSError) as error:
        raise ImageError(f"cannot unpack {pinned.filename} for an image: {error}") from error


def _members(wheel: zipfile.ZipFile, layout: Layout) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    for info in sorted(wheel.infolist(), key=lambda info: info.filename):
        _check(info.filename)
        destination = None if info.is_dir() else layout(info.filename)
        if destination is not None:
            yield info, destination


def _check(member: str) -> None:
    """Raises ImageError where the name leads out of the wheel."""
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts:
        raise ImageError(f"a wheel for an image holds the path {member!r}")


def _is_in_bin(name: str) -> bool:
    return name.startswith("bin/")


def _is_executable(info: zipfile.ZipInfo) -> bool:
    return bool(info.external_attr >> 16 & stat.S_IXUSR)


def _add(
    archive: tarfile.TarFile, name: str, size: int, content: IO[bytes], *, is_program: bool
) -> None:
    """Add a file whose entry depends on what is given here only."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o755 if is_program else 0o644
    archive.addfile(entry, content)
