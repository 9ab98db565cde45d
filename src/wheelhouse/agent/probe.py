"""Job ``probe``: what only the target's own interpreter can tell.

Runs on the target's Python, with the `packaging` sent along by the host.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from typing import TYPE_CHECKING

from .errors import JobError

if TYPE_CHECKING:
    from .channel import Channel


def run(job: dict[str, object], root: str, channel: Channel) -> dict[str, object]:
    """Return ``environment``, ``tags``, ``libc`` and ``pip`` of this interpreter."""
    sys.path.insert(0, os.path.join(root, "lib"))
    from packaging.markers import default_environment
    from packaging.tags import sys_tags

    return {
        # The kernel is that of the machine the image runs on now, not of the one deployed to.
        "environment": {**default_environment(), "platform_release": "", "platform_version": ""},
        "tags": [str(tag) for tag in sys_tags()],
        "libc": _libc(),
        "pip": _bundled_pip(),
    }


def _libc() -> str:
    if glibc := (os.confstr("CS_GNU_LIBC_VERSION") if _has_glibc_confstr() else None):
        return glibc
    from packaging._musllinux import _get_musl_version

    version = _get_musl_version(sys.executable)
    if version is None:
        raise JobError("probe", f"neither glibc nor musl: {platform.libc_ver()}")
    return f"musl {version.major}.{version.minor}"


def _has_glibc_confstr() -> bool:
    return "CS_GNU_LIBC_VERSION" in os.confstr_names


def _bundled_pip() -> str | None:
    """The version of the pip that `venv` puts into a new environment."""
    try:
        import ensurepip

        return ensurepip.version()
    except Exception:
        return _wheel_version("/usr/share/python-wheels")


def _wheel_version(folder: str) -> str | None:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    found = [re.match(r"pip-([^-]+)-", name) for name in names]
    return next((match.group(1) for match in found if match), None)
