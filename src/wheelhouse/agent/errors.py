"""The one exception of the agent."""

from __future__ import annotations


class JobError(Exception):
    """A job failed in *stage* (``unpack``, ``environment``, ``requires``, ``build``, ...).

    *message* is one sentence for a person; the log has the rest.
    """

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
