"""What a wheelhouse is made from, and its manifest, which tells that. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from wheelhouse.fetcherrors import redacted
from wheelhouse.manifest import (
    FetchedStory,
    Generator,
    ImageFacts,
    LimitFacts,
    Manifest,
    TargetFacts,
)
from wheelhouse.needs import machine_needs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wheelhouse.engine import Image, Limits, TargetImages
    from wheelhouse.locking.model import SystemRequirement
    from wheelhouse.manifest import BuildRequirementFacts, BuiltStory, Bypassed, WheelFacts
    from wheelhouse.targets import Interpreter, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseWheel:
    """A wheel that goes in.

    :ivar path: its verified file, which may have another name.
    :ivar facts: everything that is told about it.
    """

    path: Path
    facts: WheelFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseContents:
    """All that a wheelhouse is made from.

    :ivar interpreter: the target's Python, as probed.
    :ivar images: the images that wheels were built in and the proof will run in.
    :ivar system: what the latter has been given.
    :ivar lock_sha256: the hash of the lock's file.
    :ivar requirements: the requirements that the user wrote.
    :ivar version: wheelhouse's own.
    :ivar limits: what each container may use.
    :ivar bypassed: what is to be on the server, and not in it.
    """

    target: Target
    interpreter: Interpreter
    wheels: tuple[HouseWheel, ...]
    images: TargetImages
    lock_sha256: str
    requirements: tuple[str, ...]
    version: str
    limits: Limits
    system: tuple[SystemRequirement, ...] = ()
    bypassed: tuple[Bypassed, ...] = ()


def describe(contents: HouseContents) -> Manifest:
    """The manifest of *contents*."""
    wheels = sorted((wheel.facts for wheel in contents.wheels), key=lambda facts: facts.name)
    return Manifest(
        generator=Generator(name="wheelhouse", version=contents.version),
        target=_target_facts(contents.target, contents.interpreter),
        needs=machine_needs(wheels, contents.target, contents.system),
        builder=_image_facts(contents.images.builder),
        runtime=_image_facts(contents.images.runtime),
        limits=LimitFacts(**asdict(contents.limits)),
        lock_sha256=contents.lock_sha256,
        requirements=tuple(sorted(contents.requirements)),
        wheels=tuple(_settled(facts) for facts in wheels),
        bypassed=tuple(sorted(contents.bypassed, key=lambda each: each.name)),
    )


def _target_facts(target: Target, interpreter: Interpreter) -> TargetFacts:
    environment = interpreter.environment
    return TargetFacts(
        name=target.name,
        platform=target.preset.name,
        title=target.preset.title,
        python=target.python,
        python_full_version=environment["python_full_version"],
        implementation=environment["platform_python_implementation"],
        free_threaded=interpreter.is_free_threaded,
        arch=target.arch,
        libc=str(interpreter.libc),
        environment=dict(environment),
    )


def _image_facts(image: Image) -> ImageFacts:
    return ImageFacts(id=image.id, name=image.name)


def _settled(facts: WheelFacts) -> WheelFacts:
    """*facts* in a settled order, without anything secret."""
    return replace(
        facts,
        tags=tuple(sorted(facts.tags)),
        modules=tuple(sorted(facts.modules)),
        extension_modules=tuple(sorted(facts.extension_modules)),
        required_by=tuple(sorted(facts.required_by)),
        skip_imports=tuple(sorted(facts.skip_imports)),
        system_libraries=tuple(sorted(facts.system_libraries)),
        system_programs=tuple(sorted(facts.system_programs)),
        story=_settled_story(facts.story),
    )


def _settled_story(story: FetchedStory | BuiltStory) -> FetchedStory | BuiltStory:
    if isinstance(story, FetchedStory):
        return replace(story, url=redacted(story.url), index=redacted(story.index))
    return replace(
        story,
        sdist_url=redacted(story.sdist_url),
        index=redacted(story.index),
        build_requirements=_settled_requirements(story.build_requirements),
        toolkit=_settled_requirements(story.toolkit),
        system_packages=tuple(sorted(story.system_packages)),
        grafted=tuple(sorted(story.grafted)),
    )


def _settled_requirements(
    requirements: Iterable[BuildRequirementFacts],
) -> tuple[BuildRequirementFacts, ...]:
    settled = (replace(each, url=redacted(each.url)) for each in requirements)
    return tuple(sorted(settled, key=lambda each: each.name))
