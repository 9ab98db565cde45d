"""Packages that come to the server without the wheelhouse: what the lock says of them.

They are resolved with the rest, so that the rest fits them. What the runtime's image has, it has in
one version: there is no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse.building.runner import Failure
from wheelhouse.engine.jobs import BOOTSTRAP, ROOT, Job, agent_digest
from wheelhouse.errors import ImageError, LockError
from wheelhouse.locking.candidates import Release
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.building.runner import Runner
    from wheelhouse.config import Project
    from wheelhouse.engine import TargetImages
    from wheelhouse.locking.model import LockedPackage
    from wheelhouse.targets import Target

KIND = "distributions"

#: How a package comes to the server: its image has it, a package of the distribution brings it,
#: or somebody installs its wheel.
IMAGE, SYSTEM, WHEEL = "image", "system:", "wheel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """A distribution that the runtime's image has. *metadata* is its METADATA, in short."""

    version: Version
    metadata: str

    @property
    def release(self) -> Release:
        """It, as the only release there is: one without files."""
        return Release(
            version=self.version,
            wheels=(),
            sdist=None,
            others=(),
            requires_python=None,
            yanked=None,
        )


class Bypass:
    """What bypasses the wheelhouse of one target, and what there is of it already.

    :param present: by name, what the runtime's image has, system packages included.
    """

    def __init__(
        self,
        project: Project,
        target: Target,
        present: Mapping[NormalizedName, Present],
    ) -> None:
        self._target = target
        self._present = present
        self._ways = ways(project, target)

    def present(self, name: NormalizedName) -> Present | None:
        """What there is of *name* on the server; None if that has it as a wheel, or not at all.

        :raises LockError: it is to be there, and is not.
        """
        way = self._ways.get(name, WHEEL)
        if way == WHEEL:
            return None
        if name not in self._present:
            raise LockError(
                f"{name} bypasses the wheelhouse, but the runtime of {self._target.name} does not "
                f"have it{_of(way)}",
                hint=f"say how it comes there: `[targets.{self._target.name}.provided]` "
                f'{name} = "system:PACKAGE" for a package of the distribution, or "wheel" if its '
                f"wheel is installed by other means; or take `bypass` out of [packages.{name}]",
                kind="bypass",
            )
        return self._present[name]

    def marked(self, packages: Iterable[LockedPackage]) -> list[LockedPackage]:
        """*packages*, each with how it comes to the server if that is not in the wheelhouse.

        What only they need comes with them.
        """
        packages = tuple(packages)
        found = _provided(packages, self._ways)
        return [replace(each, provided=found.get(each.name, "")) for each in packages]


def ways(project: Project, target: Target) -> Mapping[NormalizedName, str]:
    """By name, how the packages that are to bypass the wheelhouse come to the server."""
    return {
        name: target.provided.get(name, IMAGE)
        for name, settings in project.packages.items()
        if settings.bypass
    }


def system_packages(project: Project, target: Target) -> tuple[str, ...]:
    """The packages of the distribution by which some of them come there, sorted."""
    return tuple(
        sorted(
            {
                way.removeprefix(SYSTEM)
                for way in ways(project, target).values()
                if way.startswith(SYSTEM)
            }
        )
    )


def find_bypass(runner: Runner, project: Project, target: Target, images: TargetImages) -> Bypass:
    """What bypasses the wheelhouse of *target*.

    :raises ImageError: the runtime's image cannot be asked, or a package not be installed there.
    """
    wanted = ways(project, target)
    present: Mapping[NormalizedName, Present] = {}
    if any(way != WHEEL for way in wanted.values()):
        present = _present(runner, target, images, system_packages(project, target))
    return Bypass(project, target, present)


def _present(
    runner: Runner, target: Target, images: TargetImages, system: tuple[str, ...]
) -> Mapping[NormalizedName, Present]:
    image = runner.engine.with_runtime_system(target, system) if system else images.runtime
    key = digest_of([image.id, images.runtime_python, agent_digest(KIND)])
    known = runner.store.record(KIND, key)
    if known is None:
        try:
            reply, _ = runner.run(
                Job(kind=KIND, parameters={}, inputs=[]),
                image=image.id,
                argv=(images.runtime_python, "-I", "-c", BOOTSTRAP, ROOT),
                target=target.name,
                step="what the runtime has",
            )
        except Failure as failure:
            raise ImageError(
                f"the Python of {image.name} does not tell what it has: {failure.message}",
                hint="see the log",
                log=failure.log,
            ) from failure
        known = {"metadata": [str(text) for text in reply.message["metadata"]]}
        runner.store.write_record(KIND, key, known)
    return dict(_read(known["metadata"]))


def _read(texts: Iterable[str]) -> Iterator[tuple[NormalizedName, Present]]:
    """Each that says what it is. Of two of the same name, the first is what is imported."""
    seen: set[NormalizedName] = set()
    for text in texts:
        raw, _ = parse_email(text)
        try:
            name, version = canonicalize_name(raw["name"]), Version(raw["version"])
        except (KeyError, InvalidVersion):
            continue
        if name not in seen:
            seen.add(name)
            yield name, Present(version=version, metadata=text)


def _provided(
    packages: tuple[LockedPackage, ...], ways: Mapping[NormalizedName, str]
) -> Mapping[NormalizedName, str]:
    names = {each.name for each in packages}
    needs: dict[str, set[NormalizedName]] = {}
    for each in packages:
        for user in each.required_by:
            needs.setdefault(user, set()).add(each.name)
    roots = {each.name for each in packages if _is_root(each, names)} - ways.keys()
    wanted = _reached(roots, needs, ways.keys())
    found: dict[NormalizedName, str] = {}
    for name in sorted(ways.keys() & names):
        for other in _reached({name}, needs, ()):
            if other not in wanted:
                found.setdefault(other, ways.get(other, ways[name]))
    return found


def _is_root(package: LockedPackage, names: set[NormalizedName]) -> bool:
    """Whether a line of the user's asks for it; a lock's asks for all, also for others' sake."""
    others = [each for each in package.required_by if each in names]
    lines = [each for each in package.required_by if each not in names]
    return bool(lines) and (not others or any(":" in line for line in lines))


def _reached(
    roots: Iterable[NormalizedName],
    needs: Mapping[str, set[NormalizedName]],
    without: Iterable[NormalizedName],
) -> set[NormalizedName]:
    """*roots*, and all that they need, not going through those *without*."""
    closed, found, pending = set(without), set(), list(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [each for each in needs.get(name, ()) if each not in closed]
    return found


def _of(way: str) -> str:
    return f", also not with {way.removeprefix(SYSTEM)}" if way.startswith(SYSTEM) else ""
