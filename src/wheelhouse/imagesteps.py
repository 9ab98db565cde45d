"""The images of a target: which there are, what they are called, what goes into each. Pure.

====================  ===========================================================
base                  the distribution: an official image, or one bootstrapped here
python                a CPython built from the distribution's source package
unpacked              packages that were unpacked and not installed: the toolbox starts from them
runtime               base + what the server has: Python, and pip for its environments
server                runtime + packages of the distribution that a wheelhouse needs there
toolchain             runtime + compilers and Python's headers
toolbox               ``/opt/wheelhouse``, the same for all targets (:mod:`.toolbox`)
builder               toolchain + toolbox
cuda                  builder + a CUDA toolkit: PyPI's wheels, or its own (:mod:`.toolkit`)
system                either of those + packages of the distribution that a build asked for
cibuildwheel          any of those + the target's Python where cibuildwheel looks for it
index                 base + toolbox + which package of the distribution has which files
====================  ===========================================================

An image's name ends in a hash of everything that went into it: its recipe, the ID of the image
it starts from, the packages and pins. So an image that is there under its name is the right one,
and a changed input makes a new one.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wheelhouse import toolbox
from wheelhouse.bootstrap import DEFAULT_MIRROR, Recipe
from wheelhouse.cuda import release
from wheelhouse.errors import ConfigError, ImageError
from wheelhouse.toolkit import layout, version_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelhouse.engine import Image
    from wheelhouse.targets import Place
    from wheelhouse.toolkit import Toolkit
    from wheelhouse.wheelcontext import Layout, PinnedWheel

Kind = Literal[
    "base",
    "unpacked",
    "python",
    "runtime",
    "toolchain",
    "toolbox",
    "builder",
    "cuda",
    "system",
    "server",
    "cibuildwheel",
    "index",
]

#: Debian policy 5.6.1, wider: RPM's names have capitals and underscores. A name that ended in a
#: minus would ask apt to *remove* the package.
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*[A-Za-z0-9+]")


#: What a person types to install packages, by the family's manager.
INSTALL_COMMANDS = {
    "apk": "apk add",
    "apt": "apt-get install",
    "dnf": "dnf install",
    "zypper": "zypper install",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What ``images/FAMILY.toml`` says about a family of distributions.

    :ivar manager: what installs packages: ``images/MANAGER-packages.Dockerfile``.
    :ivar toolchain: the packages that bring compilers.
    :ivar bases: pinned digests by the base's reference, such as ``debian:12-slim``.
    """

    name: str
    manager: str
    toolchain: tuple[str, ...]
    bases: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One image to build: a recipe and what goes into it.

    :ivar files: the build context.
    :ivar inputs: build arguments that make a difference; they are part of the name.
    :ivar wheels: what else is in the context, unpacked as *layout* says.
    :ivar network: whether the recipe fetches anything.
    """

    kind: Kind
    place: Place
    files: Mapping[str, bytes]
    inputs: Mapping[str, str]
    wheels: tuple[PinnedWheel, ...] = ()
    layout: Layout = toolbox.layout
    network: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The image's name, which hashes everything above but the labels."""
        return image_name(
            self.place,
            self.kind,
            {
                "files": {
                    name: hashlib.sha256(content).hexdigest()
                    for name, content in self.files.items()
                },
                "inputs": dict(self.inputs),
                "wheels": [wheel.sha256 for wheel in self.wheels],
            },
        )

    @property
    def title(self) -> str:
        """The step for a person, such as ``debian12 system (libpq-dev)``."""
        packages = self.inputs.get("PACKAGES")
        more = {
            "system": packages,
            "server": packages,
            "python": self.place.python,
            "cuda": self.inputs.get("VERSION"),
        }.get(self.kind)
        return f"{subject(self.place)} {self.kind}" + (f" ({more})" if more else "")


def subject(place: Place) -> str:
    """What an image of *place* is called after: ``debian12``, ``debian12-aarch64``."""
    name = re.sub(r"[^a-z0-9]+", "-", place.preset.name.lower()).strip("-")
    return name if place.arch == "x86_64" else f"{name}-{place.arch}"


