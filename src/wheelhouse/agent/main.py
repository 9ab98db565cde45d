"""Reads its job, does it, reports, ends.

Every job is a module with ``run(job, root, channel) -> dict`` whose result goes back as one
``result`` message. A :class:`JobError` goes back as ``failed`` with the stage it names. Either
carries what of its limits the job has run into (:mod:`.limits`).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
import traceback

from . import network
from .channel import Channel
from .errors import JobError
from .init import supervise
from .limits import DISK, Counters, Disk, reached

JOBS = ("build", "distributions", "find", "installed", "metadata", "probe", "prove", "repair")

#: Seconds between two looks at the limits.
PAUSE = 0.5


def main(root: str) -> None:
    """Do the job described in ``ROOT/job.json``, in a process of its own. Never returns."""
    supervise()
    channel, before = Channel(), Counters.read()
    network.listen(channel)
    disk = Disk(root, int(os.environ[DISK])) if DISK in os.environ else None
    threading.Thread(target=_watch_limits, args=(channel, before, disk), daemon=True).start()
    try:
        with open(os.path.join(root, "job.json"), encoding="utf-8") as file:
            job = json.load(file)
        if job["kind"] not in JOBS:
            raise JobError("job", f"unknown job {job['kind']!r}")  # noqa: TRY301
        module = importlib.import_module("." + job["kind"], __package__)
        reply = {"type": "result", **module.run(job, root, channel)}
    except JobError as error:
        reply = {"type": "failed", "stage": error.stage, "message": error.message}
    except Exception as error:
        traceback.print_exc()
        reply = {"type": "failed", "stage": "agent", "message": f"{type(error).__name__}: {error}"}
    sys.stderr.flush()
    channel.message({**reply, "reached": reached(before, root)})
    os._exit(0)


def _watch_limits(channel: Channel, before: Counters, disk: Disk | None) -> None:
    """Tell at once of a fork that was refused: who forks without end may never end by itself.

    And end the job when its files on a disk become too many, of which nothing else keeps it.
    """
    told = False
    while not (told and disk is None):
        if not told and Counters.read().forks > before.forks:
            told = True
            channel.message({"type": "crowded"})
        if disk is not None and disk.is_overfull():
            channel.message(
                {"type": "failed", "stage": "disk", "message": "its files are too many"}
            )
            os._exit(1)
        time.sleep(PAUSE)
