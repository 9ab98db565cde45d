"""Groups 2, 3 and 5: files that are small, and would take a reader all memory or all time.

Some of them are in order, merely odd: what counts is that each is told of soon.
"""

from __future__ import annotations

import io
import random
import resource
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from faults.badsdists import INFO as PKG_INFO
from faults.badsdists import TOP, entry, gz
from faults.badwheels import FILENAME, GOOD, parts, recorded
from faults.case import Case
from faults.rawzip import assemble
from wheelfactory import INFO
from wheelhouse.wheels.elf import read_binary
from wheelhouse.wheels.elfimage import BrokenElfError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.world import World

METADATA, WHEEL, RECORD = (f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD"))
SCRIPTS = f"{INFO}/entry_points.txt"
HEAD = GOOD[METADATA]

#: Bytes of address space of the process that reads them, and seconds for all of them.
SPACE = 700 << 20
SECONDS = 60

#: Reads all files of a folder, each as what its name ends in.
READER = """
import sys
from dataclasses import replace
from pathlib import Path
from wheelhouse.errors import BuildError, CheckError
from wheelhouse.locking.sdist import read_sdist
from wheelhouse.wheels import read_wheel
for path in sorted(Path(sys.argv[1]).iterdir()):
    name = path.name.partition(" ")[2]
    try:
        read_wheel(path, filename=name) if name.endswith(".whl") else read_sdist(path, name)
    except (BuildError, CheckError):
        pass
print("told")
"""


def _statements() -> Iterator[dict[str, bytes]]:
    """What a wheel says of itself, at length."""
    for line in (
        b"Requires-Dist: " + b"a" * 900_000,
        b"Requires-Dist: a" + b">=1," * 200_000 + b">=1",
        b"Requires-Dist: a[" + b"b," * 30_000 + b"b]",
        b"Requires-Dist: a; " + b"os_name=='x' and " * 3_000 + b"os_name=='x'",
        b"Requires-Dist: a; " + b"(" * 60_000,
        b"Requires-Python: " + b">=1," * 15_000 + b">=1",
        b"Requires-Python: >=" + b"1." * 30_000 + b"1",
        b"Provides-Extra: " + b"-" * 60_000 + b"x",
        b"Summary: " + b"=?a?q?" * 10_000,
        b"Summary: x\n" + b" y\n" * 300_000,
        b"\n".join(b"a%d: x" % number for number in range(4_000)),
        b"\n".join(b"Provides-Extra: a%d" % number for number in range(4_000)),
        b"Content-Type: message/rfc822\n" + b"\nContent-Type: message/rfc822\n" * 100_000,
        b"Content-Type: multipart/mixed; boundary=a\n" + b"\n--a\n" * 100_000,
    ):
        yield recorded({**GOOD, METADATA: HEAD + line + b"\n"})
    several = b".".join(b"a%d" % number for number in range(1_000))
    yield recorded({**GOOD, WHEEL: GOOD[WHEEL] + b"Tag: " + b"-".join([several] * 3) + b"\n"})
    for text in (b"\n" * (30 << 20), b"," * (30 << 20), b'"' * (30 << 20), b"a,,\n" * (7 << 20)):
        yield {**GOOD, RECORD: text}
    for text in (b"a=b\n" * 250_000, b"[console_scripts]\na = " + b"a " * 400_000, b"[" * 900_000):
        yield recorded({**GOOD, SCRIPTS: text})


def _at_length(world: World) -> None:
    folder = world.root / "greedy"
    folder.mkdir()
    for number, content in enumerate(_statements()):
        data = assemble(parts(content))
        (folder / f"{number:02} {FILENAME}").write_bytes(data)
    for number, text in enumerate(
        (
            b"a" + b".a" * 100_000 + b" = 1\n",
            b"\n".join(b"a%d" % n + b".a" * 18 + b" = 1" for n in range(10_000)),
            b"".join(b"[a%d]\n" % n for n in range(50_000)),
            b"x = '" + b"a" * 500_000 + b"'\n",
            b"x = '" + b'"' * 500_000 + b"'\n",
            b"x = " + b"{a=" * 50_000,
            b'x = "' + b"\\u0041" * 80_000 + b'"',
        )
    ):
        info = entry(f"{TOP}/PKG-INFO", PKG_INFO)
        data = gz(info, entry(f"{TOP}/pyproject.toml", text))
        (folder / f"s{number} demo-1.0.tar.gz").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(folder)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE)),
        check=False,
    )
    assert done.stdout == "told\n", done.stderr[-2000:]


