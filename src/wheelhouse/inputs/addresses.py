"""Addresses in requirements: archives, folders and repositories, by URL or by path.

Spec: https://packaging.python.org/en/latest/specifications/version-specifiers/#direct-references,
and what pip takes beyond it (https://pip.pypa.io/en/stable/topics/vcs-support/). What is wrong is
told without a word of the address itself: there may be a password in it.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from wheelhouse.inputs.model import Direct
from wheelhouse.sources.location import ARCHIVES, TRANSPORTS, path_location
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_URL = re.compile(r"file:|(git|hg|svn|bzr)\+|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = re.compile(r"[^/]*\.[^/]*/")
_OTHER_REPOSITORIES = {"hg": "Mercurial", "svn": "Subversion", "bzr": "Bazaar"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WEAK = ("md5", "sha1", "sha224", "sha384", "sha512")
_ENCODE = "in a user or password write / as %2F, # as %23, ? as %3F and @ as %40; elsewhere, too"


class Unusable(Exception):  # noqa: N818  (it is caught where the line is known, and told as an error)
    """Something in a line cannot be used.

    :ivar message: a clause that follows the quoted line: ``names a folder that is not there``.
    :ivar hint: the next step.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """What an address says.

    :ivar name: the project's; a placeholder unless *named*.
    :ivar extras: those in brackets behind a path, or in ``#egg=``.
    :ivar hashes: the SHA-256 hashes in its fragment.
    :ivar secret: the URL prefix that user and password are for, and these.
    """

    direct: Direct
    name: str
    named: bool
    extras: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    secret: tuple[str, tuple[str, str]] | None = field(default=None, repr=False)

    @property
    def is_archive(self) -> bool:
        """Whether it is that of one file, which a hash can be of."""
        return self.direct.location.partition(":")[0] in ("file", "http", "https")


def redacted(text: str) -> str:
    """*text* without the users and passwords of URLs in it, well-formed or not."""
    return re.sub(r"\S+", lambda token: _redacted(token[0]), text)


def _redacted(token: str) -> str:
    match = re.fullmatch(r"([^/]*:)?(/*)(.*)", token, re.DOTALL)
    assert match is not None  # it fits everything
    before, slashes, rest = match.groups("")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0] if slashes else ""
    if "@" in authority:
        hidden = len(authority.rpartition("@")[0])
        return f"{before}{slashes}***{rest[hidden:]}"
    hidden_in, _, behind = rest.rpartition("@")
    git = slashes and "git+" in before and ":" not in authority
    plain = git and "@" not in hidden_in and not _HOST.match(behind)
    if hidden_in and before and not plain:  # no URL, or one whose password is cut by a slash
        return f"{before if slashes else ''}{slashes}***@{behind}"
    return token


def is_address(text: str) -> bool:
    """Whether *text* begins as a URL does."""
    return _URL.match(text) is not None


def is_path(text: str) -> bool:
    """Whether *text* is meant as a path, by how it looks, and as pip sees it."""
    return text.startswith(".") or "/" in text or text.lower().endswith(ARCHIVES)


def without_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """*url* without user and password, and these; a slash at its end is dropped.

    :raises Unusable: it is no URL of a host.
    """
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unusable("names an index that is not at http:// or https://")
    parts, credentials = _apart(parts)
    return urlunsplit(parts._replace(fragment="")).rstrip("/"), credentials


def read_address(text: str, folders: Sequence[Path], root: Path) -> Address:
    """What the address *text*, a URL or a path, is of.

    :param folders: where a relative path may begin; the first that has it counts.
    :param root: the project's folder; what is inside is told relative to it.
    :raises Unusable: it cannot be used, or is not there.
    """
    if not is_address(text):
        return _local(text, {}, folders, root)
    scheme = text.partition(":")[0].lower()
    if scheme == "file":
        return _file(text, folders, root)
    if scheme.startswith("git+"):
        return _repository(text, scheme)
    if (kind := scheme.partition("+")[0]) in _OTHER_REPOSITORIES:
        raise Unusable(
            f"is in a {_OTHER_REPOSITORIES[kind]} repository; git is the only kind that is read",
            "build an sdist or a wheel of it, and name that file",
        )
    if scheme in ("http", "https"):
        return _archive(text)
    hint = f"write git+{scheme}://…" if scheme in ("ssh", "git") else None
    raise Unusable(f"has an address of a kind that cannot be used, {printable(scheme)}", hint)


