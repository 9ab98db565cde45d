"""What is learnt from a proof that failed, and what is told where nothing may be learnt."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import project

from housefactory import Package, debian12, make_house
from wheelhouse.config import PackageSettings
from wheelhouse.errors import EngineError, ProofError, SeveralErrors, WheelhouseError
from wheelhouse.locking.model import AddedRequirement, SystemRequirement
from wheelhouse.proofreport import Finding, Proof
from wheelhouse.proving import Lesson, Terms, learn
from wheelhouse.targets import presets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wheelhouse.house import House
    from wheelhouse.missing import Missing

GL = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"


class Table:
    """A finder that knows what it was told; *asked* are the questions."""

    def __init__(self, packages: Mapping[str, tuple[str, ...]]) -> None:
        self.packages = packages
        self.asked: list[Sequence[Missing]] = []

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        self.asked.append(missing)
        return {each: self.packages.get(each.name, ()) for each in missing}


class Mute:
    """A finder of which the index cannot be had."""

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        raise EngineError("the mirror does not answer")


DEBIAN = Table(
    {"libGL.so.1": ("libgl1", "libgl1-nvidia"), "libX11.so.6": ("libx11-6",), "dot": ("graphviz",)}
)


def finding(message: str, distribution: str = "one", **more: Any) -> Finding:
    base = Finding(
        distribution=distribution,
        module=distribution,
        what="module",
        kind="library",
        message=message,
        missing=None,
        traceback=f"Traceback (most recent call last):\n{message}\n",
        origin=None,
    )
    return replace(base, **more)


def hidden(name: str, distribution: str = "one", **more: Any) -> Finding:
    message = f"ModuleNotFoundError: No module named '{name}'"
    return finding(message, distribution, kind="missing", missing=name, **more)


def proof(*failures: Finding, lacking: tuple[str, ...] = ()) -> Proof:
    return Proof(
        installed=2,
        imports=1,
        programs=(),
        pip="26.1",
        failures=failures,
        optional=(),
        lacking=lacking,
        install_seconds=1.0,
        import_seconds=1.0,
    )


@pytest.fixture
def house(tmp_path: Path) -> House:
    packages = [
        Package(name="one", system_libraries=("libGL.so.1", "libX11.so.6", "libcuda.so.1")),
        Package(name="two", system_libraries=("libX11.so.6",), system_programs=("dot",)),
    ]
    return make_house(tmp_path, packages, debian12())


@pytest.fixture
def terms(tmp_path: Path) -> Terms:
    return Terms(project=project(tmp_path), target=debian12(), platform=presets()["debian12"])


def settings(terms: Terms, **changed: Any) -> Terms:
    """*terms* of a project with other settings."""
    return replace(terms, project=replace(terms.project, **changed))


def refusals(
    house: House, proof: Proof, terms: Terms, finder: Table | Mute = DEBIAN
) -> list[WheelhouseError]:
    with pytest.raises((ProofError, SeveralErrors)) as caught:
        learn(house, proof, terms, finder)
    error = caught.value
    return list(error.errors) if isinstance(error, SeveralErrors) else [error]


def needs(package: str, *names: str, by: tuple[str, ...] = ("one",)) -> SystemRequirement:
    return SystemRequirement(
        package=package,
        platform="debian12",
        libraries=tuple(name for name in names if ".so" in name),
        programs=tuple(name for name in names if ".so" not in name),
        required_by=by,
    )


# -- packages of the distribution ----------------------------------------------------------------


def test_what_is_proven_teaches_nothing(house: House, terms: Terms) -> None:
    finder = Table({})
    assert not learn(house, proof(), terms, finder)
    assert finder.asked == []


def test_a_library_that_is_missed(house: House, terms: Terms) -> None:
    lesson = learn(house, proof(finding(GL), finding(GL, "two")), terms, DEBIAN)
    assert lesson == Lesson(system=(needs("libgl1", "libGL.so.1", by=("one", "two")),))
    assert str(lesson) == "lacks libgl1"


def test_it_belongs_to_whose_code_it_is(house: House, terms: Terms) -> None:
    lesson = learn(house, proof(finding(GL, origin="two")), terms, DEBIAN)
    assert [each.required_by for each in lesson.system] == [("two",)]


def test_another_package_is_tried_where_the_first_did_not_help(house: House, terms: Terms) -> None:
    lesson = learn(house, proof(finding(GL)), replace(terms, packages={"libgl1"}), DEBIAN)
    assert [each.package for each in lesson.system] == ["libgl1-nvidia"]
    both = replace(terms, packages={"libgl1", "libgl1-nvidia"})
    (error,) = refusals(house, proof(finding(GL)), both)
    assert GL in error.message


def test_a_program_that_is_missed(house: House, terms: Terms) -> None:
    message = "FileNotFoundError: [Errno 2] No such file or directory: 'dot'"
    failure = finding(message, kind="program", missing="dot")
    assert learn(house, proof(failure), terms, DEBIAN).system == (needs("graphviz", "dot"),)


def test_what_is_linked_to_and_was_not_missed(house: House, terms: Terms) -> None:
    lacking = ("libGL.so.1", "libX11.so.6", "libcuda.so.1", "dot")
    finder = Table({**DEBIAN.packages, "libcuda.so.1": ("libcuda1",)})
    lesson = learn(house, proof(finding(GL), lacking=lacking), terms, finder)
    assert lesson.system == (
        needs("graphviz", "dot", by=("two",)),
        needs("libgl1", "libGL.so.1"),
        needs("libx11-6", "libX11.so.6", by=("one", "two")),
    )
    assert len(finder.asked) == 1
    assert learn(house, proof(lacking=("libcuda.so.1",)), terms, finder) == Lesson()


@pytest.mark.parametrize("finder", [Table({}), Mute()])
def test_it_stays_by_itself_where_no_package_is_known(
    house: House, terms: Terms, finder: Table | Mute
) -> None:
    assert learn(house, proof(lacking=("libX11.so.6",)), terms, finder) == Lesson()


def test_nothing_is_learnt_for_what_fails_anyway(house: House, terms: Terms) -> None:
    crash = finding("was ended by signal 6", kind="crash")
    (error,) = refusals(house, proof(crash, lacking=("libX11.so.6",)), terms)
    assert "signal 6" in error.message


def test_what_helps_one_may_help_the_others(house: House, terms: Terms) -> None:
    """A package may hide why it failed."""
    other = finding("RuntimeError: install me", "two", kind="import")
    assert learn(house, proof(finding(GL), other), terms, DEBIAN)
    impatient = replace(terms, patient=False)
    assert len(refusals(house, proof(finding(GL), other), impatient)) == 2


def test_a_library_of_the_house_is_asked_of_nobody(house: House, terms: Terms) -> None:
    finder = Table(DEBIAN.packages)
    own = replace(terms, provided={"libGL.so.1"})
    refusals(house, proof(finding(GL)), own, finder)
    assert finder.asked == []


def test_an_index_that_cannot_be_had_is_told(house: House, terms: Terms) -> None:
    (error,) = refusals(house, proof(finding(GL)), terms, Mute())
    assert "the mirror does not answer" in (error.hint or "")


def test_a_target_may_forbid(house: House, terms: Terms) -> None:
    strict = replace(terms, target=replace(terms.target, runtime_system=False))
    (error,) = refusals(house, proof(finding(GL)), strict)
    assert error.message == (
        "web: one 1.0: one does not import: it needs the shared library libGL.so.1, which "
        "Debian 12 (bookworm) has in its package libgl1; the target forbids packages of the "
        "distribution"
    )
    (error,) = refusals(house, proof(lacking=("libX11.so.6",)), strict)
    assert "one, two need the shared library libX11.so.6" in error.message
    assert "libx11-6; the target forbids" in error.message


def test_without_auto_system_the_lines_are_proposed(house: House, terms: Terms) -> None:
    own = {"one": PackageSettings(runtime_system=("ca-certificates",))}
    asking = settings(terms, auto_system=False, packages=own)
    x11 = "ImportError: libX11.so.6: cannot open shared object file"
    failures = (finding(GL), finding(x11, module="one.gui"))
    found = refusals(house, proof(*failures, lacking=("libX11.so.6",)), asking)
    lines = '[packages.one]\nruntime-system = ["ca-certificates", "libgl1", "libx11-6"]'
    assert [error.fix for error in found] == [lines, lines]
    assert found[0].evidence == ("Traceback (most recent call last):", GL)
    assert found[0].context == (("asked for by", "requirements.txt"),)
    assert learn(house, proof(lacking=("libX11.so.6",)), asking, DEBIAN) == Lesson()


def test_proposed_lines_keep_what_is_known_beforehand(tmp_path: Path, terms: Terms) -> None:
    """Lines of the user's take its place."""
    house = make_house(tmp_path, [Package(name="tabula-py")], debian12())
    asking = settings(terms, auto_system=False)
    (error,) = refusals(house, proof(finding(GL, "tabula-py")), asking)
    lines = '[packages.tabula-py]\nruntime-system = ["default-jre-headless", "libgl1"]'
    assert error.fix == lines


