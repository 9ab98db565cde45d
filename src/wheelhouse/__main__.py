"""The command `wheelhouse`, also as `python -m wheelhouse`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from wheelhouse.cli.interrupts import number_of, unwatch, watch  # noqa: TID251

    watch()
    try:
        from wheelhouse.cli.app import run  # noqa: TID251  (this is the command line's entrance)
        from wheelhouse.cli.streams import open_streams  # noqa: TID251

        open_streams()
        status = run(sys.argv[1:])
    except KeyboardInterrupt as error:  # before there was anything to stop
        status = 128 + number_of(error)
    unwatch()
    sys.exit(status)


if __name__ == "__main__":
    main()
