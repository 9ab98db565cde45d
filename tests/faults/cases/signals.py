"""Group 18: Ctrl-C, once and twice, TERM and HUP, at random moments and where something hangs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faults.case import Case
from faults.mixture import REQUIREMENTS, mixture
from faults.world import Finished, succeeded
from flakyindex import Answer, FlakyIndex
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faults.world import World

#: Seconds from a signal to the end of the command.
LIMIT = 10.0

#: The name of the figure.
SECONDS = "seconds from Ctrl-C to the end"

#: Signals at random moments, and how many seconds into a run they may come.
TRIES, LATEST = 24, 5.0

#: Seconds that a server says nothing.
HANG = 40.0

SLEEPS = """
def before_build(directory):
    import time
    print("sleeping", flush=True)
    time.sleep(99)
"""


def _send(process: subprocess.Popen[str], number: int, *, to_all: bool) -> None:
    """Send the signal; a terminal's goes to the children too."""
    if to_all:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def _stop(
    world: World,
    process: subprocess.Popen[str],
    *numbers: int,
) -> None:
    """Send *process* the signals, which must end it as they should."""
    for number in numbers:
        _send(process, number, to_all=False)
        time.sleep(0.1 if len(numbers) > 1 else 0)
    _check_stopped(world, _ended(world, process), numbers[-1])


def _ended(world: World, process: subprocess.Popen[str]) -> Finished:
    """The end of *process*, which was sent a signal a moment ago."""
    return world.ended(process, timeout=4 * LIMIT)


def _check_stopped(world: World, done: Finished, number: int) -> None:
    """The signal *number* must have ended *done* as it should."""
    world.figures.sample(SECONDS, done.seconds)
    wanted = 128 + number
    assert done.status == wanted, f"exit status {done.status}, not {wanted}: {done.said}"
    assert done.seconds < LIMIT, f"it took {done.seconds:.1f} s: {done.said}"
    assert "error[interrupted]" in done.said, done.said
    left = [*world.store.glob("tmp/*"), *world.dist.glob(".*"), *world.project.glob(".*")]
    assert not left, f"left behind: {left}"


def _until(world: World, process: subprocess.Popen[str], seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert process.poll() is None, world.ended(process).said
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.01)


# -- at any moment -------------------------------------------------------------------------------


def _at_any_moment(world: World) -> None:
    moments = random.Random(18)
    world.own_store()
    world.plant()
    with mixture() as index:
        world.configure(REQUIREMENTS, index=index.url)
        for number in range(TRIES):
            _one(world, moments, to_all=number % 2 == 0)
            if number % 4 == 3:
                (world.project / "pylock.d12.toml").unlink(missing_ok=True)


def _one(world: World, moments: random.Random, *, to_all: bool) -> None:
    signals = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    process = world.start("build", "--plain", "--again")
    try:
        _until(world, process, lambda: _heeds_signals(process.pid))  # Python itself has started
        process.wait(moments.uniform(0, LATEST))
    except subprocess.TimeoutExpired:
        _send(process, number := moments.choice(signals), to_all=to_all)
        done = _ended(world, process)
        if done.status:  # else it had done all, and Python was past heeding anything
            _check_stopped(world, done, number)
            return
    else:
        done = world.ended(process)
    succeeded(done)
    world.replaces = True  # it was faster


def _heeds_signals(pid: int) -> bool:
    """Whether the process *pid* has a way with TERM, which ends one that has just begun."""
    told = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in told.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


# -- where it waits for something ----------------------------------------------------------------


def _in_a_build(world: World, *numbers: int) -> None:
    world.plant()
    before = set(world.store.glob("logs/*"))

    def asleep() -> bool:
        new = set(world.store.glob("logs/*")) - before
        return any("sleeping" in path.read_text(errors="replace") for path in new)

    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="slow", extra=SLEEPS))
        world.configure("slow==1.0\n", index=index.url)
        process = world.start("build", "--plain")
        _until(world, process, asleep)
        _stop(world, process, *numbers)


