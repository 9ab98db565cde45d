"""What a project asks for, whichever kinds of files say it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName

#: What stands for all packages where an option takes names of packages.
ALL = ":all:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Direct:
    """Where a package comes from, if not from an index.

    :ivar location: an archive's address (``https://host/demo-1.0.tar.gz``) or path
        (``file:vendor/demo-1.0-py3-none-any.whl``); a folder's path (``dir:app``, ``dir:.``); or a
        repository's address (``git+https://host/demo.git``). Paths are relative to the project,
        or absolute. There are no credentials in it.
    :ivar revision: of a repository, the branch, tag or commit; empty for its default branch.
    :ivar subdirectory: where in it the project is.
    """

    location: str
    revision: str = ""
    subdirectory: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One requirement and the line that asks for it.

    :ivar requirement: without an address: that is in *direct*. Where the line names an address
        and no project, its name is a placeholder until *direct* has been looked into.
    :ivar origin: ``requirements.txt:3``, ``pyproject.toml: dependency-groups.dev`` or ``uv.lock``;
        paths are relative to the project.
    :ivar hashes: the SHA-256 hashes that the line allows; empty if it names none.
    :ivar direct: where it is to come from, if not from an index.
    :ivar unnamed: whether the line names an address only.
    :ivar index: the URL of the index that a lock says it comes from, if that is not the public
        one.
    :ivar closed: whether a lock asks for it, which has all that it depends on, too: its
        dependencies are not followed.
    """

    requirement: Requirement
    origin: str
    hashes: frozenset[str] = frozenset()
    direct: Direct | None = None
    unnamed: bool = False
    index: str | None = None
    closed: bool = False

    @property
    def name(self) -> NormalizedName:
        """The project's normalised name."""
        return canonicalize_name(self.requirement.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """An entry of a lock that is not for the target.

    :ivar reason: in a clause, such as ``sys_platform == 'win32'``.
    """

    name: str
    version: str
    origin: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What of a lock is for one target."""

    asked: tuple[Asked, ...]
    left_out: tuple[LeftOut, ...] = ()


class LockInput(Protocol):
    """A lock that another tool has made, read."""

    @property
    def directs(self) -> tuple[Direct, ...]:
        """All that it takes from elsewhere than an index, for whichever target."""

    def select(self, environment: Mapping[str, str]) -> Selection:
        """What of it is for a target with the marker *environment*.

        :raises ConfigError: it does not hold there, or has two versions of a project.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexOption:
    """An option of a requirements file that says where packages come from.

    :ivar url: without credentials, variables filled in; a folder's is ``file:///…``.
    :ivar credentials: the user and password that stood in it; they must get into nothing that is
        written.
    """

    kind: Literal["index-url", "extra-index-url", "find-links", "no-index"]
    origin: str
    url: str = ""
    credentials: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """Everything that the inputs of a project ask for.

    :ivar locks: those among them that have pinned everything already.
    :ivar files: every file that was read, and every folder and archive of the project that is
        asked for, with the SHA-256 of its content.
    :ivar indexes: options about indexes, in order.
    :ivar sources: by name, or :data:`ALL`, ``wheel`` or ``sdist`` where only that is allowed.
    :ivar config_settings: by name, settings for its build backend.
    :ivar hashes_required: every requirement has to be pinned, with a hash.
    :ivar left_out: what of the locks is not for the target that this was chosen for.
    :ivar variables: the names of the environment variables that stand in them.
    :ivar credentials: user and password of requirements' own URLs, by these (``https://host/path``,
        without ``git+``); they must get into nothing that is written.
    """

    asked: tuple[Asked, ...]
    constraints: tuple[Asked, ...] = ()
    locks: tuple[LockInput, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
    prereleases: bool = False
    indexes: tuple[IndexOption, ...] = ()
    sources: Mapping[str, Literal["wheel", "sdist"]] = field(default_factory=dict)
    config_settings: Mapping[NormalizedName, Mapping[str, str | tuple[str, ...]]] = field(
        default_factory=dict
    )
    hashes_required: bool = False
    left_out: tuple[LeftOut, ...] = ()
    variables: tuple[str, ...] = ()
    credentials: Mapping[str, tuple[str, str]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def hashes(self, name: NormalizedName) -> frozenset[str]:
        """The hashes that requirements and constraints allow for *name*; empty: any."""
        found = [
            each.hashes
            for each in (*self.asked, *self.constraints)
            if each.name == name and each.hashes
        ]
        return frozenset().union(*found)

    @property
    def directs(self) -> Mapping[Direct, str | None]:
        """What comes from elsewhere than an index; and where it is asked for, if not by a lock."""
        found: dict[Direct, str | None] = {}
        for each in (*self.asked, *self.constraints):
            if each.direct is not None:
                found.setdefault(each.direct, each.origin)
        for lock in self.locks:
            for direct in lock.directs:
                found.setdefault(direct, None)
        return found

    def chosen_for(self, environment: Mapping[str, str]) -> Requirements:
        """The same for one target, what its locks have for it among what is asked for.

        :param environment: the target's markers.
        :raises ConfigError: a lock does not hold there.
        """
        selections = [lock.select(environment) for lock in self.locks]
        return replace(
            self,
            asked=(*self.asked, *(each for found in selections for each in found.asked)),
            locks=(),
            left_out=tuple(each for found in selections for each in found.left_out),
        )
