"""What is wanted, from files of every kind: see :func:`read_inputs`."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.errors import ConfigError, WheelhouseError, flatten, raise_all
from wheelhouse.inputs.formats import merged_formats
from wheelhouse.inputs.model import Requirements
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from packaging.utils import NormalizedName

    from wheelhouse.inputs.model import Direct, IndexOption
    from wheelhouse.settings import InputFile

_BESIDE = 'write a requirements file with the line "." in it: it asks for the project beside it'
_CONDA = "write what pip can install of it into a requirements file"

#: What to name in place of files that are no inputs, by their names.
INSTEAD = {
    "pipfile": "run `pipenv lock`, and name Pipfile.lock",
    "setup.py": _BESIDE,
    "setup.cfg": _BESIDE,
    "environment.yml": _CONDA,
    "environment.yaml": _CONDA,
    "conda-lock.yml": _CONDA,
    "pixi.toml": _CONDA,
    "pixi.lock": _CONDA,
    "uv.toml": "name uv.lock, or pyproject.toml",
    "poetry.toml": "name poetry.lock, or pyproject.toml",
    "pdm.toml": "name pdm.lock, or pyproject.toml",
    "wheelhouse.toml": "name the files that it would read: `requirements = [...]`",
}

#: The same by what the names end in.
INSTEAD_OF_KIND = {
    ".whl": "write its path into a requirements file",
    ".gz": "write its path into a requirements file",
    ".zip": "write its path into a requirements file",
    ".py": "name a requirements file, a pyproject.toml or a lock",
    ".cfg": "name a requirements file, a pyproject.toml or a lock",
    ".toml": "name a requirements file, a pyproject.toml, or a pylock.toml or pylock.NAME.toml",
    ".lock": "uv.lock, poetry.lock, pdm.lock and Pipfile.lock are the locks that are read",
    ".yml": _CONDA,
    ".yaml": _CONDA,
}


def read_inputs(root: Path, files: Iterable[InputFile]) -> Requirements:
    """Read *files* and all that they include. Their names tell what kinds they are of.

    :param root: the project's folder.
    :raises ConfigError: something in them cannot be used; all of that at once.
    """
    root, files = root.resolve(), tuple(files)
    parts: list[Requirements] = []
    errors: list[WheelhouseError] = []
    for file in files:
        try:
            parts.append(_read(root, file))
        except WheelhouseError as error:
            errors.append(error)
        except RecursionError:
            errors.append(
                ConfigError(
                    f"{_shown(root, file.path)}: something in it is nested too deeply",
                    hint="correct it: nothing that is asked for is so deep",
                )
            )
    raise_all(_once(errors))
    merged = _merged(parts)
    raise_all([*_contradictions(merged.indexes)])
    if not merged.asked and not merged.locks:
        names = ", ".join(printable(file.path.name) for file in files)
        raise ConfigError(f"{names}: asks for nothing", hint="add a requirement, such as `flask`")
    return replace(merged, files={**merged.files, **_named(root, merged)})


def _read(root: Path, file: InputFile) -> Requirements:
    """What *file* alone asks for."""
    from wheelhouse.inputs import pyprojectfile, requirementsfile

    name = file.path.name
    if name == "pyproject.toml":
        return pyprojectfile.read_pyproject(root, file)
    if (lock := _lock(root, file)) is not None:
        return lock
    kind = file.path.suffix.lower()
    hint = INSTEAD.get(name.lower()) or INSTEAD_OF_KIND.get(kind)
    if hint is not None:
        raise ConfigError(f"{_shown(root, file.path)}: is no kind of file that is read", hint=hint)
    return requirementsfile.read_requirements_file(root, file)


def _lock(root: Path, file: InputFile) -> Requirements | None:
    """What *file* asks for, if it is another tool's lock."""
    from packaging.pylock import is_valid_pylock_path

    if is_valid_pylock_path(file.path):
        from wheelhouse.inputs.pylockfile import read_pylock

        return read_pylock(root, file)
    match file.path.name:
        case "uv.lock":
            from wheelhouse.inputs.uvlock import read_uv_lock

            return read_uv_lock(root, file)
        case "poetry.lock":
            from wheelhouse.inputs.poetrylock import read_poetry_lock

            return read_poetry_lock(root, file)
        case "pdm.lock":
            from wheelhouse.inputs.pdmlock import read_pdm_lock

            return read_pdm_lock(root, file)
        case "Pipfile.lock":
            from wheelhouse.inputs.pipfilelock import read_pipfile_lock

            return read_pipfile_lock(root, file)
    return None


