"""`wheelhouse tree` and `wheelhouse why`: reading locks, with neither engine nor index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.graphtext import tree_data, tree_lines, why_data, why_lines
from wheelhouse.cli.packagenames import package_name
from wheelhouse.cli.terminal import print_lines
from wheelhouse.errors import ConfigError, StaleLockError, raise_all
from wheelhouse.locking.graph import Graph, build_uses, built_with
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.locking.model import Lock
    from wheelhouse.targets import Target


def tree(
    project: Project,
    targets: Sequence[Target],
    *,
    depth: int | None,
    inverted: str | None,
    as_json: bool,
) -> None:
    """Print the trees of locks.

    :raises StaleLockError: there is no lock.
    :raises ConfigError: none of them has the package *inverted*.
    """
    graphs = _graphs(project, targets)
    of = None if inverted is None else package_name(inverted)
    if of is not None:
        having = [graph for graph in graphs if of in graph.packages]
        if not having:
            raise _unlocked(of, graphs, builds=False)
        graphs = having
    if as_json:
        found = [tree_data(graph, depth=depth, of=of) for graph in graphs]
        click.echo(json.dumps({"targets": found}, indent=2))
        return
    bypassed = {name for name, settings in project.packages.items() if settings.bypass}
    for number, graph in enumerate(graphs):
        lines = tree_lines(graph, depth=depth, of=of, bypassed=bypassed, index=project.index)
        print_lines([(), *lines] if number else lines, clipped=True)


def why(project: Project, targets: Sequence[Target], package: str, *, as_json: bool) -> None:
    """Print why locks have *package*.

    :raises StaleLockError: there is no lock.
    :raises ConfigError: none has it, not even for a build.
    """
    graphs = _graphs(project, targets)
    name = package_name(package)
    if not any(name in graph.packages or any(build_uses(graph.lock, name)) for graph in graphs):
        raise _unlocked(name, graphs, builds=True)
    if as_json:
        found = [why_data(graph, name) for graph in graphs]
        click.echo(json.dumps({"package": name, "targets": found}, indent=2))
    else:
        print_lines(why_lines(graphs, name))


def _graphs(project: Project, targets: Sequence[Target]) -> list[Graph]:
    return [Graph(lock) for lock in present_locks(project, targets)]


def present_locks(project: Project, targets: Sequence[Target]) -> list[Lock]:
    """The locks of *targets*, all that are missing told at once. Raises StaleLockError."""
    locks, errors = [], []
    for target in targets:
        path = lock_path(project.root, target.name)
        lock = load_lock(path)
        if lock is None:
            errors.append(
                StaleLockError(
                    f"there is no {path.name}",
                    hint="run `wheelhouse lock`, or name a target that has a lock: `--target NAME`",
                )
            )
        else:
            locks.append(lock)
    raise_all(errors)
    return locks


def _unlocked(name: NormalizedName, graphs: Sequence[Graph], *, builds: bool) -> ConfigError:
    """That nothing locked is called *name*, and what is called alike."""
    known = {each for graph in graphs for each in graph.packages}
    if builds:
        known |= {each for graph in graphs for each in built_with(graph.lock)}
    targets = ", ".join(graph.lock.target for graph in graphs)
    return ConfigError(
        f"{name} is not locked for {targets}{did_you_mean(name, sorted(known))}",
        hint="`wheelhouse tree` shows what is",
    )
