"""What is to be done for each locked package, and why. Pure and printable.

A step is one of three: *fetch* a wheel that the target can install, *build* one from the sdist,
or *reuse* what an earlier run built from exactly the same inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from wheelhouse.building.changes import changes, in_short
from wheelhouse.building.cibuildwheel_config import identifier, python_folder
from wheelhouse.building.recipe import ByCibuildwheel, Recipe
from wheelhouse.cuda import has_compiler
from wheelhouse.errors import PlanError, WheelhouseError, raise_all
from wheelhouse.locking.candidates import TagRanks
from wheelhouse.locking.model import NOTHING_MORE, LockedPackage
from wheelhouse.locking.provision import provision_fields
from wheelhouse.sources.location import shown
from wheelhouse.toolkit import NoCompiler, TooOld, lacking
from wheelhouse.wheels.policy import repair_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.building.changes import Change, Earlier
    from wheelhouse.building.durations import Pace
    from wheelhouse.config import Project
    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.locking.model import BuildRequirement, Lock, LockedBuild, LockedFile
    from wheelhouse.targets import Interpreter, Target
    from wheelhouse.toolkit import Toolkit

Action = Literal["fetch", "build", "reuse"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A wheel that an earlier run has built, as the store remembers it."""

    filename: str
    sha256: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One package's step.

    :ivar file: the file on the index that it starts from.
    :ivar recipe: how it is built; None for a fetched wheel.
    :ivar key: the cache key of the build.
    :ivar inputs: what that key is the hash of, by names.
    :ivar built: the earlier result, for ``reuse``.
    :ivar earlier: for ``build``, the last one of the project that is most like it.
    :ivar reason: why, in one clause; the same on every machine.
    :ivar may_be_pure: whether a wheel without the sdist's C extension will do.
    :ivar seconds: how long it is expected to take; 0 for what is not built.
    """

    action: Action
    package: LockedPackage
    file: LockedFile
    reason: str
    recipe: Recipe | None = None
    key: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    built: Built | None = None
    earlier: Earlier | None = None
    may_be_pure: bool = False
    seconds: float = 0.0

    @property
    def changes(self) -> tuple[Change, ...]:
        """Which inputs are others than those of the earlier build for the same place."""
        if self.earlier is None or not self.earlier.same_place:
            return ()
        return changes(self.earlier.inputs, self.inputs)

    @property
    def past(self) -> str:
        """What this machine's past has to do with it, in one clause; empty if nothing."""
        if self.action == "reuse":
            return "built before from the same inputs"
        if self.earlier is None or not self.earlier.same_place:
            return ""
        return f"built again: {in_short(self.changes) or 'its wheel is no longer in the store'}"

    def to_dict(self) -> dict[str, Any]:
        """For ``wheelhouse plan --json``."""
        return {
            "name": self.package.name,
            "version": str(self.package.version),
            "action": self.action,
            "file": self.file.filename,
            "sha256": self.file.sha256,
            "reason": self.reason,
            "past": self.past,
            "changes": [each.to_dict() for each in self.changes],
            "required-by": list(self.package.required_by),
            "system": list(self.recipe.system) if self.recipe else [],
            "provision": _provision(self.package),
            "key": self.key,
            "expected-seconds": round(self.seconds),
        }


