"""`wheelhouse images list` and `wheelhouse images prune`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.imagetext import listed, listed_data, pruned, pruned_data
from wheelhouse.cli.terminal import print_lines
from wheelhouse.engine.docker_connect import connect
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.engine.docker_shelf import DockerShelf
from wheelhouse.imageclearing import Cleared, clear
from wheelhouse.imagepruning import Shelf, Wish
from wheelhouse.imageuses import ImageUses
from wheelhouse.pruning import in_use_since
from wheelhouse.store import Store, default_root
from wheelhouse.uptodate import project_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from wheelhouse.imagestore import ImageStore

#: Seconds that the removal of an image may take: it may have millions of files.
_PATIENCE = 600


def list_images(config: Path | None, platforms: Sequence[str], *, as_json: bool) -> None:
    """Print which images of ours the engine has. Raises EngineError, ConfigError."""
    client = connect()
    needs = _needs(config, DockerImages(client))
    shelf = _shelf(DockerShelf(client), ImageUses(Store(default_root())))
    images = [each for each in shelf.ours if not platforms or each.preset in platforms]
    if as_json:
        click.echo(json.dumps(listed_data(shelf, images, needs), indent=2))
    else:
        print_lines(listed(shelf, images, needs, time.time()))


def prune_images(
    config: Path | None,
    platforms: Sequence[str],
    older_than: timedelta,
    *,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove images of ours that were not used in the time *older_than*.

    :param platforms: only those for these; for all, if there are none.
    :param everything: those that the targets of the project here need, too.
    :raises EngineError: the engine does not answer, or refuses.
    """
    client = connect(timeout=_PATIENCE)
    needs = {} if everything else _needs(config, DockerImages(client))
    store = Store(default_root())
    engine, uses = DockerShelf(client), ImageUses(store)
    before = min(time.time() - older_than.total_seconds(), in_use_since(store) / 10**9)
    shelf = _shelf(engine, uses)
    choice = shelf.removable(
        Wish(before=before, presets=platforms, needed=needs, ageless=everything)
    )
    leftovers = {each.id for each in shelf.leftovers}
    if dry_run:
        cleared = Cleared(gone=tuple(choice), kept={})
    else:
        cleared = clear(choice, shelf, engine, uses, before)
        gone = {name for each in cleared.gone for name in each.names}
        uses.forget(before, {name for each in shelf.ours for name in each.names} - gone)
    if as_json:
        click.echo(json.dumps(pruned_data(shelf, cleared, dry_run=dry_run), indent=2))
    else:
        print_lines(pruned(shelf, cleared, leftovers, dry_run=dry_run))


def _shelf(engine: DockerShelf, uses: ImageUses) -> Shelf:
    images = engine.images()
    names = [name for image in images if image.is_ours for name in image.names]
    return Shelf(images=images, used={name: uses.last(name) for name in names}, busy=engine.busy())


def _needs(config: Path | None, images: ImageStore) -> dict[str, list[str]]:
    """What the targets of the project here need; nothing, if there is none."""
    file = project_file(config)
    if file is None:
        return {}
    from wheelhouse.config import load_project
    from wheelhouse.imageneeds import needed

    return needed(load_project(file, inputs=False), images)
