"""Who to be for an index: names and passwords, looked up and never written.

For an address, the nearest index counts: of those with the same scheme, host and port, the one
whose path has most in common with it. An index's files are often not below its own path, but they
are on its server. Its credentials come from the first of these that has any:

1. what stood in a requirements file, which is only in memory;
2. the environment: ``WHEELHOUSE_INDEX_NAME_USERNAME`` and ``…_PASSWORD``;
3. netrc (``$NETRC``, else ``~/.netrc``), by the host alone, which is all that it knows. Its
   ``default`` entry counts for none: it would send a password to every host there is;
4. the `keyring`, where an index has refused, or where the index's settings have a user name.

An address of no index can have credentials of netrc only. Each request has those of its own
address, so none follows a redirect to where it does not belong.
"""

from __future__ import annotations

import json
import netrc
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelhouse.settings import IndexSettings

PORTS = {"http": 80, "https": 443}

#: Seconds that a keyring may take. One that wants to be unlocked by hand is not waited for.
KEYRING = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A name and a password.

    :ivar source: where they are from, in words such as ``netrc``. Theirs is not to be shown.
    """

    username: str
    password: str
    source: str

    def __repr__(self) -> str:
        return f"Login(source={self.source!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Realm:
    """Where one pair of credentials is good.

    :ivar name: the index's; empty if it is none.
    """

    origin: tuple[str, str, int]
    path: tuple[str, ...]
    url: str
    name: str = ""
    username: str = ""
    known: Login | None = None


class Credentials:
    """The credentials for each address. Safe to use from many threads.

    :param indexes: the project's.
    :param extra: by URL, user and password that are only in memory.
    """

    def __init__(
        self,
        indexes: Iterable[IndexSettings] = (),
        extra: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self._realms: list[_Realm] = []
        self._found: dict[str, Login | None] = {}
        self._lock = threading.Lock()
        self._netrc: tuple[dict[str, tuple[str, str]], str] | None = None
        self.add(indexes, extra)

    def add(
        self,
        indexes: Iterable[IndexSettings] = (),
        extra: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Know these, too; those that are known already come first."""
        left = {url: _memory(pair) for url, pair in (extra or {}).items()}
        more = [
            _realm(each.url, name=each.name, username=each.username, known=left.pop(each.url, None))
            for each in indexes
        ]
        more += [_realm(url, known=login) for url, login in left.items()]
        with self._lock:
            self._realms += [each for each in more if each is not None]

    def of(self, url: str) -> Login | None:
        """The credentials for *url*, as far as they are known without an index's refusal."""
        near = self._nearest(url)
        for realm in near:
            login = realm.known or _of_environment(realm) or self._of_netrc(realm, url)
            if login is None and realm.username:
                login = self._of_keyring(realm)
            if login is None:
                with self._lock:
                    login = self._found.get(realm.url)
            if login is not None:
                return login
        return None if near else self._of_netrc(None, url)

    def after_refusal(self, url: str) -> bool:
        """Whether there are credentials for *url* after a request without any was refused."""
        for realm in self._nearest(url):
            if realm.name and self._of_keyring(realm) is not None:
                break
        return self.of(url) is not None

    def hint(self, url: str) -> str:
        """Where credentials for *url* can come from, as a next step."""
        names = [each.name for each in self._nearest(url) if each.name]
        file = "$NETRC" if os.environ.get("NETRC") else "~/.netrc"
        problem = self._read_netrc()[1]
        own = f"a `machine {_host(url)}` in {file}" + (f" ({problem})" if problem else "")
        if not names:
            return f"give the credentials as {own}"
        user, password = variables(names[0])
        return f"give the credentials as {user} and {password}, as {own}, or to your keyring"

    def _nearest(self, url: str) -> list[_Realm]:
        """The realms that are nearest to *url*, all equally near."""
        wanted = _realm(url)
        if wanted is None:
            return []
        with self._lock:
            same = [each for each in self._realms if each.origin == wanted.origin]
        near = [(_in_common(each.path, wanted.path), each) for each in same]
        most = max((length for length, _ in near), default=0)
        return [realm for length, realm in near if length == most]

    # -- where they come from ------------------------------------------------------------------

    def _of_netrc(self, realm: _Realm | None, url: str) -> Login | None:
        found = self._read_netrc()[0].get(_host(url))
        if found is None or (realm and realm.username and realm.username != found[0]):
            return None
        return Login(username=found[0], password=found[1], source="netrc")

    def _read_netrc(self) -> tuple[dict[str, tuple[str, str]], str]:
        """The hosts of the netrc file, and what is wrong with that, without a word of it."""
        with self._lock:
            if self._netrc is None:
                self._netrc = _netrc_file()
            return self._netrc

    def _of_keyring(self, realm: _Realm) -> Login | None:
        """What the keyring has for an index, which is asked once for each."""
        with self._lock:
            if realm.url not in self._found:
                self._found[realm.url] = _ask_keyring(realm)
            return self._found[realm.url]


