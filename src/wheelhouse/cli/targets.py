"""`wheelhouse targets …`: what there is to deploy to."""

from __future__ import annotations

import json
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.platformtext import data_of, explained, listed
from wheelhouse.cli.terminal import columns, print_lines
from wheelhouse.errors import ConfigError
from wheelhouse.tags import tags_of
from wheelhouse.targets import presets
from wheelhouse.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date
    from pathlib import Path

    from wheelhouse.targets import Preset

SCRIPT = "data/probe_server.py"

#: Columns for what is to be read, where there is no terminal to ask.
READABLE = 100


def list_platforms(*, as_json: bool) -> None:
    """Print the platforms known beforehand."""
    known = presets().values()
    if as_json:
        click.echo(json.dumps({"platforms": [data_of(preset) for preset in known]}, indent=2))
    else:
        print_lines(listed(known, _today(), columns()))


def show_platform(
    name: str, python: str | None, arch: str | None, *, tags: bool, as_json: bool
) -> None:
    """Print all about one platform, or the tags that it installs.

    :raises ConfigError: there is no such platform, or it has no such Python or architecture.
    """
    preset = known_preset(name)
    python = one_of("Python", python, preset.pythons, preset) or _usual(preset.pythons)
    arch = one_of("architecture", arch, preset.arches, preset) or preset.arches[0]
    if tags:
        _print_tags(preset, python, arch, as_json=as_json)
    elif as_json:
        click.echo(json.dumps(data_of(preset), indent=2))
    else:
        width = min(columns() or READABLE, READABLE)
        print_lines(explained(preset, python, arch, _today(), width))


def _print_tags(preset: Preset, python: str | None, arch: str, *, as_json: bool) -> None:
    if python is None:
        raise ConfigError(f"no Python of {preset.title} is known", hint="name another platform")
    found = [str(tag) for tag in tags_of(python, preset.libc, arch)]
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(found))


def write_script(output: Path | None) -> None:
    """Print the script for servers, or write it to *output*."""
    text = resources.files("wheelhouse").joinpath(SCRIPT).read_text("utf-8")
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(
        f"{output} is written. On the server: python3 {output.name} > server.json\n"
        'Then, in wheelhouse.toml, under [targets.NAME]: captured = "server.json"',
        err=True,
    )


def known_preset(name: str) -> Preset:
    """The preset called *name*. Raises ConfigError."""
    preset = presets().get(name)
    if preset is None:
        raise ConfigError(
            f"there is no platform {quoted(name)}{did_you_mean(name, list(presets()))}",
            hint="`wheelhouse targets` lists them",
        )
    return preset


def one_of(what: str, value: str | None, known: Collection[str], preset: Preset) -> str | None:
    """*value*, if it is None or one of *known*, which *preset* has. Raises ConfigError."""
    if value is None or value in known:
        return value
    raise ConfigError(
        f"{preset.title} has no {what} {quoted(value)}",
        hint=f"it has: {', '.join(known) or 'none that is known'}",
    )


def _usual(pythons: Iterable[str]) -> str | None:
    """The newest one with the global interpreter lock, else the newest; None if there is none."""
    newest = sorted(
        pythons,
        key=lambda each: (not each.endswith("t"), int(each.removesuffix("t").partition(".")[2])),
    )
    return newest[-1] if newest else None


def _today() -> date:
    return datetime.now().astimezone().date()
