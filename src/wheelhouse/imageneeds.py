"""Which images the targets of a project need: those that a run would look for first."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Literal, NoReturn

from wheelhouse.errors import EngineError, ImageError, WheelhouseError
from wheelhouse.images import TargetImageMaker
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.locking.system import server_system
from wheelhouse.plan import system_of
from wheelhouse.targets import stand_in
from wheelhouse.toolkit import toolkit_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.imagestore import ImageStore, Reader
    from wheelhouse.locking.model import Lock, LockedBuild
    from wheelhouse.targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What the targets of a project need of an engine's images.

    :ivar images: the targets that need an image, by its name.
    :ivar untold: by a target of which not all is known, why.
    :ivar presets: the platforms of those targets, any image of which may be needed.
    """

    images: Mapping[str, Collection[str]]
    untold: Mapping[str, str]
    presets: Collection[str]


#: Where there is no project, or nobody cares.
NOTHING = Needs(images={}, untold={}, presets=frozenset())


def needed(project: Project, engine: ImageStore) -> Needs:
    """What the targets of *project* need of what *engine* has.

    A target that has no lock yet needs what every lock does.

    :raises EngineError: the engine does not answer.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    untold: dict[str, str] = {}
    presets: set[str] = set()
    for target in project.targets.values():
        looking = _Looking(engine)
        try:
            _look(looking, target, project)
        except EngineError:
            raise
        except WheelhouseError as error:
            untold[target.name] = error.message
            presets |= _presets(target)
        for name in looking.found:
            found[name].append(target.name)
    return Needs(images=dict(found), untold=untold, presets=presets)


def _presets(target: Target) -> set[str]:
    """The platforms that images of *target* may be for, and those that stand in for them."""
    places = (target.place, target.build_place)
    others = (stand_in(place) for place in places)
    return {place.preset.name for place in (*places, *filter(None, others))}


def _look(looking: _Looking, target: Target, project: Project) -> None:
    """Have *looking* asked for what a run for *target* would.

    :raises LockError: the lock cannot be read, or is not that of the present configuration.
    :raises ConfigError: the configuration asks for something impossible.
    :raises EngineError: the engine does not answer.
    """
    with TemporaryDirectory() as locks:
        maker = TargetImageMaker(looking, _refuse, Path(locks), lambda _: None)
        images = None
        with suppress(ImageError):  # something is not there, so nothing is that starts from it
            images = maker.prepare(target)
        lock = load_lock(lock_path(project.root, target.name))
        if images is not None and lock is not None:
            with suppress(ImageError):
                _look_for_others(maker, images, target, project, lock)


def _look_for_others(
    maker: TargetImageMaker, images: TargetImages, target: Target, project: Project, lock: Lock
) -> None:
    """Look for the images with what builds and proofs of *lock* need beyond *images*."""
    toolkit = toolkit_for(target, images, lock.toolkit)
    sets = {
        (system_of(name, build, project, target, images), build.cuda)
        for name, build in _builds(lock)
    }
    for packages, cuda in sets:
        with suppress(ImageError):
            maker.with_system(images, packages, toolkit if cuda else None)
    server = server_system(project, target, lock, images.place.preset)
    with suppress(ImageError):
        maker.with_runtime_system(images, tuple(each.package for each in server))


def _builds(lock: Lock) -> Iterator[tuple[NormalizedName, LockedBuild]]:
    """What *lock* builds, build requirements included."""
    left = [(each.name, each.build) for each in lock.packages if each.build is not None]
    while left:
        name, build = left.pop()
        yield name, build
        left += [(each.name, each.build) for each in build.environment if each.build is not None]


class _Looking:
    """An engine that has what *engine* has, and of which nothing else can be had.

    :ivar found: the names of what was asked for and is there.
    """

    def __init__(self, engine: ImageStore) -> None:
        self._engine = engine
        self.found: set[str] = set()

    def find(self, name: str, platform: str) -> Image | None:
        """See :class:`wheelhouse.imagestore.ImageStore`."""
        try:
            image = self._engine.find(name, platform)
        except ImageError as error:  # no answer is not the answer that there is none
            raise EngineError(
                f"the container engine does not tell of {name}: {error.message}",
                hint=f"`docker image inspect {name}` tells more",
            ) from error
        if image is not None:
            self.found.add(name)
        return image

    def pull(self, reference: str, platform: str, on_line: Callable[[str], None]) -> Image:
        """See :class:`wheelhouse.imagestore.ImageStore`."""
        _refuse(reference)

    def build(
        self,
        context: IO[bytes],
        name: str,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        network: Literal["default", "none"],
        platform: str,
        on_line: Callable[[str], None],
    ) -> Image:
        """See :class:`wheelhouse.imagestore.ImageStore`."""
        _refuse(name)

    def import_tar(
        self, stream: Reader, name: str, *, labels: Mapping[str, str], platform: str
    ) -> Image:
        """See :class:`wheelhouse.imagestore.ImageStore`."""
        _refuse(name)


def _refuse(wanted: object) -> NoReturn:
    raise ImageError(f"{wanted} is not here, and nothing is fetched or made for a look")
