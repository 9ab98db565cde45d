"""A wheel file, read strictly and once.

:func:`read_wheel` is the only way a wheel becomes known to this program: what it returns has been
read whole, every member hashed, every claim of the file name, RECORD, WHEEL and METADATA held
against the others. Nothing is unpacked to disk (large binaries pass through a temporary file
without a name) and nothing is executed.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelhouse.agent import strictzip
from wheelhouse.agent.strictzip import Entry, ZipProblem
from wheelhouse.errors import CheckError, StorageError
from wheelhouse.text import clip
from wheelhouse.wheels import record
from wheelhouse.wheels.elf import MAGIC, Binary, read_binary
from wheelhouse.wheels.elfimage import BrokenElfError, Steps
from wheelhouse.wheels.entrypoints import script_problems
from wheelhouse.wheels.layout import (
    ArchiveLimits,
    bulk_problems,
    file_name_problem,
    installed_as,
    is_named,
    kind_problem,
    name_problems,
    place_problems,
    runs_at_start,
)
from wheelhouse.wheels.modules import extension_stem, importable_modules
from wheelhouse.wheels.statements import identity_problems, parse_metadata, parse_wheel_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from packaging.tags import Tag
    from packaging.utils import BuildTag, NormalizedName
    from packaging.version import Version

    from wheelhouse.wheels.statements import WheelFile, WheelMetadata

#: Bytes of a wheel, and of one ELF file of it, that are held in memory: many are read at a time.
_IN_MEMORY = 2 << 20
_SHOWN_PROBLEMS = 20
_LONGEST_PROBLEM = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel whose archive is sound.

    :ivar path: where it was read.
    :ivar filename: its own name, which may differ from that of *path* (as in a store of blobs).
    :ivar size: bytes of the file.
    :ivar tags: those of its file name.
    :ivar retagged: whether its file name has tags that WHEEL has only in a wider form.
    :ivar root_is_purelib: what WHEEL says of the files outside ``.data``.
    :ivar files: its members in the order of their data, folders left out.
    :ivar modules: what can be imported from it, outermost names only, such as ``yaml`` and
        ``google.protobuf``.
    :ivar extensions: members that are extension modules.
    :ivar binaries: members that are ELF files, extension modules included.
    :ivar broken_binaries: (member, reason) of those that begin as ELF does, but are not.
    :ivar pth: members that run, or extend the path, at every start of Python: ``.pth``, and
        ``sitecustomize.py``.
    """

    path: Path
    filename: str
    size: int
    name: NormalizedName
    version: Version
    build: BuildTag
    tags: frozenset[Tag]
    metadata: WheelMetadata
    retagged: bool
    root_is_purelib: bool
    files: tuple[str, ...]
    modules: tuple[str, ...]
    extensions: tuple[str, ...]
    binaries: tuple[Binary, ...]
    broken_binaries: tuple[tuple[str, str], ...]
    pth: tuple[str, ...]

    @property
    def has_purelib(self) -> bool:
        """Whether anything of it goes into ``purelib``."""
        return self._installs_into("purelib") or (self.root_is_purelib and self._has_root_files())

    @property
    def has_platlib(self) -> bool:
        """Whether anything of it goes into ``platlib``."""
        root = not self.root_is_purelib and self._has_root_files()
        return root or self._installs_into("platlib")

    @property
    def is_pure(self) -> bool:
        """Whether it holds nothing that is made for one kind of machine."""
        return not self.binaries

    def _installs_into(self, key: str) -> bool:
        prefix = f".data/{key}/"
        return any(prefix in file for file in self.files)

    def _has_root_files(self) -> bool:
        return any(
            not file.split("/", 1)[0].endswith((".dist-info", ".data")) for file in self.files
        )


def read_wheel(
    path: Path,
    *,
    filename: str | None = None,
    limits: ArchiveLimits | None = None,
    scratch: Path | None = None,
) -> Wheel:
    """Read the wheel at *path* and check everything in it against everything else.

    :param filename: the wheel's name, where that of *path* is another.
    :param scratch: a folder on a disk, for what is too big for memory, a file at a time: that for
        temporary files may well be in memory itself.
    :raises CheckError: where it must not be used; its message lists all that is wrong.
    :raises StorageError: where the file cannot be read at all.
    """
    name = filename or path.name
    try:
        with _opened(path) as (file, size):
            return _Reading(path, name, file, size, limits or ArchiveLimits(), scratch).wheel()
    except _Refusal as refusal:
        raise _check_error(name, refusal.problems) from None
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="Check that the file exists, is readable, and that the temporary folder has room.",
        ) from error


