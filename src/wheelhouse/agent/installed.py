"""Job ``installed``: the packages of the distribution that an image has.

Runs on whichever Python the image has, so also on an old one.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from .errors import JobError

if TYPE_CHECKING:
    from .channel import Channel

#: What prints one name per line. An image has one of them.
COMMANDS = (
    ("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\\n"),
    ("rpm", "--query", "--all", "--queryformat", "installed %{NAME}\\n"),
    ("apk", "info"),
)


def run(job: dict[str, object], root: str, channel: Channel) -> dict[str, object]:
    """Return ``packages``, their names; none where nothing manages packages."""
    command = next((each for each in COMMANDS if shutil.which(each[0])), None)
    if command is None:
        return {"packages": []}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise JobError("installed", f"{command[0]} ended with status {done.returncode}")
    rows = [line.split() for line in done.stdout.decode("utf-8", "replace").splitlines()]
    return {"packages": [row[-1] for row in rows if row[:-1] in ([], ["installed"])]}
