"""Job ``build``: an sdist to a repaired wheel, in one container."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from . import environment as environments
from .errors import JobError
from .regenerate import regenerate
from .sources import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pyproject_hooks import BuildBackendHookCaller

    from .channel import Channel

#: How auditwheel speaks of a wheel that says it is for one platform and has nothing compiled in it.
NO_ELF = "This does not look like a platform wheel"

#: How auditwheel says that a wheel needs newer symbols than its policy has.
TOO_NEW = "presence of too-recent versioned symbols"

#: auditwheel, told to graft also what its policies take for granted and small servers lack: X11's
#: client libraries, GLib, libatomic. A wheel that needs them would not work where it is to.
#: libGL stays the system's: it belongs to the graphics driver.
AUDITWHEEL = r"""
import re
import sys

from auditwheel import policy
from auditwheel.main import main

LACKING = re.compile(r"lib(X11|Xext|Xrender|ICE|SM|atomic|g(lib|object|thread)-2\.0)\.so\.")
fixed = policy._fixup_musl_libc_soname


def whitelist(libc, arch, names):
    return fixed(libc, arch, [name for name in names if not LACKING.match(name)])


policy._fixup_musl_libc_soname = whitelist
sys.exit(main())
"""


def run(job: dict[str, Any], root: str, channel: Channel) -> dict[str, object]:
    """Send the finished wheel as the file of its own name; return what was done to it.

    ``repaired``: whether auditwheel had anything to do; ``seconds``: time by stage; ``varied``: see
    :class:`~.environment.Environment`.
    """
    clock = Stopwatch()
    channel.message({"type": "phase", "phase": "unpacking"})
    source = unpack(
        os.path.join(root, str(job["sdist"])), os.path.join(root, "source"), job["subdirectory"]
    )
    environment = environments.create(job, root)
    clock.lap("prepare")
    channel.message({"type": "phase", "phase": "building"})
    if job["regenerate"]:
        regenerate(source, environment.python, environment.variables)
    wheel = _build(environments.backend(source, environment), job["config_settings"], root)
    clock.lap("build")
    repaired = not wheel.endswith("-any.whl")
    if repaired:
        channel.message({"type": "phase", "phase": "repairing"})
        wheel = _repair(job, wheel, root, environment.variables)
        clock.lap("repair")
    channel.file(os.path.basename(wheel), wheel)
    return {"repaired": repaired, "seconds": clock.laps, "varied": environment.varied}


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        """The stage that ends now is called *stage*."""
        now = time.monotonic()
        self.laps[stage], self._last = round(now - self._last, 3), now


def _build(hooks: BuildBackendHookCaller, settings: Any, root: str) -> str:
    folder = os.path.join(root, "wheel")
    os.makedirs(folder)
    with environments.hook("build"):
        hooks.build_wheel(folder, settings)
    return only_wheel(folder, "the build backend")


def only_wheel(folder: str, who: str) -> str:
    """The one wheel in *folder*. What a backend says it made is not believed: only what lies there.

    Raises JobError(``build``) for none, several, or one that is no regular file.
    """
    names = [name for name in os.listdir(folder) if name.endswith(".whl")]
    if len(names) != 1:
        raise JobError("build", f"{who} left {len(names)} wheels instead of one")
    path = os.path.join(folder, names[0])
    mode = os.lstat(path).st_mode
    if not stat.S_ISREG(mode) or mode & (stat.S_ISUID | stat.S_ISGID):
        raise JobError("build", f"{who} left {names[0]}, which is no regular file")
    return path


def _repair(job: dict[str, Any], wheel: str, root: str, variables: Mapping[str, str]) -> str:
    """Run auditwheel. Without ``--only-plat`` the wheel also gets the lowest tag it deserves.

    A wheel that is too new for the policy is repaired for whatever it fits: only with the
    libraries that it brings along can the gate tell which file needs what, and refuse it.
    """
    folder = os.path.join(root, "repaired")
    done = _auditwheel(job, str(job["policy"]), wheel, folder, variables)
    if TOO_NEW in done.stdout:
        done = _auditwheel(job, "auto", wheel, folder, variables)
    if NO_ELF in done.stdout:
        if job["allow_pure"]:
            return wheel
        raise JobError("extension", "its C extension was left out, although the build succeeded")
    if done.returncode:
        raise JobError("repair", _last_line(done.stdout) or "auditwheel failed")
    return only_wheel(folder, "auditwheel")


def _auditwheel(
    job: dict[str, Any], policy: str, wheel: str, folder: str, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Have *wheel* repaired for *policy*, into *folder*; what auditwheel prints is logged too."""
    arguments = [
        *("repair", "--plat", policy, "--strip", "--wheel-dir", folder),
        *(part for soname in job["exclude"] for part in ("--exclude", soname)),
        wheel,
    ]
    path = os.pathsep.join([str(job["tools"]["path"]), variables["PATH"]])
    done = run_auditwheel(job, arguments, {**variables, "PATH": path})
    sys.stderr.write(done.stdout)
    return done


def run_auditwheel(
    job: Mapping[str, Any], arguments: Sequence[str], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run auditwheel with *arguments*; its output, errors included, is in the result's stdout."""
    return subprocess.run(
        [job["tools"]["python"], "-I", "-c", AUDITWHEEL, *arguments],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("auditwheel: error: ") if lines else ""
