"""From errors while versions are chosen to the user's own files: who asks for what. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.errors import LockError
from wheelhouse.locking.refusal import broken_promise, project_of
from wheelhouse.locking.telling import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelhouse.inputs.model import Requirements
    from wheelhouse.locking.model import RefusedFile

#: How many lines are told at most.
LINES = 6


def blaming(
    refused: Iterable[RefusedFile], error: LockError, requirements: Requirements
) -> LockError:
    """*error* with those of *refused* of whose projects it speaks: uv does not know of them."""
    blamed = [file for file in refused if speaks_of(error.message, project_of(file))]
    if not blamed:
        return error
    pinned = [file for file in blamed if requirements.hashes(project_of(file))]
    hint = "name the hashes of other files too, or loosen the requirement" if pinned else error.hint
    causes = "; ".join(broken_promise(file) for file in blamed)
    return LockError(
        f"{causes}; nothing can take its place: {error.message}",
        hint=hint,
        context=error.context,
        evidence=error.evidence,
        kind="refused",
    )


def told_in_lines(error: LockError, requirements: Requirements) -> LockError:
    """*error* with the lines of the user's files that ask for what it speaks of."""
    lines = [each for each in requirements.asked if speaks_of(error.message, each.name)]
    return type(error)(
        error.message,
        hint=error.hint,
        log=error.log,
        context=(*error.context, *lines_of(lines[:LINES])),
        evidence=error.evidence,
        fix=error.fix,
        kind=error.kind,
    )


def speaks_of(text: str, name: str) -> bool:
    """Whether *name* is in *text* as a word of its own."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None
