"""What git says of a commit, put into a source that comes without git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.errors import FetchError
from wheelhouse.sources.gitcommand import GitError
from wheelhouse.sources.tarball import read, text_entry, with_entries
from wheelhouse.sources.versions import (
    TEXTS,
    VERSIONEER,
    History,
    filled_in,
    is_filled_in,
    tag_patterns,
    takes_version_from_git,
    version_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wheelhouse.sources.gitcommand import Git
    from wheelhouse.sources.tarball import Entry

#: Bytes of the largest file that is looked into for how a version is made.
MAX_TEXT = 1 << 20


def texts_of(entries: list[Entry], subdirectory: str) -> Mapping[str, str]:
    """Where the project says what builds it, by name."""
    prefix = f"{subdirectory}/" if subdirectory else ""
    wanted = {f"{prefix}{name}": name for name in TEXTS}
    return {
        wanted[entry.path]: read(entry)
        for entry in entries
        if entry.path in wanted and entry.target is None and entry.size <= MAX_TEXT
    }


def history(
    git: Git, folder: Path, commit: str, texts: Mapping[str, str], name: str, *, changed: bool
) -> History:
    """What git says of *commit* of the repository in *folder*.

    :param name: of the source, for a person.
    :param changed: whether there is more than the commit.
    :raises FetchError: the history is not all there.
    """
    node, date = git.text(folder, "log", "-1", "--format=%H %cI", commit, "--").split()
    try:
        described = git.text(
            folder, "describe", "--tags", "--long", "--abbrev=64", *tag_patterns(texts), node
        )
    except GitError:
        _check_whole(git, folder, name)
        tag, distance = "", git.text(folder, "rev-list", "--count", node, "--")
    else:
        tag, distance, _ = described.rsplit("-", 2)
    return History(commit=node, date=date, tag=tag, distance=int(distance) + changed)


def _check_whole(git: Git, folder: Path, name: str) -> None:
    if git.text(folder, "rev-parse", "--is-shallow-repository") == "true":
        raise FetchError(
            f"{name} takes its version from git's tags, but this clone of it is shallow",
            hint="get the rest of it: `git fetch --unshallow --tags`",
        )


def with_version(
    entries: list[Entry], subdirectory: str, ask: Callable[[Mapping[str, str]], History | None]
) -> list[Entry]:
    """*entries*, with what tells the project its version, if it takes that from git.

    :param ask: gives the history that it needs, if there is one.
    """
    texts = texts_of(entries, subdirectory)
    if not takes_version_from_git(texts):
        return entries
    found = ask(texts)
    if found is None:
        return entries
    present = {entry.path: entry for entry in entries}
    return with_entries(entries, _added(present, subdirectory, texts, found))


def _added(
    present: Mapping[str, Entry], subdirectory: str, texts: Mapping[str, str], found: History
) -> Iterator[Entry]:
    # tools look in the project's folder, or in the repository's
    places = {"", f"{subdirectory}/" if subdirectory else ""}
    for name, text in version_files(texts, found).items():
        for path in sorted(f"{place}{name}" for place in places):
            if path not in present or not is_filled_in(read(present[path])):
                yield text_entry(path, text)
    if VERSIONEER.search("\n".join(texts.values())):
        for path, entry in present.items():
            if path.rpartition("/")[2] == "_version.py" and not is_filled_in(read(entry)):
                yield text_entry(path, filled_in(read(entry), found))
