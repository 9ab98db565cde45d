"""Job ``distributions``: the Python packages that an image has by itself.

Runs on the target's own Python.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel

#: What is told of METADATA.
FIELDS = ("Metadata-Version", "Name", "Version", "Requires-Python", "Provides-Extra")

#: Bytes of METADATA that are told at most; no distribution has as many requirements.
LONGEST = 1 << 20


def run(job: dict[str, object], root: str, channel: Channel) -> dict[str, object]:
    """Return ``metadata``: of each distribution that this interpreter finds, what says what it is
    and what it requires.

    What stands first on its path hides others of the same name, as it does for imports.
    """
    return {"metadata": [_told(each) for each in importlib.metadata.distributions()]}


def _told(distribution: Any) -> str:
    metadata = distribution.metadata
    lines = [
        f"{field}: {' '.join(str(value).split())}\n"
        for field in FIELDS
        for value in metadata.get_all(field, [])
    ]
    # Old forms have their requirements in a file of their own, which only this reads.
    lines += [f"Requires-Dist: {line}\n" for line in distribution.requires or []]
    return "".join(lines)[:LONGEST]
