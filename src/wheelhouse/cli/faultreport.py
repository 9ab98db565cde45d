"""The file about a fault of ours: what its report needs, and no secret.

It has the traceback, versions and the command. It has no values of variables and nothing of the
environment; users, passwords and queries of URLs are taken out, and so is whatever has the value
of a variable of the environment that sounds secret.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse import __version__
from wheelhouse.text import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Set to 1, the report is printed, too.
DEBUG = "WHEELHOUSE_DEBUG"

#: What has a part in most of what can happen.
_OTHERS = ("click", "docker", "packaging", "pydantic", "requests", "uv", "auditwheel")

_SECRET = re.compile(r"PASS|TOKEN|SECRET|KEY|CREDENTIAL|AUTH", re.IGNORECASE)

#: Characters of a value that is worth hiding: shorter ones are in every text.
_LEAST = 6


def write_report(cause: BaseException) -> Path | None:
    """Write the report of *cause*, and print it if that is wanted; where it is, if anywhere."""
    text = report_text(cause, sys.argv, os.environ)
    if os.environ.get(DEBUG) == "1":
        print(text, file=sys.stderr)
    return _written(text)


def report_text(cause: BaseException, argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """What a report of *cause* needs, without secrets.

    :param argv: the command line; its first is the program.
    :param environ: only to know what must not be shown.
    """
    system = os.uname()
    lines = [
        f"wheelhouse {__version__}, Python {sys.version.split()[0]}",
        f"{system.sysname} {system.release} {system.machine}",
        ", ".join(f"{name} {_version(name)}" for name in _OTHERS),
        f"command: {' '.join(['wheelhouse', *argv[1:]])}",
        "",
        *(line.rstrip("\n") for line in traceback.format_exception(cause)),
    ]
    text = without_credentials("\n".join(lines))
    for name, value in environ.items():
        if _SECRET.search(name) and len(value) >= _LEAST:
            text = text.replace(value, "***")
    return text + "\n"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not there)"


def _written(text: str) -> Path | None:
    """The new file with *text*: among the store's logs if it can be there, else a temporary."""
    from wheelhouse.store import default_root

    name = f"{time.strftime('%Y%m%d-%H%M%S')}-internal-"
    logs = default_root() / "logs"
    for folder in (logs, Path(tempfile.gettempdir())):
        with suppress(OSError):
            descriptor, path = tempfile.mkstemp(prefix=name, suffix=".log", dir=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode("utf-8", "backslashreplace"))
            return Path(path)
    return None
