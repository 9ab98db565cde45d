"""The plan: fetch, build or reuse, and a cache key that changes with whatever goes in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import images, interpreter, locked, project, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.building.changes import TITLES, Earlier
from wheelhouse.cli.plantext import plan_lines  # noqa: TID251  (it is what is tested)
from wheelhouse.config import PackageSettings
from wheelhouse.cuda import Cuda
from wheelhouse.engine import Image
from wheelhouse.errors import PlanError, SeveralErrors
from wheelhouse.locking.candidates import TagRanks
from wheelhouse.locking.model import BuildRequirement, Lock, LockedBuild, LockedPackage
from wheelhouse.plan import Built, Circumstances, Plan, Planned, Step, best_wheel, plan_target
from wheelhouse.reporting.lines import to_text
from wheelhouse.store import digest_of
from wheelhouse.targets import presets
from wheelhouse.toolkit import Toolkit
from wheelhouse.weighing import Load
from wheelhouse.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.locking.model import LockedFile

SETUPTOOLS = BuildRequirement(
    name=canonicalize_name("setuptools"),
    version=Version("80.1"),
    file=locked("setuptools-80.1-py3-none-any.whl"),
)
BUILD = LockedBuild(static=("setuptools",), dynamic=(), environment=(SETUPTOOLS,))
SDIST = locked("demo-1.0.tar.gz")


def package(name: str = "demo", **more: Any) -> LockedPackage:
    return LockedPackage(
        **{
            "name": canonicalize_name(name),
            "version": Version("1.0"),
            "required_by": ("requirements.txt:1",),
            **more,
        }
    )


def lock(*packages: LockedPackage) -> Lock:
    return Lock(
        target="web",
        inputs="digest",
        python="3.11.2",
        environment=dict(interpreter().environment),
        packages=packages,
    )


def system_image(packages: tuple[str, ...], toolkit: Toolkit | None = None) -> Image:
    parts = [*packages, *([f"cuda-{toolkit.version}"] if toolkit else [])]
    return Image(id=f"sha256:{'+'.join(parts)}", name="builder", origin="derived")


class Slow:
    """Nothing takes less than a minute."""

    emulated = True

    def expected(self, name: str, sdist: LockedFile) -> float:
        return 60.0


def circumstances(**more: Any) -> Circumstances:
    return Circumstances(
        **{
            "target": target(),
            "interpreter": interpreter(),
            "images": images(),
            "builder": lambda package, packages, toolkit: system_image(packages, toolkit),
            "known": lambda _: None,
            "last": lambda name, version: None,
            "for_cibuildwheel": lambda package, packages, folder, toolkit: system_image(
                (*packages, folder), toolkit
            ),
            "versions": {"agent": "1", "left alone": "1"},
            "cibuildwheel": lambda: "4",
            "pace": Slow(),
            **more,
        }
    )


@pytest.fixture
def here(tmp_path: Path) -> Project:
    return project(tmp_path)


def names(plan: Plan) -> list[tuple[str, str]]:
    return [(step.package.name, step.action) for step in plan.steps]


# --- which action -----------------------------------------------------------------------------


def test_wheels_are_fetched_sdists_built_in_the_locks_order(here: Project) -> None:
    plan = plan_target(
        lock(
            package("zope", wheels=(locked("zope-1.0-py3-none-any.whl"),)),
            package("demo", sdist=SDIST, build=BUILD),
            package("both", wheels=(locked("both-1.0-py3-none-any.whl"),), sdist=SDIST),
        ),
        here,
        circumstances(),
    )
    assert names(plan) == [("zope", "fetch"), ("demo", "build"), ("both", "fetch")]
    assert (plan.count("fetch"), plan.count("build"), plan.count("reuse")) == (2, 1, 0)
    assert plan.steps[0].recipe is None
    assert plan.steps[1].file == SDIST


def test_what_was_built_before_is_reused(here: Project) -> None:
    built = Built(filename="demo-1.0-cp311-cp311-linux_x86_64.whl", sha256=sha("x"), facts={})
    asked: list[str] = []

    def known(key: str) -> Built:
        asked.append(key)
        return built

    (step,) = plan_target(
        lock(package(sdist=SDIST, build=BUILD)), here, circumstances(known=known)
    ).steps
    assert (step.action, step.built) == ("reuse", built)
    assert asked == [step.key]
    assert step.reason == "no wheel on the index fits the target"
    assert step.past == "built before from the same inputs"


def test_an_sdist_that_was_asked_for_wins_over_a_wheel(tmp_path: Path) -> None:
    wanted = package(wheels=(locked("demo-1.0-py3-none-any.whl"),), sdist=SDIST, build=BUILD)
    asking = project(tmp_path, {"Demo": PackageSettings(source="sdist")})
    (step,) = plan_target(lock(wanted), asking, circumstances()).steps
    assert step.action == "build"
    assert step.reason == 'asked for: source = "sdist"'


def test_all_packages_without_a_file_are_told_at_once(here: Project) -> None:
    with pytest.raises(SeveralErrors) as told:
        plan_target(
            lock(
                package("nothing"),
                package("fine", wheels=(locked("fine-1.0-py3-none-any.whl"),)),
                package("windows", wheels=(locked("windows-1.0-cp311-cp311-win_amd64.whl"),)),
                package("unlocked", sdist=SDIST),
            ),
            here,
            circumstances(),
        )
    messages = [error.message for error in told.value.errors]
    assert [message.split()[0] for message in messages] == ["nothing", "windows", "unlocked"]
    assert all("Debian 12" in message for message in messages)
    assert all(isinstance(error, PlanError) and error.hint for error in told.value.errors)


def test_a_plan_can_be_printed(here: Project) -> None:
    (step,) = plan_target(lock(package(sdist=SDIST, build=BUILD)), here, circumstances()).steps
    data = json.loads(json.dumps(step.to_dict()))
    assert data == {
        "name": "demo",
        "version": "1.0",
        "action": "build",
        "file": "demo-1.0.tar.gz",
        "sha256": SDIST.sha256,
        "reason": "no wheel on the index fits the target",
        "past": "",
        "changes": [],
        "required-by": ["requirements.txt:1"],
        "key": step.key,
        "expected-seconds": 60,
        "system": [],
        "provision": {},
    }


def test_system_packages_are_in_the_builder(here: Project) -> None:
    build = replace(BUILD, system=("libpq-dev",))
    (step,) = plan_target(lock(package(sdist=SDIST, build=build)), here, circumstances()).steps
    assert step.recipe is not None
    assert step.recipe.image == "sha256:libpq-dev"
    assert step.recipe.system == ("libpq-dev",)


def test_a_stand_in_has_system_packages_under_its_own_names(tmp_path: Path) -> None:
    """A lock is for all machines: those that reach a registry, and those that don't."""
    build = replace(BUILD, system=("libpq-devel",))
    names = {"amazon": ("libpq-devel",), "debian": ("libpq-dev", "g++")}
    settings = {"demo": PackageSettings(system=names)}
    amazon = replace(target(), preset=presets()["amazonlinux2023"])
    for place, expected in ((amazon.place, "libpq-devel"), (target().place, "g++ libpq-dev")):
        here = circumstances(target=amazon, images=replace(images(), build_place=place))
        plan = plan_target(
            lock(package(sdist=SDIST, build=build)), project(tmp_path, settings), here
        )
        recipe = plan.steps[0].recipe
        assert recipe is not None
        assert recipe.system == tuple(expected.split())
        assert recipe.image == f"sha256:{expected.replace(' ', '+')}"


