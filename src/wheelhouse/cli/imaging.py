"""`wheelhouse images …`."""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path

import click

from wheelhouse.cli.interrupts import stoppable
from wheelhouse.cli.targets import known_preset, one_of
from wheelhouse.cli.workbench import image_maker, open_store
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import ConfigError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.targets import Place, made_here, presets
from wheelhouse.text import clip, human_duration, sanitize


def bootstrap_images(
    names: list[str], *, python: str | None, arch: str | None, refresh: bool
) -> None:
    """Bootstrap the platforms *names* and print what was made.

    :param python: only this Python of theirs.
    :param arch: else that of the project's targets, or of this machine.
    """
    from wheelhouse.engine.docker_connect import connect

    chosen = _places(names, python, arch)
    store = open_store()
    cancellation = Cancellation()
    client = Client(check=cancellation.check)
    cancellation.also(client.stop)
    fetcher = Fetcher(client, store, cancellation.check)
    maker = image_maker(connect(timeout=600), store, fetcher, on_line=_show)
    started = time.monotonic()
    cancellation.also(maker.stop)
    try:
        with stoppable(cancellation):
            made = maker.bootstrap(chosen, refresh=refresh)
    finally:
        _clear()
    for image in made:
        click.echo(f"{image.name}  {image.id.removeprefix('sha256:')[:12]}")
    click.echo(f"{len(made)} images in {human_duration(time.monotonic() - started)}")


def _places(names: list[str], python: str | None, arch: str | None) -> list[Place]:
    """What to bootstrap: the platforms named, else those of the project here, else all Debians."""
    if not names and Path("wheelhouse.toml").is_file():
        return _of_project(Path("wheelhouse.toml"), python, arch)
    names = names or [name for name, preset in presets().items() if preset.suite]
    return [place for name in names for place in _named(name, python, arch)]


def _named(name: str, python: str | None, arch: str | None) -> list[Place]:
    """The Pythons of the platform *name* of which images can be made here, or *python* alone.

    :raises ConfigError: there is no such platform, or it has no such Python or architecture.
    """
    preset = known_preset(name)
    machine = arch or platform.machine()
    one_of("architecture", machine, preset.arches, preset)
    one_of("Python", python, preset.pythons, preset)
    if not preset.pythons:
        raise ConfigError(
            f"{preset.title} has no Python of its own",
            hint="describe yours in wheelhouse.toml, as [platforms.NAME]",
        )
    pythons = [python] if python else list(preset.pythons)
    places = [Place(preset=preset, python=each, arch=machine) for each in pythons]
    able = [place for place in places if made_here(place)]
    return able or places  # whoever makes them tells why it cannot


def _of_project(file: Path, python: str | None, arch: str | None) -> list[Place]:
    from wheelhouse.config import load_project

    targets = [
        target
        for target in load_project(file, inputs=False).targets.values()
        if python in (None, target.python) and arch in (None, target.arch)
    ]
    if not targets:
        wanted = " on ".join(filter(None, [python and f"Python {python}", arch]))
        raise ConfigError(
            f"no target here has {wanted}",
            hint="leave --python or --arch out, or name a platform",
        )
    return [place for target in targets for place in (target.place, target.build_place)]


def _show(line: str) -> None:
    """The newest line, in place, on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{clip(sanitize(line), 78)}")
        sys.stderr.flush()


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
