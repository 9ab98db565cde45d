"""What comes from elsewhere than an index: archives, folders, and repositories at a commit.

``location.py`` says where that is, in one line (pure); ``archive.py``, ``tree.py`` (folders) and
``git.py`` get it. The last two make a tar of it that is the same everywhere (``tarball.py``), and
put into that what the project would ask git for (``history.py``, ``versions.py``). Nothing of it
runs here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.errors import FetchError
from wheelhouse.sources import archive, tree
from wheelhouse.sources.git import Repositories
from wheelhouse.sources.gitcommand import Git
from wheelhouse.sources.location import Location, parse, pinned, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.credentials import Credentials
    from wheelhouse.inputs.model import Direct


class Elsewhere:
    """Gets what has no place in an index; see :class:`wheelhouse.fetch.Elsewhere`.

    :param root: the project's folder, to which paths are relative.
    :param check: called now and then; raises to stop it.
    :param credentials: those for repositories' URLs; git's own helpers are asked for others.
    :param workspace: gives an empty folder, which is removed at the end.
    :param tell: hears what a person should know.
    """

    def __init__(
        self,
        root: Path,
        check: Callable[[], None],
        credentials: Credentials,
        *,
        workspace: Callable[[], AbstractContextManager[Path]],
        tell: Callable[[str], None],
    ) -> None:
        self._root = root
        self._check = check
        self._git = Git(check, credentials)
        self._repositories = Repositories(self._git, workspace, tell)

    def pin(self, direct: Direct) -> str:
        """The location to lock: of a repository, at the commit that is meant now.

        :raises FetchError: it is no location, or the repository has no such commit.
        """
        try:
            is_git = parse(direct.location).kind == "git"
            return pinned(direct, self._repositories.pin(direct) if is_git else "")
        except ValueError as error:
            raise _no_location(shown(direct), error) from error

    def __call__(self, location: str) -> Iterator[bytes]:
        """The bytes of the archive at *location*: a file, or a folder or repository packed.

        :raises FetchError: it cannot be had.
        """
        try:
            place = parse(location)
        except ValueError as error:
            raise _no_location(location, error) from error
        yield from self._bytes(place)

    def _bytes(self, place: Location) -> Iterator[bytes]:
        if place.kind == "git" and place.commit:
            return self._repositories.pack(place)
        if place.kind == "folder":
            return tree.pack(self._path(place), place.subdirectory, git=self._git)
        if place.kind == "file":
            return archive.read(self._path(place), self._check)
        raise _no_location(shown(place), ValueError("it names no commit, or is not for git"))

    def _path(self, place: Location) -> Path:
        return (self._root / place.where).resolve()


def _no_location(text: str, why: ValueError) -> FetchError:
    return FetchError(
        f"{text} is no place that a package can come from: {why}",
        hint="name an archive's URL, a path, or `git+https://…`",
    )
