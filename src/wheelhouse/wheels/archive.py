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
from email.parser import HeaderParser
from typing import IO, TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from wheelhouse.errors import CheckError, StorageError
from wheelhouse.wheels import record, strictzip
from wheelhouse.wheels.elf import MAGIC, Binary, BrokenElfError, read_binary
from wheelhouse.wheels.layout import (
    DATA_KEYS,
    ArchiveLimits,
    bulk_problems,
    installed_as,
    is_named,
    kind_problem,
    name_problems,
)
from wheelhouse.wheels.modules import extension_stem, importable_modules
from wheelhouse.wheels.strictzip import Entry, ZipProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from packaging.tags import Tag
    from packaging.utils import BuildTag, NormalizedName

_IN_MEMORY = 64 << 20
_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelMetadata:
    """What METADATA says that matters here."""

    name: str
    version: Version
    requires_dist: tuple[Requirement, ...] = ()
    requires_python: SpecifierSet | None = None
    provides_extra: frozenset[NormalizedName] = frozenset()


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
    :ivar pth: members that run or extend the path at every start of Python (``.pth``).
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
    path: Path, *, filename: str | None = None, limits: ArchiveLimits | None = None
) -> Wheel:
    """Read the wheel at *path* and check everything in it against everything else.

    :param filename: the wheel's name, where that of *path* is another.
    :raises CheckError: where it must not be used; its message lists all that is wrong.
    :raises StorageError: where the file cannot be read at all.
    """
    name = filename or path.name
    try:
        with _opened(path) as (file, size):
            return _Reading(path, name, file, size, limits or ArchiveLimits()).wheel()
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
    shown = list(problems[:_SHOWN_PROBLEMS])
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
        self, path: Path, filename: str, file: IO[bytes], size: int, limits: ArchiveLimits
    ) -> None:
        self._path = path
        self._filename = filename
        self._file = file
        self._size = size
        self._limits = limits
        self._problems: list[str] = []
        self._starts: dict[int, int] = {}
        self._entries: dict[str, Entry] = {}
        self._binaries: list[Binary] = []
        self._broken: list[tuple[str, str]] = []

    def wheel(self) -> Wheel:
        """The wheel, or :class:`_Refusal` with all that is wrong with it."""
        try:
            name, version, build, tags = parse_wheel_filename(self._filename)
        except InvalidWheelFilename as error:
            raise _Refusal([str(error)]) from None
        self._read_structure()
        self._stop_if_wrong()  # contents with two readings are not worth a look
        info = self._dist_info(name, version)
        purelib, said_tags = self._check_wheel_file(info, tags)
        metadata = self._check_metadata(info, name, version)
        self._check_contents(info)
        self._stop_if_wrong()
        assert metadata is not None
        installed = {installed_as(file): file for file in self._entries}
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
            retagged=not tags <= said_tags,
            root_is_purelib=purelib,
            files=tuple(self._entries),
            modules=importable_modules(
                (path for path in installed if path), map(installed_as, extensions)
            ),
            extensions=extensions,
            binaries=tuple(self._binaries),
            broken_binaries=tuple(self._broken),
            pth=tuple(
                file
                for path, file in installed.items()
                if path.endswith(".pth") and "/" not in path
            ),
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

    # --- its own statements ---

    def _dist_info(self, name: NormalizedName, version: Version) -> str:
        """The one dist-info folder."""
        roots = {file.split("/", 1)[0] for file in self._entries if "/" in file}
        infos = sorted(root for root in roots if root.endswith(".dist-info"))
        if len(infos) != 1:
            found = ", ".join(infos) or "none"
            raise _Refusal([f"it must have one .dist-info folder, and has {found}"])
        for root in roots:
            if root.endswith((".dist-info", ".data")) and not is_named(root, name, version):
                self._problems.append(f"folder {root!r} is not named after the file")
        for file in self._entries:
            root, _, rest = file.partition("/")
            if root.endswith(".data") and rest.split("/", 1)[0] not in DATA_KEYS:
                self._problems.append(f"{file!r} is in no folder that an installer knows")
        return infos[0]

    def _text(self, path: str) -> bytes | None:
        """The whole of a small file, or None (and a problem) where there is none."""
        entry = self._entries.get(path)
        if entry is None:
            self._problems.append(f"{path!r} is missing")
            return None
        if entry.size > self._limits.text:
            self._problems.append(f"{path!r} is larger than {self._limits.text} bytes")
            return None
        try:
            return b"".join(strictzip.stream(self._file, entry, self._starts[entry.offset]))
        except ZipProblem as problem:
            self._problems.append(f"member {path!r}: {problem}")
            return None

    def _check_wheel_file(self, info: str, tags: frozenset[Tag]) -> tuple[bool, frozenset[Tag]]:
        """Root-Is-Purelib and the tags of WHEEL."""
        data = self._text(f"{info}/WHEEL")
        if data is None:
            return False, tags
        fields = HeaderParser().parsestr(data.decode("utf-8", "replace"))
        spec = str(fields.get("Wheel-Version", "")).strip()
        if spec.partition(".")[0] != "1":
            self._problems.append(f"WHEEL says Wheel-Version {spec!r}; only 1.x is known")
        lines = [line.strip() for line in fields.get_all("Tag", [])]
        try:
            said = frozenset(tag for line in lines for tag in parse_tag(line))
        except ValueError as error:
            self._problems.append(f"WHEEL has a malformed Tag: {error}")
            said = tags
        if not tags <= said and not _is_narrowed(said, tags):
            self._problems.append(
                f"WHEEL has the tags {_list_tags(said)}; its file name says {_list_tags(tags)}"
            )
        purelib = str(fields.get("Root-Is-Purelib", "")).strip().lower() == "true"
        return purelib, said

    def _check_metadata(
        self, info: str, name: NormalizedName, version: Version
    ) -> WheelMetadata | None:
        data = self._text(f"{info}/METADATA")
        if data is None:
            return None
        try:
            metadata = _parse_metadata(data)
        except (InvalidVersion, InvalidRequirement, InvalidSpecifier, ValueError) as error:
            self._problems.append(f"METADATA is not valid: {error}")
            return None
        if canonicalize_name(metadata.name) != name:
            self._problems.append(f"METADATA is that of {metadata.name!r}, not of {name!r}")
        if metadata.version != version:
            self._problems.append(f"METADATA says version {metadata.version}, not {version}")
        return metadata

    # --- its contents ---

    def _check_contents(self, info: str) -> None:
        data = self._text(f"{info}/RECORD")
        if data is None:
            return
        try:
            lines, problems = record.parse_record(data.decode("utf-8"))
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
        first = next(pieces, b"")
        digest.update(first)
        if first[:4] == MAGIC:
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
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
            self._binaries.append(read_binary(file, member, module=extension_stem(member)))
        except BrokenElfError as error:
            self._broken.append((member, str(error)))

    def _extensions(self) -> tuple[str, ...]:
        return tuple(b.member for b in self._binaries if b.initializes and installed_as(b.member))