# --- which wheel ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filenames", "best"),
    [
        (["py3-none-any", "cp311-cp311-manylinux_2_17_x86_64"], 1),
        (["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_28_x86_64"], 1),
        (["cp38-abi3-manylinux_2_17_x86_64", "py3-none-any"], 0),
        (["cp38-abi3-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_x86_64"], 1),
        (["cp38-abi3-manylinux_2_17_x86_64", "cp39-abi3-manylinux_2_17_x86_64"], 1),
        (["cp311-cp311-manylinux_2_17_aarch64", "py3-none-any"], 1),
        (["cp311-cp311-musllinux_1_2_x86_64", "py2.py3-none-any"], 1),
        (["cp311-cp311-manylinux_2_39_x86_64", "cp311-cp311-manylinux_2_5_x86_64"], 1),
        (["cp311-cp311-win_amd64", "cp312-cp312-manylinux_2_17_x86_64"], None),
        (["1-py3-none-any", "2-py3-none-any", "10-py3-none-any"], 2),
        (["py3-none-any", "1-py3-none-any"], 1),
        ([], None),
    ],
)
def test_the_best_wheel(filenames: list[str], best: int | None) -> None:
    wheels = [locked(f"demo-1.0-{each}.whl") for each in filenames]
    ranks = TagRanks(interpreter().tags)
    wanted = None if best is None else wheels[best]
    assert best_wheel(wheels, ranks) == wanted
    assert best_wheel(wheels[::-1], ranks) == wanted


