"""What auditwheel grafts, with the tool itself."""

from __future__ import annotations

import subprocess
import sys

from wheelhouse.agent.build import AUDITWHEEL

SHOWN = """
from auditwheel.architecture import Architecture
from auditwheel.libc import Libc

every = policy.WheelPolicies(libc=Libc.GLIBC, arch=Architecture.x86_64)
print(*every.get_policy_by_name("manylinux_2_36_x86_64").whitelist)
"""


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-I", "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_auditwheel_runs_as_it_does_by_itself() -> None:
    assert "auditwheel" in run(AUDITWHEEL, "--version")


def test_libraries_that_small_servers_lack_are_grafted() -> None:
    kept = set(run(AUDITWHEEL.replace("sys.exit(main())", SHOWN)).split())
    assert {"libc.so.6", "libstdc++.so.6", "libz.so.1", "libGL.so.1"} <= kept
    assert not kept & {"libX11.so.6", "libXrender.so.1", "libglib-2.0.so.0", "libatomic.so.1"}