def _while_a_file_hangs(world: World, answer: Answer) -> None:
    world.own_store()
    world.plant()
    with FlakyIndex() as index:
        name = "slow-1.0-py3-none-any.whl"
        url = index.on(f"/files/{name}", answer)
        index.page("slow", [{"filename": name, "url": url, "hashes": {"sha256": "0" * 64}}])
        world.configure("slow==1.0\n", index=index.url("/simple"))
        process = world.start("build", "--plain")
        _until(world, process, lambda: index.count(f"/files/{name}") > 0)
        _stop(world, process, signal.SIGINT)


def _while_a_page_hangs(world: World, *command: str) -> None:
    world.plant()
    with FlakyIndex() as index:
        index.on("/simple/slow/", Answer(hang=HANG))
        world.configure("slow==1.0\n", index=index.url("/simple"))
        process = world.start(*command)
        _until(world, process, lambda: index.count("/simple/slow/") > 0)
        _stop(world, process, signal.SIGINT)


def _while_told_to_come_back_later(world: World) -> None:
    world.plant()
    with FlakyIndex() as index:
        index.on("/simple/busy/", Answer(status=429, headers={"Retry-After": "50"}))
        world.configure("busy==1.0\n", index=index.url("/simple"))
        process = world.start("build", "--plain")
        _until(world, process, lambda: index.count("/simple/busy/") > 0)
        time.sleep(0.3)
        _stop(world, process, signal.SIGINT)


def _while_another_run_holds(world: World) -> None:
    """The lock of a run that makes the same `pylock.toml`."""
    world.plant()
    world.own_store()
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="wanted"))
        world.configure("wanted==1.0\n", index=index.url)
        succeeded(world.run("lock"))
        (world.project / "pylock.d12.toml").unlink()
        with _held(world, "lock-*"):
            process = world.start("build", "--plain")
            time.sleep(3)
            _stop(world, process, signal.SIGINT)


def _while_another_run_makes_an_image(world: World) -> None:
    world.own_store()
    succeeded(world.run("images", "bootstrap", "debian12"))
    with _held(world, "*debian*"):
        process = world.start("images", "bootstrap", "debian12")
        time.sleep(2)
        _stop(world, process, signal.SIGINT)


@contextmanager
def _held(world: World, pattern: str) -> Iterator[None]:
    """Hold the locks of the store whose files match *pattern*."""
    with ExitStack() as stack:
        names = [path.stem for path in (world.store / "locks").glob(f"{pattern}.lock")]
        assert names, "there are no such locks"
        for name in names:
            stack.enter_context(Store(world.store).lock(name))
        yield


def _in(name: str, attempt: Callable[..., None], *details: object, everyday: bool = False) -> Case:
    return Case(
        group=18, name=name, attempt=lambda world: attempt(world, *details), everyday=everyday
    )


CASES = [
    _in(f"{TRIES} signals at random moments of a build", _at_any_moment),
    _in("Ctrl-C in the middle of a build", _in_a_build, signal.SIGINT, everyday=True),
    _in("Ctrl-C twice in the middle of a build", _in_a_build, signal.SIGINT, signal.SIGINT),
    _in("TERM in the middle of a build", _in_a_build, signal.SIGTERM, everyday=True),
    _in("HUP in the middle of a build", _in_a_build, signal.SIGHUP, everyday=True),
    _in("Ctrl-C while a download hangs", _while_a_file_hangs, Answer(hang=HANG)),
    _in("Ctrl-C while a download drips", _while_a_file_hangs, Answer(body=bytes(99), pause=1)),
    _in("Ctrl-C while a page hangs, of a build", _while_a_page_hangs, "build", "--plain"),
    _in("Ctrl-C while a page hangs, of `lock`", _while_a_page_hangs, "lock", "--plain"),
    _in("Ctrl-C while a page hangs, of `plan`", _while_a_page_hangs, "plan"),
    _in("Ctrl-C while an index is busy", _while_told_to_come_back_later),
    _in("Ctrl-C while another run locks", _while_another_run_holds),
    _in("Ctrl-C while another run makes an image", _while_another_run_makes_an_image),
]