def test_lines_for_a_stand_in_name_its_family(house: House, terms: Terms) -> None:
    target = replace(terms.target, preset=presets()["amazonlinux2023"])
    asking = replace(settings(terms, auto_system=False), target=target)
    (error,) = refusals(house, proof(finding(GL)), asking)
    assert error.fix == '[packages.one]\nruntime-system = { debian = ["libgl1"] }'


def test_a_lock_that_must_stay_is_told_so(house: House, terms: Terms) -> None:
    fixed = replace(settings(terms, auto_requires=True), locked=True)
    for failure in (finding(GL), hidden("pkg_resources")):
        (error,) = refusals(house, proof(failure), fixed)
        assert "without --locked" in (error.hint or "")
    assert learn(house, proof(lacking=("libX11.so.6",)), fixed, DEBIAN) == Lesson()


# -- hidden dependencies -------------------------------------------------------------------------


def test_a_hidden_dependency_is_named(house: House, terms: Terms) -> None:
    own = {"one": PackageSettings(requires=("six",))}
    (error,) = refusals(house, proof(hidden("pkg_resources")), settings(terms, packages=own))
    assert error.message == (
        "web: one 1.0: one does not import: it needs pkg_resources, and does not declare it "
        "(a hidden dependency)"
    )
    assert error.fix == '[packages.one]\nrequires = ["setuptools<82", "six"]'
    assert error.evidence[-1] == "ModuleNotFoundError: No module named 'pkg_resources'"


