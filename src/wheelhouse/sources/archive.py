"""An archive of this machine: a wheel, an sdist, or what else somebody packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK = 1 << 20


def read(path: Path, check: Callable[[], None]) -> Iterator[bytes]:
    """Its bytes.

    :param check: called now and then; raises to stop it.
    :raises FetchError: it is not there, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                check()
                yield chunk
    except FileNotFoundError as error:
        raise FetchError(
            f"{path} is not there", hint="check the path; paths are relative to the project"
        ) from error
    except OSError as error:
        raise FetchError(
            f"{path} cannot be read: {error.strerror}",
            hint="name a wheel or an sdist that you may read",
        ) from error
