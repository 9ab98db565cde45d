"""The git command, held to our terms: nothing of a repository runs, nobody is asked anything.

The user's own configuration holds: credential helpers, SSH agent, proxies, certificates, URLs that
stand for others. Hooks, file system monitors and templates are off, nothing is checked out, and
git sees none of the variables by which an enclosing git would steer it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wheelhouse.errors import FetchError
from wheelhouse.fetcherrors import ca_bundle
from wheelhouse.sources.location import TRANSPORTS, without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wheelhouse.credentials import Credentials, Login

#: Seconds: for a question, and for all that a repository has.
ASK, FETCH = 120.0, 3600.0

#: Seconds between two looks whether the run is being stopped.
WAIT = 0.1

#: What holds for every command.
SETTINGS = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "init.templateDir="),
    *("gc.auto=0", "maintenance.auto=false", "protocol.version=2", "advice.detachedHead=false"),
    *("http.lowSpeedLimit=100", "http.lowSpeedTime=60"),
    "log.showSignature=false",  # a repository may name the program that checks it
    # whose files they are does not matter where nothing of them runs
    "safe.directory=*",
)

#: Of git's variables, what says how to reach a server.
KEPT = ("GIT_SSH", "GIT_SSL_", "GIT_HTTP_", "GIT_PROXY_", "GIT_CONFIG_")

#: Answers a question for credentials, from variables that only git and its helpers see.
HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$WHEELHOUSE_GIT_USERNAME" "$WHEELHOUSE_GIT_PASSWORD"; }; f'
)

#: What git, curl and ssh say in English, what that means, and what to do then.
MEANINGS = (
    (
        (
            r"Could not resolve host|Could not resolve proxy|Name or service not known"
            r"|Temporary failure in name resolution"
        ),
        "its host cannot be resolved",
        "check the address, the network and the proxy",
    ),
    (
        r"certificate (problem|verif)|SSL certificate",
        "its host shows a certificate that is not trusted",
        "set SSL_CERT_FILE to the CA bundle of your network",
    ),
    (
        r"Host key verification failed",
        "its host's SSH key is not known",
        "check it, and add it to ~/.ssh/known_hosts",
    ),
    (
        (
            r"Authentication failed|could not read (Username|Password)|terminal prompts disabled"
            r"|Permission denied|returned error: 40[13]|HTTP Basic: Access denied"
        ),
        "its host does not let you in",
        "give git credentials for it: a credential helper, ~/.netrc, or an SSH agent",
    ),
    (
        (
            r"repository .* not found|not appear to be a git repository|returned error: 404"
            r"|Repository not found|does not exist|could not be found"
        ),
        "there is no git repository that you may see",
        "check the address, and your credentials for it",
    ),
    (
        r"transport '.*' not allowed",
        "git may not use this kind of address",
        "use https or ssh",
    ),
    (
        (
            r"Failed to connect|Connection (refused|timed out|reset)|[Uu]nreachable"
            r"|[Uu]nable to connect|Couldn't connect|Operation too slow|returned error: 5\d\d"
            r"|early EOF|hung up"
        ),
        "its host cannot be reached, or breaks off",
        "check the network and the proxy, then run the command again",
    ),
)


class GitError(Exception):
    """git has ended with an error: *said* is what it said of it, without credentials."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said

    @property
    def last(self) -> str:
        """Its last word."""
        lines = [line for line in self.said.splitlines() if line.strip()]
        blamed = [line for line in lines if line.startswith(("fatal:", "error:"))]
        return (blamed or lines or ["no message"])[-1].partition(": ")[2] or "no message"

    def about(self, place: str) -> FetchError:
        """The error for a person, of what lies at *place*."""
        for pattern, what, hint in MEANINGS:
            if re.search(pattern, self.said):
                return FetchError(f"{place} cannot be had: {what} ({self.last})", hint=hint)
        return FetchError(
            f"{place} cannot be had: git says: {self.last}",
            hint="try `git ls-remote` with its address, and see to what git says",
        )


