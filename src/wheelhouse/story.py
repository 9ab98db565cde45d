"""What is told of each wheel in the manifest: from plan steps and wheels to facts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from wheelhouse.contents import HouseContents, HouseWheel
from wheelhouse.fetcherrors import redacted
from wheelhouse.locking.index import ABSOLUTE
from wheelhouse.locking.system import server_system
from wheelhouse.manifest import (
    BuildRequirementFacts,
    BuiltStory,
    Bypassed,
    FetchedStory,
    ImageFacts,
    SharedLibrary,
    WheelFacts,
)
from wheelhouse.recipes import runtime_libraries, runtime_programs, skipped_imports
from wheelhouse.toolkit import parts
from wheelhouse.wheels import system_needs
from wheelhouse.wheels.policy import repair_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.config import Project
    from wheelhouse.locking.model import Lock, LockedPackage
    from wheelhouse.obtain import Obtained
    from wheelhouse.plan import Planned
    from wheelhouse.targets import Target


def contents(
    project: Project, planned: Planned, lock_sha256: str, obtained: Sequence[Obtained]
) -> HouseContents:
    """All that the wheelhouse of a target is made from.

    :param planned: its images are those of the proof.
    """
    from wheelhouse import __version__

    wheels = [
        HouseWheel(path=each.wheel.path, facts=_facts(each, project, planned.target))
        for each in obtained
        if not each.step.package.provided
    ]
    return HouseContents(
        target=planned.target,
        interpreter=planned.interpreter,
        wheels=tuple(wheels),
        images=planned.images,
        lock_sha256=lock_sha256,
        requirements=planned.lock.requested,
        version=__version__,
        system=server_system(project, planned.target, planned.lock, planned.images.place.preset),
        bypassed=tuple(_bypassed(planned.lock)),
        limits=project.limits,
    )


def _bypassed(lock: Lock) -> Iterator[Bypassed]:
    others = {each.name for each in lock.packages if each.provided}
    for each in lock.packages:
        way, _, package = each.provided.partition(":")
        if each.provided:
            yield Bypassed(
                name=each.name,
                version=str(each.version),
                way=cast("Literal['image', 'system', 'wheel']", way),
                package=package,
                required_by=tuple(sorted(each.required_by)),
                needed=not others.issuperset(each.required_by),
            )


def _facts(obtained: Obtained, project: Project, target: Target) -> WheelFacts:
    wheel, package = obtained.wheel, obtained.step.package
    skipped = (*project.settings(package.name).skip_imports, *skipped_imports(package.name))
    python = wheel.metadata.requires_python
    may_need = target.runtime_system  # beyond what it is linked to
    libraries = runtime_libraries(package.name) if may_need else ()
    return WheelFacts(
        filename=wheel.filename,
        name=wheel.name,
        version=str(wheel.version),
        sha256=obtained.sha256,
        size=wheel.size,
        tags=tuple(sorted(str(tag) for tag in wheel.tags)),
        story=_built_story(obtained, project, target)
        if obtained.built
        else FetchedStory(
            url=redacted(obtained.step.file.url), sha256=obtained.sha256, index=_index(package)
        ),
        requires_python=str(python) if python else "",
        modules=wheel.modules,
        extension_modules=tuple(module_name(each) for each in wheel.extensions),
        required_by=package.required_by,
        skip_imports=tuple(dict.fromkeys(skipped)),
        system_libraries=tuple(sorted({*system_needs(wheel, target), *libraries})),
        system_programs=runtime_programs(package.name) if may_need else (),
        license=wheel.metadata.license,
    )


def _index(package: LockedPackage) -> str:
    """The index that *package* comes from. A folder is none: it says nothing of its files."""
    index = package.index or ""
    return redacted(index) if index.startswith(ABSOLUTE) else ""


def module_name(member: str) -> str:
    """The dotted name of the extension module *member*: ``a/_b.cpython-311-….so`` is ``a._b``."""
    parts = member.split("/")
    if parts[0].endswith(".data"):
        parts = parts[2:]
    return ".".join([*parts[:-1], parts[-1].partition(".")[0]])


def _built_story(obtained: Obtained, project: Project, target: Target) -> BuiltStory:
    step, built = obtained.step, obtained.built
    recipe = step.recipe
    assert recipe is not None
    assert built is not None
    assert step.key is not None
    assert step.package.build is not None
    settings = project.settings(step.package.name)
    return BuiltStory(
        reason=step.reason,
        sdist_url=redacted(step.file.url),
        sdist_sha256=step.file.sha256,
        index=_index(step.package),
        image=ImageFacts(id=recipe.image, name=""),
        cache_key=step.key,
        build_requirements=tuple(
            BuildRequirementFacts(
                name=each.name,
                version=str(each.version),
                sha256=each.file.sha256,
                url=redacted(each.file.url),
            )
            for each in recipe.environment
        ),
        toolkit=tuple(
            BuildRequirementFacts(
                name=name, version=str(version), sha256=file.sha256, url=redacted(file.url)
            )
            for name, version, file in parts(recipe.toolkit)
        ),
        system_packages=recipe.system,
        environment=dict(settings.env),
        config_settings=dict(settings.config_settings),
        grafted=tuple(built.facts["grafted"]),
        shared=tuple(
            SharedLibrary(soname=each.name, provider=each.project, folder=each.folder or "")
            for each in obtained.taken
        ),
        policy=repair_policy(target) if built.facts["repaired"] else "",
        builder="cibuildwheel" if recipe.cibuildwheel else "wheelhouse",
        network=recipe.cibuildwheel is not None and recipe.cibuildwheel.network,
    )
