"""The platforms known beforehand: that their data agree with what others publish of them, with
the recipes of their images, and with the documentation.
"""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse import imagesteps
from wheelhouse.engine import Image
from wheelhouse.filevalues import FAMILIES
from wheelhouse.imagefailures import failure
from wheelhouse.recipes import system_packages
from wheelhouse.targets import OCI_ARCHITECTURES, Place, Preset, Target, presets, stand_in
from wheelhouse.wheels.policy import repair_policy, symbol_limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wheelhouse.imagesteps import Step

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "targets.md"
HADOLINT = Path(sys.executable).parent / "hadolint"

PLACES = [
    Place(preset=preset, python=python, arch=arch)
    for preset in presets().values()
    for python in preset.pythons
    for arch in preset.arches
]

#: The grammar of https://github.com/distribution/reference, without the rarer things.
REFERENCE = re.compile(
    r"((?P<host>[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?)/)?"
    r"(?P<path>[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
)

#: The Pythons of `portable`, which is older than most.
PORTABLE = dict.fromkeys(("3.9", "3.11", "3.13", "3.14"), "portable")

#: Where to build and prove without a registry, by Python. What is not here has no such place:
#: every platform that is made here is newer, or lacks its Python.
STAND_INS = {
    "debian11": {"3.9": "debian11"},
    "debian12": {"3.11": "debian12"},
    "debian13": {"3.13": "debian13"},
    "portable": PORTABLE | {"3.9": "debian11"},
    "amazonlinux2023": PORTABLE | {"3.9": "debian11"},
    "beanstalk-al2023": PORTABLE | {"3.9": "debian11"},
    "lambda-al2023": {"3.13": "portable", "3.14": "portable"},
    "ubuntu26.04": {"3.14": "portable"},
    "almalinux9": {"3.9": "debian11", "3.11": "portable"},
    "rocky9": {"3.9": "debian11", "3.11": "portable"},
    "rhel9": {"3.9": "debian11", "3.11": "portable"},
    "rocky9_cuda12_9": {"3.9": "debian11", "3.11": "portable"},
    "leap15.6": {"3.11": "debian12"},
    "leap16.0": {"3.13": "portable"},
    "python-slim": {"3.11": "debian12", "3.13": "debian13", "3.14": "portable"},
    "python-slim-bookworm": {"3.11": "debian12", "3.13": "portable", "3.14": "portable"},
    "manylinux_2_34": PORTABLE | {"3.9": "debian11"},
    "manylinux_2_34_cuda12_9": PORTABLE | {"3.9": "debian11"},
    "manylinux_2_34_cuda13_1": PORTABLE | {"3.9": "debian11"},
    "manylinux_2_39": PORTABLE | {"3.9": "debian11", "3.11": "debian12"},
}


def each_preset() -> list[Any]:
    return [pytest.param(preset, id=name) for name, preset in presets().items()]


@cache
def policies(family: str) -> Mapping[tuple[int, int], Mapping[str, Any]]:
    """Auditwheel's policies for a C library, by its version."""
    file = {"glibc": "manylinux-policy.json", "musl": "musllinux-policy.json"}[family]
    data = json.loads(resources.files("auditwheel").joinpath("policy", file).read_text("utf-8"))
    return {
        (int(match[1]), int(match[2])): policy
        for policy in data
        if (match := re.fullmatch(r"(?:many|musl)linux_(\d+)_(\d+)", policy["name"]))
    }


def highest(versions: list[str]) -> Version:
    return max(Version(version) for version in versions if version[0].isdigit())


# What the data say


@pytest.mark.parametrize("preset", each_preset())
def test_preset_says_what_there_is_to_say(preset: Preset) -> None:
    assert preset.title
    assert preset.note is None or "\n" not in preset.note
    assert preset.arches
    assert set(preset.arches) <= OCI_ARCHITECTURES.keys()
    assert preset.image or preset.is_made_here
    assert (preset.glibcxx is None) == (preset.libc.family == "musl")


def test_no_two_presets_have_the_same_title() -> None:
    assert len({preset.title for preset in presets().values()}) == len(presets())


@pytest.mark.parametrize("preset", each_preset())
def test_the_libc_and_libstdcxx_are_what_auditwheel_takes_them_for(preset: Preset) -> None:
    fitting = [
        version for version in policies(preset.libc.family) if version <= preset.libc.version
    ]
    policy = policies(preset.libc.family)[max(fitting)]
    if preset.libc.family == "musl":
        assert max(fitting) == preset.libc.version
        return
    assert preset.glibcxx is not None
    limits = symbol_limits(preset.libc, preset.glibcxx)
    assert limits.keys() == {"GLIBC", "GLIBCXX", "CXXABI", "GCC"}
    for arch in preset.arches:
        for family in ("GLIBCXX", "CXXABI", "GCC"):
            assert highest(policy["symbol_versions"][arch][family]) <= limits[family], (
                arch,
                family,
            )
    if preset.name.startswith("manylinux"):
        assert max(fitting) == preset.libc.version
        for arch in preset.arches:
            assert highest(policy["symbol_versions"][arch]["GLIBCXX"]) == preset.glibcxx


