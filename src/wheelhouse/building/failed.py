"""The error of a build that failed, with what its log says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wheelhouse.building.diagnosis import Diagnosis
    from wheelhouse.locking.model import Provision


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