# --- ELF -----------------------------------------------------------------------------------------


def _library() -> bytes:
    """Some extension module of this Python."""
    paths = (Path(each) for each in sys.path if each.endswith("lib-dynload"))
    return min((path for each in paths for path in each.glob("*.so")), key=_size).read_bytes()


def _size(path: Path) -> int:
    return path.stat().st_size


def _headers(data: bytes) -> list[int]:
    """Where the numbers stand that lead to all others: the header, the segments, the dynamic one."""
    (at,) = struct.unpack_from("<Q", data, 32)
    (count,) = struct.unpack_from("<H", data, 56)
    places = [*range(64), *range(at, at + 56 * count)]
    for number in range(count):
        kind, _, offset, _, _, size, _, _ = struct.unpack_from("<2I6Q", data, at + 56 * number)
        if kind == 2:
            places += range(offset, offset + size)
    return places


def _damaged_elf(world: World) -> None:
    """Numbers of an ELF file replaced: it is read or broken, whatever they are."""
    whole, chance = _library(), random.Random(1)
    places = _headers(whole)
    for _ in range(600):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 1, 2, 8])):
            damaged[chance.choice(places)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
        try:
            read_binary(io.BytesIO(damaged), "x.so", module="x")
        except BrokenElfError:
            world.figures.add("ELF files found broken")


def _endless_elf(world: World) -> None:
    """A hash chain without end through sixty-three segments, and that a hundred times."""
    elf = endless_elf()
    content = recorded({**GOOD, **{f"demo/x{number}.so": elf for number in range(100)}})
    folder = world.root / "greedy"
    folder.mkdir()
    stored = [replace(part, method=0) for part in parts(content)]
    (folder / f"0 {FILENAME}").write_bytes(assemble(stored))
    done = subprocess.run(
        [sys.executable, "-c", READER, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "told\n", done.stderr[-2000:]


def endless_elf() -> bytes:
    """An ELF file of which the same hashes are found at millions of addresses, without an end."""
    dynamic, table, size = 64 + 56 * 64, 8192, 1 << 15
    loaded = [(1, table + number * size, table, size) for number in range(63)]
    head = struct.pack("<16s2HI3QI6H", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 0, 0, 64, 56, 64, 0, 0, 0)
    for kind, address, offset, length in [(2, dynamic, dynamic, 64), *loaded]:
        head += struct.pack("<2I6Q", kind, 4, offset, address, 0, length, length, 1)
    # Strings, symbols and GNU's hashes: two buckets, whose chain an odd number would end.
    tags = [(5, table), (6, table), (0x6FFFFEF5, table), (0, 0)]
    head += b"".join(struct.pack("<2Q", *tag) for tag in tags)
    hashes = struct.pack("<6I", 2, 2, 0, 0, 2, 2)
    return head.ljust(table, b"\0") + hashes.ljust(size, b"\0")


CASES = [
    Case(
        group=5,
        name="wheels that say too much of themselves",
        attempt=_at_length,
        engine=False,
        everyday=True,
    ),
    Case(group=5, name="damaged ELF files", attempt=_damaged_elf, engine=False, everyday=True),
    Case(group=5, name="ELF files without end", attempt=_endless_elf, engine=False),
]
