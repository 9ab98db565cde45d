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
from wheelhouse.building.ladder import climb, contradicts
from wheelhouse.errors import FetchError, ImageError, LockError, StaleLockError, WheelhouseError
from wheelhouse.events import Notice
from wheelhouse.locking.model import NOTHING_MORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from packaging.utils import NormalizedName

    from wheelhouse.building.diagnosis import Diagnosis
    from wheelhouse.engine import TargetImages
    from wheelhouse.events import Reporter
    from wheelhouse.locking.model import Provision
    from wheelhouse.missing import Missing, PackageFinder
    from wheelhouse.targets import Target

T = TypeVar("T")

#: Attempts at one thing. Real packages that lack much lack five or six things, one after another.
MOST = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The sdist that is built, or asked.

    :ivar uploaded: when it was put on its index, if that says so.
    :ivar asked_by: who wants it, as its lock will say.
    """

    name: NormalizedName
    version: str
    uploaded: datetime | None
    asked_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


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

        :raises WheelhouseError: what it raised, where nothing else is left to try: the failure
            that says most, with what was tried and what a person can do.
        """
        course = _Course(self, subject)
        while True:
            course.begin(provision)
            try:
                return attempt(provision)
            except FailedBuildError as error:
                own = error.subject == str(subject)
                provision = course.after(error) if own else course.without_environment(error)
            except ImageError as error:
                provision = course.without_packages(error)
            except LockError as error:
                if isinstance(error, (FetchError, StaleLockError)):
                    raise
                provision = course.without_environment(error)

    def tell(self, message: str) -> None:
        """Let a person know what is tried."""
        self._reporter.emit(Notice(target=self.target.name, message=message))