def image_name(place: Place, kind: Kind, content: object) -> str:
    """Such as ``wheelhouse/debian12-builder:0123456789ab``; the tag hashes *content* too."""
    text = json.dumps([place.preset.name, place.arch, kind, content], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"wheelhouse/{subject(place)}-{kind}:{digest}"


@cache
def _recipes() -> Path:
    """The folder ``images``: beside the package's data, or in a checkout at its top."""
    installed = Path(str(resources.files("wheelhouse"))) / "data" / "images"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "images"


@cache
def _recipe(name: str) -> bytes:
    return (_recipes() / name).read_bytes()


@cache
def family(name: str) -> Family:
    """The family called *name*.

    :raises ImageError: there are no recipes for it.
    """
    try:
        data = tomllib.loads(_recipe(f"{name}.toml").decode())
    except FileNotFoundError:
        raise ImageError(
            f"there are no image recipes for the {name} family",
            hint="choose a target of another platform.",
        ) from None
    return Family(
        name=name,
        manager=data["manager"],
        toolchain=tuple(data["toolchain"]),
        bases={reference: base["digest"] for reference, base in data["bases"].items()},
    )


def pinned(place: Place) -> str | None:
    """The reference by digest of the official base, such as ``debian@sha256:…``."""
    if place.image is None:
        return None
    digest = family(place.preset.family).bases.get(place.image)
    return f"{_repository(place.image)}@{digest}" if digest else None


def _repository(reference: str) -> str:
    """*reference* without its tag; a port is not one."""
    folder, slash, last = reference.rpartition("/")
    return folder + slash + last.partition(":")[0]


def checked_packages(packages: Iterable[str]) -> tuple[str, ...]:
    """*packages*, each once and sorted.

    :raises ConfigError: one cannot be the name of a package. All of those are named.
    """
    wrong = [package for package in packages if not _PACKAGE.fullmatch(package)]
    if wrong:
        raise ConfigError(
            f"not the name of a distribution's package: {', '.join(map(repr, wrong))}",
            hint="names consist of letters, digits, '+', '-', '_' and '.', such as libpq-dev.",
        )
    return tuple(sorted(set(packages)))


def base_recipe(place: Place) -> Recipe:
    """What the bootstrapped base of *place* is made of.

    The runtime's packages are in it from the start: adding them in one go is several times
    faster than in a step of its own.

    :raises ImageError: it cannot be bootstrapped.
    """
    if place.preset.suite is None or place.arch not in place.preset.arches:
        raise ImageError(
            f"{place.preset.title} cannot be bootstrapped for {place.arch}",
            hint=f"pull {place.image} where a registry answers.",
        )
    return Recipe(suite=place.preset.suite, arch=place.arch, packages=place.interpreter.packages)


def base_name(place: Place) -> str:
    """The name of the bootstrapped base."""
    return root_name(place, "base", base_recipe(place))


def unpacked_recipe(place: Place) -> Recipe:
    """What the toolbox is made from, where no registry has the base of its *place*."""
    return replace(base_recipe(place), packages=toolbox.SOURCE_PACKAGES, installed=False)


def root_name(place: Place, kind: Kind, recipe: Recipe) -> str:
    """The name of what *recipe* makes. The mirror is not part of it: contents are signed."""
    return image_name(place, kind, [recipe.command(DEFAULT_MIRROR)])


def packages_step(kind: Kind, place: Place, base: Image, packages: Sequence[str]) -> Step:
    """The step that adds *packages* to *base*."""
    inputs = {"BASE": base.id, "PACKAGES": " ".join(packages)}
    if kind not in {"runtime", "server"}:
        inputs["KEEP_LISTS"] = "yes"
    manager = family(place.preset.family).manager
    return Step(
        kind=kind,
        place=place,
        files={"Dockerfile": _recipe(f"{manager}-packages.Dockerfile")},
        inputs=inputs,
        network=True,
        labels={"wheelhouse.base": base.name} if kind == "runtime" else {},
    )


def runtime_step(place: Place, base: Image) -> Step:
    """The step that gives *base* what the server has: Python, and pip for its environments."""
    return packages_step("runtime", place, base, place.interpreter.packages)


def toolchain_step(place: Place, runtime: Image) -> Step:
    """The step that adds compilers and Python's headers to *runtime*."""
    own = place.preset.toolchain
    compilers = family(place.preset.family).toolchain if own is None else own
    return packages_step("toolchain", place, runtime, (*compilers, *place.interpreter.headers))


def python_step(place: Place, toolchain: Image, sources: Image) -> Step:
    """The step that builds *place*'s CPython on *toolchain*, which has no such Python yet.

    :param sources: an image with the keys of all Debian releases.
    """
    return Step(
        kind="python",
        place=place,
        files={
            "Dockerfile": _recipe("portable-python.Dockerfile"),
            "check.py": _recipe("portable-check.py"),
            "compile.sh": _recipe("portable-compile.sh"),
            "fetch.sh": _recipe("portable-fetch.sh"),
        },
        inputs={"SOURCES": sources.id, "TOOLCHAIN": toolchain.id, "PYTHON": place.python},
        network=True,
    )


def with_python_step(kind: Kind, place: Place, base: Image, python: Image) -> Step:
    """The step that puts the CPython of *python* into *base*."""
    return Step(
        kind=kind,
        place=place,
        files={"Dockerfile": _recipe("with-python.Dockerfile")},
        inputs={"BASE": base.id, "PYTHON": python.id},
        labels={"wheelhouse.base": base.name},
    )


def toolbox_step(place: Place, root: Image) -> Step:
    """The step that makes the toolbox from the runtime of its source platform, or less of it."""
    return Step(
        kind="toolbox",
        place=place,
        files={
            "Dockerfile": _recipe("toolbox.Dockerfile"),
            "assemble.sh": _recipe("toolbox-assemble.sh"),
        },
        inputs={"BASE": root.id},
        wheels=toolbox.pins(place.arch),
    )


def builder_step(place: Place, toolchain: Image, tools: Image) -> Step:
    """The step that puts the toolbox beside the toolchain."""
    return Step(
        kind="builder",
        place=place,
        files={"Dockerfile": _recipe("builder.Dockerfile")},
        inputs={"TOOLCHAIN": toolchain.id, "TOOLBOX": tools.id},
    )


def cuda_step(place: Place, builder: Image, toolkit: Toolkit) -> Step:
    """The step that puts a CUDA *toolkit* into *builder*, or makes its own fit for builds."""
    return Step(
        kind="cuda",
        place=place,
        files={
            "cuda-check.cu": _recipe("cuda-check.cu"),
            "cuda-finish.sh": _recipe("cuda-finish.sh"),
            **(_wheels_files(toolkit) if toolkit.wheels else _own_files()),
        },
        inputs={
            "BUILDER": builder.id,
            "VERSION": str(toolkit.version),
            "GCC": str(release(toolkit.version).gcc),
        },
        wheels=toolkit.wheels,
        layout=layout,
    )


def _wheels_files(toolkit: Toolkit) -> dict[str, bytes]:
    return {
        "Dockerfile": _recipe("cuda.Dockerfile"),
        "cuda-layout.sh": _recipe("cuda-layout.sh"),
        "toolkit/bin/nvcc": _recipe("cuda-nvcc.sh"),
        "toolkit/version.json": version_file(toolkit),
    }


def _own_files() -> dict[str, bytes]:
    return {
        "Dockerfile": _recipe("cuda-own.Dockerfile"),
        "cuda-own.sh": _recipe("cuda-own.sh"),
        "nvcc": _recipe("cuda-nvcc.sh"),
    }


def index_step(place: Place, base: Image, tools: Image) -> Step:
    """The step that writes down what the packages of *place*'s distribution have."""
    manager = family(place.preset.family).manager
    return Step(
        kind="index",
        place=place,
        files={
            "Dockerfile": _recipe(f"{manager}-index.Dockerfile"),
            "index.py": _recipe("index.py"),
        },
        inputs={"BASE": base.id, "TOOLBOX": tools.id},
        network=True,
    )


def cibuildwheel_step(place: Place, builder: Image, python: str, folder: str) -> Step:
    """The step that makes *folder* of *builder* an environment of the target's *python*."""
    return Step(
        kind="cibuildwheel",
        place=place,
        files={"Dockerfile": _recipe("cibuildwheel.Dockerfile")},
        inputs={"BUILDER": builder.id, "PYTHON": python, "FOLDER": folder},
    )
