"""From uv's explanation of a conflict to the user's own files: who asks for what. Pure.

uv sees a view of the index, in which some files are not; it cannot say why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.errors import LockError
from wheelhouse.locking.refusal import broken_promise, project_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelhouse.errors import WheelhouseError
    from wheelhouse.inputs.model import Requirements
    from wheelhouse.locking.model import RefusedFile
    from wheelhouse.locking.view import View


def foreign_hashes(message: str, view: View, requirements: Requirements) -> list[WheelhouseError]:
    """Lines of which *message* speaks, and whose hashes rule out all that they ask for.

    uv does not see such files and says that there is no such version.
    """
    return [
        LockError(
            f"{each.origin}: none of the files that the index has for {each.requirement} has a "
            "hash that the requirements allow",
            hint="renew the hashes if they are old; else find out why the index has other files",
        )
        for each in requirements.asked
        if _speaks_of(message, each.name) and view.hidden(each.name, each.requirement.specifier)
    ]


def blaming(
    refused: Iterable[RefusedFile], error: LockError, requirements: Requirements
) -> LockError:
    """*error* with those of *refused* of whose projects it speaks: uv does not know of them."""
    blamed = [file for file in refused if _speaks_of(error.message, project_of(file))]
    if not blamed:
        return error
    pinned = [file for file in blamed if requirements.hashes(project_of(file))]
    hint = "name the hashes of other files too, or loosen the requirement" if pinned else error.hint
    causes = "; ".join(broken_promise(file) for file in blamed)
    return LockError(f"{causes}; nothing can take its place: {error.message}", hint=hint)


def told_in_lines(error: LockError, requirements: Requirements) -> LockError:
    """*error* with the lines of the user's files that ask for what it speaks of."""
    lines = [
        f"{each.origin} asks for {each.requirement}"
        for each in requirements.asked
        if _speaks_of(error.message, each.name) or _speaks_of(error.message, each.requirement.name)
    ]
    hint = error.hint or "loosen or correct one of these requirements"
    return type(error)(error.message, hint="; ".join([*lines[:6], hint]))


def _speaks_of(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None
