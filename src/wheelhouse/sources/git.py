"""Repositories: which commit is meant, and that commit packed, without checking anything out.

The tree of a commit goes from git's objects straight into the tar. So no hook, filter or attribute
of the repository has a say, and the same commit gives the same bytes everywhere. Files of Git LFS
stay the pointers that they are in the commit.
"""

from __future__ import annotations

import difflib
import re
import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wheelhouse.errors import FetchError
from wheelhouse.sources.gitcommand import FETCH, Git, GitError
from wheelhouse.sources.history import history, with_version
from wheelhouse.sources.location import (
    Location,
    is_full_commit,
    parse,
    repository_location,
    shown,
)
from wheelhouse.sources.tarball import Entry, check_entries, packed, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from subprocess import Popen

    from wheelhouse.inputs.model import Direct
    from wheelhouse.sources.versions import History

#: What a short commit looks like.
SHORT = re.compile(r"[0-9a-f]{4,63}")

#: Branches and tags, without what services keep of proposed changes.
NAMED = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")

#: Bytes read at once from git.
CHUNK = 1 << 18

#: Bytes that the list of a commit's files may have: more than for all that a source may have.
MAX_LISTING = 64 << 20

#: Bytes that the target of a link may have, as for Linux.
MAX_LINK = 4096

#: Submodules of submodules of …
MAX_DEPTH = 8

#: How a file of Git LFS begins in a commit, and how long it may be there.
LFS, MAX_POINTER = "version https://git-lfs.github.com/spec/v1", 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """An entry of a commit's tree."""

    mode: str
    object: str
    size: int
    path: str


