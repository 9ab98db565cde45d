"""Which images the targets of a project need: those that a run would look for first."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Literal, NoReturn

from wheelhouse.errors import ImageError, WheelhouseError
from wheelhouse.images import TargetImageMaker
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.locking.system import server_system
from wheelhouse.plan import system_of
from wheelhouse.toolkit import toolkit_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.imagestore import ImageStore, Reader
    from wheelhouse.locking.model import Lock, LockedBuild
    from wheelhouse.targets import Target


def needed(project: Project, engine: ImageStore) -> dict[str, list[str]]:
    """The targets of *project* that need an image, by the image's name; only what *engine* has.

    What a lock cannot tell, since there is none or it is damaged, is not among it.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for target in project.targets.values():
        for name in _needed_by(target, project, engine):
            found[name].append(target.name)
    return dict(found)


def _needed_by(target: Target, project: Project, engine: ImageStore) -> set[str]:
    looking = _Looking(engine)
    with TemporaryDirectory() as locks, suppress(WheelhouseError):
        maker = TargetImageMaker(looking, _refuse, Path(locks), lambda _: None)
        images = maker.prepare(target)
        lock = load_lock(lock_path(project.root, target.name))
        if lock is not None:
            _look_for_others(maker, images, target, project, lock)
    return looking.found


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
        image = self._engine.find(name, platform)
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
