"""Locks of what people install for a GPU, made of the metadata that PyPI has of it."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lockfactory import lock, package
from lockingfactory import target
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse.alignment.findings import Alignment
from wheelhouse.cuda import Cuda

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelhouse.locking.model import Lock
    from wheelhouse.targets import Target

DATA = Path(__file__).parents[1] / "data" / "cuda" / "metadata.toml"

#: What a package requires, by its name with extras, and its version.
Known = dict[tuple[str, Version], list[str]]


@cache
def _known() -> Known:
    found: Known = {}
    for key, lines in tomllib.loads(DATA.read_text()).items():
        name, _, version = key.partition(" ")
        found[name, Version(version)] = lines
    return found


def lock_of(*asked: str, local: Mapping[str, str] | None = None) -> Lock:
    """The lock of lines such as ``jax[cuda13]``: of what is known, the newest that fits.

    :param local: by name, what is behind the version of a package.
    """
    wanted: dict[NormalizedName, list[Requirement]] = defaultdict(list)
    by: dict[NormalizedName, list[str]] = defaultdict(list)
    requires: dict[NormalizedName, tuple[Version, Sequence[str]]] = {}
    pending = [
        (f"requirements.txt:{line}", Requirement(text)) for line, text in enumerate(asked, 1)
    ]
    while pending:
        origin, requirement = pending.pop(0)
        name = canonicalize_name(requirement.name)
        wanted[name].append(requirement)
        by[name].append(origin)
        chosen = _newest(name, wanted[name])
        if requires.get(name) != chosen:
            requires[name] = chosen
            pending += [(name, Requirement(text)) for text in chosen[1]]
    packages = [
        package(
            name,
            f"{version}+{suffix}" if (suffix := (local or {}).get(name)) else str(version),
            *dict.fromkeys(by[name]),
            requires=tuple(lines),
        )
        for name, (version, lines) in sorted(requires.items())
    ]
    return lock(*packages, requested=asked)


def _newest(name: NormalizedName, wanted: Iterable[Requirement]) -> tuple[Version, Sequence[str]]:
    extras = {extra for each in wanted for extra in each.extras}
    specifier = SpecifierSet(",".join(str(each.specifier) for each in wanted))
    full = f"{name}[{','.join(sorted(extras))}]"
    of = full if any(known == full for known, _ in _known()) else name
    fitting = [
        version for known, version in _known() if known == of and specifier.contains(version)
    ]
    return max(fitting), _known()[of, max(fitting)]


def gpu(cuda: str | None, *, arch: str = "x86_64", torch_backend: str = "") -> Target:
    """A target with that CUDA."""
    return replace(
        target("gpu"),
        cuda=Cuda(version=Version(cuda)) if cuda else None,
        arch=arch,
        torch_backend=torch_backend,
    )


def aligned(
    cuda: str | None, *asked: str, exempt: Sequence[str] = (), arch: str = "x86_64"
) -> Alignment:
    """What is asked for, held against a target with that CUDA."""
    return Alignment(lock_of(*asked), gpu(cuda, arch=arch), lambda name: name in exempt)
