"""Wheelhouses as text for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.text import counted, human_size

if TYPE_CHECKING:
    from wheelhouse.verification import Verified


def verify_text(found: Verified) -> str:
    """What a sound wheelhouse is, and who has signed it."""
    house = found.house
    assert house is not None  # or there would be a problem
    manifest = house.manifest
    return (
        f"{found.path}: whole and unchanged: {counted(len(manifest.wheels), 'wheel')}, "
        f"{human_size(house.size)}, for {manifest.target.title}, Python {manifest.target.python}\n"
        f"  {_signature(found)}"
    )


def _signature(found: Verified) -> str:
    if found.checked:
        return f"signed by key {found.checked}"
    if found.vouched.keyids:
        keys = ", ".join(found.vouched.keyids)
        return f"signed by key {keys}, which was not checked: name its public key with --key"
    return "not signed"