def _shown(root: Path, path: Path) -> str:
    return printable(str(path.relative_to(root) if path.is_relative_to(root) else path))


# --- together -------------------------------------------------------------------------------


def _once(errors: Iterable[WheelhouseError]) -> list[WheelhouseError]:
    """*errors*, each of them once: two files may include a third."""
    return list({error.message: error for error in flatten([*errors])}.values())


def _merged(parts: Sequence[Requirements]) -> Requirements:
    """All of *parts*; what two of them have from the same line counts once."""
    sources: Mapping[str, Literal["wheel", "sdist"]] = {}
    settings: dict[NormalizedName, Mapping[str, str | tuple[str, ...]]] = {}
    for part in parts:
        sources = merged_formats(sources, part.sources)
        for name, own in part.config_settings.items():
            settings[name] = {**settings.get(name, {}), **own}
    return Requirements(
        asked=tuple(dict.fromkeys(each for part in parts for each in part.asked)),
        constraints=tuple(dict.fromkeys(each for part in parts for each in part.constraints)),
        locks=tuple(each for part in parts for each in part.locks),
        files={path: digest for part in parts for path, digest in part.files.items()},
        prereleases=any(part.prereleases for part in parts),
        indexes=tuple(dict.fromkeys(each for part in parts for each in part.indexes)),
        sources=sources,
        config_settings=settings,
        hashes_required=any(part.hashes_required for part in parts),
        variables=tuple(sorted({name for part in parts for name in part.variables})),
        credentials={url: who for part in parts for url, who in part.credentials.items()},
    )


def _contradictions(options: Iterable[IndexOption]) -> Iterator[ConfigError]:
    """That there are two default indexes, if there are."""
    named = [each for each in options if each.kind == "index-url"]
    for other in named[1:]:
        if other.url != named[0].url:
            yield ConfigError(
                f"{other.origin}: names another --index-url than {named[0].origin}: "
                f"{printable(other.url)}, not {printable(named[0].url)}",
                hint="keep one of the two, and bind what comes from the other to it: an index in "
                "wheelhouse.toml has `packages = [...]`",
            )


# --- what they name -------------------------------------------------------------------------


def _named(root: Path, requirements: Requirements) -> dict[Path, str]:
    """The archives and folders of this machine that are asked for, with their digests.

    What only a lock names need not be there: it may be for another target.
    """
    found: dict[Path, str] = {}
    errors: list[WheelhouseError] = []
    for direct, origin in requirements.directs.items():
        kind, _, place = direct.location.partition(":")
        if kind not in ("file", "dir"):
            continue
        path = root / place
        try:
            found[path] = _digest(path, direct)
        except OSError as error:
            if origin is not None:
                errors.append(_unreadable(origin, _shown(root, path), error))
    raise_all(errors)
    return found


def _unreadable(origin: str, path: str, error: OSError) -> ConfigError:
    why = error.strerror or str(error)
    return ConfigError(
        f"{origin}: {path} cannot be read: {printable(why)}", hint="name what is there"
    )


def _digest(path: Path, direct: Direct) -> str:
    from wheelhouse.sources.tree import digest
    from wheelhouse.store import sha256_of

    if path.is_file():
        return sha256_of(path)
    project = path / direct.subdirectory
    if not any((project / name).is_file() for name in ("pyproject.toml", "setup.py")):
        # Also a guard: a lock that names the root of the file system would have all of it read.
        raise OSError(errno.ENOENT, "there is neither a pyproject.toml nor a setup.py in it")
    return digest(path, direct.subdirectory)
