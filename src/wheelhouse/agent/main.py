"""Process 1: reads its job, does it, reports, ends.

Every job is a module with ``run(job, root, channel) -> dict`` whose result goes back as one
``result`` message. A :class:`JobError` goes back as ``failed`` with the stage it names.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

from .channel import Channel, end_with_input, out_of_memory_kills
from .errors import JobError

JOBS = ("build", "distributions", "find", "installed", "metadata", "probe", "prove")


def main(root: str) -> None:
    """Do the job described in ``ROOT/job.json``. Never returns."""
    channel = Channel()
    end_with_input()
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
    channel.message({**reply, "oom_kills": out_of_memory_kills()})
    os._exit(0)
