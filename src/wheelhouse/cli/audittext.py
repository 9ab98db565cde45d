"""An audit, for a person and for programs. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, get_args

from wheelhouse.advisories.verdicts import UNRECORDED, Verdict
from wheelhouse.reporting.lines import Span, line, pad
from wheelhouse.text import cell_width, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.advisories.audit import Audit, TargetAudit
    from wheelhouse.advisories.source import Knowledge
    from wheelhouse.advisories.verdicts import Finding, Judged
    from wheelhouse.errors import AdvisoryError
    from wheelhouse.reporting.lines import Line, Style

#: Of the JSON. It changes when a field changes its meaning or goes.
FORMAT = 1

#: Columns of lists of names.
_WIDE = 100

_STYLES: dict[Verdict, Style] = {
    "vulnerable": "bad",
    "ignored": "warn",
    "unknown": "warn",
    "no-advisory": "dim",
}
_SEVERE = {"malicious", "critical", "high"}
_WORDS: dict[Verdict, str] = {
    "vulnerable": "vulnerable",
    "ignored": "ignored",
    "no-advisory": "without an advisory",
    "unknown": "unknown",
}


# --- for a person --------------------------------------------------------------------------------


def audit_lines(audit: Audit) -> Iterator[Line]:
    """What a person reads: what is vulnerable, ignored or unknown; the others are counted."""
    for target in audit.targets:
        yield from _target_lines(target)
    for source in audit.sources:
        yield line(Span("advisories: ", "dim"), _source_text(source))
    for note in audit.notes:
        yield line(Span("note: ", "warn"), note.message)
        if note.hint:
            yield line(Span("  hint: ", "good"), note.hint)


def _target_lines(target: TargetAudit) -> Iterator[Line]:
    counts = ", ".join(
        f"{number} {word}"
        for verdict, word in _WORDS.items()
        if (number := len(target.having(verdict)))
    )
    yield line(Span(f"{target.file}: ", "strong"), counts or "nothing is locked")
    for verdict in ("vulnerable", "ignored"):
        packages = target.having(verdict)
        width = max((cell_width(_name(each)) for each in packages), default=0)
        for each in packages:
            yield from _package_lines(each, width)
    unknown = target.having("unknown")
    for each in unknown:
        if each.why != UNRECORDED:
            yield line("  ", Span("unknown  ", "warn"), f"{_name(each)}  {each.why}")
    yield from _unrecorded(unknown)


def _package_lines(judged: Judged, width: int) -> Iterator[Line]:
    public, fixed = judged.subject.version.public, judged.fixed_in
    about = [
        f"looked up as {public}" if judged.subject.version.local else "",
        f"fixed in {fixed}" if fixed else "",
        _asked(judged),
    ]
    yield line(
        "  ",
        Span(judged.verdict, _STYLES[judged.verdict]),
        f"  {pad(_name(judged), width)}  {'  '.join(each for each in about if each)}",
    )
    for each in judged.findings:
        yield from _finding_lines(each)


def _asked(judged: Judged) -> str:
    subject = judged.subject
    if subject.role != "package":
        toolkit = ", as a part of the CUDA toolkit" if subject.role == "toolkit" else ""
        return f"builds {', '.join(subject.builds)}{toolkit}"
    return f"asked for by {' → '.join(subject.way)}"


def _finding_lines(finding: Finding) -> Iterator[Line]:
    severity = finding.severity or "severity unknown"
    yield line(
        "    ",
        Span(finding.id, "strong"),
        Span(f"  {severity}", "bad" if severity in _SEVERE else "plain"),
        Span(f"  {', '.join(finding.aliases)}" if finding.aliases else "", "dim"),
    )
    if finding.summary:
        yield line("      ", finding.summary)
    yield line("      ", Span(finding.link, "dim"))
    if (entry := finding.ignored) is not None:
        until = f" until {entry.until}" if entry.until else ""
        yield line("      ", Span(f"ignored{until}: {entry.reason or 'by --ignore'}", "warn"))


def _unrecorded(packages: Sequence[Judged]) -> Iterator[Line]:
    """The packages that no source has a record of, in lists."""
    for role, of in (("package", ""), ("build", " for builds"), ("toolkit", " of the toolkit")):
        names = [
            _name(each) for each in packages if each.why == UNRECORDED and each.subject.role == role
        ]
        if names:
            yield line(
                "  ",
                Span("unknown  ", "warn"),
                f"{counted(len(names), 'package')}{of} that the source has no record of:",
            )
            text = ", ".join(name.replace(" ", "\xa0") for name in names)
            for row in textwrap.wrap(text, _WIDE - 4, break_on_hyphens=False):
                yield line("    ", row.replace("\xa0", " "))


def _name(judged: Judged) -> str:
    return f"{judged.subject.name} {judged.subject.version}"


def _source_text(source: Knowledge) -> str:
    if source.kind == "service":
        return f"{source.label}, {source.records:,} about what is locked"
    newest = f", the newest of {source.newest.date()}" if source.newest else ""
    return f"{source.label}, {source.records:,} about PyPI{newest}"


# --- for programs --------------------------------------------------------------------------------


def audit_data(audit: Audit, objection: AdvisoryError | None) -> dict[str, Any]:
    """The same as data, with every package. `docs/audit.md` has what it means."""
    return {
        "format": FORMAT,
        "status": objection.exit_status if objection else 0,
        "kind": objection.kind if objection else None,
        "sources": [_source_data(each) for each in audit.sources],
        "notes": [
            {"message": each.message, "hint": each.hint or None, "doubt": each.doubt}
            for each in audit.notes
        ],
        "targets": [_target_data(each) for each in audit.targets],
    }


def _source_data(source: Knowledge) -> dict[str, Any]:
    return {
        "name": source.label,
        "kind": source.kind,
        "records": source.records,
        "newest": source.newest.isoformat() if source.newest else None,
        "flawed": source.flawed,
    }


def _target_data(target: TargetAudit) -> dict[str, Any]:
    return {
        "target": target.target,
        "lock": target.file,
        "stale": target.stale,
        "counts": {verdict: len(target.having(verdict)) for verdict in get_args(Verdict)},
        "packages": [_package_data(each) for each in target.packages],
    }


def _package_data(judged: Judged) -> dict[str, Any]:
    subject = judged.subject
    return {
        "name": subject.name,
        "version": str(subject.version),
        "looked_up_as": None if subject.foreign else subject.version.public,
        "role": subject.role,
        "verdict": judged.verdict,
        "why": judged.why or None,
        "fixed_in": str(judged.fixed_in) if judged.fixed_in else None,
        "asked_for_by": list(subject.way),
        "builds": list(subject.builds),
        "advisories": [_finding_data(each) for each in judged.findings],
    }


def _finding_data(finding: Finding) -> dict[str, Any]:
    entry = finding.ignored
    return {
        "id": finding.id,
        "aliases": list(finding.aliases),
        "severity": finding.severity,
        "scores": list(finding.scores),
        "summary": finding.summary,
        "fixed": [str(each) for each in finding.fixed],
        "link": finding.link,
        "ignored": None
        if entry is None
        else {
            "id": entry.id,
            "reason": entry.reason or None,
            "until": entry.until.isoformat() if entry.until else None,
        },
    }
