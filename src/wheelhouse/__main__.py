"""The command `wheelhouse`, also as `python -m wheelhouse`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    _own_modules_first()
    from wheelhouse.cli.interrupts import told, unwatch, watch  # noqa: TID251

    watch()
    try:
        from wheelhouse.cli.app import run  # noqa: TID251  (this is the command line's entrance)
        from wheelhouse.cli.streams import open_streams  # noqa: TID251

        open_streams()
        status = run(sys.argv[1:])
    except KeyboardInterrupt as error:  # before there was anything to stop
        status = told(error)
    unwatch()
    sys.exit(status)


def _own_modules_first() -> None:
    """Look for modules in ``PYTHONPATH`` and the current folder last.

    What happens to lie there must not take the place of what this program was installed with; what
    is nowhere else is still found.
    """
    ambient = {"", *(os.environ.get("PYTHONPATH") or "").split(os.pathsep)}
    folders = {os.path.abspath(each) for each in ambient}  # noqa: PTH100  (as Python does it)
    sys.path.sort(key=lambda entry: os.path.abspath(entry) in folders)  # noqa: PTH100


if __name__ == "__main__":
    main()
