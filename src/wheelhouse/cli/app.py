"""The command line: the only place with exit statuses and printing."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelhouse import __version__
from wheelhouse.cli.inputs import Inputs, input_options, open_project
from wheelhouse.errors import ConfigError, StorageError, WheelhouseError
from wheelhouse.export import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelhouse.config import Project
    from wheelhouse.events import Reporter
    from wheelhouse.reporting import Mode
    from wheelhouse.targets import Target
    from wheelhouse.uptodate import Question

ENGINES = ("docker", "local")


def run(arguments: Sequence[str]) -> int:
    """Run the command line; its exit status. Every error is told once, here."""
    try:
        commands.main(args=list(arguments), prog_name="wheelhouse", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 130
    except _ToldError as error:
        return error.status
    except WheelhouseError as error:
        return _tell(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise  # not of a file or a disk, so none of the user's business
        place = f": {error.filename}" if error.filename else ""
        return _tell(StorageError(f"{error.strerror}{place}", hint="see to it, then run it again"))
    return 0


def _tell(error: WheelhouseError) -> int:
    from wheelhouse.reporting import exit_status, write_errors

    write_errors(error, sys.stderr)
    return exit_status(error)


class _ToldError(Exception):
    """An error that the reporter has told already."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


# -- options that several commands share ----------------------------------------------------------


def _config_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="The wheelhouse.toml to use; else the one here or in a folder above.",
    )(command)


def _target_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "-t",
        "--target",
        "targets",
        multiple=True,
        metavar="NAME",
        help="Only this target; may be given several times.",
    )(command)


def _engine_options(command: Callable[..., None]) -> Callable[..., None]:
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


def _project(config: Path | None) -> Project:
    from wheelhouse.config import find_project, load_project

    return load_project(config if config is not None else find_project(Path.cwd()))


def _chosen(project: Project, names: Sequence[str]) -> list[Target]:
    unknown = [name for name in names if name not in project.targets]
    if unknown:
        raise ConfigError(
            f"{project.file.name} has no target {unknown[0]!r}",
            hint=f"it has: {', '.join(project.targets)}",
        )
    return [target for name, target in project.targets.items() if not names or name in names]


@contextmanager
def _reporter(as_json: bool, plain: bool) -> Iterator[Reporter]:
    """The reporter by the options. JSON readers get errors as events and nothing else."""
    from wheelhouse.reporting import choose, exit_status

    mode: Mode = "json" if as_json else "plain" if plain else "auto"
    try:
        with choose(mode) as reporter:
            yield reporter
    except WheelhouseError as error:
        if not as_json:
            raise
        raise _ToldError(exit_status(error)) from error


# -- commands -------------------------------------------------------------------------------------


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="wheelhouse %(version)s")
def commands() -> None:
    """Build wheelhouses that install offline on the platforms you deploy to.

    \b
    wheelhouse build     lock, build, repair, check and prove every target
    wheelhouse plan      show what build would do, and why
    """


@commands.command()
@_config_option
@_target_option
@input_options
@_engine_options
@click.option("--locked", is_flag=True, help="Refuse a lock that is missing or stale.")
@click.option("--again", is_flag=True, help="Go through every step although nothing changed.")
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
) -> None:
    """Make a proven wheelhouse for each target, in dist/TARGET.

    Locks by itself where there is no lock, or it is stale. Nothing in dist/TARGET changes before
    the new wheelhouse has been installed and imported in a clean container, without network.
    """
    from wheelhouse import uptodate

    file = uptodate.project_file(config)
    question = uptodate.Question(
        file=file, targets=tuple(sorted(targets)), engine=engine, inputs=inputs.question
    )
    if not again and (known := uptodate.unchanged(question)):
        with _reporter(as_json, plain) as reporter:
            for event in known:
                reporter.emit(event)
        return
    with _reporter(as_json, plain) as reporter:
        _build(question, open_project(config, inputs), reporter, jobs, locked=locked)


def _build(
    question: Question, project: Project, reporter: Reporter, jobs: int | None, *, locked: bool
) -> None:
    from wheelhouse import uptodate
    from wheelhouse.cli.workbench import workbench
    from wheelhouse.locking.current import Freshness
    from wheelhouse.phases import for_each
    from wheelhouse.pipeline import build_target

    freshness = Freshness.REQUIRE if locked else Freshness.RENEW_IF_STALE
    chosen = _chosen(project, question.targets)
    with workbench(project, question.engine, reporter, jobs=jobs) as run:
        houses = for_each(run, chosen, lambda target: build_target(run, target, freshness))
    uptodate.remember(question, project, houses)


@commands.command()
@_config_option
@_target_option
@input_options
@_engine_options
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
    chosen = _chosen(project, targets)
    with _reporter(as_json, plain) as reporter:
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


@commands.command()
@_config_option
@_target_option
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

    project = _project(config)
    chosen = _chosen(project, targets)
    trees.tree(project, chosen, depth=depth, inverted=invert, as_json=as_json)


@commands.command()
@_config_option
@_target_option
@click.argument("package")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def why(config: Path | None, targets: Sequence[str], package: str, as_json: bool) -> None:
    """Tell who asks for PACKAGE: each shortest way to it from a line of the requirements."""
    from wheelhouse.cli import trees

    project = _project(config)
    trees.why(project, _chosen(project, targets), package, as_json=as_json)


