"""`wheelhouse explain`: why each package would be fetched, built, reused, or built again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.inputs import Inputs, input_options, open_project
from wheelhouse.cli.options import chosen_targets, config_option, engine_options, target_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.plan import Planned


@click.command()
@config_option
@target_option
@input_options
@engine_options
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--locked", is_flag=True, help="Refuse a lock that is missing or stale.")
def explain(
    config: Path | None,
    targets: Sequence[str],
    inputs: Inputs,
    engine: str,
    jobs: int | None,
    as_json: bool,
    plain: bool,
    packages: Sequence[str],
    locked: bool,
) -> None:
    """Tell why each PACKAGE, or all, would be fetched, built or reused, and from what.

    Of a build, it shows all inputs of its cache key; if the package was built before, which of
    them have changed. Nothing is built. Who asks for a package is told by `wheelhouse why`.
    """
    from wheelhouse.cli.explaintext import explain_data, explain_lines
    from wheelhouse.cli.terminal import print_lines
    from wheelhouse.cli.trees import package_name
    from wheelhouse.cli.workbench import workbench
    from wheelhouse.events import SilentReporter
    from wheelhouse.locking.current import Freshness
    from wheelhouse.phases import for_each
    from wheelhouse.planning import plan_one

    names = [package_name(each) for each in packages]
    project = open_project(config, inputs)
    chosen = chosen_targets(project, targets)
    freshness = Freshness.REQUIRE if locked else Freshness.RENEW_IF_STALE
    with workbench(project, engine, SilentReporter(), jobs=jobs) as run:
        plans = for_each(run, chosen, lambda target: plan_one(run, target, freshness))
    _check_known(plans, names)
    if as_json:
        found = [explain_data(each, names) for each in plans]
        click.echo(json.dumps({"targets": found}, indent=2))
        return
    parts = [lines for each in plans if (lines := list(explain_lines(each, names)))]
    for number, lines in enumerate(parts):
        print_lines([(), *lines] if number else lines)


def _check_known(plans: Sequence[Planned], names: Sequence[NormalizedName]) -> None:
    """Raise ConfigError, for all of *names* that no plan has."""
    from wheelhouse.cli.explaintext import bypassed, explained
    from wheelhouse.errors import ConfigError, raise_all
    from wheelhouse.wording import did_you_mean

    known = {step.package.name for each in plans for step in explained(each, ())}
    known |= {package.name for each in plans for package in bypassed(each, ())}
    targets = ", ".join(each.target.name for each in plans)
    raise_all(
        [
            ConfigError(
                f"nothing is done for {name} in {targets}{did_you_mean(name, sorted(known))}",
                hint="`wheelhouse plan` lists what there is",
            )
            for name in names
            if name not in known
        ]
    )
