"""What a person should know of a new lock although it could be made. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse.events import Notice
from wheelhouse.locking.requiring import extras_in, holds
from wheelhouse.text import counted, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.inputs.model import LeftOut, Requirements
    from wheelhouse.locking.model import LockedPackage

#: By a project's status (PEP 792), what that means; quarantined ones are not locked at all.
STATUSES = {
    "archived": "is archived: its maintainers will not release anything more, fixes included",
    "deprecated": "is deprecated: its maintainers advise against using it",
}

#: How many names, and how many reasons, are told of what a lock has for other targets.
NAMES, REASONS = 6, 4


def warnings(
    target: str,
    packages: Iterable[LockedPackage],
    status: Callable[[NormalizedName], str],
) -> Iterator[Notice]:
    """One notice for each of *packages* that was withdrawn or is no longer cared for.

    And one if there are none at all.

    :param status: a project's status, as its index tells.
    :raises WheelhouseError: what *status* raises.
    """
    packages = list(packages)
    if not packages:
        yield Notice(
            target=target,
            message="nothing of what is asked for is for this target",
            hint="look at the markers of the requirements",
        )
    for package in packages:
        if package.yanked is not None:
            reason = f": {sanitize(package.yanked)}" if package.yanked else ""
            yield Notice(
                target=target,
                message=f"{package} was withdrawn (yanked) by its maintainers{reason}",
                hint="pin another version",
            )
        if package.direct is None and (meaning := STATUSES.get(status(package.name))):
            yield Notice(
                target=target,
                message=f"{package.name} {meaning}",
                hint=f"see what replaces it; `wheelhouse why {package.name}` tells who asks for it",
            )


def left_out(target: str, requirements: Requirements) -> Iterator[Notice]:
    """For each lock among the inputs, one notice of what in it is not for *target*.

    :param requirements: as they were chosen for it.
    """
    by_file: defaultdict[str, list[LeftOut]] = defaultdict(list)
    for each in requirements.left_out:
        by_file[each.origin].append(each)
    for origin, entries in by_file.items():
        taken = {each.name for each in requirements.asked if each.closed and each.origin == origin}
        number = len({(each.name, each.version) for each in entries})
        verb = "is" if number == 1 else "are"
        whole = counted(number + len(taken), "package")
        yield Notice(
            target=target,
            message=f"{origin}: {number} of its {whole} {verb} not for {target}: "
            f"{_by_reason(entries, taken)}",
        )


def unknown_extras(
    target: str,
    requirements: Requirements,
    versions: Mapping[NormalizedName, Version],
    metadata: Callable[[NormalizedName, Version], str],
    environment: Mapping[str, str],
) -> Iterator[Notice]:
    """One notice for each extra that a line asks for and the package does not have.

    :param versions: those that were chosen, by name.
    :param metadata: a release's core metadata.
    :raises WheelhouseError: what *metadata* raises.
    """
    for line in requirements.asked:
        if not line.requirement.extras or line.name not in versions:
            continue
        if not holds(line.requirement.marker, environment, ()):
            continue
        version = versions[line.name]
        known = extras_in(metadata(line.name, version))
        for extra in sorted(set(map(canonicalize_name, line.requirement.extras)) - known):
            yield Notice(
                target=target,
                message=f"{line.origin}: {line.name} {version} has no extra {extra}",
                hint=f"it has {', '.join(sorted(known)) or 'none'}",
            )


def _by_reason(entries: Iterable[LeftOut], taken: Collection[str]) -> str:
    """``colorama, pywin32 (sys_platform == 'win32'); pytest (…)``: what is most frequent first.

    What is *taken* in one version is told with the other, that is left out.
    """
    reasons: defaultdict[str, set[str]] = defaultdict(set)
    for each in entries:
        reasons[each.reason].add(f"{each.name} {each.version}" if each.name in taken else each.name)
    found = sorted(reasons.items(), key=lambda each: (-len(each[1]), each[0]))
    told = [f"{_some(sorted(names), NAMES)} ({reason})" for reason, names in found[:REASONS]]
    rest = len({name for _, names in found[REASONS:] for name in names})
    return "; ".join([*told, *([f"and {rest} for other reasons"] if rest else [])])


def _some(names: Sequence[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