class _Refusal(Exception):  # noqa: N818  (becomes a CheckError with the file's name)
    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = problems


def _check_error(name: str, problems: Sequence[str]) -> CheckError:
    shown = [clip(problem, _LONGEST_PROBLEM) for problem in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    told = shown[0] if len(shown) == 1 else "".join(f"\n  - {problem}" for problem in shown)
    return CheckError(
        f"{name} is not a sound wheel: {told}",
        hint="Get the file again from where it came; if it is the same, report it to its authors, "
        "or build the package from its sdist.",
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The file and its size; never waits on a FIFO or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _Refusal(["it is not a regular file"])
        if status.st_size > _IN_MEMORY:
            yield file, status.st_size
        else:
            data = file.read(_IN_MEMORY + 1)
            yield io.BytesIO(data), len(data)


class _Reading:
    """The one pass over one file; problems pile up and are told together."""

    def __init__(
        self,
        path: Path,
        filename: str,
        file: IO[bytes],
        size: int,
        limits: ArchiveLimits,
        scratch: Path | None,
    ) -> None:
        self._path = path
        self._filename = filename
        self._file = file
        self._size = size
        self._limits = limits
        self._scratch = str(scratch) if scratch else None
        self._problems: list[str] = []
        self._starts: dict[int, int] = {}
        self._roots: set[str] = set()
        self._entries: dict[str, Entry] = {}
        self._steps = Steps(limits.elf_steps)
        self._binaries: list[Binary] = []
        self._broken: list[tuple[str, str]] = []

    def wheel(self) -> Wheel:
        """The wheel, or :class:`_Refusal` with all that is wrong with it."""
        if problem := file_name_problem(self._filename):
            raise _Refusal([problem])
        try:
            name, version, build, tags = parse_wheel_filename(self._filename)
        except InvalidWheelFilename as error:
            raise _Refusal([str(error)]) from None
        self._read_structure()
        self._stop_if_wrong()  # contents with two readings are not worth a look
        info = self._dist_info(name, version)
        said = self._check_wheel_file(info, tags, build)
        metadata = self._check_metadata(info, name, version)
        self._check_scripts(info)
        self._check_contents(info)
        self._stop_if_wrong()
        assert metadata is not None
        assert said is not None
        extensions = self._extensions()
        return Wheel(
            path=self._path,
            filename=self._filename,
            size=self._size,
            name=name,
            version=version,
            build=build,
            tags=tags,
            metadata=metadata,
            retagged=said.retagged,
            root_is_purelib=said.purelib,
            files=tuple(self._entries),
            modules=importable_modules(
                filter(None, map(installed_as, self._entries)), map(installed_as, extensions)
            ),
            extensions=extensions,
            binaries=tuple(self._binaries),
            broken_binaries=tuple(self._broken),
            pth=tuple(filter(runs_at_start, self._entries)),
        )

    def _stop_if_wrong(self) -> None:
        if self._problems:
            raise _Refusal(self._problems)

    # --- the container ---

    def _read_structure(self) -> None:
        try:
            entries = strictzip.read_directory(
                self._file, self._size, max_entries=self._limits.members
            )
            directory = strictzip.directory_start(self._file, self._size)
        except ZipProblem as problem:
            raise _Refusal([str(problem)]) from None
        self._starts, problems = strictzip.check_tiling(self._file, entries, directory)
        self._problems += problems
        self._problems += name_problems(entries)
        self._problems += [f"member {e.name!r}: {p}" for e in entries if (p := kind_problem(e))]
        self._problems += bulk_problems(entries, self._size, self._limits)
        self._entries = {entry.name: entry for entry in entries if not entry.is_folder}
        self._roots = {entry.name.split("/", 1)[0] for entry in entries}

    # --- its own statements ---

    def _dist_info(self, name: NormalizedName, version: Version) -> str:
        """The one dist-info folder."""
        # Whatever is spelled so is another package for `importlib.metadata`, in capitals too.
        infos = sorted(root for root in self._roots if root.lower().endswith(".dist-info"))
        if len(infos) != 1:
            found = ", ".join(infos) or "none"
            raise _Refusal([f"it must have one .dist-info folder, and has {found}"])
        for root in sorted(self._roots):
            if root.endswith((*infos, ".data")) and not is_named(root, name, version):
                self._problems.append(f"folder {root!r} is not named after the file")
        self._problems += place_problems(tuple(self._entries), infos[0])
        return infos[0]

    def _text(self, path: str, at_most: int) -> bytes | None:
        """The whole of a file of *at_most* bytes, or None (and a problem) where there is none."""
        entry = self._entries.get(path)
        if entry is None:
            self._problems.append(f"{path!r} is missing")
            return None
        if entry.size > at_most:
            self._problems.append(f"{path!r} is larger than {at_most} bytes")
            return None
        try:
            return b"".join(strictzip.stream(self._file, entry, self._starts[entry.offset]))
        except ZipProblem as problem:
            self._problems.append(f"member {path!r}: {problem}")
            return None

    def _check_wheel_file(
        self, info: str, tags: frozenset[Tag], build: BuildTag
    ) -> WheelFile | None:
        data = self._text(f"{info}/WHEEL", self._limits.text)
        if data is None:
            return None
        said, problems = parse_wheel_file(data, tags, build)
        self._problems += problems
        return said

    def _check_metadata(
        self, info: str, name: NormalizedName, version: Version
    ) -> WheelMetadata | None:
        data = self._text(f"{info}/METADATA", self._limits.text)
        if data is None:
            return None
        try:
            metadata = parse_metadata(data)
        except ValueError as error:
            self._problems.append(f"METADATA is not valid: {error}")
            return None
        self._problems += identity_problems(metadata, name, version)
        return metadata

    def _check_scripts(self, info: str) -> None:
        path = f"{info}/entry_points.txt"
        data = self._text(path, self._limits.scripts) if path in self._entries else None
        if data is not None:
            self._problems += script_problems(data)

    # --- its contents ---

    def _check_contents(self, info: str) -> None:
        data = self._text(f"{info}/RECORD", self._limits.record)
        if data is None:
            return
        try:
            lines, problems = record.parse_record(
                data.decode("utf-8"), max_lines=self._limits.members
            )
        except UnicodeDecodeError:
            self._problems.append("RECORD is not UTF-8")
            return
        self._problems += problems
        contents = {}
        for file, entry in self._entries.items():
            line = lines.get(file)
            try:
                contents[file] = self._read_member(entry, (line and line.algorithm) or "sha256")
            except ZipProblem as problem:
                self._problems.append(f"member {file!r}: {problem}")
                lines.pop(file, None)
        # Signatures can only be made once RECORD is final, so it cannot list them.
        unlisted = {f"{info}/RECORD", f"{info}/RECORD.jws", f"{info}/RECORD.p7s"}
        self._problems += record.compare(lines, contents, unlisted=unlisted)

    def _read_member(self, entry: Entry, algorithm: str) -> record.Content:
        """Hash one member; if it turns out to be ELF, keep what it asks for."""
        digest = hashlib.new(algorithm, usedforsecurity=True)
        pieces = strictzip.stream(self._file, entry, self._starts[entry.offset])
        first = b""
        while len(first) < len(MAGIC) and (piece := next(pieces, None)):
            first += piece
        digest.update(first)
        if first.startswith(MAGIC):
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=self._scratch) as copy:
                copy.write(first)
                for piece in pieces:
                    digest.update(piece)
                    copy.write(piece)
                self._read_binary(copy, entry.name)
        else:
            for piece in pieces:
                digest.update(piece)
        return record.Content(algorithm=algorithm, digest=digest.digest(), size=entry.size)

    def _read_binary(self, file: IO[bytes], member: str) -> None:
        try:
            module = extension_stem(member)
            self._binaries.append(read_binary(file, member, module=module, steps=self._steps))
        except BrokenElfError as error:
            self._broken.append((member, str(error)))

    def _extensions(self) -> tuple[str, ...]:
        return tuple(b.member for b in self._binaries if b.initializes and installed_as(b.member))
