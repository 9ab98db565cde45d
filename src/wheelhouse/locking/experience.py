"""What earlier builds have taught, as the present lock remembers it. Pure but for its lock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from wheelhouse.locking.model import NOTHING_MORE, Provision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.utils import NormalizedName

    from wheelhouse.locking.model import Lock, LockedBuild, LockedFile


class Experience:
    """What to give a build from the start. It may be asked and told from several threads.

    :param lock: the present lock; what it has for another Python than *python* does not hold.
    :param python: the target's version, as ``3.11``.
    """

    def __init__(self, lock: Lock | None, python: str) -> None:
        self._of_files: dict[str, Provision] = {}
        self._of_names: dict[NormalizedName, Provision] = {}
        self._mutex = threading.Lock()
        same = lock is not None and lock.environment.get("python_version") == python
        for name, file, build in _builds(lock) if lock else ():
            given = build.provision
            self._of_names[name] = Provision(system=given.system, search=given.search)
            if same:
                self._of_files[file.sha256] = build.provision

    def of(self, name: NormalizedName, sdist: LockedFile) -> Provision:
        """What made *sdist* work; or what other versions of *name* took of the distribution."""
        with self._mutex:
            return self._of_files.get(sdist.sha256, self._of_names.get(name, NOTHING_MORE))

    def remember(self, sdist: LockedFile, provision: Provision) -> None:
        """With *provision*, *sdist* works."""
        with self._mutex:
            self._of_files[sdist.sha256] = provision


def _builds(lock: Lock) -> Iterator[tuple[NormalizedName, LockedFile, LockedBuild]]:
    for package in lock.packages:
        if package.build is not None and package.sdist is not None:
            yield package.name, package.sdist, package.build
            yield from _nested(package.build)


def _nested(build: LockedBuild) -> Iterator[tuple[NormalizedName, LockedFile, LockedBuild]]:
    for each in build.environment:
        if each.build is not None:
            yield each.name, each.file, each.build
            yield from _nested(each.build)