def variables(name: str) -> tuple[str, str]:
    """The environment variables with the user and the password for the index *name*."""
    prefix = "WHEELHOUSE_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"{prefix}_USERNAME", f"{prefix}_PASSWORD"


def _of_environment(realm: _Realm) -> Login | None:
    if not realm.name:
        return None
    user, password = variables(realm.name)
    if not os.environ.get(password):
        return None
    name = os.environ.get(user) or realm.username
    return Login(username=name, password=os.environ[password], source=password)


def _memory(pair: tuple[str, str]) -> Login:
    return Login(username=pair[0], password=pair[1], source="a requirements file")


def _netrc_file() -> tuple[dict[str, tuple[str, str]], str]:
    own = os.environ.get("NETRC")
    path = Path(own) if own else Path("~/.netrc").expanduser()
    try:
        hosts = netrc.netrc(path).hosts
    except FileNotFoundError:
        return {}, ""
    except netrc.NetrcParseError as error:  # its message may have a password in it
        return {}, f"line {error.lineno} of it cannot be read"
    except (OSError, UnicodeError) as error:
        return {}, f"which cannot be read: {type(error).__name__}"
    return {host.lower(): (e[0], e[2] or "") for host, e in hosts.items() if host != "default"}, ""


def _ask_keyring(realm: _Realm) -> Login | None:
    """The keyring's entry for the index's URL, or for its host."""
    command = _keyring_command()
    if command is None:
        return None
    user = os.environ.get(variables(realm.name)[0]) or realm.username
    for service in (realm.url, realm.origin[1]):
        if user:
            told = _said([*command, "get", service, user])
            login = (user, told.rstrip("\r\n")) if told else None
        else:
            told = _said([*command, "--mode", "creds", "--output", "json", "get", service])
            login = _both(told)
        if login is not None:
            return Login(username=login[0], password=login[1], source="the keyring")
    return None


def _keyring_command() -> list[str] | None:
    """Its command rather than the library: that one may ask for input, and cannot be ended."""
    if find_spec("keyring") is not None:
        return [sys.executable, "-m", "keyring"]
    found = shutil.which("keyring")
    return [found] if found else None


def _said(command: Sequence[str]) -> str:
    """What *command* prints, or nothing if it fails, takes too long, or wants to be answered."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=KEYRING,
            start_new_session=True,  # or it could ask at the terminal
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _both(text: str) -> tuple[str, str] | None:
    try:
        found = json.loads(text)
        return str(found["username"]), str(found["password"])
    except (ValueError, KeyError, TypeError):
        return None


# -- addresses ---------------------------------------------------------------------------------


def _realm(
    url: str, *, name: str = "", username: str = "", known: Login | None = None
) -> _Realm | None:
    """Where the credentials for *url* are good; None if it is no address of a server."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme.lower())
    except ValueError:
        return None
    if port is None or not parts.hostname:
        return None
    return _Realm(
        origin=(parts.scheme.lower(), parts.hostname, port),
        path=tuple(parts.path.strip("/").split("/")),
        url=url,
        name=name,
        username=username,
        known=known,
    )


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _in_common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many parts of a path two have in common from the beginning."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
