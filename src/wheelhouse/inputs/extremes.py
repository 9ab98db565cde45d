"""What no honest input has, and what would take a reader hours, or more stack than there is."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING

from wheelhouse.inputs.addresses import Unusable

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes of a file. The locks of the largest projects have some.
LARGEST = 64 << 20

#: Characters of one line of a requirements file, its continuations joined: hundreds of hashes.
LONGEST_LINE = 1 << 16

#: Digits of one number. Python reads 4300, and lets what has more look like a fault of ours.
MOST_DIGITS = 1000

_DIGITS = re.compile(rf"[0-9]{{{MOST_DIGITS + 1}}}")


def content_of(path: Path) -> bytes:
    """What is in the file *path*.

    :raises OSError: it cannot be read; it is something else than a file, which may never end; or
        it is larger than any input is.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, "it is a folder")
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST >> 20} MiB")
    return content


def check_digits(text: str) -> None:
    """Raise Unusable if there is a number in *text* that no version and no size has."""
    if _DIGITS.search(text):
        raise Unusable(
            f"has a number of more than {MOST_DIGITS} digits", "correct it: no version is so long"
        )


def check_line(text: str) -> None:
    """Raise Unusable if *text* cannot be one requirement, or one option."""
    if len(text) > LONGEST_LINE:
        raise Unusable(
            f"has {len(text):,} characters, more than {LONGEST_LINE:,}",
            "give each requirement a line of its own",
        )
    check_digits(text)
