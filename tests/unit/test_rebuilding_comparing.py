"""In what two wheels differ is named: which member, what of it, and nothing that only follows."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from wheelhouse.rebuilding.comparing import compare_wheels
from wheelhouse.rebuilding.contents import LOOKED_AT, content_difference
from wheelhouse.rebuilding.sections import read_sections

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INFO = "demo-1.0.dist-info"
EARLIEST, LATER = "1980-01-01 00:00:00", "2026-01-02 03:04:06"
MEMBERS = {
    "demo/__init__.py": "VALUE = 1\n",
    "demo/other.py": "pass\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{INFO}/RECORD": (
        "demo/__init__.py,sha256=abc,10\n"
        "demo/other.py,sha256=def,5\n"
        f"{INFO}/METADATA,sha256=ghi,49\n"
        f"{INFO}/RECORD,,\n"
    ),
}


def wheel(
    folder: Path,
    members: Mapping[str, str],
    *,
    name: str = "demo-1.0-py3-none-any.whl",
    time: tuple[int, int, int, int, int, int] = (1980, 1, 1, 0, 0, 0),
    mode: int = 0o100644,
    method: int = zipfile.ZIP_DEFLATED,
) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / name, "w", method) as archive:
        for member, text in members.items():
            info = zipfile.ZipInfo(member, time)
            info.external_attr = mode << 16
            info.compress_type = method
            archive.writestr(info, text)
    return folder / name


def told(before: Path, after: Path) -> list[str]:
    return [str(each) for each in compare_wheels(before, after)]


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return wheel(tmp_path / "before", MEMBERS)


def test_the_same_bytes_do_not_differ(before: Path, tmp_path: Path) -> None:
    assert told(before, wheel(tmp_path / "after", MEMBERS)) == []


def test_a_line_is_named_and_what_follows_in_record_is_not(before: Path, tmp_path: Path) -> None:
    record = MEMBERS[f"{INFO}/RECORD"].replace("abc,10", "xyz,12")
    after = {**MEMBERS, "demo/__init__.py": "VALUE = 100\n", f"{INFO}/RECORD": record}
    assert told(before, wheel(tmp_path / "after", after)) == [
        'demo/__init__.py: line 1: "VALUE = 1" became "VALUE = 100"'
    ]


def test_a_record_that_differs_by_itself_is_named(before: Path, tmp_path: Path) -> None:
    record = MEMBERS[f"{INFO}/RECORD"].replace("def", "DEF")
    after = {**MEMBERS, "demo/__init__.py": "VALUE = 2\n", f"{INFO}/RECORD": record}
    assert [each.member for each in compare_wheels(before, wheel(tmp_path / "a", after))] == [
        "demo/__init__.py",
        f"{INFO}/RECORD",
    ]


def test_the_order_of_lines_is_told_as_such(before: Path, tmp_path: Path) -> None:
    lines = MEMBERS[f"{INFO}/RECORD"].splitlines(keepends=True)
    after = {**MEMBERS, f"{INFO}/RECORD": "".join(reversed(lines))}
    assert told(before, wheel(tmp_path / "after", after)) == [
        f"{INFO}/RECORD: the same 4 lines in another order"
    ]


def test_members_that_come_and_go_are_named(before: Path, tmp_path: Path) -> None:
    after = {name: text for name, text in MEMBERS.items() if name != "demo/other.py"}
    after["demo/new.py"] = "\n"
    record = MEMBERS[f"{INFO}/RECORD"].replace("demo/other.py", "demo/new.py")
    after[f"{INFO}/RECORD"] = record
    assert told(before, wheel(tmp_path / "after", after)) == [
        "demo/other.py: is missing",
        "demo/new.py: is new",
    ]


def test_their_order_is_told(before: Path, tmp_path: Path) -> None:
    after = dict(sorted(MEMBERS.items(), reverse=True))
    assert told(before, wheel(tmp_path / "after", after)) == [
        "its members are in another order: demo/other.py before demo/__init__.py"
    ]


def test_times_and_modes_are_told_once(before: Path, tmp_path: Path) -> None:
    after = wheel(tmp_path / "after", MEMBERS, time=(2026, 1, 2, 3, 4, 6), mode=0o100600)
    assert told(before, after) == [
        f"demo/__init__.py: its time (and of 3 members more): {EARLIEST} became {LATER}",
        "demo/__init__.py: its mode (and of 3 members more): 100644 became 100600",
    ]


def test_compression_alone_is_told(before: Path, tmp_path: Path) -> None:
    after = wheel(tmp_path / "after", MEMBERS, method=zipfile.ZIP_STORED)
    assert told(before, after) == ["all members are the same, but not how they are compressed"]


def test_another_name_is_told_also_of_the_same_bytes(before: Path, tmp_path: Path) -> None:
    after = wheel(tmp_path / "after", MEMBERS, name="demo-1.0-py2-none-any.whl")
    assert told(before, after) == [
        "its file is demo-1.0-py2-none-any.whl instead of demo-1.0-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"a\nb\n", b"a\nb\nc\n", r'line 3: nothing became "c\n"'),
        (b"a\nb\nc\n", b"a\nB\nC\n", 'line 2: "b" became "B"; 2 lines in all'),
        (b"a\n", b"a\r\n", r'line 1: "a" became "a\r"'),
        (b"a\n", b"a", r'line 1: "a\n" became "a"'),
        (b"x\x1b[31m\n", b"y\x1b[31m\n", r'line 1: "x\x1b[31m" became "y\x1b[31m"'),
        (b"\0\1\2\3", b"\0\1\7\7", "2 bytes from offset 2"),
        (b"\0\1", b"\0\1\2", "2 bytes became 3"),
        (
            b"\0built 2026-01-01\0",
            b"\0built 2026-02-03\0",
            '2 bytes from offset 13: "built 2026-01-01" became "built 2026-02-03"',
        ),
        (bytes(LOOKED_AT) + b"a", bytes(LOOKED_AT) + b"b", "differs after 33,554,432 bytes"),
    ],
)
def test_what_of_a_file_differs(before: bytes, after: bytes, expected: str) -> None:
    assert content_difference(before, after) == expected


def test_of_a_long_line_what_is_around_the_difference_is_shown() -> None:
    before, after = b"x" * 500 + b"old" + b"x" * 500, b"x" * 500 + b"new" + b"x" * 500
    said = content_difference(before, after)
    assert len(said) < 200
    assert "old" in said
    assert "new" in said


def elf(sections: Mapping[str, bytes], *, wide: bool, little: bool) -> bytes:
    """A file with nothing but *sections*."""
    order = "<" if little else ">"
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    contents = [*sections.values(), names]
    header_size = 64 if wide else 52
    body = b"".join(contents)
    table = header_size + len(body)
    rows, at = [(0,) * 6], header_size
    for name, content in zip((*sections, ".shstrtab"), contents, strict=True):
        rows.append((names.index(name.encode() + b"\0"), 1, 0, 0, at, len(content)))
        at += len(content)
    entry = "IIQQQQ" if wide else "IIIIII"
    step = 64 if wide else 40
    packed = b"".join(struct.pack(order + entry, *row).ljust(step, b"\0") for row in rows)
    head = bytearray(header_size)
    head[:7] = b"\x7fELF" + bytes([2 if wide else 1, 1 if little else 2, 1])
    struct.pack_into(order + ("Q" if wide else "I"), head, 0x28 if wide else 0x20, table)
    counts = (step, len(rows), len(rows) - 1)
    struct.pack_into(order + "HHH", head, 0x3A if wide else 0x2E, *counts)
    return bytes(head) + body + packed


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("little", [True, False])
def test_sections_are_read_of_every_kind_of_elf(wide: bool, little: bool) -> None:
    sections = {".text": b"code", ".rodata": b"constants"}
    found = read_sections(elf(sections, wide=wide, little=little))
    assert {name: found[name] for name in sections} == sections


def test_of_two_binaries_the_section_is_named_and_the_build_id_is_not() -> None:
    before = {".text": b"code", ".rodata": b"built 1 May", ".note.gnu.build-id": b"abcd"}
    after = {**before, ".rodata": b"built 2 May", ".note.gnu.build-id": b"efgh"}
    said = content_difference(
        elf(before, wide=True, little=True), elf(after, wide=True, little=True)
    )
    assert said == ('section .rodata (1 byte from offset 6: "built 1 May" became "built 2 May")')


def test_a_build_id_that_differs_alone_is_named() -> None:
    one, other = ({".text": b"c", ".note.gnu.build-id": each} for each in (b"abcd", b"efgh"))
    said = content_difference(elf(one, wide=True, little=True), elf(other, wide=True, little=True))
    assert said.startswith("section .note.gnu.build-id")


def test_a_section_more_is_named() -> None:
    one = elf({".text": b"code"}, wide=True, little=True)
    other = elf({".text": b"code", ".comment": b"x"}, wide=True, little=True)
    assert "new: .comment" in content_difference(one, other)


@pytest.mark.parametrize("end", range(0, 200, 7))
def test_a_binary_that_is_cut_off_has_no_sections(end: int) -> None:
    whole = elf({".text": b"code" * 20}, wide=True, little=True)
    assert read_sections(whole[:end]) == {}
    assert content_difference(whole, whole[:end] + b"?")


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no compiler here")
def test_real_binaries_are_told_apart_by_their_sections(tmp_path: Path) -> None:
    found = []
    for date in ("1 May 2026", "2 May 2026"):
        source, binary = tmp_path / "a.c", tmp_path / "a.so"
        source.write_text(f'const char *built = "{date}";\n')
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", binary], check=True)
        found.append(binary.read_bytes())
    said = content_difference(*found)
    assert said.startswith("section .rodata (1 byte from offset")
    assert '"1 May 2026" became "2 May 2026"' in said
