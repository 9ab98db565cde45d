"""Writes a wheelhouse directory, signs it, and opens one.

The directory is described in ``docs/wheelhouse.md``. It is made beside its final place;
:mod:`wheelhouse.publish` puts it there once it is proven. :mod:`wheelhouse.wholeness` checks what
lies there.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from wheelhouse import manifest as manifests
from wheelhouse.contents import describe
from wheelhouse.durable import storage_errors
from wheelhouse.errors import StorageError
from wheelhouse.installer import FILENAME as INSTALLER
from wheelhouse.installer import installer_text
from wheelhouse.pins import PYLOCK, REQUIREMENTS, WHEELS, pylock_text, requirements_text
from wheelhouse.provenance import FILENAME as PROVENANCE
from wheelhouse.provenance import statements, wheel_path
from wheelhouse.sbom import FILENAME as SBOM
from wheelhouse.sbom import sbom_text
from wheelhouse.store import sha256_of
from wheelhouse.wheels.sboms import read_sboms
from wheelhouse.wholeness import SUMS, files_in, in_parallel, sums_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from wheelhouse.contents import HouseContents, HouseWheel
    from wheelhouse.manifest import Manifest
    from wheelhouse.signing import Signer
    from wheelhouse.wheels.sboms import Sbom

#: What checks a wheelhouse where there is nothing but Python.
VERIFIER = "verify.py"

#: Bytes from which on a wheel is linked rather than copied. What has two names has one fate: who
#: edits it in one place has edited it in the other. So that is for what takes time and room.
LINKED = 64 << 20

_MODES = {INSTALLER: 0o755, VERIFIER: 0o755}


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """A whole wheelhouse directory."""

    path: Path
    manifest: Manifest

    @property
    def size(self) -> int:
        """Bytes of its wheels."""
        return sum(wheel.size for wheel in self.manifest.wheels)

    def files(self) -> list[str]:
        """Every file in it, relative to it, sorted."""
        return files_in(self.path)


def assemble(contents: HouseContents, staging: Path) -> House:
    """Write the wheelhouse of *contents* into the empty folder *staging*; nobody has signed it.

    Equal contents give equal bytes.

    :raises StorageError: the disk is full or not writable, or a wheel's file is not what its
        facts say.
    """
    manifest = describe(contents)
    with storage_errors(staging):
        _copy_wheels(contents, staging / WHEELS)
        embedded = {
            wheel.facts.filename: read_sboms(staging / wheel_path(wheel.facts))
            for wheel in contents.wheels
        }
        texts = _texts(contents, manifest, embedded)
        for name, text in texts.items():
            _write(staging / name, text)
        sums = {wheel_path(wheel): wheel.sha256 for wheel in manifest.wheels}
        sums |= {name: _digest(text) for name, text in texts.items()}
        _seal(staging, sums, "".join(f"{line}\n" for line in statements(manifest, sums)))
    return House(path=staging, manifest=manifest)


def _texts(
    contents: HouseContents, manifest: Manifest, embedded: Mapping[str, tuple[Sbom, ...]]
) -> dict[str, str]:
    """All that is told in text, by file, but for what vouches for the rest."""
    verifier = resources.files("wheelhouse").joinpath(f"data/{VERIFIER}")
    return {
        REQUIREMENTS: requirements_text(manifest),
        PYLOCK: pylock_text(manifest),
        manifests.FILENAME: manifests.to_json(manifest),
        SBOM: sbom_text(manifest, embedded),
        INSTALLER: installer_text(contents.target, manifest, contents.images.place),
        VERIFIER: verifier.read_text("utf-8"),
    }


def sign_house(
    house: Path, sums: Mapping[str, str], payloads: Sequence[str], signer: Signer
) -> None:
    """Have *signer* vouch for the wheelhouse in the folder *house*: for its statements, *payloads*.

    :param sums: what its ``SHA256SUMS`` says, which has just been verified.
    :raises StorageError: the disk is full or not writable.
    """
    signed = "".join(f"{signer.sign(payload)}\n" for payload in payloads)
    others = {name: sha256 for name, sha256 in sums.items() if name != PROVENANCE}
    with storage_errors(house):
        for name in (PROVENANCE, SUMS):  # they may be links to files of another wheelhouse
            (house / name).unlink(missing_ok=True)
        _seal(house, others, signed)


def _seal(house: Path, sums: Mapping[str, str], provenance: str) -> None:
    """Write what vouches for the other files, whose hashes are *sums*."""
    _write(house / PROVENANCE, provenance)
    _write(house / SUMS, sums_text({**sums, PROVENANCE: _digest(provenance)}))


def read_house(path: Path) -> House:
    """The wheelhouse in the folder *path*; its files are not hashed.

    :raises StorageError: there is none.
    """
    return House(path=path, manifest=manifests.read_manifest(path))


# -- files ---------------------------------------------------------------------------------------


def _copy_wheels(contents: HouseContents, folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    in_parallel(lambda wheel: _share(wheel, folder / wheel.facts.filename), contents.wheels)


def _share(wheel: HouseWheel, destination: Path) -> None:
    """Copy a wheel out of the store, or, if it is big, give the stored file a second name.

    What is there then is hashed: it may have rotted in the store since.
    """
    if wheel.facts.size < LINKED or not _linked(wheel.path, destination):
        with wheel.path.open("rb") as source, destination.open("xb") as copy:
            shutil.copyfileobj(source, copy)
        destination.chmod(0o644)
    if sha256_of(destination) != wheel.facts.sha256:
        raise StorageError(
            f"{wheel.path}, the stored file of {wheel.facts.filename}, has been damaged",
            hint="run the command again: it has the file made or fetched anew",
        )


def room_needed(sizes: Iterable[int], *, shared: bool) -> int:
    """The bytes that wheels of these *sizes* take in a wheelhouse.

    :param shared: whether the store is on the same file system, where big ones take none.
    """
    return sum(size for size in sizes if not (shared and size >= LINKED))


def _linked(stored: Path, destination: Path) -> bool:
    """Whether *destination* is now the file *stored*, which is as all files of a house are."""
    try:
        destination.hardlink_to(stored)
        destination.chmod(0o644)
    except OSError:  # another file system, one without links, another user's file
        destination.unlink(missing_ok=True)
        return False
    return True


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
    path.chmod(_MODES.get(path.name, 0o644))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
