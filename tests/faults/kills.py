"""``python -m faults.kills``: kill a build a few hundred times, and print what came of it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from faults.killing import Killing
from faults.mixture import mixture
from faults.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m faults.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many  [default: 200]")
    parser.add_argument("--seed", type=int, default=0, help="of the moments  [default: 0]")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the kills; the exit status is 1 unless all held after each."""
    options = parse(arguments)
    began = time.monotonic()
    problem = None
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        shop = Shop(Path(folder))
        try:
            with shop.world() as world, mixture() as index:
                Killing(world, index, options.seed).kill(options.kills)
        except AssertionError as error:
            problem = str(error)
    lines = list(shop.figures.lines())
    print("\n".join(lines))
    print(f"{time.monotonic() - began:.0f} s" + (f"; FAILED: {problem}" if problem else ""))
    if options.json:
        options.json.write_text(json.dumps({"lines": lines}, indent=1) + "\n")
    return 1 if problem or shop.figures.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
