"""The images of a target: which there are, what they are called, what goes into each. Pure.

====================  ===========================================================
base                  the distribution: an official image, or one bootstrapped here
runtime               base + what the server has: Python, and pip for its environments
toolchain             runtime + compilers and Python's headers
toolbox               ``/opt/wheelhouse``, the same for all targets (:mod:`.toolbox`)
builder               toolchain + toolbox
system                builder + packages of the distribution that a build asked for
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
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wheelhouse import toolbox
from wheelhouse.bootstrap import DEFAULT_MIRROR, Recipe
from wheelhouse.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelhouse.engine import Image
    from wheelhouse.targets import Preset

Kind = Literal["base", "runtime", "toolchain", "toolbox", "builder", "system"]

#: Debian policy 5.6.1. A name that ended in a minus would ask apt to *remove* the package.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]*[a-z0-9+]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What ``images/FAMILY.toml`` says about a family of distributions.

    :ivar bases: pinned digests by the base's reference, such as ``debian:12-slim``.
    """

    name: str
    runtime: tuple[str, ...]
    toolchain: tuple[str, ...]
    bases: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One image to build: a recipe and what goes into it.

    :ivar files: the build context.
    :ivar inputs: build arguments that make a difference; they are part of the name.
    :ivar network: whether the recipe fetches anything.
    """

    kind: Kind
    preset: str
    arch: str
    files: Mapping[str, bytes]
    inputs: Mapping[str, str]
    wheels: tuple[toolbox.Pin, ...] = ()
    network: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The image's name, which hashes everything above but the labels."""
        return image_name(
            self.preset,
            self.arch,
            self.kind,
            {
                "files": {
                    name: hashlib.sha256(content).hexdigest()
                    for name, content in self.files.items()
                },
                "inputs": dict(self.inputs),
                "wheels": [pin.sha256 for pin in self.wheels],
            },
        )

    @property
    def title(self) -> str:
        """The step for a person, such as ``debian12 system (libpq-dev)``."""
        packages = f" ({self.inputs['PACKAGES']})" if self.kind == "system" else ""
        return f"{self.preset} {self.kind}{packages}"


def image_name(preset: str, arch: str, kind: Kind, content: object) -> str:
    """Such as ``wheelhouse/debian12-builder:0123456789ab``; the tag hashes *arch* and *content*."""
    text = json.dumps([preset, arch, kind, content], sort_keys=True)
    subject = preset if arch == "x86_64" else f"{preset}-{arch}"
    return f"wheelhouse/{subject}-{kind}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"


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
            f"There are no image recipes for the {name} family",
            hint="Choose a target of another platform.",
        ) from None
    return Family(
        name=name,
        runtime=tuple(data["runtime"]),
        toolchain=tuple(data["toolchain"]),
        bases={reference: base["digest"] for reference, base in data["bases"].items()},
    )


def pinned(preset: Preset) -> str | None:
    """The reference by digest of the preset's official base, such as ``debian@sha256:…``."""
    digest = family(preset.family).bases.get(preset.image)
    return f"{_repository(preset.image)}@{digest}" if digest else None


def _repository(reference: str) -> str:
    """*reference* without its tag; a port is not one."""
    folder, slash, last = reference.rpartition("/")
    return folder + slash + last.partition(":")[0]


def checked_packages(packages: Iterable[str]) -> tuple[str, ...]:
    """*packages*, each once and sorted.

    :raises ConfigError: one cannot be the name of a Debian package. All of those are named.
    """
    wrong = [package for package in packages if not _PACKAGE.fullmatch(package)]
    if wrong:
        raise ConfigError(
            f"Not a Debian package's name: {', '.join(map(repr, wrong))}",
            hint="Names consist of small letters, digits, '+', '-' and '.', such as libpq-dev.",
        )
    return tuple(sorted(set(packages)))


def base_recipe(preset: Preset, arch: str) -> Recipe:
    """What the bootstrapped base of *preset* is made of.

    The runtime's packages are in it from the start: adding them in one go is several times
    faster than in a step of its own.

    :raises ImageError: the preset cannot be bootstrapped, or not for *arch*.
    """
    if preset.suite is None or arch not in preset.arches:
        raise ImageError(
            f"{preset.title} cannot be bootstrapped for {arch}",
            hint=f"Pull {preset.image} where a registry answers.",
        )
    return Recipe(suite=preset.suite, arch=arch, packages=family(preset.family).runtime)


def base_name(preset: Preset, arch: str) -> str:
    """The name of the bootstrapped base. The mirror is not part of it: contents are signed."""
    recipe = base_recipe(preset, arch)
    return image_name(preset.name, arch, "base", [recipe.command(DEFAULT_MIRROR)])


def packages_step(
    kind: Kind, preset: Preset, arch: str, base: Image, packages: Sequence[str]
) -> Step:
    """The step that adds *packages* to *base*."""
    inputs = {"BASE": base.id, "PACKAGES": " ".join(packages)}
    if kind != "runtime":
        inputs["KEEP_LISTS"] = "yes"
    return Step(
        kind=kind,
        preset=preset.name,
        arch=arch,
        files={"Dockerfile": _recipe(f"{preset.family}-packages.Dockerfile")},
        inputs=inputs,
        network=True,
        labels={"wheelhouse.base": base.name} if kind == "runtime" else {},
    )


def toolbox_step(runtime: Image, arch: str) -> Step:
    """The step that makes the toolbox from the runtime image of its source preset."""
    return Step(
        kind="toolbox",
        preset=toolbox.SOURCE_PRESET,
        arch=arch,
        files={
            "Dockerfile": _recipe("toolbox.Dockerfile"),
            "assemble.sh": _recipe("toolbox-assemble.sh"),
        },
        inputs={"BASE": runtime.id},
        wheels=toolbox.pins(arch),
    )


def builder_step(preset: Preset, arch: str, toolchain: Image, tools: Image) -> Step:
    """The step that puts the toolbox beside the toolchain."""
    return Step(
        kind="builder",
        preset=preset.name,
        arch=arch,
        files={"Dockerfile": _recipe("builder.Dockerfile")},
        inputs={"TOOLCHAIN": toolchain.id, "TOOLBOX": tools.id},
    )
