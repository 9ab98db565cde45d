"""Whether a source has to do with CUDA, from its files. Pure, but for reading the archive.

Nothing of it is executed, so this is a guess, and a generous one: a build that gets the toolkit and
does not use it loses nothing but the seconds in which its image is made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.agent.archives import read_archive
from wheelhouse.agent.streams import ArchiveProblem
from wheelhouse.errors import BuildError
from wheelhouse.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: Bytes of one file that are looked through; what is longer is no build script.
MOST = 1 << 20

#: Folders of what is not built for a wheel.
_ASIDE = re.compile(
    r"(?:unit|integration)?[ _-]?tests?|testing|test cases|examples?|samples?|docs?|documentation"
    r"|benchmarks?|tutorials?"
)

_SOURCES = (".cu", ".cuh", ".cu.in", ".cuh.in")

#: By how a file's name ends, what its text has where it calls for CUDA's compiler.
_SCRIPTS = (
    (
        re.compile(r"(?:.*/)?(?:CMakeLists\.txt|[^/]*\.cmake)"),
        re.compile(
            r"\b(?:enable_language|project|check_language)\s*\([^)]*\bCUDA\b"
            r"|\bfind_(?:package|dependency)\s*\(\s*CUDA(?:Toolkit)?\b",
            re.IGNORECASE,
        ),
    ),
    (
        re.compile(r"(?:.*/)?meson\.build"),
        re.compile(r"\b(?:project|add_languages)\s*\([^)]*'cuda'|\bdependency\s*\(\s*'cuda'"),
    ),
    (
        re.compile(r"(?:[^/]+/)?(?:setup\.py|pyproject\.toml)"),
        re.compile(r"\bCUDAExtension\b|\bnvcc\b|\bCUDA_(?:HOME|PATH)\b|\bcpp_extension\b"),
    ),
)

_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)


def cuda_in_archive(path: Path, shown: str) -> str:
    """What tells that the source in the archive at *path* has to do with CUDA; empty if nothing.

    :param shown: what to call it in messages.
    :raises BuildError: it is broken.
    """
    try:
        return cuda_among(_files(path))
    except (ArchiveProblem, OSError) as error:
        raise BuildError(
            f"{shown} is no source that can be read: {clip(str(error), 400)}",
            hint="pin another version, or tell the project's maintainers",
        ) from error


def _files(path: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """By name, the content of regular files, but for what is too long to be looked through."""
    for member, content in read_archive(str(path)):
        if member.kind == "file":
            yield member.name, content if member.size <= MOST else ()


def cuda_among(files: Iterable[tuple[str, Iterable[bytes]]]) -> str:
    """The first of *files* that tells that all of them have to do with CUDA; empty if none does.

    :param files: names, from the archive's top folder on, and contents, which are read once.
    """
    for name, content in files:
        _, _, inside = name.partition("/")
        if not _is_aside(inside) and (inside.endswith(_SOURCES) or _calls(inside, content)):
            return inside
    return ""


def _is_aside(name: str) -> bool:
    *folders, _ = name.lower().split("/")
    return any(_ASIDE.fullmatch(folder) for folder in folders)


def _calls(name: str, content: Iterable[bytes]) -> bool:
    wanted = next((text for named, text in _SCRIPTS if named.fullmatch(name)), None)
    if wanted is None:
        return False
    text = b"".join(content).decode("utf-8", "replace")
    return wanted.search(_COMMENT.sub("", text)) is not None
