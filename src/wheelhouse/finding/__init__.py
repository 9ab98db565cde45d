"""Which packages of a distribution have what a build or an import lacks.

====================  ===========================================================
``table.py``          what is known beforehand (pure)
``questions.py``      a missing thing → what the distribution's index is asked (pure)
``distance.py``       how near a file is to where a build looks for it (pure)
``ranking.py``        the index's answer → packages, the likeliest first (pure)
====================  ===========================================================

The table answers first. What it does not know, the distribution's own index does: an image made
with a network, once, which is then asked in containers without one. Answers are kept in the store.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from wheelhouse.building.runner import Failure
from wheelhouse.engine.jobs import BOOTSTRAP, ROOT, Job, agent_digest
from wheelhouse.errors import EngineError
from wheelhouse.finding.questions import Answer, question
from wheelhouse.finding.ranking import rank
from wheelhouse.finding.table import known_packages
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import Role, TargetImages
    from wheelhouse.missing import Missing
    from wheelhouse.targets import Place, Target


class DistributionFinder:
    """Implements :class:`wheelhouse.missing.PackageFinder` for one image of a target.

    Packages that the image has are not offered: what is missing is not missing for want of them.

    :param images: the target's. If its builder has packages added, that one counts.
    :param role: whether what is missing is missing in the builder or in the runtime.
    """

    def __init__(self, runner: Runner, target: Target, images: TargetImages, role: Role) -> None:
        self._runner = runner
        self._target = target
        self._images = images
        self._role: Role = role

    @property
    def platform(self) -> str:
        """The name of the platform whose packages these are, such as ``debian12``."""
        return self._place.preset.name

    @property
    def family(self) -> str:
        """Its kind of distribution, such as ``debian``."""
        return self._place.preset.family

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        """See :class:`wheelhouse.missing.PackageFinder`."""
        found = {each: self._known(each) for each in missing}
        unknown = [each for each, packages in found.items() if not packages]
        for each, answer in self._answers(unknown).items():
            found[each] = rank(each, answer, self._place.arch, self.installed)
        return found

    @property
    def _place(self) -> Place:
        return self._images.build_place if self._role == "builder" else self._images.place

    def _known(self, missing: Missing) -> tuple[str, ...]:
        known = known_packages(missing, self.family)
        return tuple(name for name in known if name not in self.installed) if known else ()

    # -- The distribution's index ------------------------------------------------------------

    def _answers(self, missing: Sequence[Missing]) -> dict[Missing, Answer]:
        """What the index says to each of *missing*; to none where there is no index."""
        index = self._runner.engine.index(self._target, self._role) if missing else None
        if index is None:
            return {}
        digest = agent_digest("find")
        keys = {each: digest_of([index.id, each.kind, each.name, digest]) for each in missing}
        told = {each: self._runner.store.record("packages", key) for each, key in keys.items()}
        unasked = [each for each, record in told.items() if record is None]
        for each, answer in self._ask(index.id, unasked).items():
            self._runner.store.write_record("packages", keys[each], answer)
            told[each] = answer
        return {each: Answer.from_dict(record) for each, record in told.items() if record}

    def _ask(self, index: str, missing: Sequence[Missing]) -> dict[Missing, dict[str, Any]]:
        if not missing:
            return {}
        questions = [question(each).to_dict() for each in missing]
        python = self._images.tool_python
        told = self._run(Job(kind="find", parameters={"questions": questions}), index, python)
        return dict(zip(missing, told["answers"], strict=True))

    # -- The image itself --------------------------------------------------------------------

    @cached_property
    def installed(self) -> frozenset[str]:
        """The packages that the image has. Raises EngineError."""
        images, builder = self._images, self._role == "builder"
        image = images.builder if builder else images.runtime
        python = images.tool_python if builder else images.runtime_python
        key = digest_of([image.id, agent_digest("installed")])
        told = self._runner.store.record("installed", key)
        if told is None:
            reply = self._run(Job(kind="installed", parameters={}), image.id, python)
            told = {"packages": reply["packages"]}
            self._runner.store.write_record("installed", key, told)
        return frozenset(told["packages"])

    def _run(self, job: Job, image: str, python: str) -> Mapping[str, Any]:
        try:
            reply, _ = self._runner.run(
                job,
                image=image,
                argv=(python, "-I", "-c", BOOTSTRAP, ROOT),
                target=self._target.name,
                step=f"packages ({job.kind})",
            )
        except Failure as failure:
            raise EngineError(
                f"the packages of {self._place.preset.title} cannot be asked for: "
                f"{failure.message}",
                hint="see the log",
                log=failure.log,
            ) from failure
        return reply.message
