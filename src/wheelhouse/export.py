"""What a finished wheelhouse holds, in the forms that other installers read.

Pure. :data:`FORMATS` has them all; `wheelhouse export --to NAME` writes one.

A list for pip (``requirements-urls``) has a line for each wheel, with its place and its hash, for
``pip install --no-index --no-deps --requirement``. pip reads a place in two ways. A URL is
percent-encoded; a path is not, and begins in the folder where pip runs, not in the one of the list.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from wheelhouse.errors import ConfigError
from wheelhouse.fetcherrors import redacted
from wheelhouse.wording import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

    from wheelhouse.manifest import Bypassed, Manifest

#: What may stand in the path of a URL as it is (RFC 3986); letters and digits may anyway.
IN_A_PATH = "/%:@!$&'()*+,;=~"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?", re.ASCII)
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")

#: Of a path, what pip takes for the beginning of an option, a comment, a marker or a variable, or
#: cannot read in a line at all. It knows no escape for any of it.
_UNWRITABLE = re.compile(r" [-#]|;|\$\{|[^\S ]|[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_WAYS = {
    "image": "the server's image has it",
    "system": "the distribution's package {package} brings it",
    "wheel": "its wheel is installed by other means",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """Where the wheels lie when they are installed.

    :ivar text: a URL, or the path of a folder that begins where pip runs; ends in ``/``.
    """

    text: str
    is_url: bool

    def place_of(self, filename: str) -> str:
        """Where the wheel *filename* is, as pip reads it."""
        return self.text + (quote(filename, safe="") if self.is_url else filename)


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A form that a wheelhouse can be told in.

    :ivar stem: the beginning of its file's usual name.
    :ivar suffix: the end of that.
    :ivar text: the file's text, from manifest, base, and the file as it is told to pip.
    """

    stem: str
    suffix: str
    text: Callable[[Manifest, Base, str], str]

    def file_name(self, target: str | None = None) -> str:
        """The usual name of the file, with *target* in it unless there is only one."""
        return self.stem + (f".{target}" if target else "") + self.suffix


# -- where wheels lie ----------------------------------------------------------------------------


def folder_base(folder: Path) -> Base:
    """The base for wheels in the absolute *folder*, as a ``file:`` URL."""
    return Base(text=_closed(folder.as_uri()), is_url=True)


def parse_base(text: str) -> Base:
    """What the user says of where the wheels will lie: a URL, or a folder; neither is looked for.

    :raises ConfigError: pip cannot fetch from there, or it has a password in it.
    """
    if _SCHEME.match(text):
        return Base(text=_closed(_url(text)), is_url=True)
    if not text:
        raise ConfigError("--base is empty", hint="name a URL or a folder; . is the current one")
    if text.startswith("/"):
        return folder_base(Path(text))
    if _UNWRITABLE.search(text):
        raise ConfigError(
            f"--base {quoted(text)} has characters that pip cannot read in a relative path",
            hint="name the folder from / on: in a URL every character can be written",
        )
    # Without the dot, pip could take it for a requirement or an option.
    relative = text if re.match(r"\.{1,2}(/|$)", text) else f"./{text}"
    return Base(text=_closed(relative), is_url=False)


def _closed(place: str) -> str:
    return place if place.endswith("/") else f"{place}/"


def _url(text: str) -> str:
    """The URL *text* with what a URL must not have percent-encoded. Raises ConfigError."""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ConfigError("--base is no valid URL", hint="begin it with https://HOST/") from error
    _check_open(parts)
    if parts.scheme == "file":
        sound = not parts.netloc and parts.path.startswith("/")
    else:
        sound = parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.netloc) is not None
    if not sound:
        raise ConfigError(
            f"--base {quoted(redacted(text))} is no address that pip can fetch wheels from",
            hint="it is https://HOST/PATH, http://HOST/PATH, file:///PATH or a folder",
        )
    path = quote(_STRAY_PERCENT.sub("%25", parts.path), safe=IN_A_PATH)
    return f"{parts.scheme}://{parts.netloc}{path}"


def _check_open(parts: SplitResult) -> None:
    """That nothing in a URL is for few eyes only, or could not have a file's name behind it.

    :raises ConfigError: it has a user, a query or a fragment.
    """
    shown = quoted(redacted(parts.geturl()))
    if "@" in parts.netloc:
        raise ConfigError(
            f"--base {shown} has a user name or password, which would be written into the file",
            hint="leave it out: where pip runs it reads them from ~/.netrc, or from a keyring",
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            f"--base {shown} goes on with ? or #, so the name of a file cannot follow it",
            hint="name the folder that the wheels are in; pip reads passwords from ~/.netrc",
        )


# -- forms ---------------------------------------------------------------------------------------


def requirements_urls(manifest: Manifest, base: Base, file: str) -> str:
    """The list for pip of every wheel, sorted by file name.

    :param file: the list's own, for the command in its head.
    """
    target = manifest.target
    head = [
        f"The wheels of {target.name}: {target.title}, Python {target.python}, {target.arch}.",
        "This installs exactly them, with the target's Python:",
        f"  python -m pip install --no-index --no-deps --requirement {printable(_word(file))}",
    ]
    if not base.is_url:
        head.append(f"{base.text} is looked for in the folder where that is run.")
    if manifest.bypassed:
        head.append("Not in here, since something else brings it to the server:")
        head += [f"  {each.name}=={each.version} ({_way(each)})" for each in manifest.bypassed]
    wheels = sorted(manifest.wheels, key=lambda wheel: wheel.filename)
    places = (f"{base.place_of(wheel.filename)} --hash=sha256:{wheel.sha256}" for wheel in wheels)
    return "".join(f"{line}\n" for line in (*(f"# {each}" for each in head), *places))


def _word(file: str) -> str:
    """*file* as a shell reads it, and no option of pip's."""
    return shlex.quote(f"./{file}" if file.startswith("-") else file)


def _way(bypassed: Bypassed) -> str:
    return _WAYS[bypassed.way].format(package=bypassed.package)


#: Every form, by its name.
FORMATS: dict[str, Format] = {
    "requirements-urls": Format(stem="requirements", suffix=".urls", text=requirements_urls),
}
