"""Symptoms of a build that wants the network, which it has not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from wheelhouse.building.answers import requires_fix
from wheelhouse.building.symptoms import Diagnosis, Rank, Symptom, quoted

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log


def _download(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="download",
        cause=f"the build wants the network{_of_what(match, log)}, and builds have none",
        hint="give it by `system` what it would fetch, or tell it to do without: "
        f"`[packages.{log.package}.env]`, or config-settings",
    )


def _of_what(match: re.Match[str], log: Log) -> str:
    """The address that the lines around *match* name."""
    near = "\n".join((*log.before(match, 40), log.lines[log.line_of(match)], *log.after(match, 10)))
    found = re.findall(r"\b(?:https?|git|ftp)://[\w.-]{1,80}", near)
    hosts = re.findall(r"host='([\w.-]{1,80})'|resolve host:? ([\w.-]{1,80})", near)
    named = [each for each in found if not re.search(r"setuptools|python\.org|pypa\.io", each)]
    return f" ({named[-1]})" if named else next((f" ({a or b})" for a, b in hosts[-1:]), "")


def _clone(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="git-clone",
        cause=f"its build clones {quoted(match.group(1), 100)}, and builds have no network",
        hint=f"its sdist is not whole: pin another version of {log.package}, or give it by "
        "`system` what it would clone",
    )


def _no_repository(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="no-repository",
        cause="its build asks git for its version or its parts, and an sdist is no repository",
        hint=f"pin another version of {log.package}, whose sdist is whole",
    )


def _runs_pip(match: re.Match[str], log: Log) -> Diagnosis | None:
    """setuptools' `fetch_build_eggs`, or a setup.py, runs pip for what it did not declare."""
    named = [each for each in map(_requirement, match.group(1).split("', '")) if each]
    if not named:
        return _download(match, log)
    return Diagnosis(
        kind="fetches-requirements",
        cause=f"its setup.py fetches {', '.join(named)} by itself, and builds have no network",
        hint="declare it in its place: its build then finds it",
        fix=requires_fix(log.package, named),
        requires=tuple(named),
    )


def _requirement(text: str) -> str | None:
    """*text* if it is a requirement by name, and no option or path."""
    try:
        found = Requirement(text.strip("'\" "))
    except InvalidRequirement:
        return None
    return None if found.url else str(found)


def _egg(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="fetches-setuptools",
        cause="its setup.py fetches setuptools by itself, for it does not find the one it expects",
        hint="its build gets an older one",
        fix=requires_fix(log.package, ["setuptools<82"]),
        constraints=("setuptools<82",),
        dated=True,
    )


def _crates(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="rust-crates",
        cause="it is written in Rust, and cargo wants to download the crates that it is made of: "
        "its sdist does not have them, and builds have no network",
        hint=f'use a wheel of it: `[packages.{log.package}] source = "wheel"`; where the target '
        "has none, pin a version that has one",
    )


def _placeholder(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="placeholder",
        cause=f"what this index has of {log.package} is a placeholder: the real one is elsewhere",
        hint="the lines above say where: name that index in wheelhouse.toml or in the "
        "requirements file",
    )


def _deprecated(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="deprecated-name",
        cause=f"{log.package} is only another name of {match.group(1)}, and refuses to be built",
        hint=f"ask for {match.group(1)} in its place: who asks for {log.package} is told above",
    )


def _cmake_download(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="cmake-download",
        cause=f"its CMake downloads {quoted(match.group(1), 100)}, and builds have no network",
        hint="many such projects take the distribution's own instead: add that by `system`, and "
        "the option that says so to config-settings",
    )


def _meson_download(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="meson-download",
        cause="its Meson build wants a subproject that its sdist does not have",
        hint="add the distribution's package of it by `system`, or pin another version of "
        f"{log.package}",
    )


_UNREACHED = (
    r"Temporary failure in name resolution|[Cc]ould not resolve host|Network is unreachable"
    r"|Name or service not known|nodename nor servname|getaddrinfo EAI_AGAIN"
    r"|Failed to establish a new connection|Failed to download any of the following"
)

NETWORK: tuple[Symptom, ...] = (
    Symptom(
        r"failed to (?:get|download|fetch|load source for dependency)[^\n]{0,80}`[\w@. -]{1,80}`"
        r"|[Uu]nable to update registry `crates-io`|index\.crates\.io|static\.crates\.io"
        r"|no matching package named `[\w-]{1,60}` found",
        _crates,
        Rank.DECISIVE,
    ),
    Symptom(r"fatal: not a git repository", _no_repository),
    Symptom(
        r"(?:Cloning into|unable to access|clone of|repository) '([^'\n]{1,200})'"
        r"[^\n]{0,20}\n?[^\n]{0,200}(?:Could not resolve|unable to access)",
        _clone,
    ),
    Symptom(
        r"Command '\['[^\n']{1,200}', '-m', 'pip', (?:'-[^\n']{0,40}', ){0,9}"
        r"'(?:wheel|install)', ([^\n]{1,300})\]'",
        _runs_pip,
        Rank.DECISIVE,
    ),
    Symptom(
        r"(?:No local packages or working download links found for|Couldn't find index page for"
        r"|Could not find suitable distribution for Requirement\.parse\(|No matching distribution"
        r" found for) ?'?([\w.<>=!, -]{1,100})",
        _runs_pip,
        Rank.DECISIVE,
    ),
    Symptom(
        r"Downloading https?://[^\n]{1,120}/setuptools-[\d.]{1,20}[^\n]{0,10}$", _egg, Rank.DECISIVE
    ),
    Symptom(
        r"pip install nvidia-pyindex|This package can be installed as:|placeholder project"
        r"|You are trying to install a (?:placeholder|dummy)|--extra-index-url https?://pypi\.n",
        _placeholder,
        Rank.DECISIVE,
    ),
    Symptom(r"error: downloading '([^'\n]{1,200})' failed", _cmake_download),
    Symptom(
        r"Automatic wrap-based subproject downloading is disabled|could not get https?://"
        r"|Attempted to resolve subproject without subprojects directory"
        r"|Neither a subproject directory nor a [^\n]{1,60} file was found",
        _meson_download,
    ),
    Symptom(r"PyPI package is deprecated, use '?([\w-]{1,60})", _deprecated, Rank.DECISIVE),
    Symptom(_UNREACHED, _download),
)
