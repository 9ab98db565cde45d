"""Where glibc's loader finds a shared library. Pure: what files there are is asked for.

Spec: ld.so(8), and its source where that is silent (``_dl_map_object`` in ``elf/dl-load.c``). For a
library that an object needs by name, these are looked through, and the first file that fits is it:

1. DT_RPATH of the object, of the one that had it loaded, and so on, and of the program; each only
   where that has no DT_RUNPATH. None of it where the object itself has one.
2. LD_LIBRARY_PATH.
3. DT_RUNPATH of the object, and of no other.
4. The cache, ``/etc/ld.so.cache``.
5. The system's folders.

Before all that: a name that the process has loaded already is not looked for again, and what
LD_PRELOAD names is loaded first. Left out are `glibc-hwcaps` folders, which no wheel has.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_ORIGIN = re.compile(r"\$(?:ORIGIN\b|\{ORIGIN\})")


class Way(Enum):
    """By what a library is found."""

    PRELOAD = "LD_PRELOAD"
    RPATH = "DT_RPATH"
    LIBRARY_PATH = "LD_LIBRARY_PATH"
    RUNPATH = "DT_RUNPATH"
    CACHE = "the loader's cache"
    DEFAULT = "the system's folders"
    PATH = "its path"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loadable:
    """An ELF file, as far as it tells the loader something.

    :ivar path: where it is, or would be.
    :ivar needed: the names of its DT_NEEDED, in order.
    :ivar rpath: the folders of its DT_RPATH.
    :ivar runpath: those of its DT_RUNPATH.
    """

    path: str
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """All that a loader goes by beside the files themselves.

    :ivar open: the file at a path, if there is one that it would take; None if not.
    :ivar library_path: the folders of LD_LIBRARY_PATH; an empty one is the current folder.
    :ivar preload: what LD_PRELOAD names.
    :ivar cache: paths by name.
    :ivar default: the system's folders.
    """

    open: Callable[[str], Loadable | None]
    library_path: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    cache: Mapping[str, str] = field(default_factory=dict)
    default: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Where a library is found.

    :ivar folder: the folder as it was asked for; empty where none was.
    :ivar owner: the path of the object whose DT_RPATH or DT_RUNPATH leads there.
    """

    path: str
    way: Way
    folder: str = ""
    owner: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """That an object needs a library, and which one it gets; None if none is found."""

    by: str
    name: str
    found: Found | None


def locate(name: str, chain: Sequence[Loadable], around: Surroundings) -> Found | None:
    """The file that the loader takes for *name*; None if there is none.

    :param chain: the object that needs it, the one that had that loaded, …, the program.
    """
    if "/" in name:
        return Found(path=name, way=Way.PATH) if around.open(name) else None
    return next(
        (found for found in _candidates(name, chain, around) if around.open(found.path)), None
    )


def _candidates(name: str, chain: Sequence[Loadable], around: Surroundings) -> Iterator[Found]:
    asking = chain[0]
    if not asking.runpath:
        for each in chain:
            if not each.runpath:
                yield from _in(name, each.rpath, Way.RPATH, each)
    yield from _in(name, around.library_path, Way.LIBRARY_PATH)
    yield from _in(name, asking.runpath, Way.RUNPATH, asking)
    if name in around.cache:
        yield Found(path=around.cache[name], way=Way.CACHE)
    yield from _in(name, around.default, Way.DEFAULT)


def _in(
    name: str, folders: Sequence[str], way: Way, owner: Loadable | None = None
) -> Iterator[Found]:
    for folder in folders:
        place = folder
        if owner is not None:
            place = posixpath.dirname(owner.path).join(_ORIGIN.split(folder))
        if "$" not in place:  # $LIB and $PLATFORM, which no wheel has use for
            yield Found(
                path=posixpath.normpath(posixpath.join(place, name)),
                way=way,
                folder=folder,
                owner=owner.path if owner else "",
            )


class Process:
    """A process: what it has loaded so far, and what it would load next."""

    def __init__(self, program: Loadable | None, around: Surroundings) -> None:
        """Start *program*, if its file can be read."""
        self._around = around
        self._program = (program,) if program else ()
        self._known: dict[str, Found] = {}
        preloaded = [chain for name in around.preload for chain in self._preload(name)]
        self._load([self._program, *preloaded] if program else preloaded)

    def open(self, start: Loadable) -> list[Need]:
        """Load *start*, as `dlopen` does, and all that it needs; the needs of what that adds."""
        if start.soname:
            self._known.setdefault(start.soname, Found(path=start.path, way=Way.PATH))
        return self._load([(start, *self._program)])

    def _load(self, chains: Iterable[tuple[Loadable, ...]]) -> list[Need]:
        """Load what the first of each chain needs; what is nearer comes first."""
        needs: list[Need] = []
        waiting = deque(chains)
        while waiting:
            chain = waiting.popleft()
            for name in chain[0].needed:
                found = self._known.get(name)
                if found is None and (found := locate(name, chain, self._around)):
                    waiting.extend(self._enter(name, found, chain))
                needs.append(Need(by=chain[0].path, name=name, found=found))
        return needs

    def _preload(self, name: str) -> list[tuple[Loadable, ...]]:
        found = locate(name, self._program or (Loadable(path=""),), self._around)
        if found is None:
            return []
        told = Found(path=found.path, way=Way.PRELOAD, folder=name)
        return self._enter(posixpath.basename(name), told, self._program)

    def _enter(
        self, name: str, found: Found, chain: tuple[Loadable, ...]
    ) -> list[tuple[Loadable, ...]]:
        """Note that *found* is loaded; the chain for what it needs itself, if that is news."""
        is_new = all(each.path != found.path for each in self._known.values())
        self._known[name] = found
        loaded = self._around.open(found.path)
        if loaded is None or not is_new:
            return []
        if loaded.soname:
            self._known.setdefault(loaded.soname, found)
        return [(loaded, *chain)]
