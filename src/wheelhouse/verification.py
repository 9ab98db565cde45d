"""Looking at a whole wheelhouse: its files, what they say of each other, who vouches for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelhouse import manifest as manifests
from wheelhouse import provenance, sbom
from wheelhouse.house import VERIFIER, House
from wheelhouse.installer import FILENAME as INSTALLER
from wheelhouse.pins import PYLOCK, REQUIREMENTS, WHEELS, is_of_pylock, is_of_requirements
from wheelhouse.vouching import Vouched, check_provenance
from wheelhouse.wholeness import HouseProblem, house_sums, read_text, verify_house

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelhouse.manifest import Manifest
    from wheelhouse.signing import PublicKey

#: What every wheelhouse has, beside its wheels and the hashes.
FILES = (
    INSTALLER,
    manifests.FILENAME,
    provenance.FILENAME,
    PYLOCK,
    REQUIREMENTS,
    sbom.FILENAME,
    VERIFIER,
)

#: Of a wheelhouse that is not whole, no statement is looked at.
NOTHING = Vouched()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What came of looking at a wheelhouse.

    :ivar house: it, unless its manifest cannot be read.
    :ivar sums: the hash of each of its files.
    :ivar vouched: its statements, and who is said to have signed them.
    :ivar checked: the ID of the key that every signature was checked with; empty if none was.
    :ivar problems: all that is not as it must be; then nothing else of it can be relied on.
    """

    path: Path
    house: House | None = None
    sums: Mapping[str, str]
    vouched: Vouched = NOTHING
    checked: str = ""
    problems: tuple[HouseProblem, ...] = ()


def examine(path: Path, key: PublicKey | None = None) -> Verified:
    """Look at the wheelhouse in the folder *path*: all of its bytes.

    :param key: what it has to be signed with; None is satisfied without.
    :raises StorageError: there is no wheelhouse.
    """
    problems = verify_house(path)
    sums = house_sums(path) or {}
    if problems:
        return Verified(path=path, sums=sums, problems=tuple(problems))
    texts = {file: read_text(path / file) for file in FILES if file in sums}
    manifest = _manifest(texts)
    if manifest is None:
        unreadable = HouseProblem(file=manifests.FILENAME, kind="unreadable")
        return Verified(path=path, sums=sums, problems=(unreadable,))
    found = _missing_or_unreadable(sums, texts) or [*_contradictions(manifest, sums, texts)]
    vouched = check_provenance(texts.get(provenance.FILENAME) or "", manifest, sums, key)
    return Verified(
        path=path,
        house=House(path=path, manifest=manifest),
        sums=sums,
        vouched=vouched,
        checked=key.keyid if key else "",
        problems=(*found, *vouched.problems),
    )


def _manifest(texts: Mapping[str, str | None]) -> Manifest | None:
    try:
        return manifests.from_json(texts.get(manifests.FILENAME) or "")
    except ValueError:
        return None


def _missing_or_unreadable(
    sums: Mapping[str, str], texts: Mapping[str, str | None]
) -> list[HouseProblem]:
    missing = (HouseProblem(file=file, kind="missing") for file in FILES if file not in sums)
    unreadable = (
        HouseProblem(file=file, kind="unreadable") for file in texts if texts[file] is None
    )
    return [*missing, *unreadable]


# -- what they say of each other -----------------------------------------------------------------


def _contradictions(
    manifest: Manifest, sums: Mapping[str, str], texts: Mapping[str, str | None]
) -> Iterator[HouseProblem]:
    """What files say of the wheels, and is not so."""
    wheels = {provenance.wheel_path(wheel): wheel.sha256 for wheel in manifest.wheels}
    there = {file: sums[file] for file in sums if file.startswith(f"{WHEELS}/")}
    for file in sorted(there.keys() | wheels.keys()):
        if there.get(file) != wheels.get(file):
            yield _contradiction(manifests.FILENAME, f"tells something else of {file}")
    for file in sorted(sums.keys() - there.keys() - {*FILES}):
        yield HouseProblem(file=file, kind="added")
    others = "lists other wheels than manifest.json"
    if not is_of_requirements(texts[REQUIREMENTS] or "", manifest):
        yield _contradiction(REQUIREMENTS, others)
    if not is_of_pylock(texts[PYLOCK] or "", manifest):
        yield _contradiction(PYLOCK, others)
    if _wheels_of_sbom(texts[sbom.FILENAME] or "") != wheels:
        yield _contradiction(sbom.FILENAME, others)


def _contradiction(file: str, detail: str) -> HouseProblem:
    return HouseProblem(file=file, kind="contradicts", detail=detail)


def _wheels_of_sbom(text: str) -> dict[str, str] | None:
    """By its path, the hash of each wheel that *text* lists; None if it is no list of parts."""
    try:
        listed = json.loads(text)["components"]
        return dict(pair for each in listed for pair in _wheel_of_component(each))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _wheel_of_component(component: dict[str, Any]) -> Iterator[tuple[str, str]]:
    told = {each["name"]: each["value"] for each in component.get("properties", [])}
    if told.get(sbom.ROLE) == "wheel":
        yield f"{WHEELS}/{told['wheelhouse:file']}", component["hashes"][0]["content"]


def summary(found: Verified) -> dict[str, Any]:
    """*found* for ``wheelhouse verify --json``."""
    manifest = found.house.manifest if found.house else None
    return {
        "folder": str(found.path),
        "target": manifest.target.name if manifest else None,
        "wheels": len(manifest.wheels) if manifest else None,
        "whole": not found.problems,
        "problems": [
            {"file": each.file, "kind": each.kind, "message": str(each)} for each in found.problems
        ],
        "signature": {
            "key_ids": list(found.vouched.keyids),
            "checked_with": found.checked or None,
        },
    }
