"""The core metadata of a release, had as cheaply as its index allows.

In this order: from the store; served beside the wheel (PEP 658); out of the wheel, of which a
big one is read only at its end; from an sdist whose metadata is static (PEP 643); by running the
sdist's build backend, in a container without network. What a backend says may hold for one target
only, so the store does not keep that by the file's hash, as it does the rest.
"""

from __future__ import annotations

import copy
import io
import lzma
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.errors import FetchError
from wheelhouse.fetcherrors import redacted
from wheelhouse.locking.index import sha256_of_file
from wheelhouse.locking.sdist import read_sdist
from wheelhouse.wheels.headers import HeaderProblem, fields_of
from wheelhouse.wheels.peek import peek

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.candidates import Release, Source
    from wheelhouse.locking.index import IndexFile

#: A wheel up to this many bytes is fetched whole: it will most likely be needed anyway.
WHOLE = 8 << 20

#: Bytes of METADATA that are read at most; long descriptions have some hundred thousand.
MAX_METADATA = 16 << 20

KIND = "core-metadata"

#: What the end of a wheel can be, read from afar: `zipfile` raises for one that somebody broke.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, ValueError, RuntimeError, LookupError, OverflowError),
)


class MetadataBuilder(Protocol):
    """Runs an sdist's build backend for its metadata, contained."""

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        """The text of METADATA. Raises BuildError."""


class MetadataSource:
    """Gives the metadata of releases to one target; remembers by the file's hash what is static."""

    def __init__(self, fetcher: Fetcher, builder: MetadataBuilder) -> None:
        self._fetcher = fetcher
        self._store = fetcher.store
        self._builder = builder

    def guessing(self, guesses: MetadataBuilder) -> MetadataSource:
        """The same, with *guesses* for what only a backend can tell."""
        other = copy.copy(self)
        other._builder = guesses  # noqa: SLF001  (it is a copy)
        return other

    def of(self, name: NormalizedName, release: Release, source: Source) -> str:
        """METADATA of *release*, out of the file that *source* would have used.

        :raises WheelhouseError: it cannot be had.
        """
        # The wheel's metadata serves even if the sdist will be built: it is of the same release.
        file = next(iter(release.wheels), None) or release.files(source)[0]
        file = replace(file, sha256=sha256_of_file(file, self._fetcher))
        assert file.sha256 is not None
        if (text := self._known(file, self._static)) is not None:
            return text
        sdist = self._fetcher.fetch(file.url, file.sha256, size=file.size)
        told = self._builder.metadata(name, release, sdist).encode("utf-8", "replace")
        return _fields(told, file.filename)

    def at_hand(self, wheel: IndexFile) -> str | None:
        """METADATA of *wheel*; None if the whole of a big one would have to be fetched for it.

        :raises WheelhouseError: it cannot be had.
        """
        return None if wheel.sha256 is None else self._known(wheel, self._cheap)

    def _known(self, file: IndexFile, find: Callable[[IndexFile], str | None]) -> str | None:
        """The text for *file* in the store, or the one to *find*, which is remembered there."""
        assert file.sha256 is not None
        known = self._store.record(KIND, file.sha256)
        if known is not None and isinstance(known.get("text"), str):
            return str(known["text"])
        text = find(file)
        if text is not None:
            self._store.write_record(KIND, file.sha256, {"text": text, "file": file.filename})
        return text

    def _static(self, file: IndexFile) -> str | None:
        """What *file* itself says; None for an sdist whose backend has to be asked."""
        assert file.sha256 is not None
        is_wheel = file.filename.endswith(".whl")
        if is_wheel and (text := self._cheap(file)) is not None:
            return text
        path = self._fetcher.fetch(file.url, file.sha256, size=file.size)
        if is_wheel:
            return wheel_metadata(path, file.filename)
        return read_sdist(path, file.filename).metadata

    def _cheap(self, file: IndexFile) -> str | None:
        """What a wheel says; None if that takes the whole of a big one."""
        assert file.sha256 is not None
        if file.metadata:
            return self._beside(file)
        wheel = self._fetcher.fetch_small(file.url, file.sha256, WHOLE, size=file.size)
        return self._from_end(file) if wheel is None else wheel_metadata(wheel, file.filename)

    def _beside(self, file: IndexFile) -> str:
        answer = self._fetcher.client.page(file.url + ".metadata", at_most=MAX_METADATA)
        if answer is None:
            raise FetchError(f"{redacted(file.url)}.metadata is not there, although announced")
        return _fields(answer.content, file.filename)

    def _from_end(self, file: IndexFile) -> str | None:
        """What stands at the end of a wheel; None if it cannot be read from afar."""
        from remotezip import RemoteFetcher, RemoteZip, RemoteZipError

        client = self._fetcher.client

        class Ranges(RemoteFetcher):  # type: ignore[misc]  # it has no types
            """Asks for parts of a file as everything else is asked for."""

            def _request(self, kwargs: dict[str, Any]) -> tuple[Any, str]:
                found = client.part(file.url, kwargs["headers"]["Range"])
                if found is None:
                    raise RemoteZipError("no ranges there")
                return io.BytesIO(found[0]), found[1]

        try:
            with RemoteZip(file.url, fetcher=Ranges) as wheel:
                return _member(wheel, file.filename)
        except (RemoteZipError, *UNREADABLE):
            return None


class Guesses:
    """Takes what only a backend can tell for nothing. Implements :class:`MetadataBuilder`.

    What is impossible although some packages are taken to need nothing, is impossible.

    :ivar made: the releases of which this was asked.
    """

    def __init__(self) -> None:
        self.made: set[tuple[NormalizedName, Version]] = set()

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        """METADATA without requirements."""
        self.made.add((name, release.version))
        return f"Metadata-Version: 2.1\nName: {name}\nVersion: {release.version}\n"


def wheel_metadata(path: Path, filename: str) -> str:
    """METADATA of the wheel at *path*, which is called *filename*.

    :raises FetchError: it is no valid wheel.
    """
    try:
        with peek(path) as wheel:
            name = _only([*wheel.members])
            return _fields(wheel.read(name, MAX_METADATA), filename)
    except (ZipProblem, OSError, ValueError) as error:
        raise _no_wheel(filename, error) from error


def _member(wheel: zipfile.ZipFile, filename: str) -> str:
    try:
        name = _only(wheel.namelist())
    except ValueError as error:
        raise _no_wheel(filename, error) from error
    if wheel.getinfo(name).file_size > MAX_METADATA:
        raise _no_wheel(filename, ValueError("the METADATA of it is too big"))
    return _fields(wheel.read(name), filename)


def _only(names: Sequence[str]) -> str:
    """The one METADATA among *names*. Raises ValueError."""
    found = [name for name in names if name.endswith(".dist-info/METADATA")]
    tops = [name for name in found if name.count("/") == 1]
    if len(tops) != 1:
        raise ValueError(f"it has {len(tops)} METADATA files")
    return tops[0]


def _no_wheel(filename: str, why: Exception) -> FetchError:
    return FetchError(
        f"{filename} is no valid wheel: {why}",
        hint="pin another version, or tell the project's maintainers",
    )


def _fields(metadata: bytes, filename: str) -> str:
    """What counts of *metadata*, which is that of *filename*. Raises FetchError."""
    try:
        return fields_of(metadata).decode("utf-8", "replace")
    except HeaderProblem as problem:
        raise FetchError(
            f"{filename}: its metadata cannot be read: {problem}",
            hint="pin another version, or tell the project's maintainers",
        ) from problem