class Repositories:
    """Repositories of others.

    :param git: the command.
    :param workspace: gives an empty folder, which is removed at the end.
    :param tell: hears what a person should know.
    """

    def __init__(
        self,
        git: Git,
        workspace: Callable[[], AbstractContextManager[Path]],
        tell: Callable[[str], None],
    ) -> None:
        self._git = git
        self._workspace = workspace
        self._tell = tell
        self._pins: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    # -- which commit --------------------------------------------------------------------------

    def pin(self, direct: Direct) -> str:
        """The commit that *direct* means now; in one run it is the same however often asked.

        :raises FetchError: there is none, or the repository cannot be reached.
        """
        place = parse(direct.location)
        revision = direct.revision or place.commit
        if is_full_commit(revision):
            return revision.lower()
        with self._lock:
            known = self._pins.get((place.where, revision))
            if known is None:
                known = self._pins[place.where, revision] = self._resolved(place, revision)
        return known

    def _resolved(self, place: Location, revision: str) -> str:
        refs = self._refs(place)
        for name in (
            *((f"refs/heads/{revision}", f"refs/tags/{revision}") if revision else ("HEAD",)),
            revision,
        ):
            for each in (f"{name}^{{}}", name):  # what an annotated tag is of, not the tag
                if each in refs:
                    return refs[each]
        if SHORT.fullmatch(revision):
            return self._lengthened(place, revision, refs)
        raise self._not_there(place, revision, refs)

    def _refs(self, place: Location) -> Mapping[str, str]:
        with self._workspace() as folder:
            try:
                out = self._git.run(folder, "ls-remote", "--", place.where, url=place.where)
            except GitError as error:
                raise error.about(shown(place)) from error
        lines = out.decode("utf-8", "surrogateescape").splitlines()
        return {name: commit for commit, _, name in (line.partition("\t") for line in lines)}

    def _lengthened(self, place: Location, short: str, refs: Mapping[str, str]) -> str:
        """The one commit that begins with *short*: of the tips, else of all there are."""
        tips = {commit for commit in refs.values() if commit.startswith(short)}
        if len(tips) == 1:
            return tips.pop()
        width = len(next(iter(refs.values()), short))
        with self._workspace() as folder:
            self._begin(folder, "0" * width)
            self._fetch_all(folder, place)
            try:
                return self._git.text(folder, "rev-parse", "--verify", f"{short}^{{commit}}")
            except GitError as error:
                if "ambiguous" in error.said:
                    raise FetchError(
                        f"{shown(place)} has several commits that begin with {short}",
                        hint="give more of its digits",
                    ) from error
                raise self._not_there(place, short, refs) from error

    @staticmethod
    def _not_there(place: Location, revision: str, refs: Mapping[str, str]) -> FetchError:
        names = {
            name.removeprefix("refs/heads/").removeprefix("refs/tags/")
            for name in refs
            if name.startswith(("refs/heads/", "refs/tags/")) and not name.endswith("^{}")
        }
        if not revision:
            return FetchError(
                f"{shown(place)} has no default branch", hint="name a branch, a tag or a commit"
            )
        near = difflib.get_close_matches(revision, names, n=3)
        return FetchError(
            f"{shown(place)} has no branch, tag or commit {revision}",
            hint=f"did you mean {' or '.join(near)}?" if near else "check its name",
        )

    # -- that commit, packed -------------------------------------------------------------------

    def pack(self, place: Location) -> Iterator[bytes]:
        """The tar of the commit at *place*, with its submodules.

        :raises FetchError: it cannot be had, is too large, or has no project there.
        """
        with self._workspace() as folder, ExitStack() as opened:
            entries = self._entries(folder, place, opened)
            entries = with_version(
                entries, place.subdirectory, lambda texts: self._history(folder, place, texts)
            )
            check_entries(entries, shown(place), place.subdirectory)
            self._tell_of_pointers(entries, place)
            yield from packed(entries, self._git.check)

    def _entries(
        self, folder: Path, place: Location, opened: ExitStack, depth: int = 0
    ) -> list[Entry]:
        """The files of the commit, whose objects will be in *folder*: for as long as *opened*."""
        self._begin(folder, place.commit)
        self._fetch(folder, place)
        blobs = Blobs(opened.enter_context(self._git.talking(folder, "cat-file", "--batch")))
        entries: list[Entry] = []
        modules: list[_Node] = []
        for node in self._nodes(folder, place):
            if node.mode == "160000":
                modules.append(node)
            else:
                entries.append(_entry(blobs, node))
        urls = self._module_urls(folder, place) if modules else {}
        for number, node in enumerate(modules):
            inner = self._module(place, node, urls, depth)
            (below := folder / f"module-{number}").mkdir()
            entries += [
                replace(each, path=f"{node.path}/{each.path}")
                for each in self._entries(below, inner, opened, depth + 1)
            ]
        return entries

    def _begin(self, folder: Path, commit: str) -> None:
        kind = ("--object-format=sha256",) if len(commit) == 64 else ()
        self._git.run(folder, "init", "--quiet", "--bare", *kind, ".")

    def _fetch(self, folder: Path, place: Location) -> None:
        """Have the commit's objects: just those, where the server gives a single commit."""
        fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
        one = (*fetch, "--depth=1", "--", place.where, place.commit)
        try:
            self._git.run(folder, *one, url=place.where, limit=FETCH)
        except GitError as error:
            if not re.search(r"not our ref|unadvertised|couldn't find remote ref", error.said):
                raise error.about(shown(place)) from error
            self._fetch_all(folder, place, "+refs/*:refs/*")
        if not self._git.succeeds(folder, "cat-file", "-e", f"{place.commit}^{{commit}}"):
            raise FetchError(
                f"{shown(place)} is not there (any more)",
                hint="it may have been removed by a forced push: lock again, `wheelhouse lock`",
            )

    def _fetch_all(self, folder: Path, place: Location, *refs: str) -> None:
        """Have the whole history of *refs*, and of what is there already."""
        shallow = (folder / "shallow").exists()
        try:
            self._git.run(
                folder,
                *("fetch", "--quiet", "--no-recurse-submodules", "--no-tags"),
                *(("--unshallow",) if shallow else ()),
                *("--", place.where, *(refs or NAMED)),
                url=place.where,
                limit=FETCH,
            )
        except GitError as error:
            raise error.about(shown(place)) from error

    def _nodes(self, folder: Path, place: Location) -> Iterator[_Node]:
        for line in (
            self._listing(folder, place).decode("utf-8", "surrogateescape").split("\0")[:-1]
        ):
            facts, _, path = line.partition("\t")
            mode, _, name, size = facts.split()
            if {"", ".", ".."} & set(path.split("/")):
                raise FetchError(
                    f"{shown(place)} has a file with a name that is none: {path!r}",
                    hint="do not use it",
                )
            yield _Node(mode=mode, object=name, size=0 if size == "-" else int(size), path=path)

    def _listing(self, folder: Path, place: Location) -> bytes:
        """The commit's tree. A few objects can make one without end."""
        command = ("ls-tree", "-r", "-l", "-z", "--full-tree", place.commit)
        with self._git.talking(folder, *command) as process:
            assert process.stdout is not None
            listing = bytearray()
            while chunk := process.stdout.read(CHUNK):
                self._git.check()
                listing += chunk
                if len(listing) > MAX_LISTING:
                    raise FetchError(
                        f"{shown(place)} has more files than a source may have",
                        hint="see whether it is what it is said to be; name a folder or an archive",
                    )
            if process.wait():
                raise FetchError(
                    f"{shown(place)} cannot be listed by git", hint="run the command again"
                )
        return bytes(listing)

    def _history(self, folder: Path, place: Location, texts: Mapping[str, str]) -> History:
        self._fetch_all(folder, place)
        return history(self._git, folder, place.commit, texts, shown(place), changed=False)

    def _tell_of_pointers(self, entries: list[Entry], place: Location) -> None:
        """Say so if files are not there that a project may be built with."""
        small = (each for each in entries if len(LFS) <= each.size <= MAX_POINTER)
        pointers = sum(read(each).startswith(LFS) for each in small)
        if pointers:
            self._tell(
                f"{shown(place)}: {pointers} of its files are in Git LFS, and stay the pointers "
                "to them; if its build needs them, give a folder with its checkout instead"
            )

    # -- submodules ----------------------------------------------------------------------------

    def _module_urls(self, folder: Path, place: Location) -> Mapping[str, str]:
        """The addresses of submodules by their paths, as `.gitmodules` has them."""
        blob = f"--blob={place.commit}:.gitmodules"
        try:
            out = self._git.run(folder, "config", blob, "--null", "--list")
        except GitError:
            return {}
        values = dict(
            line.partition("\n")[::2] for line in out.decode("utf-8", "replace").split("\0")
        )
        return {
            path: values.get(f"{key.removesuffix('.path')}.url", "")
            for key, path in values.items()
            if key.startswith("submodule.") and key.endswith(".path")
        }

    def _module(
        self, place: Location, node: _Node, urls: Mapping[str, str], depth: int
    ) -> Location:
        url = urls.get(node.path, "")
        if url.startswith(("./", "../")):
            url = _joined(place.where, url)
        try:
            found = parse(repository_location(url)) if url else None
        except ValueError:
            found = None
        if found is None or found.where.startswith("file:") or depth >= MAX_DEPTH:
            raise FetchError(
                f"{shown(place)}: its submodule {node.path} cannot be had: "
                + ("they are nested too deeply" if depth >= MAX_DEPTH else _wrong(url)),
                hint="give a folder with its checkout instead",
            )
        return Location(kind="git", where=found.where, commit=node.object)


