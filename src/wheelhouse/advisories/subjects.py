"""What of a lock is looked up in an advisory source, and what must not be. Pure.

Public advisories are about what is on PyPI. A package of another index may have the name of
something there and be something else; and its name alone may be a secret. So whatever does not
come from PyPI is neither matched by its name nor asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from wheelhouse.fetcherrors import redacted
from wheelhouse.locking.graph import Graph
from wheelhouse.settings import DEFAULT_INDEX, portable_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.config import Project
    from wheelhouse.locking.model import (
        BuildRequirement,
        Lock,
        LockedBuild,
        LockedFile,
        LockedPackage,
    )

#: Hosts of indexes whose projects are those of PyPI, and of PyPI's files.
_INDEX_HOSTS = frozenset(("pypi.org", "pypi.python.org", "download.pytorch.org"))
_FILE_HOSTS = frozenset(("files.pythonhosted.org", "download.pytorch.org"))

#: What a version is there for: to be installed, or only to build others: as a build requirement of
#: theirs, or as a part of the CUDA toolkit of their builders.
Role = Literal["package", "build", "toolkit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One version of one project, as it is locked.

    :ivar foreign: why it is none of PyPI's, in a clause; empty if it is.
    :ivar index: the URL of the index that it comes from, if that is why.
    :ivar way: who asks for it: a line of a file and the packages between; empty if it is only used
        to build others.
    :ivar builds: the packages that are built with it then.
    """

    name: NormalizedName
    version: Version
    role: Role
    foreign: str = ""
    index: str | None = None
    way: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()


def subjects(lock: Lock, project: Project, *, builds: bool = True) -> list[Subject]:
    """What *lock* has, by role and name.

    :param builds: whether what is only used to build others counts, too.
    """
    origins = _Origins(project)
    graph = Graph(lock)
    found = [_package(each, graph, origins) for each in lock.packages]
    return [*found, *_for_builds(lock, origins)] if builds else found


def _package(package: LockedPackage, graph: Graph, origins: _Origins) -> Subject:
    chain = next(graph.chains(package.name), None)
    way = () if chain is None else (chain.origin, *(n.package.name for n in chain.needs[:-1]))
    return Subject(
        name=package.name,
        version=package.version,
        role="package",
        foreign=origins.of_package(package),
        index=package.index,
        way=way or package.required_by[:1],
    )


def _for_builds(lock: Lock, origins: _Origins) -> Iterator[Subject]:
    """Each version of each once in its role, with all that is built with it."""
    uses: dict[tuple[Role, NormalizedName, Version, str, str | None], list[str]] = {}
    for role, each, package in _used(lock):
        index: str | None = each.index or origins.default
        key = (role, each.name, each.version, origins.of_files([each.file], index), index)
        uses.setdefault(key, []).append(str(package))
    for key, built in sorted(uses.items(), key=lambda use: use[0][:3]):
        role, name, version, foreign, index = key
        yield Subject(
            name=name,
            version=version,
            role=role,
            foreign=foreign,
            index=index,
            builds=tuple(dict.fromkeys(built)),
        )


def _used(lock: Lock) -> Iterator[tuple[Role, BuildRequirement, LockedPackage]]:
    """What each package is built with; the toolkit's parts are for all that are built with it."""
    for package in lock.packages:
        for each in _environment(package.build):
            yield "build", each, package
        if package.build is not None and _takes_toolkit(package.build):
            for each in lock.toolkit:
                yield "toolkit", each, package


def _takes_toolkit(build: LockedBuild) -> bool:
    """Whether *build*, or that of something it is built with, has the toolkit."""
    return build.cuda or any(
        each.build is not None and _takes_toolkit(each.build) for each in build.environment
    )


def _environment(build: LockedBuild | None) -> Iterator[BuildRequirement]:
    for each in build.environment if build else ():
        yield each
        yield from _environment(each.build)


class _Origins:
    """Knows which indexes are PyPI, or mirror it."""

    def __init__(self, project: Project) -> None:
        root = project.root
        mirrors = project.audit.mirrors
        self.default = portable_url(project.index, root)
        self._mirrors = {
            portable_url(each.url, root).rstrip("/")
            for each in project.known_indexes
            if each.name in mirrors or (DEFAULT_INDEX in mirrors and each is project.default_index)
        }

    def of_package(self, package: LockedPackage) -> str:
        """Why *package* is none of PyPI's; empty if it is."""
        if package.direct is not None and not _are_of_pypi(package.files):
            return f"it comes from {package.direct.location}"
        if not package.files:
            return f"the server has it by other means ({package.provided})"
        return self.of_files(package.files, package.index)

    def of_files(self, files: list[LockedFile] | tuple[LockedFile, ...], index: str | None) -> str:
        """Why these *files* of an *index* are none of PyPI's."""
        if _are_of_pypi(files) or (index is not None and self._has_pypi(index)):
            return ""
        return f"it comes from {redacted(index or files[0].url)}, which is not PyPI"

    def _has_pypi(self, index: str) -> bool:
        parts = urlsplit(index)
        return (parts.scheme == "https" and parts.hostname in _INDEX_HOSTS) or index.rstrip(
            "/"
        ) in self._mirrors


def _are_of_pypi(files: list[LockedFile] | tuple[LockedFile, ...]) -> bool:
    """Whether all *files* lie where PyPI has its own."""
    return bool(files) and all(
        (parts := urlsplit(each.url)).scheme == "https" and parts.hostname in _FILE_HOSTS
        for each in files
    )
