"""What cannot be found, or does not fit together, in terms of the user's own files. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wheelhouse.errors import LockError
from wheelhouse.locking.misnomers import meant_by
from wheelhouse.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.inputs.model import Asked
    from wheelhouse.locking.demands import Finding, Wanted
    from wheelhouse.locking.stock import Obstacle, Stock

#: As much of uv's explanation as is quoted, in columns.
QUOTED = 420

#: What to do about an obstacle, besides asking for another version.
REMEDIES = {
    "hash": "renew the hashes if they are old; else find out why the index has other files",
    "cut-off": "let newer files be used, or ask for an older version",
    "refused": 'ask for another version, or have it built: `source = "sdist"`',
    "source": "drop that setting or option, or ask for another version",
    "python": "give the target another Python",
    "platform": "ask for it with a marker if this target does without, or replace it",
    "yanked": "pin it with `==` if it is wanted all the same",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A line that, asking for other versions, would let everything be had.

    :ivar versions: those next to what it asks for now, the lowest first.
    :ivar beside: the version of *other* that goes with them, where that is what is fought over.
    """

    line: Asked
    versions: tuple[Version, ...]
    other: NormalizedName | None = None
    beside: Version | None = None

    def __str__(self) -> str:
        versions = " or ".join(str(version) for version in self.versions)
        more = f" with {self.other} {self.beside}" if self.beside is not None else ""
        return f"{self.line.name} {versions}{more}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What else is known when a finding is told.

    :ivar ways: what would do.
    :ivar alone: whether that holds for the lines of the finding alone, and others do not fit too.
    :ivar names: of the projects that have to do with this one.
    :ivar places: the indexes that were asked.
    :ivar explanation: the resolver's.
    :ivar notes: what else is to be shown beside the error, as pairs.
    """

    ways: Sequence[Way] = ()
    alone: bool = False
    names: Sequence[NormalizedName] = ()
    places: Sequence[str] = ()
    explanation: str = ""
    notes: Iterable[tuple[str, str]] = ()


def tell(finding: Finding, stock: Stock, told: Told) -> LockError:
    """The error that *finding* is."""
    wanted = sorted(finding.wanted, key=lambda each: (len(each.chain), each.demand.constraint))
    if not stock.exists:
        return _not_found(finding.name, wanted, told)
    if len(wanted) > 1:
        return _conflict(finding, wanted, stock, told)
    return _no_version(wanted[0], stock, told)


def unexplained(explanation: str, lines: Iterable[Asked], ways: Sequence[Way]) -> LockError:
    """The error of *lines* that do not fit together, in the resolver's own words."""
    return LockError(
        "the requirements do not fit together",
        context=lines_of(lines),
        evidence=[clip(explanation, QUOTED)],
        hint=_would_do(ways) or "loosen or correct one of these requirements",
        kind="conflict",
    )


def lines_of(lines: Iterable[Asked]) -> list[tuple[str, str]]:
    """By their origins, what *lines* ask for, to be shown beside an error."""
    asked: dict[str, str] = {}
    for each in lines:
        text = f"asks for {each.requirement}"
        asked[each.origin] = f"{asked[each.origin]}; {text}" if each.origin in asked else text
    return list(asked.items())


def _not_found(name: NormalizedName, wanted: Sequence[Wanted], told: Told) -> LockError:
    meant = meant_by(name, told.names)
    own = "if it is a private project, declare the index that has it"
    places = [("looked for on", ", ".join(told.places))] if told.places else []
    return LockError(
        f"{_who(wanted[0])}, and there is no project of that name",
        context=[*_chains(wanted), *places],
        hint=_joined([_would_do(told.ways, alone=told.alone), meant, None if meant else own]),
        kind="not-found",
    )


def _no_version(wanted: Wanted, stock: Stock, told: Told) -> LockError:
    demand, name = wanted.demand, stock.name
    specifier = demand.requirement.specifier
    found = stock.newest_unusable([specifier])
    if found is not None and found[1].kind == "hash":
        told = replace(told, ways=[each for each in told.ways if not _is_as_asked(each)])
    hint = _would_do(told.ways, alone=told.alone) or _nearest(stock, wanted)
    if found is None:
        there = stock.everything
        fact = "there is no such version" if there else "that project has no files to install"
        meant = None if there else meant_by(name, told.names)
        return LockError(
            f"{_who(wanted)}, and {fact}",
            context=_chains([wanted]),
            hint=_joined([hint, meant, _newest(stock, told.ways), _prerelease(stock, specifier)])
            or "ask for another project",
            kind="no-version",
        )
    version, obstacle, several = found
    if obstacle.kind == "hash" and demand.line is not None:
        message = (
            f"{demand.line.origin}: none of the files that the index has for "
            f"{demand.requirement} has a hash that the requirements allow"
        )
    else:
        many = f", the newest{' of these' if specifier else ''}," if several else ""
        message = f"{_who(wanted)}, but {name} {version}{many} {obstacle.why}"
    return LockError(
        message,
        context=_chains([wanted]),
        hint=_joined([hint, _remedy(obstacle, told.ways)]),
        kind=obstacle.kind,
    )


