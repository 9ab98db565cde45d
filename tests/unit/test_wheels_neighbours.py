from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

from wheelfactory import FAST, NATIVE, binary, compile_library, cpython311, debian12, wheel
from wheelhouse.wheels.case import Case
from wheelhouse.wheels.check import check_house
from wheelhouse.wheels.neighbours import unreached
from wheelhouse.wheels.sharing import libraries_of, meant_for, provided_sonames, who_asks
from wheelhouse.wheels.statements import WheelMetadata

if TYPE_CHECKING:
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Finding

TARGET, PYTHON = debian12(), cpython311()

LIBRARY = "libcore.so.1"
PLACE = f"core/lib/{LIBRARY}"


def provider(member: str = PLACE, project: str = "core", **facts: object) -> Wheel:
    """A wheel with a library."""
    name = member.rpartition("/")[2]
    facts = {"soname": name, "initializes": False, "versions": (), **facts}
    return wheel(binary(member, **facts), filename=NATIVE.replace("demo", project))


def consumer(*entries: str, member: str = FAST, **facts: object) -> Wheel:
    """A wheel that needs it."""
    return wheel(binary(member, **{"needed": (LIBRARY,), "runpath": entries, **facts}))


def check(*house: Wheel, built: bool = True) -> list[Finding]:
    names = {house[0].filename} if built else set()
    return list(check_house(house, TARGET, PYTHON, built=names))


def rules(*house: Wheel, built: bool = True) -> list[str]:
    return [each.rule for each in check(*house, built=built)]


# --- what is provided ----------------------------------------------------------------------------


def test_a_library_that_is_called_as_it_says_is_provided() -> None:
    core = provider()
    assert provided_sonames([core], TARGET) == {LIBRARY: core.filename}
    (library,) = libraries_of([core], TARGET)[LIBRARY]
    assert (library.project, library.folder, library.member) == ("core", "core/lib", PLACE)
    assert provided_sonames([provider(f"core-1.0.data/platlib/{PLACE}")], TARGET) != {}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(provider(soname="libother.so.1"), id="another soname"),
        pytest.param(provider(soname=None), id="no soname"),
        pytest.param(provider(f"core.libs/{LIBRARY}"), id="a private copy"),
        pytest.param(provider(f"core/.libs/{LIBRARY}"), id="a private copy of old times"),
        pytest.param(provider(f"core-1.0.data/data/lib/{LIBRARY}"), id="not in site-packages"),
        pytest.param(provider(initializes=True), id="an extension module"),
        pytest.param(provider(machine="aarch64"), id="another machine"),
        pytest.param(provider(kind="ET_EXEC"), id="a program"),
        pytest.param(provider("torch/lib/libgomp.so.1"), id="a part of a compiler"),
    ],
)
def test_what_is_not_provided(other: Wheel) -> None:
    assert provided_sonames([other], TARGET) == {}


def test_of_several_providers_one_is_meant_whatever_their_order() -> None:
    runtime = provider("nvidia/cu13/lib/libcupti.so.13", "nvidia_cuda_cupti")
    copy = provider("triton/lib/libcupti.so.13", "atriton")
    private = provider("a.libs/libcupti.so.13", "a")
    for house in ([runtime, copy, private], [private, copy, runtime]):
        assert provided_sonames(house, TARGET) == {"libcupti.so.13": runtime.filename}
        libraries = libraries_of(house, TARGET)["libcupti.so.13"]
        assert [each.is_provided for each in libraries] == [True, True, False]
        for required, project in (({"atriton"}, "atriton"), ({"a", "z"}, "nvidia-cuda-cupti")):
            meant = meant_for(libraries, required)  # type: ignore[arg-type]
            assert meant is not None
            assert meant.project == project
    assert meant_for(libraries_of([private], TARGET)["libcupti.so.13"], ()) is None


def test_a_built_wheel_must_not_count_on_what_is_not_provided() -> None:
    private = provider(f"core.libs/{LIBRARY}")
    user = consumer("$ORIGIN/../core.libs")
    assert rules(user, private) == ["missing-library"]
    assert rules(user, private, built=False) == []


