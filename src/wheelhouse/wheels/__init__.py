"""Wheels as files: reading one strictly, and holding it against a target. Executes nothing."""

from __future__ import annotations

from wheelhouse.wheels.archive import Wheel, read_wheel
from wheelhouse.wheels.check import check_house, check_wheel, lost_extension
from wheelhouse.wheels.elf import Binary
from wheelhouse.wheels.findings import Finding, refuse
from wheelhouse.wheels.layout import ArchiveLimits
from wheelhouse.wheels.libraries import system_needs
from wheelhouse.wheels.sharing import (
    Library,
    all_required,
    libraries_of,
    meant_for,
    provided_sonames,
    who_asks,
)
from wheelhouse.wheels.statements import WheelMetadata

__all__ = [
    "ArchiveLimits",
    "Binary",
    "Finding",
    "Library",
    "Wheel",
    "WheelMetadata",
    "all_required",
    "check_house",
    "check_wheel",
    "libraries_of",
    "lost_extension",
    "meant_for",
    "provided_sonames",
    "read_wheel",
    "refuse",
    "system_needs",
    "who_asks",
]
