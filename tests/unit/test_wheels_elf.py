from __future__ import annotations

import io
import platform
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from wheelfactory import compile_library, members, write_wheel
from wheelhouse.wheels.archive import read_wheel
from wheelhouse.wheels.elf import read_binary
from wheelhouse.wheels.elfimage import BrokenElfError, _sysv_hash

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.wheels.elf import Binary

EXTENSION = "int helper(void); void *PyInit_fast(void) { helper(); return 0; }\n"


def read(data: bytes, module: str | None = None) -> Binary:
    return read_binary(io.BytesIO(data), "demo/fast.so", module=module)


@pytest.fixture
def extension(tmp_path: Path) -> bytes:
    """An extension module that needs HELPER_2.0 of libhelper.so.1."""
    (tmp_path / "versions").write_text("HELPER_2.0 { helper; };\n")
    compile_library(
        tmp_path,
        "libhelper.so",
        "int helper(void) { return 1; }\n",
        "-Wl,-soname,libhelper.so.1",
        "-Wl,--version-script=versions",
    )
    return compile_library(
        tmp_path,
        "fast.so",
        EXTENSION,
        "-L.",
        "-lhelper",
        "-Wl,-soname,fast.so.3",
        "-Wl,-rpath,$ORIGIN/../libs:/build/lib",
        "-Wl,-z,execstack",
    )


def test_needs_of_a_library(extension: bytes) -> None:
    binary = read(extension, "fast")

    assert binary.machine == platform.machine()
    assert binary.kind == "ET_DYN"
    assert binary.is_loadable
    assert binary.soname == "fast.so.3"
    assert binary.needed[0] == "libhelper.so.1"
    assert binary.search == ("$ORIGIN/../libs", "/build/lib")
    assert ("libhelper.so.1", "HELPER_2.0") in binary.versions
    assert binary.interpreter is None
    assert binary.executable_stack


def test_a_long_list_of_folders_is_read_to_its_end(tmp_path: Path) -> None:
    folders = [f"$ORIGIN/../nvidia/library_{number}/lib" for number in range(600)]
    search = ":".join(folders)
    assert len(search) > 20_000
    library = compile_library(tmp_path, "far.so", "int far;\n", f"-Wl,-rpath,{search}")
    assert read(library).search == tuple(folders)


@pytest.mark.parametrize(
    ("flag", "old"), [("--disable-new-dtags", True), ("--enable-new-dtags", False)]
)
def test_both_kinds_of_search_path(tmp_path: Path, flag: str, old: bool) -> None:
    folders = ("$ORIGIN/a", "", "/b")
    options = (f"-Wl,-rpath,{':'.join(folders)}", f"-Wl,{flag}")
    binary = read(compile_library(tmp_path, "a.so", "int a;\n", *options))
    assert (binary.rpath, binary.runpath) == ((folders, ()) if old else ((), folders))
    assert binary.search == binary.heeded == folders


def test_versions_that_a_library_has(tmp_path: Path, extension: bytes) -> None:
    helper = (tmp_path / "libhelper.so").read_bytes()
    assert read(helper).defines == ("HELPER_2.0",)
    assert read(extension).defines == ()
    (tmp_path / "script").write_text("ONE_1 { a; }; ONE_2 { b; } ONE_1;\n")
    source = "int a(void) { return 1; }\nint b(void) { return 2; }\n"
    options = ("-Wl,-soname,libone.so.1", "-Wl,--version-script=script")
    assert read(compile_library(tmp_path, "libone.so", source, *options)).defines == (
        "ONE_1",
        "ONE_2",
    )


def test_what_is_defined_is_unknown_where_it_cannot_be_read(tmp_path: Path) -> None:
    """A list of definitions that goes on where the file has nothing."""
    (tmp_path / "script").write_text("ONE_1 { a; };\n")
    source = "int a(void) { return 1; }\n"
    data = bytearray(compile_library(tmp_path, "one.so", source, "-Wl,--version-script=script"))
    definition = data.index(struct.pack("<L", _sysv_hash(b"ONE_1"))) - 8
    number = data.index(struct.pack("<QQ", 0x6FFFFFFD, 2))  # DT_VERDEFNUM
    data[number + 8 : number + 16] = struct.pack("<Q", 1 << 40)
    data[definition + 16 : definition + 20] = struct.pack("<L", 1 << 30)  # vd_next
    assert read(bytes(data)).defines == ()


def test_what_a_version_is_needed_for(extension: bytes, tmp_path: Path) -> None:
    assert read(extension).symbols["libhelper.so.1", "HELPER_2.0"] == ("helper",)
    (tmp_path / "many").write_text("MANY_1.0 { a; b; c; d; e; };\n")
    source = "".join(f"int {name}(void) {{ return 1; }}\n" for name in "abcde")
    script = "-Wl,--version-script=many"
    compile_library(tmp_path, "libmany.so", source, "-Wl,-soname,libmany.so.1", script)
    calls = "".join(f"int {name}(void); " for name in "abcde")
    user = f"{calls} int use(void) {{ return a() + b() + c() + d() + e(); }}\n"
    for style in ("gnu", "sysv"):
        options = ("-L.", "-lmany", f"-Wl,--hash-style={style}")
        binary = read(compile_library(tmp_path, "use.so", user, *options))
        symbols = binary.symbols["libmany.so.1", "MANY_1.0"]
        assert len(symbols) == 3
        assert set(symbols) < set("abcde")


