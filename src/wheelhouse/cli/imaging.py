"""`wheelhouse images …`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.workbench import image_maker, stoppable
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import ConfigError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.store import Store, default_root
from wheelhouse.targets import presets
from wheelhouse.text import clip, human_duration, sanitize

if TYPE_CHECKING:
    from wheelhouse.targets import Preset


def bootstrap_images(names: list[str], *, refresh: bool) -> None:
    """Bootstrap the presets *names* and print what was made."""
    from wheelhouse.engine.docker import connect

    chosen = _presets(names)
    store = Store(default_root())
    fetcher = Fetcher(Client(), store, lambda: None)
    maker = image_maker(connect(timeout=600), store, fetcher, on_line=_show)
    started = time.monotonic()
    cancellation = Cancellation()
    cancellation.also(maker.stop)
    try:
        with stoppable(cancellation):
            made = maker.bootstrap(chosen, refresh=refresh)
    finally:
        _clear()
    for image in made:
        click.echo(f"{image.name}  {image.id.removeprefix('sha256:')[:12]}")
    click.echo(f"{len(made)} images in {human_duration(time.monotonic() - started)}")


def _presets(names: list[str]) -> list[Preset]:
    known = presets()
    unknown = [name for name in names if name not in known]
    if unknown:
        able = [name for name, preset in known.items() if preset.suite]
        raise ConfigError(f"there is no platform {unknown[0]!r}", hint=f"there are: {able}")
    if not names and Path("wheelhouse.toml").is_file():
        from wheelhouse.config import load_project

        targets = load_project(Path("wheelhouse.toml")).targets.values()
        names = list(dict.fromkeys(target.preset.name for target in targets))
    return [known[name] for name in names or known if known[name].suite]


def _show(line: str) -> None:
    """The newest line, in place, on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{clip(sanitize(line), 78)}")
        sys.stderr.flush()


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
