"""Commands in a process of their own, and the most memory that it had."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Runs the program, then tells the peak: the kernel's own account of a process that has ended may
#: be that of the one that started it.
_PROGRAM = """
import re, runpy, sys
try:
    runpy.run_module("wheelhouse", run_name="__main__", alter_sys=True)
finally:
    status = open("/proc/self/status").read()
    print("PEAK", re.search(r"VmHWM:\\s+(\\d+) kB", status)[1], file=sys.stderr)
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A command that went well.

    :ivar peak: bytes of memory that its process had at most.
    """

    out: str
    err: str
    peak: int


def measured(
    folder: Path, environment: Mapping[str, str], *arguments: str, timeout: float = 300
) -> Measured:
    """Run ``wheelhouse`` with *arguments* in *folder*."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    peak = re.search(r"^PEAK (\d+)$", done.stderr, re.MULTILINE)
    assert done.returncode == 0, done.stderr
    assert peak is not None, done.stderr
    return Measured(out=done.stdout, err=done.stderr, peak=int(peak[1]) * 1024)