@commands.command()
@_config_option
@_target_option
@input_options
@_engine_options
@click.option("--locked", is_flag=True, help="Refuse a lock that is missing or stale.")
def plan(
    config: Path | None,
    targets: Sequence[str],
    inputs: Inputs,
    engine: str,
    jobs: int | None,
    as_json: bool,
    plain: bool,
    locked: bool,
) -> None:
    """Show, for each package, what `build` would do with which file, and why."""
    from wheelhouse.cli.show import plan_text
    from wheelhouse.cli.workbench import workbench
    from wheelhouse.events import SilentReporter
    from wheelhouse.locking.current import Freshness
    from wheelhouse.phases import for_each
    from wheelhouse.planning import plan_one

    project = open_project(config, inputs)
    chosen = _chosen(project, targets)
    freshness = Freshness.REQUIRE if locked else Freshness.RENEW_IF_STALE
    with workbench(project, engine, SilentReporter(), jobs=jobs) as run:
        plans = for_each(run, chosen, lambda target: plan_one(run, target, freshness))
    if as_json:
        found = [
            {
                "target": each.target.name,
                "place": str(each.images.place),
                "emulated": each.plan.emulated,
                "first": [step.to_dict() for step in each.plan.first],
                "steps": [step.to_dict() for step in each.plan.steps],
            }
            for each in plans
        ]
        click.echo(json.dumps({"targets": found}, indent=2))
    else:
        click.echo("\n\n".join(plan_text(each) for each in plans))


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
def verify(folder: Path) -> None:
    """Check that a wheelhouse is whole and unchanged: FOLDER is dist/TARGET, or a copy of it."""
    from wheelhouse.cli.show import verify_text
    from wheelhouse.errors import CheckError
    from wheelhouse.house import read_house, verify_house

    house = read_house(folder)
    problems = verify_house(folder)
    if problems:
        raise CheckError(
            f"{folder} is not what was built: {'; '.join(map(str, problems))}",
            hint="build it again, or copy it again from where it is whole",
        )
    click.echo(verify_text(house))


@commands.command()
@_config_option
@_target_option
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

    project = _project(config)
    chosen = _chosen(project, targets)
    if output is not None and len(chosen) > 1:
        raise click.UsageError("--output is one file: name one target with --target")
    export_houses(project, chosen, FORMATS[form], base=base, output=output)


@commands.command()
def schema() -> None:
    """Print the JSON Schema of wheelhouse.toml, for editors."""
    from wheelhouse.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@commands.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, with all that is known.")
@click.pass_context
def targets(context: click.Context, as_json: bool) -> None:
    """The platforms to deploy to: without a command, a list of those known beforehand."""
    if context.invoked_subcommand is None:
        from wheelhouse.cli.targets import list_platforms

        list_platforms(as_json=as_json)
    elif as_json:
        raise click.UsageError("--json belongs behind the command", context)


@targets.command()
@click.argument("name")
@click.option("--python", metavar="X.Y", help="One of its Pythons.  [default: the newest]")
@click.option("--arch", help="One of its architectures.  [default: its first]")
@click.option("--tags", is_flag=True, help="Only the tags it installs, best first.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(name: str, python: str | None, arch: str | None, tags: bool, as_json: bool) -> None:
    """Tell all about the platform NAME, and how to name it in wheelhouse.toml."""
    from wheelhouse.cli.targets import show_platform

    show_platform(name, python, arch, tags=tags, as_json=as_json)


@targets.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write it to; otherwise it is printed.",
)
def probe(output: Path | None) -> None:
    """Write the script that captures a server as a target.

    Run it there, with the Python that is to use the wheels. What it prints is a target:

    \b
    wheelhouse targets probe | ssh web python3 - > web.json
    [targets.web]
    captured = "web.json"
    """
    from wheelhouse.cli.targets import write_script

    write_script(output)


@commands.group()
def images() -> None:
    """The builder and runtime images of targets."""


@images.command()
@click.argument("platforms", nargs=-1)
@click.option("--refresh", is_flag=True, help="Make bases anew, with today's packages.")
@click.option("--python", help="Only this Python of them, such as 3.11.")
@click.option("--arch", help="The architecture, such as aarch64.  [default: this machine's]")
@click.option("--plain", is_flag=True, hidden=True)
def bootstrap(
    platforms: Sequence[str], refresh: bool, python: str | None, arch: str | None, plain: bool
) -> None:
    """Make images from Debian's packages, where no container registry answers.

    PLATFORMS are presets such as debian12; without any, those of ./wheelhouse.toml, else Debian.
    What is no Debian gets the images of its stand-in.
    """
    from wheelhouse.cli.imaging import bootstrap_images

    bootstrap_images(list(platforms), python=python, arch=arch, refresh=refresh)


@commands.command()
@_config_option
@click.option("--engine", type=click.Choice(ENGINES), default="docker", envvar="WHEELHOUSE_ENGINE")
def doctor(config: Path | None, engine: str) -> None:
    """Check what a build needs: engine, images, disk and index."""
    from wheelhouse.cli.doctor import examine

    if not examine(config, engine):
        raise _ToldError(1)
