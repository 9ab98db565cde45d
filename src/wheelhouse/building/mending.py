"""Trying again after a failure, with what its text says was lacking.

A build that lacks something of the distribution gets the package that has it; one whose build
requirements are of the wrong age gets others. Both are bounded, and what made it work in the end
is the :class:`~wheelhouse.locking.model.Provision` that the lock remembers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from wheelhouse.building.answers import system_fix
from wheelhouse.building.failed import FailedBuildError
from wheelhouse.building.ladder import climb, contradicts, difference_of, too_old
from wheelhouse.building.symptoms import Diagnosis
from wheelhouse.errors import (
    EngineError,
    FetchError,
    ImageError,
    LockError,
    PlanError,
    StaleLockError,
    WheelhouseError,
    flatten,
)
from wheelhouse.events import Notice
from wheelhouse.locking.model import NOTHING_MORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from packaging.utils import NormalizedName

    from wheelhouse.engine import TargetImages
    from wheelhouse.events import Reporter
    from wheelhouse.locking.model import LockedPackage, Provision
    from wheelhouse.missing import Missing, PackageFinder
    from wheelhouse.targets import Target

T = TypeVar("T")

#: Attempts at one thing. Real packages that lack much lack five or six things, one after another.
MOST = 16


class NothingNewError(Exception):
    """What was to be tried turned out to be what has failed already: the same, to the last byte."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The sdist that is built, or asked.

    :ivar title: what it is called in messages: ``demo 1.0``.
    :ivar uploaded: when it was put on its index, if that says so.
    :ivar asked_by: who wants it, as its lock will say.
    :ivar system: the distribution's packages that its builder has, because they are declared.
    """

    name: NormalizedName
    title: str
    uploaded: datetime | None
    asked_by: tuple[str, ...] = ()
    system: tuple[str, ...] = ()

    @classmethod
    def of(cls, package: LockedPackage, system: tuple[str, ...]) -> Subject:
        """The sdist of *package*."""
        return cls(
            name=package.name,
            title=str(package),
            uploaded=package.sdist.upload_time if package.sdist else None,
            asked_by=package.required_by,
            system=system,
        )

    def __str__(self) -> str:
        return self.title


class Mender:
    """Mends the builds of one target.

    :param finder: knows the packages of the builder's distribution.
    :param auto_system: whether builds get them; else they are proposed.
    :param learning: whether anything may be tried that the lock does not have.
    """

    def __init__(
        self,
        target: Target,
        images: TargetImages,
        finder: PackageFinder,
        reporter: Reporter,
        *,
        auto_system: bool,
        learning: bool,
    ) -> None:
        self.target = target
        self.platform = images.build_place.preset
        self.finder = finder
        self.auto_system = auto_system
        self.learning = learning
        self._reporter = reporter

    def until_done(
        self, subject: Subject, provision: Provision, attempt: Callable[[Provision], T]
    ) -> T:
        """What *attempt* gives, called until it works; with *provision* first, then with others.

        :param attempt: may raise NothingNewError instead of doing again what has failed.
        :raises WheelhouseError: what it raised, where nothing else is left to try: the failure
            that says most, with what was tried and what a person can do.
        """
        course = _Course(self, subject)
        while True:
            course.begin(provision)
            try:
                return attempt(provision)
            except NothingNewError:
                provision = course.without_this()
            except WheelhouseError as error:
                provision = course.go_on(error)

    def tell(self, message: str) -> None:
        """Let a person know what is tried."""
        self._reporter.emit(Notice(target=self.target.name, message=message))


@dataclass(slots=True)
class _Course:
    """The attempts at one subject.

    :ivar told: the failure to tell in the end: the last before other ages were tried.
    :ivar dated: whether build requirements of other ages may help.
    :ivar diagnosis: of the last failure that says something of the sdist.
    :ivar diagnosed: what the sdist had got then.
    :ivar offered: for each missing thing, the packages tried so far, the last one in use.
    :ivar unusable: the packages that could not be installed, and why.
    :ivar added: the packages that came with the present provision.
    :ivar proposed: for each missing thing, the package that would have been tried.
    :ivar unasked: why the distribution could not be asked for packages.
    :ivar nowhere: whether it has, or offers, nothing of what was missing last.
    """

    mender: Mender
    subject: Subject
    present: Provision = NOTHING_MORE
    begun: list[Provision] = field(default_factory=list)
    attempts: int = 0
    told: WheelhouseError | None = None
    dated: bool = False
    diagnosis: Diagnosis | None = None
    diagnosed: Provision = NOTHING_MORE
    offered: dict[Missing, list[str]] = field(default_factory=dict)
    unusable: dict[str, ImageError] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    proposed: dict[Missing, str] = field(default_factory=dict)
    unasked: str | None = None
    nowhere: bool = False
    tried: list[str] = field(default_factory=list)

    def begin(self, provision: Provision) -> None:
        self.present = provision
        self.begun.append(provision)
        self.attempts += 1

    def go_on(self, error: WheelhouseError) -> Provision:
        """What to try after *error*. Raises what is to be told."""
        if isinstance(error, FailedBuildError) and error.subject == str(self.subject):
            return self.after(error)
        if isinstance(error, ImageError):
            return self.without_packages(error)
        if all(map(_is_of_environment, flatten([error]))):
            return self.without_environment(error)
        raise error

    def after(self, error: FailedBuildError) -> Provision:
        """What to try after its own failure. Raises what is to be told."""
        self.begun.append(error.provision)
        if error.diagnosis.kind == "not-generated" and self.diagnosis is not None:
            return self._without_new_code()
        self.present, self.diagnosis = error.provision, error.diagnosis
        self.diagnosed = error.provision
        self.dated = self.dated or error.diagnosis.dated
        if self.told is None or (
            _is_of_today(error.provision) and not contradicts(error.diagnosis, error.provision)
        ):
            self.told = error
        if not self.mender.learning or self.attempts >= MOST:
            raise self._conclusion()
        return self._with_packages(error.diagnosis) or self._of_another_age()

    def without_this(self) -> Provision:
        """What to try after what was nothing new. Raises what is to be told."""
        self.tried.pop()
        return self._of_another_age()

    def without_environment(self, error: WheelhouseError) -> Provision:
        """What to try after its build requirements could not be had. Raises what is to be told."""
        if self.told is None:
            self.told = error
        self.dated = True
        if not self.mender.learning:
            raise self._conclusion() from error
        return self._of_another_age()

    def without_packages(self, error: ImageError) -> Provision:
        """What to try after the packages that were added last could not be installed."""
        last, self.added = self.added, []
        if not last or self.diagnosis is None:
            error.context = error.context or (("for building", str(self.subject)),)
            raise error
        self.present = _without(self.present, self.mender.platform.name, last)
        if self.attempts >= MOST:
            raise self._conclusion() from error
        if len(last) > 1:  # one of them may be at fault: they come one by one now
            return self._with_one_of(last)
        self.unusable[last[0]] = error
        return self._with_packages(self.diagnosis) or self._of_another_age()

    def _with_one_of(self, packages: list[str]) -> Provision:
        """The present provision with the first of *packages*; the others were not tried yet."""
        first, *others = packages
        for names in self.offered.values():
            names[:] = [name for name in names if name not in others]
        self.added = [first]
        return self.present.with_system(self.mender.platform.name, [first])

    # -- Packages of the distribution ------------------------------------------------------

    def _with_packages(self, diagnosis: Diagnosis) -> Provision | None:
        """The present provision with the packages that have what is missing, if any do."""
        self.added = []
        if not diagnosis.missing:
            return self._with_a_guess(diagnosis.guesses)
        if diagnosis.kind == "missing-cuda" and self.mender.target.cuda:
            return None  # the distribution's is of another version than the target's
        found = self._find(diagnosis.missing)
        self.nowhere = not any(found.values()) and not self.unasked
        better, words = self.present, []
        for missing in diagnosis.missing:
            better, word = self._for_one(missing, found.get(missing, ()), better)
            words += [f"{missing}: {word}"] if word else []
        return self._given(better, "lacks " + "; ".join(words))

    def _with_a_guess(self, guesses: Sequence[Missing]) -> Provision | None:
        """The present provision with a package for the first of *guesses* that anything has."""
        found = self._find(guesses) if guesses else {}
        for missing in guesses:
            if missing not in self.offered and (candidates := found.get(missing)):
                better, word = self._for_one(missing, candidates, self.present)
                return self._given(better, f"may lack {missing}: {word}")
        return None

    def _given(self, better: Provision, why: str) -> Provision | None:
        """*better*, if that is more than the present provision, and may be given."""
        if better == self.present:
            return None
        self._say(why, f"with {', '.join(self.added)} in its builder" if self.added else why)
        return better

    def _find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        """Their packages; none where nobody can say. The build's own failure is what counts."""
        try:
            return self.mender.finder.find(missing)
        except EngineError as error:
            self.unasked = error.message
            return {}

    def _for_one(
        self, missing: Missing, candidates: Iterable[str], provision: Provision
    ) -> tuple[Provision, str]:
        """*provision* with what may have *missing*, and what that is; nothing is tried twice."""
        platform = self.mender.platform.name
        before = self.offered.setdefault(missing, [])
        there = {*self.subject.system, *self.present.system.get(platform, ())}
        names = [name for name in candidates if name not in self.unusable]
        usable = [name for name in names if name not in before and name not in there]
        line = f"{missing.kind} {missing.name}"
        searchable = missing.kind in {"header", "library"} and line not in provision.search
        if searchable and (not usable or before or there & {*names}):
            # Its package is there. Then it is where compilers do not look.
            search = tuple(sorted({*provision.search, line}))
            return replace(provision, search=search), "looked for in all folders"
        if not usable:
            return provision, ""
        if not self.mender.auto_system:
            self.proposed[missing] = usable[0]
            return provision, ""
        if before and not self._is_for_another(before[-1], missing):
            provision = _without(provision, platform, before[-1:])
        before.append(usable[0])
        if usable[0] not in self.added:
            self.added.append(usable[0])
        return provision.with_system(platform, usable[:1]), f"{usable[0]} is put into its builder"

    def _is_for_another(self, package: str, missing: Missing) -> bool:
        """Whether *package* is in use for something else than *missing*."""
        others = (names for other, names in self.offered.items() if other != missing)
        return any(names[-1:] == [package] for names in others)

    # -- Build requirements of other ages --------------------------------------------------

    def _of_another_age(self) -> Provision:
        for other in self._climb() if self.mender.learning else ():
            if other not in self.begun:
                self.added = []
                difference = difference_of(self.present, other)
                self._say(f"is tried {difference}", difference)
                return other
        raise self._conclusion()

    def _without_new_code(self) -> Provision:
        """What to try after there was no code to generate again: as if that had not been tried."""
        assert self.diagnosis is not None
        self.tried.pop()
        self.present = self.diagnosed
        self.diagnosis = replace(self.diagnosis, regenerate=False)
        return self._of_another_age()

    def _climb(self) -> Iterable[Provision]:
        known = self.diagnosis or Diagnosis(kind="environment", cause="", hint="")
        asked = replace(known, dated=self.dated)
        return climb(asked, self.present, self.subject.uploaded, self.mender.target.python)

    # -- What a person is told -------------------------------------------------------------

    def _say(self, what: str, tried: str) -> None:
        self.tried.append(tried)
        self.mender.tell(f"{self.subject} {what}")

    def _conclusion(self) -> WheelhouseError:
        assert self.told is not None
        if not isinstance(self.told, FailedBuildError) or self.told.subject != str(self.subject):
            return self.told
        diagnosis = self.told.diagnosis
        hint, fix = self._help(diagnosis) or (diagnosis.hint, diagnosis.fix)
        return self.told.told(asked_by=self.subject.asked_by, tried=self.tried, hint=hint, fix=fix)

    def _help(self, diagnosis: Diagnosis) -> tuple[str, str | None] | None:
        """Hint and lines for `wheelhouse.toml`, where those of *diagnosis* are not the best."""
        title = self.mender.platform.title
        if named := self._in_vain(diagnosis):
            return (
                f"{named} does not make it build for this Python: pin a newer "
                f"{self.subject.name}, or choose a target with an older one"
            ), None
        lacking = (*diagnosis.missing, *diagnosis.guesses)
        if proposed := {self.proposed[each] for each in lacking if each in self.proposed}:
            hint = f"{title} has it in {', '.join(sorted(proposed))}; these lines add it"
            return hint, system_fix(self.subject.name, sorted({*self.subject.system, *proposed}))
        if not self.mender.learning and (diagnosis.missing or self.dated):
            return (
                "run `wheelhouse build` without --locked: it looks for what the build lacks, and "
                "writes that into the lock"
            ), None
        if refused := self._refused(diagnosis):
            return refused, None
        if diagnosis.missing and self.unasked:
            hint = f"{diagnosis.hint}. Its package could not be looked up: {self.unasked}"
            return hint, None
        if diagnosis.missing and self.nowhere:
            return (
                f"no package of {title} has it, or it is there and does not help: pin another "
                f"version of {self.subject.name}, or choose a platform whose distribution has it"
            ), None
        return None

    def _in_vain(self, diagnosis: Diagnosis) -> str:
        """The limits and requirements that *diagnosis* calls for, if they do not help."""
        named = {*diagnosis.constraints, *diagnosis.requires}
        given = any(named <= {*each.constraints, *each.requires} for each in self.begun)
        unfit = too_old(diagnosis.constraints, self.mender.target.python)
        return " and ".join(sorted(named)) if given or unfit else ""

    def _refused(self, diagnosis: Diagnosis) -> str | None:
        """Which package might help against *diagnosis*, and why it cannot be installed."""
        for missing in diagnosis.missing:
            for name in self.offered.get(missing, ()):
                if error := self.unusable.get(name):
                    more = f" ({error.hint})" if error.hint else ""
                    return f"{name} may have it, and cannot be installed: {error.message}{more}"
        return None


def _is_of_environment(error: WheelhouseError) -> bool:
    """Whether *error* says that build requirements cannot be had, or built: others might."""
    lasting = (FetchError, PlanError, StaleLockError)
    return isinstance(error, (FailedBuildError, LockError)) and not isinstance(error, lasting)


def _is_of_today(provision: Provision) -> bool:
    """Whether *provision* changes nothing but what a failure's text has called for."""
    return not (provision.before or provision.relaxed or provision.regenerate)


def _without(provision: Provision, platform: str, packages: Iterable[str]) -> Provision:
    left = tuple(name for name in provision.system.get(platform, ()) if name not in {*packages})
    others = {name: each for name, each in provision.system.items() if name != platform}
    return replace(provision, system={**others, platform: left} if left else others)
