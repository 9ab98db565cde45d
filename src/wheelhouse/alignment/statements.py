"""For which CUDA each package of a lock is made, and what says so. Pure.

What a package's files are made for stands in its local version (``+cu128``), in its name
(``cupy-cuda13x``), in its version, if it is a part of CUDA itself, or in what it requires of these
parts; in that order. Only where none of that says it, the table does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse.alignment.frameworks import NUMBER, Release, frameworks, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.specifiers import SpecifierSet

#: The part of a name that tells a CUDA.
_IN_NAME = re.compile(rf"-{NUMBER.pattern}(?=-|$)")

#: What a local version says of a build without CUDA.
_WITHOUT = re.compile(r"(?:^|\.)(?:cpu|rocm|xpu)")


class Subject(Protocol):
    """A package, as far as it matters here."""

    @property
    def name(self) -> NormalizedName:
        """Its name."""

    @property
    def version(self) -> Version:
        """Its version, the local part included."""

    @property
    def requires(self) -> Sequence[str]:
        """What it requires on the target."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """That a package is made for a CUDA.

    :ivar kind: where it stands.
    :ivar reason: the same as a clause: ``requires nvidia-cuda-runtime-cu12==12.8.90``.
    :ivar cudnn: the versions of cuDNN that it can load, where only the table says it.
    """

    name: NormalizedName
    version: Version
    cuda: Release
    kind: Literal["local", "name", "version", "requires", "table"]
    reason: str
    cudnn: SpecifierSet | None = None

    @property
    def is_firm(self) -> bool:
        """Whether the package itself says it; else it may do without a GPU, too."""
        return self.kind != "table"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def statements(
    packages: Iterable[Subject], arch: str
) -> Mapping[NormalizedName, tuple[Statement, ...]]:
    """By name, what each of *packages* is made for, if for any CUDA: one statement per major.

    :param arch: the target's architecture, as Python calls it.
    """
    packages = list(packages)
    optional = {name for each in packages for name in _variants(each)}
    own: dict[NormalizedName, Statement] = {}
    for each in packages:
        itself = own_statement(each.name, each.version)
        if itself is not None and each.name not in optional:
            own[each.name] = itself
    return {
        each.name: found
        for each in packages
        if (found := _statements(each, own, arch)) and not is_without(each.version)
    }


def _variants(package: Subject) -> Iterable[NormalizedName]:
    """What *package* requires for more than one CUDA, to take one of them when it runs.

    The toolkit's own libraries are no such thing: a process has one of each.
    """
    found: dict[str, dict[int, NormalizedName]] = {}
    for line in package.requires:
        name = canonicalize_name(Requirement(line).name)
        match = _IN_NAME.search(name)
        if match and not is_library(name[: match.start()]):
            stem = f"{name[: match.start()]}{name[match.end() :]}"
            found.setdefault(stem, {})[Release.of_digits(match["digits"]).major] = name
    for names in found.values():
        if len(names) > 1:
            yield from names.values()


def is_library(stem: str) -> bool:
    """Whether *stem*, a name without such as ``-cu12``, is that of one of CUDA's own libraries."""
    return stem in parts().unnumbered or stem in parts().suffixed


def own_statement(name: NormalizedName, version: Version) -> Statement | None:
    """What a release says by its name and version alone."""
    if version.local and (match := NUMBER.search(version.local)):
        cuda = Release.of_digits(match["digits"])
        reason = f"its version says +{version.local}"
        return Statement(name=name, version=version, cuda=cuda, kind="local", reason=reason)
    if match := _IN_NAME.search(name):
        cuda = Release.of_digits(match["digits"])
        if name[: match.start()] in parts().releases and version.major == cuda.major:
            cuda = Release(major=version.major, minor=version.minor)
        return Statement(
            name=name, version=version, cuda=cuda, kind="name", reason="its name says it"
        )
    if found := _by_version(name, version):
        reason = "its version is CUDA's" if found.minor is not None else "its version says it"
        return Statement(name=name, version=version, cuda=found, kind="version", reason=reason)
    return None


def may_be_for(major: int, name: NormalizedName, version: Version, arch: str) -> bool:
    """Whether nothing that is known of a release beforehand says that it is for another CUDA."""
    said = own_statement(name, version) or table_statement(name, version, arch)
    return said is None or said.cuda.major == major


def pinned_release(requirements: Iterable[Requirement]) -> Release | None:
    """The release of CUDA whose parts *requirements* pin."""
    for each in requirements:
        for pin in each.specifier if _is_pin(each) else ():
            text = pin.version.removesuffix(".*")
            found = own_statement(canonicalize_name(each.name), Version(text))
            if found and found.cuda.minor is not None and pin.operator == "==":
                return found.cuda
    return None


