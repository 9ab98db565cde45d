"""From a missing thing to what a distribution's index is asked, and the form of its answer. Pure.

An index (``images/index.py``) knows the paths of files, the names that packages provide, and the
packages themselves. Which of these it has depends on the family: Debian's names no libraries,
Alpine's no files. So each question is asked in every way that could have an answer.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.missing import Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked for one missing thing.

    :ivar paths: ends of the paths of files.
    :ivar folded: the same, in whatever case.
    :ivar names: what packages provide, such as ``pkgconfig(libpq)``.
    :ivar packages: names that a package of it might have, the likeliest first.
    """

    paths: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As the agent's job ``find`` reads it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the index says of a package.

    :ivar section: Debian's, such as ``libdevel``; empty elsewhere.
    :ivar files: how many files of it the index knows.
    :ivar dependents: how many packages depend on it.
    :ivar depends: what it depends on, where it may stand for that.
    """

    section: str = ""
    files: int = 0
    dependents: int = 0
    depends: tuple[str, ...] = ()

    @property
    def transitional(self) -> bool:
        """Whether it is only there for those who know it by an old name."""
        return self.section == "oldlibs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an index says to one question.

    :ivar files: paths and the packages that have them.
    :ivar names: packages by what they provide.
    :ivar packages: what is known of those, and of the packages that depend on one of them.
    :ivar lists: whether the index knows of headers at all.
    """

    files: tuple[tuple[str, tuple[str, ...]], ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    packages: Mapping[str, Facts] = field(default_factory=dict)
    lists: bool = True

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Answer:
        """Read what the agent's job ``find`` returns."""
        rows = [(path, tuple(names)) for found in told["files"].values() for path, names in found]
        return cls(
            lists=told["lists"],
            files=tuple(dict.fromkeys(rows)),
            names={name: tuple(packages) for name, packages in told["names"].items()},
            packages={
                name: Facts(
                    section=section, files=files, dependents=dependents, depends=tuple(depends)
                )
                for name, (section, files, dependents, depends) in told["packages"].items()
            },
        )


def question(missing: Missing) -> Question:
    """What to ask for *missing*."""
    name = missing.name
    match missing.kind:
        case "header":
            last = name.rpartition("/")[2]
            paths = tuple(dict.fromkeys((f"/{name}", f"/{last}")))
            return Question(paths=paths, packages=_development(*header_words(name)))
        case "pkg-config":
            return Question(
                paths=(f"/{name}.pc",),
                names=(f"pkgconfig({name})", f"pc:{name}"),
                packages=_development(name),
            )
        case "program":
            return Question(
                paths=(f"/bin/{name}", f"/sbin/{name}"),
                names=(f"cmd:{name}",),
                packages=(name, *_development(re.sub(r"[-_]config$", "", name))),
            )
        case "library":
            return Question(paths=(f"/lib{name}.so", f"/lib{name}.a"), packages=_development(name))
        case "soname":
            return Question(paths=(f"/{name}",), names=(f"{name}()(64bit)", f"so:{name}"))
        case "cmake":
            return Question(
                folded=(f"/{name}Config.cmake", f"/{name}-config.cmake"),
                paths=(f"/{name.lower()}.pc", f"/lib{name.lower()}.pc", f"/lib{name.lower()}.so"),
                names=(f"cmake({name})", f"pc:{name.lower()}", f"pc:lib{name.lower()}"),
                packages=_development(name.lower()),
            )
        case "file":
            return Question(paths=(name,))


def header_words(name: str) -> tuple[str, ...]:
    """What a header may be called after: its folder, and itself."""
    stem = re.sub(r"\.\w+$", "", name).lower()
    return tuple(dict.fromkeys(stem.split("/")))


def _development(*words: str) -> tuple[str, ...]:
    """Names that packages to build with *words* may have."""
    stems = [stem for word in words for stem in (f"lib{word}", word)]
    found = [stem + end for stem in stems for end in ("-dev", "-devel")]
    return tuple(dict.fromkeys(found))
