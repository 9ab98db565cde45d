"""Making the lock of one target."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.building.circumstances import circumstances
from wheelhouse.building.downloads import Downloads
from wheelhouse.building.mending import Mender
from wheelhouse.building.neighbours import still_built_with, still_meant
from wheelhouse.errors import LockError
from wheelhouse.events import step
from wheelhouse.fetcherrors import redacted
from wheelhouse.finding import DistributionFinder
from wheelhouse.locking.agreeing import Agreement
from wheelhouse.locking.bypass import find_bypass
from wheelhouse.locking.direct import DirectSources
from wheelhouse.locking.edges import edges_of
from wheelhouse.locking.experience import Experience
from wheelhouse.locking.explaining import choose
from wheelhouse.locking.freshness import inputs_digest
from wheelhouse.locking.hashed import check_hashed
from wheelhouse.locking.index import locked_file
from wheelhouse.locking.metadata import MetadataSource
from wheelhouse.locking.model import Lock, LockedPackage
from wheelhouse.locking.refusal import standing
from wheelhouse.locking.requires import BuildInspector
from wheelhouse.locking.system import still_needed
from wheelhouse.locking.view import Policy, View
from wheelhouse.locking.warnings import left_out, unknown_extras, warnings
from wheelhouse.locking.ways import Trying
from wheelhouse.probe import probe_builder
from wheelhouse.scheduler import gather
from wheelhouse.settings import absolute_url, portable_url
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.building.runner import Runner
    from wheelhouse.config import Project
    from wheelhouse.engine import TargetImages
    from wheelhouse.fetch import Fetcher
    from wheelhouse.inputs.model import Asked, Requirements
    from wheelhouse.locking.candidates import Release
    from wheelhouse.locking.direct import DirectRelease, Pinner
    from wheelhouse.locking.edges import Edges
    from wheelhouse.locking.index import IndexFile
    from wheelhouse.locking.indexes import Shelves
    from wheelhouse.locking.metadata import MetadataBuilder
    from wheelhouse.locking.model import AddedRequirement, RefusedFile
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.scheduler import Scheduler
    from wheelhouse.targets import Interpreter, Target


#: How often versions are chosen until those that others are built against stay the same.
ROUNDS = 4

#: Before all builds of other targets: over soon, and everything of its own target waits for it.
SOON = math.inf


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
        pinner: Pinner,
    ) -> None:
        self._project = project
        self._indexes = indexes
        self._fetcher = fetcher
        self._runner = runner
        self._scheduler = scheduler
        self._pinner = pinner

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
        before: datetime | None = None,
    ) -> Lock:
        """Resolve and pin everything, build requirements included.

        :param old: the present lock, whose pins are kept where nothing speaks against them.
        :param refused: wheels that were found out not to be what they say; none is used.
        :param taught: the lock that remembers what builds and proofs have taught, if not *old*.
        :param added: requirements that were found to be missing, beside those it remembers.
        :param before: what came to an index at this time or later is not used, but for what a lock
            among the inputs has.
        :raises ConfigError: a lock among the inputs does not hold for *target*.
        :raises LockError: something cannot be found, or conflicts.
        :raises BuildError: a backend fails to say what it needs.
        """
        requirements = requirements.chosen_for(interpreter.environment)
        bound = _bound(requirements)
        inspector = self.inspector(
            *(target, interpreter, images, taught or old),
            asked=_origins(requirements),
            bound=bound,
            before=before,
        )
        requirements, direct = self._direct(requirements, interpreter, inspector, old)
        metadata = MetadataSource(self._fetcher, _InTurn(inspector, self._scheduler))
        bypass = find_bypass(self._runner, self._project, target, images)
        refused = standing(refused, target)
        remembered = taught or old
        added = tuple(dict.fromkeys((*self._learnt(target, remembered, old), *added)))
        policy = Policy(
            source=lambda name: self._project.settings(name).source,
            hashes=requirements.hashes,
            refused={file.sha256 for file in refused},
            requires=partial(self._requires, added),
            before=before,
            closed={each.name for each in requirements.asked if each.closed},
            direct=direct,
            present=bypass.present,
        )
        pages = self._indexes.seen_by(target, remembered=self._homes(remembered), bound=bound)
        view = View(pages, interpreter, metadata, policy)
        agreement = self._agreement(target, view, requirements)
        resolve_again = partial(self._resolve, view, requirements, old, refused, agreement)
        pins = self._settled(resolve_again, inspector)
        edges = edges_of(pins, view, interpreter, requirements)
        check_hashed(requirements, edges)
        drafts = bypass.marked(self._package(pin, view, edges) for pin in pins)
        packages = self._with_builds(target, drafts, inspector)
        self._warn(target, requirements, packages, view, agreement)
        return Lock(
            target=target.name,
            inputs=inputs_digest(self._project, target, requirements),
            python=str(interpreter.full_version),
            environment=dict(interpreter.environment),
            packages=tuple(packages),
            requested=tuple(sorted({str(each.requirement) for each in requirements.asked})),
            refused=tuple(file for file in refused if not view.has_lost(file)),
            system=still_needed(remembered.system if remembered else (), edges.required_by),
            added=tuple(each for each in added if each.package in edges.required_by),
            toolkit=inspector.toolkits.needed_by(packages),
        )

    def _direct(
        self,
        requirements: Requirements,
        interpreter: Interpreter,
        inspector: BuildInspector,
        old: Lock | None,
    ) -> tuple[Requirements, Mapping[NormalizedName, DirectRelease]]:
        """*requirements* by name, and what of them comes from elsewhere than an index."""

        def ask(package: LockedPackage) -> str:
            asking = partial(inspector.metadata_of, package)
            return self._scheduler.submit("containers", asking, cost=SOON).result()

        root = self._project.root
        sources = DirectSources(self._fetcher, self._pinner, interpreter, ask, old, root)
        return sources.take(requirements)

    def _package(self, pin: Pin, view: View, edges: Edges) -> LockedPackage:
        required_by, requires = edges.required_by[pin.name], edges.requires[pin.name]
        if (direct := view.policy.direct.get(pin.name)) is not None:
            return direct.locked(required_by, requires)
        release = view.release(pin.name, pin.version)
        files = _worth_locking(release.files(view.policy.source_of(pin.name)))
        sdist = release.sdist if release.sdist in files else None
        page = view.page_of(pin.name)
        locked = partial(locked_file, fetcher=self._fetcher)
        return LockedPackage(
            name=pin.name,
            version=pin.version,
            wheels=tuple(locked(file) for file in files if file is not release.sdist),
            sdist=locked(sdist) if sdist else None,
            required_by=required_by,
            yanked=release.yanked,
            index=portable_url(page.index, self._project.root) or None if page else None,
            requires=requires,
        )

    def _homes(self, lock: Lock | None) -> Mapping[NormalizedName, str]:
        """By name, the URL of the index that *lock* has it from; of build requirements, too."""
        found = lock.homes if lock else {}
        return {name: absolute_url(url, self._project.root) for name, url in found.items()}

    def _learnt(
        self, target: Target, remembered: Lock | None, old: Lock | None
    ) -> Iterator[AddedRequirement]:
        """What *remembered* has that packages do not declare, as far as it holds still."""
        known = still_meant(remembered.added if remembered else (), target.cuda)
        packages = {each.name: each for each in old.packages} if old else {}
        for each in still_built_with(known, packages):
            if each.library not in self._project.settings(each.package).system_libraries:
                yield each

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
        bound: Mapping[NormalizedName, str] | None = None,
        learning: bool = True,
        before: datetime | None = None,
    ) -> BuildInspector:
        """What finds out how sdists are built for *target*.

        :param taught: the lock that remembers what builds have taught.
        :param asked: the lines of requirements files that ask for packages by name.
        :param bound: by name, the URL of the index that a lock among the inputs has it from; where
            nothing new is locked, *taught* says that.
        :param learning: whether a failed one may be tried with what that does not have.
        :param before: as for :meth:`lock`, for build requirements.
        """
        runner, homes = self._runner, self._homes(taught)
        toolkit = taught.toolkit if taught and bound is None else ()
        bound = homes if bound is None else bound
        downloads = Downloads(
            target, runner=runner, fetcher=self._fetcher, scheduler=self._scheduler
        )
        return BuildInspector(
            self._project,
            circumstances(*(runner, target, images, interpreter), downloads=downloads),
            probe_builder(runner, target, images, interpreter),
            index=self._indexes.seen_by(target, remembered=homes, bound=bound),
            fetcher=self._fetcher,
            runner=runner,
            downloads=downloads,
            mender=self.mender(target, images, learning=learning),
            experience=Experience(taught, interpreter.environment["python_version"]),
            asked=asked or {},
            before=before,
            toolkit=toolkit,
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
        requirements: Requirements,
        old: Lock | None,
        refused: Iterable[RefusedFile],
        agreement: Agreement,
    ) -> tuple[Pin, ...]:
        kept = {each.name: each.version for each in old.packages} if old else {}

        def chosen(preferences: Mapping[NormalizedName, Version]) -> tuple[Pin, ...]:
            return choose(
                *(view, requirements, refused),
                preferences=preferences,
                workspace=self._runner.store.workspace,
                places=[index.url for index in self._project.known_indexes],
                check=self._runner.cancellation.check,
            )

        pins = chosen(kept)
        if preferred := agreement.preferred(pins):
            pins = chosen({**kept, **preferred})
        return agreement.of(pins)

    def _agreement(self, target: Target, view: View, requirements: Requirements) -> Agreement:
        trying = Trying(
            view=view,
            requirements=requirements,
            workspace=self._runner.store.workspace,
            check=self._runner.cancellation.check,
        )
        return Agreement(target, self._project, trying)

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
            if draft.sdist is not None and not draft.wheels
        ]
        built = {package.name: package for package in gather(futures)}
        return [built.get(draft.name, draft) for draft in drafts]

    def _warn(
        self,
        target: Target,
        requirements: Requirements,
        packages: Sequence[LockedPackage],
        view: View,
        agreement: Agreement,
    ) -> None:
        def status(name: NormalizedName) -> str:
            page = view.page_of(name)
            return page.status if page else ""

        versions = {each.name: each.version for each in packages}
        environment = view.interpreter.environment
        notices = (
            *left_out(target.name, requirements),
            *unknown_extras(target.name, requirements, versions, view.metadata, environment),
            *warnings(target.name, packages, status),
            *agreement.notices(),
        )
        for notice in notices:
            self._runner.reporter.emit(notice)


def _bound(requirements: Requirements) -> Mapping[NormalizedName, str]:
    """By name, the index that a lock among the inputs has it from.

    :raises LockError: two of them have it from different ones.
    """
    found: dict[NormalizedName, Asked] = {}
    for each in requirements.asked:
        if each.index is None:
            continue
        other = found.setdefault(each.name, each)
        if other.index != each.index:
            raise LockError(
                f"{other.origin} has {each.name} from {redacted(other.index or '')}, and "
                f"{each.origin} from {redacted(each.index)}",
                hint="have one of them, or lock both anew with the same index",
            )
    return {name: each.index for name, each in found.items() if each.index is not None}


def _worth_locking(files: Sequence[IndexFile]) -> list[IndexFile]:
    """Those of *files*, the one to use first, that have a hash, and that one: the hash of another
    is only known once it is fetched.
    """
    return [file for file in files if file.sha256 is not None or file is files[0]]


def _origins(requirements: Requirements) -> Mapping[NormalizedName, tuple[str, ...]]:
    """By name, the lines that ask for it."""
    asked: dict[NormalizedName, tuple[str, ...]] = {}
    for each in requirements.asked:
        asked[each.name] = (*asked.get(each.name, ()), each.origin)
    return asked
