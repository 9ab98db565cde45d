"""`--require-hashes`: all that is installed is pinned in the requirements, with hashes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.errors import LockError, raise_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.inputs.model import Asked, Requirements
    from wheelhouse.locking.edges import Edges


def check_hashed(requirements: Requirements, edges: Edges) -> None:
    """Refuse what no line has a hash of, if hashes are required.

    :raises LockError: for each such package, as pip does.
    """
    if not requirements.hashes_required:
        return
    errors = [*_loose(requirements)]
    named = {each.name for each in requirements.asked if each.hashes}
    for name, required_by in edges.required_by.items():
        if name not in named and not any(each.name == name for each in requirements.asked):
            errors.append(
                LockError(
                    f"{name}, which {_who_need(required_by)}, has no line with hashes, and the "
                    "requirements require them",
                    hint=f"add {name} with its version and hashes, as `uv pip compile "
                    "--generate-hashes` writes them",
                    kind="hash",
                )
            )
    raise_all(errors)


def _who_need(names: Sequence[str]) -> str:
    """``flask needs``, or ``flask, jinja2 and werkzeug need``."""
    *first, last = names
    return f"{', '.join(first)} and {last} need" if first else f"{last} needs"


def _loose(requirements: Requirements) -> Iterator[LockError]:
    for each in requirements.asked:
        if not each.hashes or not _is_pinned(each):
            lacking = "no hash" if not each.hashes else "no exact version"
            yield LockError(
                f"{each.origin}: {each.requirement} has {lacking}, and the requirements require "
                "one",
                hint="write it as `name==version --hash=sha256:…`, or take --require-hashes out",
                kind="hash",
            )


def _is_pinned(asked: Asked) -> bool:
    return asked.direct is not None or any(
        each.operator in {"==", "==="} and not each.version.endswith(".*")
        for each in asked.requirement.specifier
    )
