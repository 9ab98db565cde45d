"""Debian base images made from the distribution's packages, where no registry has them.

`mmdebstrap` makes a root file system on this machine and writes it as a tar archive, which goes
to the engine as it comes. Packages are checked against the distribution's signed index.

Where there is memory for it, the root is made on a tmpfs in a mount namespace of its own: twice
as fast as on a disk, and gone with the process, whatever ended it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wheelhouse.emulation import PACKAGES, runs_here
from wheelhouse.errors import ConfigError, ImageError, InterruptedRunError
from wheelhouse.targets import OCI_ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DEFAULT_MIRROR = "http://deb.debian.org/debian"
MIRROR_VARIABLE = "WHEELHOUSE_DEBIAN_MIRROR"

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

#: What mmdebstrap needs of the environment; everything else could change its result.
_PASSED_ON = re.compile(r"PATH|(https?|ftp|all|no)_proxy", re.IGNORECASE)

#: Nobody reads manuals in a base image. Licences stay.
_DPKG_CONFIGURATION = "\\n".join(
    (
        "force-unsafe-io",
        *(f"path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "info", "locale")),
        "path-include=/usr/share/doc/*/copyright",
        "",
    )
)

#: After the first extraction, which would filter in a slow way, and before any installation.
_CONFIGURE_HOOK = f"""printf '{_DPKG_CONFIGURATION}' > "$1/etc/dpkg/dpkg.cfg.d/wheelhouse\""""

#: What that extraction left. Installing replaced all that is needed.
_CLEAN_HOOK = (
    'cd "$1/usr/share" && find doc man info locale -type f ! -name copyright -delete '
    "&& find doc man info locale -mindepth 1 -type d -empty -delete; "
    "find doc man info locale -xtype l -delete"
)

#: Bytes of free memory that make it safe to keep roots in it; one takes a few hundred MiB.
_MEMORY_NEEDED = 4 << 30

#: Its first argument is an empty folder; the others are the command.
_ON_TMPFS = 'mount -t tmpfs -o mode=755 tmpfs "$0" && exec "$@"'

#: Processes of their own too: they all end with the first one.
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

_KEPT_LINES = 60
_POLL = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a base is made of.

    :ivar suite: the release's code name, such as ``bookworm``.
    :ivar arch: as `platform.machine()` says.
    :ivar packages: beside the essential ones and `apt`.
    :ivar installed: else these *packages* and what they need are unpacked, and no more: nothing
        of them runs, which takes seconds where running it is emulated.
    """

    suite: str
    arch: str
    packages: tuple[str, ...]
    installed: bool = True

    def sources(self, mirror: str) -> tuple[str, ...]:
        """Lines of a ``sources.list``: the release, its updates and its security fixes."""
        return (
            f"deb {mirror} {self.suite} main",
            f"deb {mirror} {self.suite}-updates main",
            f"deb {mirror}-security {self.suite}-security main",
        )

    def _hooks(self) -> tuple[str, ...]:
        return (
            f"--extract-hook={_CONFIGURE_HOOK}",
            f"--customize-hook={_CLEAN_HOOK}",
            # The image says the same whichever mirror it came from.
            f"--customize-hook={self._sources_hook()}",
        )

    def _sources_hook(self) -> str:
        lines = " ".join(f"'{line}'" for line in self.sources(DEFAULT_MIRROR))
        return f"""printf '%s\\n' {lines} > "$1/etc/apt/sources.list\""""

    def command(self, mirror: str) -> tuple[str, ...]:
        """The command that writes the root file system as a tar archive to standard output."""
        return (
            "mmdebstrap",
            f"--variant={'minbase' if self.installed else 'extract'}",
            "--format=tar",
            f"--architectures={OCI_ARCHITECTURES[self.arch]}",
            f"--keyring={KEYRING}",
            f"--include={','.join(self.packages)}",
            '--aptopt=Acquire::Languages "none"',
            '--aptopt=Acquire::Retries "3"',
            *(self._hooks() if self.installed else ()),
            self.suite,
            "-",
            *self.sources(mirror),
        )


def checked_mirror(mirror: str) -> str:
    """*mirror* without a trailing slash, if it may stand in a ``sources.list``.

    :raises ConfigError: it is no plain http(s) URL. One with a password in it is refused too:
        it would stay readable in every image.
    """
    parts = urlsplit(mirror)
    plain = re.fullmatch(r"[A-Za-z0-9:/._~%+-]+", mirror)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ConfigError(
            f"the Debian mirror {parts._replace(netloc=parts.hostname or '').geturl()!r} is not "
            "an http(s) URL without user and password",
            hint=f"set {MIRROR_VARIABLE} to an address such as {DEFAULT_MIRROR}.",
        )
    return mirror.rstrip("/")


def _may_make_roots() -> bool:
    """Whether this user is root, or may map user IDs as mmdebstrap then needs."""
    if os.geteuid() == 0:
        return True
    with contextlib.suppress(OSError):
        return bool(shutil.which("newuidmap") and Path("/etc/subuid").read_text().strip())
    return False


