"""auditwheel, told what it cannot know: a program of its own, in place of ``auditwheel``.

It grafts more than auditwheel's policies say, leaves what it finds nowhere to the other wheels of
the house, and has files of the wheel look for libraries in those. Where ``WHEELHOUSE_REPAIR`` names
a folder, ``terms.json`` there says which libraries these are, and ``told.json`` what was done.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from auditwheel import policy, repair
from auditwheel.elfutils import elf_file_filter, elf_read_dt_needed
from auditwheel.lddtree import LIBPYTHON_RE
from auditwheel.main import main
from auditwheel.wheeltools import WHEEL_INFO_RE
from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

#: The environment variable, and the files in its folder.
FOLDER, TERMS, TOLD = "WHEELHOUSE_REPAIR", "terms.json", "told.json"

#: What policies take for granted and small servers lack: X11's client libraries, GLib, libatomic. A
#: wheel that needs them would not work where it is to. libGL stays the system's: it belongs to the
#: graphics driver.
LACKING = re.compile(r"lib(X11|Xext|Xrender|ICE|SM|atomic|g(lib|object|thread)-2\.0)\.so\.")

_ORIGIN = re.compile(r"\$(ORIGIN\b|\{ORIGIN\})")


class Repair:
    """One repair, as auditwheel does it and beyond.

    :param ways: by soname, the folder in site-packages where another wheel has that library.
    :ivar grafted: by soname, the files that were copied into the wheel.
    :ivar versions: by soname, the symbol versions that the wheel requires.
    :ivar unlocated: the sonames of libraries that are nowhere, and in no other wheel yet.
    :ivar needed: what the wheel's files need in the end and the wheel does not have.
    :ivar search: by file, what auditwheel took out of its RPATH.
    """

    def __init__(self, ways: Mapping[str, str]) -> None:
        self.ways = ways
        self.grafted: dict[str, str] = {}
        self.versions: Mapping[str, set[str]] = {}
        self.unlocated: set[str] = set()
        self.needed: set[str] = set()
        self.search: dict[str, list[str]] = {}
        self._wheel = ""

    def begin(self, wheel: Path, abi: Any, policy_name: str) -> None:
        """Take what is nowhere out of what is to be copied into *wheel*.

        What the wheel has itself stays there: that a file does not find it is its own fault. So
        does Python's own library, which auditwheel unlinks: for an extension module, the Python
        that loads it has those symbols. A program is loaded by nobody who has them, and keeps it.
        """
        self.versions = abi.versioned_symbols
        match = WHEEL_INFO_RE(wheel.name)
        assert match is not None
        self._wheel = match.group("name")
        with ZipFile(wheel) as archive:
            own = {posixpath.basename(name) for name in archive.namelist()}
            for file, references in abi.full_external_refs.items():
                found = references[policy_name].libs
                if any(map(LIBPYTHON_RE.match, found)) and _is_program(archive, str(file)):
                    _leave_libpython(found)
                self._note_external(found, own)

    def _note_external(self, found: dict[str, Path | None], own: Collection[str]) -> None:
        for soname, path in list(found.items()):
            if path is not None:
                self.grafted[soname] = str(path)
            elif not LIBPYTHON_RE.match(soname) and soname not in own:
                self.unlocated.add(soname)
                del found[soname]

    def note_dropped(self, file: Path, before: str, after: str) -> None:
        """Keep what *file* had in its RPATH and has no more."""
        kept = after.split(":")
        dropped = [entry for entry in before.split(":") if entry and entry not in kept]
        if dropped:
            self.search[os.path.relpath(file)] = dropped

    def finish(self, patcher: Any) -> None:
        """Give the files of the wheel, which is the present folder, their ways to other wheels."""
        files = [path for path in sorted(Path().rglob("*")) if path.is_file()]
        names = {path.name for path in files}
        for path, _ in elf_file_filter(files):
            needed = _needed(path)
            self.needed |= {*needed} - names
            folders = list(dict.fromkeys(self.ways[each] for each in needed if each in self.ways))
            if folders:
                self._lead(path, folders, patcher)
        patcher.apply_updates()

    def _lead(self, path: Path, folders: Iterable[str], patcher: Any) -> None:
        """Have *path* look in *folders* of site-packages, after where it looks now.

        Where the build's own environment had what is in these, it looks no more.

        Programs in ``scripts`` know no way to there, so they move there, and a shim takes their
        place. What installers put elsewhere stays as it is.
        """
        folder = installed_in(path.as_posix())
        if folder is None and path.parts[1] == "scripts":
            path = repair._replace_elf_script_with_shim(self._wheel, path)  # noqa: SLF001
            folder = path.parent.as_posix()
        if folder is None:
            return
        before = patcher.get_rpath_direct(path).split(":")
        known = [entry for entry in before if not self._has_led(entry)]
        restored = [each for each in self.search.get(str(path), ()) if leads_inside(each, folder)]
        ways = [f"$ORIGIN/{posixpath.relpath(each, folder)}" for each in folders]
        entries = dict.fromkeys(filter(None, (*known, *restored, *ways)))
        patcher.set_rpath(path, ":".join(entries))

    def told(self) -> dict[str, object]:
        """What was done, in JSON's types."""
        versions = {each: sorted(self.versions.get(each, ())) for each in self.grafted}
        return {
            "grafted": self.grafted,
            "versions": versions,
            "unlocated": sorted(self.unlocated),
            "needed": sorted(self.needed),
            "search": self._leading_away(),
        }

    def _leading_away(self) -> dict[str, list[str]]:
        """By file, the folders that it was built to look in and that have nothing for it.

        One from which a library was copied into the wheel has served its purpose; so has one that
        led to what another wheel has.
        """
        found = {
            file: [each for each in entries if not (_ORIGIN.match(each) or self._has_served(each))]
            for file, entries in self.search.items()
        }
        return {file: entries for file, entries in found.items() if entries}

    def _has_served(self, folder: str) -> bool:
        copied = any(os.path.exists(os.path.join(folder, soname)) for soname in self.grafted)
        return copied or self._has_led(folder)

    def _has_led(self, folder: str) -> bool:
        """Whether an absolute *folder* is where the build's own environment had what others have.

        Where the wheel is linked with a package, that is usual. Any other folder that has such a
        library, such as the CUDA toolkit's, is one of the builder.
        """
        if not folder.startswith("/") or "/site-packages" not in folder:
            return False
        place = posixpath.normpath(folder)
        return any(
            place.endswith(posixpath.normpath(f"/site-packages/{way}"))
            or os.path.exists(os.path.join(place, soname))
            for soname, way in self.ways.items()
        )


