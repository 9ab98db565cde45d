"""What a check has to say about a wheel.

A *finding* is one thing that is wrong, or worth knowing. Errors keep a wheel out of the
wheelhouse; warnings are told and pass.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wheelhouse.errors import CheckError, raise_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Level = Literal["error", "warning"]
Origin = Literal["fetched", "built"]
Rule = Literal[
    "tags",
    "retagged",
    "requires-python",
    "extension-abi",
    "machine",
    "symbol-version",
    "cpu-level",
    "missing-library",
    "libpython",
    "driver",
    "search-path",
    "unreached-library",
    "library-version",
    "cuda-version",
    "gpu-code",
    "executable-stack",
    "broken-binary",
    "pth",
    "lost-extension",
]

#: What a tag promises: Python, ABI, architecture and libc. A wheel that breaks one of these is of
#: no use to the target, whatever else the house has; another file of its project may be.
TAG_RULES: frozenset[Rule] = frozenset(
    {"tags", "extension-abi", "machine", "symbol-version", "cpu-level"}
)

_SHOWN_ERRORS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was found out about a wheel.

    :ivar wheel: the wheel's file name.
    :ivar member: the member it is about, or None for the whole wheel.
    :ivar hint: the way out, as an imperative.
    """

    wheel: str
    member: str | None
    rule: Rule
    level: Level
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.member}: {self.message}" if self.member else self.message


def refuse(findings: Iterable[Finding]) -> None:
    """Raise what the errors among *findings* amount to.

    :raises CheckError: for one wheel; `SeveralErrors` for several.
    """
    raise_all(as_errors(findings))


def as_errors(findings: Iterable[Finding]) -> list[CheckError]:
    """What the errors among *findings* amount to: one `CheckError` per wheel."""
    by_wheel: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.level == "error":
            by_wheel[finding.wheel].append(finding)
    return [_as_error(wheel, errors) for wheel, errors in by_wheel.items()]


def _as_error(wheel: str, findings: Sequence[Finding]) -> CheckError:
    hints = list(dict.fromkeys(finding.hint for finding in findings if finding.hint))
    lines = [str(finding) for finding in findings[:_SHOWN_ERRORS]]
    if len(findings) > len(lines):
        lines.append(f"and {len(findings) - len(lines)} more")
    told = f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)
    return CheckError(f"{wheel} must not enter the wheelhouse:{told}", hint=" ".join(hints) or None)
