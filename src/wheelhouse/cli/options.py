"""Options that several commands share, and what they open."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelhouse.errors import ConfigError, WheelhouseError
from wheelhouse.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelhouse.config import Project
    from wheelhouse.events import Reporter
    from wheelhouse.reporting import Mode
    from wheelhouse.targets import Target

ENGINES = ("docker", "local")


class ToldError(Exception):
    """An error that the reporter has told already."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def config_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the option ``--config``."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="The wheelhouse.toml to use; else the one here or in a folder above.",
    )(command)


def target_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the option ``--target``, as ``targets``."""
    return click.option(
        "-t",
        "--target",
        "targets",
        multiple=True,
        metavar="NAME",
        help="Only this target; may be given several times.",
    )(command)


def engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* what all have that run containers."""
    command = click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="docker",
        envvar="WHEELHOUSE_ENGINE",
        show_default=True,
        help="Where package code runs: in containers, or on this machine as the target.",
    )(command)
    command = click.option(
        "-j", "--jobs", type=click.IntRange(1, 1024), help="Containers at one time."
    )(command)
    command = click.option("--json", "as_json", is_flag=True, help="Events as JSON lines.")(command)
    return click.option("--plain", is_flag=True, help="Plain lines, also on a terminal.")(command)


def load(config: Path | None) -> Project:
    """The project without its inputs, which need not be there. Raises ConfigError."""
    from wheelhouse.config import find_project, load_project

    file = config if config is not None else find_project(Path.cwd())
    return load_project(file, inputs=False)


def chosen_targets(project: Project, names: Sequence[str]) -> list[Target]:
    """The targets of those *names*, or all. Raises ConfigError."""
    unknown = [name for name in names if name not in project.targets]
    if unknown:
        raise ConfigError(
            f"{project.file.name} has no target {quoted(unknown[0])}"
            f"{did_you_mean(unknown[0], list(project.targets))}",
            hint=f"it has: {', '.join(project.targets)}",
        )
    return [target for name, target in project.targets.items() if not names or name in names]


@contextmanager
def reporting(as_json: bool, plain: bool, *, beside: bool = False) -> Iterator[Reporter]:
    """The reporter by the options. JSON readers get errors as events and nothing else.

    :param beside: whether the command prints a result of its own: then even JSON goes to standard
        error, and no table of targets is its end.
    """
    from wheelhouse.cli.unforeseen import nothing_unforeseen
    from wheelhouse.reporting import choose, exit_status

    mode: Mode = "json" if as_json else "plain" if plain else "auto"
    try:
        stream = sys.stderr if beside else None
        with choose(mode, stream, table=not beside) as reporter, nothing_unforeseen():
            yield reporter
    except WheelhouseError as error:
        if not as_json:
            raise
        raise ToldError(exit_status(error)) from error
