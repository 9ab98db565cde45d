"""From what a proof found to what of the distribution a package lacks on the server. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.missing import Missing
from wheelhouse.wheels.policy import DRIVER_SONAMES, is_libpython

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wheelhouse.proofreport import Finding

#: Interface versions that a library may have of which only the name is known, the newest first.
_VERSIONS = range(19, -1, -1)

#: Names that are looked at; some code tries dozens of spellings.
_MOST_NAMES = 24

#: What the name of a library or a program consists of: it comes from a stranger's code.
_NAME = re.compile(r"[\w+][\w.+-]{0,99}")

#: How the dynamic linkers of glibc and musl name the file that they did not find.
_FILES = (
    re.compile(r"(?<![\w.+/-])([\w.+-]+\.so(?:\.\d+)*): cannot open shared object file"),
    re.compile(r"Error loading shared library ([\w.+-]+\.so(?:\.\d+)*)"),
)

#: How code that opens libraries by name says that it found none.
_NAMES = (
    re.compile(r"cannot load library '([\w.+-]+)'"),
    re.compile(r"[Nn]o library called [\"']([\w.+-]+)[\"']"),
    re.compile(r"a library called '([\w.+-]+)'"),
    re.compile(
        r"(?i:could not|couldn't|cannot|can't|unable to|failed to) (?:find|load|locate) "
        r"(?:the )?(?:shared )?(?:library )?[\"']?(lib(?!rar)[\w.+-]+[\w+])"
    ),
)

#: How code that runs programs says that there is none.
_PROGRAMS = (
    re.compile(
        r"[\"']?\b([\w.+-]+)[\"']? (?:executable|binary|command|program)s? (?:was )?not found"
    ),
    re.compile(
        r"(?i:could not|couldn't|cannot|can't|unable to|failed to) (?:find|locate|execute) "
        r"(?:the )?[\"']?([\w.+-]+)[\"']? (?:executable|binary|command|program)\b"
    ),
    re.compile(r"(?i:could not|cannot|can't|unable to) find (javac?)\b"),
)

_LIBRARY_WORDS = re.compile(r"(?i)\b(?:librar(?:y|ies)|dll|driver)\b")

#: ``libpango-1.0-0``, as libraries are called on Windows: the version of the interface at the end.
_WITH_VERSION = re.compile(r"(?:lib)?([\w.+-]*[\w+])-(\d+)")


def options(finding: Finding, provided: Collection[str]) -> tuple[Missing, ...]:
    """Things of the distribution any one of which may be what *finding* came about for want of.

    The likeliest comes first. Python's own library is one of them for a program only: what Python
    imports has no use for it.

    :param provided: sonames that wheels of the house have: no distribution is to bring those.
    """
    if finding.kind not in {"program", "library", "import"}:
        return ()
    if finding.kind == "program" and finding.missing:
        found = {Missing("program", finding.missing): None}
    else:
        found = dict.fromkeys([*_named(finding), *_tried(finding)])
    askable = [each for each in found if is_askable(each, provided)]
    if finding.what == "program":
        return tuple(askable)
    return tuple(each for each in askable if not is_libpython(each.name))


def is_askable(missing: Missing, provided: Collection[str]) -> bool:
    """Whether a distribution may be asked for *missing*: the GPU's driver comes with the GPU."""
    if not _NAME.fullmatch(missing.name):
        return False
    if missing.kind != "soname":
        return True
    return missing.name not in DRIVER_SONAMES and missing.name not in provided


def _named(finding: Finding) -> Iterator[Missing]:
    """What its message names."""
    for pattern in (*_FILES, *_NAMES):
        for match in pattern.finditer(finding.message):
            yield from _sonames(match[1])
    for pattern in _PROGRAMS:
        for match in pattern.finditer(finding.message):
            yield Missing("program", match[1])


def _tried(finding: Finding) -> Iterator[Missing]:
    """What its code asked for in vain, where its message speaks of that."""
    text = finding.message
    programs = [each for each in finding.tried if each.kind == "program"]
    libraries = [_stem(each.name) for each in finding.tried if each.kind != "program"]
    if _LIBRARY_WORDS.search(text) or any(_speaks_of(text, stem) for stem in libraries):
        for each in finding.tried[:_MOST_NAMES]:
            if each.kind != "program":
                yield from _sonames(each.name)
    yield from (each for each in programs if _speaks_of(text, each.name))


def _sonames(name: str) -> Iterator[Missing]:
    """The shared libraries that *name* may mean: a soname, a file's name, or a bare name."""
    if re.search(r"\.so\.\d", name):
        yield Missing("soname", name)
        return
    if match := _WITH_VERSION.fullmatch(name):
        yield Missing("soname", f"lib{match[1]}.so.{match[2]}")
    stem = _stem(name)
    yield from (Missing("soname", f"lib{stem}.so.{version}") for version in _VERSIONS)
    yield Missing("soname", f"lib{stem}.so")


def _stem(name: str) -> str:
    """``magic`` of ``libmagic.so.1``."""
    return name.removeprefix("lib").partition(".so")[0]


def _speaks_of(text: str, name: str) -> bool:
    return re.search(rf"(?i)(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text) is not None or (
        f"lib{name}".lower() in text.lower()
    )
