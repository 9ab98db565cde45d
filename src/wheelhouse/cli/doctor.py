"""`wheelhouse doctor`: is everything here that a build needs?"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse.cli.checks import Check, told
from wheelhouse.cli.toolkitdoctor import cuda_checks, toolkit_check
from wheelhouse.cli.workbench import open_engine, open_store, workbench
from wheelhouse.credentials import Credentials
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import FetchError, WheelhouseError
from wheelhouse.events import SilentReporter
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.flatindex import place_of
from wheelhouse.locking.index import Index
from wheelhouse.settings import DEFAULT_INDEX, IndexSettings
from wheelhouse.text import human_size
from wheelhouse.torchindex import index_of, is_mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from wheelhouse.config import Project
    from wheelhouse.engine import Engine
    from wheelhouse.targets import Target

#: Bytes free, below which a build of some size will not end well.
ROOM = 4 << 30

PUBLIC = IndexSettings(name=DEFAULT_INDEX, url="https://pypi.org/simple")


def examine(config: Path | None, engine_name: str, *, as_json: bool) -> bool:
    """Look at everything, tell of each, and return whether all is well."""
    return told(_checks(config, engine_name), as_json=as_json)


def _checks(config: Path | None, engine_name: str) -> Iterator[Check]:
    project, check = _project(config)
    if check is not None:
        yield check
    store = open_store()
    yield from _room(store.root, project)
    known = project.known_indexes if project else (PUBLIC,)
    client = Client(credentials=Credentials(known, project.credentials if project else None))
    fetcher = Fetcher(client, store, lambda: None)
    yield from _indexes(client, known, project)
    engine: list[Engine] = []

    def start() -> str:
        engine.append(open_engine(engine_name, store, fetcher, SilentReporter(), Cancellation()))
        return (
            f"{engine_name}: {engine[0].arch}, {engine[0].cpus} CPUs, "
            f"{human_size(engine[0].memory)} of memory"
        )

    yield _tried("engine", start)
    try:
        if engine and project is not None:
            yield from _targets(engine[0], project.targets.values())
            yield from _toolkits(project, engine_name)
    finally:
        for each in engine:
            each.close()


def _project(config: Path | None) -> tuple[Project | None, Check | None]:
    from wheelhouse.config import find_project, load_project

    try:
        project = load_project(config or find_project(Path.cwd()))
    except WheelhouseError as error:
        return None, Check(name="project", good=False, said=error.message, hint=error.hint)
    names = ", ".join(project.targets)
    return project, Check(name="project", good=True, said=f"{project.file}: targets {names}")


def _room(store: Path, project: Project | None) -> Iterator[Check]:
    places = {"store": store} | ({"output": project.root} if project else {})
    for name, place in places.items():
        free = shutil.disk_usage(place).free
        yield Check(
            name=name,
            good=free >= ROOM,
            said=f"{place}: {human_size(free)} free",
            hint=f"make room: a build wants {human_size(ROOM)} and more",
        )


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, good=True, said=look())
    except WheelhouseError as error:
        return Check(name=name, good=False, said=error.message, hint=error.hint)


def _indexes(
    client: Client, known: Iterable[IndexSettings], project: Project | None
) -> Iterator[Check]:
    root = project.root if project else Path.cwd()
    for settings in known:
        yield _tried("index", partial(_index, client, settings, root))
    backends = {target.torch_backend for target in (project.targets.values() if project else ())}
    for backend in sorted(backends - {""}):
        yield _tried("index", partial(_torch, client, backend, list(known)))


def _index(client: Client, settings: IndexSettings, root: Path) -> str:
    """Whether the index answers, and as whom we ask it."""
    place = place_of(settings, client, root)
    page = place.project(canonicalize_name("setuptools"))
    login = client.credentials.of(settings.url)
    who = f", with the credentials of {login.source}" if login else ""
    what = " (it has no setuptools, which many builds need)"
    lacks = page is None and settings.name == DEFAULT_INDEX
    return f"{place.title} answers{who}{what if lacks else ''}"


def _torch(client: Client, backend: str, known: Iterable[IndexSettings]) -> str:
    """Whether PyTorch's index for *backend*, or the project's mirror of it, answers."""
    url = next((each.url for each in known if is_mirror(each.url, backend)), index_of(backend))
    place = Index(client, url)
    if place.project(canonicalize_name("torch")) is None:
        raise FetchError(
            f"{place.title} has no torch",
            hint=f'look whether there is a `torch-backend = "{backend}"`',
        )
    return f"{place.title} answers"


def _targets(engine: Engine, targets: Collection[Target]) -> Iterator[Check]:
    arches = {
        arch: _tried("arch", partial(_runs, engine, arch))
        for arch in dict.fromkeys(target.arch for target in targets)
    }
    yield from arches.values()
    for target in targets:
        if arches[target.arch].good:
            check = _tried("images", partial(_images, engine, target))
            yield replace(check, target=target.name)


def _toolkits(project: Project, engine_name: str) -> Iterator[Check]:
    """Of CUDA, for the targets that name one."""
    for target in project.targets.values():
        yield from cuda_checks(target)
    wanted = [(target, target.cuda) for target in project.targets.values() if target.cuda]
    if wanted:
        with workbench(project, engine_name, SilentReporter()) as run:
            yield from (toolkit_check(run, *each) for each in wanted)


def _runs(engine: Engine, arch: str) -> str:
    if arch == engine.arch:
        return f"{arch}: runs natively"
    engine.check_runs(arch)
    return f"{arch}: emulated on {engine.arch}, which makes builds many times slower"


def _images(engine: Engine, target: Target) -> str:
    images = engine.images(target)
    return f"{target.name}: {images.builder.name}, {images.runtime.name}"