def installed_in(member: str) -> str | None:
    """The folder of site-packages that *member* of a wheel gets into; None if it is elsewhere."""
    top, _, rest = member.partition("/")
    key, _, inner = rest.partition("/")
    if not top.endswith(".data"):
        return posixpath.dirname(member)
    return posixpath.dirname(inner) if key in {"platlib", "purelib"} else None


def leads_inside(entry: str, folder: str) -> bool:
    """Whether an *entry* of the RPATH of a file in *folder* stays within site-packages."""
    if not _ORIGIN.match(entry):
        return False
    place = posixpath.normpath(posixpath.join(folder, _ORIGIN.sub(".", entry, count=1)))
    return place.split("/")[0] != ".."


def _is_program(archive: ZipFile, member: str) -> bool:
    """Whether the ELF file *member* names the loader that it is to be started by."""
    with archive.open(member) as file:
        return any(segment["p_type"] == "PT_INTERP" for segment in ELFFile(file).iter_segments())


def _leave_libpython(found: dict[str, Path | None]) -> None:
    """Take Python's own library out of what auditwheel handles: it stays in DT_NEEDED then."""
    for soname in [each for each in found if LIBPYTHON_RE.match(each)]:
        del found[soname]


def _needed(path: Path) -> Sequence[str]:
    try:
        return tuple(elf_read_dt_needed(path))
    except ValueError:  # it is linked statically, or is an object file
        return ()


def install(work: Repair) -> None:
    """Have auditwheel's next repair be *work*."""
    repair_wheel, append = repair.repair_wheel, repair.append_rpath_within_wheel

    def repaired(
        abi: Any, path: Path, abis: list[str], *rest: Any, patcher: Any, **more: Any
    ) -> Any:
        work.begin(path, abi, abis[0])
        apply = patcher.apply_updates

        def applied() -> None:
            patcher.apply_updates = apply
            apply()
            work.finish(patcher)

        patcher.apply_updates = applied
        return repair_wheel(abi, path, abis, *rest, patcher=patcher, **more)

    def appended(file: Path, entry: str, base: Path, patcher: Any) -> None:
        before = patcher.get_rpath(file)
        append(file, entry, base, patcher)
        work.note_dropped(file, before, patcher.get_rpath(file))

    repair.repair_wheel, repair.append_rpath_within_wheel = repaired, appended


def graft_more() -> None:
    """Take out of auditwheel's policies what small servers lack."""
    fixed = policy._fixup_musl_libc_soname  # noqa: SLF001  (what all policies pass through)

    def whitelist(libc: Any, arch: Any, names: Iterable[str]) -> Any:
        return fixed(libc, arch, [name for name in names if not LACKING.match(name)])

    policy._fixup_musl_libc_soname = whitelist  # noqa: SLF001


def run() -> int:
    """Be auditwheel; the exit status."""
    graft_more()
    folder = Path(os.environ[FOLDER]) if FOLDER in os.environ else None
    work = Repair(json.loads((folder / TERMS).read_text("utf-8")) if folder else {})
    install(work)
    sys.argv[0] = "auditwheel"
    status = main() or 0
    if folder:
        (folder / TOLD).write_text(json.dumps(work.told()), "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(run())
