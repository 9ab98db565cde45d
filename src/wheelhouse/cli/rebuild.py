"""`wheelhouse rebuild`: whether the same bytes come out when wheels are built again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.inputs import Inputs, input_options, open_project
from wheelhouse.cli.options import (
    chosen_targets,
    config_option,
    engine_options,
    reporting,
    target_option,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.events import Reporter
    from wheelhouse.plan import Planned
    from wheelhouse.rebuilding.rebuild import RebuiltTarget


@click.command(short_help="Build wheels again, and compare them.")
@config_option
@target_option
@input_options
@engine_options
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--check", is_flag=True, help="Compare what comes out. The only way there is.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where to put both wheels of each pair that differs.",
)
def rebuild(
    config: Path | None,
    targets: Sequence[str],
    inputs: Inputs,
    engine: str,
    jobs: int | None,
    as_json: bool,
    plain: bool,
    packages: Sequence[str],
    check: bool,
    keep: Path | None,
) -> None:
    """Build wheels again, on what seems another machine on another day, and compare them.

    \b
    wheelhouse rebuild --check             all wheels that were built
    wheelhouse rebuild --check lxml        this one

    Everything is built as the present lock says, in new containers with another user, host name,
    time zone, locale, umask, number of CPUs and clock, and compared with what the wheelhouse has,
    or else the store. Neither is changed. If a wheel differs, the exit status is 9.
    """
    from wheelhouse.cli.rebuildtext import rebuilt_data, rebuilt_lines, unlike
    from wheelhouse.cli.terminal import print_lines
    from wheelhouse.events import SilentReporter

    if not check:
        raise click.UsageError(
            "a wheel that is built again replaces none: say --check to have them compared"
        )
    project = open_project(config, inputs)
    if as_json:
        found = _rebuild(project, targets, packages, SilentReporter(), engine, jobs, keep)
        click.echo(json.dumps(rebuilt_data(found), indent=2))
    else:
        with reporting(as_json, plain) as reporter:
            found = _rebuild(project, targets, packages, reporter, engine, jobs, keep)
        print_lines(rebuilt_lines(found))
    if error := unlike(found, keep):
        raise error


def _rebuild(
    project: Project,
    targets: Sequence[str],
    packages: Sequence[str],
    reporter: Reporter,
    engine: str,
    jobs: int | None,
    keep: Path | None,
) -> list[RebuiltTarget]:
    from wheelhouse.cli.packagenames import package_name
    from wheelhouse.cli.workbench import workbench
    from wheelhouse.phases import for_each
    from wheelhouse.rebuilding.rebuild import rebuild_target

    names = [package_name(each) for each in packages]

    def wanted(planned: Planned) -> Collection[NormalizedName]:
        return _wanted(planned, names)

    chosen = chosen_targets(project, targets)
    with workbench(project, engine, reporter, jobs=jobs) as run:
        return for_each(run, chosen, lambda target: rebuild_target(run, target, wanted, keep=keep))


def _wanted(planned: Planned, names: Sequence[NormalizedName]) -> Collection[NormalizedName]:
    """*names*, or all that is built. Raises ConfigError for what is not."""
    from wheelhouse.cli.packagenames import check_names
    from wheelhouse.rebuilding.rebuild import built_names

    built = built_names(planned)
    hint = "`wheelhouse plan` shows what is built, and what comes from the index"
    check_names(names, built, f"is not built for {planned.target.name}", hint)
    return names or built
