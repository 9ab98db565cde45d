"""What stands between cibuildwheel and a recipe in the container: set up first, repair last.

cibuildwheel has its own protocol; this part of the agent is called by its commands. It runs as
root, as recipes expect, in a container with no more rights than :mod:`wheelhouse.engine` gives it.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
from typing import TYPE_CHECKING

from . import environment, toolkit
from .repair import TOO_NEW, excluding, run_auditwheel

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from typing import Any

#: The folder in *root* where the parts of CUDA in the build environment are together.
CUDA = "cuda"

#: Where recipes find the programs that the images of cibuildwheel have.
PROGRAMS = "/usr/local/bin"

AUDITWHEEL_SCRIPT = """\
#!{python} -I
import sys
sys.path.insert(0, {agent!r})
from wheelhouse_agent.cibuildwheel import auditwheel
sys.exit(auditwheel(sys.argv[1:], {job!r}))
"""


def prepare(luggage: str, root: str) -> None:
    """Make the container ready for the recipe: called before its first command.

    *luggage*, which came in the project's folder, becomes *root*: a backend may take whatever lies
    in the project for a part of it. The locked build requirements are installed beside the
    target's Python too, so that a recipe's own ``pip install cython`` finds what it asks for.
    Raises JobError(``environment``).
    """
    _end_with_input()
    shutil.move(luggage, root)
    with open(os.path.join(root, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    _provide_programs(job, root)
    python = str(job["python"])
    environment.install(job, python, root)
    if job["cuda"]:
        here = environment.site_packages_of(os.path.dirname(os.path.dirname(python)))
        toolkit.gather(here, os.path.join(root, CUDA))


def _end_with_input() -> None:
    """Have all processes killed when standard input closes: then nobody waits for them any more.

    It closes when cibuildwheel ends, by whatever signal. Its shell would notice only once the
    present command is over; rid of that, it ends at once, and the container with it.
    """
    if os.fork():
        return
    os.setsid()
    with open(os.devnull, "r+b", buffering=0) as null:
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    watch = select.poll()
    watch.register(0, 0)  # its end is always told
    watch.poll()
    os.kill(-1, signal.SIGKILL)
    os._exit(0)


def _provide_programs(job: Mapping[str, Any], root: str) -> None:
    tools = job["tools"]
    os.makedirs(PROGRAMS, exist_ok=True)
    for name in ("uv", "patchelf"):
        place = os.path.join(PROGRAMS, name)
        _clear(place)
        os.symlink(os.path.join(tools["path"], name), place)
    place = os.path.join(PROGRAMS, "auditwheel")
    _clear(place)
    with open(place, "w", encoding="utf-8") as file:
        file.write(
            AUDITWHEEL_SCRIPT.format(
                python=tools["python"],
                agent=os.path.join(root, "agent"),
                job=os.path.join(root, "job.json"),
            )
        )
    os.chmod(place, 0o755)


def _clear(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)


def auditwheel(arguments: Sequence[str], job_file: str) -> int:
    """The recipe's ``auditwheel``: ours, and a repair is for the target, whatever it was told.

    A wheel that is too new for the target is repaired for what it fits; see :mod:`.repair`.
    Returns the exit status.
    """
    with open(job_file, encoding="utf-8") as file:
        job = json.load(file)
    exclude = job["exclude"]
    done = _auditwheel(job, for_target(arguments, str(job["policy"]), exclude))
    if TOO_NEW in done.stdout:
        done = _auditwheel(job, for_target(arguments, "auto", exclude))
    return done.returncode


def for_target(arguments: Sequence[str], policy: str, exclude: Sequence[str]) -> list[str]:
    """auditwheel's *arguments*; a repair's are held to *policy* and copy nothing of *exclude*.

    Of two platforms the last counts.
    """
    if "repair" not in arguments:
        return list(arguments)
    return [*arguments, "--strip", "--plat", policy, *excluding(exclude)]


def _auditwheel(
    job: Mapping[str, Any], arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    done = run_auditwheel(job, arguments, os.environ)
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done
