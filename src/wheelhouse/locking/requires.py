"""Build requirements: what each build needs, static and dynamic, locked with hashes.

An sdist names its static build requirements in pyproject.toml; its backend may ask for more, and
says so only when it is run: in a container without network, in which the static ones are
installed. So: resolve, run the hook, resolve again with what it asked for, until nothing is
missing. Only wheels serve as build requirements here.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelhouse.building.diagnosis import diagnose
from wheelhouse.building.recipe import Recipe
from wheelhouse.building.runner import Failure
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.errors import BuildError, LockError
from wheelhouse.locking.model import BuildRequirement, LockedBuild, LockedFile
from wheelhouse.locking.resolver import resolve
from wheelhouse.locking.sdist import read_sdist
from wheelhouse.locking.view import WHEELS_ONLY, View

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.building.runner import Runner
    from wheelhouse.config import PackageSettings, Project
    from wheelhouse.engine import TargetImages
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.candidates import Release
    from wheelhouse.locking.index import Index, IndexFile
    from wheelhouse.locking.metadata import MetadataSource
    from wheelhouse.targets import Interpreter, Target

#: Rounds of "resolve, ask the hook". Real backends need two.
ROUNDS = 4

KIND = "inspection"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What running an sdist's hooks told. *metadata* only where it was asked for."""

    build: LockedBuild
    metadata: str | None


def locked_file(file: IndexFile) -> LockedFile:
    """The index's file as a lock has it; it has a hash, or it would not be a candidate."""
    assert file.sha256 is not None
    return LockedFile(
        filename=file.filename,
        url=file.url,
        sha256=file.sha256,
        size=file.size,
        upload_time=file.upload_time,
    )


