"""Trying again: what is tried, in which order, how often, and what is told in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from lockingfactory import images, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.building.diagnosis import Diagnosis
from wheelhouse.building.failed import FailedBuildError
from wheelhouse.building.mending import MOST, Mender, NothingNewError, Subject
from wheelhouse.cuda import Cuda
from wheelhouse.errors import (
    EngineError,
    FetchError,
    ImageError,
    LockError,
    SeveralErrors,
    WheelhouseError,
)
from wheelhouse.events import Event, Notice
from wheelhouse.locking.model import NOTHING_MORE, Provision
from wheelhouse.missing import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PQ = Missing("header", "libpq-fe.h")
HDF5 = Missing("header", "hdf5.h")
CARGO = Missing("program", "cargo")
UPLOADED = datetime(2020, 6, 22, tzinfo=UTC)
SUBJECT = Subject(
    name=canonicalize_name("demo"), title="demo 1.0", uploaded=UPLOADED, asked_by=("a.txt:1",)
)


class Shelf:
    """A distribution whose packages are in a table. Implements `PackageFinder`."""

    def __init__(self, packages: Mapping[Missing, tuple[str, ...]]) -> None:
        self.packages = packages

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        return {each: self.packages.get(each, ()) for each in missing}


class Bench:
    """Tries *attempt* until it works; keeps what was tried and told."""

    def __init__(
        self,
        packages: Mapping[Missing, tuple[str, ...]] | None = None,
        *,
        auto_system: bool = True,
        learning: bool = True,
    ) -> None:
        self.tried: list[Provision] = []
        self.notices: list[str] = []
        self.mender = Mender(
            target(),
            images(),
            Shelf(packages or {}),
            self,
            auto_system=auto_system,
            learning=learning,
        )

    def emit(self, event: Event) -> None:
        assert isinstance(event, Notice)
        self.notices.append(event.message)

    def run(
        self,
        judge: Callable[[Provision], WheelhouseError | None],
        start: Provision = NOTHING_MORE,
        *,
        subject: Subject = SUBJECT,
    ) -> Provision:
        def attempt(provision: Provision) -> Provision:
            self.tried.append(provision)
            error = judge(provision)
            if error is not None:
                raise error
            return provision

        return self.mender.until_done(subject, start, attempt)


def system(provision: Provision) -> tuple[str, ...]:
    return provision.system.get("debian12", ())


def fails(provision: Provision, *missing: Missing, **more: object) -> FailedBuildError:
    said = Diagnosis(kind="k", cause=f"it lacks {len(missing)}", hint="help it", missing=missing)
    said = replace(said, **more)  # type: ignore[arg-type]
    return FailedBuildError("demo 1.0", "building its wheel", said, provision, None)


def test_what_works_is_tried_once() -> None:
    bench = Bench()
    assert bench.run(lambda _: None) == NOTHING_MORE
    assert bench.notices == []


def test_what_lacks_something_of_the_distribution_gets_it() -> None:
    bench = Bench({PQ: ("libpq-dev", "libecpg-dev"), CARGO: ("cargo",)})

    def judge(given: Provision) -> WheelhouseError | None:
        lacking = [
            each
            for each, name in ((PQ, "libpq-dev"), (CARGO, "cargo"))
            if name not in system(given)
        ]
        return fails(given, lacking[0]) if lacking else None

    assert system(bench.run(judge)) == ("cargo", "libpq-dev")
    assert len(bench.tried) == 3
    assert (
        bench.notices[0]
        == "demo 1.0 lacks the header libpq-fe.h: libpq-dev is put into its builder"
    )


@pytest.mark.parametrize("has_cuda", [True, False])
def test_a_toolkit_of_the_distribution_is_for_targets_without_one(*, has_cuda: bool) -> None:
    nvcc = Missing("program", "nvcc")
    bench = Bench({nvcc: ("nvidia-cuda-toolkit",)})
    if has_cuda:
        bench.mender.target = replace(target(), cuda=Cuda(version=Version("13.2")))

    def judge(given: Provision) -> WheelhouseError | None:
        return None if system(given) else fails(given, nvcc, kind="missing-cuda")

    if not has_cuda:
        assert system(bench.run(judge)) == ("nvidia-cuda-toolkit",)
        return
    with pytest.raises(FailedBuildError):
        bench.run(judge)
    assert not any(system(given) for given in bench.tried)


def test_a_package_that_does_not_help_is_searched_then_replaced() -> None:
    bench = Bench({HDF5: ("wrong-dev", "right-dev")})
    found = bench.run(lambda given: None if "right-dev" in system(given) else fails(given, HDF5))
    assert [(system(each), each.search) for each in bench.tried] == [
        ((), ()),
        (("wrong-dev",), ()),
        (("wrong-dev",), ("header hdf5.h",)),
        (("right-dev",), ("header hdf5.h",)),
    ]
    assert system(found) == ("right-dev",)


def test_what_is_installed_where_no_compiler_looks_is_looked_for() -> None:
    bench = Bench()  # whose packages are all installed
    found = bench.run(lambda given: None if given.search else fails(given, HDF5))
    assert found.search == ("header hdf5.h",)


def test_a_package_that_cannot_be_installed_is_left_out() -> None:
    bench = Bench({PQ: ("broken-dev", "libpq-dev")})

    def judge(given: Provision) -> WheelhouseError | None:
        if "broken-dev" in system(given):
            return ImageError("no such package")
        return None if system(given) else fails(given, PQ)

    assert system(bench.run(judge)) == ("libpq-dev",)


def test_of_several_that_cannot_be_installed_together_each_is_tried() -> None:
    bench = Bench({PQ: ("broken-dev", "libpq-dev"), HDF5: ("libhdf5-dev",)})

    def judge(given: Provision) -> WheelhouseError | None:
        if "broken-dev" in system(given):
            return ImageError("no such package")
        packages = {PQ: "libpq-dev", HDF5: "libhdf5-dev"}
        lacking = [each for each, name in packages.items() if name not in system(given)]
        return fails(given, *lacking) if lacking else None

    assert system(bench.run(judge)) == ("libhdf5-dev", "libpq-dev")


def test_why_a_package_cannot_be_installed_is_told() -> None:
    bench = Bench({CARGO: ("cargo",)})

    def judge(given: Provision) -> WheelhouseError:
        if system(given):
            return ImageError("the mirror does not answer", hint="choose another")
        return fails(given, CARGO)

    with pytest.raises(FailedBuildError) as told:
        bench.run(judge)
    assert told.value.hint == (
        "cargo may have it, and cannot be installed: the mirror does not answer (choose another)"
    )


def test_images_that_fail_for_ever_come_to_an_end() -> None:
    things = [Missing("program", f"p{number}") for number in range(16)]
    bench = Bench({each: (f"{each.name}-a", f"{each.name}-b") for each in things})

    def judge(given: Provision) -> WheelhouseError:
        return ImageError("no network") if system(given) else fails(given, *things)

    with pytest.raises(FailedBuildError):
        bench.run(judge)
    assert len(bench.tried) <= MOST


def test_a_package_that_is_there_is_looked_for_before_another_is_tried() -> None:
    """The lock knows it of another version, or it is declared."""
    there = Provision(system={"debian12": ("libhdf5-dev",)})
    bench = Bench({HDF5: ("libhdf5-dev", "libhdf5-mpi-dev")})
    found = bench.run(lambda given: None if given.search else fails(given, HDF5), there)
    assert found == replace(there, search=("header hdf5.h",))
    declared = replace(SUBJECT, system=("libhdf5-dev",))
    found = bench.run(lambda given: None if given.search else fails(given, HDF5), subject=declared)
    assert found == Provision(search=("header hdf5.h",))


def test_a_package_that_others_need_is_not_taken_away() -> None:
    bench = Bench({PQ: ("both-dev",), HDF5: ("both-dev", "libhdf5-dev")})

    def judge(given: Provision) -> WheelhouseError | None:
        if "both-dev" not in system(given):
            return fails(given, PQ, HDF5)
        return None if "libhdf5-dev" in system(given) else fails(given, HDF5)

    assert system(bench.run(judge)) == ("both-dev", "libhdf5-dev")


def test_an_image_that_fails_by_itself_is_told() -> None:
    with pytest.raises(ImageError, match="no space"):
        Bench().run(lambda _: ImageError("no space"))


def test_an_image_that_fails_tells_what_it_was_for() -> None:
    """A package that the settings name may not be there."""
    with pytest.raises(ImageError) as told:
        Bench().run(lambda _: ImageError("Debian has no package libpq-devel"))
    assert told.value.context == (("for building", "demo 1.0"),)


def test_a_distribution_that_cannot_be_asked_hides_no_failure() -> None:
    class Unreachable:
        def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
            raise ImageError("the mirror does not answer")

    bench = Bench()
    bench.mender.finder = Unreachable()
    with pytest.raises(FailedBuildError, match="it lacks 1") as told:
        bench.run(lambda given: fails(given, CARGO))
    assert told.value.hint == (
        "help it. Its package could not be looked up: the mirror does not answer"
    )


def test_what_a_build_says_in_its_own_words_is_asked_for_and_may_be_nothing() -> None:
    guesses = (Missing("pkg-config", "version"), Missing("pkg-config", "tss2-esapi"))
    bench = Bench({guesses[1]: ("libtss2-dev",)})
    found = bench.run(lambda given: None if system(given) else fails(given, guesses=guesses))
    assert system(found) == ("libtss2-dev",)
    assert bench.notices == [
        "demo 1.0 may lack the pkg-config file tss2-esapi.pc: libtss2-dev is put into its builder"
    ]


def test_a_guess_that_does_not_help_is_made_once() -> None:
    guess = Missing("pkg-config", "tss2-esapi")
    bench = Bench({guess: ("libtss2-dev",)})
    with pytest.raises(FailedBuildError):
        bench.run(lambda given: fails(given, guesses=(guess,)))
    assert [system(each) for each in bench.tried] == [(), ("libtss2-dev",)]


def test_an_engine_that_cannot_ask_hides_no_failure() -> None:
    class Broken:
        def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
            raise EngineError("the packages cannot be asked for")

    bench = Bench()
    bench.mender.finder = Broken()
    with pytest.raises(FailedBuildError, match="it lacks 1"):
        bench.run(lambda given: fails(given, CARGO))


def test_what_the_distribution_does_not_have_is_told_as_such() -> None:
    with pytest.raises(FailedBuildError) as told:
        Bench().run(lambda given: fails(given, CARGO))
    assert (told.value.hint or "").startswith("no package of Debian 12 (bookworm) has it")


def test_without_leave_packages_are_proposed() -> None:
    bench = Bench({PQ: ("libpq-dev",)}, auto_system=False)
    with pytest.raises(FailedBuildError) as told:
        bench.run(lambda given: fails(given, PQ))
    assert len(bench.tried) == 1
    assert told.value.fix == '[packages.demo]\nsystem = ["libpq-dev"]'
    assert told.value.hint is not None
    assert "libpq-dev" in told.value.hint
    assert ("asked for by", "a.txt:1") in told.value.context


def test_what_is_proposed_is_for_the_failure_that_is_told() -> None:
    bench = Bench({PQ: ("libpq-dev",), CARGO: ("cargo",)}, auto_system=False)

    def judge(given: Provision) -> WheelhouseError:
        return fails(given, CARGO if given.before or given.relaxed else PQ, dated=True)

    with pytest.raises(FailedBuildError) as told:
        bench.run(judge)
    assert len(bench.tried) > 2
    assert told.value.fix == '[packages.demo]\nsystem = ["libpq-dev"]'


def test_proposed_lines_keep_what_is_declared() -> None:
    bench = Bench({PQ: ("libpq-dev",)}, auto_system=False)
    with pytest.raises(FailedBuildError) as told:
        bench.run(lambda given: fails(given, PQ), subject=replace(SUBJECT, system=("zlib1g-dev",)))
    assert told.value.fix == '[packages.demo]\nsystem = ["libpq-dev", "zlib1g-dev"]'


def test_what_may_learn_nothing_fails_at_once_and_says_what_would_help() -> None:
    bench = Bench({PQ: ("libpq-dev",)}, learning=False)
    with pytest.raises(FailedBuildError) as told:
        bench.run(lambda given: fails(given, PQ))
    assert len(bench.tried) == 1
    assert "without --locked" in (told.value.hint or "")


def test_known_limits_and_then_other_ages_are_tried() -> None:
    bench = Bench()
    found = bench.run(
        lambda given: None if given.before else fails(given, constraints=("cython<3",), dated=True)
    )
    assert [each.constraints for each in bench.tried] == [(), ("cython<3",), ("cython<3",)]
    assert found.before is not None
    assert bench.notices[0] == "demo 1.0 is tried with cython<3"
    assert "build requirements of before 2022-10-24" in bench.notices[1]


def test_the_failure_of_today_is_what_is_told() -> None:
    bench = Bench()
    with pytest.raises(FailedBuildError) as told:
        bench.run(
            lambda given: fails(given, cause="of old" if given.before else "of today", dated=True)
        )
    assert "of today" in told.value.message
    assert any(label == "also tried" for label, _ in told.value.context)


def test_what_a_limit_has_broken_is_not_what_is_told() -> None:
    """No setuptools that knows `use_2to3` knows this Python."""
    bench = Bench()

    def judge(given: Provision) -> WheelhouseError:
        if given.constraints:
            return fails(given, cause="too old", constraints=("setuptools>=66.1",))
        return fails(given, cause="use_2to3 is gone", constraints=("setuptools<58",))

    with pytest.raises(FailedBuildError, match="use_2to3 is gone") as told:
        bench.run(judge)
    assert [each.constraints for each in bench.tried] == [(), ("setuptools<58",)]
    assert ("also tried", "with setuptools<58") in told.value.context


def test_what_did_not_help_is_not_proposed() -> None:
    bench = Bench()

    def judge(given: Provision) -> WheelhouseError:
        if given.constraints:
            return fails(given, cause="too old", constraints=("setuptools>=66.1",))
        fix = '[packages.demo]\nbuild-requires = ["setuptools<58"]'
        return fails(given, constraints=("setuptools<58",), fix=fix)

    with pytest.raises(FailedBuildError) as told:
        bench.run(judge)
    assert told.value.fix is None
    assert told.value.hint == (
        "setuptools<58 does not make it build for this Python: pin a newer demo, or choose a "
        "target with an older one"
    )


def test_where_no_code_is_cythons_that_is_as_if_it_had_not_been_tried() -> None:
    bench = Bench()

    def judge(given: Provision) -> WheelhouseError:
        if given.regenerate:
            return fails(given, kind="not-generated")
        return fails(given, cause="of another Python", regenerate=True)

    with pytest.raises(FailedBuildError, match="of another Python") as told:
        bench.run(judge)
    assert [each.regenerate for each in bench.tried] == [False, True]
    assert all(label != "also tried" for label, _ in told.value.context)


def test_other_ages_follow_without_what_nothing_was_generated_for() -> None:
    bench = Bench()

    def judge(given: Provision) -> WheelhouseError | None:
        if given.regenerate:
            return fails(given, kind="not-generated")
        return None if given.before else fails(given, regenerate=True, dated=True)

    assert bench.run(judge) == Provision(before=datetime(2022, 10, 24, tzinfo=UTC))
    assert len(bench.tried) == 3


def test_build_requirements_that_cannot_be_had_make_another_age() -> None:
    bench = Bench()
    found = bench.run(
        lambda given: None if given.relaxed else LockError("numpy==1.13 has no wheel")
    )
    assert found.relaxed


def test_several_build_requirements_that_cannot_be_had_make_another_age() -> None:
    bench = Bench()
    error = SeveralErrors([LockError("one"), fails(NOTHING_MORE)])
    assert bench.run(lambda given: None if given.relaxed else error).relaxed


def test_a_mirror_that_fails_is_no_matter_of_age() -> None:
    bench = Bench()
    with pytest.raises(SeveralErrors):
        bench.run(lambda _: SeveralErrors([LockError("one"), FetchError("it does not answer")]))
    assert len(bench.tried) == 1


def test_build_requirements_that_can_never_be_had_are_told() -> None:
    bench = Bench()
    with pytest.raises(LockError, match="no such project"):
        bench.run(lambda _: LockError("no such project"))
    assert 1 < len(bench.tried) < 8


def test_another_package_that_fails_is_no_failure_of_this_one() -> None:
    """A build requirement, which has been mended already, as far as that goes."""
    other = FailedBuildError(
        "tool 2.0",
        "building its wheel",
        Diagnosis(kind="k", cause="no", hint="h", missing=(PQ,)),
        NOTHING_MORE,
        None,
    )
    bench = Bench({PQ: ("libpq-dev",)})
    with pytest.raises(FailedBuildError, match=r"tool 2\.0"):
        bench.run(lambda _: other)
    assert all(not each.system for each in bench.tried)


def test_it_comes_to_an_end() -> None:
    """Whatever a hostile build says is missing next."""
    count = 0

    class Endless:
        def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
            return {each: (f"{each.name}-dev",) for each in missing}

    def judge(given: Provision) -> WheelhouseError | None:
        nonlocal count
        count += 1
        return fails(given, Missing("program", f"p{count}"))

    bench = Bench()
    bench.mender.finder = Endless()
    with pytest.raises(FailedBuildError):
        bench.run(judge)
    assert count <= MOST + 1


def test_a_failure_of_something_else_goes_through() -> None:
    with pytest.raises(WheelhouseError, match="the disk is full"):
        Bench().run(lambda _: WheelhouseError("the disk is full"))


def test_what_is_nothing_new_is_not_told_as_tried() -> None:
    """Other ages of build requirements that it does not have are one and the same."""
    bench = Bench()

    def judge(given: Provision) -> WheelhouseError | None:
        if given != NOTHING_MORE:
            raise NothingNewError
        return fails(given, dated=True)

    with pytest.raises(FailedBuildError) as told:
        bench.run(judge)
    assert all(label != "also tried" for label, _ in told.value.context)
