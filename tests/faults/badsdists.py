"""Sdists that are wrong in one way each: as archives, and in what they say."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import stat
import tarfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from faults.rawzip import Part, assemble, zip64_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILENAME = "demo-1.0.tar.gz"
TOP = "demo-1.0"
INFO = b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n"
PYPROJECT = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class BadSdist:
    """One of them.

    :ivar group: of the fault suite.
    :ivar words: what the reason has in it.
    :ivar filename: it says how it is packed.
    :ivar unpacks: whether it is an archive in order, which only says something wrong.
    """

    group: int
    name: str
    content: bytes
    words: str
    filename: str = FILENAME
    unpacks: bool = False


def entry(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644
) -> bytes:
    """One member of a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, target, mode, len(data)
    return header(info) + padded(data)


def header(info: tarfile.TarInfo) -> bytes:
    """As GNU tar has it, in as many blocks as it takes."""
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def padded(data: bytes) -> bytes:
    """*data* in blocks."""
    return data + bytes(-len(data) % 512)


def pax(records: Mapping[str, str | bytes], kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A header for the next member, or for all."""
    return entry("././@PaxHeader", b"".join(pax_record(*each) for each in records.items()), kind)


def pax_record(key: str, value: str | bytes) -> bytes:
    """One line of such a header."""
    text = key.encode() + b"=" + (value if isinstance(value, bytes) else value.encode()) + b"\n"
    size = len(text) + 2
    while len(line := b"%d " % size + text) != size:
        size = len(line)
    return line


def patched(block: bytes, at: int, value: bytes) -> bytes:
    """A header *block* with *value* in it, and its sum corrected."""
    block = block[:at] + value + block[at + len(value) :]
    summed = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + b"%06o\0 " % summed + block[156:]


def gz(*members: bytes, end: bytes = bytes(1024)) -> bytes:
    """The members of a tar, packed."""
    return gzip.compress(b"".join(members) + end, compresslevel=6, mtime=0)


def folder(name: str = TOP) -> bytes:
    """A folder's own entry."""
    return entry(f"{name}/", kind=tarfile.DIRTYPE, mode=0o755)


#: What every sdist in order has.
STATED = entry(f"{TOP}/PKG-INFO", INFO)
GOOD = STATED + entry(f"{TOP}/pyproject.toml", PYPROJECT) + entry(f"{TOP}/backend.py", b"")


def bad_sdists(group: int, outside: str = "/srv") -> Iterator[BadSdist]:
    """All of one *group* but those that are large.

    :param outside: the folder that those with an absolute path in them mean.
    """
    families = {
        1: (_outside, _zips_outside),
        2: (_readings, _zip_readings, _bombs, _damages),
        3: (_identities,),
        4: (_pyprojects,),
    }
    for family in families[group]:
        yield from family(outside)


def large_sdists() -> Iterator[BadSdist]:
    """Those of group 2 that it takes long to make, and to read."""
    many = b"".join(_empty(number) for number in range(100_001))
    yield _bad("too many members", "members", gz(GOOD, many))
    deep = b"".join(entry(f"{TOP}/{number}/" + "x/" * 90 + "y") for number in range(1700))
    yield _bad("too many folders", "too many files and folders", gz(GOOD, deep))
    parts = [Part(name=b"%s/%d" % (TOP.encode(), n), method=0) for n in range(100_001)]
    content = assemble(parts, before_end=zip64_end(parts))
    yield replace(_bad("zip: too many members", "members", content), filename="demo-1.0.zip")


def _bad(name: str, words: str, content: bytes) -> BadSdist:
    return BadSdist(group=2, name=name, words=words, content=content)


# --- group 1 -------------------------------------------------------------------------------------


def _outside(outside: str) -> Iterator[BadSdist]:
    def bad(name: str, words: str, *members: bytes) -> BadSdist:
        return BadSdist(group=1, name=name, words=words, content=gz(GOOD, *members))

    for name, path in {
        "up": "../evil",
        "up from its folder": f"{TOP}/../../evil",
        "up and back": f"{TOP}/../{TOP}/evil",
        "up at the end": f"{TOP}/a/..",
        "an absolute path": f"{outside}/evil",
        "an absolute path with its top": f"/{TOP}/evil",
        "two slashes in front": f"//{TOP}/evil",
    }.items():
        yield bad(f"a file {name}", "outside its folder", entry(path, b"x"))
        yield bad(f"a folder {name}", "outside its folder", entry(path, kind=tarfile.DIRTYPE))
        long = pax({"path": path}) + entry(f"{TOP}/harmless", b"x")
        yield bad(f"a file {name} by pax", "outside its folder", long)
        gnu = entry("././@LongLink", path.encode() + b"\0", tarfile.GNUTYPE_LONGNAME)
        yield bad(f"a file {name} by GNU", "outside its folder", gnu + entry(f"{TOP}/x", b"x"))
    prefix = patched(tarfile.TarInfo("evil").tobuf(tarfile.USTAR_FORMAT), 345, b"../..")
    yield bad("a file up by its prefix", "outside its folder", prefix)
    yield bad("a name with NUL", "a path that is none", pax({"path": f"{TOP}/a\0b"}) + entry("x"))
    link, hard = tarfile.SYMTYPE, tarfile.LNKTYPE
    for name, target in {
        "to an absolute path": f"{outside}/evil",
        "up": "../../evil",
        "to the folder it is unpacked in": "..",
        "up on its way": "a/../../../evil",
        "out and back": f"../{TOP}/backend.py",
        "far up": "../" * 40 + "etc/passwd",
    }.items():
        yield bad(f"a link {name}", "leads outside", entry(f"{TOP}/l", kind=link, target=target))
        long = pax({"linkpath": target}) + entry(f"{TOP}/l", kind=link, target="backend.py")
        yield bad(f"a link {name} by pax", "leads outside", long)
    inner = entry(f"{TOP}/l", kind=link, target=".")
    yield bad("a file behind a link", "behind a link", inner, entry(f"{TOP}/l/evil", b"x"))
    yield bad("a folder behind a link", "behind a link", inner, folder(f"{TOP}/l/evil"))
    chain = [entry(f"{TOP}/l{n + 1}", kind=link, target=f"l{n}") for n in range(40)]
    yield bad("a file behind forty links", "behind a link", inner, *chain, entry(f"{TOP}/l40/x"))
    yield bad("a file through a file", "behind a file", entry(f"{TOP}/backend.py/x", b"x"))
    yield bad(
        "a link in a file's place", "there twice", entry(f"{TOP}/backend.py", kind=link, target="x")
    )
    yield bad("a file in a link's place", "there twice", inner, entry(f"{TOP}/l", b"x"))
    yield bad("a folder in a link's place", "there twice", inner, folder(f"{TOP}/l"))
    yield bad("a link in its top's place", "not in a top folder", entry(TOP, kind=link, target="."))
    yield bad(
        "a link that is the way to the next",
        "leads outside",
        entry(f"{TOP}/a", kind=link, target="b/../.."),
    )
    for name, target in {
        "to an absolute path": f"{outside}/evil",
        "up": "../evil",
        "to what is not there": f"{TOP}/nothing",
        "to what comes later": f"{TOP}/later",
        "to a folder": f"{TOP}",
        "to itself": f"{TOP}/h",
        "without its top": "backend.py",
    }.items():
        later = entry(f"{TOP}/later")
        yield bad(f"a hard link {name}", "", entry(f"{TOP}/h", kind=hard, target=target), later)
    yield bad(
        "a hard link to a link", "no file", inner, entry(f"{TOP}/h", kind=hard, target=f"{TOP}/l")
    )
    for name, kind in {
        "a character device": tarfile.CHRTYPE,
        "a block device": tarfile.BLKTYPE,
        "a FIFO": tarfile.FIFOTYPE,
    }.items():
        yield bad(name, "a device or a pipe", entry(f"{TOP}/d", kind=kind))
    yield bad(
        "a name that no disk can hold", "not every disk can hold", entry(f"{TOP}/{'x' * 256}")
    )


ZIP = [
    Part(name=f"{TOP}/{name}".encode(), data=data)
    for name, data in (("PKG-INFO", INFO), ("pyproject.toml", PYPROJECT))
]


def _bad_zip(group: int, name: str, words: str, *parts: Part, front: bytes = b"") -> BadSdist:
    content = assemble(parts, front=front)
    return BadSdist(
        group=group, name=f"zip: {name}", words=words, content=content, filename="demo-1.0.zip"
    )


def _zips_outside(outside: str) -> Iterator[BadSdist]:
    for name, path, words in (
        ("a file up", "../evil", "outside its folder"),
        ("a file up from its folder", f"{TOP}/../../evil", "outside its folder"),
        ("an absolute path", f"{outside}/evil", "outside its folder"),
        ("backslashes", f"{TOP}\\..\\..\\evil", "a backslash"),
        ("a drive", "C:/evil", "more than one top"),
        ("NUL", f"{TOP}/a\0b", "outside its folder"),
    ):
        yield _bad_zip(1, name, words, *ZIP, Part(name=path.encode(), data=b"x"))
    for name, mode in (("link", stat.S_IFLNK), ("device", stat.S_IFCHR), ("FIFO", stat.S_IFIFO)):
        part = Part(name=f"{TOP}/evil".encode(), data=b"/etc/passwd", mode=mode | 0o777)
        yield _bad_zip(1, f"a {name}", "a link, a device or a pipe", *ZIP, part)


# --- group 2 -------------------------------------------------------------------------------------


def _readings(_: str) -> Iterator[BadSdist]:
    """What one program reads in another way than the next."""

    def bad(name: str, words: str, content: bytes) -> BadSdist:
        return BadSdist(group=2, name=name, words=words, content=content)

    def with_member(name: str, words: str, *members: bytes) -> BadSdist:
        return bad(name, words, gz(GOOD, *members))

    evil = entry(f"{TOP}/PKG-INFO", INFO.replace(b"demo", b"evil"))
    yield with_member("PKG-INFO twice", "there twice", evil)
    yield with_member(
        "PKG-INFO twice, with a dot",
        "there twice",
        entry(f"./{TOP}/PKG-INFO", INFO.replace(b"demo", b"evil")),
    )
    yield with_member(
        "pyproject.toml twice", "there twice", entry(f"{TOP}/pyproject.toml", PYPROJECT)
    )
    size = pax({"size": "512"}) + patched(entry(f"{TOP}/a"), 124, b"%011o\0" % 0) + evil
    yield with_member("another size by pax", "two sizes", size)
    yield with_member(
        "another size for all", "for all that follow", pax({"size": "0"}, tarfile.XGLTYPE), evil
    )
    yield with_member(
        "one name for all", "for all that follow", pax({"path": f"{TOP}/x"}, tarfile.XGLTYPE), evil
    )
    yield with_member(
        "two pax headers",
        "two headers",
        pax({"path": f"{TOP}/x"}),
        pax({"path": f"{TOP}/y"}),
        entry("z"),
    )
    long = entry("././@LongLink", f"{TOP}/x\0".encode(), tarfile.GNUTYPE_LONGNAME)
    yield with_member(
        "a name by GNU and by pax", "two headers", long, pax({"path": f"{TOP}/y"}), entry("z")
    )
    double = pax_record("path", f"{TOP}/x") + pax_record("path", f"{TOP}/y")
    yield with_member(
        "a name twice by pax", "twice", entry("x", double, tarfile.XHDTYPE), entry("z")
    )
    for name, records in {
        "without a length": b"path=x\n",
        "with a length too long": b"99 path=x\n",
        "with a length too short": b"5 path=x\n",
        "with a negative length": b"-9 path=x\n",
        "with a length of nothing": b"0 path=x\n",
        "without an equals sign": b"9 path_x\n",
        "without an end of line": b"9 path=xx",
        "with a length of many digits": b"9" * 100_000 + b" path=x\n",
    }.items():
        yield with_member(
            f"a pax header {name}",
            "pax header of it is damaged",
            entry("x", records, tarfile.XHDTYPE),
            entry("z"),
        )
    yield with_member("a pax header for nothing", "does not follow", pax({"path": f"{TOP}/x"}))
    yield with_member(
        "names in another encoding",
        "an encoding",
        pax({"hdrcharset": "KOI8", "path": f"{TOP}/x"}),
        entry("z"),
    )
    yield with_member(
        "a sparse file by pax", "sparse", pax({"GNU.sparse.major": "1"}), entry(f"{TOP}/s")
    )
    for name, kind in {
        "sparse file": b"S",
        "volume": b"M",
        "folder with a list": b"D",
        "volume's name": b"V",
        "letter": b"Z",
        "Solaris' header": b"X",
    }.items():
        yield with_member(
            f"the type of a {name}", "not every reader knows", entry(f"{TOP}/s", kind=kind)
        )
    for name, kind, target in (
        ("folder", tarfile.DIRTYPE, ""),
        ("link", tarfile.SYMTYPE, "x"),
        ("hard link", tarfile.LNKTYPE, f"{TOP}/backend.py"),
    ):
        yield with_member(
            f"a {name} with content", "has content", entry(f"{TOP}/c", evil, kind, target)
        )
    yield with_member(
        "a link that leads nowhere", "by half", entry(f"{TOP}/c", kind=tarfile.SYMTYPE)
    )
    yield with_member("a file with a target", "by half", entry(f"{TOP}/c", target="x"))
    yield with_member(
        "a file that is a folder by its name", "a folder by its name", entry(f"{TOP}/c/", b"")
    )
    part = patched(header(tarfile.TarInfo(f"{TOP}/a")), 345, b"prefix")
    yield with_member("a prefix that GNU has not", "for some readers only", part)
    plain = entry(f"{TOP}/a", b"x" * 512)
    for at, what in ((124, "size"), (100, "mode")):
        negative = patched(plain[:512], at, b"\xff" * (12 if at == 124 else 8))
        yield with_member(f"a negative {what}", "negative", negative)
    yield with_member(
        "a negative size for a header", "negative", patched(long[:512], 124, b"\xff" * 12)
    )
    yield with_member(
        "a number that is none", "damaged", patched(plain[:512], 124, b"9" * 11 + b"\0")
    )
    yield with_member("an untrue sum", "damaged", b"X" + plain[1:])
    yield bad("a second tar behind its end", "follows its end", gz(GOOD, end=bytes(1024) + evil))
    yield bad("bytes behind its end", "follows its end", gz(GOOD, end=bytes(1024) + b"more"))
    yield bad("no end", "cut short", gz(GOOD, end=b""))
    yield bad("two gzip members", "follows its packed data", gz(GOOD, end=b"") + gz(evil))
    yield bad("two gzip members, whole each", "follows its packed data", gz(GOOD) + gz(evil))
    yield bad("bytes behind the gzip member", "follows its packed data", gz(GOOD) + b"more")
    packed = gz(GOOD)
    yield bad(
        "an untrue sum of gzip", "damaged", packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
    )
    yield bad("no gzip, no tar", "", b"<html>Sign in</html>\n" * 100)
    yield bad("nothing", "", b"")
    yield bad("nothing but gzip", "", gzip.compress(b""))
    yield bad("nothing but an end", "no members", gz())
    yield bad("bytes without meaning", "", random.Random(3).randbytes(4096))


def _zip_readings(_: str) -> Iterator[BadSdist]:
    info, project = ZIP
    twice = Part(name=info.name, data=INFO.replace(b"demo", b"evil"))
    yield _bad_zip(2, "a file twice", "there twice", *ZIP, twice)
    hidden = replace(twice, listed=False)
    yield _bad_zip(2, "a member that the directory lacks", "belong to no member", *ZIP, hidden)
    yield _bad_zip(2, "bytes in front", "", *ZIP, front=b"hello")
    other = replace(info, local_name=f"{TOP}/PKG-INF0".encode())
    yield _bad_zip(2, "two names", "another name", other, project)
    crc = replace(project, local={"crc": 1}, central={"crc": 1})
    yield _bad_zip(2, "an untrue CRC", "CRC", info, crc)
    zeros = Part(name=f"{TOP}/zeros".encode(), data=bytes(70 * MIB))
    yield _bad_zip(2, "a bomb", "times its size", *ZIP, zeros)


def _bombs(_: str) -> Iterator[BadSdist]:
    big = tarfile.TarInfo(f"{TOP}/big")
    zeros = bytes(70 * MIB)
    big.size = len(zeros)
    tar = GOOD + header(big) + zeros + bytes(1024)
    yield _bad("a bomb of gzip", "times its size", _squeezed(tar))
    yield _bad("a bomb of bzip2", "times its size", bz2.compress(tar, 9))
    yield _bad("a bomb of xz", "times its size", lzma.compress(tar, preset=1))
    yield _bad("a bomb behind its end", "times its size", _squeezed(GOOD + zeros))
    small = lzma.compress(GOOD + bytes(1024), preset=0)
    yield _bad("xz that takes much memory", "damaged", _of_large_dictionary(small))
    big.size = 1 << 43
    yield _bad("a file of terabytes that is not there", "GiB", gz(GOOD, header(big)))
    big.size = 7 << 30
    yield _bad("a file of gigabytes that is not there", "times its size", gz(GOOD, header(big)))
    for name, kind in (("pax", tarfile.XHDTYPE), ("a long name", tarfile.GNUTYPE_LONGNAME)):
        long = entry("x", b"9" * (2 * MIB), kind)
        yield _bad(
            f"a header of megabytes, {name}", "a header of it has", gz(GOOD, long, entry("y"))
        )
    path = f"{TOP}/" + "x" * 5000
    yield _bad("a name of thousands of letters", "characters", gz(GOOD, entry(path)))


def _empty(number: int) -> bytes:
    """One of many: as fast as can be."""
    name = b"%s/%d" % (TOP.encode(), number)
    return patched(_BLANK, 0, name)


_BLANK = bytes(header(tarfile.TarInfo("")))


def _squeezed(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _of_large_dictionary(packed: bytes) -> bytes:
    """An xz file that says to need a dictionary of 1.5 GiB (its sum is corrected)."""
    size = (packed[12] + 1) * 4
    block = bytearray(packed[12 : 12 + size])
    at = block.index(b"\x21\x01") + 2  # LZMA2, one byte of properties
    block[at] = 37
    block[-4:] = zlib.crc32(bytes(block[:-4])).to_bytes(4, "little")
    return packed[:12] + bytes(block) + packed[12 + size :]


# --- groups 3 and 4 ------------------------------------------------------------------------------


def _identities(_: str) -> Iterator[BadSdist]:
    def bad(name: str, words: str, *members: bytes, unpacks: bool = True) -> BadSdist:
        return BadSdist(group=3, name=name, words=words, content=gz(*members), unpacks=unpacks)

    def stating(name: str, info: bytes | str, words: str = "not what its name says") -> BadSdist:
        data = info if isinstance(info, bytes) else info.encode()
        return bad(name, words, entry(f"{TOP}/PKG-INFO", data))

    other = entry("other/setup.py", b"x")
    yield bad("two top folders", "more than one top", GOOD, other, unpacks=False)
    yield bad(
        "a file beside its top", "not in a top folder", GOOD, entry("setup.py", b"x"), unpacks=False
    )
    yield bad(
        "a link beside its top",
        "not in a top folder",
        GOOD,
        entry("l", kind=tarfile.SYMTYPE, target=TOP),
        unpacks=False,
    )
    yield bad("no top folder", "not in a top folder", entry("PKG-INFO", INFO), unpacks=False)
    yield bad("a file as its top", "not in a top folder", entry(TOP, INFO), unpacks=False)
    yield bad("no PKG-INFO", "is missing", entry(f"{TOP}/setup.py", b"x"))
    yield bad(
        "PKG-INFO in a folder only", "is missing", entry(f"{TOP}/demo.egg-info/PKG-INFO", INFO)
    )
    yield bad("PKG-INFO in capitals only", "is missing", entry(f"{TOP}/pkg-info", INFO))
    yield bad(
        "PKG-INFO that is a folder",
        "no file",
        folder(f"{TOP}/PKG-INFO"),
        entry(f"{TOP}/PKG-INFO/x"),
    )
    yield bad(
        "PKG-INFO that is a link",
        "no file",
        entry(f"{TOP}/real", INFO),
        entry(f"{TOP}/PKG-INFO", kind=tarfile.SYMTYPE, target="real"),
    )
    wheel = assemble([Part(name=b"demo/__init__.py")])
    yield BadSdist(group=3, name="a wheel", words="is missing", content=wheel, unpacks=True)
    text = INFO.decode()
    for name in ("other", "demo2", "d\u0435mo", "../demo"):
        yield stating(f"the name {name!r}", text.replace("demo", name))
    for version in ("1.1", "2.0", "1.0.dev0", "1.0+local", "one", "", "1" * 5000):
        yield stating(f"the version {version[:10]!r}", text.replace("1.0", version))
    yield stating("two names", text + "Name: other\n", "not what its name says")
    yield stating("no name", text.replace("Name: demo\n", ""))
    yield stating(
        "its name in the text only", "Metadata-Version: 2.2\nVersion: 1.0\n\nName: demo\n"
    )
    yield stating("nothing in PKG-INFO", b"", "is missing")
    yield stating("a PKG-INFO of UTF-16", text.encode("utf-16"))
    yield stating(
        "a PKG-INFO of thousands of fields", text + "".join(f"a{n}: x\n" for n in range(30_000))
    )
    yield stating("a PKG-INFO of megabytes", text + "x" * (5 * MIB), "bytes")


PYPROJECTS: dict[str, bytes] = {
    "that is no TOML": b"[build-system",
    "of Latin-1": b"[build-system]\nrequires = []\n# \xe9\n",
    "of UTF-16": PYPROJECT.decode().encode("utf-16"),
    "with a byte order mark": b"\xef\xbb\xbf" + PYPROJECT,
    "with NUL": PYPROJECT + b"x = '\0'\n",
    "with a key twice": PYPROJECT + b"requires = []\n",
    "with a number of many digits": b"x = " + b"9" * 5000,
    "of many brackets": b"x = " + b"[" * 100_000,
    "of many dots": b"a" + b".a" * 100_000 + b" = 1",
    "of megabytes": b"#" * (5 * MIB),
    "with a build-system that is text": b'build-system = "setuptools"\n',
    "with a build-system that is a list": b"[[build-system]]\nrequires = []\n",
    "without requires": b'[build-system]\nbuild-backend = "backend"\n',
    "with requires that are text": b'[build-system]\nrequires = "setuptools"\n',
    "with requires that are numbers": b"[build-system]\nrequires = [1]\n",
    "with a backend that is a list": b"[build-system]\nrequires = []\nbuild-backend = ['x']\n",
    "with a backend that is a path": b"[build-system]\nrequires = []\nbuild-backend = '../x'\n",
    "with a backend that is code": b"[build-system]\nrequires = []\nbuild-backend = 'os; x'\n",
    "with no backend's name": b"[build-system]\nrequires = []\nbuild-backend = ''\n",
    "with a backend-path that is text": PYPROJECT.replace(b'["."]', b'"."'),
    "with a backend-path of numbers": PYPROJECT.replace(b'["."]', b"[1]"),
    "with a backend-path up": PYPROJECT.replace(b'"."', b'"../"'),
    "with a backend-path up on its way": PYPROJECT.replace(b'"."', b'"a/../../b"'),
    "with an absolute backend-path": PYPROJECT.replace(b'"."', b'"/tmp"'),
}


def _pyprojects(_: str) -> Iterator[BadSdist]:
    for name, text in PYPROJECTS.items():
        content = gz(STATED, entry(f"{TOP}/pyproject.toml", text))
        words = "pyproject.toml"
        yield BadSdist(
            group=4, name=f"a pyproject.toml {name}", words=words, content=content, unpacks=True
        )


def _damages(_: str) -> Iterator[BadSdist]:
    """Cut short anywhere; of what gzip packs, every bit counts."""
    chance = random.Random(11)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in (("PKG-INFO", INFO), ("data", chance.randbytes(3000))):
            info = tarfile.TarInfo(f"{TOP}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    whole = out.getvalue()
    for size in sorted(chance.sample(range(1, len(whole)), 30)):
        yield BadSdist(group=2, name=f"cut at byte {size}", words="", content=whole[:size])
    for at in sorted(chance.sample(range(30, len(whole) - 8), 30)):
        damaged = whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
        yield BadSdist(group=2, name=f"bit of byte {at}", words="", content=damaged)