def test_the_lines_are_toml_whatever_the_requirement(house: House, terms: Terms) -> None:
    own = {"one": PackageSettings(requires=('six; python_version < "4"',))}
    (error,) = refusals(house, proof(hidden("pkg_resources")), settings(terms, packages=own))
    assert tomllib.loads(error.fix or "") == {
        "packages": {"one": {"requires": ["setuptools<82", 'six; python_version < "4"']}}
    }


def test_it_is_added_where_that_is_allowed(house: House, terms: Terms) -> None:
    adding = settings(terms, auto_requires=True)
    failures = (hidden("pkg_resources"), hidden("pkg_resources", module="one.more"))
    lesson = learn(house, proof(*failures, hidden("yaml", "two")), adding, DEBIAN)
    assert lesson.added == (
        AddedRequirement(package="one", requirement="setuptools<82", module="pkg_resources"),  # type: ignore[arg-type]
        AddedRequirement(package="two", requirement="PyYAML", module="yaml"),  # type: ignore[arg-type]
    )
    (error,) = refusals(
        house, proof(failures[0]), replace(adding, added=lesson.added)
    )  # it did not help
    assert error.fix == '[packages.one]\nrequires = ["setuptools<82"]'


def test_a_guess_is_added_by_nobody(house: House, terms: Terms) -> None:
    """Anyone could have put a distribution of that name on the index."""
    adding = settings(terms, auto_requires=True)
    (error,) = refusals(house, proof(hidden("some_thing")), adding)
    assert "if some-thing is what has it" in (error.hint or "")
    assert error.fix == '[packages.one]\nrequires = ["some-thing"]'


# -- Requirements that are too new ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "numpy", "limit"),
    [
        ("ImportError: numpy.core.multiarray failed to import", "2.4.6", "numpy<2"),
        ("ValueError: numpy.dtype size changed, may indicate", "2.0.0", "numpy<2"),
        ("AttributeError: `np.float_` was removed in the NumPy 2.0 release.", "2.1", "numpy<2"),
        ("AttributeError: module 'numpy' has no attribute 'int'.", "1.26.4", "numpy<1.24"),
        ("ImportError: numpy.core.multiarray failed to import", "1.26.4", None),
        ("ImportError: no such thing", "2.4.6", None),
    ],
)
def test_what_is_for_an_older_numpy(
    tmp_path: Path, terms: Terms, message: str, numpy: str, limit: str | None
) -> None:
    packages = [Package(name="one"), Package(name="numpy", version=numpy)]
    house = make_house(tmp_path, packages, debian12())
    (error,) = refusals(house, proof(finding(message)), terms)
    assert error.fix == (f'[packages.one]\nrequires = ["{limit}"]' if limit else None)
    assert message in error.message
