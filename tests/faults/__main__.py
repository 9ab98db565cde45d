"""``python -m faults``: run the fault suite and print its figures."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from faults.case import Case, LeftOut, all_cases
from faults.report import Outcome, failed, lines
from faults.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Characters of a problem that are shown while others still run.
SHOWN = 4000


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--group", action="append", type=int, help="only this one")
    parser.add_argument("--case", default="*", help="only those whose names match this pattern")
    parser.add_argument("--no-engine", action="store_true", help="only those without containers")
    parser.add_argument("--list", action="store_true", help="name the cases, and run none")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


def chosen(options: argparse.Namespace) -> list[Case]:
    """The cases that the options ask for."""
    return [
        case
        for case in all_cases()
        if (not options.group or case.group in options.group)
        and fnmatch.fnmatch(case.name, options.case)
        and not (options.no_engine and case.engine)
    ]


def attempt(shop: Shop, case: Case) -> Outcome:
    """Run *case*; every exception is a problem of it."""
    began = time.monotonic()
    problem = left_out = None
    try:
        shop.attempt(case)
    except LeftOut as reason:
        left_out = str(reason)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - began
    return Outcome(case=case, seconds=seconds, problem=problem, left_out=left_out)


def mark(outcome: Outcome) -> str:
    """Four characters for the list of cases."""
    if outcome.problem is not None:
        return "FAIL"
    return "ok  " if outcome.left_out is None else "-   "


def main(arguments: Sequence[str]) -> int:
    """Run the suite; the exit status is 1 unless all of it passed."""
    options = parse(arguments)
    cases = chosen(options)
    if options.list:
        print("\n".join(map(str, cases)))
        return 0
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        shop = Shop(Path(folder))
        for case in cases:
            outcome = attempt(shop, case)
            outcomes.append(outcome)
            print(f"{mark(outcome)} {outcome.seconds:6.1f} s  {case}", flush=True)
            if outcome.problem is not None:
                print(f"     {outcome.problem[:SHOWN]}", flush=True)
    print()
    print("\n".join(lines(outcomes, shop.figures)))
    if options.json:
        told = {"lines": list(lines(outcomes, shop.figures))}
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 1 if failed(outcomes) or shop.figures.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
