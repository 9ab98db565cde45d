"""From an index's answer to the packages to install, the likeliest first. Pure.

What counts, in this order: how near the file is to where a build looks; that its package is there
to build with (for what is loaded: that it is not); that the package's name is like the thing's;
that many others depend on it. Where a package stands for the present version of another, as
`libboost-dev` does for `libboost1.74-dev`, that one is offered in its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.finding.distance import distance
from wheelhouse.finding.questions import Facts, header_words, question

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from wheelhouse.finding.questions import Answer
    from wheelhouse.missing import Missing

#: Packages that are offered for one thing.
MOST = 5

#: When more packages than this have such a file, each in a folder of its own and none called like
#: it, its name says nothing; one with a folder, such as `QtCore/QObject`, says more.
MANY, MANY_IN_FOLDER = 1, 4

#: Likeness of names from which on a package is more than one of many.
ALIKE = 2

#: What is for other machines, other C libraries, debuggers or readers, by its package's name.
_UNFIT = re.compile(
    r"""(?:.*-|lib)?(?:cross|dietlibc|emscripten|klibc|mingw-w64|musl|newlib|picolibc|wine\w*)(?:-.*)?
      | (?:avr|gcc|golang|librust|mingw32|mingw64|msp430)-.*
      | lib(?:32|64|hf|n32|sf|x32).+
      | .*-(?:dbg|dbgsym|debug|debuginfo|debugsource|docs?|examples?|source|tests?|udeb)
      | .*-(?:i386|ocaml-dev|x32)
    """,
    re.VERBOSE,
)

_DEVELOPMENT = re.compile(r".*-dev(?:el)?(?:-.*)?")
#: What is of use only with the package that depends on it.
_PART = re.compile(r"(.+)-(?:headers|dev-common)")

_DIGITS = re.compile(r"\d")


def rank(
    missing: Missing, answer: Answer, arch: str, installed: Collection[str] = ()
) -> tuple[str, ...]:
    """The packages that *answer* offers for *missing*, at most :data:`MOST`.

    :param arch: the target's, as `platform.machine()` says.
    :param installed: packages that are there already; they and what stands for them do not help.
    """
    names = {package: _stand_in(package, answer.packages) or package for package in _all(answer)}
    distances = {
        package: far
        for package, far in _distances(missing, answer, arch).items()
        if package not in installed and names[package] not in installed
    }
    if not distances:
        return _guessed(missing, answer, installed)
    likeness = {package: _likeness(missing, package) for package in distances}

    def key(package: str) -> tuple[object, ...]:
        facts = answer.packages.get(package, Facts())
        near = distances[package] == 0
        return (
            (not near) + (not near and likeness[package] < ALIKE),
            distances[package],
            bool(_DEVELOPMENT.fullmatch(package)) == (missing.kind == "soname"),
            facts.transitional or "-compat" in package,
            -likeness[package],
            -sum(
                answer.packages.get(each, Facts()).dependents for each in {package, names[package]}
            ),
            len(package),
            package,
        )

    many = MANY_IN_FOLDER if "/" in missing.name else MANY
    ordered = sorted(_selected(distances, likeness, many), key=key)
    return tuple(dict.fromkeys(names[package] for package in ordered))[:MOST]


def _all(answer: Answer) -> Iterator[str]:
    """Every package that has a file or a name."""
    for _, packages in (*answer.files, *answer.names.items()):
        yield from packages


def _distances(missing: Missing, answer: Answer, arch: str) -> dict[str, int]:
    """Each package that has the thing, and how near to where a build looks for it."""
    distances = {package: 0 for packages in answer.names.values() for package in packages}
    for path, packages in answer.files:
        far = distance(missing, path, arch)
        if far is not None:
            for package in packages:
                distances[package] = min(far, distances.get(package, far))
    return {package: far for package, far in distances.items() if not _UNFIT.fullmatch(package)}


def _guessed(missing: Missing, answer: Answer, installed: Collection[str]) -> tuple[str, ...]:
    """The package that is called as one of the thing would be, for an index without files.

    Where it has files, still for a program such as `icu-config`, which distributions leave out:
    who calls it mostly asks `pkg-config` next.
    """
    left_out = missing.kind == "program" and re.search(r"[-_]config$", missing.name)
    if (answer.lists or missing.kind not in ("header", "library", "cmake")) and not left_out:
        return ()
    names = [name for name in question(missing).packages if name in answer.packages]
    return tuple(name for name in names if name not in installed)[:1]


def _selected(distances: Mapping[str, int], likeness: Mapping[str, int], many: int) -> list[str]:
    """Those that are worth a try: the nearest, and what is farther away and much alike."""
    nearest = min(distances.values())
    strangers = [
        package
        for package, far in distances.items()
        if far == nearest and likeness[package] < ALIKE
    ]
    if nearest > 0 and len(strangers) > many:
        strangers = []
    return [package for package in distances if likeness[package] >= ALIKE] + strangers


# -- Names ----------------------------------------------------------------------------------


def _likeness(missing: Missing, package: str) -> int:
    """How much the name of *package* is like that of the thing: 3 the same, 0 not at all."""
    name = missing.name.rpartition("/")[2] if missing.kind == "file" else missing.name
    words = header_words(name) if missing.kind == "header" else (name,)
    return max(_word_likeness(_core(word), _core(package)) for word in words)


def _word_likeness(word: str, package: str) -> int:
    if not word or not package:
        return 0
    if word == package:
        return 3
    shorter, longer = sorted((word, package), key=len)
    if len(shorter) > 2 and longer.startswith(shorter):
        return 2
    return int(len(shorter) > 2 and shorter in longer)


def _core(name: str) -> str:
    """The letters of *name* without what says that it is a library, its version or its use."""
    name = re.sub(r"\.so[.\d]*$|[-_]config$|-(?:dev|devel)$|t64$", "", name.lower())
    return re.sub(r"[^a-z+]+", "", name.removeprefix("default-")).removeprefix("lib")


# -- Packages that stand for others ---------------------------------------------------------


def _stand_in(package: str, packages: Mapping[str, Facts]) -> str | None:
    """The package that stands for *package*, whichever version it is, or None."""
    standing = [
        name
        for name, facts in packages.items()
        if package in facts.depends
        and not facts.transitional
        and not _UNFIT.fullmatch(name)
        and _stands(name, facts, package)
    ]
    return max(standing, key=lambda name: (packages[name].dependents, name), default=None)


def _stands(name: str, facts: Facts, package: str) -> bool:
    develops = bool(_DEVELOPMENT.fullmatch(name))
    if part := _PART.fullmatch(package):
        return develops and _core(name).startswith(_core(part[1]))
    if develops != bool(_DEVELOPMENT.fullmatch(package)):
        return False
    if name.startswith("default-"):
        return facts.files == 0
    digits, others = len(_DIGITS.findall(name)), len(_DIGITS.findall(package))
    if digits < others and _core(name) == _core(package):
        return True
    shorter = digits <= others and len(name) < len(package)
    return develops and facts.files == 0 and shorter and _core(package).startswith(_core(name))