def test_who_has_another_version_of_a_missing_library_is_told() -> None:
    (finding,) = check(consumer("$ORIGIN/../core/lib"), provider("core/lib/libcore.so.2"))
    assert finding.rule == "missing-library"
    assert finding.message.endswith(
        "; core-1.0-cp311-cp311-manylinux_2_28_x86_64.whl has libcore.so.2"
    )


# --- what is reached -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "reached"),
    [
        (("$ORIGIN/../core/lib",), True),
        (("$ORIGIN/../nothing", "${ORIGIN}/../core/./lib/"), True),
        (("$ORIGIN/../core",), False),
        (("$ORIGIN/nothing/../../core/lib",), False),
        (("$ORIGIN/$LIB",), False),
        ((), False),
    ],
)
@pytest.mark.parametrize("tag", ["rpath", "runpath"])
def test_a_built_wheel_reaches_what_its_neighbour_has(
    entries: tuple[str, ...], reached: bool, tag: str
) -> None:
    user = consumer(rpath=entries, runpath=()) if tag == "rpath" else consumer(*entries)
    assert rules(user, provider()) == ([] if reached else ["unreached-library"])
    assert rules(user, provider(), built=False) == []


def test_what_is_not_reached_is_told_with_the_way_there() -> None:
    core = provider()
    (finding,) = check(consumer(member="demo/inner/fast.so"), core)
    assert finding.member == "demo/inner/fast.so"
    assert f"needs {LIBRARY}, which {core.filename} has" in finding.message
    assert finding.hint
    assert "-rpath,'$ORIGIN/../../core/lib'" in finding.hint


def test_folders_of_data_are_where_they_are_installed() -> None:
    user = consumer("$ORIGIN/../core/lib", member=f"demo-1.0.data/platlib/{FAST}")
    assert rules(user, provider(f"core-1.0.data/purelib/{PLACE}")) == []


def test_the_systems_and_ones_own_need_no_way() -> None:
    own = binary(f"demo/{LIBRARY}", soname=LIBRARY, initializes=False)
    assert rules(wheel(binary(needed=(LIBRARY,)), own), provider()) == []
    glib = provider("core/lib/libglib-2.0.so.0")
    assert rules(wheel(binary(needed=("libglib-2.0.so.0",))), glib) == []


ENTRY = "$ORIGIN/../core/lib"
GRAFTED = "demo.libs/libmid-1234.so"


def through(top: dict[str, object], middle: dict[str, object]) -> Wheel:
    """A wheel whose extension needs a grafted library, and that one its neighbour's."""
    mid = binary(GRAFTED, needed=(LIBRARY,), soname="libmid-1234.so", initializes=False)
    facts = {"needed": ("libmid-1234.so",), **top}
    return wheel(binary(**facts), replace(mid, **middle))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("top", "middle", "reached"),
    [
        pytest.param({}, {"runpath": (ENTRY,)}, True, id="by itself"),
        pytest.param({"rpath": (ENTRY,)}, {}, True, id="by the RPATH of its user"),
        pytest.param({"runpath": (ENTRY,)}, {}, False, id="not by the RUNPATH of its user"),
        pytest.param(
            {"rpath": (ENTRY,)}, {"runpath": ("$ORIGIN",)}, False, id="not past its own RUNPATH"
        ),
        pytest.param(
            {"needed": ("libmid-1234.so", LIBRARY), "runpath": (ENTRY,)},
            {"runpath": ("$ORIGIN",)},
            True,
            id="its user has it loaded already",
        ),
    ],
)
def test_reached_through_a_grafted_library(
    top: dict[str, object], middle: dict[str, object], reached: bool, tmp_path: Path
) -> None:
    """The rule says what the loader does."""
    user = through(top, middle)
    assert rules(user, provider()) == ([] if reached else ["unreached-library"])
    assert _loads(tmp_path, user) == reached


def test_an_rpath_that_the_loader_ignores_reaches_nothing() -> None:
    """No linker makes both."""
    both: dict[str, object] = {"rpath": (ENTRY,), "runpath": ("$ORIGIN",)}
    assert rules(through(both, {}), provider()) == ["unreached-library"]
    assert rules(consumer(rpath=(ENTRY,), runpath=("$ORIGIN",)), provider()) == [
        "unreached-library"
    ]


