"""Making the lock of one target."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse.building.circumstances import circumstances
from wheelhouse.building.mending import Mender
from wheelhouse.errors import LockError, raise_all
from wheelhouse.events import Notice, step
from wheelhouse.finding import DistributionFinder
from wheelhouse.locking.conflicts import blaming, foreign_hashes, told_in_lines
from wheelhouse.locking.experience import Experience
from wheelhouse.locking.metadata import MetadataSource
from wheelhouse.locking.model import Lock, LockedPackage
from wheelhouse.locking.refusal import standing
from wheelhouse.locking.requires import BuildInspector
from wheelhouse.locking.resolver import Pin, resolve
from wheelhouse.locking.system import still_needed
from wheelhouse.locking.view import Policy, View
from wheelhouse.probe import probe_builder
from wheelhouse.scheduler import gather
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.building.runner import Runner
    from wheelhouse.config import PackageSettings, Project
    from wheelhouse.engine import TargetImages
    from wheelhouse.fetch import Fetcher
    from wheelhouse.inputs.model import Requirements
    from wheelhouse.locking.candidates import Release
    from wheelhouse.locking.index import Pages
    from wheelhouse.locking.indexes import Shelves
    from wheelhouse.locking.metadata import MetadataBuilder
    from wheelhouse.locking.model import AddedRequirement, RefusedFile
    from wheelhouse.scheduler import Scheduler
    from wheelhouse.targets import Interpreter, Target


#: How often versions are chosen until those that others are built against stay the same.
ROUNDS = 4

#: Before all builds of other targets: over soon, and everything of its own target waits for it.
SOON = math.inf


def inputs_digest(project: Project, target: Target, requirements: Requirements) -> str:
    """The digest of all that a lock is made from; a lock with another one is stale."""
    files = {
        str(path.relative_to(project.root.resolve())): digest
        for path, digest in requirements.files.items()
    }
    packages = {
        name: [each.source, each.system, dict(each.env), dict(each.config_settings), *_more(each)]
        for name, each in project.packages.items()
    }
    return digest_of([files, packages, _described(target), project.index])


def _more(settings: PackageSettings) -> list[object]:
    """What else of *settings* a lock is made from: nothing where nothing is said, as ever."""
    said = {
        "requires": settings.requires,
        "build-requires": settings.build_requires,
        "build-against": settings.build_against,
    }
    return [{key: value for key, value in said.items() if value}] if any(said.values()) else []


def _described(target: Target) -> list[object]:
    """What of *target* a lock is made from: its platform's definition, and not its name alone."""
    captured = target.captured
    return [
        *(
            [preset.name, preset.family, str(preset.libc), str(preset.glibcxx), preset.image]
            for preset in (target.preset, target.build_place.preset)
        ),
        [target.python, target.python_path, target.build_place.interpreter.path, target.arch],
        [captured.interpreter.to_dict(), sorted(captured.libraries)] if captured else [],
    ]


class _InTurn:
    """Runs backends when the scheduler has room for a container: uv asks for many at once."""

    def __init__(self, builder: MetadataBuilder, scheduler: Scheduler) -> None:
        self._builder = builder
        self._scheduler = scheduler

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        """See :class:`~.metadata.MetadataBuilder`."""
        ask = partial(self._builder.metadata, name, release, sdist)
        return self._scheduler.submit("containers", ask, cost=SOON).result()


