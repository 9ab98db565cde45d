"""The command `wheelhouse`, also as `python -m wheelhouse`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from wheelhouse.cli.app import run  # noqa: TID251  (this is the command line's entrance)

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
