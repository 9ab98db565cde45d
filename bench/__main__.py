"""`python -m bench`: the runs of a benchmark, interleaved, and what they come to."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.baseline import Baseline, Workplace, open_workplace, remove_leftovers
from bench.contender import Project, RunFailedError
from bench.measure import Measured, Row, summarize
from bench.report import MAIN, PHASES, main_table, markdown, phase_table, rich_table
from bench.workloads import WORKLOADS, Workload
from wheelhouse import __version__
from wheelhouse.errors import WheelhouseError
from wheelhouse.text import human_size

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmark.md"
FIGURES = ("<!-- figures -->\n", "<!-- end of figures -->\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each contender (default: 3)")
    parser.add_argument(
        "--workload",
        action="append",
        choices=sorted(WORKLOADS),
        help="only this one; may be given several times",
    )
    parser.add_argument(
        "--docs", action="store_true", help="put the figures into docs/benchmark.md"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; the exit status."""
    options = parse(arguments)
    console = Console(stderr=True)
    chosen = [WORKLOADS[name] for name in options.workload or WORKLOADS]
    folder = Path(tempfile.mkdtemp(prefix="wheelhouse-bench-"))
    try:
        workplace = open_workplace()
        remove_leftovers(workplace.client)
        rows, runs = measure(workplace, chosen, options.runs, folder, console)
        machine = describe(workplace)
    except (WheelhouseError, RunFailedError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(rows)
    print(f"\nkept in {save(machine, rows, runs)}")
    if options.docs:
        write_page(markdown(machine, rows))
    return 0


def measure(
    workplace: Workplace, workloads: list[Workload], runs: int, folder: Path, console: Console
) -> tuple[list[Row], list[Measured]]:
    """Run everything, each contender in turn, so that all meet the same noise."""
    rows: list[Row] = []
    measured: list[Measured] = []
    for workload in workloads:
        console.print(f"{workload.name} ({workload.title}): locking, making images")
        project, lock = prepare(workload, folder)
        baseline = Baseline(
            workplace=workplace,
            workload=workload,
            requirements=workload.pinned,
            system=project.system_packages(),
        )
        if not workload.sdists:
            baseline.run()  # whatever lies between here and the index knows the files from now on
        for number in range(1, runs + 1):
            for run in (baseline.run, project.cold, project.unchanged):
                measured.append(each := run())
                told = f"{workload.name} {number}/{runs} {each.contender}: {each.seconds:.2f} s"
                console.print(told, highlight=False)
        project.forget()
        rows.append(summarize(workload.name, measured, lock))
    return rows, measured


def prepare(workload: Workload, folder: Path) -> tuple[Project, float]:
    """The locked project of *workload*, all images made; and the seconds that locking took."""
    project = Project(workload=workload, folder=folder / workload.name)
    project.write(workload.pinned, workload.names())
    lock = project.lock()
    project.make_images()
    return project, lock


def describe(workplace: Workplace) -> dict[str, str]:
    """The machine and the versions, for whoever reads the figures."""
    engine = workplace.client.info()
    return {
        "wheelhouse": __version__,
        "date": f"{datetime.now(tz=UTC):%Y-%m-%d}",
        "CPUs": str(engine["NCPU"]),
        "memory": human_size(engine["MemTotal"]),
        "architecture": engine["Architecture"],
        "Linux": platform.release().partition("-")[0],
        "engine": engine["ServerVersion"],
        "Python": platform.python_version(),
    }


def show(rows: list[Row]) -> None:
    """Print the tables."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print("\nMedians; in parentheses, the ratio to pip and auditwheel", style="dim")
    console.print(rich_table(MAIN, main_table(rows)))
    console.print("\nOf wheelhouse's time", style="dim")
    console.print(rich_table(("workload", *PHASES), phase_table(rows)))


def save(machine: dict[str, str], rows: list[Row], runs: list[Measured]) -> Path:
    """Write everything to a new file in `bench/results`; its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(tz=UTC):%Y%m%d-%H%M%S}.json"
    content = {
        "machine": machine,
        "load": os.getloadavg(),
        "rows": [asdict(row) for row in rows],
        "runs": [asdict(run) for run in runs],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path.relative_to(HERE.parent)


def write_page(figures: str) -> None:
    """Replace the figures in `docs/benchmark.md`."""
    before, start, rest = PAGE.read_text().partition(FIGURES[0])
    _, end, after = rest.partition(FIGURES[1])
    assert start, f"{PAGE} has no place for figures"
    assert end, f"{PAGE} has no end of figures"
    PAGE.write_text(f"{before}{start}\n{figures}\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