@pytest.mark.parametrize("name", [name for name in presets() if "linux_" in name])
def test_a_tag_and_its_platform_have_one_name(name: str) -> None:
    preset = presets()[name]
    target = Target(name="t", preset=preset, python="3.11", arch=preset.arches[0])
    assert repair_policy(target) == f"{name.partition('_cuda')[0]}_{preset.arches[0]}"


def test_newer_releases_end_later() -> None:
    ends: dict[str, dict[Version, date]] = {}
    for preset in presets().values():
        match = re.fullmatch(r"([a-z]+)([0-9]+(?:\.[0-9]+)?)", preset.name)
        if match and preset.end_of_life:
            ends.setdefault(match[1], {})[Version(match[2])] = preset.end_of_life
    assert ends.keys() >= {"debian", "ubuntu", "almalinux", "rocky", "rhel", "leap", "alpine"}
    for series, releases in ends.items():
        assert date(2024, 1, 1) < min(releases.values()), series
        assert max(releases.values()) < date(2040, 1, 1), series
        assert [releases[version] for version in sorted(releases)] == sorted(releases.values())


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_python_is_in_the_image_or_comes_from_packages(place: Place) -> None:
    python = place.interpreter
    assert re.fullmatch(r"(/[A-Za-z0-9._+-]+)+", python.path)
    *_, folder, name = python.path.split("/")
    assert folder == "bin"
    assert name in {"python", f"python{place.python}"}
    of_the_distribution = python.path.startswith("/usr/bin/")
    assert bool(python.packages) == bool(python.headers) == of_the_distribution
    assert not (of_the_distribution and python.from_source)
    both = (*python.packages, *python.headers)
    assert sorted(both) == list(imagesteps.checked_packages(both))
    assert python.pip is None or Version("20.3") <= python.pip  # which knows manylinux_x_y


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_images_are_references(place: Place) -> None:
    if place.image is None:
        assert place.preset.is_made_here
        return
    assert REFERENCE.fullmatch(place.image)
    if pin := imagesteps.pinned(place):
        repository, _, digest = pin.partition("@")
        assert REFERENCE.fullmatch(repository)
        assert place.image.startswith(repository)
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)


def test_stand_ins() -> None:
    found: dict[str, dict[str, str]] = {}
    for place in PLACES:
        if other := stand_in(place):
            assert (other.python, other.arch) == (place.python, place.arch)
            found.setdefault(place.preset.name, {})[place.python] = other.preset.name
    assert found == STAND_INS


# What cibuildwheel knows of the images of manylinux and musllinux


@cache
def cibuildwheel_file(name: str) -> str:
    return resources.files("cibuildwheel").joinpath("resources", name).read_text("utf-8")


def pypa_places() -> list[Place]:
    return [place for place in PLACES if (place.image or "").startswith("quay.io/pypa/")]


def test_pypas_images_are_pinned_as_cibuildwheel_pins_them() -> None:
    table = configparser.ConfigParser(inline_comment_prefixes="#")
    table.read_string(cibuildwheel_file("pinned_docker_images.cfg"))
    compared = set()
    for place in pypa_places():
        expected = table.get(place.arch, place.preset.name, fallback=None)
        assert imagesteps.pinned(place) == expected
        compared.add(expected)
    assert len(compared - {None}) == 8  # four kinds of images, two architectures


@pytest.mark.parametrize("place", pypa_places(), ids=str)
def test_pypas_images_have_cibuildwheels_pythons(place: Place) -> None:
    kind = re.match("[a-z]+", place.preset.name)
    assert kind is not None
    known = tomllib.loads(cibuildwheel_file("build-platforms.toml"))["linux"]
    paths = [
        each["path_str"] + "/bin/python"
        for each in known["python_configurations"]
        if re.fullmatch(rf"cp\d+t?-{kind[0]}_{place.arch}", each["identifier"])
    ]
    assert [python.path for python in place.preset.pythons.values()] == paths


# Their images' recipes


def image(name: str) -> Image:
    return Image(id="sha256:" + name.encode().hex().ljust(64, "0"), name=name, origin="derived")


def steps_of(place: Place) -> Iterator[Step]:
    """Every step that images of *place* can take."""
    if place.interpreter.from_source:
        yield imagesteps.python_step(place, image("toolchain"), image("sources"))
        yield imagesteps.with_python_step("runtime", place, image("base"), image("python"))
    else:
        yield imagesteps.runtime_step(place, image("base"))
    yield imagesteps.toolchain_step(place, image("runtime"))
    yield imagesteps.builder_step(place, image("toolchain"), image("toolbox"))
    packages = system_packages(canonicalize_name("lxml"), place.preset.family)
    yield imagesteps.packages_step("system", place, image("builder"), packages)
    yield imagesteps.index_step(place, image("base"), image("toolbox"))


