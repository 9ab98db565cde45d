"""`wheelhouse audit`: what is locked against advisories, with neither engine nor index."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.options import chosen_targets, config_option, load, target_option
from wheelhouse.errors import ConfigError, WheelhouseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.advisories.audit import LockedTarget
    from wheelhouse.advisories.source import Source
    from wheelhouse.config import Project
    from wheelhouse.settings import IgnoredAdvisory
    from wheelhouse.targets import Target

#: What stands for OSV's own service, wherever a source is named.
OSV = "osv"


@click.command(short_help="Compare the locks with known vulnerabilities.")
@config_option
@target_option
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="PATH|URL|osv",
    help="Where advisories are: OSV's all.zip or a folder with its records, or a service; may be "
    "given several times.  [default: those of wheelhouse.toml]",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="ID",
    help="An advisory that does not count, by any of its names; may be given several times.",
)
@click.option("--no-build", is_flag=True, help="Leave out what is only used to build others.")
@click.option("--strict", is_flag=True, help="Fail on doubts, too: unknown packages, an old copy.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def audit(
    config: Path | None,
    targets: Sequence[str],
    sources: Sequence[str],
    ignored: Sequence[str],
    no_build: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Compare the locks with known vulnerabilities; if one has any, exit with 8.

    A package that the source has no record of is told as unknown, and never as clean. The names of
    packages that are not from PyPI are sent nowhere.

    \b
    wheelhouse audit --source all.zip    an offline copy of OSV's data
    wheelhouse audit --source osv        asks https://api.osv.dev
    """
    from wheelhouse.advisories import audit as audits
    from wheelhouse.cli.audittext import audit_data, audit_lines
    from wheelhouse.cli.terminal import print_lines

    project = load(config)
    chosen = chosen_targets(project, targets)
    done = audits.audit(
        project,
        _locks(project, chosen),
        _sources(project, sources),
        ignored=[*project.audit.ignored, *map(_ignored, ignored)],
        builds=not no_build,
        now=datetime.now(UTC),
    )
    objection = audits.objection(done, strict=strict)
    if as_json:
        click.echo(json.dumps(audit_data(done, objection), indent=2))
    else:
        print_lines(audit_lines(done))
    if objection is not None:
        raise objection


def _ignored(name: str) -> IgnoredAdvisory:
    from wheelhouse.settings import IgnoredAdvisory

    return IgnoredAdvisory(id=name.strip())


def _locks(project: Project, targets: Sequence[Target]) -> list[LockedTarget]:
    from wheelhouse.advisories.audit import LockedTarget
    from wheelhouse.cli.trees import present_locks
    from wheelhouse.locking.lockfile import lock_path

    stale = _stale(project, targets)
    return [
        LockedTarget(
            lock=lock, file=lock_path(project.root, target.name).name, stale=stale[target.name]
        )
        for target, lock in zip(targets, present_locks(project, targets), strict=True)
    ]


def _stale(project: Project, targets: Sequence[Target]) -> dict[str, bool | None]:
    """By target, whether its lock is stale; None where the inputs cannot be read here."""
    from wheelhouse.config import load_project
    from wheelhouse.inputs import read_inputs
    from wheelhouse.locking.freshness import is_fresh
    from wheelhouse.locking.lockfile import load_lock, lock_path

    try:
        whole = load_project(project.file)
        requirements = read_inputs(whole.root, whole.requirements)
        return {
            each.name: not is_fresh(
                load_lock(lock_path(whole.root, each.name)), whole, each, requirements
            )
            for each in targets
        }
    except WheelhouseError:
        return {each.name: None for each in targets}


def _sources(project: Project, named: Sequence[str]) -> list[Source]:
    base, places = (Path.cwd(), named) if named else (project.root, project.audit.sources)
    if not places:
        raise ConfigError(
            "nothing says where advisories are",
            hint="name a copy of OSV's data, --source all.zip, or say --source osv to ask its "
            f"service; or write sources = […] under [audit] in {project.file.name}",
        )
    return [_source(place, base) for place in places]


def _source(place: str, base: Path) -> Source:
    from wheelhouse.advisories.offline import OfflineCopy
    from wheelhouse.advisories.service import PUBLIC, Service
    from wheelhouse.fetch import Client
    from wheelhouse.fetcherrors import redacted

    if place == OSV and (base / OSV).exists():  # a slip of the pen must not send any names
        raise ConfigError(
            f"{OSV} is the name of a service, and of what lies in {base}",
            hint=f"write ./{OSV} for what lies there, or {PUBLIC} for the service",
        )
    if place != OSV and not place.startswith(("https://", "http://")):
        return OfflineCopy(base / place)
    if "@" in place.partition("//")[2].partition("/")[0]:
        raise ConfigError(
            f"--source {redacted(place)} has a user name in it",
            hint="leave it out of the address; it can stand in a netrc file",
        )
    return Service(PUBLIC if place == OSV else place.rstrip("/"), Client())
