"""What is learnt from a proof that failed, before the next one.

A package may lack something of the distribution that its wheel cannot bring along, or a
requirement that it does not declare. Both are found out here only: where it is imported, in a
clean container. What is learnt goes into the lock, so that it is found out once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse.building.answers import declared_fix, runtime_fix
from wheelhouse.errors import EngineError, ProofError, raise_all
from wheelhouse.locking.model import AddedRequirement, SystemRequirement
from wheelhouse.locking.system import merged, stated_packages
from wheelhouse.missing import Missing
from wheelhouse.proofreport import explain, hidden_requirement, older_numpy, skip_hint
from wheelhouse.serverneeds import is_askable, options

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from wheelhouse.config import Project
    from wheelhouse.house import House
    from wheelhouse.manifest import WheelFacts
    from wheelhouse.missing import PackageFinder
    from wheelhouse.proofreport import Finding, Hidden, Proof
    from wheelhouse.targets import Preset, Target

_COMMIT = (
    "run `wheelhouse build` without --locked, which puts it into the lock, and commit the lock"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What the next proof is to begin with.

    :ivar system: packages of the distribution that the server must have.
    :ivar added: requirements that packages have and do not declare.
    """

    system: tuple[SystemRequirement, ...] = ()
    added: tuple[AddedRequirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.system or self.added)

    def __str__(self) -> str:
        lacking = [each.package for each in self.system]
        return f"lacks {', '.join([*lacking, *(each.requirement for each in self.added)])}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What may be learnt, and what is known already.

    :ivar platform: of which the proof's container is.
    :ivar packages: those of the distribution that the container was given.
    :ivar added: what the lock remembers.
    :ivar provided: sonames that wheels of the house have.
    :ivar locked: whether the lock must stay as it is.
    :ivar patient: whether another proof may follow.
    """

    project: Project
    target: Target
    platform: Preset
    packages: Collection[str] = ()
    added: Collection[AddedRequirement] = ()
    provided: Collection[str] = ()
    locked: bool = False
    patient: bool = True

    @property
    def may_install(self) -> bool:
        """Whether the server may be asked for more, without a person's saying so."""
        return self.target.runtime_system and self.project.auto_system and not self.locked


def learn(house: House, proof: Proof, terms: Terms, finder: PackageFinder) -> Lesson:
    """What is to be done before *house* is proven again; nothing if it is proven.

    :param finder: knows the packages of the platform on which the proof ran.
    :raises ProofError: *proof* has failures, and nothing that may be done would help;
        `SeveralErrors` if there are several.
    """
    return _Lessons(house=house, proof=proof, terms=terms, finder=finder).learn()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Help:
    """A package of the distribution that has what a finding came about for want of."""

    missing: Missing
    package: str


