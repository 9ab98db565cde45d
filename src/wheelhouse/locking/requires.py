"""Build requirements: what each build needs, static and dynamic, locked with hashes.

An sdist names its static build requirements in pyproject.toml; its backend may ask for more, and
says so only when it is run: in a container without network, in which the static ones are
installed. So: resolve, run the hook, resolve again with what it asked for, until nothing is
missing. A hook that fails is tried again with what its failure calls for: see
:mod:`wheelhouse.building.mending`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from wheelhouse.building.build import build_wheel
from wheelhouse.building.failed import FailedBuildError, check_located
from wheelhouse.building.ladder import relaxed
from wheelhouse.building.mending import Mender, Subject
from wheelhouse.building.repairs import Repair
from wheelhouse.errors import BuildError
from wheelhouse.locking.environments import Environments, Wish
from wheelhouse.locking.hooks import Hooks
from wheelhouse.locking.index import locked_file
from wheelhouse.locking.model import BuildRequirement, LockedBuild, LockedPackage
from wheelhouse.locking.sdist import read_sdist, read_source
from wheelhouse.locking.toolkit import Toolkits
from wheelhouse.plan import tool_step
from wheelhouse.settings import portable_url
from wheelhouse.sources.location import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.building.downloads import Downloads
    from wheelhouse.building.runner import Runner
    from wheelhouse.config import Project
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.candidates import Release
    from wheelhouse.locking.experience import Experience
    from wheelhouse.locking.index import Pages
    from wheelhouse.locking.model import Provision
    from wheelhouse.plan import Circumstances
    from wheelhouse.targets import Interpreter

#: How deep builds may take builds that take builds; less than a lock is read.
DEPTH = 8

#: Rounds of "resolve, ask the hook". Real backends need two.
ROUNDS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What running an sdist's hooks told. *metadata* only where it was asked for."""

    build: LockedBuild
    metadata: str | None