def check_host(arch: str) -> None:
    """Say before any work what keeps this machine from bootstrapping for *arch*.

    :raises ImageError: `mmdebstrap`, the archive's keys, the permission or an emulator is missing.
    """
    machine = os.uname().machine
    if shutil.which("mmdebstrap") is None:
        raise ImageError(
            "base images are bootstrapped with mmdebstrap, which is not installed",
            hint="run `apt-get install mmdebstrap` (Debian, Ubuntu), or pull the official base "
            "images into the engine where a registry answers.",
        )
    if not KEYRING.exists():
        raise ImageError(
            f"Debian's archive keys are missing: {KEYRING}",
            hint="run `apt-get install debian-archive-keyring`.",
        )
    if not _may_make_roots():
        raise ImageError(
            "only root, or a user with subordinate user IDs, can bootstrap a base image",
            hint="run it as root, or `apt-get install uidmap` and add your user to /etc/subuid.",
        )
    if arch != machine and not runs_here(arch):
        raise ImageError(
            f"this {machine} machine cannot run {arch} programs, which bootstrapping needs",
            hint=f"run `apt-get install {' '.join(PACKAGES)} arch-test`.",
        )
    if arch != machine and shutil.which("arch-test") is None:
        raise ImageError(
            f"to bootstrap for {arch} on {machine}, mmdebstrap needs arch-test",
            hint="run `apt-get install arch-test`.",
        )


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}
    return kept | {"LC_ALL": "C.UTF-8"}


def _memory_free() -> int:
    """Bytes that may be used without swapping; 0 where the kernel doesn't say."""
    with contextlib.suppress(OSError):
        found = re.search(
            r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE
        )
        return int(found[1]) * 1024 if found else 0
    return 0


def on_tmpfs(command: Sequence[str], folder: Path) -> tuple[str, ...]:
    """*command* with a tmpfs of its own over *folder*."""
    return (*_UNSHARE, "sh", "-c", _ON_TMPFS, str(folder), *command)


@contextlib.contextmanager
def _started(command: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* with its temporary files where it is fastest, in a session of its own."""
    with tempfile.TemporaryDirectory(prefix="wheelhouse-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # who is not root makes roots as other users
        if os.geteuid() == 0 and shutil.which("unshare") and _memory_free() > _MEMORY_NEEDED:
            command = on_tmpfs(command, Path(folder))
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(os.environ) | {"TMPDIR": folder},
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End *process* and all that it started.

    In namespaces of its own nothing survives their first process, which is in its group: killing
    both at once leaves no moment at which one lives on without the other. Where it works on a
    disk it has to be asked, so that it removes its root. It waits for what it started before it
    does, so that is asked as well, as a terminal would.
    """
    asked = signal.SIGKILL if str(process.args[0]) == _UNSHARE[0] else signal.SIGTERM  # type: ignore[index]
    if process.poll() is None:  # else its number may be another's by now
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, asked)


def _failure(recipe: Recipe, mirror: str, status: int, lines: Sequence[str]) -> ImageError:
    telling = [line for line in lines if line.startswith(("E:", "W:", "Err:"))] or list(lines)
    return ImageError(
        f"bootstrapping {recipe.suite} for {recipe.arch} failed (mmdebstrap: {status}): "
        + "; ".join(line.strip() for line in telling[-3:]),
        hint=f"check that {mirror} can be reached and has {recipe.suite}, or set "
        f"{MIRROR_VARIABLE} to a mirror that does.",
    )


class _Root:
    """The archive as it comes. Reading its end raises if it is not whole."""

    def __init__(self, process: subprocess.Popen[bytes], ended: Callable[[], None]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout
        self._ended = ended

    def read(self, size: int = -1) -> bytes:
        data = self._pipe.read(size)
        if not data:
            self._ended()
        return data


def _report(
    process: subprocess.Popen[bytes], lines: deque[str], on_line: Callable[[str], None]
) -> None:
    assert process.stderr is not None
    for raw in process.stderr:
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        on_line(line)


def _watch(process: subprocess.Popen[bytes], stopping: threading.Event) -> None:
    while process.poll() is None:
        if stopping.wait(_POLL):
            _end(process)
            return


@contextlib.contextmanager
def root_archive(
    recipe: Recipe, *, mirror: str, on_line: Callable[[str], None], stopping: threading.Event
) -> Iterator[_Root]:
    """Run mmdebstrap; gives a readable tar archive of the root file system.

    The process is gone when the block ends, and soon after *stopping* is set. Its messages go to
    *on_line*, from another thread.

    :raises ImageError: from the archive's ``read``, when mmdebstrap failed: whoever reads never
        takes a part for the whole.
    :raises InterruptedRunError: from there too, when it was stopped.
    """
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    with _started(recipe.command(mirror)) as process:
        threads = (
            threading.Thread(target=_report, args=(process, lines, on_line)),
            threading.Thread(target=_watch, args=(process, stopping)),
        )
        for thread in threads:
            thread.start()

        def ended() -> None:
            status = process.wait()
            if stopping.is_set():
                raise InterruptedRunError("stopped")
            if status:
                threads[0].join()
                raise _failure(recipe, mirror, status, lines)

        try:
            yield _Root(process, ended)
        finally:
            _end(process)
            for thread in threads:
                thread.join()
