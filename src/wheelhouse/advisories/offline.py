"""A copy of OSV's data on this machine: the archive that it exports, or a folder with its records.

Read as it is, record by record, and only what is about the wanted projects is kept. It is data from
outside, so all of it is bounded: a copy that is beyond these bounds is none of OSV's.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from wheelhouse.advisories.record import RecordError
from wheelhouse.advisories.source import Collector, unusable
from wheelhouse.errors import ConfigError
from wheelhouse.wording import printable, shown_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from packaging.utils import NormalizedName

    from wheelhouse.advisories.source import Kind, Knowledge
    from wheelhouse.errors import FetchError

#: Where OSV exports what it has about PyPI.
EXPORT = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"

#: Bytes: of one record, of all together, and of an archive's table of contents, which is in
#: memory as a whole. OSV's largest export has about a tenth of each.
RECORD, TOTAL, DIRECTORY = 8 << 20, 2 << 30, 32 << 20

#: The longest end of an archive, its comment included; and what stands there for a number that is
#: in the record of ZIP64.
_LONGEST_END, _ELSEWHERE = 22 + 0xFFFF, 0xFFFF

_AGAIN = f"get the copy again: {EXPORT}"

#: What `zipfile` raises for archives that are damaged, encrypted or packed in a way unknown to it.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError),
    struct.error,
)


class OfflineCopy:
    """The copy at *path*: an archive (`all.zip`), or a folder with a JSON file for each record."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._label = shown_path(path)
        self._left = TOTAL

    def ask(self, names: Collection[NormalizedName]) -> Knowledge:
        """What it knows of the projects of these *names*.

        :raises ConfigError: it is not there.
        :raises FetchError: it is damaged, not of OSV, or has nothing about PyPI.
        """
        collector = Collector(names)
        self._left = TOTAL
        kind, records = self._records()
        for where, content in records:
            self._add(collector, where, content)
        found = collector.knowledge(self._label, kind)
        if not found.records:
            read = collector.read
            has = f"none of its {read} records is about PyPI" if read else "it has no records"
            raise unusable(self._label, has, f"name a copy of what OSV has of PyPI: {EXPORT}")
        return found

    def _records(self) -> tuple[Kind, Iterator[tuple[str, bytes]]]:
        try:
            mode = self._path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(
                f"there is no {self._label} to look advisories up in",
                hint=f"correct the path, or get a copy: {EXPORT}",
            ) from error
        except OSError as error:
            raise self._unusable(error.strerror or str(error), "see to it") from error
        if stat.S_ISDIR(mode):
            return "folder", self._of_folder()
        if not stat.S_ISREG(mode):
            raise self._unusable("it is neither a file nor a folder", "correct the path")
        return "archive", self._of_archive()

    def _add(self, collector: Collector, where: str, content: bytes) -> None:
        try:
            collector.add(json.loads(content))
        except RecursionError:
            raise self._unusable(f"{where} is nested too deeply", _AGAIN) from None
        except RecordError as error:
            raise self._unusable(f"{where}: {error}", _AGAIN) from None
        except ValueError:
            raise self._unusable(f"{where} is no JSON", _AGAIN) from None

    def _read(self, file: IO[bytes], where: str) -> bytes:
        content = file.read(RECORD + 1)
        self._left -= len(content)
        if len(content) > RECORD:
            raise self._unusable(f"{where} has more than {RECORD >> 20} MiB", _AGAIN)
        if self._left < 0:
            raise self._unusable(f"it has more than {TOTAL >> 30} GiB of records", _AGAIN)
        return content

    # --- archives --------------------------------------------------------------------------------

    def _of_archive(self) -> Iterator[tuple[str, bytes]]:
        try:
            with self._path.open("rb") as file, zipfile.ZipFile(_Bounded(file)) as archive:
                members = archive.infolist()
                if len(members) != (number := _entries(file)):
                    raise self._unusable(f"it lists {len(members)} of {number} files", _AGAIN)
                for member in members:
                    if member.is_dir():
                        continue
                    where = printable(member.filename)
                    with archive.open(member) as content:  # which compares the name's two copies
                        read = self._read(content, where)
                    if member.filename.endswith(".json"):
                        yield where, read
        except OSError as error:
            raise self._unusable(error.strerror or str(error), "see to it") from error
        except _DAMAGED as error:
            if not zipfile.is_zipfile(self._path):
                raise self._unusable("it is no ZIP archive", _AGAIN) from error
            raise self._unusable(f"it is damaged ({printable(str(error))})", _AGAIN) from error

    # --- folders ---------------------------------------------------------------------------------

    def _of_folder(self) -> Iterator[tuple[str, bytes]]:
        for folder, below, files in os.walk(self._path, onerror=self._raise):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder, name)
                if name.endswith(".json") and not name.startswith(".") and path.is_file():
                    where = printable(str(path.relative_to(self._path)))
                    try:
                        with path.open("rb") as file:
                            content = self._read(file, where)
                    except OSError as error:
                        raise self._unusable(f"{where}: {error.strerror}", "see to it") from error
                    yield where, content

    def _raise(self, error: OSError) -> None:
        raise self._unusable(error.strerror or str(error), "see to it") from error

    def _unusable(self, why: str, hint: str) -> FetchError:
        return unusable(self._label, why, hint)


def _entries(file: IO[bytes]) -> int:
    """How many entries an archive says it has: one that swallows others is no error to `zipfile`.

    APPNOTE.TXT, sections 4.3.14 to 4.3.16.
    """
    end = max(file.seek(0, os.SEEK_END) - _LONGEST_END, 0)
    file.seek(end)
    tail = file.read(_LONGEST_END)
    at = tail.rfind(b"PK\x05\x06")
    [number] = struct.unpack_from("<H", tail, at + 10)
    if number != _ELSEWHERE:
        return int(number)
    file.seek(struct.unpack_from("<Q", tail, at - 12)[0])  # of the locator, which has 20 bytes
    return int(struct.unpack_from("<Q", file.read(40), 32)[0])


class _Bounded:
    """A file of which nobody reads more at once than a table of contents may have."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """At most *size* bytes."""
        if size > DIRECTORY:
            raise ValueError(f"its table of contents has more than {DIRECTORY >> 20} MiB")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
