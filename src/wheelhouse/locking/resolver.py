"""Choosing versions: uv's resolver, over a view of the index."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse.durable import full
from wheelhouse.errors import InterruptedRunError, LockError, raise_all
from wheelhouse.locking.view import View, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.specifiers import Specifier

    from wheelhouse.targets import Interpreter

#: What of the host's environment uv may see. Its own settings, pip's, and Python's are not among
#: it: a result must not depend on them.
PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "USER")

#: How long, in seconds, uv runs between two looks at whether it is to be stopped.
LOOK = 0.1

#: How uv ends when there is no solution; otherwise than when it cannot look for one.
UNSOLVABLE = 1

#: How uv says that it could not write its files.
FULL = f"(os error {errno.ENOSPC})"

#: How uv ends when a terminal's Ctrl-C, or whoever stops the whole process group, stops it, too.
STOPPED = {-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP, 130, 143}


class UnsolvableError(LockError):
    """No choice of versions is all that is asked for; the message is uv's explanation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """A chosen version, with the extras that something asked for."""

    name: NormalizedName
    version: Version
    extras: tuple[str, ...] = ()


def resolve(
    view: View,
    interpreter: Interpreter,
    requirements: Sequence[str],
    *,
    folder: Path,
    constraints: Sequence[str] = (),
    preferences: Mapping[NormalizedName, Version] | None = None,
    prereleases: bool = False,
    lowest: bool = False,
    check: Callable[[], None] = lambda: None,
) -> tuple[Pin, ...]:
    """Choose a version for each of *requirements* and all that they need.

    :param folder: an empty one, for the files that uv reads and writes.
    :param preferences: versions to keep if nothing speaks against them.
    :param lowest: whether *requirements* themselves are to have the lowest versions.
    :param check: called time and again; what it raises stops uv at once.
    :raises UnsolvableError: there is no such choice.
    :raises LockError: a requirement cannot be asked for from an index.
    :raises WheelhouseError: an answer of the index, or a package's metadata, could not be had.
    """
    from uv import find_uv_bin

    with serve(view) as url:
        command = [
            *(find_uv_bin(), "pip", "compile", "--quiet", "--no-config", "--no-cache"),
            *("--default-index", url, "--no-build", "--no-python-downloads"),
            *("--python", sys.executable, "--python-platform", _platform(interpreter)),
            *("--python-version", str(interpreter.full_version.base_version)),
            *("--no-header", "--no-annotate", "--no-strip-extras", "--color", "never"),
            *(("--prerelease", "allow") if prereleases else ()),
            *(("--resolution", "lowest-direct") if lowest else ()),
            *("--constraints", _write(folder, "constraints.txt", _plain(constraints))),
            *("--output-file", _write(folder, "locked.txt", _pins(preferences or {}))),
            _write(folder, "requirements.in", _plain(requirements)),
        ]
        status, told = _run(command, folder, check)
        if status:
            raise_all([each for each in view.errors if isinstance(each, InterruptedRunError)][:1])
            raise_all(view.errors)
            if status in STOPPED:
                raise InterruptedRunError("stopped while versions were chosen")
            if FULL in told:
                raise full(folder)
            kind = UnsolvableError if status == UNSOLVABLE else LockError
            raise kind(explain(told, url))
        return tuple(_parse((folder / "locked.txt").read_text("utf-8").splitlines()))


def _run(command: Sequence[str], folder: Path, check: Callable[[], None]) -> tuple[int, str]:
    """Run uv; how it ends, and what it says."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as uv:
        try:
            while True:
                check()
                try:
                    _, told = uv.communicate(timeout=LOOK)
                except subprocess.TimeoutExpired:
                    continue
                return uv.returncode, told
        except BaseException:
            uv.kill()
            raise


#: Of what is in a project's metadata: the user's own lines were read before.
_PLAIN_HINT = "pin another version of the project that asks for it"


def _is_version(specifier: Specifier) -> bool:
    try:
        Version(specifier.version)
    except ValueError:
        return False
    return True


def _plain(lines: Iterable[str]) -> Iterable[str]:
    """*lines*, all of which are requirements of an index's projects.

    Those of builds are a stranger's text: uv would take them for options, files and addresses,
    too. Raises LockError.
    """
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise LockError(f"{line[:200]!r} is no requirement", hint=_PLAIN_HINT) from error
        if requirement.url is not None:
            raise LockError(f"{line[:200]!r} does not come from an index", hint=_PLAIN_HINT)
        if any(each.operator == "===" and not _is_version(each) for each in requirement.specifier):
            raise LockError(
                f"{line[:200]!r} wants what is no version", hint="write a version behind `==`"
            )
        yield str(requirement)


def _write(folder: Path, name: str, lines: Iterable[str]) -> str:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def _pins(versions: Mapping[NormalizedName, Version]) -> list[str]:
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


def _environment(folder: Path) -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED if name in os.environ} | {
        "TMPDIR": str(folder),  # one disk for all that a run writes for itself
        "NO_PROXY": "127.0.0.1",
        "UV_CONCURRENT_DOWNLOADS": "16",  # each has a connection of its own to the real index
        "UV_HTTP_TIMEOUT": "900",  # the view answers once the real index, or a container, has
    }


def _platform(interpreter: Interpreter) -> str:
    """The platform by whose markers uv resolves; tags are the view's business."""
    machine = interpreter.environment["platform_machine"]
    if interpreter.libc.family == "musl":
        return f"{machine}-unknown-linux-musl"
    return f"{machine}-manylinux_2_28"


def _parse(lines: Iterable[str]) -> Iterable[Pin]:
    """The pins of uv's *lines*: it tells extras that are wanted on different conditions apart."""
    pins: dict[NormalizedName, Pin] = {}
    for line in lines:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        found = Requirement(text)
        (specifier,) = found.specifier
        name = canonicalize_name(found.name)
        others = pins[name].extras if name in pins else ()
        pins[name] = Pin(
            name=name,
            version=Version(specifier.version),
            extras=tuple(sorted({*found.extras, *others})),
        )
    return pins.values()


def explain(stderr: str, url: str) -> str:
    """uv's explanation as one paragraph, without what only concerns how it was run."""
    lines = [line for line in stderr.replace(url, "").splitlines() if line.strip()]
    text: list[str] = []
    for line in lines:
        if line.lstrip().startswith("hint:"):
            break
        text.append(re.sub(r"^\s*(error|cause)\s*:\s*", "", line).strip())
    told = " ".join(text).replace("No solution found when resolving dependencies ", "") or stderr
    # The tag in it is only that by which uv was told the platform; see `view.py`.
    return re.sub(r" with a matching platform tag \(e\.g\., `[^`]*`\)", " for this target", told)
