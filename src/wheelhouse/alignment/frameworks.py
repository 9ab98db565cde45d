"""What is known beforehand of who is made for which CUDA: `data/frameworks.toml`. Pure."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: From this major version on, NVIDIA's projects have no number in their names.
UNNUMBERED = 13

#: ``cu12``, ``cuda12x``, ``cuda120``: as a name, an extra or a local version has it.
NUMBER = re.compile(r"(?<![a-z])cu(?:da)?(?P<digits>\d{2,3})(?!\d)x?")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Release:
    """A version of CUDA, as precisely as it is known.

    :ivar minor: None if only the major version is known.
    """

    major: int
    minor: int | None = None

    @property
    def number(self) -> str:
        """``12`` or ``12.8``."""
        return str(self.major) if self.minor is None else f"{self.major}.{self.minor}"

    def __str__(self) -> str:
        return f"CUDA {self.number}"

    @classmethod
    def parse(cls, text: str) -> Release:
        """``12`` or ``12.8``."""
        major, _, minor = text.partition(".")
        return cls(major=int(major), minor=int(minor) if minor else None)

    @classmethod
    def of_digits(cls, digits: str) -> Release:
        """What names mean by ``12``, ``128``, or ``92``: CUDA 12, 12.8 and 9.2."""
        if len(digits) == 2 and int(digits) < 80:
            return cls(major=int(digits))
        return cls(major=int(digits[:-1]), minor=int(digits[-1]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What some versions of a framework are made for.

    :ivar cudnn: the versions of cuDNN that they can load; None if nothing is known of that.
    """

    versions: SpecifierSet
    cuda: Release
    cudnn: SpecifierSet | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Framework:
    """A project of which the table knows what its versions on PyPI are made for.

    :ivar arch: the one architecture that this holds for; empty for all.
    :ivar metadata: its metadata says the same, so nothing is to be taken from here in its stead.
    """

    project: NormalizedName
    arch: str
    metadata: bool
    made: Sequence[Made]

    def of(self, version: Version) -> Made | None:
        """What *version* is made for, if that is known."""
        final = version.base_version  # a pre-release is made for what its release is made for
        return next((each for each in self.made if each.versions.contains(final)), None)

    def for_major(self, major: int, cudnn: Iterable[SpecifierSet] = ()) -> str:
        """The versions for CUDA *major*, such as ``torch>=2.5,<2.11``; empty if none is known.

        :param cudnn: the versions of cuDNN of which they can load one of each.
        """
        wanted = list(cudnn)
        found = [
            each.versions
            for each in self.made
            if each.cuda.major == major
            and (each.cudnn is None or all(meet(each.cudnn, other) for other in wanted))
        ]
        if not found:
            return ""
        lower = min(_bound(each, ">=") for each in found)
        upper = max(_bound(each, "<") for each in found)
        newest = max(_bound(each.versions, "<") for each in self.made)
        return f"{self.project}>={lower}" + ("" if upper == newest else f",<{upper}")


def meet(one: SpecifierSet, other: SpecifierSet) -> bool:
    """Whether some version is both, as far as the versions that they name tell."""
    named = [each.version for found in (one, other) for each in found]
    return any(one.contains(each, True) and other.contains(each, True) for each in named)


def _bound(versions: SpecifierSet, operator: str) -> Version:
    return next(Version(each.version) for each in versions if each.operator == operator)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """The extra of a framework that brings CUDA's libraries, for one major version.

    :ivar requirement: such as ``jax[cuda13]``.
    :ivar brings: the project by which one sees that they are there.
    """

    project: NormalizedName
    requirement: str
    brings: NormalizedName


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Projects that are parts of CUDA: see the table."""

    releases: frozenset[str]
    majors: frozenset[str]
    suffixed: frozenset[str]
    compilers: frozenset[str]
    overlapping: frozenset[str]
    others: Mapping[str, Mapping[str, int]]

    @property
    def unnumbered(self) -> frozenset[str]:
        """Those whose version alone tells for which CUDA they are."""
        return self.releases | self.majors | self.others.keys()


@cache
def parts() -> Parts:
    """The parts of CUDA."""
    table = _data()["parts"]
    lists = {name: frozenset(found) for name, found in table.items() if name != "others"}
    return Parts(**lists, others=table["others"])


@cache
def frameworks() -> Mapping[NormalizedName, Framework]:
    """By name, the projects of the table."""
    found = (_framework(table) for table in _data()["frameworks"])
    return {each.project: each for each in found}


def _framework(table: Mapping[str, Any]) -> Framework:
    return Framework(
        project=NormalizedName(table["project"]),
        arch=table.get("arch", ""),
        metadata=table.get("metadata", False),
        made=tuple(
            Made(
                versions=SpecifierSet(each["of"]),
                cuda=Release.parse(each["cuda"]),
                cudnn=SpecifierSet(each["cudnn"]) if "cudnn" in each else None,
            )
            for each in table["versions"]
        ),
    )


def extras(major: int) -> Sequence[Extra]:
    """The extras that bring the libraries of CUDA *major*."""
    suffix = "" if major >= UNNUMBERED else f"-cu{major}"
    found = []
    for table in _data()["extras"]:
        text = {key: value.format(major=major, suffix=suffix) for key, value in table.items()}
        found.append(
            Extra(
                project=NormalizedName(text["project"]),
                requirement=f"{text['project']}[{text['extra']}]",
                brings=NormalizedName(text["brings"]),
            )
        )
    return found


def without_gpu(name: NormalizedName) -> NormalizedName | None:
    """The project that does the same as *name* without a GPU; None if none is known."""
    found = _data()["without-gpu"].get(name)
    return NormalizedName(found) if found else None


def is_without_gpu(name: NormalizedName) -> bool:
    """Whether *name* does without a GPU what another project does with one."""
    return name in _data()["without-gpu"].values()


def renumbered(text: str, major: int) -> str | None:
    """*text*, a requirement without versions, with another CUDA in its name or extras.

    ``jax[cuda12]`` for 13 is ``jax[cuda13]``; None if *text* names no CUDA, or that one already.
    """
    text = _data()["unnumbered"].get(text, text)
    match = NUMBER.search(text)
    bare = text[: match.start()].removesuffix("-") if match else text
    if bare.startswith("nvidia-") and bare in parts().unnumbered:
        other = bare if major >= UNNUMBERED else f"{bare}-cu{major}"
        return None if other == text else other
    if match is None or Release.of_digits(match["digits"]).major == major:
        return None
    digits = f"{major}0" if len(match["digits"]) == 3 else str(major)
    return f"{text[: match.start('digits')]}{digits}{text[match.end('digits') :]}"


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("wheelhouse").joinpath("data/frameworks.toml").read_text("utf-8"))
