"""The toolbox: our own tools, as they stand under ``/opt/wheelhouse`` in every builder image.

It does not depend on the target: a private CPython with its own loader and libraries, `uv`,
`patchelf`, and the Python packages that build and repair wheels. Which files those are is data
(``data/toolbox.toml``), pinned by hash for each architecture. This module reads the pins, and
says where their files go in the context of ``images/toolbox.Dockerfile``.

::

    /opt/wheelhouse/bin/python   the private CPython; `-I -m auditwheel` works as it stands
    /opt/wheelhouse/bin/uv, bin/patchelf
    /opt/wheelhouse/site/        the Python packages, unpacked
    /opt/wheelhouse/lib/         the loader, the libraries and the standard library
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from wheelhouse.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The Python that our own tools run on, in every builder image.
TOOL_PYTHON = "/opt/wheelhouse/bin/python"
TOOL_PATH = "/opt/wheelhouse/bin"

#: Whose packages the private CPython is made of: the first Debian with Python 3.13.
SOURCE_PRESET = "debian13"

#: The packages with it, and with what ``images/toolbox-assemble.sh`` calls.
SOURCE_PACKAGES = (
    *("base-files", "bash", "coreutils", "dash", "findutils", "grep", "libc-bin", "python3"),
    "sed",
)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCRIPTS = re.compile(r"[^/]+\.data/scripts/(?P<name>[^/]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One wheel of the toolbox.

    :ivar arch: the architecture it is for, or ``any``.
    :ivar sha256: of the file, in hexadecimal.
    """

    name: str
    version: str
    arch: str
    url: str
    sha256: str

    @property
    def filename(self) -> str:
        """The wheel's file name."""
        return self.url.rpartition("/")[2]


def _wheel(name: str, version: str, arch: str, data: Mapping[str, str]) -> Pin:
    pin = Pin(name=name, version=version, arch=arch, url=data["url"], sha256=data["sha256"])
    if not pin.url.startswith("https://") or not _SHA256.fullmatch(pin.sha256):
        raise ValueError(f"{name}.wheels.{arch}: not an https URL with a sha256")
    return pin


def parse(data: Mapping[str, Any]) -> tuple[Pin, ...]:
    """All pins of a parsed ``toolbox.toml``, for every architecture, in its order.

    :raises ValueError: a URL or hash is not one.
    :raises KeyError: a field is missing.
    """
    return tuple(
        _wheel(name, tool["version"], arch, wheel)
        for name, tool in data.items()
        for arch, wheel in tool["wheels"].items()
    )


@cache
def _own_pins() -> tuple[Pin, ...]:
    text = resources.files("wheelhouse").joinpath("data/toolbox.toml").read_text("utf-8")
    return parse(tomllib.loads(text))


def pins(arch: str) -> tuple[Pin, ...]:
    """The wheels of the toolbox for *arch*.

    :raises ImageError: a tool has no wheel for *arch*.
    """
    fitting = tuple(pin for pin in _own_pins() if pin.arch in ("any", arch))
    lacking = sorted({pin.name for pin in _own_pins()} - {pin.name for pin in fitting})
    if lacking:
        raise ImageError(
            f"the toolbox has no {', '.join(lacking)} for {arch}",
            hint="choose one of the architectures that the target's preset lists.",
        )
    return fitting


def layout(member: str) -> str | None:
    """Where a wheel's *member* goes in the toolbox: programs into `bin`, all else into `site`."""
    script = _SCRIPTS.fullmatch(member)
    return f"bin/{script['name']}" if script else f"site/{member}"
