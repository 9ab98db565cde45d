"""The commands about locks: `lock`, `tree` and `why`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelhouse.cli.inputs import Inputs, input_options, open_project
from wheelhouse.cli.options import (
    chosen_targets,
    config_option,
    engine_options,
    load,
    reporting,
    target_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@click.command(short_help="Pin every version and hash of each target.")
@config_option
@target_option
@input_options
@engine_options
@click.option("--upgrade", is_flag=True, help="Choose all versions anew.")
@click.option(
    "--upgrade-package",
    "packages",
    multiple=True,
    metavar="NAME",
    help="Choose the version of this package anew; may be given several times.",
)
@click.option(
    "--exclude-newer",
    metavar="WHEN",
    help='Take nothing that is newer than this: a day, a time, or an age such as "7 days".',
)
@click.option("--check", is_flag=True, help="Only tell whether it is fresh; if not, exit with 3.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and write no lock.")
def lock(
    config: Path | None,
    targets: Sequence[str],
    inputs: Inputs,
    engine: str,
    jobs: int | None,
    as_json: bool,
    plain: bool,
    upgrade: bool,
    packages: Sequence[str],
    exclude_newer: str | None,
    check: bool,
    dry_run: bool,
) -> None:
    """Pin every version and hash of each target into pylock.TARGET.toml, and tell what changes.

    Present pins are kept where nothing speaks against them.
    """
    from wheelhouse.cli import locks
    from wheelhouse.locking.current import Freshness

    if check and (upgrade or packages or exclude_newer or dry_run):
        raise click.UsageError("--check makes no lock, so it goes with no option that says how")
    project = open_project(config, inputs)
    chosen = chosen_targets(project, targets)
    with reporting(as_json, plain) as reporter:
        if check:
            locks.check(project, chosen, as_json=as_json)
            return
        renewal = locks.renewal_of(
            *(project, chosen),
            packages=packages,
            exclude_newer=exclude_newer,
            written=not dry_run,
        )
        freshness = Freshness.UPGRADE if upgrade else Freshness.RENEW_IF_STALE
        making = locks.Making(engine=engine, reporter=reporter, jobs=jobs)
        found = locks.make_locks(project, chosen, making, freshness, renewal)
    if not as_json:
        locks.tell_locks(project, found, written=not dry_run)


@click.command(short_help="Show the locked packages as a tree.")
@config_option
@target_option
@click.option("--depth", type=click.IntRange(min=0), help="How many steps down it goes.")
@click.option("--invert", metavar="PACKAGE", help="Who needs this package, and who needs those.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def tree(
    config: Path | None,
    targets: Sequence[str],
    depth: int | None,
    invert: str | None,
    as_json: bool,
) -> None:
    """Show what the requirements ask for, what that needs, and so on, as it is locked."""
    from wheelhouse.cli import trees

    project = load(config)
    chosen = chosen_targets(project, targets)
    trees.tree(project, chosen, depth=depth, inverted=invert, as_json=as_json)


@click.command(short_help="Tell who asks for a package.")
@config_option
@target_option
@click.argument("package")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def why(config: Path | None, targets: Sequence[str], package: str, as_json: bool) -> None:
    """Tell who asks for PACKAGE: each shortest way to it from a line of the requirements."""
    from wheelhouse.cli import trees

    project = load(config)
    trees.why(project, chosen_targets(project, targets), package, as_json=as_json)
