"""What a signal does to a command, each time in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

#: Ends with the status of its InterruptedRunError. `unseen` sends a signal which the main thread
#: does not see: its handler waits for what the main thread waits for.
BEGINNING = """
import os, signal, sys, threading, time
from wheelhouse.cli import interrupts  # noqa: TID251  (it is what is tested)
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import InterruptedRunError

interrupts.PATIENCE = 0.5
cancelled = threading.Event()
cancellation = Cancellation()
cancellation.also(cancelled.set)

def unseen(*numbers):
    def send():
        time.sleep(0.05)
        for number in numbers:
            signal.pthread_kill(threading.get_ident(), number)
            time.sleep(0.05)
    threading.Thread(target=send).start()
"""


AT_ONCE = "error[interrupted]: ended by {} at once; what was finished is kept\n"


def status_of(code: str, told: str = "") -> int:
    program = BEGINNING + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30)
    assert done.stderr.decode() == told
    return done.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_run_though_the_main_thread_waits(number: int) -> None:
    code = f"""
    try:
        with interrupts.stoppable(cancellation):
            unseen({number:d})
            cancelled.wait()
            time.sleep(30)
    except InterruptedRunError as error:
        sys.exit(error.exit_status)
    """
    assert status_of(code) == 128 + number


def test_a_second_signal_ends_it_at_once() -> None:
    code = f"""
    interrupts.PATIENCE = 600
    with interrupts.stoppable(cancellation):
        unseen({signal.SIGTERM:d}, {signal.SIGINT:d})
        threading.Event().wait()
    """
    assert status_of(code, AT_ONCE.format("SIGINT")) == 128 + signal.SIGINT


@pytest.mark.parametrize("where", ["within", "after"])
def test_a_run_that_does_not_end_is_ended(where: str) -> None:
    code = f"""
    try:
        with interrupts.stoppable(cancellation):
            unseen({signal.SIGTERM:d})
            if {where == "within"}:
                threading.Event().wait()
            cancelled.wait()
            time.sleep(30)
    except InterruptedRunError:
        threading.Event().wait()
    """
    assert status_of(code, AT_ONCE.format("SIGTERM")) == 128 + signal.SIGTERM


def test_who_is_ended_at_once_leaves_no_temporaries() -> None:
    code = f"""
    import pathlib, tempfile
    from wheelhouse.store import Store
    with tempfile.TemporaryDirectory() as root:
        store = Store(pathlib.Path(root))
        child = os.fork()
        if child:
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            sys.exit(status if not list((store.root / "tmp").iterdir()) else 7)
        with store.workspace() as folder, interrupts.stoppable(cancellation):
            (folder / "file").touch()
            unseen({signal.SIGINT:d})
            threading.Event().wait()
    """
    assert status_of(code, AT_ONCE.format("SIGINT")) == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_signal_while_there_is_no_run(number: int, when: str) -> None:
    code = f"""
    interrupts.watch()
    if {when == "after"}:
        interrupts.unwatch()
    try:
        signal.raise_signal({number:d})
    except KeyboardInterrupt as error:
        sys.exit(interrupts.told(error))
    """
    name = signal.Signals(number).name
    told = f"error[interrupted]: stopped by {name}\n  hint: run the command again\n"
    assert status_of(code, told) == 128 + number


@pytest.mark.parametrize("what", ["watch()", "unwatch()", "stoppable(cancellation).__enter__()"])
def test_what_is_to_be_ignored_is_ignored(what: str) -> None:
    """Such as what hangs up, by `nohup`."""
    code = f"""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.{what}
    signal.raise_signal(signal.SIGHUP)
    time.sleep(1)
    """
    assert status_of(code) == 0


def test_nothing_happens_to_what_is_not_stopped() -> None:
    code = """
    for _ in range(2):
        with interrupts.stoppable(cancellation):
            pass
    time.sleep(1)  # more than its patience
    sys.exit(7 if cancelled.is_set() or threading.active_count() > 1 else 0)
    """
    assert status_of(code) == 0