def _conflict(finding: Finding, wanted: Sequence[Wanted], stock: Stock, told: Told) -> LockError:
    name = finding.name
    who = [_who(each) for each in wanted]
    message = f"{who[0]}, but {who[1]}"
    if len(who) > 2:
        message = f"{', '.join(who[:-1])}, and {who[-1]}: no version of {name} is all of that"
    found = stock.newest_unusable([each.demand.requirement.specifier for each in wanted])
    unusable = [(f"{name} {found[0]}", f"{found[1].why}")] if found else []
    return LockError(
        message,
        context=[*_chains(wanted), *told.notes, *unusable],
        evidence=[]
        if finding.certain or not told.explanation
        else [clip(told.explanation, QUOTED)],
        hint=_would_do(told.ways, alone=told.alone) or _way_out(wanted, stock),
        kind="conflict",
    )


def _who(wanted: Wanted) -> str:
    """``a.txt:3 asks for demo<2``, or ``flask 3.1.0 (a.txt:1) requires …``."""
    demand = wanted.demand
    if demand.line is not None:
        line = demand.line
        if line.closed:
            return f"{line.origin} has {demand}"
        if demand.constraint:
            return f"{line.origin} limits {demand.name} to {demand.requirement.specifier}"
        return f"{line.origin} asks for {demand}"
    line_told = wanted.line.origin if wanted.line and len(wanted.chain) == 1 else ""
    notes = "; ".join(filter(None, (line_told, "" if demand.sole else "the newest that fits")))
    return f"{demand.by} {demand.version}{f' ({notes})' if notes else ''} requires {demand}"


def _chains(wanted: Iterable[Wanted]) -> list[tuple[str, str]]:
    """By lines, the way from there through more than one package."""
    told: dict[str, list[str]] = {}
    for each in wanted:
        if each.line is not None and len(each.chain) > 1:
            links = (*each.chain[1:], each.demand)
            way = " → ".join((*(f"{link.by} {link.version}" for link in links), str(each.demand)))
            told.setdefault(each.line.origin, []).append(way)
    return [(origin, "; ".join(ways)) for origin, ways in told.items()]


def _would_do(ways: Sequence[Way], *, alone: bool = False) -> str | None:
    """``demo 2.0 would do (a.txt:3), or other 1.0 with demo 1.0 (a.txt:1)``."""
    if not ways:
        return None
    first, *others = ways
    more = (f", or {each} ({each.line.origin})" for each in others)
    so_far = "; other lines do not fit either" if alone else ""
    return f"{first} would do ({first.line.origin}){''.join(more)}{so_far}"


def _is_as_asked(way: Way) -> bool:
    """Whether *way* is what its line asks for now, and only the hashes stand against it."""
    return all(
        way.line.requirement.specifier.contains(version, prereleases=True)
        for version in way.versions
    )


def _nearest(stock: Stock, wanted: Wanted) -> str | None:
    near = stock.nearest(wanted.demand.requirement.specifier)
    if not near:
        return None
    told = " and ".join(str(version) for version in near)
    return f"the nearest {'version is' if len(near) == 1 else 'versions are'} {told}"


def _newest(stock: Stock, ways: Sequence[Way]) -> str | None:
    """The newest usable version, if it is not among those that were told already."""
    usable = stock.choices()
    told = {version for each in ways if each.line.name == stock.name for version in each.versions}
    return f"the newest is {usable[-1]}" if usable and told and usable[-1] not in told else None


def _prerelease(stock: Stock, specifier: SpecifierSet) -> str | None:
    version = stock.prerelease_of(specifier)
    return f"there is a pre-release: `{stock.name}=={version}`" if version else None


def _remedy(obstacle: Obstacle, ways: Sequence[Way]) -> str | None:
    return None if ways and obstacle.kind in ("python", "platform") else REMEDIES[obstacle.kind]


def _way_out(wanted: Sequence[Wanted], stock: Stock) -> str:
    """What is left to say where nothing is known to do."""
    locks = sorted({each.line.origin for each in wanted if each.line and each.line.closed})
    if locks:
        return f"renew {' and '.join(locks)} with the tool that made it, or loosen the other"
    lines = list(dict.fromkeys(each.line.origin for each in wanted if each.line))
    if len(lines) < 2:
        return "loosen or correct it, or ask for another version"
    first, *others = [each.demand.requirement.specifier for each in wanted]
    near = stock.nearest(first, others) if wanted[0].demand.line else []
    allowed = f"; {stock.name} {near[0]} is the nearest version that fits the rest" if near else ""
    return f"change or take out {' or '.join(lines)}{allowed}"


def _joined(parts: Iterable[str | None]) -> str | None:
    return "; ".join(part for part in parts if part) or None
