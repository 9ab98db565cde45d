"""What a job that makes a wheel has sent, before anything of it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.errors import BuildError
from wheelhouse.wheels.sboms import grafted, read_sboms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheelhouse.plan import Step


def only_wheel(step: Step, files: Mapping[str, Path], log: Path) -> Path:
    """The one wheel that a job of *step* sent. Raises BuildError."""
    if len(files) != 1:
        raise BuildError(
            f"{step.package}: its build sent {len(files)} files instead of one wheel",
            hint="pin another version, or tell the project's maintainers",
            log=log,
        )
    (path,) = files.values()
    return path


def grafted_packages(wheel: Path) -> list[str]:
    """The system libraries that auditwheel copied in, as its own list in the wheel names them."""
    return sorted({f"{part.name} {part.version}".strip() for part in grafted(read_sboms(wheel))})
