"""Process 1: it starts the one that does the job, and everything ends with it.

It ends, and all that the job has started with it, once standard input closes. The other end closes
it when it has what it wants, and the kernel does when the other end dies by whatever signal: no
container outlives the program that started it.

Whatever loses its parent becomes a child of process 1; so it buries the dead, which would count
against the limit of processes otherwise. Where there is no container to end, on the local engine,
it finds its descendants and kills them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

from .limits import Counters, reached

#: From <linux/prctl.h>.
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36

#: Exit statuses of a container whose worker was killed for want of memory: of its own, or of the
#: machine's; and of one whose other end is gone. Nothing else that ends a worker has them.
CONTAINER_FULL = 201
MACHINE_FULL = 202
ABANDONED = 203

BLOCK = 1 << 20

#: Seconds in which what is killed may start something new, where there is no container to end.
STRUGGLE = 2.0

#: Taken by who ends this process.
_ENDING = threading.Lock()


def supervise() -> None:
    """Return in a new process, which does the job; this one only sees to its end.

    The new one has no standard input, and its exit status becomes this one's.
    """
    # A job's programs have the same user: without this they could write into the pipe with the
    # answer by way of /proc, or trace who writes it.
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    before = Counters.read()
    worker = os.fork()
    if not worker:
        with open(os.devnull, "rb", buffering=0) as nothing:
            os.dup2(nothing.fileno(), 0)
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which process 1 of a container does not feel
    if os.getpid() != 1:
        signal.signal(signal.SIGTERM, _end_by_signal)
    threading.Thread(target=_watch_input, daemon=True).start()
    _end(_bury_until(worker, before))


def _end_by_signal(number: int, frame: object) -> None:
    if not _ENDING.locked():  # else this thread may be the one that is at it
        _end(128 + number)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _watch_input() -> None:
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin.buffer.read(BLOCK):
            pass
    _end(ABANDONED)


def _bury_until(worker: int, before: Counters) -> int:
    """Wait for all children until *worker* has ended; its exit status."""
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:  # another thread was faster, and ends this process
            time.sleep(STRUGGLE)
            continue
        if pid == worker:
            return _told(os.waitstatus_to_exitcode(status), before)


def _told(code: int, before: Counters) -> int:
    """The exit status for a worker's, which is negative for the signal that has ended it."""
    if code == -signal.SIGKILL:
        memory = reached(before, "").get("memory")
        if memory:
            return CONTAINER_FULL if memory == "container" else MACHINE_FULL
    return min(code, 128) if code >= 0 else 128 - code


def _end(status: int) -> None:
    """End this process, and all that it has started; once, with the status it is first told.

    Who comes later, such as for the worker that is killed here, has nothing to do but wait.
    """
    while not _ENDING.acquire(blocking=False):
        time.sleep(STRUGGLE)
    if os.getpid() != 1:
        _kill_descendants()
    os._exit(status)


def _kill_descendants() -> None:
    """Kill whatever comes from this process, also what has left its session and its parents.

    They cannot leave the line of descent, for orphans become children of this process; but while
    some die, others may fork. So it is done until none is found.
    """
    deadline = time.monotonic() + STRUGGLE
    while (found := descendants(os.getpid())) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def descendants(ancestor: int) -> list[int]:
    """The processes that come from *ancestor*, as far as ``/proc`` tells."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found = list(children.get(ancestor, ()))
    for pid in found:
        found += children.get(pid, ())
    return found