class BuildInspector:
    """Inspects the sdists of one target. Implements :class:`~.metadata.MetadataBuilder`.

    :param interpreter: the builder's, on which backends and their requirements run.
    """

    def __init__(
        self,
        project: Project,
        target: Target,
        interpreter: Interpreter,
        images: TargetImages,
        *,
        index: Index,
        fetcher: Fetcher,
        runner: Runner,
    ) -> None:
        self._project = project
        self._target = target
        self._interpreter = interpreter
        self._images = images
        self._index = index
        self._fetcher = fetcher
        self._runner = runner
        self._metadata: MetadataSource | None = None
        self._environments: dict[tuple[str, ...], Future[tuple[BuildRequirement, ...]]] = {}
        self._lock = threading.Lock()

    def use(self, metadata: MetadataSource) -> None:
        """Take the source of metadata, which itself refers to this object."""
        self._metadata = metadata

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        """See :class:`~.metadata.MetadataBuilder`."""
        inspection = self.inspect(name, release, want_metadata=True)
        if inspection.metadata is None:
            raise BuildError(f"{name} {release.version}: its build backend gave no metadata")
        return inspection.metadata

    def inspect(
        self, name: NormalizedName, release: Release, *, want_metadata: bool = False
    ) -> Inspection:
        """Find what building *release* takes.

        :raises BuildError: its sdist is broken, or its backend fails.
        :raises LockError: its build requirements cannot be had as wheels.
        """
        assert release.sdist is not None
        sdist = locked_file(release.sdist)
        path = self._fetcher.fetch(sdist.url, sdist.sha256)
        static = read_sdist(path, sdist.filename).requires
        declared, present = (
            self._project.system(name, place.preset.family)
            for place in (self._target.build_place, self._images.build_place)
        )
        dynamic: tuple[str, ...] = ()
        for _ in range(ROUNDS):
            environment = self._environment(name, static + dynamic)
            recipe = self._recipe(name, sdist, present, environment)
            answer = self._ask(name, release, recipe, want_metadata=want_metadata)
            dynamic = tuple(sorted(set(dynamic) | set(answer["requires"])))
            if not answer["missing"]:
                build = LockedBuild(
                    static=static, dynamic=dynamic, environment=environment, system=declared
                )
                return Inspection(build=build, metadata=answer["metadata"])
        raise BuildError(
            f"{name} {release.version}: its build backend keeps asking for more requirements",
            hint="pin another version",
        )

    def settings(self, name: NormalizedName) -> PackageSettings:
        """The user's settings for a package."""
        return self._project.settings(name)

    def _recipe(
        self,
        name: NormalizedName,
        sdist: LockedFile,
        system: tuple[str, ...],
        environment: tuple[BuildRequirement, ...],
    ) -> Recipe:
        image = self._runner.engine.with_system(self._target, system) if system else None
        settings = self.settings(name)
        return Recipe(
            sdist=sdist,
            image=(image or self._images.builder).id,
            python=self._images.builder_python,
            tool_python=self._images.tool_python,
            tool_path=self._images.tool_path,
            environment=environment,
            env=settings.env,
            config_settings=settings.config_settings,
            system=system,
        )

    def _ask(
        self, name: NormalizedName, release: Release, recipe: Recipe, *, want_metadata: bool
    ) -> dict[str, Any]:
        store = self._runner.store
        key = recipe.key("metadata", want=want_metadata, agent=agent_digest("metadata"))
        known = _answer(store.record(KIND, key) or {})
        if known is None:
            known = self._run(name, release, recipe, want_metadata=want_metadata)
            store.write_record(KIND, key, known)
        return known

    def _run(
        self, name: NormalizedName, release: Release, recipe: Recipe, *, want_metadata: bool
    ) -> dict[str, Any]:
        wanted = [recipe.sdist, *(each.wheel for each in recipe.environment)]
        files = {file.sha256: self._fetcher.fetch(file.url, file.sha256) for file in wanted}
        job = recipe.job(
            "metadata",
            files,
            want_metadata=want_metadata,
            markers=dict(self._interpreter.environment),
        )
        try:
            reply, log = self._runner.run(
                job,
                image=recipe.image,
                argv=recipe.argv(),
                target=self._target.name,
                step=f"metadata {name}",
            )
        except Failure as failure:
            found = diagnose(failure, name, self._runner.limits)
            raise BuildError(
                f"{name} {release.version}: its metadata cannot be had: {found.cause}",
                hint=found.hint,
                log=failure.log,
            ) from failure
        answer = _answer(reply.message)
        if answer is None:
            raise BuildError(
                f"{name} {release.version}: its metadata cannot be had: its container gave an "
                "answer of another form",
                hint="pin another version, or tell the project's maintainers",
                log=log,
            )
        return answer

    def _environment(
        self, name: NormalizedName, requires: tuple[str, ...]
    ) -> tuple[BuildRequirement, ...]:
        """The closure of *requires*, resolved once per set of requirements."""
        wanted = tuple(sorted(set(requires)))
        with self._lock:
            future = self._environments.get(wanted)
            mine = future is None
            if future is None:
                future = self._environments[wanted] = Future()
        if mine:
            try:
                future.set_result(self._resolve(wanted))
            except BaseException as error:  # whoever else waits must hear of it
                future.set_exception(error)
        try:
            return future.result()
        except LockError as error:
            raise LockError(
                f"the build requirements of {name} cannot be met: {error.message}",
                hint=error.hint
                or "every build requirement must have a wheel for the target; "
                f"pin a version of {name} that can be built with such",
            ) from error

    def _resolve(self, requires: tuple[str, ...]) -> tuple[BuildRequirement, ...]:
        if not requires:
            return ()
        assert self._metadata is not None
        view = View(self._index, self._interpreter, self._metadata, WHEELS_ONLY)
        with self._runner.store.workspace() as folder:
            pins = resolve(view, self._interpreter, requires, folder=folder)
        return tuple(
            BuildRequirement(
                name=pin.name,
                version=pin.version,
                wheel=locked_file(view.release(pin.name, pin.version).wheels[0]),
            )
            for pin in pins
        )


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
