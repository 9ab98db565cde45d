"""The figures of a benchmark, as tables for a terminal and as Markdown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.measure import Row

MAIN = (
    "workload",
    "runs",
    "pip, auditwheel",
    "wheels finished",
    "wheelhouse proven",
    "nothing changed",
    "first lock",
)
PHASES = ("start", "images", "lock", "plan", "wheels", "assemble", "prove")


def main_table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Medians, and their ratio to the baseline's, under :data:`MAIN`."""
    return [_main_row(row) for row in rows]


def _main_row(row: Row) -> tuple[str, ...]:
    wheels, whole, unchanged = row.ratios
    return (
        row.workload,
        str(row.runs),
        f"{row.baseline:.1f} s",
        f"{row.wheels:.1f} s ({wheels:.2f})",
        f"{row.whole:.1f} s ({whole:.2f})",
        f"{row.unchanged:.2f} s ({unchanged:.2g})",
        f"{row.lock:.1f} s",
    )


def phase_table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Medians of wheelhouse's phases, under the workload and :data:`PHASES`."""
    return [
        (row.workload, *(f"{row.phases.get(name, 0.0):.1f} s" for name in PHASES)) for row in rows
    ]


def rich_table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    """A table for the terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """The same as Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown(machine: dict[str, str], rows: Sequence[Row]) -> str:
    """Everything, as a piece of a Markdown page."""
    described = ", ".join(f"{name} {value}" for name, value in machine.items())
    return (
        f"{described}.\n\n{markdown_table(MAIN, main_table(rows))}\n"
        f"Of wheelhouse's time:\n\n"
        f"{markdown_table(('workload', *PHASES), phase_table(rows))}"
    )