@dataclass(slots=True)
class _Course:
    """The attempts at one subject.

    :ivar told: the failure to tell in the end: the last before other ages were tried.
    :ivar dated: whether build requirements of other ages may help.
    :ivar offered: for each missing thing, the packages tried so far, the last one in use.
    :ivar proposed: packages that would have been tried.
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
    offered: dict[Missing, list[str]] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)
    added: list[str] = field(default_factory=list)
    proposed: list[str] = field(default_factory=list)
    unasked: str | None = None
    nowhere: bool = False
    tried: list[str] = field(default_factory=list)

    def begin(self, provision: Provision) -> None:
        self.present = provision
        self.begun.append(provision)
        self.attempts += 1

    def after(self, error: FailedBuildError) -> Provision:
        """What to try after *error*. Raises what is to be told."""
        self.present, self.diagnosis = error.provision, error.diagnosis
        self.begun.append(error.provision)
        self.dated = self.dated or error.diagnosis.dated
        if self.told is None or (
            _is_of_today(error.provision) and not contradicts(error.diagnosis, error.provision)
        ):
            self.told = error
        if not self.mender.learning or self.attempts >= MOST:
            raise self._conclusion()
        return self._with_packages(error.diagnosis) or self._of_another_age()

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
            raise error
        self.unusable |= {*last}
        platform = self.mender.platform.name
        self.present = _without(self.present, platform, last)
        return self._with_packages(self.diagnosis) or self._of_another_age()

    # -- Packages of the distribution ------------------------------------------------------

    def _with_packages(self, diagnosis: Diagnosis) -> Provision | None:
        """The present provision with the packages that have what is missing, if any do."""
        self.added = []
        if not diagnosis.missing:
            return self._with_a_guess(diagnosis.guesses)
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
        if not self.mender.auto_system:
            platform = self.mender.platform.name
            known = self.present.system.get(platform, ())
            self.proposed = [name for name in better.system.get(platform, ()) if name not in known]
            return None
        self._say(why)
        return better

    def _find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        """Their packages; none where nobody can say. The build's own failure is what counts."""
        try:
            return self.mender.finder.find(missing)
        except ImageError as error:
            self.unasked = error.message
            return {}

    def _for_one(
        self, missing: Missing, candidates: Iterable[str], provision: Provision
    ) -> tuple[Provision, str]:
        """*provision* with what may have *missing*, and what that is; nothing is tried twice."""
        platform = self.mender.platform.name
        before = self.offered.setdefault(missing, [])
        usable = [name for name in candidates if name not in self.unusable and name not in before]
        line = f"{missing.kind} {missing.name}"
        searchable = missing.kind in {"header", "library"} and line not in provision.search
        if searchable and (before or not usable):
            # Its package is there. Then it is where compilers do not look.
            search = tuple(sorted({*provision.search, line}))
            return replace(provision, search=search), "looked for in all folders"
        if not usable:
            return provision, ""
        if before:
            provision = _without(provision, platform, before[-1:])
        before.append(usable[0])
        self.added.append(usable[0])
        return provision.with_system(platform, usable[:1]), f"{usable[0]} is put into its builder"

    # -- Build requirements of other ages --------------------------------------------------

    def _of_another_age(self) -> Provision:
        diagnosis = self.diagnosis
        for other in self._climb(diagnosis) if self.mender.learning else ():
            if other not in self.begun:
                self.added = []
                self._say(f"is tried {_difference(self.present, other)}")
                return other
        raise self._conclusion()

    def _climb(self, diagnosis: Diagnosis | None) -> Iterable[Provision]:
        from wheelhouse.building.diagnosis import Diagnosis

        known = diagnosis or Diagnosis(kind="environment", cause="", hint="")
        asked = replace(known, dated=self.dated)
        return climb(asked, self.present, self.subject.uploaded, self.mender.target.python)

    # -- What a person is told -------------------------------------------------------------

    def _say(self, what: str) -> None:
        self.tried.append(what.removeprefix("is tried "))
        self.mender.tell(f"{self.subject} {what}")

    def _conclusion(self) -> WheelhouseError:
        assert self.told is not None
        if not isinstance(self.told, FailedBuildError) or self.told.subject != str(self.subject):
            return self.told
        hint, fix = self._help(self.told.diagnosis)
        return self.told.told(asked_by=self.subject.asked_by, tried=self.tried, hint=hint, fix=fix)

    def _help(self, diagnosis: Diagnosis) -> tuple[str | None, str | None]:
        """Hint and lines for `wheelhouse.toml`, where those of *diagnosis* are not the best."""
        title = self.mender.platform.title
        if self.proposed:
            hint = f"{title} has it in {', '.join(self.proposed)}; these lines add it"
            return hint, system_fix(self.subject.name, self.proposed)
        if not self.mender.learning and (diagnosis.missing or self.dated):
            return (
                "run `wheelhouse build` without --locked: it looks for what the build lacks, and "
                "writes that into the lock"
            ), None
        if diagnosis.missing and self.unasked:
            hint = f"{diagnosis.hint}. Its package could not be looked up: {self.unasked}"
            return hint, None
        if diagnosis.missing and self.nowhere:
            return (
                f"no package of {title} has it, or it is there and does not help: pin another "
                f"version of {self.subject.name}, or choose a platform whose distribution has it"
            ), None
        return None, None


def _is_of_today(provision: Provision) -> bool:
    """Whether *provision* changes nothing but what a failure's text has called for."""
    return not (provision.before or provision.relaxed or provision.regenerate)


def _without(provision: Provision, platform: str, packages: Iterable[str]) -> Provision:
    left = tuple(name for name in provision.system.get(platform, ()) if name not in {*packages})
    others = {name: each for name, each in provision.system.items() if name != platform}
    return replace(provision, system={**others, platform: left} if left else others)


def _difference(old: Provision, new: Provision) -> str:
    """How *new* differs in build requirements: ``with setuptools<82``."""
    parts = [
        *(f"with {each}" for each in new.constraints if each not in old.constraints),
        *(f"with {each}" for each in new.requires if each not in old.requires),
    ]
    if new.regenerate and not old.regenerate:
        parts.append("with its C code generated again")
    if (new.before, new.relaxed) != (old.before, old.relaxed):
        parts.append(_age(new))
    return ", ".join(parts) or "again"


def _age(provision: Provision) -> str:
    before = provision.before
    which = (
        f"build requirements of before {before:%Y-%m-%d}"
        if before
        else "the newest build requirements"
    )
    return f"with {which}, whatever limits it sets" if provision.relaxed else f"with {which}"
