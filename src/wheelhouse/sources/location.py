"""Where what comes from elsewhere than an index is: the one line for it. Pure.

========================================  =======================================================
``https://host/demo-1.0.tar.gz``          an archive
``file:vendor/demo-1.0.tar.gz``           an archive of this machine
``dir:app``, ``dir:.``                    a folder of this machine
``git+https://host/demo.git@COMMIT``      a commit; the scheme behind ``git+`` is one of
                                          :data:`TRANSPORTS`
========================================  =======================================================

Each may end with ``#subdirectory=pkg``. Paths stand there as they are, without escapes, relative
to the project or absolute. There are no credentials in any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from wheelhouse.inputs.model import Direct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.pylock import PackageArchive, PackageDirectory, PackageVcs

Kind = Literal["archive", "file", "folder", "git"]

#: How git may reach a repository.
TRANSPORTS = ("https", "http", "ssh", "git", "file")

#: What the names of archives end with: wheels, sdists, and what services make of repositories.
ARCHIVES = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SUBDIRECTORY = "#subdirectory="
_SCP = re.compile(r"(?!\w+://)(?P<host>[\w.-]+@[\w.-]+):(?P<path>(?!//).+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A location, read.

    :ivar where: the URL of the archive or repository (without ``git+``), or the path.
    :ivar commit: of a repository, once it is pinned.
    """

    kind: Kind
    where: str
    commit: str = ""
    subdirectory: str = ""

    def __str__(self) -> str:
        prefix = {"archive": "", "file": "file:", "folder": "dir:", "git": "git+"}[self.kind]
        commit = f"@{self.commit}" if self.commit else ""
        fragment = f"{_SUBDIRECTORY}{self.subdirectory}" if self.subdirectory else ""
        return f"{prefix}{self.where}{commit}{fragment}"


def parse(text: str) -> Location:
    """Read a location.

    :raises ValueError: it is none, with the reason in a clause.
    """
    place, _, subdirectory = text.partition(_SUBDIRECTORY)
    kind, where = _kind(place)
    commit = ""
    if kind == "git":
        before, at, behind = where.rpartition("@")
        if at and _COMMIT.fullmatch(behind):
            where, commit = before, behind
    return Location(
        kind=kind, where=where, commit=commit, subdirectory=_inner_path(unquote(subdirectory))
    )


def _kind(place: str) -> tuple[Kind, str]:
    scheme, colon, rest = place.partition(":")
    if scheme == "file" and rest:
        return "file", rest
    if scheme == "dir" and rest:
        return "folder", rest
    if scheme in {"https", "http"} and urlsplit(place).hostname:
        return "archive", place
    vcs, plus, transport = scheme.partition("+")
    if vcs == "git" and transport in TRANSPORTS:
        if transport == "file":
            rest = f"//{rest}" if not rest.startswith("//") else rest  # some write file:/path
        return "git", f"{transport}:{rest}"
    if plus and colon and vcs in {"hg", "svn", "bzr"}:
        raise ValueError(f"of version control systems only git is supported, not {vcs}")
    raise ValueError("it is neither an archive's address, nor a path, nor a git repository's")


