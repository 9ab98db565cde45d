"""The wheels that were built before, to compare with: of the wheelhouse, or of the store."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from wheelhouse.durable import storage_errors
from wheelhouse.errors import CheckError, StorageError
from wheelhouse.locking.lockfile import lock_path
from wheelhouse.manifest import FILENAME, BuiltStory, read_manifest
from wheelhouse.pins import WHEELS
from wheelhouse.store import sha256_of
from wheelhouse.text import counted
from wheelhouse.wording import listed, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from wheelhouse.manifest import Manifest, WheelFacts
    from wheelhouse.plan import Built, Planned, Step
    from wheelhouse.run import Run
    from wheelhouse.store import Store

#: Names that are told of what is missing.
TOLD = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """A wheel as it was built first.

    :ivar path: its file, which has another name in the store.
    :ivar place: who has it.
    :ivar tool: whether it only serves other builds.
    :ivar seconds: how long it took, if that is known.
    :ivar ways: to the libraries that it uses of other wheels: by soname, folders of site-packages.
    :ivar same_inputs: whether it was built from what the lock and the images have now; in a
        wheelhouse of another machine it may not be.
    """

    path: Path
    filename: str
    sha256: str
    place: Literal["wheelhouse", "store"]
    same_inputs: bool = True
    tool: bool = False
    seconds: float = 0.0
    ways: Mapping[str, str] = field(default_factory=dict)

    def copied(self, folder: Path) -> Path:
        """A copy under its own name, in the new *folder*.

        :raises CheckError: it is not what it was.
        """
        with storage_errors(folder):
            folder.mkdir()
            path = folder / self.filename
            shutil.copyfile(self.path, path)
            if sha256_of(path) == self.sha256:
                return path
        raise CheckError(
            f"{shown_path(self.path)}, the first wheel, was changed since it was built",
            hint="run `wheelhouse build --again`, which has it made or copied anew",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Originals:
    """Where the originals of a plan's wheels are: in the wheelhouse, or else in the store.

    :ivar folder: that of the wheelhouse's wheels.
    :ivar house: these, by the names of their projects; none if it is of another lock.
    """

    target: str
    store: Store
    folder: Path
    house: Mapping[str, WheelFacts]

    @classmethod
    def of(cls, run: Run, planned: Planned) -> Originals:
        """Those of *planned*. Raises StorageError for a wheelhouse that cannot be read."""
        name = planned.target.name
        folder = run.project.output / name
        manifest = read_manifest(folder) if (folder / FILENAME).exists() else None
        lock = sha256_of(lock_path(run.project.root, name))
        house = _built(manifest) if manifest and manifest.lock_sha256 == lock else {}
        return cls(target=name, store=run.store, folder=folder / WHEELS, house=house)

    def pairs(self, steps: Sequence[Step]) -> list[tuple[Step, Original]]:
        """Each of *steps*, with the original of its wheel.

        :raises StorageError: some have none.
        """
        found = [(step, self._in_house(step) or self._in_store(step)) for step in steps]
        if missing := [str(step.package) for step, original in found if original is None]:
            raise self._never_built(missing)
        return [(step, original) for step, original in found if original is not None]

    def tools(self, steps: Sequence[Step]) -> list[tuple[Step, Original]]:
        """The builds of build requirements that *steps* take, with what the store has of each.

        In a wheelhouse of another machine they are not: those are left out.
        """
        tools = {each.key: each for each in _tools(steps)}
        pairs = [(tool, self._in_store(tool)) for tool in tools.values()]
        return [(tool, replace(found, tool=True)) for tool, found in pairs if found is not None]

    def _in_house(self, step: Step) -> Original | None:
        facts = self.house.get(step.package.name)
        if facts is None or facts.version != str(step.package.version):
            return None
        assert isinstance(facts.story, BuiltStory)
        return Original(
            path=self.folder / facts.filename,
            filename=facts.filename,
            sha256=facts.sha256,
            place="wheelhouse",
            same_inputs=facts.story.cache_key == step.key,
            seconds=_seconds(step.built),
            ways={each.soname: each.folder for each in facts.story.shared},
        )

    def _in_store(self, step: Step) -> Original | None:
        built = step.built
        if built is None or not self.store.verified(built.sha256):
            return None
        return Original(
            path=self.store.blob(built.sha256),
            filename=built.filename,
            sha256=built.sha256,
            place="store",
            seconds=_seconds(built),
        )

    def _never_built(self, missing: Sequence[str]) -> StorageError:
        names = [*missing[:TOLD], *([f"{len(missing) - TOLD} more"] if missing[TOLD:] else [])]
        were = "was" if len(missing) == 1 else "were"
        return StorageError(
            f"{counted(len(missing), 'wheel')} of {self.target} {were} never built: "
            f"{listed(names)}",
            hint=f"first run `wheelhouse build --target {self.target}`",
        )


def _seconds(built: Built | None) -> float:
    return sum(built.facts["seconds"].values()) if built else 0.0


def _tools(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        if step.recipe is not None:
            yield from _tools(step.recipe.built)
            yield from step.recipe.built


def _built(manifest: Manifest) -> dict[str, WheelFacts]:
    return {each.name: each for each in manifest.wheels if isinstance(each.story, BuiltStory)}
