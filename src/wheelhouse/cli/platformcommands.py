"""The commands about platforms and their images: `targets` and `images`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.measures import age
from wheelhouse.cli.options import config_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta


@click.group(invoke_without_command=True, short_help="The platforms to deploy to.")
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


@click.group()
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


@images.command("list")
@click.argument("platforms", nargs=-1)
@config_option
@click.option("--json", "as_json", is_flag=True, help="As JSON, sizes in bytes.")
def list_(platforms: Sequence[str], config: Path | None, as_json: bool) -> None:
    """Tell which images of wheelhouse the engine has, for PLATFORMS or for all.

    What an image takes beyond its start is freed when it goes alone.
    """
    from wheelhouse.cli.imagekeeping import list_images

    list_images(config, platforms, as_json=as_json)


@images.command("prune")
@click.argument("platforms", nargs=-1)
@config_option
@click.option(
    "--older-than",
    callback=age,
    default="30d",
    show_default=True,
    metavar="AGE",
    help="Those that were not used for so long: 30d, 2 weeks, 12h.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also those that the targets of wheelhouse.toml need, and those that no run of this store "
    "has used: runs of others, at work now, may fail.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go, and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, sizes in bytes.")
def prune_(
    platforms: Sequence[str],
    config: Path | None,
    older_than: timedelta,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove images of wheelhouse, for PLATFORMS or for all, that are not wanted any more.

    Those stay that the targets of wheelhouse.toml need, that a container uses, that anything else
    was made from, and that only runs of other stores have used. Leftovers of images that were never
    finished go as well. What is missing is made again when it is needed. Runs of this store wait
    until it is done, and it waits for those at work.
    """
    from wheelhouse.cli.imagekeeping import prune_images

    prune_images(
        config, platforms, older_than, everything=everything, dry_run=dry_run, as_json=as_json
    )
