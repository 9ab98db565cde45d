"""The options of the command line that say what is wanted, and the project with them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelhouse.errors import ConfigError, raise_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelhouse.config import Project
    from wheelhouse.settings import InputFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What the command line wants instead of what `wheelhouse.toml` does.

    :ivar files: relative to the current folder; without any, those of `wheelhouse.toml` count.
    :ivar extras: of those files that have such.
    :ivar groups: of the same.
    """

    files: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def question(self) -> tuple[str, ...]:
        """It, as a part of what is asked of a run."""
        paths = (str(Path(file).absolute()) for file in self.files)
        return (*paths, *(f"--extra={each}" for each in self.extras), *map(_group, self.groups))


def _group(name: str) -> str:
    return f"--group={name}"


def input_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options, as one argument ``inputs``."""

    def collected(
        *arguments: Any,
        requirements: Sequence[str],
        extras: Sequence[str],
        groups: Sequence[str],
        **others: Any,
    ) -> None:
        inputs = Inputs(files=tuple(requirements), extras=tuple(extras), groups=tuple(groups))
        command(*arguments, inputs=inputs, **others)

    collected.__doc__ = command.__doc__
    collected.__name__ = command.__name__
    collected.__dict__.update(command.__dict__)  # the options it has already
    options = (
        click.option(
            "-r",
            "--requirements",
            multiple=True,
            metavar="FILE",
            help="What is wanted, instead of what wheelhouse.toml names: a requirements file, a "
            "pyproject.toml or a lock; may be given several times.",
        ),
        click.option(
            "--extra",
            "extras",
            multiple=True,
            metavar="NAME",
            help="An extra that is wanted of a pyproject.toml or a lock; may be given often.",
        ),
        click.option(
            "--group",
            "groups",
            multiple=True,
            metavar="NAME",
            help="A dependency group that is wanted of the same; may be given several times.",
        ),
    )
    with_options: Callable[..., None] = collected
    for option in reversed(options):
        with_options = option(with_options)
    return with_options


def open_project(config: Path | None, inputs: Inputs) -> Project:
    """The project with what *inputs* want, and with the options that stand in its input files.

    :param config: its `wheelhouse.toml`; else the one here or in a folder above.
    :raises ConfigError: something in these files is wrong.
    """
    from wheelhouse.config import find_project, load_project
    from wheelhouse.inputs import read_inputs
    from wheelhouse.inputs.applied import with_options

    file = config if config is not None else find_project(Path.cwd())
    project = load_project(file, inputs=not inputs.files)
    project = replace(project, requirements=_wanted(project, inputs))
    _refuse_own_locks(project)
    return with_options(project, read_inputs(project.root, project.requirements))


def _refuse_own_locks(project: Project) -> None:
    """Raise ConfigError if a lock were made from itself: it would never be fresh."""
    ends = {file.path: file.path.resolve() for file in project.requirements}
    if not any(end.name.startswith("pylock.") for end in ends.values()):
        return  # what follows takes long to import
    from wheelhouse.locking.lockfile import lock_path
    from wheelhouse.wording import printable

    targets = {lock_path(project.root, name).resolve(): name for name in project.targets}
    for path, end in ends.items():
        if (target := targets.get(end)) is not None:
            raise ConfigError(
                f"{printable(path.relative_to(project.root).as_posix())}: this is where the "
                f"lock of the target {target} is written, so it cannot be what that is made from",
                hint="name the files that say what is wanted; a lock of another tool keeps a name "
                "of its own, such as pylock.toml",
            )


def _names(option: str, names: Sequence[str]) -> tuple[str, ...]:
    from packaging.utils import InvalidName, canonicalize_name

    try:
        return tuple(sorted({canonicalize_name(name, validate=True) for name in names}))
    except InvalidName as error:
        raise ConfigError(
            f"{option}: {error}", hint="a name has letters, digits, and -, _ or . between them"
        ) from error


def _wanted(project: Project, inputs: Inputs) -> tuple[InputFile, ...]:
    from wheelhouse.settings import InputFile, has_parts
    from wheelhouse.wording import listed

    files = tuple(InputFile(path=path) for path in _paths(project, inputs.files))
    files = files or project.requirements
    extras, groups = _names("--extra", inputs.extras), _names("--group", inputs.groups)
    if not extras and not groups:
        return files
    if not any(has_parts(file.path) for file in files):
        raise ConfigError(
            f"there are neither extras nor groups in {listed([file.path.name for file in files])}",
            hint="name a pyproject.toml or a lock with -r; in a requirements file, write the extra "
            "behind a name: `name[extra]`",
        )
    return tuple(
        replace(file, extras=extras or file.extras, groups=groups or file.groups)
        if has_parts(file.path)
        else file
        for file in files
    )


def _paths(project: Project, names: Sequence[str]) -> list[Path]:
    """The files that are called *names*, each once. Raises ConfigError, for all that are none."""
    from wheelhouse.projectpaths import input_problem

    paths = [Path(os.path.realpath(name)) for name in names]
    problems = (
        input_problem(project.root, name, path, Path.cwd(), "check the path")
        for name, path in zip(names, paths, strict=True)
    )
    raise_all([ConfigError(f"-r: {each[0]}", hint=each[1]) for each in problems if each])
    return list(dict.fromkeys(paths))
