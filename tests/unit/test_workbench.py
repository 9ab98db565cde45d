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
from wheelhouse.cli import workbench  # noqa: TID251  (it is what is tested)
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import InterruptedRunError

workbench.PATIENCE = 0.5
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
        with workbench.stoppable(cancellation):
            unseen({number:d})
            cancelled.wait()
            time.sleep(30)
    except InterruptedRunError as error:
        sys.exit(error.exit_status)
    """
    assert status_of(code) == 128 + number


def test_a_second_signal_ends_it_at_once() -> None:
    code = f"""
    workbench.PATIENCE = 600
    with workbench.stoppable(cancellation):
        unseen({signal.SIGTERM:d}, {signal.SIGINT:d})
        threading.Event().wait()
    """
    assert status_of(code, AT_ONCE.format("SIGINT")) == 128 + signal.SIGINT


@pytest.mark.parametrize("where", ["within", "after"])
def test_a_run_that_does_not_end_is_ended(where: str) -> None:
    code = f"""
    try:
        with workbench.stoppable(cancellation):
            unseen({signal.SIGTERM:d})
            if {where == "within"}:
                threading.Event().wait()
            cancelled.wait()
            time.sleep(30)
    except InterruptedRunError:
        threading.Event().wait()
    """
    assert status_of(code, AT_ONCE.format("SIGTERM")) == 128 + signal.SIGTERM


def test_nothing_happens_to_what_is_not_stopped() -> None:
    code = """
    for _ in range(2):
        with workbench.stoppable(cancellation):
            pass
    time.sleep(1)  # more than its patience
    sys.exit(7 if cancelled.is_set() or threading.active_count() > 1 else 0)
    """
    assert status_of(code) == 0