class Git:
    """The command.

    :param check: called now and then; raises to stop it.
    :param credentials: those for repositories' URLs; git's own helpers are asked for others.
    """

    def __init__(self, check: Callable[[], None], credentials: Credentials | None) -> None:
        self.check = check
        self._credentials = credentials

    def run(
        self, folder: Path, *arguments: str, url: str | None = None, limit: float = ASK
    ) -> bytes:
        """What git prints, run in *folder*.

        :param url: the repository that it will speak to.
        :param limit: seconds that it may take.
        :raises GitError: it fails.
        :raises FetchError: there is no git, or it takes too long.
        """
        with self._started(folder, arguments, url) as process:
            deadline = time.monotonic() + limit
            while True:
                try:
                    out, said = process.communicate(timeout=WAIT)
                    break
                except subprocess.TimeoutExpired:
                    self.check()
                    if time.monotonic() > deadline:
                        raise FetchError(
                            f"git {arguments[0]} did not end within {limit:.0f} s"
                            + (f" ({without_credentials(url)})" if url else ""),
                            hint="check the network, then run the command again",
                        ) from None
        self.check()
        if process.returncode:
            raise GitError(_harmless(said.decode("utf-8", "replace")))
        return out

    def text(self, folder: Path, *arguments: str) -> str:
        """The same as text, without white space around it."""
        return self.run(folder, *arguments).decode("utf-8", "surrogateescape").strip()

    def succeeds(self, folder: Path, *arguments: str) -> bool:
        """Whether git ends well."""
        try:
            self.run(folder, *arguments)
        except GitError:
            return False
        return True

    @contextlib.contextmanager
    def talking(self, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A git that takes and gives as long as it is wanted: pipes on both sides."""
        with self._started(folder, arguments, None, talking=True) as process:
            yield process

    @contextlib.contextmanager
    def _started(
        self,
        folder: Path,
        arguments: tuple[str, ...],
        url: str | None,
        *,
        talking: bool = False,
    ) -> Iterator[subprocess.Popen[bytes]]:
        found = self._credentials.of(url) if self._credentials and url else None
        program = shutil.which("git")
        if program is None:
            raise FetchError(
                "this takes git, which is not installed",
                hint="install git, such as by `apt-get install git`",
            )
        settings = [*SETTINGS, *(_helper_settings(url) if url and found else ())]
        process = subprocess.Popen(
            [program, *(part for each in settings for part in ("-c", each)), *arguments],
            cwd=folder,
            env=environment(os.environ, found, talks=url is not None),
            stdin=subprocess.PIPE if talking else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if talking else subprocess.PIPE,
            start_new_session=True,  # no terminal to ask at; and all of it can be ended
        )
        try:
            yield process
        finally:
            if process.poll() is None:  # what a helper leaves running when all is well is its own
                os.killpg(process.pid, signal.SIGKILL)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.wait()


def _helper_settings(url: str) -> Iterator[str]:
    """For the host of *url* alone our helper, in place of all others: a redirect gains nothing."""
    parts = urlsplit(url)
    place = f"credential.{parts.scheme}://{parts.netloc}.helper"
    yield f"{place}="
    yield f"{place}={HELPER}"


def environment(
    variables: Mapping[str, str], login: Login | None, *, talks: bool
) -> dict[str, str]:
    """What git sees of our *variables*, and what it must: the *login* stands nowhere else.

    :param talks: whether it is to reach a server. Otherwise a repository that lacks objects could
        have it do so, in a way of its own.
    """
    kept = {
        name: value
        for name, value in variables.items()
        if not name.startswith("GIT_") or name.startswith(KEPT)
    }
    bundle = ca_bundle()
    if isinstance(bundle, str):
        kept.setdefault("GIT_SSL_CAINFO", bundle)
    kept |= {
        "GIT_ALLOW_PROTOCOL": ":".join(TRANSPORTS) if talks else "",
        "GIT_ASKPASS": "",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "SSH_ASKPASS_REQUIRE": "never",
    }
    if login is not None:
        kept["WHEELHOUSE_GIT_USERNAME"] = login.username
        kept["WHEELHOUSE_GIT_PASSWORD"] = login.password
    return kept


def _harmless(said: str) -> str:
    """What git *said*, without what URLs in it may have of credentials."""
    return re.sub(r"(://)[^/@\s']+@", r"\1", said)
