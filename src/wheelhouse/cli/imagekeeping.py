"""`wheelhouse images list` and `wheelhouse images prune`."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.imagetext import listed, listed_data, pruned, pruned_data, untold
from wheelhouse.cli.targets import known_preset
from wheelhouse.cli.terminal import print_lines
from wheelhouse.cli.workbench import open_store
from wheelhouse.engine.docker_connect import connect
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.engine.docker_shelf import DockerShelf
from wheelhouse.imageclearing import Cleared, clear
from wheelhouse.imageneeds import NOTHING, needed
from wheelhouse.imagepruning import Shelf, Wish
from wheelhouse.imageuses import ImageUses
from wheelhouse.uptodate import project_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.imageneeds import Needs
    from wheelhouse.imagestore import ImageStore

#: Seconds that the removal of an image may take: it may have millions of files.
_PATIENCE = 600


def list_images(config: Path | None, platforms: Sequence[str], *, as_json: bool) -> None:
    """Print which images of ours the engine has. Raises EngineError, ConfigError."""
    client = connect()
    project = _project(config)
    shelf = _shelf(DockerShelf(client), ImageUses(open_store()))
    _check_platforms(platforms, shelf, project)
    needs = _needs(project, DockerImages(client))
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
    :param everything: those that the targets of the project here need, and those that no run on
        this store has used, too.
    :raises EngineError: the engine does not answer, or refuses.
    :raises ConfigError: there is no such platform, or the configuration cannot be read.
    """
    client = connect()
    project, store = _project(config), open_store()
    engine, uses = DockerShelf(client), ImageUses(store)
    # No run on this store finds an image that is about to go.
    with nullcontext() if dry_run else store.alone(tell=_tell):
        needs = NOTHING if everything else _needs(project, DockerImages(client))
        shelf = _shelf(engine, uses)
        _check_platforms(platforms, shelf, project)
        wish = Wish(
            before=time.time() - older_than.total_seconds(),
            presets=platforms,
            needed=needs.images,
            kept=needs.presets,
            others=everything,
        )
        cleared = Cleared(gone=tuple(shelf.removable(wish)), kept={})
        if not dry_run:
            client.timeout = _PATIENCE
            cleared = clear(cleared.gone, engine)
            _forget(shelf, cleared, uses, wish.before)
    if as_json:
        click.echo(json.dumps(pruned_data(shelf, cleared, needs, dry_run=dry_run), indent=2))
    else:
        print_lines(untold(needs))
        print_lines(pruned(shelf, cleared, dry_run=dry_run))


def _forget(shelf: Shelf, cleared: Cleared, uses: ImageUses, before: float) -> None:
    """Forget uses *before* a time of what the engine does not have any more."""
    gone = {image.id for image in cleared.gone}
    left = (image for image in shelf.images if image.id not in gone)
    uses.forget(before, {mark for image in left for mark in image.marks})


def _tell(message: str) -> None:
    click.echo(message, err=True)


def _shelf(engine: DockerShelf, uses: ImageUses) -> Shelf:
    images = engine.images()
    marks = {mark for image in images if image.kind for mark in image.marks}
    used = {mark: last for mark in marks if (last := uses.last(mark))}
    return Shelf(images=images, used=used, busy=engine.busy())


def _check_platforms(names: Sequence[str], shelf: Shelf, project: Project | None) -> None:
    """Raise ConfigError unless each of *names* is known: to us, the project or the engine."""
    known = {image.preset for image in shelf.with_steps()}
    for target in project.targets.values() if project else ():
        known |= {target.place.preset.name, target.build_place.preset.name}
    for name in names:
        if name not in known:
            known_preset(name)


def _project(config: Path | None) -> Project | None:
    """The project here, if there is one. Raises ConfigError."""
    file = project_file(config)
    if file is None:
        return None
    from wheelhouse.config import load_project

    return load_project(file, inputs=False)


def _needs(project: Project | None, engine: ImageStore) -> Needs:
    """What the targets of *project* need; nothing, if there is none. Raises EngineError."""
    return needed(project, engine) if project else NOTHING
