"""What a new lock changes, for a person. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.reporting.lines import Span, line, pad
from wheelhouse.text import cell_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wheelhouse.locking.difference import Clause, Difference, Step
    from wheelhouse.locking.model import LockedPackage
    from wheelhouse.reporting.lines import Line, Style

#: How many of those who ask for a package are named.
ASKING = 3

_STYLES: dict[str, Style] = {
    "warning": "bad",
    "upgraded": "good",
    "added": "good",
    "downgraded": "warn",
    "removed": "warn",
}

_Row = tuple[str, str, str]


def difference_lines(found: Difference, file: str, *, written: bool = True) -> Iterator[Line]:
    """*found*, which is of the lock *file*: one line, and one for each thing that has changed.

    :param written: whether it is so now, or only would be.
    """
    would = "" if written else "  (not written)"
    yield line(Span(f"{file}: ", "strong"), found.summary(), Span(would if found else "", "dim"))
    rows = list(_rows(found))
    words, middle = (max((cell_width(row[i]) for row in rows), default=0) for i in (0, 1))
    for word, what, more in rows:
        yield line(
            "  ",
            Span(pad(word, words), _STYLES.get(word, "dim")),
            f"  {pad(what, middle) if more else what}",
            Span(f"  {more}" if more else "", "dim"),
        )
    for word, what in _sentences(found):
        yield line("  ", Span(pad(word, words), _STYLES.get(word, "dim")), f"  {what}")


def _rows(found: Difference) -> Iterator[_Row]:
    """What has moved: a word for it, the package, and who asks for it."""
    yield from (_moved("upgraded", each) for each in found.upgraded)
    yield from (_moved("downgraded", each) for each in found.downgraded)
    yield from (("added", str(each), _asked(each)) for each in found.added)
    for each in found.removed:
        yield "removed", str(each), f"was asked for by {_named(each.required_by)}"


def _moved(word: str, step: Step) -> _Row:
    return word, f"{step.old} → {step.new.version}", _asked(step.new)


def _asked(package: LockedPackage) -> str:
    built = "" if package.wheels else "; built"
    return f"for {_named(package.required_by)}{built}"


def _named(asking: Sequence[str]) -> str:
    more = len(asking) - ASKING
    return ", ".join(asking[:ASKING]) + (f" and {more} more" if more > 0 else "")


def _sentences(found: Difference) -> Iterator[tuple[str, str]]:
    yield from _clauses("warning", found.alarming)
    yield from _clauses("builds", found.builds)
    yield from _clauses("files", found.files)
    yield from (("learned", each) for each in found.learned)


def _clauses(word: str, clauses: Iterable[Clause]) -> Iterator[tuple[str, str]]:
    return ((word, f"{each.package}: {each.text}") for each in clauses)
