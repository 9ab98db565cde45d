"""Versions that tools take from git's history, for sources that come without it. Pure.

Each of these tools has a way to tell it what git would have said: a file such as ``git archive``
fills in, or the PKG-INFO of an sdist. Which of them a project needs, its own text shows.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where a project says what builds it.
TEXTS = ("pyproject.toml", "setup.cfg", "setup.py")

#: Tools that read `.git_archival.txt`, and those that read `.git_archival.json`.
ARCHIVAL = re.compile(
    r"\b((setuptools|flit)[-_]scm|hatch-vcs|vcs[-_]versioning|use_scm_version)\b"
    r"|\bsetuptools[-_]git[-_]versioning\b"
)
DUNAMAI = re.compile(r"\b(dunamai|(poetry|uv)-dynamic-versioning)\b")

#: Tools that read nothing but PKG-INFO.
PBR = re.compile(r"""["']pbr\b|^pbr\b|\bpbr\s*=""", re.MULTILINE)
VERSIONINGIT = re.compile(r"\bversioningit\b")

#: versioneer, whose `_version.py` has a place that ``git archive`` fills in.
VERSIONEER = re.compile(r"\bversioneer\b")
BLANKS = re.compile(r"\$Format:(%d|%H|%ci)\$")

#: Digits of a commit in a version: as git has them by default in most repositories, and as
#: setuptools-scm has it cut them. Tools that want fewer cut again.
SHORT, DESCRIBED = 7, 9

#: Tags that look like versions, unless a project says otherwise.
MATCH = "*[0-9]*"


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What git says of a commit.

    :ivar commit: its hash; :ivar date: its time, in ISO's form with an offset.
    :ivar tag: the nearest before it that looks like a version; empty if there is none.
    :ivar distance: commits since that, or all; a changed work tree counts as one more.
    """

    commit: str
    date: str
    tag: str
    distance: int

    @property
    def short(self) -> str:
        """The commit, as it stands in versions."""
        return self.commit[:SHORT]

    @property
    def described(self) -> str:
        """As ``git describe --long`` has it."""
        return f"{self.tag or '0.0'}-{self.distance}-g{self.commit[:DESCRIBED]}"


def takes_version_from_git(texts: Mapping[str, str]) -> bool:
    """Whether one of the tools above makes the version of the project with these *texts*."""
    text = "\n".join(texts.values())
    every = (ARCHIVAL, DUNAMAI, PBR, VERSIONINGIT, VERSIONEER)
    return any(pattern.search(text) for pattern in every)


def tag_patterns(texts: Mapping[str, str]) -> list[str]:
    """The arguments by which ``git describe`` chooses among tags, as the project has them."""
    found = re.search(
        r"""git_describe_command\s*=\s*(\[[^\]]*\]|"[^"\n]*"|'[^'\n]*')""",
        texts.get("pyproject.toml", ""),
    )
    words = _words(found[1]) if found else []
    chosen = []
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in {"--match", "--exclude"}:
            chosen += [f"{name}={value if equals else ''.join(words[number + 1 : number + 2])}"]
    return chosen or [f"--match={MATCH}"]


def _words(value: str) -> list[str]:
    """The words of a command: a list of TOML, or one text."""
    if value.startswith("["):
        return [first or second for first, second in re.findall(r'"([^"]*)"|\'([^\']*)\'', value)]
    try:
        return shlex.split(value[1:-1])
    except ValueError:
        return []


def version_files(texts: Mapping[str, str], history: History) -> dict[str, str]:
    """By name, the files that tell the project with these *texts* its version."""
    text = "\n".join(texts.values())
    files = {}
    if ARCHIVAL.search(text):
        files[".git_archival.txt"] = (
            f"node: {history.commit}\n"
            f"node-date: {history.date}\n"
            f"describe-name: {history.described}\n"
        )
    if DUNAMAI.search(text):
        facts = {
            "hash-full": history.commit,
            "hash-short": history.short,
            "timestamp": history.date,
            "refs": "",
            "describe": history.described if history.tag else "",
        }
        files[".git_archival.json"] = json.dumps(facts, indent=2) + "\n"
    version = _sdist_version(text, history)
    name = re.search(r"""^name\s*=\s*["']?([\w.-]+)""", text, re.MULTILINE)
    if version and name:
        files["PKG-INFO"] = f"Metadata-Version: 1.1\nName: {name[1]}\nVersion: {version}\n"
    return files


def _sdist_version(text: str, history: History) -> str:
    """The version that pbr or versioningit would give an sdist; empty if it is neither's."""
    release = re.search(r"(\d+(?:\.\d+)*)(\w*)", history.tag)
    if PBR.search(text):
        return _pbr_version(release[1], release[2], history.distance) if release else "0.0.0"
    if VERSIONINGIT.search(text) and release:
        ahead = f".post{history.distance}+g{history.short}" if history.distance else ""
        return f"{release[0]}{ahead}"
    return ""


def _pbr_version(numbers: str, pre: str, distance: int) -> str:
    """Three numbers, of which the last is one more where the release is still to come."""
    major, minor, patch = [*numbers.split("."), "0", "0"][:3]
    if not distance:
        return f"{major}.{minor}.{patch}{pre}"
    return f"{major}.{minor}.{int(patch) + (not pre)}.dev{distance}"


def is_filled_in(text: str) -> bool:
    """Whether a file of ``git archive`` says something already."""
    return "$Format:" not in text


def filled_in(text: str, history: History) -> str:
    """A `_version.py` of versioneer, filled in: with the version that it makes of the history."""
    tag, since = history.tag, f"{history.distance}.g{history.short}"
    if not tag:
        prefix = re.search(r"""tag_prefix\s*=\s*["']?([\w.-]*)""", text)
        tag = f"{prefix[1] if prefix else ''}0+untagged.{since}"
    elif history.distance:
        tag += f"{'.' if '+' in tag else '+'}{since}"
    values = {
        "%d": f" (tag: {tag})",
        "%H": history.commit,
        "%ci": history.date,
    }
    return BLANKS.sub(lambda blank: values[blank[1]], text)
