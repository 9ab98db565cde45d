"""Clearing up after a run that was killed by force, at once and not only by the next run.

A killed process can do nothing any more, and most of what it had ends by itself: a container's
process 1 when its standard input closes, locks by the kernel. What is left is a container between
its creation and its start, a resolver that has lost its index, and temporary files. So a run has a
small companion, a process of its own, that waits for the end of a pipe. A run that ends in good
order says so, and then it does nothing.

It is no promise: who kills all processes of a machine kills the companion too. Then it is the next
run that clears up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: How a companion begins: with this package, and with nothing that lies about.
BEGINNING = """
import sys
sys.path.append(sys.argv[1])
from wheelhouse.aftercare import main
main(sys.argv[2:])
"""

#: What a run that ends in good order says.
GOOD = b"."

#: Seconds that a companion has to end where there is nothing to do.
PATIENCE = 1.0

#: Seconds between the looks after the end of a killed run: what it had asked the engine for last
#: may come to be a moment later.
PAUSES = (0.0, 0.5, 1.0, 2.0, 3.0)


@contextmanager
def companion(engine: str, store: Path, output: Path, project: Path) -> Iterator[None]:
    """Within the block, this process has one.

    :param engine: the name of the engine whose containers it removes.
    :param store: the root of the store.
    :param output: where wheelhouses are put.
    :param project: where locks are written.
    """
    process = _started(engine, *(str(each.absolute()) for each in (store, output, project)))
    try:
        yield
    finally:
        _dismiss(process)


def _started(*arguments: str) -> subprocess.Popen[bytes] | None:
    """None where none can be started: it is no part of the work."""
    folder = str(Path(__file__).parents[1])
    command = [sys.executable, "-I", "-c", BEGINNING, folder, str(os.getpid()), *arguments]
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends a terminal's processes is not for it
        )
    return None


def _dismiss(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.stdin is not None:
        with contextlib.suppress(OSError):  # it may have been killed itself
            process.stdin.write(GOOD)
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)


def main(arguments: Sequence[str]) -> None:
    """Be the companion of the process that has started this one."""
    pid, engine, *folders = arguments
    if sys.stdin.buffer.read(1):
        return
    for pause in PAUSES:
        time.sleep(pause)
        with contextlib.suppress(Exception):  # there is nobody to tell; the next run does it
            _clear(int(pid), engine, *map(Path, folders))


def _clear(pid: int, engine: str, store: Path, output: Path, project: Path) -> None:
    from wheelhouse.durable import remove_leftovers
    from wheelhouse.publish import clean_leftovers
    from wheelhouse.store import Store

    _end_processes(store / "tmp" / f"{pid}-")
    Store(store).clean(ended=pid)
    clean_leftovers(output)
    remove_leftovers(project, ended=pid)
    if engine != "local":
        from wheelhouse.engine.docker import remove_containers_of
        from wheelhouse.engine.docker_connect import connect

        remove_containers_of(pid, connect())


def _end_processes(folders: Path) -> None:
    """Kill what works for the ended process in a folder whose path begins with *folders*.

    The resolver would go on for a while with asking a server that is no more.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if str((process / "cwd").readlink()).startswith(str(folders)):
                os.kill(int(process.name), signal.SIGKILL)