def _provision(package: LockedPackage) -> dict[str, Any]:
    """What its build gets beyond what it asks for, as the lock has it, in JSON's types."""
    fields = provision_fields(package.build.provision if package.build else NOTHING_MORE)
    before = fields.get("before")
    return {**fields, "before": before.isoformat()} if before else fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All steps of a target, in the lock's order.

    :ivar emulated: whether builds run on a machine of another architecture.
    """

    target: str
    steps: tuple[Step, ...]
    emulated: bool = False

    @property
    def first(self) -> tuple[Step, ...]:
        """The steps of build requirements that have no wheel, each before those that need it."""
        return tuple(_tools(self.steps).values())

    @property
    def work(self) -> int:
        """How many steps there are to do, those for build requirements included."""
        return len(self.steps) + sum(step.action == "build" for step in self.first)

    def count(self, action: Action) -> int:
        """How many steps have this action."""
        return sum(step.action == action for step in self.steps)

    @property
    def seconds(self) -> float:
        """How long all builds will take, one after another."""
        return sum(step.seconds for step in (*self.first, *self.steps))


def _tools(steps: Iterable[Step]) -> dict[str, Step]:
    """By its key, each build that one of *steps* takes, innermost first."""
    found: dict[str, Step] = {}
    for step in steps:
        if step.recipe is not None and step.action == "build":
            for tool in step.recipe.built:
                assert tool.key is not None
                found |= {**_tools([tool]), tool.key: tool}
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What a plan depends on besides the lock.

    :ivar builder: gives the builder image of a package, with these packages of the distribution,
        and a CUDA toolkit.
    :ivar for_cibuildwheel: gives the same for cibuildwheel, the target's Python in this folder.
    :ivar toolkit: that of CUDA for builds that need one; None if neither builder nor lock has it.
    :ivar known: gives what an earlier run built under this key, if it did.
    :ivar last: gives the last build that is most like that of this project and version.
    :ivar versions: of our own parts that take part in a build; a change of them rebuilds.
    :ivar cibuildwheel: gives the same for builds by it.
    :ivar pace: how fast builds go.
    """

    target: Target
    interpreter: Interpreter
    images: TargetImages
    builder: Callable[[LockedPackage, tuple[str, ...], Toolkit | None], Image]
    for_cibuildwheel: Callable[[LockedPackage, tuple[str, ...], str, Toolkit | None], Image]
    known: Callable[[str], Built | None]
    last: Callable[[NormalizedName, Version], Earlier | None]
    versions: Mapping[str, str]
    cibuildwheel: Callable[[], str]
    pace: Pace
    toolkit: Toolkit | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A target up to its plan."""

    target: Target
    images: TargetImages
    interpreter: Interpreter
    lock: Lock
    plan: Plan


def plan_target(lock: Lock, project: Project, here: Circumstances) -> Plan:
    """Choose a step for each package of *lock*.

    :raises PlanError: the target can use none of a package's files; all such packages at once.
    """
    ranks = TagRanks(here.interpreter.tags)
    steps: list[Step] = []
    errors: list[WheelhouseError] = []
    for package in lock.packages:
        if package.provided and not package.files:
            continue  # the server has it already
        try:
            steps.append(_step(package, project, here, ranks))
        except PlanError as error:
            errors.append(error)
    raise_all(errors)
    return Plan(target=lock.target, steps=tuple(steps), emulated=here.pace.emulated)


def _step(package: LockedPackage, project: Project, here: Circumstances, ranks: TagRanks) -> Step:
    source = "any" if package.direct else project.settings(package.name).source
    wheel = None if source == "sdist" else best_wheel(package.wheels, ranks)
    if wheel is not None:
        return Step(
            action="fetch", package=package, file=wheel, reason=_why_this_wheel(package, wheel)
        )
    if package.sdist is None or package.build is None:
        raise PlanError(
            f"{package} has no file that {here.target.describe()} can use",
            hint="run `wheelhouse lock`; if that does not help, pin another version",
        )
    return build_step(package, project, here)


def best_wheel(wheels: Sequence[LockedFile], ranks: TagRanks) -> LockedFile | None:
    """The wheel whose tags come first in the target's order of preference; None if none fits."""
    return next(iter(ranks.best_first(wheels)), None)


def _why_this_wheel(package: LockedPackage, wheel: LockedFile) -> str:
    if package.direct is not None:
        return f"it comes from {shown(package.direct)}"
    tag = wheel.filename.removesuffix(".whl").split("-", 2)[2]
    if len(package.wheels) > 1:
        return f"the best of {len(package.wheels)} wheels that fit the target"
    return "its wheel fits everywhere" if tag.endswith("none-any") else "its wheel fits the target"


def build_step(package: LockedPackage, project: Project, here: Circumstances) -> Step:
    """The step that builds *package* for the wheelhouse, or takes what an earlier run has built."""
    settings = project.settings(package.name)
    if package.direct is not None:
        why = f"it comes from {shown(package.direct)}"
    elif settings.source == "sdist":
        why = 'asked for: source = "sdist"'
    else:
        why = "no wheel on the index fits the target"
    return _build(package, project, here, why, may_be_pure=settings.allow_pure)


def tool_step(
    requirement: BuildRequirement, user: NormalizedName, project: Project, here: Circumstances
) -> Step:
    """The step that builds a *requirement* of the build of *user*, which has no wheel of it."""
    locked = LockedPackage(
        name=requirement.name,
        version=requirement.version,
        sdist=requirement.file,
        required_by=(f"the build of {user}",),
        build=requirement.build,
    )
    # It is a tool here, and no part of the wheelhouse: if its slower form works, that will do.
    why = "a build requirement that has no wheel for the builder"
    return _build(locked, project, here, why, may_be_pure=True)


