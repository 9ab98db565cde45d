"""Which build requirements to try after those that failed. Pure.

An sdist without upper limits builds with the newest build requirements, until one of them drops
what it used; then with those of its own time. An sdist with exact pins builds with those, until a
Python comes that they do not know; then with newer ones. What fails is told from a failure's text
where it can be (:class:`~.diagnosis.Diagnosis` has `constraints` and `requires`), and else found by
trying, from what changes least to what changes most.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelhouse.building.diagnosis import Diagnosis
    from wheelhouse.locking.model import Provision

#: When each Python was released: build requirements older than it do not know it. PEP 596 ff.
RELEASED = {
    "3.9": datetime(2020, 10, 5, tzinfo=UTC),
    "3.10": datetime(2021, 10, 4, tzinfo=UTC),
    "3.11": datetime(2022, 10, 24, tzinfo=UTC),
    "3.12": datetime(2023, 10, 2, tzinfo=UTC),
    "3.13": datetime(2024, 10, 7, tzinfo=UTC),
    "3.14": datetime(2025, 10, 7, tzinfo=UTC),
    "3.15": datetime(2026, 10, 1, tzinfo=UTC),
}


#: What Cython 0.29 generates does not compile for these: its last release came before them.
NEWER_THAN_CYTHON_0 = frozenset({"3.13", "3.14", "3.15"})


#: The first setuptools that run on Pythons without `distutils` and `pkgutil.ImpImporter`.
_FLOORS = {python: {"setuptools": "66.1"} for python in ("3.12", "3.13", "3.14", "3.15")}


def climb(
    diagnosis: Diagnosis, provision: Provision, uploaded: datetime | None, python: str
) -> Iterator[Provision]:
    """What to try after *provision* has failed with *diagnosis*, in this order.

    :param uploaded: when the sdist was; None where its index does not say.
    :param python: the target's, such as ``3.11``.
    """
    named = _with_named(diagnosis, provision)
    if named is not None and not too_old(named.constraints, python):
        yield named
    if diagnosis.regenerate:
        yield from _with_new_code(provision, python)
    if diagnosis.dated:
        yield from _of_other_ages(provision, uploaded, python)


def _with_named(diagnosis: Diagnosis, provision: Provision) -> Provision | None:
    """*provision* with what the failure's text calls for; None if it had all that."""
    if contradicts(diagnosis, provision):
        return None
    constraints = {*provision.constraints, *diagnosis.constraints}
    requires = {*provision.requires, *diagnosis.requires}
    if constraints == {*provision.constraints} and requires == {*provision.requires}:
        return None
    return replace(
        provision, constraints=tuple(sorted(constraints)), requires=tuple(sorted(requires))
    )


def too_old(constraints: Iterable[str], python: str) -> bool:
    """Whether one of *constraints* leaves only releases that do not run on *python*."""
    floors = _FLOORS.get(python.rstrip("t"), {})
    return any(
        most is not None and name in floors and most <= Version(floors[name])
        for name, (_, most) in _limits(constraints).items()
    )


def contradicts(diagnosis: Diagnosis, provision: Provision) -> bool:
    """Whether a failure calls for newer releases of something that must be old, or the reverse.

    Then *provision* was the answer to one failure and is the cause of this one.
    """
    limits = _limits((*diagnosis.constraints, *provision.constraints))
    return any(least and most and least >= most for least, most in limits.values())


def _limits(constraints: Iterable[str]) -> dict[str, tuple[Version | None, Version | None]]:
    """What is limited, from which version on and below which: ``setuptools<82``."""
    limits: dict[str, tuple[Version | None, Version | None]] = {}
    for line in constraints:
        found = Requirement(line)
        name = canonicalize_name(found.name)
        for each in found.specifier:
            least, most = limits.get(name, (None, None))
            if each.operator in {">", ">="}:
                version = Version(each.version)
                limits[name] = (max(version, least or version), most)
            elif each.operator in {"<", "<="}:
                version = Version(each.version)
                limits[name] = (least, min(version, most or version))
    return limits


def _with_new_code(provision: Provision, python: str) -> Iterator[Provision]:
    """*provision* with generated C code generated again, by an old Cython and by today's."""
    cythons = ["cython>=3"]
    if python.rstrip("t") not in NEWER_THAN_CYTHON_0:
        cythons.insert(0, "cython<3")
    others = {*provision.requires} - {*cythons}
    for cython in cythons:
        if not provision.regenerate or cython not in provision.requires:
            requires = tuple(sorted({*others, cython}))
            yield replace(provision, regenerate=True, requires=requires)


def _of_other_ages(
    provision: Provision, uploaded: datetime | None, python: str
) -> Iterator[Provision]:
    """All ages that were not reached yet: *provision*'s own is one of them, or before them."""
    ages: list[tuple[datetime | None, bool]] = [(None, False)]
    if uploaded is not None:
        both = max(uploaded, RELEASED.get(python.rstrip("t"), uploaded))
        ages += [(both, False), (None, True), (both, True)]
        if both != uploaded:
            ages.append((uploaded, False))
    else:
        ages.append((None, True))
    here = (provision.before, provision.relaxed)
    for before, relaxed in ages[ages.index(here) + 1 if here in ages else 1 :]:
        yield replace(provision, before=before, relaxed=relaxed)


def relaxed(requirement: str) -> str:
    """*requirement* without its upper limits and pins: at least what it names.

    ``numpy==1.19.3`` becomes ``numpy>=1.19.3``. What is no requirement stays as it is.
    """
    try:
        found = Requirement(requirement)
    except InvalidRequirement:
        return requirement
    lower = {"==": ">=", "===": ">=", "~=": ">=", ">=": ">=", ">": ">"}
    parts = []
    for each in found.specifier:
        with contextlib.suppress(InvalidVersion):  # `===` takes any text
            version = Version(each.version.removesuffix(".*")).public
            if each.operator in lower:
                parts.append(f"{lower[each.operator]}{version}")
    found.specifier = SpecifierSet(",".join(parts))
    return str(found)


def difference_of(old: Provision, new: Provision) -> str:
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