def rendered(step: Step) -> str:
    """The step's Dockerfile as the engine builds it: with its arguments' values."""
    declared: set[str] = set()

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        declared.add(name)
        assert name in step.inputs or default is not None, name
        return f"ARG {name}={step.inputs[name]!r}" if name in step.inputs else match[0]

    text = step.files["Dockerfile"].decode()
    text = re.sub(r"^ARG (\w+)(=.*)?$", value, text, flags=re.MULTILINE)
    assert step.inputs.keys() <= declared
    return text


@cache
def complaints(text: str) -> str:
    """What hadolint, and shellcheck in it, says of a Dockerfile."""
    done = subprocess.run(
        [HADOLINT, "--no-color", "--config", ROOT / ".hadolint.yaml", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_dockerfiles_render_and_lint(place: Place) -> None:
    for step in steps_of(place):
        assert complaints(rendered(step)) == "", step.title


@pytest.mark.parametrize(
    ("place", "wrong", "code"),
    [
        ("debian12", "; if true; then echo", "SC1072"),  # at the very end: all of it was read
        ("almalinux9", '; for each in $(ls /); do echo "$each"; done', "SC2045"),
        ("alpine3.23", "\nRUN cd /tmp", "DL3003"),
        ("leap16.0", "\nWORKDIR tmp", "DL3000"),
    ],
)
def test_the_linter_sees_what_is_wrong(place: str, wrong: str, code: str) -> None:
    step = next(steps_of(next(each for each in PLACES if each.preset.name == place)))
    assert code in complaints(rendered(step).rstrip() + wrong)


@pytest.mark.parametrize(
    "name", sorted(path.name for path in (ROOT / "images").glob("*Dockerfile"))
)
def test_every_recipe_lints(name: str) -> None:
    assert complaints((ROOT / "images" / name).read_text("utf-8")) == ""


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_its_recipes(name: str) -> None:
    family = imagesteps.family(name)
    for use in ("packages", "index"):
        assert imagesteps._recipe(f"{family.manager}-{use}.Dockerfile")
    assert family.manager in imagesteps.INSTALL_COMMANDS
    assert sorted(family.toolchain) == list(imagesteps.checked_packages(family.toolchain))
    assert {"make", "patch", "gcc"} <= set(family.toolchain)


def test_families_are_those_of_the_platforms() -> None:
    assert {preset.family for preset in presets().values()} == set(FAMILIES)


def test_every_pin_is_of_a_platforms_image() -> None:
    images = {place.image for place in PLACES} | {preset.image for preset in presets().values()}
    for name in FAMILIES:
        data = tomllib.loads((ROOT / "images" / f"{name}.toml").read_text("utf-8"))
        assert data["bases"].keys() <= images
        assert all(type(base["date"]) is date for base in data["bases"].values())


@pytest.mark.parametrize(
    ("preset", "line"),
    [
        ("amazonlinux2023", "Curl error (7): Couldn't connect to server for https://x/repomd.xml"),
        ("almalinux9", "Error: Failed to download metadata for repo 'appstream'"),
        ("alpine3.23", "WARNING: updating and opening https://x/APKINDEX.tar.gz: DNS lookup error"),
        ("leap16.0", "Error message: Could not resolve host: download.opensuse.org"),
    ],
)
def test_a_mirror_out_of_reach_is_told_whichever_the_manager(preset: str, line: str) -> None:
    step = next(steps_of(next(place for place in PLACES if place.preset.name == preset)))
    error = failure(step, [line], "it failed")
    assert error.hint is not None
    assert "allow the engine to reach the mirror" in error.hint


# What is known of packages


def test_package_recipes_name_families_and_packages() -> None:
    text = resources.files("wheelhouse").joinpath("data/recipes.toml").read_text("utf-8")
    for name, recipe in tomllib.loads(text).items():
        assert name == canonicalize_name(name)
        assert recipe.keys() <= {*FAMILIES, "libraries", "programs", "runtime", "skip-imports"}
        assert recipe.get("runtime", {}).keys() <= {*FAMILIES}, name
        for packages in recipe.get("runtime", {}).values():
            assert sorted(packages) == list(imagesteps.checked_packages(packages)), name
        for family in recipe.keys() & set(FAMILIES):
            packages = recipe[family]
            assert sorted(packages) == list(imagesteps.checked_packages(packages)), name
            suffix = "-dev" if family in {"debian", "alpine"} else "-devel"
            assert all(each.endswith((suffix, "linux-headers")) for each in packages), name


# The documentation


def row(preset: Preset) -> str:
    """A platform's row of the table in the documentation."""
    columns = (
        f"`{preset.name}`",
        preset.title,
        str(preset.libc),
        str(preset.glibcxx or "-"),
        ", ".join(preset.pythons) or "-",
        f"`{preset.image}`" if preset.image else "made here",
        str(preset.end_of_life or "-"),
    )
    return f"| {' | '.join(columns)} |"


def test_the_documented_table_is_what_the_data_say() -> None:
    text = DOCUMENT.read_text("utf-8")
    section = text.partition("\n## Platforms\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [row(preset) for preset in presets().values()]
