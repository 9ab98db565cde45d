"""What a built wheel takes from the others, and what the lock lacks for that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockfactory import build, built
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelfactory import binary, debian12, wheel
from wheelhouse import cuda
from wheelhouse.building.neighbours import (
    Ambiguous,
    Misfit,
    Neighbourhood,
    Unsupplied,
    lost,
    never_grafted,
    reached,
    requirement_for,
    still_built_with,
    still_meant,
)
from wheelhouse.building.repairs import AS_IT_WAS, Repair
from wheelhouse.cuda import Cuda
from wheelhouse.locking.model import AddedRequirement, LockedPackage
from wheelhouse.wheels.sharing import libraries_of

if TYPE_CHECKING:
    from wheelhouse.wheels import Wheel

DEMO = canonicalize_name("demo")


def provider(name: str, soname: str, folder: str = "", **facts: object) -> Wheel:
    member = f"{folder or name}/{soname}"
    library = binary(member, soname=soname, initializes=False, **facts)
    return wheel(library, filename=f"{name}-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")


def needing(*sonames: str) -> Wheel:
    return wheel(binary(needed=("libc.so.6", *sonames)))


def house(
    *wheels: Wheel, requires: dict[str, tuple[str, ...]] | None = None, version: str | None = None
) -> Neighbourhood:
    target = debian12()
    if version:
        target = replace(target, cuda=Cuda(version=Version(version)))
    packages = {
        each.name: LockedPackage(
            name=each.name,
            version=Version("1.0"),
            requires=(requires or {}).get(each.name, ()),
        )
        for each in wheels
    }
    return Neighbourhood(libraries=libraries_of(wheels, target), packages=packages, target=target)


def providers(there: Neighbourhood, user: Wheel, repair: Repair = AS_IT_WAS) -> dict[str, str]:
    return {name: each.project for name, each in there.offered(user, repair).items()}


# -- what is offered -----------------------------------------------------------------------------


def test_what_a_wheel_needs_and_what_was_copied_into_it_is_offered() -> None:
    user = needing("libtorch.so", "libz.so.1", "libcuda.so.1", "libnowhere.so.1")
    there = house(
        user,
        provider("torch", "libtorch.so", "torch/lib"),
        provider("zlib", "libz.so.1"),
        provider("driver", "libcuda.so.1"),
        provider("pq", "libpq.so.5"),
    )
    repair = Repair(grafted={"libpq.so.5": (), "libldap.so.2": ()})
    assert providers(there, user, repair) == {"libtorch.so": "torch", "libpq.so.5": "pq"}
    assert there.offered(user, repair)["libtorch.so"].folder == "torch/lib"


def test_nobody_takes_from_themselves_or_from_a_private_copy() -> None:
    user = wheel(
        binary(needed=("libown.so.1", "libpq.so.5")),
        binary("demo/libown.so.1", soname="libown.so.1", initializes=False),
    )
    there = house(user, provider("pq", "libpq.so.5", "pq.libs"))
    assert providers(there, user, Repair(grafted={"libown.so.1": ()})) == {}


def test_what_is_required_comes_first() -> None:
    user = needing("libx.so.1")
    others = (provider("alpha", "libx.so.1"), provider("omega", "libx.so.1"))
    between = wheel(filename="between-1.0-py3-none-any.whl")
    requires: dict[str, tuple[str, ...]] = {
        "demo": ("between>=1",),
        "between": ("Omega[more]==1.0",),
    }
    assert providers(house(user, *others), user) == {"libx.so.1": "alpha"}
    there = house(user, between, *others, requires=requires)
    assert providers(there, user) == {"libx.so.1": "omega"}


def test_a_copy_gives_way_only_to_what_has_all_that_is_used() -> None:
    user = needing("libssl.so.3")
    other = provider("ssl", "libssl.so.3", defines=("OPENSSL_3.0.0",))
    there = house(user, other)
    for versions, found in (("OPENSSL_3.0.0",), True), (("OPENSSL_3.2.0",), False):
        repair = Repair(grafted={"libssl.so.3": versions})
        assert bool(there.offered(user, repair)) is found


@pytest.mark.parametrize(
    ("soname", "is_offered"),
    [("libutils.so", False), ("libutils.so.1", True), ("libutils-2.4.so", True)],
)
def test_a_copy_of_a_bare_name_gives_way_only_to_what_is_required(
    soname: str, is_offered: bool
) -> None:
    user, other = needing(soname), provider("utils", soname)
    copied = Repair(grafted={soname: ()})
    assert bool(house(user, other).offered(user, copied)) is is_offered
    required = house(user, other, requires={"demo": ("utils",)})
    assert providers(required, user, copied) == {soname: "utils"}


def test_what_its_build_had_comes_before_what_is_not_required() -> None:
    user = needing("libx.so")
    others = (provider("alpha", "libx.so"), provider("omega", "libx.so"))
    for copied in ({"libx.so": ()}, {}):
        repair = Repair(grafted=copied, suppliers={"libx.so": {"omega": "1.0"}})
        assert providers(house(user, *others), user, repair) == {"libx.so": "omega"}
        there = house(user, *others, requires={"demo": ("alpha",)})
        assert providers(there, user, repair) == {"libx.so": "alpha"}


def test_what_is_reached_is_what_is_still_needed() -> None:
    before = needing("libpq.so.5")
    there = house(before, provider("pq", "libpq.so.5"), provider("ssl", "libssl.so.3"))
    offered = there.offered(before, Repair(grafted={"libssl.so.3": ()}))
    assert [each.name for each in reached(before, offered)] == ["libpq.so.5"]


def test_what_is_lost_is_what_nobody_offers() -> None:
    repair = Repair(unlocated=("libtorch.so", "libfoo.so.1"))
    assert lost(repair, {"libtorch.so"}) == ("libfoo.so.1",)


def test_drivers_and_cuda_are_never_copied() -> None:
    assert {"libcuda.so.1", "libcudart.so.12", "libcudart.so.13"} <= {*never_grafted()}


# -- what the lock lacks -------------------------------------------------------------------------


def test_a_provider_that_is_not_required_is_added_once() -> None:
    user = needing("liba.so.1", "libb.so.1")
    more = binary("both/libb.so.1", soname="libb.so.1", initializes=False)
    both = provider("both", "liba.so.1")
    both = replace(both, binaries=(*both.binaries, more))
    cases: tuple[tuple[tuple[str, ...], list[str]], ...] = ((("both",), []), ((), ["both"]))
    for requires, added in cases:
        there = house(user, both, requires={"demo": requires})
        found = there.undeclared(user, there.offered(user, AS_IT_WAS).values())
        assert [each.requirement for each in found] == added


def built_with(soname: str, versions: tuple[str, ...] = (), **projects: str) -> Repair:
    return Repair(grafted={soname: versions}, suppliers={soname: projects})


def unsupplied(there: Neighbourhood, user: Wheel, repair: Repair) -> list[object]:
    return [*there.unsupplied(user, repair, there.offered(user, repair))]


@pytest.mark.parametrize(
    ("soname", "requirement"), [("libx.so.1", "alpha"), ("libx.so", "alpha==2.4")]
)
def test_what_its_build_had_is_required(soname: str, requirement: str) -> None:
    """In the same version, where the name of the library does not tell what fits."""
    user = needing(soname)
    repair = built_with(soname, alpha="2.4")
    assert unsupplied(house(user), user, repair) == [
        AddedRequirement(package=DEMO, requirement=requirement, library=soname)
    ]


def test_what_has_several_libraries_is_required_once() -> None:
    user = needing("liba.so.1", "libb.so", "libc10.so")
    had = {"alpha": "2.4"}
    repair = Repair(suppliers={"liba.so.1": had, "libb.so": had, "libc10.so": had})
    assert unsupplied(house(user), user, repair) == [
        AddedRequirement(package=DEMO, requirement="alpha==2.4", library="libb.so")
    ]


def test_of_several_that_its_build_had_none_is_guessed() -> None:
    user, omega = needing("libx.so"), provider("omega", "libx.so")
    repair = built_with("libx.so", alpha="1.0", omega="1.0")
    assert unsupplied(house(user), user, repair) == [
        Ambiguous(soname="libx.so", projects={"alpha": "1.0", "omega": "1.0"})
    ]
    assert unsupplied(house(user, omega), user, repair) == []


@pytest.mark.parametrize(
    ("soname", "version", "is_told"),
    [("libx.so", "1.0", False), ("libx.so", "2.4", True), ("libx.so.1", "2.4", False)],
)
@pytest.mark.parametrize("requires", [{}, {"demo": ("alpha",)}])
def test_a_bare_name_is_that_of_the_version_it_was_built_with(
    soname: str, version: str, is_told: bool, requires: dict[str, tuple[str, ...]]
) -> None:
    user = needing(soname)
    there = house(user, provider("alpha", soname), requires=requires)
    told = [Unsupplied(soname=soname, project="alpha")] if is_told else []
    assert unsupplied(there, user, built_with(soname, alpha=version)) == told


@pytest.mark.parametrize("requires", [{}, {"demo": ("omega",)}])
def test_a_requirement_without_what_its_build_had_is_told(
    requires: dict[str, tuple[str, ...]],
) -> None:
    """A version of omega that calls it otherwise, or that has less of it."""
    user = needing("libx.so.1")
    repair = built_with("libx.so.1", ("X_2",), alpha="1.0", omega="2.0")
    there = house(user, provider("omega", "libx.so.1", defines=("X_1",)), requires=requires)
    assert unsupplied(there, user, repair) == [Unsupplied(soname="libx.so.1", project="omega")]


def test_another_project_does_not_stand_in_for_it() -> None:
    """Unless the package asks for that one itself."""
    user = needing("libx.so.1")
    repair = built_with("libx.so.1", ("X_2",), alpha="2.0")
    others = (
        provider("alpha", "libx.so.1", defines=("X_1",)),
        provider("zeta", "libx.so.1", defines=("X_2",)),
    )
    assert unsupplied(house(user, *others), user, repair) == [
        Unsupplied(soname="libx.so.1", project="alpha")
    ]
    assert unsupplied(house(user, others[1]), user, repair) == [
        AddedRequirement(package=DEMO, requirement="alpha", library="libx.so.1")
    ]
    assert unsupplied(house(user, *others, requires={"demo": ("zeta",)}), user, repair) == []


def test_what_is_the_distributions_is_taken_from_nobody() -> None:
    user = needing()
    repair = built_with("libx.so.1", alpha="1.0")
    for others in ((), (provider("alpha", "libx.so.1"),)):
        there = replace(house(user, *others), kept={DEMO: ("libx.so.1",)})
        assert there.offered(user, repair) == {}
        assert unsupplied(there, user, repair) == []


@pytest.mark.parametrize(
    ("added", "is_kept"),
    [
        (AddedRequirement(package=DEMO, requirement="geo==1.0", library="libgeo.so"), True),
        (AddedRequirement(package=DEMO, requirement="geo==2.0", library="libgeo.so"), False),
        (AddedRequirement(package=DEMO, requirement="geo", library="libgeo.so.1"), True),
        (AddedRequirement(package=DEMO, requirement="six==1.16", module="six"), True),
        (AddedRequirement(package=DEMO, requirement="nvidia-x==13.2.*", library="libx.so"), True),
    ],
)
def test_a_version_it_is_no_more_built_with_is_forgotten(
    added: AddedRequirement, is_kept: bool
) -> None:
    package = built("demo", build("geo-1.0"))
    assert still_built_with([added], {DEMO: package}) == ((added,) if is_kept else ())
    if added.requirement == "geo==1.0":
        assert still_built_with([added], {}) == ()


def test_a_library_of_cuda_that_nobody_has_is_required() -> None:
    user = needing("libcudart.so.13", "libcublas.so.13")
    assert list(house(user, version="13.2").lacking(user)) == [
        AddedRequirement(
            package=DEMO, requirement="nvidia-cuda-runtime==13.2.*", library="libcudart.so.13"
        ),
        AddedRequirement(
            package=DEMO, requirement="nvidia-cublas>=13,<14", library="libcublas.so.13"
        ),
    ]


@pytest.mark.parametrize(
    ("soname", "version"),
    [
        ("libcudart.so.12", "13.2"),  # the gate refuses it
        ("libcudart.so.13", None),
        ("libunknown.so.1", "13.2"),
        ("libcuda.so.1", "13.2"),
    ],
)
def test_what_is_not_for_the_target_is_nothing_to_add(soname: str, version: str | None) -> None:
    user = needing(soname)
    assert list(house(user, version=version).lacking(user)) == []


def test_what_the_house_has_is_not_lacking() -> None:
    user = needing("libcudart.so.13")
    there = house(user, provider("nvidia_cuda_runtime", "libcudart.so.13"), version="13.2")
    assert list(there.lacking(user)) == []


def test_the_library_of_another_cuda_is_a_misfit() -> None:
    user = needing("libcudart.so.13")
    there = house(user, provider("nvidia_cuda_runtime_cu12", "libcudart.so.12"), version="13.2")
    (found,) = there.lacking(user)
    assert isinstance(found, Misfit)
    assert (found.soname, found.other.name) == ("libcudart.so.13", "libcudart.so.12")


@pytest.mark.parametrize(
    ("soname", "version", "requirement"),
    [
        ("libcudart.so.12", "12.9", "nvidia-cuda-runtime-cu12==12.9.*"),
        ("libnvJitLink.so.13", "13.0", "nvidia-nvjitlink==13.0.*"),
        ("libcufft.so.12", "13.2", "nvidia-cufft>=12,<13"),
        ("libcublas.so.12", "12.9", "nvidia-cublas-cu12>=12,<13"),
        ("libcudnn.so.8", "12.9", "nvidia-cudnn-cu12>=8,<9"),
        ("libcudnn.so.9", "13.2", "nvidia-cudnn-cu13>=9,<10"),
        ("libcufile.so.0", "13.2", "nvidia-cufile"),
    ],
)
def test_what_has_a_library_of_cuda(soname: str, version: str, requirement: str) -> None:
    library = cuda.library(soname)
    assert library is not None
    assert requirement_for(library, Cuda(version=Version(version))) == requirement


@pytest.mark.parametrize(
    ("version", "requirement", "is_kept"),
    [
        ("13.2", "nvidia-cuda-runtime==13.2.*", True),
        ("13.2", "nvidia-cuda-runtime", True),
        ("13.0", "nvidia-cuda-runtime==13.2.*", False),
        ("12.9", "nvidia-cuda-runtime==13.2.*", False),
        (None, "nvidia-cuda-runtime==13.2.*", False),
    ],
)
def test_what_was_learnt_for_another_cuda_is_forgotten(
    version: str | None, requirement: str, is_kept: bool
) -> None:
    of_cuda = AddedRequirement(
        package=canonicalize_name("kernels"), requirement=requirement, library="libcudart.so.13"
    )
    other = AddedRequirement(
        package=canonicalize_name("kernels"), requirement="prov", library="libprov.so.1"
    )
    wanted = Cuda(version=Version(version)) if version else None
    assert still_meant([of_cuda, other], wanted) == ((of_cuda, other) if is_kept else (other,))


# -- what a container tells ----------------------------------------------------------------------


def test_a_repair_is_told_and_read_again() -> None:
    repair = Repair(
        grafted={"libpq.so.5": ("RHPG_10",)},
        unlocated=("libx.so",),
        excluded=("libcudart.so.13",),
        search={"a.so": ("/opt",)},
        places={"libpq.so.5": "env/lib/libpq.so.5"},
        suppliers={"libpq.so.5": {"pq": "1.0"}},
    )
    assert Repair.of(repair.to_dict()) == repair
    assert repair.left == ("libx.so", "libcudart.so.13")


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"grafted": 7},
        {"unlocated": "libx", "search": {"a": 1}},
        {"places": {"a": 1}, "suppliers": ["a"]},
    ],
)
def test_what_has_another_form_is_left_out(told: object) -> None:
    found = Repair.of(told)
    assert (found.grafted, found.unlocated) == ({}, ())
    assert not any(found.search.values())
    assert (found.places, found.suppliers) == ({}, {})