def _wrong(url: str) -> str:
    if not url:
        return "`.gitmodules` has no address of it"
    return "its address is none that a submodule may have"


def _joined(base: str, relative: str) -> str:
    """The address *relative* to *base*, as git takes it."""
    base = base.rstrip("/")
    while relative.startswith(("./", "../")):
        step, _, relative = relative.partition("/")
        if step == "..":
            base = base.rpartition("/")[0]
    return f"{base}/{relative}"


class Blobs:
    """Contents of files, out of a ``git cat-file --batch``; each is read to its end."""

    def __init__(self, process: Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._ask, self._answers = process.stdin, process.stdout

    def __call__(self, node: _Node) -> Iterator[bytes]:
        """The bytes of *node*. Raises FetchError."""
        try:
            self._ask.write(f"{node.object}\n".encode())
            self._ask.flush()
            answer = self._answers.readline().decode("utf-8", "replace").split()
        except OSError:
            answer = []
        if answer != [node.object, "blob", str(node.size)]:
            raise _unreadable(node)
        left = node.size
        while left:
            chunk = self._answers.read(min(left, CHUNK))
            if not chunk:
                raise _unreadable(node)
            left -= len(chunk)
            yield chunk
        self._answers.read(1)  # the end of the line


def _unreadable(node: _Node) -> FetchError:
    return FetchError(
        f"{node.path} cannot be read from its repository", hint="run the command again"
    )


def _entry(blobs: Blobs, node: _Node) -> Entry:
    if node.mode == "120000":
        if node.size > MAX_LINK:
            raise FetchError(f"{node.path} is a link that leads nowhere", hint="do not use it")
        target = b"".join(blobs(node)).decode("utf-8", "surrogateescape")
        return Entry(path=node.path, size=0, content=tuple, target=target)
    return Entry(
        path=node.path,
        size=node.size,
        content=lambda: blobs(node),
        executable=node.mode == "100755",
    )
