"""`wheelhouse plan` and `wheelhouse explain`: what `build` would do, from what, and why.

What they show is on standard output; what has to be done for that first, such as making a builder
or a lock, is reported beside it, as by `wheelhouse build`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

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
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.plan import Planned
    from wheelhouse.reporting.lines import Line
    from wheelhouse.run import Run
    from wheelhouse.targets import Target

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """Plans that are asked for. The fields are the options of :func:`_plan_options`."""

    config: Path | None
    targets: Sequence[str]
    inputs: Inputs
    engine: str
    jobs: int | None
    as_json: bool
    plain: bool
    locked: bool

    def each(self, look: Callable[[Run, Planned], T]) -> list[T]:
        """What *look* makes of the plan of each target. Raises WheelhouseError."""
        from wheelhouse.cli.workbench import workbench
        from wheelhouse.locking.current import Freshness
        from wheelhouse.phases import errors_of, for_each
        from wheelhouse.planning import plan_one

        freshness = Freshness.REQUIRE if self.locked else Freshness.RENEW_IF_STALE
        with reporting(self.as_json, self.plain, beside=True) as reporter:
            project = open_project(self.config, self.inputs)
            chosen = chosen_targets(project, self.targets)
            with workbench(project, self.engine, reporter, jobs=self.jobs) as run:

                def one(target: Target) -> T:
                    with errors_of(target):
                        return look(run, plan_one(run, target, freshness))

                return for_each(run, chosen, one)


def _plan_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options of plans."""
    command = click.option(
        "--locked", is_flag=True, help="Refuse a lock that is missing or stale."
    )(command)
    return config_option(target_option(input_options(engine_options(command))))


def _print_data(targets: Sequence[dict[str, Any]]) -> None:
    click.echo(json.dumps({"targets": targets}, indent=2))


def _print_parts(parts: Sequence[Sequence[Line]]) -> None:
    """Print the lines of each of *parts*, with an empty one in between."""
    from wheelhouse.cli.terminal import print_lines

    for number, lines in enumerate(parts):
        print_lines([(), *lines] if number else lines)


@click.command(short_help="Show what `build` would do with each package.")
@_plan_options
def plan(**options: Any) -> None:
    """Show, for each package, what `build` would do with which file, and why."""
    from wheelhouse.cli.plantext import plan_data, plan_lines
    from wheelhouse.cli.terminal import columns
    from wheelhouse.weighing import weighed

    asked = _Asked(**options)
    found = asked.each(lambda run, planned: (planned, weighed(run, planned)))
    if asked.as_json:
        _print_data([plan_data(*each) for each in found])
    else:
        _print_parts([list(plan_lines(*each, columns())) for each in found])


@click.command(short_help="Tell why a package is fetched, built or reused.")
@_plan_options
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
def explain(packages: Sequence[str], **options: Any) -> None:
    """Tell why each PACKAGE, or all, would be fetched, built or reused, and from what.

    Of a build, it shows all inputs of its cache key; if the package was built before, which of
    them have changed. Nothing is built. Who asks for a package is told by `wheelhouse why`.
    """
    from wheelhouse.cli.explaintext import explain_data, explain_lines
    from wheelhouse.cli.packagenames import package_name

    asked = _Asked(**options)
    names = [package_name(each) for each in packages]
    plans = asked.each(lambda _, planned: planned)
    _check(names, plans)
    if asked.as_json:
        _print_data([explain_data(each, names) for each in plans])
        return
    parts = [lines for each in plans if (lines := list(explain_lines(each, names)))]
    _print_parts([[cut for each in lines for cut in _to_the_edge(each)] for lines in parts])


def _to_the_edge(spans: Line) -> list[Line]:
    """*spans* in lines that fit on the terminal, those after the first further in."""
    from wheelhouse.cli.terminal import wrapped
    from wheelhouse.reporting.lines import to_text

    text = to_text(spans)
    return wrapped(spans, len(text) - len(text.lstrip()) + 4)


def _check(names: Sequence[NormalizedName], plans: Sequence[Planned]) -> None:
    """Raise ConfigError, for all of *names* that no plan has."""
    from wheelhouse.cli.explaintext import bypassed, explained
    from wheelhouse.cli.packagenames import check_names

    known = {step.package.name for each in plans for step in explained(each, ())}
    known |= {package.name for each in plans for package in bypassed(each, ())}
    targets = ", ".join(each.target.name for each in plans)
    hint = "`wheelhouse plan` lists what there is"
    check_names(names, known, f"is no package of {targets}", hint)
