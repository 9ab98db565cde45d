"""What a distribution's metadata says of its license, in a few words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.text import sanitize

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata

_CLASSIFIER = "License :: "

#: Characters of a license's name. What is longer is its text.
LONGEST = 100


def license_of(metadata: RawMetadata) -> str:
    """An SPDX expression; else the license's name; else what its classifiers say; may be empty."""
    expression = metadata.get("license_expression", "")
    name = metadata.get("license", "")
    named = "" if "\n" in name or len(name) > LONGEST else name
    return sanitize(expression or _known(named) or _classified(metadata)).strip()


def _known(name: str) -> str:
    """*name* unless it is one of the words for "nothing is said"."""
    return "" if name.strip().upper() in {"UNKNOWN", "NONE", "OTHER", "LICENSE"} else name


def _classified(metadata: RawMetadata) -> str:
    found = [
        each.rpartition(" :: ")[2]
        for each in metadata.get("classifiers", [])
        if each.startswith(_CLASSIFIER)
    ]
    specific = [each for each in found if each != "OSI Approved"]
    return " or ".join(specific or found)
