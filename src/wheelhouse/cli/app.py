"""The command line: the only place with exit statuses and printing."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelhouse import __version__
from wheelhouse.cli.audit import audit
from wheelhouse.cli.inputs import Inputs, input_options, open_project
from wheelhouse.cli.interrupts import interrupted, number_of
from wheelhouse.cli.lockcommands import lock, tree, why
from wheelhouse.cli.options import (
    ENGINES,
    ToldError,
    chosen_targets,
    config_option,
    engine_options,
    load,
    reporting,
    target_option,
)
from wheelhouse.cli.plans import explain, plan
from wheelhouse.cli.platformcommands import images, targets
from wheelhouse.cli.rebuild import rebuild
from wheelhouse.cli.storecommands import store
from wheelhouse.cli.streams import GONE, give_up_streams
from wheelhouse.cli.unforeseen import nothing_unforeseen, watch_threads
from wheelhouse.cli.verify import open_signer, sign, sign_option, verify
from wheelhouse.errors import WheelhouseError
from wheelhouse.export import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.config import Project
    from wheelhouse.events import Reporter
    from wheelhouse.signing import Signer
    from wheelhouse.uptodate import Question


def run(arguments: Sequence[str]) -> int:
    """Run the command line; its exit status. Every error is told once, here."""
    watch_threads()
    try:
        with nothing_unforeseen():
            commands.main(args=list(arguments), prog_name="wheelhouse", standalone_mode=False)
            sys.stdout.flush()
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return 2
    except ToldError as error:
        return error.status
    except WheelhouseError as error:
        return _tell(error)
    except (BrokenPipeError, SystemExit):  # click exits where the help has no reader any more
        return GONE
    finally:
        give_up_streams()
    return 0


def _tell(error: WheelhouseError) -> int:
    from wheelhouse.reporting import exit_status, write_errors

    write_errors(error, sys.stderr)
    return exit_status(error)


# -- commands -------------------------------------------------------------------------------------


class _Commands(click.Group):
    """Has ways of its own with exceptions that click would end the program for."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            with nothing_unforeseen():
                return super().invoke(context)
        except BrokenPipeError as error:
            raise ToldError(GONE) from error
        except KeyboardInterrupt as error:
            raise interrupted(number_of(error), "run the command again") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="wheelhouse %(version)s")
def commands() -> None:
    """Build wheelhouses that install offline on the platforms you deploy to.

    \b
    wheelhouse build     lock, build, repair, check and prove every target
    wheelhouse plan      show what build would do, and why
    """


@commands.command()
@config_option
@target_option
@input_options
@engine_options
@click.option("--locked", is_flag=True, help="Refuse a lock that is missing or stale.")
@click.option("--again", is_flag=True, help="Go through every step although nothing changed.")
@sign_option
def build(
    config: Path | None,
    targets: Sequence[str],
    inputs: Inputs,
    engine: str,
    jobs: int | None,
    as_json: bool,
    plain: bool,
    locked: bool,
    again: bool,
    sign_key: Path | None,
) -> None:
    """Make a proven wheelhouse for each target, in dist/TARGET.

    Locks by itself where there is no lock, or it is stale. Nothing in dist/TARGET changes before
    the new wheelhouse has been installed and imported in a clean container, without network.
    """
    from wheelhouse import uptodate

    with reporting(as_json, plain) as reporter:
        signer = open_signer(sign_key, engine, reporter)
        question = uptodate.Question(
            file=uptodate.project_file(config),
            targets=tuple(sorted(targets)),
            engine=engine,
            inputs=inputs.question,
            signer=signer.keyid if signer else "",
        )
        if not again and (known := uptodate.unchanged(question)):
            for event in known:
                reporter.emit(event)
            return
        project = open_project(config, inputs)
        _build(question, project, reporter, jobs, locked=locked, signer=signer)


def _build(
    question: Question,
    project: Project,
    reporter: Reporter,
    jobs: int | None,
    *,
    locked: bool,
    signer: Signer | None,
) -> None:
    from wheelhouse import uptodate
    from wheelhouse.cli.workbench import workbench
    from wheelhouse.locking.current import Freshness
    from wheelhouse.phases import for_each
    from wheelhouse.pipeline import build_target
    from wheelhouse.unused import telling_unused

    freshness = Freshness.REQUIRE if locked else Freshness.RENEW_IF_STALE
    chosen = chosen_targets(project, question.targets)
    bench = workbench(project, question.engine, reporter, jobs=jobs)
    with bench as run, telling_unused(project, reporter):
        houses = for_each(run, chosen, lambda target: build_target(run, target, freshness, signer))
    uptodate.remember(question, project, houses)


@commands.command(short_help="List what is in dist/TARGET for another installer.")
@config_option
@target_option
@click.option(
    "--to", "form", required=True, type=click.Choice(tuple(FORMATS)), help="The form to write."
)
@click.option(
    "--base",
    metavar="URL|FOLDER",
    help="Where the wheels will lie when they are installed.  [default: where they are]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="The file to write, - to print it.  [default: requirements.urls here; with several "
    "targets in wheelhouse.toml requirements.TARGET.urls]",
)
def export(
    config: Path | None, targets: Sequence[str], form: str, base: str | None, output: Path | None
) -> None:
    """List what is in dist/TARGET for another installer.

    \b
    wheelhouse export --to requirements-urls --base https://files.example.com/web
    pip install --no-index --no-deps --requirement requirements.urls
    """
    from wheelhouse.cli.export import export_houses

    project = load(config)
    chosen = chosen_targets(project, targets)
    if output is not None and len(chosen) > 1:
        raise click.UsageError("--output is one file: name one target with --target")
    export_houses(project, chosen, FORMATS[form], base=base, output=output)


@commands.command()
def schema() -> None:
    """Print the JSON Schema of wheelhouse.toml, for editors."""
    from wheelhouse.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@commands.command(short_help="Check what a build needs: engine, images, disk, index.")
@config_option
@click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Check instead whether this machine is one to run NAME's wheels.",
)
@click.option("--engine", type=click.Choice(ENGINES), default="docker", envvar="WHEELHOUSE_ENGINE")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(config: Path | None, targets: Sequence[str], engine: str, as_json: bool) -> None:
    """Check what a build needs: engine, images, disk and index, and the toolkit of CUDA.

    With --target: what this machine has of what the target's wheels need of it, its NVIDIA driver
    and GPUs, and from where the loader would take their libraries. That takes neither an engine nor
    an index.
    """
    if targets:
        from wheelhouse.cli.serverdoctor import examine_server

        well = examine_server(config, targets, as_json=as_json)
    else:
        from wheelhouse.cli.doctor import examine

        well = examine(config, engine, as_json=as_json)
    if not well:
        raise ToldError(1)


for each in (plan, lock, tree, why, targets, images, store, explain, audit, verify, sign, rebuild):
    commands.add_command(each)