def _parse_metadata(data: bytes) -> WheelMetadata:
    raw, _ = parse_email(data)
    if "name" not in raw or "version" not in raw:
        raise ValueError("it has no single Name and Version")
    python = raw.get("requires_python")
    return WheelMetadata(
        name=raw["name"],
        version=Version(raw["version"]),
        requires_dist=tuple(map(Requirement, raw.get("requires_dist", ()))),
        requires_python=SpecifierSet(python) if python else None,
        provides_extra=frozenset(map(canonicalize_name, raw.get("provides_extra", ()))),
    )


def _is_narrowed(said: frozenset[Tag], tags: frozenset[Tag]) -> bool:
    """Whether a file name only promises less than WHEEL does, or the same more exactly.

    Some projects build for `any` or `linux_x86_64` and rename the file to the manylinux platform
    it is for (playwright, PyTorch's). Whether that is true of the binaries is checked anyway.
    """
    if len({(tag.interpreter, tag.abi) for tag in said | tags}) != 1 or len(said) != 1:
        return False
    (wide,) = {tag.platform for tag in said}
    if not all(tag.platform.startswith(("manylinux", "musllinux")) for tag in tags):
        return False
    arch = wide.removeprefix("linux_")
    return wide == "any" or (arch != wide and all(t.platform.endswith(f"_{arch}") for t in tags))


def _list_tags(tags: frozenset[Tag]) -> str:
    return ", ".join(sorted(map(str, tags))) or "(none)"
