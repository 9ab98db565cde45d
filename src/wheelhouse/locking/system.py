"""What the server must have beside Python: packages of its distribution, and who needs them. Pure.

Some are stated, by the user's settings or because they are known beforehand; others are learnt
from proofs, and stand in the lock.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.locking.model import SystemRequirement
from wheelhouse.recipes import runtime_packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.locking.model import Lock
    from wheelhouse.targets import Preset, Target


def server_system(
    project: Project, target: Target, lock: Lock, platform: Preset
) -> tuple[SystemRequirement, ...]:
    """What a server of *platform* must have for *lock*; nothing where *target* forbids that."""
    if not target.runtime_system:
        return ()
    learnt = (each for each in lock.system if each.platform == platform.name)
    return merged([*learnt, *_stated(project, lock, platform)])


def _stated(project: Project, lock: Lock, platform: Preset) -> Iterator[SystemRequirement]:
    for package in lock.packages:
        kind, _, brings = package.provided.partition(":")
        if kind == "system":
            yield SystemRequirement(
                package=brings, platform=platform.name, required_by=(package.name,)
            )
        for name in stated_packages(project, package.name, platform.family):
            yield SystemRequirement(
                package=name, platform=platform.name, required_by=(package.name,)
            )


def stated_packages(project: Project, name: NormalizedName, family: str) -> tuple[str, ...]:
    """What a server of *family* must have for *name*: the user's, or what is known beforehand."""
    own = project.settings(name).runtime_system_for(family)
    return own or runtime_packages(name, family)


def merged(requirements: Iterable[SystemRequirement]) -> tuple[SystemRequirement, ...]:
    """*requirements* in a settled order, those of the same package made one."""
    same: dict[tuple[str, str], list[SystemRequirement]] = defaultdict(list)
    for each in requirements:
        same[each.platform, each.package].append(each)
    return tuple(_one(same[key]) for key in sorted(same))


def _one(same: list[SystemRequirement]) -> SystemRequirement:
    return replace(
        same[0],
        libraries=tuple(sorted({name for each in same for name in each.libraries})),
        programs=tuple(sorted({name for each in same for name in each.programs})),
        required_by=tuple(sorted({name for each in same for name in each.required_by})),
    )


def still_needed(
    system: Iterable[SystemRequirement], locked: Iterable[str]
) -> tuple[SystemRequirement, ...]:
    """Those of *system* that a package needs which is one of *locked*."""
    names = set(locked)
    return tuple(each for each in system if names & {*each.required_by})
