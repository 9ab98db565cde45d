"""Asking a build backend, in a container, what it needs and what its metadata is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wheelhouse.building.build import supplies
from wheelhouse.building.diagnosis import diagnose
from wheelhouse.building.failed import FailedBuildError
from wheelhouse.building.mending import NothingNewError
from wheelhouse.building.runner import Failure
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.errors import BuildError
from wheelhouse.plan import recipe_of
from wheelhouse.sources.location import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelhouse.building.downloads import Downloads
    from wheelhouse.building.recipe import Recipe
    from wheelhouse.building.runner import Runner
    from wheelhouse.config import Project
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.model import LockedBuild, LockedPackage
    from wheelhouse.plan import Circumstances
    from wheelhouse.targets import Interpreter, Target

KIND = "inspection"


class Hooks:
    """The hooks of backends, for one target. What they answer is kept in the store.

    :param here: what a build depends on.
    :param interpreter: the builder's, on which backends run.
    """

    def __init__(
        self,
        project: Project,
        target: Target,
        here: Callable[[LockedBuild], Circumstances],
        interpreter: Interpreter,
        *,
        fetcher: Fetcher,
        runner: Runner,
        downloads: Downloads,
    ) -> None:
        self._project = project
        self._target = target
        self._here = here
        self._interpreter = interpreter
        self._fetcher = fetcher
        self._runner = runner
        self._downloads = downloads

    def ask(
        self, package: LockedPackage, failed: set[str], *, want_metadata: bool
    ) -> dict[str, Any]:
        """What the backend of *package* answers: ``requires``, which of those are ``missing`` in
        its build environment, and ``metadata``.

        :param failed: what has failed already, and is not done again; it gets to know this one.
        :raises BuildError: it fails.
        :raises NothingNewError: it has failed in just this way.
        """
        assert package.build is not None
        recipe = recipe_of(package, self._project, self._here(package.build), plain=True)
        store = self._runner.store
        key = recipe.key(
            "metadata",
            want=want_metadata,
            relaxed=package.build.provision.relaxed,
            agent=agent_digest("metadata"),
        )
        with store.lock(f"ask-{key[:32]}", self._runner.cancellation.check):
            known = _answer(store.record(KIND, key) or {})  # another run may just have asked
            if known is None:
                known = self._attempted(package, recipe, failed, want_metadata=want_metadata)
                store.write_record(KIND, key, known)
        return known

    def _attempted(
        self, package: LockedPackage, recipe: Recipe, failed: set[str], *, want_metadata: bool
    ) -> dict[str, Any]:
        same = recipe.key("attempt")
        if same in failed:
            raise NothingNewError
        failed.add(same)
        known = self._run(package, recipe, want_metadata=want_metadata)
        failed.discard(same)
        return known

    def _run(
        self, package: LockedPackage, recipe: Recipe, *, want_metadata: bool
    ) -> dict[str, Any]:
        assert package.build is not None
        target = self._target
        self._downloads.environment(package)
        job = recipe.job(
            "metadata",
            self._fetcher.fetch(recipe.sdist.url, recipe.sdist.sha256, size=recipe.sdist.size),
            supplies(recipe, target, self._runner, self._fetcher),
            want_metadata=want_metadata,
            relaxed=package.build.provision.relaxed,
            markers=dict(self._interpreter.environment),
        )
        try:
            reply, log = self._runner.run(
                job,
                image=recipe.image,
                argv=recipe.argv(),
                target=target.name,
                step=f"metadata {package.name}",
            )
        except Failure as failure:
            raise FailedBuildError(
                str(package),
                "asking its build backend for requirements and metadata",
                diagnose(
                    failure,
                    package.name,
                    self._runner.limits,
                    toolkit=recipe.cuda.version if recipe.cuda else None,
                ),
                package.build.provision,
                failure.log,
                place=shown(package.direct) if package.direct else "",
            ) from failure
        answer = _answer(reply.message)
        if answer is None:
            raise BuildError(
                f"{package}: its metadata cannot be had: its container gave an answer of another "
                "form",
                hint="pin another version, or tell the project's maintainers",
                log=log,
            )
        return answer


def _answer(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a ``metadata`` job told, if it has that form: a container says it, where foreign code
    runs, or a record, which may be damaged.
    """
    requires, missing, metadata = (told.get(key) for key in ("requires", "missing", "metadata"))
    if not isinstance(requires, list) or not isinstance(missing, list):
        return None
    if not all(isinstance(line, str) for line in (*requires, *missing)):
        return None
    if metadata is not None and not isinstance(metadata, str):
        return None
    return {"requires": requires, "missing": missing, "metadata": metadata}
