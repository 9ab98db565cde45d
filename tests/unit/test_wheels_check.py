from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from wheelfactory import FAST, NATIVE, binary, cpython311, debian12, wheel
from wheelhouse.errors import CheckError, SeveralErrors
from wheelhouse.targets import Libc, Target, presets
from wheelhouse.wheels.archive import Wheel, read_wheel
from wheelhouse.wheels.check import check_house, check_wheel, lost_extension
from wheelhouse.wheels.findings import refuse
from wheelhouse.wheels.libraries import system_needs
from wheelhouse.wheels.sharing import provided_sonames
from wheelhouse.wheels.statements import WheelMetadata

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Finding, Origin

TARGET = debian12()
PYTHON = cpython311()


#: The same, where the server has Python and nothing else.
STRICT = replace(TARGET, runtime_system=False)


def findings(each: Wheel, target: Target = TARGET, origin: Origin = "fetched") -> list[Finding]:
    return list(check_wheel(each, target, PYTHON, {}, origin=origin))


def only(each: Wheel, target: Target = TARGET, origin: Origin = "fetched") -> Finding:
    (finding,) = findings(each, target, origin)
    assert finding.hint
    assert finding.wheel == each.filename
    return finding


def test_what_fits_has_no_findings() -> None:
    assert findings(wheel(binary())) == []
    assert findings(wheel(filename="demo-1.0-py3-none-any.whl"), origin="built") == []
    assert (
        findings(wheel(binary("demo/fast.abi3.so"), filename=NATIVE.replace("cp311-m", "abi3-m")))
        == []
    )


@pytest.mark.parametrize(
    "filename",
    [
        NATIVE.replace("2_28", "2_39"),
        NATIVE.replace("x86_64", "aarch64"),
        NATIVE.replace("manylinux_2_28", "musllinux_1_2"),
        NATIVE.replace("cp311", "cp312"),
    ],
)
def test_tags_must_be_installable(filename: str) -> None:
    finding = only(wheel(filename=filename))
    assert (finding.rule, finding.level) == ("tags", "error")
    assert finding.hint == 'Build it from source: [packages.demo] source = "sdist".'


def test_requires_python() -> None:
    metadata = WheelMetadata(
        name="demo", version=Version("1.0"), requires_python=SpecifierSet(">=3.12")
    )
    assert only(wheel(metadata=metadata)).rule == "requires-python"


@pytest.mark.parametrize(
    "member",
    ["demo/fast.cpython-310-x86_64-linux-gnu.so", "demo/fast.cpython-311t-x86_64-linux-gnu.so"],
)
def test_extension_for_another_python(member: str) -> None:
    finding = only(wheel(binary(member)))
    assert (finding.rule, finding.member) == ("extension-abi", member)
    assert findings(wheel(binary(member), binary())) == []


def test_extension_for_another_machine() -> None:
    finding = only(wheel(binary("demo/fast.so", machine="aarch64")))
    assert (finding.rule, finding.level) == ("machine", "error")
    assert "aarch64" in finding.message


def test_other_machines_files_may_come_along_as_data() -> None:
    foreign = binary("demo/libattach.so", machine="i686", needed=("libnone.so",))
    kernel = binary("demo/kernel", machine="EM_CUDA", kind="ET_EXEC", initializes=False)
    assert findings(wheel(binary(), foreign, kernel)) == []


@pytest.mark.parametrize(
    ("soname", "version", "limit"),
    [
        ("libc.so.6", "GLIBC_2.38", "GLIBC_2.36"),
        ("libstdc++.so.6", "GLIBCXX_3.4.31", "GLIBCXX_3.4.30"),
        ("libstdc++.so.6", "CXXABI_1.3.14", "CXXABI_1.3.13"),
        ("libgcc_s.so.1", "GCC_13.0.0", "GCC_12.0.0"),
    ],
)
def test_symbols_newer_than_the_target(soname: str, version: str, limit: str) -> None:
    finding = only(wheel(binary(needed=(soname,), versions=((soname, version),))))
    assert (finding.rule, finding.level, finding.member) == ("symbol-version", "error", FAST)
    assert version in finding.message
    assert limit in finding.message
    assert findings(wheel(binary(versions=((soname, limit),)))) == []


def test_a_built_wheel_is_too_new_for_one_reason_and_has_a_way_out() -> None:
    """Repair gives it a tag that the target does not install; the symbols are why."""
    version = "GLIBC_2.38"
    symbols = {("libc.so.6", version): ("arc4random", "fmod", "strlcpy")}
    grafted = binary("demo.libs/libnew-1.so", versions=(("libc.so.6", version),), symbols=symbols)
    built = wheel(grafted, filename="demo-1.0-cp311-cp311-manylinux_2_38_x86_64.whl")
    finding = only(built, origin="built")
    assert str(finding) == (
        "demo.libs/libnew-1.so: needs GLIBC_2.38 of libc.so.6 (arc4random, fmod and others); "
        "Debian 12 (bookworm) has at most GLIBC_2.36"
    )
    assert finding.hint is not None
    assert finding.hint.startswith(
        'Build it in an older image: builder = "portable" under [targets.web], or '
    )
    assert {each.rule for each in findings(built)} == {"tags", "symbol-version"}


