"""Reading what locks are made of: their files, and what those say of hashes and places."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from wheelhouse.errors import ConfigError
from wheelhouse.inputs.addresses import (
    Unusable,
    is_address,
    read_address,
    static_name,
    without_credentials,
)
from wheelhouse.inputs.extremes import check_digits, content_of
from wheelhouse.inputs.lockentries import Entry
from wheelhouse.inputs.model import Direct
from wheelhouse.inputs.uvsources import PUBLIC
from wheelhouse.sources.location import ARCHIVES, path_location, repository_location
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_AGAIN = "lock again with the tool that makes it, or restore it"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LockText:
    """A lock's file, read.

    :ivar shown: its path for a person, relative to the project.
    :ivar files: it, with the SHA-256 of its content.
    """

    path: Path
    shown: str
    text: str
    files: dict[Path, str]


def read_lock(root: Path, path: Path) -> LockText:
    """Read the lock at *path*.

    :param root: the project's folder, resolved.
    :raises ConfigError: it lies elsewhere, cannot be read, or is not UTF-8.
    """
    shown = printable(str(path.relative_to(root) if path.is_relative_to(root) else path))
    try:
        path = path.resolve()
        if not path.is_relative_to(root):
            raise ConfigError(
                f"{shown}: lies outside the project",
                hint=f"move it into {printable(str(root))}, or wheelhouse.toml to a folder above "
                "both",
            )
        content = content_of(path)
        text = content.decode("utf-8-sig")
        check_digits(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown}: is not UTF-8", hint=_AGAIN) from error
    except (OSError, RuntimeError, ValueError) as error:  # also a link to itself, and NUL
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{shown}: cannot be read: {printable(why)}", hint=_AGAIN) from error
    except Unusable as problem:
        raise ConfigError(f"{shown}: {problem.message}", hint=_AGAIN) from None
    digest = hashlib.sha256(content).hexdigest()
    return LockText(path=path, shown=shown, text=text, files={path: digest})


def split_hashes(hashes: Iterable[tuple[str, str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The SHA-256 hashes among *hashes*, pairs of kind and digest, and the kinds of the others.

    :raises Unusable: what is called a SHA-256 is none.
    """
    found, weak = set(), set()
    for kind, digest in hashes:
        if kind != "sha256":
            weak.add(printable(kind))
        elif _SHA256.fullmatch(digest.lower()):
            found.add(digest.lower())
        else:
            raise Unusable("has a hash that is no SHA-256", "it has 64 hexadecimal digits")
    return frozenset(found), frozenset(weak)


def hash_pairs(hashes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Hashes written as ``sha256:…``, as pairs of kind and digest. Bare ones are MD5."""
    for text in hashes:
        kind, colon, digest = text.partition(":")
        yield (kind.lower(), digest) if colon else ("md5", text)


@dataclass(slots=True)
class Places:
    """Reads what a lock says of places; keeps the credentials that stood there.

    Nothing has to be there: it may be for another target. Every method raises
    :class:`~wheelhouse.inputs.addresses.Unusable`, which tells nothing of the address.

    :ivar root: the project's folder; :ivar folder: the lock's, where its paths begin.
    :ivar credentials: user and password, by the URL that they are for.
    """

    root: Path
    folder: Path
    credentials: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def index(self, url: str | None) -> str | None:
        """The URL of an index, or a folder, to bind to; None for the public one, or for none."""
        if not url:
            return None
        if url.lower().startswith("file:"):
            return self.path(url).as_uri()
        clean, secret = without_credentials(url)
        if secret:
            self.credentials[clean] = secret
        return None if clean in PUBLIC else clean

    def archive(self, url: str, subdirectory: str = "") -> Direct:
        """The archive at a URL, which may be a ``file:`` one."""
        if url.lower().startswith("file:"):
            return self.local(url, subdirectory)
        direct = self._addressed(url)
        return Direct(
            location=direct.location, subdirectory=direct.subdirectory or inner(subdirectory)
        )

    def git(self, url: str, revision: str, subdirectory: str = "") -> Direct:
        """The repository at *url*, which may be a path, at *revision*."""
        place = url.removeprefix("git+")
        if place.lower().startswith("file:") or is_path(place):
            location = f"git+{self.path(place).as_uri()}"
        elif is_address(place):
            location = self._addressed(f"git+{place.partition('#')[0]}").location
        else:
            location = repository_location(place)
        return Direct(location=location, revision=revision, subdirectory=inner(subdirectory))

    def local(self, path: str, subdirectory: str = "") -> Direct:
        """An archive or a folder of this machine, whichever its name says."""
        found = self.path(path)
        # Unlike pathlib, os.path takes a name that is too long for one that is not there.
        folder = not found.name.lower().endswith(ARCHIVES) or os.path.isdir(found)  # noqa: PTH112
        location = path_location(found, self.root, folder=folder)
        return Direct(location=location, subdirectory=inner(subdirectory))

    def path(self, text: str) -> Path:
        """What a path, or a ``file:`` URL, is of."""
        if text.lower().startswith("file:"):
            text = unquote(urlsplit(text).path)
        try:
            return (self.folder / text.replace("\\", "/")).resolve()
        except (OSError, RuntimeError, ValueError):
            raise Unusable("names a path that cannot be read") from None

    def _addressed(self, url: str) -> Direct:
        address = read_address(url, (self.folder,), self.root)
        if address.secret:
            self.credentials[address.secret[0]] = address.secret[1]
        return address.direct


def is_path(place: str) -> bool:
    """Whether the place of a repository is a path: it has neither a scheme nor a host."""
    return not is_address(place) and ":" not in place.partition("/")[0]


def inner(path: str) -> str:
    """A path inside an archive or repository, in its plainest form.

    :raises Unusable: it leads out of it.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or path.startswith("/"):
        raise Unusable("names a subdirectory outside of what it belongs to")
    return "/".join(parts)


def with_project(
    entries: Sequence[Entry], wanted: bool | None, lock: LockText, root: Path
) -> tuple[Entry, ...]:
    """*entries*, with the project whose lock it is, or without it, as it is *wanted*.

    :param wanted: None leaves it as the lock has it.
    :raises ConfigError: it is wanted, and there is no project beside the lock.
    """
    folder = lock.path.parent
    own = Direct(location=path_location(folder, root, folder=True))
    if wanted is None or (wanted and any(entry.direct == own for entry in entries)):
        return tuple(entries)
    if not wanted:
        return tuple(entry for entry in entries if entry.direct != own)
    name = static_name(folder)
    if name is None:
        raise ConfigError(
            f"{lock.shown}: the project it belongs to is wanted, but no pyproject.toml beside it "
            "has a name for one",
            hint="set `name` under `[project]` there, or leave `project = true` out",
        )
    return (*entries, Entry(name=canonicalize_name(name), direct=own))