class BuildInspector:
    """Inspects the sdists of one target. Implements :class:`~.metadata.MetadataBuilder`.

    :param interpreter: the builder's, on which backends and their requirements run.
    :param experience: what earlier builds have taught; it gets to know what this one does.
    :param asked: the lines of requirements files that ask for packages by name.
    :param before: build requirements that came to an index at this time or later are not used.
    :param toolkit: that of CUDA, where it is locked already and stays.
    :ivar toolkits: who gets that, or another one.
    """

    def __init__(
        self,
        project: Project,
        here: Circumstances,
        interpreter: Interpreter,
        *,
        index: Pages,
        fetcher: Fetcher,
        runner: Runner,
        downloads: Downloads,
        mender: Mender,
        experience: Experience,
        asked: Mapping[NormalizedName, tuple[str, ...]],
        before: datetime | None = None,
        toolkit: tuple[BuildRequirement, ...] = (),
    ) -> None:
        self._project = project
        self._here = here
        self._interpreter = interpreter
        self._fetcher = fetcher
        self._runner = runner
        self._mender = mender
        self._experience = experience
        self._asked = asked
        self._environments = Environments(
            *(index, interpreter, fetcher, runner.store),
            inspect=self.inspect,
            told=self._told,
            before=before,
        )
        self.toolkits = Toolkits(project, here, self._environments, toolkit)
        self._hooks = Hooks(
            *(project, here.target, self.toolkits.circumstances, interpreter),
            fetcher=fetcher,
            runner=runner,
            downloads=downloads,
        )
        self._against: Mapping[NormalizedName, Version] | None = None
        self._failed: dict[str, FailedBuildError] = {}
        self._nowhere: dict[str, set[str]] = {}  # by sdist: libraries no other tool has
        self._static: dict[tuple[str, str], tuple[str, ...]] = {}

    def _told(self, index: str) -> str | None:
        """The URL of the *index* that a build requirement comes from, as the lock has it.

        Most come from the default one, and it would be told hundreds of times.
        """
        default = self._project.default_index
        is_default = default is not None and index == default.url.rstrip("/")
        return None if is_default else portable_url(index, self._project.root) or None

    def build_against(self, pins: Mapping[NormalizedName, Version] | None) -> None:
        """Let builds that are to be built against some package have its version in *pins*.

        While there are none, such packages do not say what they need: see `Locker`.
        """
        self._against = pins

    def builds_against(self, pins: Mapping[NormalizedName, Version]) -> bool:
        """Whether builds already have the versions in *pins*."""
        return self._against == pins

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        """See :class:`~.metadata.MetadataBuilder`."""
        if self._project.settings(name).build_against and self._against is None:
            return f"Metadata-Version: 2.1\nName: {name}\nVersion: {release.version}\n"
        assert release.sdist is not None
        wanted = LockedPackage(
            name=name,
            version=release.version,
            sdist=locked_file(release.sdist, self._fetcher),
            required_by=self._asked.get(name, ()),
        )
        return self.metadata_of(wanted)

    def metadata_of(self, package: LockedPackage) -> str:
        """What the backend of *package*'s source says that a wheel of it would.

        Raises as :meth:`inspect` does.
        """
        inspection = self.inspect(package, want_metadata=True)
        if inspection.metadata is None:
            raise BuildError(f"{package}: its build backend gave no metadata")
        return inspection.metadata

    def inspect(
        self,
        package: LockedPackage,
        *,
        want_metadata: bool = False,
        chain: tuple[NormalizedName, ...] = (),
    ) -> Inspection:
        """Find what building *package* takes, whatever that is.

        :param package: its sdist counts, and who requires it, as far as that is known by now.
        :param chain: the packages for whose builds it is needed, the outermost first.
        :raises BuildError: it is broken, or its backend fails whatever it is given.
        :raises LockError: its build requirements cannot be had.
        """
        if package.name in chain:
            raise _cycle(package.name, chain)
        if len(chain) > DEPTH:
            raise BuildError(
                f"{chain[0]} takes builds that take others, more than {DEPTH} deep: "
                f"{' takes '.join(chain)}",
                hint="have one of them as a wheel: limit its version to one that has one, by "
                f"`[packages.{chain[0]}] build-requires`",
            )
        assert package.sdist is not None
        if known := self._failed.get(package.sdist.sha256):
            raise known  # whoever asks for it next: all that could be tried has been
        family = self._here.images.build_place.preset.family
        asked_by = package.required_by or tuple(f"the build of {each}" for each in chain[-1:])
        subject = Subject.of(
            replace(package, required_by=asked_by), self._project.system(package.name, family)
        )
        failed: set[str] = set()
        try:
            inspection = self._mender.until_done(
                subject,
                self._experience.of(package.name, package.sdist),
                lambda given: self._attempt(given, package, want_metadata, chain, failed),
            )
        except FailedBuildError as error:
            if error.subject == str(package):
                self._failed[package.sdist.sha256] = error
            raise
        self._experience.remember(package.sdist, inspection.build.provision)
        return inspection

    def _attempt(
        self,
        provision: Provision,
        package: LockedPackage,
        want_metadata: bool,
        chain: tuple[NormalizedName, ...],
        failed: set[str],
    ) -> Inspection:
        found = self.inspect_with(
            provision, package, want_metadata=want_metadata, chain=chain, failed=failed
        )
        if chain and not want_metadata:  # what takes it will run: its build has to work, too
            assert package.sdist is not None
            tool = BuildRequirement(
                name=package.name, version=package.version, file=package.sdist, build=found.build
            )
            here = self.toolkits.circumstances(found.build)
            step = tool_step(tool, chain[-1], self._project, here)
            built = build_wheel(step, self._here.target, runner=self._runner, fetcher=self._fetcher)
            nowhere = self._nowhere.get(package.sdist.sha256, set())
            elsewhere = {*Repair.of(built.facts["repair"]).unlocated} - nowhere
            check_located(step, built, elsewhere, self._runner.limits)
        return found

    def inspect_with(
        self,
        provision: Provision,
        package: LockedPackage,
        *,
        want_metadata: bool = False,
        chain: tuple[NormalizedName, ...] = (),
        failed: set[str] | None = None,
    ) -> Inspection:
        """Find what building *package* takes when it is given *provision*, in one attempt.

        :param failed: what has failed already, and is not done again; it gets to know this one.
        :raises NothingNewError: that is all there is to do.

        Else raises as :meth:`inspect` does.
        """
        assert package.sdist is not None
        static = self._static_requires(package)
        failed = set() if failed is None else failed
        return self._inspect(package, static, provision, want_metadata, chain, failed)

    def _static_requires(self, package: LockedPackage) -> tuple[str, ...]:
        """What the source itself says, read once: that takes unpacking all of it."""
        file, direct = package.sdist, package.direct
        assert file is not None
        key = (file.sha256, direct.subdirectory if direct else "")
        if key not in self._static:
            path = self._source(package)
            self._static[key] = (
                read_source(path, subdirectory=direct.subdirectory, shown=str(package)).requires
                if direct
                else read_sdist(path, file.filename).requires
            )
        return self._static[key]

    def _source(self, package: LockedPackage) -> Path:
        file = package.sdist
        assert file is not None
        return self._fetcher.fetch(file.url, file.sha256, size=file.size)

    def _inspect(
        self,
        package: LockedPackage,
        static: tuple[str, ...],
        provision: Provision,
        want_metadata: bool,
        chain: tuple[NormalizedName, ...],
        failed: set[str],
    ) -> Inspection:
        """Resolve and ask until nothing is missing."""
        dynamic: tuple[str, ...] = ()
        cuda = self.toolkits.is_for(package, partial(self._source, package))
        for _ in range(ROUNDS):
            environment = self._environment(package, static + dynamic, provision, chain)
            build = LockedBuild(
                static=static,
                dynamic=dynamic,
                environment=environment,
                system=self._declared_system(package.name),
                provision=provision,
                cuda=cuda,
            )
            build, answer = self._ask(package, build, failed, chain, want_metadata=want_metadata)
            if not answer["missing"]:
                return Inspection(build=build, metadata=answer["metadata"])
            dynamic = tuple(sorted(set(dynamic) | set(answer["requires"])))
        raise BuildError(
            f"{package}: its build backend keeps asking for more requirements",
            hint="pin another version",
        )

    def _ask(
        self,
        package: LockedPackage,
        build: LockedBuild,
        failed: set[str],
        chain: tuple[NormalizedName, ...],
        *,
        want_metadata: bool,
    ) -> tuple[LockedBuild, dict[str, Any]]:
        """*build* with the environment in which the hooks of *package* answer, and the answer.

        Only here is it known which libraries the tools of one environment have for each other.
        One that lacks some then is mended as any build is.
        """
        while True:
            try:
                asked = replace(package, build=build)
                return build, self._hooks.ask(asked, failed, want_metadata=want_metadata)
            except FailedBuildError as error:
                lacking = error
            environment = self._mended(build.environment, lacking, (*chain, package.name))
            if environment == build.environment:
                raise lacking
            build = replace(build, environment=environment)

    def _mended(
        self,
        environment: tuple[BuildRequirement, ...],
        error: FailedBuildError,
        chain: tuple[NormalizedName, ...],
    ) -> tuple[BuildRequirement, ...]:
        """*environment*, in which the tool that *error* is of has the libraries that it lacked.

        Raises as :meth:`inspect` does.
        """
        found = []
        for each in environment:
            tool = LockedPackage(name=each.name, version=each.version, sdist=each.file)
            is_it = error.diagnosis.kind == "repair-library" and error.subject == str(tool)
            if each.build and is_it:
                lacking = self._nowhere.setdefault(each.file.sha256, set())
                lacking.update(missing.name for missing in error.diagnosis.missing)
                found.append(replace(each, build=self.inspect(tool, chain=chain).build))
            else:
                found.append(each)
        return tuple(found)

    def _declared_system(self, name: NormalizedName) -> tuple[str, ...]:
        return self._project.system(name, self._here.target.build_place.preset.family)

    # -- Environments ----------------------------------------------------------------------

    def _environment(
        self,
        package: LockedPackage,
        requires: tuple[str, ...],
        provision: Provision,
        chain: tuple[NormalizedName, ...],
    ) -> tuple[BuildRequirement, ...]:
        name = package.name
        own = self._project.settings(name).build_requires
        if provision.relaxed:
            requires = tuple(relaxed(line) for line in requires)
        wish = Wish(
            requires=tuple(
                sorted({*requires, *own, *provision.requires, *self._locked_ones(name)})
            ),
            constraints=provision.constraints,
            before=provision.before,
        )
        place = shown(package.direct) if package.direct else ""
        return self._environments.of(name, wish, chain, place)

    def _locked_ones(self, name: NormalizedName) -> tuple[str, ...]:
        """The pins of what *name* is to be built against."""
        wanted = self._project.settings(name).build_against
        pins = self._against or {}
        lacking = [each for each in wanted if each not in pins]
        if lacking and self._against is not None:
            raise BuildError(
                f"{name} is to be built against {', '.join(lacking)}, which is not locked",
                hint=f"ask for {lacking[0]} in the requirements, or leave it out of "
                f"`[packages.{name}] build-against`",
            )
        return tuple(f"{each}=={pins[each]}" for each in wanted if each in pins)


def _cycle(name: NormalizedName, chain: tuple[NormalizedName, ...]) -> BuildError:
    way = [*chain[chain.index(name) :], name]
    return BuildError(
        f"{name} cannot be built: it takes itself ({' takes '.join(way)})",
        hint=f"have one of them as a wheel: limit its version to one that has a wheel for the "
        f"target, such as `[packages.{chain[-1]}] build-requires`",
    )
