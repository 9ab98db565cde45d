"""Which builds get a CUDA toolkit, and which toolkit that is.

It is resolved like a build environment, once the first build of a target needs it, and locked with
the hashes of all its wheels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.cuda import has_compiler, toolkit_requirement
from wheelhouse.errors import FetchError, InterruptedRunError, LockError, PlanError
from wheelhouse.locking.cudasource import cuda_in_archive
from wheelhouse.locking.environments import Wish
from wheelhouse.toolkit import PROJECT, NoCompiler, comes_with, toolkit_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.cuda import Cuda
    from wheelhouse.locking.environments import Environments
    from wheelhouse.locking.model import BuildRequirement, LockedBuild, LockedPackage
    from wheelhouse.plan import Circumstances


class Toolkits:
    """The toolkit of one target, and who needs it. Its methods may be called from several threads.

    :param locked: the toolkit that is locked, where nothing new is.
    """

    def __init__(
        self,
        project: Project,
        here: Circumstances,
        environments: Environments,
        locked: tuple[BuildRequirement, ...] = (),
    ) -> None:
        self._project = project
        self._here = here
        self._environments = environments
        self._locked = locked
        self._found: dict[str, bool] = {}

    def is_for(self, package: LockedPackage, source: Callable[[], Path]) -> bool:
        """Whether the source of *package* is built with the toolkit.

        :param source: fetches it.
        :raises BuildError: it is broken.
        :raises PlanError: it is to be, and no toolkit can be had.
        """
        cuda, file = self._here.target.cuda, package.sdist
        if cuda is None or file is None:
            return False
        needs = self._project.settings(package.name).cuda
        if needs is None:
            if file.sha256 not in self._found:
                self._found[file.sha256] = bool(cuda_in_archive(source(), str(package)))
            needs = self._found[file.sha256]
        if needs:
            self._check(cuda, package)
        return needs

    def _check(self, cuda: Cuda, package: LockedPackage) -> None:
        images = self._here.images
        if not comes_with(images.build_place.preset, cuda) and not has_compiler(cuda.version):
            problem = NoCompiler(package=package, target=self._here.target, images=images)
            raise PlanError(problem.message, hint=problem.hint)

    def wheels(self) -> tuple[BuildRequirement, ...]:
        """The toolkit's wheels; none where the target has no CUDA, or its builder has a toolkit.

        :raises PlanError: it cannot be had.
        """
        cuda = self._here.target.cuda
        if cuda is None or comes_with(self._here.images.build_place.preset, cuda):
            return ()
        if self._locked:
            return self._locked
        wish = Wish(requires=(toolkit_requirement(cuda),))
        try:
            return self._environments.resolved(wish, PROJECT)
        except (FetchError, InterruptedRunError):
            raise
        except LockError as error:
            raise PlanError(
                f"the toolkit of {cuda} cannot be had: {error.message}",
                hint="have an index that has NVIDIA's packages as PyPI does, write another "
                f"version as `cuda` of [targets.{self._here.target.name}], or name a `builder` "
                "there whose image has a toolkit",
            ) from error

    def circumstances(self, build: LockedBuild) -> Circumstances:
        """What *build* depends on: with the toolkit, if it or one that it takes needs that.

        Raises as :meth:`wheels` does.
        """
        here = self._here
        if not takes_toolkit(build):
            return here
        return replace(here, toolkit=toolkit_for(here.target, here.images, self.wheels()))

    def needed_by(self, packages: Iterable[LockedPackage]) -> tuple[BuildRequirement, ...]:
        """Its wheels, if the build of one of *packages* needs it, or one that those take.

        Raises as :meth:`wheels` does.
        """
        needed = any(takes_toolkit(each.build) for each in packages if each.build is not None)
        return self.wheels() if needed else ()


def takes_toolkit(build: LockedBuild) -> bool:
    """Whether *build* has the toolkit, or that of a build requirement does."""
    within = (each.build for each in build.environment if each.build is not None)
    return build.cuda or any(map(takes_toolkit, within))