def majors_of(
    name: NormalizedName, version: Version, requirements: Iterable[Requirement]
) -> set[int]:
    """The CUDAs that a release is made for, as far as it alone tells.

    :param requirements: what it requires on the target; of that nothing else is known.
    """
    if (itself := own_statement(name, version)) is not None:
        return {itself.cuda.major}
    asked = [each for each in requirements if is_part(canonicalize_name(each.name))]
    # A version that no part of CUDA has: so names alone tell.
    named = (own_statement(canonicalize_name(each.name), Version("0")) for each in asked)
    pinned = pinned_release(asked)
    return {each.cuda.major for each in named if each} | ({pinned.major} if pinned else set())


def _by_version(name: NormalizedName, version: Version) -> Release | None:
    """The CUDA of a project that is part of it; None for others, and for placeholders."""
    known = parts()
    if name in known.releases and version.major:
        return Release(major=version.major, minor=version.minor)
    if name in known.majors and version.major:
        return Release(major=version.major)
    major = known.others.get(name, {}).get(str(version.major))
    return None if major is None else Release(major=major)


def is_part(name: NormalizedName) -> bool:
    """Whether *name* is one of NVIDIA's own projects that others are made for a CUDA by."""
    match = _IN_NAME.search(name)
    stem = name[: match.start()] if match else name
    return name.startswith("nvidia-") or is_library(stem)


def is_without(version: Version) -> bool:
    """Whether a local version says that this is no build for CUDA."""
    return bool(version.local and _WITHOUT.search(version.local))


def _statements(
    package: Subject, own: Mapping[NormalizedName, Statement], arch: str
) -> tuple[Statement, ...]:
    found = {each.cuda.major: each for each in _required(package, own)}
    if (itself := own.get(package.name)) is not None:
        found[itself.cuda.major] = itself
    if not found and (told := table_statement(package.name, package.version, arch)) is not None:
        return (told,)
    return tuple(found[major] for major in sorted(found))


def _required(package: Subject, own: Mapping[NormalizedName, Statement]) -> Iterable[Statement]:
    """What *package* is made for by the parts of CUDA that it requires: one for each major."""
    wanted: dict[int, list[tuple[Requirement, Statement]]] = {}
    for line in package.requires:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        part = own.get(name)
        if part and name != package.name and is_part(name) and _binds(requirement, part):
            wanted.setdefault(part.cuda.major, []).append((requirement, part))
    for major, found in wanted.items():
        found.sort(key=_tells_more)
        requirement, part = found[0]
        pinned = _is_pin(requirement) and part.cuda.minor is not None
        more = f" and {len(found) - 1} more of CUDA {major}" if len(found) > 1 else ""
        yield Statement(
            name=package.name,
            version=package.version,
            cuda=part.cuda if pinned else Release(major=major),
            kind="requires",
            reason=f"requires {canonicalize_name(requirement.name)}{requirement.specifier}{more}",
        )


def _binds(requirement: Requirement, part: Statement) -> bool:
    """Whether only parts of one CUDA are what *requirement* wants.

    ``cuda-toolkit`` has versions for several.
    """
    major = part.cuda.major
    if part.kind == "name" or part.name.startswith("nvidia-"):
        return True
    others = (f"{major - 1}.9", f"{major + 1}.0")
    return not any(requirement.specifier.contains(each, prereleases=True) for each in others)


def _tells_more(found: tuple[Requirement, Statement]) -> tuple[bool, bool, str]:
    """By what requirements are sorted: first what pins a release of CUDA, the run time of all."""
    requirement, part = found
    first = any(word in part.name for word in ("cuda-toolkit", "cuda-runtime"))
    return not (part.cuda.minor is not None and _is_pin(requirement)), not first, part.name


def _is_pin(requirement: Requirement) -> bool:
    return any(each.operator in ("==", "===") for each in requirement.specifier)


def table_statement(name: NormalizedName, version: Version, arch: str) -> Statement | None:
    """What the table says of a release, where its metadata may not say it."""
    framework = frameworks().get(name)
    if framework is None or framework.metadata or framework.arch not in ("", arch):
        return None
    if (made := framework.of(version)) is None:
        return None
    return Statement(
        name=name,
        version=version,
        cuda=made.cuda,
        kind="table",
        reason=f"as {name} {made.versions} on PyPI is",
        cudnn=made.cudnn,
    )
