"""The error of a build that failed, with what its log says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.building.diagnosis import diagnose
from wheelhouse.building.neighbours import lost
from wheelhouse.building.repairs import Repair
from wheelhouse.building.runner import Failure
from wheelhouse.errors import BuildError
from wheelhouse.sources.location import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wheelhouse.building.diagnosis import Diagnosis
    from wheelhouse.engine import Limits
    from wheelhouse.locking.model import Provision
    from wheelhouse.plan import Built, Step

#: What a build was at, by the agent's stage.
_PHASES = {
    "environment": "making its build environment",
    "repair": "repairing its wheel",
    "unpack": "unpacking its sdist",
}


class FailedBuildError(BuildError):
    """Running an sdist's backend failed.

    :param subject: the package and its version.
    :param phase: what the backend was at, for a person: ``building its wheel``.
    :param provision: what the build had got beyond what it asked for.
    :param place: where its source comes from, if not from an index: it can be corrected there.
    """

    def __init__(
        self,
        subject: str,
        phase: str,
        diagnosis: Diagnosis,
        provision: Provision,
        log: Path | None,
        *,
        asked_by: Sequence[str] = (),
        tried: Sequence[str] = (),
        place: str = "",
    ) -> None:
        context = [
            ("asked for by", ", ".join(asked_by)),
            ("phase", phase),
            ("also tried", "; ".join(tried)),
        ]
        super().__init__(
            f"{subject} cannot be built: {diagnosis.cause}",
            hint=f"correct it in {place}; or {diagnosis.hint}" if place else diagnosis.hint,
            log=log,
            context=[(label, text) for label, text in context if text],
            evidence=diagnosis.evidence,
            fix=diagnosis.fix,
            kind=diagnosis.kind,
        )
        self.subject = subject
        self.phase = phase
        self.diagnosis = diagnosis
        self.provision = provision
        self.place = place

    def told(
        self,
        *,
        asked_by: Sequence[str],
        tried: Sequence[str],
        hint: str,
        fix: str | None,
    ) -> FailedBuildError:
        """The same, as it is told in the end: after others were tried."""
        diagnosis = replace(self.diagnosis, hint=hint, fix=fix)
        return FailedBuildError(
            self.subject,
            self.phase,
            diagnosis,
            self.provision,
            self.log,
            asked_by=asked_by,
            tried=tried,
            place=self.place,
        )


def failed_build(step: Step, failure: Failure, limits: Limits) -> FailedBuildError:
    """The error of *step*'s build, which has ended with *failure* under *limits*."""
    assert step.package.build is not None
    cuda = step.recipe.cuda if step.recipe else None
    return FailedBuildError(
        str(step.package),
        _PHASES.get(failure.stage, "building its wheel"),
        diagnose(failure, step.package.name, limits, toolkit=cuda.version if cuda else None),
        step.package.build.provision,
        failure.log,
        asked_by=step.package.required_by,
        place=shown(step.package.direct) if step.package.direct else "",
    )


def check_located(step: Step, built: Built, offered: Collection[str], limits: Limits) -> None:
    """Find out whether all libraries that *built* needs are somewhere, now that it matters.

    :param offered: the sonames of those that other wheels have.
    :raises FailedBuildError: one is not, as if its repair had failed for want of it.
    """
    if missing := lost(Repair.of(built.facts["repair"]), offered):
        told = f'required library "{missing[0]}" could not be located'
        failure = Failure("repair", told, Path(built.facts["log"]), "")
        raise failed_build(step, failure, limits)