@pytest.mark.parametrize(
    ("member", "level", "told"),
    [
        (FAST, 3, True),
        (FAST, 2, False),
        ("demo.libs/glibc-hwcaps/x86-64-v3/libfast.so.1", 3, False),
    ],
)
def test_a_cpu_that_not_all_have(member: str, level: int, told: bool) -> None:
    found = [
        each
        for each in findings(wheel(binaries=(binary(member, cpu_level=level),)))
        if each.rule == "cpu-level"
    ]
    assert bool(found) == told
    assert all("x86-64-v3" in each.message and each.hint for each in found)


def test_versions_of_a_library_that_comes_along_are_its_own() -> None:
    runtime = binary("demo.libs/libstdc++.so.6", soname="libstdc++.so.6")
    user = binary(needed=("libstdc++.so.6",), versions=(("libstdc++.so.6", "GLIBCXX_3.4.99"),))
    assert findings(wheel(user, runtime)) == []


def test_missing_library() -> None:
    finding = only(wheel(binary("demo.libs/libdemo.so", needed=("libodbc.so.2",))))
    assert (finding.rule, finding.level) == ("missing-library", "error")
    assert "libodbc.so.2" in finding.message
    built = only(wheel(binary(needed=("libodbc.so.2",))), origin="built")
    assert built.hint is not None
    assert "[packages.demo] system" in built.hint


def test_missing_library_may_be_the_servers() -> None:
    """What an extension module lacks, the proof misses, and finds in the distribution."""
    lame = wheel(binary(needed=("libodbc.so.2",)))
    finding = only(lame)
    assert (finding.rule, finding.level) == ("missing-library", "warning")
    assert "needs libodbc.so.2, which nothing in the house has" in finding.message
    assert only(lame, STRICT).level == "error"


def test_missing_library_of_a_part_is_for_the_proof_to_judge() -> None:
    pool = binary("demo/pool.so", needed=("libtbb.so.12",))
    parts = wheel(binary(), pool)
    assert only(parts).level == "warning"
    assert only(parts, origin="built").level == "error"


def test_missing_library_behind_the_wheels_own() -> None:
    inner = binary("demo.libs/libinner.so.1", needed=("libnone.so.1",))
    behind = only(wheel(binary(needed=("libinner.so.1",)), inner))
    assert behind.message.endswith("needs libnone.so.1, which nothing in the house has")
    assert "a part of it" in only(wheel(binary(), inner)).message


@pytest.mark.parametrize(
    "provider",
    [
        binary("demo.libs/libown.so.1"),
        binary("demo.libs/libown-1234.so", soname="libown.so.1"),
    ],
)
def test_own_library_is_provided(provider: Binary) -> None:
    assert findings(wheel(binary(needed=("libown.so.1", "ld-linux-x86-64.so.2")), provider)) == []


def test_own_library_of_another_machine_is_not_provided() -> None:
    foreign = binary("demo.libs/libown.so.1", machine="aarch64")
    assert only(wheel(binary(needed=("libown.so.1",)), foreign)).rule == "missing-library"


def test_a_wheel_of_the_house_provides() -> None:
    user = wheel(binary(needed=("libcudart.so.13",)))
    library = binary("nvidia/cu13/lib/libcudart.so.13", soname="libcudart.so.13")
    runtime = wheel(library, filename="cudart-13.0-py3-none-manylinux_2_28_x86_64.whl")
    assert provided_sonames([user, runtime], TARGET)["libcudart.so.13"] == runtime.filename
    assert check_house([user, runtime], TARGET, PYTHON) == ()
    assert [each.rule for each in check_house([user], TARGET, PYTHON)] == ["missing-library"]
    assert check_house([user], TARGET, PYTHON, system={"libcudart.so.13"}) == ()


def test_house_knows_which_were_built() -> None:
    house = [wheel(binary(runpath=("/opt/build/lib",)))]
    assert check_house(house, TARGET, PYTHON) == ()
    assert [each.rule for each in check_house(house, TARGET, PYTHON, built={NATIVE})] == [
        "search-path"
    ]


def test_libpython_and_the_driver() -> None:
    python = only(wheel(binary(needed=("libpython3.11.so.1.0",))))
    assert (python.rule, python.level) == ("libpython", "error")
    driver = only(wheel(binary(needed=("libcuda.so.1",))), origin="built")
    assert (driver.rule, driver.level) == ("driver", "warning")


