"""`python -m bench.natives`: build the lists, one package after another, and count."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.natives.lists import LISTS, TARGETS, Entry, read
from bench.natives.report import SHARES, TRIALS, share_rows, trial_row, verdict
from bench.natives.trial import Outcome, attempt
from bench.report import rich_table
from wheelhouse import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESULTS = Path(__file__).parent.parent / "results"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.natives", description=__doc__)
    parser.add_argument(
        "--list", action="append", choices=LISTS, help="only this one; may be given several times"
    )
    parser.add_argument(
        "--target",
        action="append",
        choices=tuple(TARGETS),
        help="only this one; may be given several times",
    )
    parser.add_argument("--only", default="", help="only these packages: NAME,NAME,…")
    parser.add_argument(
        "--bound", type=float, default=20, help="minutes that one build may take (default: 20)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the trials; the exit status is 1 if one failed that could have been proven."""
    options = parse(arguments)
    trials = list(chosen(options))
    if not trials:
        print("no such package in these lists", file=sys.stderr)
        return 2
    kept = RESULTS / f"natives-{datetime.now(tz=UTC):%Y%m%d-%H%M%S}"
    folder = Path(tempfile.mkdtemp(prefix="wheelhouse-natives-"))
    try:
        outcomes = run(trials, folder, kept, bound=options.bound * 60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(outcomes)
    print(f"\nkept in {kept.relative_to(RESULTS.parent.parent)}")
    return int(any(each.possible and each.result != "proven" for each in outcomes))


def chosen(options: argparse.Namespace) -> Iterator[tuple[str, Entry, str]]:
    """List, entry and target of each trial that *options* ask for."""
    names = {each.strip().lower() for each in options.only.split(",") if each.strip()}
    for name in options.list or LISTS:
        entries = [each for each in read(name) if not names or each.name in names]
        for target in options.target or TARGETS:
            yield from ((name, entry, target) for entry in entries)


def run(
    trials: Sequence[tuple[str, Entry, str]], folder: Path, kept: Path, *, bound: float
) -> list[Outcome]:
    """Do *trials*, telling each; what is known so far is on the disk after each."""
    console = Console(stderr=True, highlight=False)
    outcomes: list[Outcome] = []
    for number, (name, entry, target) in enumerate(trials, 1):
        outcome = attempt(
            name, entry, target, folder=folder, store=folder / "store", kept=kept, bound=bound
        )
        outcomes.append(outcome)
        told = f"{number}/{len(trials)} {target} {entry.requirement}: {verdict(outcome)}"
        console.print(f"{told}, {outcome.seconds:.0f} s", markup=False, soft_wrap=True)
        if outcome.cause:
            console.print(f"    {outcome.cause}", style="dim", markup=False, soft_wrap=True)
        content = {"wheelhouse": __version__, "outcomes": [asdict(each) for each in outcomes]}
        (kept / "natives.json").write_text(json.dumps(content, indent=2) + "\n")
    return outcomes


def show(outcomes: Sequence[Outcome]) -> None:
    """Print the tables."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(rich_table(TRIALS, [trial_row(each) for each in outcomes]))
    console.print()
    console.print(rich_table(SHARES, share_rows(outcomes)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