def test_all_users_must_lend_their_rpath() -> None:
    user = through({"rpath": (ENTRY,)}, {})
    other = binary("demo/other.abi3.so", needed=("libmid-1234.so",))
    assert rules(replace(user, binaries=(*user.binaries, other)), provider()) == [
        "unreached-library"
    ]


def test_libraries_that_need_each_other() -> None:
    user = through({"rpath": (ENTRY,)}, {"needed": (LIBRARY, "libtwin.so")})
    twin = binary("demo.libs/libtwin.so", needed=("libmid-1234.so",), initializes=False)
    assert rules(replace(user, binaries=(*user.binaries, twin)), provider()) == []


def test_a_circle_does_not_prove_itself() -> None:
    """Whichever of the two `ctypes` opens: nothing leads it to its neighbour."""
    twins = (
        binary("demo/libone.so", soname="libone.so", needed=("libtwo.so", LIBRARY)),
        binary("demo/libtwo.so", soname="libtwo.so", needed=("libone.so",)),
    )
    assert rules(wheel(*twins), provider()) == ["unreached-library"]
    entered = binary(needed=("libtwo.so",), rpath=(ENTRY,))
    assert rules(wheel(*twins, entered), provider()) == []
    blind = binary("demo/other.abi3.so", needed=("libone.so",))
    assert rules(wheel(*twins, entered, blind), provider()) == ["unreached-library"]


@pytest.mark.parametrize(("entries", "reached"), [((ENTRY,), True), ((), False)])
def test_a_long_chain_of_libraries(entries: tuple[str, ...], reached: bool) -> None:
    """Foreign code decides how long: it must not take the stack of who looks."""
    chain = [
        binary(f"demo/lib{n}.so", soname=f"lib{n}.so", needed=(f"lib{n + 1}.so",))
        for n in range(sys.getrecursionlimit())
    ]
    last = replace(chain[-1], needed=(LIBRARY,))
    top = binary(needed=("lib0.so",), rpath=entries)
    user = wheel(top, *chain[:-1], last)
    assert rules(user, provider()) == ([] if reached else ["unreached-library"])


@pytest.mark.parametrize("seed", range(300))
def test_whoever_looks_at_each_way_alone_finds_the_same(seed: int) -> None:
    """Of a wheel whose files need each other at random, also in circles."""
    chance = random.Random(seed)
    names = [f"lib{number}.so" for number in range(chance.randint(2, 7))]

    def some(choices: list[str], most: int) -> tuple[str, ...]:
        return tuple(chance.sample(choices, chance.randint(0, min(most, len(choices)))))

    files = [
        binary(
            f"demo/{name}",
            soname=name,
            initializes=chance.random() < 0.15,
            needed=(*some(names, 3), *some([LIBRARY], 1)),
            **{chance.choice(("rpath", "runpath")): some([ENTRY, "$ORIGIN"], 1)},
        )
        for name in names
    ]
    case = Case(
        wheel=wheel(*files),
        target=TARGET,
        interpreter=PYTHON,
        provided=libraries_of([provider()], TARGET),
        system=(),
        origin="built",
    )
    expected = [each.member for each in files if LIBRARY in each.needed and not _led(each, files)]
    assert unreached(case) == ({LIBRARY: expected} if expected else {})


def _led(asker: Binary, files: list[Binary]) -> bool:
    """Whether *asker* gets LIBRARY whatever has it loaded: walked for it alone."""
    if ENTRY in asker.search:
        return True
    seen, dead_ends, fed = {(asker.member, not asker.runpath)}, False, set()
    edges = set()
    waiting = [(asker, not asker.runpath)]
    while waiting:
        at, inherits = waiting.pop()
        users = [] if at.initializes else [each for each in files if at.soname in each.needed]
        dead_ends = dead_ends or not users
        for user in users:
            lends = inherits and not user.runpath
            if (LIBRARY in user.needed and ENTRY in user.search) or (lends and ENTRY in user.rpath):
                fed.add((at.member, inherits))
                continue
            edges.add(((user.member, lends), (at.member, inherits)))
            if (user.member, lends) not in seen:
                seen.add((user.member, lends))
                waiting.append((user, lends))
    for _ in seen:
        fed |= {loaded for user, loaded in edges if user in fed}
    return not dead_ends and fed == seen