def test_a_program_may_need_the_libpython_of_the_target() -> None:
    loader = "/lib64/ld-linux-x86-64.so.2"

    def linked(python: str, interpreter: str | None = loader) -> Wheel:
        needed = (f"libpython{python}.so.1.0", "libc.so.6")
        program = binary("demo.scripts/demo", needed=needed, interpreter=interpreter)
        return wheel(binary(), program)

    assert findings(linked("3.11"), origin="built") == []
    assert system_needs(linked("3.11"), TARGET) == {"libpython3.11.so.1.0"}
    assert system_needs(linked("3.11", None), TARGET) == set()
    for other in (linked("3.12"), linked("3.11t")):
        finding = only(other, origin="built")
        assert (finding.rule, finding.level) == ("libpython", "error")
        assert "not of the target's Python 3.11" in finding.message
        assert finding.hint == "Have its build link libpython3.11.so.1.0."
        assert system_needs(other, TARGET) == set()
    library = only(linked("3.11", None), origin="built")
    assert "many Pythons do not have" in library.message


def test_glibc_wheel_on_musl() -> None:
    target = replace(TARGET, preset=replace(TARGET.preset, libc=Libc.parse("musl 1.2")))
    assert "missing-library" in {each.rule for each in findings(wheel(binary()), target)}
    own = binary(needed=("libc.musl-x86_64.so.1",), versions=())
    assert findings(wheel(own), target) == []


def test_executable_stack_is_refused_where_the_loader_refuses_it() -> None:
    each = wheel(binary(executable_stack=True))
    assert findings(each) == []
    new = replace(TARGET, preset=presets()["debian13"])
    assert only(each, new).rule == "executable-stack"


def test_broken_binaries() -> None:
    assert only(wheel(broken_binaries=(("demo/fast.so", "short"),))).level == "error"
    assert only(wheel(broken_binaries=(("demo/data.bin", "short"),))).level == "warning"


def test_pth_and_renamed_wheels_are_told() -> None:
    assert (only(wheel(pth=("demo.pth",))).rule, only(wheel(pth=("demo.pth",))).level) == (
        "pth",
        "warning",
    )
    assert only(wheel(retagged=True)).level == "warning"
    assert only(wheel(retagged=True), origin="built").level == "error"


def test_refusal_is_one_error_per_wheel() -> None:
    refuse([])
    refuse(findings(wheel(pth=("demo.pth",))))
    bad = wheel(binary(needed=("libx.so", "liby.so")))
    with pytest.raises(CheckError) as caught:
        refuse(findings(bad, STRICT))
    assert bad.filename in caught.value.message
    assert "libx.so" in caught.value.message
    assert "liby.so" in caught.value.message
    assert caught.value.hint == 'Build it from source: [packages.demo] source = "sdist".'
    other = wheel(binary(needed=("libz9.so",)), filename=NATIVE.replace("demo", "other"))
    with pytest.raises(SeveralErrors) as several:
        refuse([*findings(bad, STRICT), *findings(other, STRICT)])
    assert len(several.value.errors) == 2


def test_long_refusals_are_cut() -> None:
    bad = wheel(binary(needed=tuple(f"lib{n}.so" for n in range(50))))
    with pytest.raises(CheckError, match="and 30 more"):
        refuse(findings(bad, STRICT))


def test_system_needs() -> None:
    user = binary(needed=("libGL.so.1", "libc.so.6", "libstdc++.so.6", "libcuda.so.1", "libq.so"))
    assert system_needs(wheel(user), TARGET) == {"libGL.so.1", "libcuda.so.1"}


def test_lost_extension() -> None:
    pure = wheel(filename="demo-1.0-py3-none-any.whl")
    assert lost_extension(pure, expected=False) is None
    assert lost_extension(wheel(binary()), expected=True) is None
    for finding in (
        lost_extension(pure, expected=True),
        lost_extension(wheel(), expected=False),  # says a platform, has nothing for it
    ):
        assert finding is not None
        assert finding.level == "error"
        assert finding.hint is not None
        assert "allow-pure" in finding.hint


#: Ambient settings that could put other files in the place of the index's.
LEAKS = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")
REAL = (
    "numpy",
    "cryptography",
    "lxml",
    "psycopg2-binary",
    "grpcio",
    "uvloop",
    "markupsafe",
    "pillow",
    "numba",
    "ruff",
    "protobuf",
    "debugpy",
)


@pytest.mark.index
def test_real_wheels_are_accepted(tmp_path: Path) -> None:
    platforms = sorted({tag.platform for tag in PYTHON.tags})
    environment = {k: v for k, v in os.environ.items() if k not in LEAKS}
    options = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
    options += [f"--abi={abi}" for abi in ("cp311", "abi3", "none")]
    options += [f"--platform={platform}" for platform in platforms]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "-d", str(tmp_path), *options, *REAL],
        check=True,
        env={**environment, "PIP_CONFIG_FILE": os.devnull},
    )
    wheels = [read_wheel(path) for path in sorted(tmp_path.iterdir())]
    assert {each.name for each in wheels} == set(REAL)
    refuse(check_house(wheels, TARGET, PYTHON))
    assert all(each.modules for each in wheels)