def _inner_path(path: str) -> str:
    """A path below another, in its plainest form."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or path.startswith("/"):
        raise ValueError(f"the subdirectory {path} is outside of it")
    return "/".join(parts)


def pinned(direct: Direct, commit: str = "") -> str:
    """The location to lock for *direct*, whose *commit* that is, if it is a repository.

    :raises ValueError: it is no location.
    """
    place = parse(direct.location)
    return str(
        Location(
            kind=place.kind,
            where=place.where,
            commit=commit,
            subdirectory=_inner_path(direct.subdirectory) or place.subdirectory,
        )
    )


def is_mutable(location: str) -> bool:
    """Whether it is a file or a folder of this machine, which may be another tomorrow."""
    return location.startswith(("file:", "dir:"))


def is_here(location: str) -> bool:
    """Whether it is on this machine: a file, a folder or a repository."""
    return is_mutable(location) or location.startswith("git+file:")


def is_full_commit(revision: str) -> bool:
    """Whether *revision* names one commit for all time."""
    return _COMMIT.fullmatch(revision.lower()) is not None


def path_location(path: Path, root: Path, *, folder: bool) -> str:
    """The location of an archive or a *folder* of this machine: relative where it is in *root*."""
    inside = path.is_relative_to(root)
    text = (path.relative_to(root) if inside else path).as_posix()
    return f"dir:{text}" if folder else f"file:{text}"


def repository_location(address: str) -> str:
    """The location of the repository at *address*, which git would take: ``git+``, no secrets.

    ``git@host:org/demo.git`` is short for ``ssh://git@host/org/demo.git``.
    """
    address = address.removeprefix("git+")
    if short := _SCP.fullmatch(address):
        address = f"ssh://{short['host']}/{short['path'].removeprefix('/')}"
    return f"git+{without_credentials(address)}"


def without_credentials(url: str) -> str:
    """*url* without user and password; the user that SSH signs in as is none of them."""
    scheme, separator, rest = url.partition("://")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    user, at, _ = host.rpartition("@")
    kept = f"{user.partition(':')[0]}@" if at and scheme.endswith("ssh") else ""
    return f"{scheme}{separator}{kept}{rest[len(f'{user}{at}') :]}"


def direct_from_url(url: str, root: Path) -> Direct:
    """What a URL of a requirement (PEP 508, or pip's) says; hashes in it are :func:`hashes_in`.

    :param root: the project's folder; what is inside is told relative to it.
    """
    address, _, _ = url.partition("#")
    subdirectory = _fragment(url).get("subdirectory", "")
    if address.startswith("git+"):
        address, revision = _revision(address)
        return Direct(
            location=repository_location(address), revision=revision, subdirectory=subdirectory
        )
    if address.startswith("file:"):
        path = Path(normpath(unquote(urlsplit(address).path)))
        is_folder = not path.name.endswith(ARCHIVES)
        location = path_location(path, root, folder=is_folder)
        return Direct(location=location, subdirectory=subdirectory)
    return Direct(location=without_credentials(address), subdirectory=subdirectory)


def hashes_in(url: str) -> frozenset[str]:
    """The SHA-256 that *url* ends with (``#sha256=…``), if it does."""
    named = _fragment(url).get("sha256", "").lower()
    return frozenset([named] if re.fullmatch(r"[0-9a-f]{64}", named) else [])


def _fragment(url: str) -> Mapping[str, str]:
    return dict(parse_qsl(url.partition("#")[2]))


def _revision(address: str) -> tuple[str, str]:
    """*address* and what is behind the ``@`` of its path: other ones belong to the host."""
    scheme, colon, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    where, _, revision = path.partition("@")
    return f"{scheme}{colon}{host}{slash}{where}", unquote(revision)


def shown(direct: Direct | Location) -> str:
    """It, for a person: without anything that may be a secret."""
    if isinstance(direct, Location):
        place, subdirectory, revision = str(direct), direct.subdirectory, ""
        place = place.partition(_SUBDIRECTORY)[0]
    else:
        place, subdirectory, revision = direct.location, direct.subdirectory, direct.revision
    if is_mutable(place):
        text = place.partition(":")[2]
    else:
        text = re.split("[?#]", without_credentials(place), maxsplit=1)[0]
    text += f"@{revision}" if revision else ""
    return f"{text} ({subdirectory})" if subdirectory else text


# -- PEP 751 -----------------------------------------------------------------------------------


def pylock_source(
    direct: Direct, location: str, sha256: str, size: int | None = None
) -> PackageVcs | PackageArchive | PackageDirectory:
    """How a lock file tells of *direct*, pinned as *location*.

    :param sha256: that of the archive; a commit and a folder have no place for it there.
    """
    from packaging.pylock import PackageArchive, PackageDirectory, PackageVcs

    place = parse(location)
    inner = place.subdirectory or None
    if place.kind == "git":
        return PackageVcs(
            type="git",
            url=place.where,
            requested_revision=direct.revision or None,
            commit_id=place.commit,
            subdirectory=inner,
        )
    if place.kind == "folder":
        return PackageDirectory(path=place.where, editable=False, subdirectory=inner)
    here = place.kind == "file"
    return PackageArchive(
        url=None if here else place.where,
        path=place.where if here else None,
        size=size,
        hashes={"sha256": sha256},
        subdirectory=inner,
    )