def _loads(folder: Path, user: Wheel) -> bool:
    """Whether this machine's loader loads the extension of *user*, made with its search paths."""
    files = {binary.member: binary for binary in user.binaries}
    calls = {PLACE: "1", GRAFTED: "core()", FAST: "mid() + core()"}
    for member, call in calls.items():
        name, made = Path(member).name, files.get(member, binary(member, needed=()))
        entries = [*made.search, "$ORIGIN/../demo.libs"]
        options = [f"-Wl,-soname,{name}", f"-Wl,-rpath,{':'.join(entries)}"]
        options += ["-Wl,--enable-new-dtags" if made.runpath else "-Wl,--disable-new-dtags"]
        options += ["-L.", "-Wl,--no-as-needed,--allow-shlib-undefined"]
        options += [f"-l:{each}" for each in made.needed]
        function = {PLACE: "core", GRAFTED: "mid", FAST: "fast"}[member]
        source = f"int core(void), mid(void); int {function}(void) {{ return {call}; }}\n"
        (folder / member).parent.mkdir(parents=True, exist_ok=True)
        (folder / member).write_bytes(compile_library(folder, name, source, *options))
    code = f"import ctypes; ctypes.CDLL({str(folder / FAST)!r})"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=False)
    return done.returncode == 0


# --- symbol versions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("defines", "level"),
    [(("CORE_1", "CORE_2"), None), (("CORE_1",), "error"), ((), None)],
)
def test_symbol_versions_of_a_neighbour(defines: tuple[str, ...], level: str | None) -> None:
    core = provider(defines=defines)
    user = consumer(ENTRY, versions=((LIBRARY, "CORE_2"),))
    found = check(user, core)
    assert [(f.rule, f.level) for f in found] == ([("library-version", level)] if level else [])
    fetched = [(f.rule, f.level) for f in check(user, core, built=False)]
    assert fetched == ([("library-version", "warning")] if level else [])


def test_a_missing_version_names_the_library_and_its_project() -> None:
    core = provider(defines=("CORE_1",))
    (finding,) = check(consumer(ENTRY, versions=((LIBRARY, "CORE_2"),)), core)
    assert f"needs CORE_2 of {LIBRARY}, which that of {core.filename} does not" in finding.message
    assert finding.hint
    assert finding.hint.startswith("Pin a version of core that has it")


def test_the_library_counts_that_is_reached() -> None:
    old, new = (
        provider(defines=("CORE_1",)),
        provider("other/libcore.so.1", "other", defines=("B",)),
    )
    user = consumer("$ORIGIN/../other", versions=((LIBRARY, "B"),))
    assert rules(user, old, new) == []
    assert rules(consumer(ENTRY, versions=((LIBRARY, "B"),)), old, new) == ["library-version"]
    assert rules(consumer(versions=((LIBRARY, "B"),)), old, new, built=False) == []


@pytest.mark.parametrize(
    ("asks", "named"),
    [
        ({}, "core"),
        ({"demo": ("z-core",)}, "z-core"),
        ({"demo": ("between",), "between": ("demo", "z-core")}, "z-core"),
        ({"other": ("z-core",)}, "core"),
    ],
)
def test_the_provider_that_it_requires_is_named(
    asks: dict[str, tuple[str, ...]], named: str
) -> None:
    """Itself or by others; what its metadata says of other targets is no matter."""
    metadata = WheelMetadata(
        name="demo",
        version=Version("1.0"),
        requires_dist=(Requirement("z_core; sys_platform == 'win32'"),),
    )
    user = replace(consumer(), metadata=metadata)
    required_by = {
        NormalizedName(project): ("requirements.txt:1", *(by for by in asks if project in asks[by]))
        for project in ("core", "z-core", "between", "demo", "other")
    }
    house = (user, provider(), provider("zcore/libcore.so.1", "z_core"))
    (finding,) = check_house(
        house, TARGET, PYTHON, built={user.filename}, asks=who_asks(required_by)
    )
    assert f"which {named.replace('-', '_')}-1.0" in finding.message
    assert finding.hint
    assert f"$ORIGIN/../{named.replace('-', '')}" in finding.hint