def _build(
    package: LockedPackage, project: Project, here: Circumstances, why: str, *, may_be_pure: bool
) -> Step:
    """The step that builds *package* from its sdist, or takes what an earlier run has built so.

    :param why: it is built, in one clause.
    """
    assert package.sdist is not None
    recipe = recipe_of(package, project, here)
    more = {"policy": repair_policy(here.target), "pure": may_be_pure, **here.versions}
    key = recipe.key("build", **more)
    if recipe.cibuildwheel:
        with_network = ", with a network" if recipe.cibuildwheel.network else ""
        why += f"; built by its maintainers' recipe for cibuildwheel{with_network}"
    built = here.known(key)
    return Step(
        action="reuse" if built else "build",
        package=package,
        file=package.sdist,
        reason=why,
        recipe=recipe,
        key=key,
        inputs=recipe.inputs("build", **more),
        built=built,
        earlier=None if built else here.last(package.name, package.version),
        may_be_pure=may_be_pure,
        seconds=0.0 if built else here.pace.expected(package.name, package.sdist),
    )


def system_of(
    name: NormalizedName,
    build: LockedBuild,
    project: Project,
    target: Target,
    images: TargetImages,
) -> tuple[str, ...]:
    """The distribution's packages that the builder of *name* has, by their names in that."""
    preset = images.build_place.preset
    if preset.family == target.build_place.preset.family:
        declared = build.system
    else:
        declared = project.system(name, preset.family)
    return tuple(sorted({*declared, *build.provision.system.get(preset.name, ())}))


def _toolkit(package: LockedPackage, here: Circumstances) -> Toolkit:
    """What the builder of *package*, which is for CUDA, is to have.

    :raises PlanError: the builder has none, and none is locked.
    """
    cuda = here.target.cuda
    assert cuda is not None
    if here.toolkit is None:
        if has_compiler(cuda.version):
            raise PlanError(
                f"{package} is built with the toolkit of {cuda}, which neither its builder nor "
                "its lock has",
                hint="lock it anew on this machine: `wheelhouse lock --upgrade`",
            )
        problem = NoCompiler(package=package, target=here.target, images=here.images)
        raise PlanError(problem.message, hint=problem.hint)
    if arch := lacking(here.toolkit, cuda):
        old = TooOld(
            package=package,
            arch=arch,
            toolkit=here.toolkit,
            target=here.target,
            images=here.images,
        )
        raise PlanError(old.message, hint=old.hint)
    return here.toolkit


def recipe_of(
    package: LockedPackage, project: Project, here: Circumstances, *, plain: bool = False
) -> Recipe:
    """All inputs of running the backend of *package*'s sdist, by its locked build.

    :param plain: do without its maintainers' own recipe, also where that is asked for.
    """
    assert package.sdist is not None
    assert package.build is not None
    settings = project.settings(package.name)
    system = system_of(package.name, package.build, project, here.target, here.images)
    cuda = here.target.cuda if package.build.cuda else None
    toolkit = _toolkit(package, here) if cuda else None
    python, cibuildwheel = here.images.builder_python, None
    if settings.builder == "cibuildwheel" and not plain:
        tag = here.interpreter.tags[0]
        folder = python_folder(tag)
        image = here.for_cibuildwheel(package, system, folder, toolkit)
        python = f"{folder}/bin/python"
        cibuildwheel = ByCibuildwheel(
            identifier=identifier(tag, here.interpreter.libc, here.target.arch),
            network=settings.network,
            index=project.index,
            version=here.cibuildwheel(),
        )
    else:
        own = here.images.builder
        image = here.builder(package, system, toolkit) if system or toolkit else own
    environment = package.build.environment
    return Recipe(
        sdist=package.sdist,
        image=image.id,
        python=python,
        tool_python=here.images.tool_python,
        tool_path=here.images.tool_path,
        environment=environment,
        built=tuple(
            tool_step(each, package.name, project, here) for each in environment if each.build
        ),
        env=settings.env,
        config_settings=settings.config_settings,
        cibuildwheel=cibuildwheel,
        system=system,
        cuda=replace(cuda, version=toolkit.version) if cuda and toolkit else None,
        # The `local` engine builds with this machine's own, and never has these wheels.
        toolkit=toolkit.wheels if toolkit and image.origin != "local" else (),
        search=package.build.provision.search,
        regenerate=package.build.provision.regenerate,
        subdirectory=package.direct.subdirectory if package.direct else "",
    )