def test_a_version_that_two_libraries_have_is_needed_of_each_for_its_own(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("SAME_1.0 { one; two; };\n")
    for name in ("one", "two"):
        source = f"int {name}(void) {{ return 1; }}\n"
        options = (f"-Wl,-soname,lib{name}.so.1", "-Wl,--version-script=script")
        compile_library(tmp_path, f"lib{name}.so", source, *options)
    user = "int one(void); int two(void); int use(void) { return one() + two(); }\n"
    binary = read(compile_library(tmp_path, "use.so", user, "-L.", "-lone", "-ltwo"))
    assert binary.symbols["libone.so.1", "SAME_1.0"] == ("one",)
    assert binary.symbols["libtwo.so.1", "SAME_1.0"] == ("two",)


def test_libc_versions_are_told(tmp_path: Path) -> None:
    source = '#include <stdio.h>\nvoid say(void) { puts("x"); }\n'
    binary = read(compile_library(tmp_path, "say.so", source))
    assert any(version.startswith("GLIBC_2.") for _, version in binary.versions)
    assert not binary.executable_stack


def test_weak_versions_are_left_out(tmp_path: Path) -> None:
    """Every library has weak references (`__cxa_finalize`); only whole sets of them are weak."""
    (tmp_path / "versions").write_text("HELPER_9.0 { helper; };\n")
    compile_library(
        tmp_path,
        "libhelper.so",
        "int helper(void) { return 1; }\n",
        "-Wl,--version-script=versions",
    )
    source = "int helper(void) __attribute__((weak)); int f(void) { return helper ? 1 : 0; }\n"
    weak = compile_library(tmp_path, "weak.so", source, "-L.", "-lhelper", "-Wl,--no-as-needed")
    assert not [name for _, name in read(weak).versions if name == "HELPER_9.0"]


@pytest.mark.parametrize("style", ["gnu", "sysv"])
def test_init_function_is_looked_up(tmp_path: Path, style: str) -> None:
    more = "".join(f"void other{n}(void) {{}}\n" for n in range(50))
    source = "int helper(void) { return 0; }\n" + EXTENSION + more
    data = compile_library(tmp_path, "fast.so", source, f"-Wl,--hash-style={style}")
    assert read(data, "fast").initializes
    assert not read(data, "slow").initializes
    assert not read(data).initializes


def test_init_function_that_is_only_used_is_not_exported(tmp_path: Path) -> None:
    source = "void *PyInit_fast(void); void *call(void) { return PyInit_fast(); }\n"
    assert not read(compile_library(tmp_path, "fast.so", source), "fast").initializes


def test_section_headers_are_not_needed(extension: bytes) -> None:
    """As after `sstrip`: no section headers at all."""
    header = bytearray(extension)
    header[40:48] = bytes(8)  # e_shoff
    header[60:64] = bytes(4)  # e_shnum, e_shstrndx
    assert read(bytes(header), "fast") == read(extension, "fast")


@pytest.mark.parametrize("size", [4, 16, 60, 100, 400])
def test_truncated_file_is_broken(extension: bytes, size: int) -> None:
    with pytest.raises(BrokenElfError):
        read(extension[:size], "fast")


def test_damage_is_never_anything_else_than_broken(extension: bytes) -> None:
    """Any four bytes overwritten: the file is read, or it is broken; nothing else, and soon."""
    for at in range(0, min(len(extension), 6000), 20):
        for value in (b"\xff\xff\xff\xff", bytes(4)):
            damaged = extension[:at] + value + extension[at + 4 :]
            with suppress(BrokenElfError):
                read(damaged, "fast")


def test_endless_version_chain_ends(extension: bytes) -> None:
    """A list of versions that says it is as long as can be, and whose next one is itself."""
    version = extension.index(struct.pack("<L", _sysv_hash(b"HELPER_2.0")))
    data = bytearray(extension)
    data[version - 14 : version - 12] = b"\xff\xff"  # vn_cnt
    data[version + 12 : version + 16] = bytes(4)  # vna_next
    assert read(bytes(data)).versions.count(("libhelper.so.1", "HELPER_2.0")) == 1


def test_binaries_of_a_wheel(tmp_path: Path, extension: bytes) -> None:
    files = {
        "demo/__init__.py": b"",
        "demo/fast.abi3.so": extension,
        "demo/libplain.so": extension,
        "demo/program": extension,
        "demo/broken.so": b"\x7fELF" + bytes(20),
        "demo/text.so": b"INPUT(libfoo.so)",
    }
    content = members(files, tags=("cp311-abi3-linux_x86_64",), purelib=False)
    wheel = read_wheel(write_wheel(tmp_path, content, "demo-1.0-cp311-abi3-linux_x86_64.whl"))

    assert wheel.extensions == ("demo/fast.abi3.so",)
    assert [binary.member for binary in wheel.binaries] == [
        "demo/fast.abi3.so",
        "demo/libplain.so",
        "demo/program",
    ]
    assert [member for member, _ in wheel.broken_binaries] == ["demo/broken.so"]
    assert not wheel.is_pure
    assert wheel.has_platlib


def test_an_extension_module_alone_is_importable(tmp_path: Path, extension: bytes) -> None:
    content = members({"fast.abi3.so": extension}, tags=("cp311-abi3-linux_x86_64",))
    wheel = read_wheel(write_wheel(tmp_path, content, "demo-1.0-cp311-abi3-linux_x86_64.whl"))
    assert wheel.modules == ("fast",)
