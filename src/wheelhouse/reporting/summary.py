"""The table at the end of a run. Pure: the run's state in, styled lines out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.reporting.lines import Line, Span, Style, line, pad, short_path, to_text, wrap_line
from wheelhouse.text import cell_width, clip, human_duration, human_size, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.reporting.state import RunState, TargetState

_STYLES: dict[str, Style] = {"done": "good", "reused": "good", "failed": "bad", "stopped": "warn"}
_COUNTS = ("fetched", "stored", "built", "reused", "failed")
_NUMBERS = ("wheels", *_COUNTS, "size", "time")
_GAP = "  "


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A target's row: the text of each cell by its column, and what stands below the row."""

    outcome: str
    cells: dict[str, str]
    path: str
    message: str


def summary(run: RunState, now: float, width: int | None) -> list[Line]:
    """The table of *run*'s targets in at most *width* columns; without an edge if that is None.

    Where the whole does not fit, the paths go below their rows, then columns go that are zero
    for all, then each target gets a few lines of its own. Nothing if there was no target.
    """
    rows = [_row(target, now) for target in run.declared]
    if not rows:
        return []
    columns = _columns(rows)
    candidates = (
        [*columns, "path"] if any(row.path for row in rows) else columns,
        columns,
        [column for column in columns if any(row.cells[column] != "0" for row in rows)],
    )
    for names in candidates:
        widths = _widths(rows, names)
        if width is None or sum(widths.values()) + len(_GAP) * (len(names) - 1) <= width:
            return _table(rows, widths, width)
    return _cards(rows, width or 0)


def _row(target: TargetState, now: float) -> Row:
    ended = target.finished
    outcome = ended.outcome if ended else "stopped"
    counts = {**target.counts, **target.final_counts}
    seconds = ended.seconds if ended else now - target.started
    path = short_path(ended.path) if ended and ended.path else ""
    cells = {
        "target": sanitize(target.name or ""),
        "outcome": outcome,
        "wheels": str(ended.wheels if ended else 0),
        **{name: str(counts.get(name, 0)) for name in _COUNTS},
        "size": human_size(ended.size) if ended and ended.size else "0",
        "time": human_duration(seconds),
        "path": path,
    }
    message = ended.message if ended else f"stopped in phase {target.phase}" if target.phase else ""
    return Row(outcome=outcome, cells=cells, path=path, message=sanitize(message))


def _columns(rows: Sequence[Row]) -> list[str]:
    """All columns but the path; without the numbers of wheels where no target has any.

    That of what was in the store already is there only where something was.
    """
    counted = [name for name in _NUMBERS if name != "time"]
    if any(row.cells[name] != "0" for row in rows for name in counted):
        stored = any(row.cells["stored"] != "0" for row in rows)
        return ["target", "outcome", *(name for name in _NUMBERS if stored or name != "stored")]
    return ["target", "outcome", "time"]


def _widths(rows: Sequence[Row], names: Sequence[str]) -> dict[str, int]:
    return {
        name: max(cell_width(name), *(cell_width(row.cells[name]) for row in rows))
        for name in names
    }


def _table(rows: Sequence[Row], widths: dict[str, int], width: int | None) -> list[Line]:
    head = _GAP.join(_align(name, name, room) for name, room in widths.items()).rstrip()
    edge = "─" * max(cell_width(head), sum(widths.values()) + len(_GAP) * (len(widths) - 1))
    lines = [line(Span(head, "strong")), line(Span(edge, "dim"))]
    for row in rows:
        lines.append(_cells(row, widths))
        lines += _below(row, width, with_path="path" not in widths)
    return lines


def _cells(row: Row, widths: dict[str, int]) -> Line:
    spans: list[Span] = []
    for name, width in widths.items():
        text = _align(name, row.cells[name], width)
        spans.append(Span(text, _style(name, row)))
        spans.append(Span(_GAP))
    while not spans[-1].text.strip():
        spans.pop()
    return tuple(spans)


def _align(name: str, text: str, width: int) -> str:
    return text.rjust(width) if name in _NUMBERS else pad(text, width)


def _style(name: str, row: Row) -> Style:
    if name == "outcome":
        return _STYLES.get(row.outcome, "plain")
    if name in _COUNTS and row.cells[name] == "0":
        return "dim"
    if name == "failed":
        return "bad"
    return "plain"


def _below(row: Row, width: int | None, *, with_path: bool) -> list[Line]:
    message = line("  ", row.message)
    lines = [] if not row.message else [message] if width is None else wrap_line(message, width)
    if with_path and row.path:
        lines.append(line(Span("  → ", "dim"), row.path))
    return lines


def _cards(rows: Sequence[Row], width: int) -> list[Line]:
    """For a terminal too narrow for any table."""
    lines: list[Line] = []
    for row in rows:
        cells = row.cells
        name = clip(cells["target"], max(width - len(row.outcome) - len(_GAP), 1))
        lines.append(line(Span(name, "strong"), _GAP, Span(row.outcome, _style("outcome", row))))
        facts = [f"{cells[name]} {name}" for name in ("wheels", *_COUNTS) if cells[name] != "0"]
        facts += [cells[name] for name in ("size", "time") if cells[name] != "0"]
        lines += _flow(facts, width)
        lines += _below(row, width, with_path=True)
    return lines


def _flow(facts: Sequence[str], width: int) -> list[Line]:
    """*facts* with dots between, in as many lines as they need."""
    lines: list[Line] = []
    for fact in facts:
        longer = f"{to_text(lines[-1])} · {fact}" if lines else ""
        if longer and cell_width(longer) <= width:
            lines[-1] = line(longer)
        else:
            lines.append(line(f"  {fact}"))
    return lines