# --- URLs -------------------------------------------------------------------------------------


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (it is read when it is asked for)
    except ValueError:
        raise Unusable("has an address that cannot be read", _ENCODE) from None
    path, query = parts.path, f"{parts.query}{parts.fragment}"
    if parts.scheme.startswith("git+"):
        path, _, revision = path.rpartition("@")
        if _HOST.match(revision):
            raise Unusable(
                "has a revision that looks like a host and a path",
                f"in a revision write / as %2F; {_ENCODE}",
            )
    if "@" in path or "@" in query:
        raise Unusable("has an @ in its address that is not before the host", _ENCODE)
    return parts


def _apart(parts: SplitResult) -> tuple[SplitResult, tuple[str, str] | None]:
    """*parts* without user and password, and these. SSH's user is no secret: it stays."""
    info, _, host = parts.netloc.rpartition("@")
    user, _, password = info.partition(":")
    if not info:
        return parts._replace(netloc=host), None
    if parts.scheme.endswith("ssh"):
        if password:
            raise Unusable("has a password for SSH, which takes none", "leave it out; use a key")
        return parts, None
    return parts._replace(netloc=host), (unquote(user), unquote(password))


def _archive(text: str) -> Address:
    parts = _split(text)
    if not parts.hostname:
        raise Unusable("has an address without a host")
    if parts.path.endswith(".git"):
        raise Unusable("has the address of a repository", f"write git+{parts.scheme}://…")
    fragment = _fragment(parts)
    parts, credentials = _apart(parts._replace(fragment=""))
    url = urlunsplit(parts)
    direct = Direct(location=url, subdirectory=_subdirectory(fragment))
    address = _told(direct, unquote(PurePosixPath(parts.path).name), fragment)
    return replace(
        address,
        hashes=_hashes(fragment),
        secret=(url, credentials) if credentials else None,
    )


def _repository(text: str, scheme: str) -> Address:
    if scheme.removeprefix("git+") not in TRANSPORTS or "://" not in text:
        raise Unusable(
            "has the address of a repository that cannot be read",
            "write git+https://host/path or git+ssh://git@host/path",
        )
    parts = _split(text)
    fragment = _fragment(parts)
    parts, credentials = _apart(parts._replace(fragment=""))
    if not parts.hostname and scheme != "git+file":
        raise Unusable("has an address without a host")
    path, at, revision = parts.path.rpartition("@")
    if at and (not revision or unquote(revision).startswith("-")):
        raise Unusable("names no revision behind the @", "name a commit, a tag or a branch")
    path, revision = (path, unquote(revision)) if at else (parts.path, "")
    query = f"?{parts.query}" if parts.query else ""
    location = f"{scheme}://{parts.netloc}{path}{query}"
    subdirectory = _subdirectory(fragment)
    direct = Direct(location=location, revision=revision, subdirectory=subdirectory)
    last = PurePosixPath(subdirectory or path).name.removesuffix(".git")
    secret = (location.removeprefix("git+"), credentials) if credentials else None
    return replace(_told(direct, last, fragment), secret=secret)


def _file(text: str, folders: Sequence[Path], root: Path) -> Address:
    parts = _split(text)
    if parts.netloc not in ("", "localhost"):
        raise Unusable("names a host in a file: URL", "write file:///absolute/path or ./path")
    path = urlunsplit(parts._replace(scheme="", netloc="", fragment=""))
    return _local(unquote(path), _fragment(parts), folders, root)


def _fragment(parts: SplitResult) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in parts.fragment.split("&") if pair)
    return {key: unquote(value) for key, _, value in pairs}


def _subdirectory(fragment: Mapping[str, str]) -> str:
    path = PurePosixPath(fragment.get("subdirectory", ""))
    if path.is_absolute() or ".." in path.parts:
        raise Unusable("names a subdirectory outside of what it belongs to")
    return "" if path == PurePosixPath() else str(path)


def _hashes(fragment: Mapping[str, str]) -> frozenset[str]:
    digest = fragment.get("sha256")
    if digest is None and any(kind in fragment for kind in _WEAK):
        raise Unusable("has a hash in its address that is not SHA-256", HASH_HINT)
    return frozenset() if digest is None else frozenset({checked_hash(digest)})


#: What to do about hashes of another kind.
HASH_HINT = (
    "`pip hash FILE` prints the SHA-256 of a downloaded file: name that; or leave the hash out: "
    "the lock will have it"
)