class Locker:
    """Locks targets of one project. *indexes* and their pages are shared by all of them."""

    def __init__(
        self,
        project: Project,
        *,
        indexes: Shelves,
        fetcher: Fetcher,
        runner: Runner,
        scheduler: Scheduler,
    ) -> None:
        self._project = project
        self._indexes = indexes
        self._fetcher = fetcher
        self._runner = runner
        self._scheduler = scheduler

    def alone(self, path: Path) -> AbstractContextManager[None]:
        """While the block runs, be the only run on this store that renews the lock at *path*."""
        name = f"lock-{digest_of(str(path.absolute()))[:32]}"
        return self._runner.store.lock(name, self._runner.cancellation.check)

    def lock(
        self,
        target: Target,
        interpreter: Interpreter,
        images: TargetImages,
        requirements: Requirements,
        old: Lock | None,
        refused: Iterable[RefusedFile] = (),
        taught: Lock | None = None,
        added: Iterable[AddedRequirement] = (),
    ) -> Lock:
        """Resolve and pin everything, build requirements included.

        :param old: the present lock, whose pins are kept where nothing speaks against them.
        :param refused: wheels that were found out not to be what they say; none is used.
        :param taught: the lock that remembers what builds and proofs have taught, if not *old*.
        :param added: requirements that were found to be missing, beside those it remembers.
        :raises LockError: something cannot be found, or conflicts.
        :raises BuildError: a backend fails to say what it needs.
        """
        asked: dict[NormalizedName, tuple[str, ...]] = {}
        for each in requirements.asked:
            asked[each.name] = (*asked.get(each.name, ()), each.origin)
        inspector = self.inspector(target, interpreter, images, taught or old, asked=asked)
        metadata = MetadataSource(self._fetcher, _InTurn(inspector, self._scheduler))
        refused = standing(refused, target)
        remembered = taught or old
        added = tuple(dict.fromkeys((*(remembered.added if remembered else ()), *added)))
        policy = Policy(
            source=lambda name: self._project.settings(name).source,
            hashes=requirements.hashes,
            refused={file.sha256 for file in refused},
            requires=partial(self._requires, added),
        )
        view = View(self._pages(target, remembered, requirements), interpreter, metadata, policy)
        resolve_again = partial(self._resolve, view, interpreter, requirements, old, refused)
        pins = self._settled(resolve_again, inspector)
        wanted_by = required_by(pins, view, interpreter, requirements)
        drafts = [_package(pin, view, wanted_by[pin.name]) for pin in pins]
        packages = self._with_builds(target, drafts, inspector)
        self._warn(target, packages)
        return Lock(
            target=target.name,
            inputs=inputs_digest(self._project, target, requirements),
            python=str(interpreter.full_version),
            environment=dict(interpreter.environment),
            packages=tuple(packages),
            requested=tuple(sorted({str(each.requirement) for each in requirements.asked})),
            refused=tuple(file for file in refused if not view.has_lost(file)),
            system=still_needed(remembered.system if remembered else (), wanted_by),
            added=tuple(each for each in added if each.package in wanted_by),
        )

    def _pages(
        self, target: Target, known: Lock | None, requirements: Requirements | None = None
    ) -> Pages:
        """What *target* sees of the indexes, which are bound to what the *known* lock has."""
        asked = requirements.asked if requirements else ()
        return self._indexes.seen_by(
            target,
            remembered={
                each.name: each.index
                for each in (known.packages if known else ())
                if each.index is not None
            },
            bound={each.name: each.index for each in asked if each.index is not None},
        )

    def _requires(self, added: Iterable[AddedRequirement], name: NormalizedName) -> tuple[str, ...]:
        """What *name* requires and does not declare, as settings say and proofs have shown."""
        found = (each.requirement for each in added if each.package == name)
        return (*self._project.settings(name).requires, *found)

    def mender(self, target: Target, images: TargetImages, *, learning: bool = True) -> Mender:
        """What failed builds for *target* are given.

        :param learning: whether that may be anything.
        """
        return Mender(
            target,
            images,
            DistributionFinder(self._runner, target, images, "builder"),
            self._runner.reporter,
            auto_system=self._project.auto_system,
            learning=learning,
        )

    def inspector(
        self,
        target: Target,
        interpreter: Interpreter,
        images: TargetImages,
        taught: Lock | None,
        *,
        asked: Mapping[NormalizedName, tuple[str, ...]] | None = None,
        learning: bool = True,
    ) -> BuildInspector:
        """What finds out how sdists are built for *target*.

        :param taught: the lock that remembers what builds have taught.
        :param asked: the lines of requirements files that ask for packages by name.
        :param learning: whether a failed one may be tried with what that does not have.
        """
        runner = self._runner
        return BuildInspector(
            self._project,
            circumstances(runner, target, images, interpreter),
            probe_builder(runner, target, images, interpreter),
            index=self._pages(target, taught),
            fetcher=self._fetcher,
            runner=runner,
            mender=self.mender(target, images, learning=learning),
            experience=Experience(taught, interpreter.environment["python_version"]),
            asked=asked or {},
        )

    def _settled(
        self, resolve_again: Callable[[], tuple[Pin, ...]], inspector: BuildInspector
    ) -> tuple[Pin, ...]:
        """The pins, chosen again until what some are to be built against is what is chosen.

        What such packages need is known once there is something to build them against. So they
        are first taken to need nothing.
        """
        against = {name for each in self._project.packages.values() for name in each.build_against}
        pins = resolve_again()
        for _ in range(ROUNDS if against else 0):
            chosen = {pin.name: pin.version for pin in pins if pin.name in against}
            if inspector.builds_against(chosen):
                return pins
            inspector.build_against(chosen)
            pins = resolve_again()
        if against:
            raise LockError(
                f"no version of {', '.join(sorted(against))} stays the chosen one while others "
                "are built against it",
                hint="pin it in the requirements",
            )
        return pins

    def _resolve(
        self,
        view: View,
        interpreter: Interpreter,
        requirements: Requirements,
        old: Lock | None,
        refused: Iterable[RefusedFile],
    ) -> tuple[Pin, ...]:
        try:
            with self._runner.store.workspace() as folder:
                return resolve(
                    view,
                    interpreter,
                    [str(each.requirement) for each in requirements.asked],
                    folder=folder,
                    constraints=[str(each.requirement) for each in requirements.constraints],
                    preferences={each.name: each.version for each in old.packages} if old else None,
                    prereleases=requirements.prereleases,
                )
        except LockError as error:
            raise_all(foreign_hashes(error.message, view, requirements))
            raise told_in_lines(blaming(refused, error, requirements), requirements) from error

    def _with_builds(
        self,
        target: Target,
        drafts: list[LockedPackage],
        inspector: BuildInspector,
    ) -> list[LockedPackage]:
        """*drafts* with their build requirements, where they will be built; in parallel."""

        def inspect(draft: LockedPackage) -> LockedPackage:
            with step(self._runner.reporter, target.name, f"requirements of {draft.name}", "lock"):
                return replace(draft, build=inspector.inspect(draft).build)

        futures = [
            self._scheduler.submit("containers", partial(inspect, draft), cost=SOON)
            for draft in drafts
            if not draft.wheels
        ]
        built = {package.name: package for package in gather(futures)}
        return [built.get(draft.name, draft) for draft in drafts]

    def _warn(self, target: Target, packages: Iterable[LockedPackage]) -> None:
        for package in packages:
            if package.yanked is not None:
                reason = f": {package.yanked}" if package.yanked else ""
                self._runner.reporter.emit(
                    Notice(
                        target=target.name,
                        message=f"{package} was withdrawn (yanked) by its maintainers{reason}",
                        hint="pin another version",
                    )
                )


