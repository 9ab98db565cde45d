"""`wheelhouse lock`: making locks, telling what that changes, and checking them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.locktext import difference_lines
from wheelhouse.cli.packagenames import package_name
from wheelhouse.cli.terminal import print_lines
from wheelhouse.errors import ConfigError
from wheelhouse.locking.current import Freshness, Renewal, check_locks, check_upgradable
from wheelhouse.locking.difference import difference
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.moments import moment_before

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.config import Project
    from wheelhouse.events import Reporter
    from wheelhouse.locking.difference import Difference
    from wheelhouse.targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """How locks are made: where package code runs, who is told, how many containers at one time."""

    engine: str
    reporter: Reporter
    jobs: int | None


def renewal_of(
    project: Project,
    targets: Sequence[Target],
    *,
    packages: Sequence[str],
    exclude_newer: str | None,
    written: bool,
) -> Renewal:
    """What the options of `wheelhouse lock` ask of the locks of *targets*.

    :raises ConfigError: no lock has one of *packages*, or *exclude_newer* is no time.
    """
    names = frozenset(package_name(each) for each in packages)
    check_upgradable(project, targets, names)
    try:
        before = None if exclude_newer is None else moment_before(exclude_newer)
    except ValueError as error:
        raise ConfigError(
            f"--exclude-newer: {error}",
            hint='name a day (2026-11-20), a time (2026-11-20T12:00:00Z) or an age ("7 days")',
        ) from error
    return Renewal(packages=names, before=before, written=written)


def make_locks(
    project: Project,
    targets: Sequence[Target],
    making: Making,
    freshness: Freshness,
    renewal: Renewal,
) -> list[Difference]:
    """Lock *targets*; what that has changed in the lock of each.

    :raises WheelhouseError: one cannot be locked.
    """
    from wheelhouse.cli.workbench import workbench  # what no other command here needs
    from wheelhouse.phases import for_each
    from wheelhouse.pipeline import lock_target
    from wheelhouse.unused import telling_unused

    bench = workbench(project, making.engine, making.reporter, jobs=making.jobs)
    with bench as run, telling_unused(project, making.reporter):

        def make(target: Target) -> Difference:
            old = load_lock(lock_path(project.root, target.name))
            return difference(old, lock_target(run, target, freshness, renewal))

        return for_each(run, targets, make)


def tell_locks(project: Project, found: Sequence[Difference], *, written: bool) -> None:
    """Print what has changed."""
    for each in found:
        file = lock_path(project.root, each.target).name
        print_lines(difference_lines(each, file, written=written))


def check(project: Project, targets: Sequence[Target], *, as_json: bool) -> None:
    """Print that the locks of *targets* are fresh.

    :raises StaleLockError: one is not; it says what has changed.
    """
    check_locks(project, targets)
    if not as_json:
        for target in targets:
            click.echo(f"{lock_path(project.root, target.name).name} is fresh")
