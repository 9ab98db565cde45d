"""Signing a wheelhouse: what is signed has been verified right before, all of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from wheelhouse.durable import storage_errors
from wheelhouse.house import House, sign_house
from wheelhouse.provenance import FILENAME as PROVENANCE
from wheelhouse.publish import publish, staging_folder
from wheelhouse.verification import examine
from wheelhouse.vouching import read_lines
from wheelhouse.wholeness import files_in, house_sums, read_text, refuse_problems

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.signing import Signer


def sign(folder: Path, signer: Signer, *, called: Path | None = None) -> House:
    """Have *signer* vouch for the wheelhouse in *folder*, which nobody else writes to.

    Signatures that it has are replaced.

    :param called: what to call it in messages, if not by its own name.
    :raises CheckError: it is not whole, or its files contradict each other.
    :raises StorageError: the disk is full or not writable.
    """
    found = examine(folder)
    refuse_problems(called or folder, found.problems)
    assert found.house is not None  # or there would be a problem
    sign_house(folder, found.sums, found.vouched.payloads, signer)
    return found.house


def sign_in_place(path: Path, signer: Signer) -> House:
    """Sign the finished wheelhouse in *path*: a signed one takes its place, in one step.

    Raises as :func:`sign` does. Then *path* is as it was.
    """
    house_sums(path)  # or it is none, and nothing is put beside it
    with staging_folder(path) as staging:
        with storage_errors(path.parent):
            _link(path, staging)
        house = sign(staging, signer, called=path)
        publish(staging, path)
    return House(path=path, manifest=house.manifest)


def is_signed(path: Path) -> bool:
    """Whether there is a wheelhouse in *path* that says it is signed."""
    try:
        return any(line.signed for line in read_lines(read_text(path / PROVENANCE) or ""))
    except ValueError:
        return False


def _link(house: Path, folder: Path) -> None:
    """Have all files of *house* in *folder*, too: no bytes are copied where links can be made.

    What is no regular file stays away, and is missed then.
    """
    for name in files_in(house):
        source, copy = house / name, folder / name
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        copy.parent.chmod(0o755)
        if source.is_symlink() or not source.is_file():
            continue
        try:
            os.link(source, copy)
        except OSError:  # another's file, or a file system without
            shutil.copy2(source, copy)
