"""What the manifest tells of a wheel, from the step and the file that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockingfactory import images, interpreter, locked, project, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from housefactory import Package, house_wheel
from wheelhouse.building.recipe import Recipe
from wheelhouse.contents import describe
from wheelhouse.locking.model import Lock, LockedBuild, LockedFile, LockedPackage
from wheelhouse.manifest import BuildRequirementFacts, BuiltStory
from wheelhouse.obtain import Obtained
from wheelhouse.plan import Built, Plan, Planned, Step
from wheelhouse.story import contents
from wheelhouse.wheels import read_wheel

if TYPE_CHECKING:
    from pathlib import Path

SDIST = locked("demo-1.0.tar.gz")


def part(filename: str) -> LockedFile:
    """A wheel of a toolkit, on an index that wants credentials."""
    return LockedFile(
        filename=filename, url=f"https://me:secret@index.example/{filename}", sha256=sha(filename)
    )


def built_with(root: Path, *toolkit: LockedFile) -> BuiltStory:
    """What the manifest tells of a wheel that was built with *toolkit*."""
    made = house_wheel(Package(name="demo"), root / "wheels")
    package = LockedPackage(
        name=canonicalize_name("demo"),
        version=Version("1.0"),
        required_by=("requirements.txt:1",),
        sdist=SDIST,
        build=LockedBuild(static=(), dynamic=(), environment=(), cuda=True),
    )
    step = Step(
        action="build",
        package=package,
        file=SDIST,
        reason="no wheel fits",
        recipe=Recipe(
            sdist=SDIST, image="i", python="p", tool_python="t", tool_path="b", toolkit=toolkit
        ),
        key="k",
    )
    facts = {"grafted": [], "repaired": False}
    obtained = Obtained(
        step=step,
        wheel=read_wheel(made.path, filename=made.facts.filename, scratch=root),
        sha256=made.facts.sha256,
        built=Built(filename=made.facts.filename, sha256=made.facts.sha256, facts=facts),
    )
    planned = Planned(
        target=target(),
        images=images(),
        interpreter=interpreter(),
        lock=Lock(
            target="web",
            inputs="digest",
            python="3.11",
            environment={},
            requested=("demo",),
            packages=(package,),
        ),
        plan=Plan(target="web", steps=(step,)),
    )
    (wheel,) = describe(contents(project(root), planned, sha("lock"), [obtained])).wheels
    assert isinstance(wheel.story, BuiltStory)
    return wheel.story


def test_the_toolkit_of_a_build_is_told_in_order_and_without_secrets(tmp_path: Path) -> None:
    names = ("nvidia_nvvm-13.2.86-py3-none-any.whl", "nvidia_cuda_nvcc-13.2.78-py3-none-any.whl")
    assert built_with(tmp_path, *map(part, names)).toolkit == (
        BuildRequirementFacts(
            name="nvidia-cuda-nvcc",
            version="13.2.78",
            sha256=sha(names[1]),
            url=f"https://index.example/{names[1]}",
        ),
        BuildRequirementFacts(
            name="nvidia-nvvm",
            version="13.2.86",
            sha256=sha(names[0]),
            url=f"https://index.example/{names[0]}",
        ),
    )


def test_a_build_without_a_toolkit_tells_of_none(tmp_path: Path) -> None:
    assert built_with(tmp_path).toolkit == ()