@dataclass(kw_only=True, slots=True)
class _Lessons:
    """The lessons of one proof.

    :ivar unknown: why nobody could say which package has something.
    """

    house: House
    proof: Proof
    terms: Terms
    finder: PackageFinder
    unknown: str | None = None
    system: list[SystemRequirement] = field(default_factory=list)
    added: list[AddedRequirement] = field(default_factory=list)
    errors: list[ProofError] = field(default_factory=list)

    def learn(self) -> Lesson:
        wanted = {each: self._options(each) for each in self.proof.failures}
        lacking = self._lacking()
        everything = [each for some in wanted.values() for each in some] + [*lacking]
        found = self._find(list(dict.fromkeys(everything)))
        helped = {each: self._help(wanted[each], found) for each in wanted}
        for finding, help_ in helped.items():
            self._take(finding, help_, helped)
        if self.errors and not (self.terms.patient and (self.system or self.added)):
            raise_all(self.errors)
        self._take_lacking(lacking, found)
        return Lesson(system=merged(self.system), added=tuple(dict.fromkeys(self.added)))

    # -- What of the distribution is lacking -----------------------------------------------

    def _options(self, finding: Finding) -> tuple[Missing, ...]:
        return options(finding, self.terms.provided)

    def _lacking(self) -> dict[Missing, list[str]]:
        """What the manifest says a machine needs and the container lacks, and who needs it."""
        needs: dict[Missing, list[str]] = defaultdict(list)
        for wheel in self.house.manifest.wheels:
            for missing in _needs(wheel):
                if missing.name in self.proof.lacking and is_askable(missing, self.terms.provided):
                    needs[missing].append(wheel.name)
        return needs

    def _find(self, missing: list[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        if not missing:
            return {}
        try:
            return self.finder.find(missing)
        except EngineError as error:
            self.unknown = error.message
            return {}

    def _help(
        self, wanted: tuple[Missing, ...], found: Mapping[Missing, tuple[str, ...]]
    ) -> _Help | None:
        """The first of *wanted* that a package has which the container was not given."""
        return next(
            (
                _Help(missing=missing, package=package)
                for missing in wanted
                for package in found.get(missing, ())
                if package not in self.terms.packages
            ),
            None,
        )

    # -- Failures --------------------------------------------------------------------------

    def _take(
        self, finding: Finding, help_: _Help | None, helped: Mapping[Finding, _Help | None]
    ) -> None:
        """Learn from *finding*, or tell it."""
        if hidden := hidden_requirement(self.house, finding):
            self._take_hidden(finding, hidden)
        elif help_ is None:
            self.errors.append(self._unhelped(finding))
        elif self.terms.may_install and self.terms.patient:
            self.system.append(self._requirement(help_, [finding.culprit]))
        else:
            proposed = {
                each.package
                for other, each in helped.items()
                if each is not None and other.culprit == finding.culprit
            }
            self.errors.append(self._refused(finding, help_, proposed))

    def _unhelped(self, finding: Finding) -> ProofError:
        if limit := older_numpy(self.house, finding):
            return self._limited(finding, limit)
        if self.unknown is None or not self._options(finding):
            return explain(self.house, finding)
        error = explain(self.house, finding)
        error.hint = f"{error.hint} (which package has it is not known: {self.unknown})"
        return error

    def _limited(self, finding: Finding, limit: str) -> ProofError:
        """It is for older releases of a requirement than its metadata say."""
        who = finding.distribution
        own = self.terms.project.settings(who).requires
        return explain(
            self.house,
            finding,
            cause=f"it is for {limit}, and does not say so: {finding.message}",
            hint=f"say so in its place, or take a newer {who}; {skip_hint(finding)}",
            fix=declared_fix(who, sorted({*own, limit})),
        )

    def _refused(self, finding: Finding, help_: _Help, proposed: set[str]) -> ProofError:
        """*help_* is known and must not be given."""
        terms, who = self.terms, finding.culprit
        cause = (
            f"it needs {help_.missing}, which {terms.platform.title} has in its package "
            f"{help_.package}"
        )
        if not terms.target.runtime_system:
            return explain(
                self.house,
                finding,
                cause=f"{cause}; the target forbids packages of the distribution",
                hint=f"use what does without in place of {who}, or take `runtime-system = false` "
                f"out of [targets.{terms.target.name}]; {skip_hint(finding)}",
            )
        if terms.locked:
            return explain(self.house, finding, cause=cause, hint=_COMMIT)
        return explain(
            self.house,
            finding,
            cause=cause,
            hint="have the server get it: then the proof installs it, and install.sh asks for it",
            fix=self._runtime_fix(who, proposed),
        )

    def _runtime_fix(self, name: str, packages: set[str]) -> str:
        family = self.terms.platform.family
        own = stated_packages(self.terms.project, canonicalize_name(name), family)
        only = None if family == self.terms.target.preset.family else family
        return runtime_fix(name, sorted({*own, *packages}), only)

    def _take_hidden(self, finding: Finding, hidden: Hidden) -> None:
        terms = self.terms
        requirement = AddedRequirement(
            package=canonicalize_name(hidden.package),
            requirement=hidden.requirement,
            module=hidden.module,
        )
        known = {(each.package, each.requirement) for each in terms.added}
        is_new = (requirement.package, requirement.requirement) not in known
        may_add = terms.project.auto_requires and hidden.known and not terms.locked
        if is_new and may_add and terms.patient:
            self.added.append(requirement)
        else:
            self.errors.append(self._hidden_error(finding, hidden))

    def _hidden_error(self, finding: Finding, hidden: Hidden) -> ProofError:
        cause = f"it needs {hidden.module}, and does not declare it (a hidden dependency)"
        if self.terms.locked and self.terms.project.auto_requires and hidden.known:
            return explain(self.house, finding, cause=cause, hint=_COMMIT)
        guess = "" if hidden.known else f", if {hidden.requirement} is what has it"
        automatic = ", or have it added by `auto-requires = true`" if hidden.known else ""
        own = self.terms.project.settings(hidden.package).requires
        return explain(
            self.house,
            finding,
            cause=cause,
            hint=f"declare it in its place{guess}{automatic}; {skip_hint(finding)}",
            fix=declared_fix(hidden.package, sorted({*own, hidden.requirement})),
        )

    # -- What no import came about to need -------------------------------------------------

    def _take_lacking(
        self, lacking: Mapping[Missing, list[str]], found: Mapping[Missing, tuple[str, ...]]
    ) -> None:
        """Learn the packages of what is needed and was not missed; of what has none, nothing."""
        taken = {name for each in self.system for name in (*each.libraries, *each.programs)}
        for missing, names in lacking.items():
            help_ = self._help((missing,), found)
            if help_ is None or missing.name in taken:
                continue
            if not self.terms.target.runtime_system:
                self.errors.append(self._forbidden(help_, names))
            elif self.terms.may_install and self.terms.patient:
                self.system.append(self._requirement(help_, names))
        if not self.terms.target.runtime_system:
            raise_all(self.errors)

    def _forbidden(self, help_: _Help, names: list[str]) -> ProofError:
        terms = self.terms
        verb = "needs" if len(names) == 1 else "need"
        return ProofError(
            f"{terms.target.name}: {', '.join(names)} {verb} {help_.missing}, which "
            f"{terms.platform.title} has in its package {help_.package}; the target forbids "
            "packages of the distribution",
            hint="use what does without, or take `runtime-system = false` out of "
            f"[targets.{terms.target.name}]",
        )

    def _requirement(self, help_: _Help, required_by: list[str]) -> SystemRequirement:
        name = (help_.missing.name,)
        return SystemRequirement(
            package=help_.package,
            platform=self.terms.platform.name,
            libraries=() if help_.missing.kind == "program" else name,
            programs=name if help_.missing.kind == "program" else (),
            required_by=tuple(required_by),
        )


def _needs(wheel: WheelFacts) -> Iterator[Missing]:
    yield from (Missing("soname", name) for name in wheel.system_libraries)
    yield from (Missing("program", name) for name in wheel.system_programs)
