"""Building the wheels of a plan, each with what its failures call for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.building.build import build_wheel
from wheelhouse.building.failed import check_located
from wheelhouse.building.mending import NothingNewError, Subject
from wheelhouse.plan import build_step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from packaging.utils import NormalizedName

    from wheelhouse.building.mending import Mender
    from wheelhouse.building.runner import Runner
    from wheelhouse.config import Project
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.model import LockedPackage, Provision
    from wheelhouse.locking.requires import BuildInspector
    from wheelhouse.plan import Built, Circumstances, Step


class Workshop:
    """Builds for one target. Its methods may be called from several threads.

    :param inspector: finds out how a package is built with something more; asked for if needed.
    :ivar learned: the packages that were built otherwise than they are locked, as they were.
    """

    def __init__(
        self,
        project: Project,
        here: Circumstances,
        *,
        runner: Runner,
        fetcher: Fetcher,
        mender: Mender,
        inspector: Callable[[], BuildInspector],
    ) -> None:
        self.runner = runner
        self.learned: dict[NormalizedName, LockedPackage] = {}
        self._project = project
        self._here = here
        self._fetcher = fetcher
        self._mender = mender
        self._inspector = inspector

    def build(self, step: Step, offered: Collection[str] | None = None) -> tuple[Step, Built]:
        """The wheel of *step*, and the step that it was built by in the end.

        :param offered: the sonames of libraries that other wheels have for it; None while nobody
            knows that: what the builder lacks, they may have.
        :raises BuildError: it cannot be built, whatever it is given.
        :raises FetchError: the sdist or a build requirement cannot be had.
        """
        package = step.package
        assert package.build is not None
        assert step.recipe is not None
        last = step
        failed: set[str | None] = set()

        def attempt(provision: Provision) -> tuple[Step, Built]:
            nonlocal last
            assert last.package.build is not None
            if provision != last.package.build.provision:
                last = self._with(step, provision)
            if last.key in failed:
                raise NothingNewError
            failed.add(last.key)  # it is over, unless it fails
            built = self.build_as_planned(last)
            if offered is not None:
                check_located(last, built, offered, self.runner.limits)
            return last, built

        subject = Subject.of(package, step.recipe.system)
        done, built = self._mender.until_done(subject, package.build.provision, attempt)
        if done.package != package:
            self.learned[package.name] = done.package
        return done, built

    def build_as_planned(self, step: Step) -> Built:
        """The wheel of *step*, in one attempt. Raises as :meth:`build` does."""
        return build_wheel(step, self._here.target, runner=self.runner, fetcher=self._fetcher)

    def _with(self, step: Step, provision: Provision) -> Step:
        """*step* as it is with *provision*."""
        found = self._inspector().inspect_with(provision, step.package)
        return build_step(replace(step.package, build=found.build), self._project, self._here)