def checked_hash(digest: str) -> str:
    """The SHA-256 *digest* in its usual form. Raises Unusable if it is none."""
    if not _SHA256.fullmatch(digest.lower()):
        raise Unusable("has a hash that is no SHA-256", "it has 64 hexadecimal digits")
    return digest.lower()


# --- paths ------------------------------------------------------------------------------------


def _local(text: str, fragment: Mapping[str, str], folders: Sequence[Path], root: Path) -> Address:
    found, brackets, rest = _found(text, folders)
    extras = _extras(brackets)
    fragment = {**_fragment(urlsplit(f"#{rest}")), **fragment}
    subdirectory = _subdirectory(fragment)
    location = path_location(found, root, folder=found.is_dir())
    direct = Direct(location=location, subdirectory=subdirectory)
    if found.is_file():
        if not found.name.lower().endswith(ARCHIVES):
            raise Unusable("names a file that is neither a wheel nor an archive of sources")
        address = _told(direct, found.name, fragment)
    else:
        address = _folder(direct, found / subdirectory, fragment)
    return replace(address, extras=address.extras | extras, hashes=_hashes(fragment))


def _found(text: str, folders: Sequence[Path]) -> tuple[Path, str, str]:
    """What the path *text* names, the extras behind it in brackets, and a fragment."""
    path, _, fragment = text.partition("#")
    match = re.fullmatch(r"(.+)(\[[^\[\]]*\])", path)
    try:
        return found_path(text, folders), "", ""
    except Unusable:
        if match:
            return found_path(match[1].rstrip(), folders), match[2], fragment
        return found_path(path, folders), "", fragment


def found_path(text: str, folders: Sequence[Path]) -> Path:
    """The file or folder that the path *text* names, beginning at one of *folders*.

    :raises Unusable: it is not there.
    """
    for folder in folders:
        try:
            found = (folder / text).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # also a link to itself, and NUL
            continue
        if found.is_dir() or found.is_file():
            return found
    raise Unusable(
        "names a file or folder that is not there",
        "paths are relative to the file that names them, or to the project's folder",
    )


def _extras(brackets: str) -> frozenset[str]:
    try:
        return frozenset(Requirement(f"placeholder{brackets}").extras)
    except InvalidRequirement:
        raise Unusable("has extras that cannot be read", "write them as [one,two]") from None


def _folder(direct: Direct, folder: Path, fragment: Mapping[str, str]) -> Address:
    # Unlike pathlib, os.path takes a name that is too long for one that is not there.
    files = (folder / name for name in ("pyproject.toml", "setup.py"))
    if not any(os.path.isfile(file) for file in files):  # noqa: PTH113
        raise Unusable(
            "names a folder with neither a pyproject.toml nor a setup.py in it",
            "name the folder of a project that can be built",
        )
    address = _told(direct, folder.name, fragment)
    if not address.named and (name := static_name(folder)):
        return replace(address, name=name, named=True)
    return address


def static_name(folder: Path) -> str | None:
    """The name that the project in *folder* gives itself in its pyproject.toml, if any."""
    try:
        data = tomllib.loads((folder / "pyproject.toml").read_text("utf-8-sig"))
        name = data["project"]["name"]
        canonicalize_name(name, validate=True)
    except (OSError, ValueError, LookupError, TypeError, InvalidName):
        return None  # whoever builds it tells
    return str(name)


# --- names ------------------------------------------------------------------------------------


def _told(direct: Direct, last: str, fragment: Mapping[str, str]) -> Address:
    """The address *direct*, named by its fragment or by the *last* part of its path."""
    if egg := fragment.get("egg"):
        try:
            requirement = Requirement(egg)
        except InvalidRequirement:
            raise Unusable("has an #egg= that names no project") from None
        return Address(
            direct=direct,
            name=requirement.name,
            named=True,
            extras=frozenset(requirement.extras),
        )
    if last.lower().endswith(".whl"):
        try:
            return Address(direct=direct, name=parse_wheel_filename(last)[0], named=True)
        except InvalidWheelFilename:
            raise Unusable(
                "names a wheel whose file name is not one of a wheel",
                "give it back the name that it was built with",
            ) from None
    return Address(direct=direct, name=_placeholder(last), named=False)


def _placeholder(last: str) -> str:
    """A name for what has none yet. That of an archive is often that of a branch or tag."""
    try:
        return canonicalize_name(parse_sdist_filename(last)[0], validate=True)
    except (InvalidSdistFilename, InvalidName):
        stem = next((last[: -len(end)] for end in ARCHIVES if last.lower().endswith(end)), last)
        return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-") or "unnamed"
