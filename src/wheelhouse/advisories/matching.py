"""Whether an advisory is about a version, by the evaluation algorithm of the OSV schema. Pure.

https://ossf.github.io/osv-schema/#evaluation. Versions are compared as PEP 440 has them. A local
version (``2.7.0+cu128``) is a build of the public one, so it is taken as that, unless the record
itself names local versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from wheelhouse.advisories.record import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheelhouse.advisories.record import Advisory, Affected, Event


def concerns(advisory: Advisory, version: Version) -> bool | None:
    """Whether *advisory* is about *version*; None if that cannot be told."""
    answers = [_of_entry(entry, version) for entry in advisory.affected]
    if any(answers):
        return True
    return None if None in answers else False


def flaws(advisory: Advisory) -> tuple[str, ...]:
    """Why it cannot be told, each reason once."""
    return tuple(dict.fromkeys(flaw for entry in advisory.affected for flaw in entry.flaws))


def fixes(advisory: Advisory, version: Version) -> tuple[Version, ...]:
    """The versions after *version* with a fix, in order."""
    named = {
        event.at
        for entry in advisory.affected
        for events in entry.ranges
        for event in events
        if event.kind == "fixed" and event.at is not None
    }
    return tuple(sorted(each for each in named if _comparable(version, each) < each))


def _of_entry(entry: Affected, version: Version) -> bool | None:
    if _is_listed(entry.versions, version):
        return True
    if any(_within(events, version) for events in entry.ranges):
        return True
    return None if entry.flaws else False


def _is_listed(versions: Iterable[str], version: Version) -> bool:
    for each in versions:
        listed = version_of(each)
        if listed is not None and listed == _comparable(version, listed):
            return True
    return False


def _within(events: Sequence[Event], version: Version) -> bool:
    """Whether *version* is in the range of *events*."""
    limits = [event for event in events if event.kind == "limit"]
    if limits and not any(_is_before(version, event.at) for event in limits):
        return False
    vulnerable = False
    for event in sorted((e for e in events if e.kind != "limit"), key=_place):
        at = event.at
        if event.kind == "introduced":
            vulnerable |= at is None or _comparable(version, at) >= at
        elif at is None:
            continue
        elif event.kind == "fixed":
            vulnerable &= _comparable(version, at) < at
        else:
            vulnerable &= _comparable(version, at) <= at
    return vulnerable


def _place(event: Event) -> tuple[bool, Version, bool]:
    """By what events are sorted; those of one version stay in the record's order.

    But what is the last affected version is so until after it, whatever else happens there.
    """
    return event.at is not None, event.at or Version("0"), event.kind == "last_affected"


def _is_before(version: Version, limit: Version | None) -> bool:
    return limit is None or _comparable(version, limit) < limit


def _comparable(version: Version, other: Version) -> Version:
    """*version* as it is compared with *other*: without a local part if *other* has none."""
    return version if version.local is None or other.local is not None else public(version)


def public(version: Version) -> Version:
    """*version* without its local part."""
    return Version(version.public)