def test_two_files_of_one_name_do_not_break_the_choice() -> None:
    wheels = [locked("demo-1.0-py3-none-any.whl", sha256=sha(each)) for each in "ab"]
    assert best_wheel(wheels, TagRanks(interpreter().tags)) in wheels


# --- the cache key ----------------------------------------------------------------------------


def key_of(root: Path, **more: Any) -> str:
    key = step_of(root, **more).key
    assert key is not None
    return key


def step_of(
    root: Path,
    *,
    sdist: Any = SDIST,
    build: LockedBuild = BUILD,
    settings: PackageSettings | None = None,
    **more: Any,
) -> Step:
    wanted = package(sdist=sdist, build=build)
    here = project(root, {"demo": settings or PackageSettings()})
    (step,) = plan_target(lock(wanted), here, circumstances(**more)).steps
    return step


def _another_requirement(**more: Any) -> LockedBuild:
    wheel = locked("setuptools-80.1-py3-none-any.whl", **more)
    return replace(BUILD, environment=(replace(SETUPTOOLS, file=wheel),))


def _another_builder() -> Any:
    return replace(images(), builder=replace(images().builder, id="sha256:newer"))


CUDA_TARGET = replace(target(), cuda=Cuda(version=Version("13.2"), arches=("80",)))
TOOLKIT = Toolkit(version=Version("13.2"), wheels=(locked("nvcc-13.2-py3-none-any.whl"),))


def test_a_build_for_cuda_has_the_toolkit_and_is_told_where_and_for_what(tmp_path: Path) -> None:
    settings = PackageSettings(env={"CUDAARCHS": "90"})
    step = step_of(
        tmp_path,
        build=replace(BUILD, cuda=True, system=("libpq-dev",)),
        settings=settings,
        target=CUDA_TARGET,
        toolkit=TOOLKIT,
    )
    assert step.recipe is not None
    assert step.recipe.image == "sha256:libpq-dev+cuda-13.2"
    variables = step.recipe.variables()
    assert variables["CUDA_HOME"] == "/usr/local/cuda"
    assert variables["TORCH_CUDA_ARCH_LIST"] == "8.0+PTX"
    assert variables["CUDAARCHS"] == "90"  # the user's own
    assert step.recipe.job("build", tmp_path, ()).parameters["cuda"] == "/usr/local/cuda"
    assert step.inputs["cuda"] == ["13.2"]
    assert step.recipe.toolkit == TOOLKIT.wheels
    assert step.inputs["toolkit"] == {"nvcc": f"13.2 sha256:{TOOLKIT.wheels[0].sha256}"}


def test_this_machine_s_own_toolkit_is_not_that_of_the_lock(tmp_path: Path) -> None:
    step = step_of(
        tmp_path,
        build=replace(BUILD, cuda=True),
        target=CUDA_TARGET,
        toolkit=TOOLKIT,
        builder=lambda *_: replace(images().builder, id="local:1", origin="local"),
    )
    assert step.recipe is not None
    assert step.recipe.toolkit == ()
    assert step.inputs["toolkit"] == {}


def test_other_builds_of_such_a_target_go_without(tmp_path: Path) -> None:
    step = step_of(tmp_path, target=CUDA_TARGET, toolkit=TOOLKIT)
    assert step.recipe is not None
    assert step.recipe.image == images().builder.id
    assert "CUDA_HOME" not in step.recipe.variables()
    assert step.recipe.job("build", tmp_path, ()).parameters["cuda"] == ""
    assert step.recipe.toolkit == ()
    assert step.key == key_of(tmp_path)


