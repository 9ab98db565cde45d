"""Why each package is fetched, built or reused, and from what, for people and programs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wheelhouse.alignment.statements import statements
from wheelhouse.building.changes import rows
from wheelhouse.locking.refusal import project_of
from wheelhouse.reporting.lines import Span, line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.alignment.statements import Statement
    from wheelhouse.locking.model import Lock, LockedFile, LockedPackage
    from wheelhouse.plan import Planned, Step
    from wheelhouse.reporting.lines import Line, Style

    MadeFor = Mapping[NormalizedName, Sequence[Statement]]

#: Columns of what a line is about.
_LABEL = 32

_BYPASSED = {"image": "the server's image has it", "wheel": "another mechanism brings its wheel"}


def explained(planned: Planned, names: Collection[NormalizedName]) -> list[Step]:
    """The steps of *names*, or all; those of build requirements without a wheel come first."""
    plan = planned.plan
    return [step for step in (*plan.first, *plan.steps) if not names or step.package.name in names]


def bypassed(planned: Planned, names: Collection[NormalizedName]) -> list[LockedPackage]:
    """The packages among *names*, or all, that are locked and need no file."""
    return [
        each
        for each in planned.lock.packages
        if each.provided and not each.files and (not names or each.name in names)
    ]


def made_for(planned: Planned) -> MadeFor:
    """By name, which CUDA each package of the plan is made for, if for any."""
    return statements(planned.lock.packages, planned.target.arch)


def explain_lines(planned: Planned, names: Collection[NormalizedName]) -> Iterator[Line]:
    """All about the steps of *names*, or of all packages, in the plan of one target."""
    cuda = made_for(planned)
    parts = [_step_lines(planned, step, cuda) for step in explained(planned, names)]
    parts += [_bypassed_lines(planned, each) for each in bypassed(planned, names)]
    for number, lines in enumerate(parts):
        if number:
            yield ()
        yield from lines


def explain_data(planned: Planned, names: Collection[NormalizedName]) -> dict[str, Any]:
    """The same for programs."""
    cuda = made_for(planned)
    return {
        "target": planned.target.name,
        "place": str(planned.target.place),
        "packages": [_step_data(planned, step, cuda) for step in explained(planned, names)],
        "bypassed": [
            {"name": each.name, "version": str(each.version), "way": each.provided}
            for each in bypassed(planned, names)
        ],
    }


def _step_data(planned: Planned, step: Step, cuda: MadeFor) -> dict[str, Any]:
    earlier = step.earlier
    return {
        **step.to_dict(),
        "made-for": [
            {"cuda": each.cuda.number, "reason": each.reason}
            for each in cuda.get(step.package.name, ())
        ],
        "inputs": dict(step.inputs),
        "earlier": earlier
        and {"key": earlier.key, "version": earlier.version, "place": earlier.place},
        "other-files": [each.filename for each in _others(step)],
        "refused-files": [
            {"file": name, "reason": reason} for name, reason in _refused(planned.lock, step)
        ],
    }


def _bypassed_lines(planned: Planned, package: LockedPackage) -> Iterator[Line]:
    yield _head(planned, package, "left out", "dim")
    way, _, name = package.provided.partition(":")
    yield _row("because", _BYPASSED.get(way, f"the distribution's package {name} has it"))
    yield _row("asked for by", ", ".join(package.required_by))


def _step_lines(planned: Planned, step: Step, cuda: MadeFor) -> Iterator[Line]:
    yield _head(planned, step.package, *_DOES[step.action])
    yield _row("because", step.reason)
    yield from _column("asked for by", step.package.required_by)
    made = [f"{each.cuda}: {each.reason}" for each in cuda.get(step.package.name, ())]
    yield from _column("made for", made)
    yield _row("from", step.file.filename)
    yield _row("", f"sha256:{step.file.sha256}")
    yield from _column("rather than", [each.filename for each in _others(step)])
    refused = [f"{name}: {reason}" for name, reason in _refused(planned.lock, step)]
    yield from _column("refused", refused)
    if step.key is not None:
        yield from _past(step)
        yield _row("key", step.key)
        yield from (_row(f"  {title}", text) for title, text in rows(step.inputs))


_DOES: dict[str, tuple[str, Style]] = {
    "build": ("to be built", "warn"),
    "reuse": ("reused", "good"),
    "fetch": ("fetched", "good"),
}


def _past(step: Step) -> Iterator[Line]:
    """What was built before, and what is otherwise now."""
    earlier = step.earlier
    if step.action == "reuse":
        yield _row("built before", "from the same inputs")
    elif earlier is None:
        yield _row("built before", "never, as far as this store knows")
    elif not earlier.same_place:
        yield _row("built before", f"not for this platform; {earlier.version} for {earlier.place}")
    elif step.changes:
        yield from _column("built again, because", list(map(str, step.changes)), "warn")
    else:
        yield _row("built again, because", "its wheel is no longer in the store", "warn")


def _others(step: Step) -> Sequence[LockedFile]:
    """The wheels that it could have been fetched as, too."""
    return [each for each in step.package.wheels if each != step.file]


def _refused(lock: Lock, step: Step) -> Iterator[tuple[str, str]]:
    for file in lock.refused:
        if project_of(file) == step.package.name:
            yield file.filename, file.reason


def _head(planned: Planned, package: LockedPackage, does: str, style: Style) -> Line:
    return line(f"{planned.target.name}: ", Span(str(package), "strong"), "  ", Span(does, style))


def _column(label: str, texts: Sequence[str], style: Style = "plain") -> Iterator[Line]:
    """*texts*, one a line, the first behind its label."""
    for text in texts:
        yield _row(label, text, style)
        label = ""


def _row(label: str, text: str, style: Style = "plain") -> Line:
    return line("  ", Span(label.ljust(_LABEL), "dim"), Span(text, style))
