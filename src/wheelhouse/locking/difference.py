"""What a new lock changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelhouse.locking.model import NOTHING_MORE
from wheelhouse.locking.provision import clauses
from wheelhouse.locking.refusal import broken_promise
from wheelhouse.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from packaging.version import Version

    from wheelhouse.locking.model import BuildRequirement, Lock, LockedBuild, LockedPackage


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A package that both locks have.

    :ivar old: as it was; :ivar new: as it is.
    """

    old: LockedPackage
    new: LockedPackage

    @property
    def upward(self) -> bool:
        """Whether the new version is the later one."""
        return self.new.version > self.old.version


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """Something else of a package that has changed, in words."""

    package: LockedPackage
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What one lock has otherwise than another of the same target.

    :ivar target: the target's name.
    :ivar first: whether there was no lock before.
    :ivar packages: how many there are now.
    :ivar added: packages; :ivar removed: packages, as they were.
    :ivar upgraded: those with a later version; :ivar downgraded: those with an earlier one.
    :ivar alarming: what should be looked into: another index, another content under the same name.
    :ivar files: of versions that stayed, files that came or went.
    :ivar builds: whether and how packages are built.
    :ivar learned: what of earlier builds and proofs came or went, in clauses.
    """

    target: str
    first: bool
    packages: int
    added: tuple[LockedPackage, ...] = ()
    removed: tuple[LockedPackage, ...] = ()
    upgraded: tuple[Step, ...] = ()
    downgraded: tuple[Step, ...] = ()
    alarming: tuple[Clause, ...] = ()
    files: tuple[Clause, ...] = ()
    builds: tuple[Clause, ...] = ()
    learned: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.first or any((self._moves(), self._rest()))

    def _moves(self) -> int:
        parts = (self.added, self.removed, self.upgraded, self.downgraded)
        return sum(len(part) for part in parts)

    def _rest(self) -> int:
        parts = (self.alarming, self.files, self.builds, self.learned)
        return sum(len(part) for part in parts)

    def summary(self) -> str:
        """It in one clause: ``1 upgraded, 2 added, 31 packages in all``."""
        whole = counted(self.packages, "package")
        if self.first:
            return f"new, {whole}"
        if not self:
            return f"nothing changes, {whole}"
        counts = {
            "upgraded": len(self.upgraded),
            "downgraded": len(self.downgraded),
            "added": len(self.added),
            "removed": len(self.removed),
        }
        told = [f"{number} {word}" for word, number in counts.items() if number]
        return ", ".join([*(told or ["same versions"]), f"{whole} in all"])

    def to_dict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {
            "target": self.target,
            "first": self.first,
            "packages": self.packages,
            "added": [_described(each) for each in self.added],
            "removed": [_described(each) for each in self.removed],
            "upgraded": [_step(each) for each in self.upgraded],
            "downgraded": [_step(each) for each in self.downgraded],
            "alarming": [_clause(each) for each in self.alarming],
            "files": [_clause(each) for each in self.files],
            "builds": [_clause(each) for each in self.builds],
            "learned": list(self.learned),
        }


def _described(package: LockedPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": str(package.version),
        "required_by": list(package.required_by),
    }


def _step(step: Step) -> dict[str, Any]:
    return {**_described(step.new), "before": str(step.old.version)}


def _clause(clause: Clause) -> dict[str, Any]:
    package = clause.package
    return {"name": package.name, "version": str(package.version), "change": clause.text}


def difference(old: Lock | None, new: Lock) -> Difference:
    """What *new* changes; all of it is new where there is no *old*."""
    if old is None:
        return Difference(target=new.target, first=True, packages=len(new.packages))
    before = {each.name: each for each in old.packages}
    after = {each.name: each for each in new.packages}
    both = [Step(old=before[name], new=after[name]) for name in after if name in before]
    moved = [each for each in both if each.new.version != each.old.version]
    return Difference(
        target=new.target,
        first=False,
        packages=len(new.packages),
        added=tuple(each for each in new.packages if each.name not in before),
        removed=tuple(each for each in old.packages if each.name not in after),
        upgraded=tuple(each for each in moved if each.upward),
        downgraded=tuple(each for each in moved if not each.upward),
        alarming=_told(both, _alarming),
        files=_told(both, _files),
        builds=_told(both, _built),
        learned=tuple(_learned(old, new)),
    )


def _told(steps: Iterable[Step], change: Callable[[Step], Iterator[str]]) -> tuple[Clause, ...]:
    return tuple(Clause(package=each.new, text=text) for each in steps for text in change(each))


# --- where files come from ---------------------------------------------------------------------


def origin(package: LockedPackage) -> str:
    """Where it comes from, in words; empty if its lock does not tell."""
    if package.direct is not None:
        revision = f" at {package.direct.revision}" if package.direct.revision else ""
        folder = f", folder {package.direct.subdirectory}" if package.direct.subdirectory else ""
        return f"{package.direct.location}{revision}{folder}"
    return (package.index or "").rstrip("/")


def _alarming(step: Step) -> Iterator[str]:
    before, after = origin(step.old), origin(step.new)
    if before and after and before != after:
        yield f"comes from {after} now, and no longer from {before}"
    if step.new.direct is not None:
        return  # of a folder or a branch, other content is what was asked for
    known = {each.filename: each.sha256 for each in step.old.files}
    for each in step.new.files:
        if known.get(each.filename, each.sha256) != each.sha256:
            yield f"{each.filename} has another content than before under the same name"


def _files(step: Step) -> Iterator[str]:
    if step.new.version != step.old.version:
        return
    before = {each.filename: each.sha256 for each in step.old.files}
    after = {each.filename: each.sha256 for each in step.new.files}
    came = [name for name in after if name not in before]
    went = [name for name in before if name not in after]
    if step.new.direct is not None and not came and not went and before != after:
        yield "its content changed"
    if came:
        yield _some(came, "new")
    if went:
        yield _some(went, "gone")


def _some(names: list[str], word: str) -> str:
    if len(names) == 1:
        return f"{names[0]} is {word}"
    return f"{len(names)} files are {word}, such as {names[0]}"


# --- how they are built ------------------------------------------------------------------------


def _built(step: Step) -> Iterator[str]:
    old, new = step.old.build, step.new.build
    if new is None:
        if old is not None:
            yield "has a wheel now, and is no longer built"
        return
    if old is None:
        yield "is built from its source now"
        return
    if changed := ", ".join(_moved(old.environment, new.environment)):
        yield f"build requirements: {changed}"
    if new.cuda != old.cuda:
        yield f"is built {'with' if new.cuda else 'without'} the CUDA toolkit now"
    yield from _provided(old, new)


def _moved(old: Iterable[BuildRequirement], new: Iterable[BuildRequirement]) -> Iterator[str]:
    before, after = _versions(old), _versions(new)
    for name in sorted({*before, *after}):
        if name not in before:
            yield f"{name} {after[name]} added"
        elif name not in after:
            yield f"{name} {before[name]} removed"
        elif before[name] != after[name]:
            yield f"{name} {before[name]} → {after[name]}"


def _versions(requirements: Iterable[BuildRequirement]) -> dict[str, Version]:
    return {each.name: each.version for each in requirements}


def _provided(old: LockedBuild, new: LockedBuild) -> Iterator[str]:
    """What earlier failures have taught, on whichever platform."""
    if new.provision == old.provision:
        return
    if new.provision == NOTHING_MORE:
        yield "no longer gets what earlier builds had taught"
        return
    known = set(clauses(old.provision))
    told = [each for each in clauses(new.provision) if each not in known]
    yield f"learned from failures: {'; '.join(told or clauses(new.provision))}"


# --- what else is remembered -------------------------------------------------------------------


def _learned(old: Lock, new: Lock) -> Iterator[str]:
    if old.python != new.python:
        yield f"the target's Python is {new.python}, it was {old.python}"
    yield from _toolkit(old, new)
    yield from _server(old, new)
    had, has = set(old.added), set(new.added)
    for added in sorted(has - had, key=lambda each: (each.package, each.requirement)):
        yield f"{added.package} gets {added.requirement}, which it does not declare"
    for added in sorted(had - has, key=lambda each: (each.package, each.requirement)):
        yield f"{added.package} no longer gets {added.requirement}"
    known = {each.sha256 for each in old.refused}
    for refused in new.refused:
        if refused.sha256 not in known:
            yield broken_promise(refused)


def _toolkit(old: Lock, new: Lock) -> Iterator[str]:
    if not old.toolkit and new.toolkit:
        yield "builds have a CUDA toolkit now"
    elif old.toolkit and not new.toolkit:
        yield "no build needs the CUDA toolkit any more"
    elif changed := ", ".join(_moved(old.toolkit, new.toolkit)):
        yield f"the CUDA toolkit: {changed}"


def _server(old: Lock, new: Lock) -> Iterator[str]:
    before = {each.package: each for each in old.system}
    after = {each.package: each for each in new.system}
    for name in sorted({*before, *after}):
        if name not in before:
            users = ", ".join(after[name].required_by)
            yield f"the server needs {name}" + (f", for {users}" if users else "")
        elif name not in after:
            yield f"the server no longer needs {name}"