def test_a_builder_that_has_a_toolkit_needs_none_of_the_locks(tmp_path: Path) -> None:
    place = replace(CUDA_TARGET.place, preset=presets()["manylinux_2_28_cuda13_1"])
    has_one = replace(images(), build_place=place)
    own = Toolkit(version=Version("13.1"), wheels=())
    build = replace(BUILD, cuda=True)
    step = step_of(tmp_path, build=build, target=CUDA_TARGET, images=has_one, toolkit=own)
    assert step.recipe is not None
    assert step.recipe.image == system_image((), own).id
    assert step.recipe.toolkit == ()
    assert step.recipe.variables()["CUDACXX"] == "/usr/local/cuda/bin/nvcc"
    assert step.inputs["cuda"] == ["13.1"]


def test_an_older_nvcc_is_given_no_option_that_only_the_targets_has(tmp_path: Path) -> None:
    """Its release is in the key: another one makes other code."""

    def built_with(version: str) -> Step:
        wanted = replace(CUDA_TARGET, cuda=Cuda(version=Version("11.8"), arches=("80",)))
        own = Toolkit(version=Version(version), wheels=())
        return step_of(tmp_path, build=replace(BUILD, cuda=True), target=wanted, toolkit=own)

    old, new = built_with("11.2"), built_with("11.8")
    assert old.recipe is not None
    assert new.recipe is not None
    assert "NVCC_PREPEND_FLAGS" not in old.recipe.variables()
    assert new.recipe.variables()["NVCC_PREPEND_FLAGS"] == "-objtemp"
    assert (old.inputs["cuda"], new.inputs["cuda"]) == (["11.2"], ["11.8"])
    assert old.key != new.key


@pytest.mark.parametrize("origin", ["local", "derived"])
def test_gpus_that_the_toolkit_does_not_know_are_told_before_a_build(
    tmp_path: Path, origin: str
) -> None:
    wanted = replace(CUDA_TARGET, cuda=Cuda(version=Version("12.9"), arches=("80", "120")))
    own = Toolkit(version=Version("12.4"), wheels=())
    builder = replace(images().builder, origin=origin)
    with pytest.raises(PlanError, match=r"that of CUDA 12\.4, .* no code for 120") as caught:
        step_of(
            *(tmp_path,),
            build=replace(BUILD, cuda=True),
            target=wanted,
            toolkit=own,
            images=replace(images(), builder=builder),
        )
    hint = caught.value.hint or ""
    assert "CUDA 12.8 to 12.9" in hint
    assert ("/usr/local/cuda" in hint) == (origin == "local")


@pytest.mark.parametrize(
    ("version", "said"), [("13.2", "which neither its builder nor its lock has"), ("12.9", "PyPI")]
)
def test_a_build_for_cuda_without_a_toolkit_is_refused(
    tmp_path: Path, version: str, said: str
) -> None:
    wanted = replace(CUDA_TARGET, cuda=Cuda(version=Version(version)))
    with pytest.raises(PlanError, match=said):
        step_of(tmp_path, build=replace(BUILD, cuda=True), target=wanted)


CHANGES: dict[str, Callable[[], dict[str, Any]]] = {
    "the sdist": lambda: {"sdist": replace(SDIST, sha256=sha("another"))},
    "the builder": lambda: {"images": _another_builder()},
    "the interpreter, where one image has several": lambda: {
        "images": replace(images(), builder_python="/usr/bin/python3.12")
    },
    "system packages": lambda: {"build": replace(BUILD, system=("libpq-dev",))},
    "a build requirement": lambda: {"build": _another_requirement(sha256=sha("another"))},
    "one requirement less": lambda: {"build": replace(BUILD, environment=())},
    "the time of upload": lambda: {
        "sdist": replace(SDIST, upload_time=datetime(2024, 1, 1, tzinfo=UTC))
    },
    "a variable": lambda: {"settings": PackageSettings(env={"CFLAGS": "-O3"})},
    "a variable's name": lambda: {"settings": PackageSettings(env={"LDFLAGS": "-g0"})},
    "a config setting": lambda: {"settings": PackageSettings(config_settings={"a": "1"})},
    "config settings as a list": lambda: {
        "settings": PackageSettings(config_settings={"a": ("1", "2")})
    },
    "allow-pure": lambda: {"settings": PackageSettings(allow_pure=True)},
    "the policy": lambda: {"target": replace(target(), preset=presets()["debian13"])},
    "CUDA": lambda: {"build": replace(BUILD, cuda=True), "target": CUDA_TARGET, "toolkit": TOOLKIT},
    "our own parts": lambda: {"versions": {"agent": "2", "left alone": "1"}},
    "more own parts": lambda: {"versions": {"agent": "1", "left alone": "1", "repair": "1"}},
}


