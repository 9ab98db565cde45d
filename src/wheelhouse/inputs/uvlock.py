"""Reading `uv.lock`, by way of uv, which exports it as PEP 751.

Of the project, uv takes what a deployment wants: `uv sync --no-dev`. That is the project, if it is
a package, and all that it depends on; its default groups, but for `dev`; and the extras and groups
that are chosen beyond that, `dev` perhaps among them. uv resolves nothing, asks no index and
needs no Python for it. It does not look whether the lock is of the `pyproject.toml` as it is now:
`uvstale.py` does, as far as that can be told without a new resolution.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wheelhouse.errors import ConfigError, InterruptedRunError, raise_all
from wheelhouse.inputs.addresses import redacted
from wheelhouse.inputs.lockentries import LockFile
from wheelhouse.inputs.lockreading import Places, with_project
from wheelhouse.inputs.model import Requirements
from wheelhouse.inputs.pylockfile import from_pylock
from wheelhouse.inputs.tomllock import read_beside, read_toml, table, tables
from wheelhouse.inputs.uvstale import changed_since
from wheelhouse.text import sanitize
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.inputs.tomllock import TomlFile
    from wheelhouse.settings import InputFile

#: What makes the lock anew.
RENEW = "uv lock"

#: The group that a deployment does not want unless it is asked for.
DEV = "dev"

#: What of the host's environment uv may see: nothing that says how it is to work.
PASSED = ("TMPDIR", "LANG", "LC_ALL")

#: How uv ends when it is stopped together with this program.
STOPPED = {-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP, 130, 143}

#: Seconds that uv may take. It reads two files and writes one.
LIMIT = 120.0


def read_uv_lock(root: Path, file: InputFile) -> Requirements:
    """What `uv sync --no-dev` installs from the `uv.lock` *file*, for whichever target.

    :param root: the project's folder.
    :raises ConfigError: it cannot be used, or there is no `pyproject.toml` beside it.
    """
    root = root.resolve()
    lock = read_toml(root, file.path)
    beside = read_beside(lock, root)
    if beside is None:
        raise ConfigError(
            f"{lock.shown}: there is no pyproject.toml beside it, by which uv knows what of it is "
            "for whom",
            hint="put the project's pyproject.toml beside it, or name what `uv export --format "
            "pylock.toml` writes instead",
        )
    _refuse_old(lock, root)
    places = Places(root, lock.path.parent)
    exported = tomllib.loads(_exported(lock, file))
    about = LockFile(path=lock.shown, renew=RENEW)
    found = from_pylock(exported, about, replace(file, extras=(), groups=()), places)
    entries = with_project(found.entries, file.project, lock.text, root)
    return Requirements(
        asked=(),
        locks=(replace(found, entries=entries),),
        files={**lock.text.files, **beside.text.files, **dict(_members(lock, root))},
        credentials=places.credentials,
    )


def _exported(lock: TomlFile, file: InputFile) -> str:
    """What uv makes of it, in the form of PEP 751.

    :raises ConfigError: it is none of uv's that this uv reads, or lacks an extra or group.
    """
    from uv import find_uv_bin

    command = [
        *(find_uv_bin(), "export", "--format", "pylock.toml", "--project", str(lock.path.parent)),
        *("--frozen", "--offline", "--no-config", "--no-cache", "--no-python-downloads"),
        *("--quiet", "--no-header", "--color", "never"),
        *(() if DEV in file.groups else ("--no-dev",)),
        *(part for name in file.extras for part in ("--extra", name)),
        *(part for name in file.groups for part in ("--group", name)),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=lock.path.parent,
            env={name: os.environ[name] for name in PASSED if name in os.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"{lock.shown}: uv has not read it in {LIMIT:.0f} s", hint="try again"
        ) from error
    if done.returncode in STOPPED:
        raise InterruptedRunError(f"stopped while uv read {lock.shown}")
    if done.returncode:
        why = _told(done.stderr)
        raise ConfigError(f"{lock.shown}: uv cannot use it: {why}", hint=_hint(why))
    return done.stdout


def _told(stderr: str) -> str:
    """uv's explanation as one line, without credentials."""
    lines = (sanitize(redacted(line)).strip() for line in stderr.splitlines())
    return " ".join(line for line in lines if line).removeprefix("error: ")


def _hint(why: str) -> str:
    """The next step, where uv has told *why* it cannot use a lock."""
    if "missing hashes" in why:  # it would download each file to know its hash
        return (
            "its index names no hashes: `uv export --format pylock.toml -o pylock.toml` finds them "
            "out; name pylock.toml instead"
        )
    return (
        f"see that `{RENEW} --check` succeeds, and that the extras and groups that are named are "
        "those of the project"
    )


def _refuse_old(lock: TomlFile, root: Path) -> None:
    """Raise ConfigError if projects of the workspace require something else than *lock* says."""
    errors = []
    for package in tables(lock.data, "package"):
        path = _project_file(lock, package)
        if path is None or not path.is_relative_to(root):
            continue
        project = read_toml(root, path)
        if changed := changed_since(package, project.data):
            errors.append(
                ConfigError(
                    f"{lock.shown}: {project.shown} has changed since it was made, "
                    f"in what it requires: {printable(', '.join(changed))}",
                    hint=f"run `{RENEW}`",
                )
            )
    raise_all(errors)


def _members(lock: TomlFile, root: Path) -> Iterator[tuple[Path, str]]:
    """The other `pyproject.toml` files of its workspace, with the SHA-256 of each."""
    for package in tables(lock.data, "package"):
        path = _project_file(lock, package)
        if path is not None and path.parent != lock.path.parent and path.is_relative_to(root):
            yield path, hashlib.sha256(path.read_bytes()).hexdigest()


def _project_file(lock: TomlFile, package: dict[str, Any]) -> Path | None:
    """The `pyproject.toml` of *package*, resolved, if it is of a folder with one."""
    source = table(package, "source")
    folder = source.get("editable") or source.get("virtual") or source.get("directory")
    try:
        path = (lock.path.parent / str(folder) / "pyproject.toml").resolve()
        return path if folder is not None and path.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a link to itself, too long a name, NUL
        return None
