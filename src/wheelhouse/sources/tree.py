"""A project's folder on this machine, packed without running anything of it.

What is packed: inside a git work tree, what git tracks and what it does not ignore, submodules
included; elsewhere everything. Left out are

- what tools make: :data:`JUNK`, virtual environments, ``*.egg-info``, ``*.pyc``, and at the top
  ``build`` and ``dist``, unless git tracks it;
- what wheelhouse makes and reads: ``wheelhouse.toml``, ``pylock.*.toml``, wheelhouses;
- secrets, tracked or not: files called as in :data:`SECRETS`, and untracked private keys.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import stat
import threading
from typing import TYPE_CHECKING

from wheelhouse.errors import FetchError
from wheelhouse.sources.gitcommand import Git, GitError
from wheelhouse.sources.history import history, with_version
from wheelhouse.sources.tarball import PROJECT_FILES, Entry, check_entries, packed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelhouse.sources.versions import History

#: Folders that no project consists of.
JUNK = frozenset(
    (
        *(".git", ".hg", ".svn", ".bzr", "CVS", "_darcs"),
        *("__pycache__", "node_modules", ".eggs", ".tox", ".nox", ".venv"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
    )
)

#: The same, only at the top and only if they are no packages.
BUILT = frozenset(("build", "dist"))

#: Patterns of names of files with secrets, and names that are none although they look like it.
SECRETS = (
    *(".env", ".env.*", ".netrc", "_netrc", ".pypirc", ".git-credentials", ".npmrc"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"),
)
NO_SECRETS = (".env.example", ".env.sample", ".env.template", ".env.dist")

#: What may hold a private key, and where in it that says so.
KEYS, KEY_MARK, KEY_HEAD = (".pem", ".key"), b"PRIVATE KEY-----", 256

#: What of ours is at the top of a project.
OURS = ("wheelhouse.toml", "pylock.*.toml")

CHUNK = 1 << 20

#: By folder and project in it, what the files looked like, and the hash that this had.
_known: dict[tuple[Path, str], tuple[object, str]] = {}
_lock = threading.Lock()


def pack(folder: Path, subdirectory: str = "", *, git: Git | None = None) -> Iterator[bytes]:
    """The tar of the project in the *subdirectory* of *folder*, with all of *folder*.

    :param git: None to go on without being stopped.
    :raises FetchError: there is no project, it is too large, or it cannot be read.
    """
    git = git or _plain_git()
    if not folder.is_dir():
        raise FetchError(
            f"{folder} is no folder", hint="check the path; paths are relative to the project"
        )
    try:
        entries = _entries(folder, subdirectory, git)
    except OSError as error:
        raise _unreadable(error.filename or str(folder), error) from error
    check_entries(entries, str(folder), subdirectory)
    return packed(entries, git.check)


def digest(folder: Path, subdirectory: str = "", *, git: Git | None = None) -> str:
    """The SHA-256 of what :func:`pack` gives. Files that look the same are not read again.

    :raises OSError: the folder is not there, or cannot be read.
    :raises FetchError: git cannot say what belongs to it.
    """
    git = git or _plain_git()
    entries = _entries(folder, subdirectory, git)
    look = [_look(folder, entry) for entry in entries]
    with _lock:
        known = _known.get((folder, subdirectory))
    if known is not None and known[0] == look:
        return known[1]
    found = hashlib.sha256()
    for chunk in packed(entries, git.check):
        found.update(chunk)
    with _lock:
        _known[folder, subdirectory] = look, found.hexdigest()
    return found.hexdigest()


def _plain_git() -> Git:
    return Git(lambda: None, None)


def _look(folder: Path, entry: Entry) -> object:
    """What tells that a file has changed; of one that is not on the disk, its content."""
    if isinstance(entry.content, _Content):
        state = (folder / entry.path).lstat()
        what: object = (state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    else:
        what = tuple(entry.content())
    return entry.path, entry.size, entry.executable, entry.target, what


# -- which files -------------------------------------------------------------------------------


def _entries(folder: Path, subdirectory: str, git: Git) -> list[Entry]:
    tracked = _tracked_and_not(folder, git)
    names = _all_names(folder) if tracked is None else _of_work_tree(folder, tracked)
    entries = [entry for name in names if (entry := _entry(folder, name))]
    if tracked is None:
        return entries
    return with_version(
        entries, subdirectory, lambda texts: _history(folder, subdirectory, git, texts)
    )


def _unreadable(name: str, error: OSError) -> FetchError:
    return FetchError(
        f"{name} cannot be read: {error.strerror}",
        hint="give yourself the right to read it, or have git ignore it",
    )


def _history(folder: Path, subdirectory: str, git: Git, texts: Mapping[str, str]) -> History | None:
    place = folder / subdirectory
    if not git.succeeds(place, "rev-parse", "--quiet", "--verify", "HEAD"):
        return None  # nothing is committed yet
    changed = not git.succeeds(place, "diff-index", "--quiet", "--ignore-submodules", "HEAD", "--")
    return history(git, place, "HEAD", texts, str(folder), changed=changed)


def _tracked_and_not(folder: Path, git: Git) -> dict[str, bool] | None:
    """The files of a work tree, and whether git tracks each; None if *folder* is in none."""
    if not any((place / ".git").exists() for place in (folder, *folder.absolute().parents)):
        return None
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(folder))
    found = _listed(folder, "", git, owned=True)
    ignored = [name for name in PROJECT_FILES if (folder / name).is_file() and name not in found]
    # a project that git ignores only lies in a work tree
    return None if ignored and not found.keys() & set(PROJECT_FILES) else found


def _listed(folder: Path, prefix: str, git: Git, *, owned: bool) -> dict[str, bool]:
    """The files of the work tree *folder*. Of one that is not *owned*, nothing is tracked."""
    command = ("ls-files", "-t", "--cached", "--others", "--exclude-standard", "-z")
    try:
        out = git.run(folder, *command)
    except GitError as error:
        raise FetchError(
            f"{folder}: git cannot say what belongs to it: {error.last}",
            hint="see what `git status` says there",
        ) from error
    found: dict[str, bool] = {}
    for line in os.fsdecode(out).split("\0")[:-1]:
        mark, name = line[0], line[2:].removesuffix("/")
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            if (folder / name / ".git").exists():  # a submodule, or a repository lying there
                inner = owned and mark != "?"
                found |= _listed(folder / name, f"{prefix}{name}/", git, owned=inner)
        else:
            found[f"{prefix}{name}"] = owned and mark != "?"
    return found


def _of_work_tree(folder: Path, tracked: Mapping[str, bool]) -> Iterator[str]:
    skipped: dict[str, bool] = {}
    for name, is_tracked in tracked.items():
        if _is_secret(name) or _is_ours(name):
            continue
        if is_tracked or not (
            _lies_in_skipped(folder, name, skipped) or _is_leftover(folder / name)
        ):
            yield name


def _lies_in_skipped(folder: Path, name: str, skipped: dict[str, bool]) -> bool:
    parts = name.split("/")[:-1]
    for end in range(1, len(parts) + 1):
        place = "/".join(parts[:end])
        if place not in skipped:
            skipped[place] = _is_skipped(folder, place)
        if skipped[place]:
            return True
    return False


def _all_names(folder: Path, prefix: str = "") -> Iterator[str]:
    with os.scandir(folder / prefix) as found:
        entries = sorted(found, key=lambda each: each.name)
    for each in entries:
        name = f"{prefix}{each.name}"
        if each.is_dir(follow_symlinks=False):
            if not _is_skipped(folder, name):
                yield from _all_names(folder, f"{name}/")
        elif not (_is_secret(name) or _is_ours(name) or _is_leftover(folder / name)):
            yield name


def _is_skipped(folder: Path, name: str) -> bool:
    """Whether the folder *name* was made by a tool: nothing untracked of it counts."""
    path, last = folder / name, name.rpartition("/")[2]
    if last in JUNK or last.endswith(".egg-info") or last.startswith(".wheelhouse-"):
        return True
    if name in BUILT and not (path / "__init__.py").exists():
        return True
    if (path / "pyvenv.cfg").exists():
        return True
    return (path / "manifest.json").is_file() and (path / "wheels").is_dir()  # a wheelhouse


def _is_secret(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last not in NO_SECRETS and any(fnmatch.fnmatchcase(last, each) for each in SECRETS)


def _is_ours(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, each) for each in OURS) and "/" not in name


def _is_leftover(path: Path) -> bool:
    if path.suffix == ".pyc":
        return True
    if path.suffix not in KEYS or not path.is_file():
        return False
    with path.open("rb") as file:
        return KEY_MARK in file.read(KEY_HEAD)


# -- each file ---------------------------------------------------------------------------------


def _entry(folder: Path, name: str) -> Entry | None:
    """The file *name*; None if it is not there (any more), or something that cannot be packed."""
    path = folder / name
    try:
        state = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(state.st_mode):
        return Entry(path=name, size=0, content=tuple, target=str(path.readlink()))
    if not stat.S_ISREG(state.st_mode):
        return None
    return Entry(
        path=name,
        size=state.st_size,
        content=_Content(path, state.st_size),
        executable=bool(state.st_mode & stat.S_IXUSR),
    )


class _Content:
    """The bytes of a file, which must not change while they are read."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def __call__(self) -> Iterator[bytes]:
        left = self._size
        try:
            with os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                while chunk := file.read(min(CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        break
                    yield chunk
        except OSError as error:
            raise _unreadable(str(self._path), error) from error
        if left:
            raise FetchError(
                f"{self._path} has changed while it was read", hint="run the command again"
            )