def test_equal_inputs_have_an_equal_key(tmp_path: Path) -> None:
    assert key_of(tmp_path) == key_of(tmp_path)
    elsewhere = replace(SDIST, url="https://mirror.example/demo-1.0.tar.gz", size=5)
    assert key_of(tmp_path, sdist=elsewhere) == key_of(tmp_path)
    moved = _another_requirement(url="https://mirror.example/x.whl")
    assert key_of(tmp_path, build=moved) == key_of(tmp_path)


@pytest.mark.parametrize("change", CHANGES)
def test_another_input_has_another_key(tmp_path: Path, change: str) -> None:
    assert key_of(tmp_path, **CHANGES[change]()) != key_of(tmp_path)


@pytest.mark.parametrize("change", CHANGES)
def test_another_input_is_named(tmp_path: Path, change: str) -> None:
    before = step_of(tmp_path)
    assert before.key == digest_of(before.inputs)
    assert before.inputs.keys() - {"kind"} == TITLES.keys()
    last = Earlier(key="k", version="1.0", place="here", same_place=True, inputs=before.inputs)
    step = step_of(tmp_path, last=lambda name, version: last, **CHANGES[change]())
    assert step.changes
    assert step.past.startswith("built again: ")
    assert step.to_dict()["changes"][0]["change"] in step.past


def test_all_these_keys_differ(tmp_path: Path) -> None:
    assert len({key_of(tmp_path, **change()) for change in CHANGES.values()}) == len(CHANGES)


def test_a_build_by_cibuildwheel_is_another_one(tmp_path: Path) -> None:
    demo = package(sdist=SDIST, build=replace(BUILD, system=("libx-dev",)))
    own = PackageSettings(builder="cibuildwheel")
    steps = [
        plan_target(lock(demo), project(tmp_path, {"demo": settings}), circumstances(**more)).steps[
            0
        ]
        for settings, more in (
            (PackageSettings(), {}),
            (own, {}),
            (replace(own, network=True), {}),
            (own, {"cibuildwheel": lambda: "5"}),
        )
    ]

    assert len({step.key for step in steps}) == len(steps)
    recipe = steps[1].recipe
    assert recipe is not None
    assert recipe.cibuildwheel is not None
    assert recipe.image == "sha256:libx-dev+/opt/python/cp311-cp311"
    assert recipe.python == "/opt/python/cp311-cp311/bin/python"
    assert recipe.cibuildwheel.identifier == "cp311-manylinux_x86_64"
    assert "cibuildwheel" not in steps[0].reason
    assert steps[1].reason.endswith("built by its maintainers' recipe for cibuildwheel")
    assert steps[2].reason.endswith(", with a network")


def built(name: str = "demo") -> LockedPackage:
    build = LockedBuild(static=(), dynamic=(), environment=())
    return package(name, sdist=SDIST, build=build)


def text(plan: Planned) -> str:
    """The plan for a person, of files that nobody has weighed."""
    load = Load(weights=Weights(files=()), rooms=())
    return "\n".join(map(to_text, plan_lines(plan, load)))


def test_emulated_builds_are_told_with_what_they_may_take(here: Project) -> None:
    plan = planned(plan_target(lock(built(), built("other")), here, circumstances()))
    first, second, *_ = text(plan).splitlines()
    assert first == "web: 2 packages (2 to build; builds are emulated: about 2 min of work)"
    assert second.startswith("  build")
    native = replace(plan, plan=replace(plan.plan, emulated=False))
    assert "emulated" not in text(native)


def planned(plan: Plan) -> Planned:
    return Planned(
        target=target(),
        images=images(),
        interpreter=interpreter(),
        lock=lock(),
        plan=plan,
    )