def _package(pin: Pin, view: View, wanted_by: tuple[str, ...]) -> LockedPackage:
    release = view.release(pin.name, pin.version)
    source = view.policy.source(pin.name)
    files = release.files(source)
    return LockedPackage(
        name=pin.name,
        version=pin.version,
        wheels=tuple(file.locked() for file in files if file is not release.sdist),
        sdist=release.sdist.locked() if release.sdist and release.sdist in files else None,
        required_by=wanted_by,
        yanked=release.yanked,
    )


def required_by(
    pins: Iterable[Pin], view: View, interpreter: Interpreter, requirements: Requirements
) -> Mapping[NormalizedName, tuple[str, ...]]:
    """For each pin, the packages and the lines of requirements files that ask for it."""
    wanted: dict[NormalizedName, list[str]] = {pin.name: [] for pin in pins}
    for asked in requirements.asked:
        if asked.name in wanted:
            wanted[asked.name].append(asked.origin)
    for pin in pins:
        text = view.metadata(pin.name, pin.version)
        for name in _dependencies(text, pin.extras, interpreter):
            if name in wanted and name != pin.name:
                wanted[name].append(pin.name)
    return {name: tuple(dict.fromkeys(names)) for name, names in wanted.items()}


def _dependencies(
    metadata: str, extras: tuple[str, ...], interpreter: Interpreter
) -> set[NormalizedName]:
    raw, _ = parse_email(metadata)
    found: set[NormalizedName] = set()
    for line in raw.get("requires_dist", []):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # uv has read it in its own lenient way; this is only for telling who asked
        marker = requirement.marker
        contexts = [{**interpreter.environment, "extra": extra} for extra in ("", *extras)]
        if marker is None or any(marker.evaluate(context) for context in contexts):
            found.add(canonicalize_name(requirement.name))
    return found
