"""Wheels that are wrong in one way each, made from one that is in order."""

from __future__ import annotations

import base64
import hashlib
import random
import stat
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from faults.rawzip import (
    DESCRIPTOR,
    ENCRYPTED,
    MASKED,
    STRONG,
    UTF8,
    Part,
    assemble,
    deflated,
    zip64_end,
    zip64_extra,
)
from wheelfactory import INFO, members, record_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FILENAME = "demo-1.0-py3-none-any.whl"
CODE = "demo/__init__.py"

#: The wheel in order.
GOOD = members()


@dataclass(frozen=True, kw_only=True, slots=True)
class BadWheel:
    """One of them.

    :ivar family: what kind of fault it has.
    :ivar name: its fault, in a few words.
    :ivar heavy: whether a tool that does not refuse it would be busy with it for long.
    """

    family: str
    name: str
    content: bytes
    filename: str = FILENAME
    heavy: bool = False


def parts(content: Mapping[str, bytes]) -> list[Part]:
    """*content* as members."""
    return [
        Part(name=name.encode(), data=data, flags=0 if name.isascii() else UTF8)
        for name, data in content.items()
    ]


def plain(content: Mapping[str, bytes]) -> bytes:
    """*content* as a ZIP in order."""
    return assemble(parts(content))


def recorded(content: Mapping[str, bytes]) -> dict[str, bytes]:
    """*content* with a RECORD that is true."""
    path = f"{INFO}/RECORD"
    lines = [record_line(name, data) for name, data in content.items() if name != path]
    return {**content, path: "\n".join([*lines, f"{path},,", ""]).encode()}


def with_file(name: str, data: bytes = b"X = 2\n") -> dict[str, bytes]:
    """The wheel in order with another file, in RECORD as well."""
    return recorded({**GOOD, name: data})


def families() -> dict[str, Callable[[str], Iterator[BadWheel]]]:
    """What makes those of each family; each is told a folder that absolute paths may mean."""
    return {
        "RECORD": _records,
        "METADATA": _metadata,
        "WHEEL": _wheel_files,
        "folders": _folders,
        "names": _names,
        "members": _members,
        "headers": _headers,
        "structure": _structures,
        "bombs": _bombs,
        "scripts": _scripts,
        "file names": _filenames,
        "damage": _damages,
    }


# --- what it says of itself ----------------------------------------------------------------------

LINE = record_line(CODE, GOOD[CODE])
DIGEST = hashlib.sha256(GOOD[CODE]).digest()
HASH = base64.urlsafe_b64encode(DIGEST).rstrip(b"=").decode()


def _records(_: str) -> Iterator[BadWheel]:
    record = f"{INFO}/RECORD"
    text = GOOD[record].decode()

    def bad(name: str, content: Mapping[str, bytes]) -> BadWheel:
        return BadWheel(family="RECORD", name=name, content=plain(content))

    def edited(name: str, line: str) -> BadWheel:
        return bad(name, {**GOOD, record: text.replace(LINE, line).encode()})

    yield bad("wrong hash", {**GOOD, CODE: b"X = 2\n"})
    yield bad("wrong size", {**GOOD, record: text.replace(f"{HASH},6", f"{HASH},7").encode()})
    yield bad("file that it lacks", {**GOOD, "demo/extra.py": b"X = 2\n"})
    yield bad("file that is not there", {k: v for k, v in GOOD.items() if k != CODE})
    yield bad("no RECORD", {k: v for k, v in GOOD.items() if k != record})
    yield bad("empty RECORD", {**GOOD, record: b""})
    yield edited("line twice", f"{LINE}\n{LINE}")
    yield edited("line twice, the first untrue", f"{CODE},sha256={'A' * 43},6\n{LINE}")
    yield edited("line twice, the last untrue", f"{LINE}\n{CODE},sha256={'A' * 43},6")
    yield edited("no hash", f"{CODE},,6")
    yield edited("nothing but the path", f"{CODE},,")
    for kind in ("md5", "sha1", "blake2b", "crc32", "SHA256", ""):
        yield edited(f"hash of kind {kind!r}", f"{CODE},{kind}={HASH},6")
    yield edited("md5 that is true", f"{CODE},md5={_digest('md5')},6")
    yield edited("sha1 that is true", f"{CODE},sha1={_digest('sha1')},6")
    yield edited("padded hash", f"{CODE},sha256={HASH}=,6")
    yield edited("hash cut short", f"{CODE},sha256={HASH[:-4]},6")
    yield edited("hash with something behind it", f"{CODE},sha256={HASH}!!!!,6")
    yield edited("untrue hash in hexadecimal", f"{CODE},sha256={'0' * 64},6")
    yield edited("two columns", f"{CODE},sha256={HASH}")
    yield edited("four columns", f"{LINE},x")
    for size in ("six", "-6", "6.0", "0x6", "\u0666", "6" * 5000):
        yield edited(f"size {size[:4]!r}", f"{CODE},sha256={HASH},{size}")
    for path in (f"/{CODE}", f"./{CODE}", f"demo/../{CODE}", "demo\\__init__.py", CODE.upper()):
        yield edited(f"file as {path}", LINE.replace(CODE, path))
    yield edited("file outside", f"{LINE}\n../../evil.py,sha256={HASH},6")
    yield edited("absolute file", f"{LINE}\n/etc/evil,sha256={HASH},6")
    yield edited("open quote", f'"{LINE}')
    yield edited("field of a megabyte", f"{LINE}\n{'x' * (1 << 20)},,")
    yield bad("not UTF-8", {**GOOD, record: GOOD[record] + b"\xff,,\n"})
    yield bad("NUL in it", {**GOOD, record: GOOD[record] + b"\0,,\n"})
    yield bad("UTF-16", {**GOOD, record: text.encode("utf-16")})
    yield bad(
        "itself with a hash",
        {**GOOD, record: text.replace("RECORD,,", f"RECORD,sha256={HASH},1").encode()},
    )
    lines = "".join(f"a{number},,\n" for number in range(200_001))
    yield bad("hundreds of thousands of lines", {**GOOD, record: text.encode() + lines.encode()})


def _digest(kind: str) -> str:
    digest = hashlib.new(kind, GOOD[CODE]).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


HEAD = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


def _metadata(_: str) -> Iterator[BadWheel]:
    def bad(name: str, text: str | bytes) -> BadWheel:
        data = text if isinstance(text, bytes) else text.encode()
        content = recorded({**GOOD, f"{INFO}/METADATA": data})
        return BadWheel(family="METADATA", name=name, content=plain(content))

    missing = recorded({k: v for k, v in GOOD.items() if not k.endswith("METADATA")})
    yield BadWheel(family="METADATA", name="missing", content=plain(missing))
    yield bad("empty", "")
    for name in ("other", "demo2", "demo other", "../demo", "d\u0435mo"):
        yield bad(f"name {name!r}", HEAD.replace("demo", name))
    for version in ("1.1", "2.0", "1.0+local", "one", "1" * 5000, "1.0.dev0", "1!1.0"):
        yield bad(f"version {version[:10]}", HEAD.replace("1.0\n", f"{version}\n"))
    yield bad("two names", HEAD + "Name: other\n")
    yield bad("two names, the first another", HEAD.replace("Name", "Name: other\nName"))
    yield bad("two names that are the same", HEAD + "name: demo\n")
    yield bad("two versions", HEAD + "Version: 2.0\n")
    yield bad("no name", HEAD.replace("Name: demo\n", ""))
    yield bad("no version", HEAD.replace("Version: 1.0\n", ""))
    yield bad("name in its text only", HEAD.replace("Name: demo\n", "") + "\nName: demo\n")
    yield bad("empty line first", "\n" + HEAD)
    yield bad("no Metadata-Version", HEAD.replace("Metadata-Version: 2.1\n", ""))
    yield bad("Metadata-Version 3.0", HEAD.replace("2.1", "3.0"))
    yield bad("Metadata-Version that is none", HEAD.replace("2.1", "two"))
    yield bad("two limits of Python", HEAD + "Requires-Python: >=3\nRequires-Python: >=99\n")
    yield bad("broken limit of Python", HEAD + "Requires-Python: newest\n")
    yield bad("requirement that is none", HEAD + "Requires-Dist: =\n")
    yield bad("requirement by a broken marker", HEAD + "Requires-Dist: x; os_name\n")
    yield bad("requirement that is not UTF-8", HEAD.encode() + b"Requires-Dist: x\xff\n")
    nested = f"Requires-Dist: x; {'(' * 20_000}os_name == 'x'{')' * 20_000}\n"
    yield bad("requirement of twenty thousand brackets", HEAD + nested)
    yield bad("line that is no field", HEAD + "no field\nRequires-Dist: evil\n")
    yield bad("line that goes on from nothing", " folded\n" + HEAD)
    yield bad("bare carriage return", HEAD + "Summary: x\rRequires-Dist: evil\n")
    yield bad("NUL", HEAD + "Summary: x\0y\n")
    yield bad("UTF-16", HEAD.encode("utf-16"))
    yield bad("byte order mark", "\ufeff" + HEAD)
    yield bad("thousands of fields", HEAD + "".join(f"a{number}: x\n" for number in range(30_000)))
    yield bad("field of megabytes", HEAD + f"Summary: {'x' * (3 << 20)}\n")


def _wheel_files(_: str) -> Iterator[BadWheel]:
    path = f"{INFO}/WHEEL"
    text = GOOD[path].decode()

    def bad(name: str, data: str | bytes, filename: str = FILENAME) -> BadWheel:
        content = recorded({**GOOD, path: data if isinstance(data, bytes) else data.encode()})
        return BadWheel(family="WHEEL", name=name, content=plain(content), filename=filename)

    def edited(name: str, old: str, new: str, filename: str = FILENAME) -> BadWheel:
        assert old in text
        return bad(name, text.replace(old, new), filename)

    missing = recorded({k: v for k, v in GOOD.items() if k != path})
    yield BadWheel(family="WHEEL", name="missing", content=plain(missing))
    yield bad("empty", "")
    tag = "Tag: py3-none-any"
    for other in (
        *("py2-none-any", "cp311-none-any", "py3-abi3-any", "py3-none-linux_x86_64"),
        *("py3-none-win_amd64", "py3-none-manylinux2014_x86_64", "cp311-cp311-linux_x86_64"),
    ):
        yield edited(f"tag {other}", tag, f"Tag: {other}")
    yield edited("no tag", f"{tag}\n", "")
    yield edited("a tag more", tag, f"{tag}\nTag: cp311-cp311-linux_x86_64")
    yield edited("a tag less", tag, "Tag: py3-none-any", "demo-1.0-cp311.py3-none-any.whl")
    native = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    for other in (
        *("cp311-cp311-linux_aarch64", "cp310-cp310-linux_x86_64", "cp311-abi3-linux_x86_64"),
        *("py3-none-any", "cp311-cp311-manylinux_2_34_x86_64", "cp311-cp311-musllinux_1_2_x86_64"),
    ):
        yield edited(f"tag {other} of a native wheel", tag, f"Tag: {other}", native)
    for broken in ("py3", "py3-none", "", "---", "py3-none-any-more-of-it"):
        yield edited(f"malformed tag {broken!r}", tag, f"Tag: {broken}")
    spec = "Wheel-Version: 1.0"
    for other in ("2.0", "0.1", "1", "one", "1.0.0.evil", ""):
        yield edited(f"Wheel-Version {other!r}", spec, f"Wheel-Version: {other}")
    yield edited("no Wheel-Version", f"{spec}\n", "")
    yield edited("two Wheel-Versions", spec, f"{spec}\nWheel-Version: 2.0")
    pure = "Root-Is-Purelib: true"
    for other in ("maybe", "1", "", "true false"):
        yield edited(f"Root-Is-Purelib {other!r}", pure, f"Root-Is-Purelib: {other}")
    yield edited("no Root-Is-Purelib", f"{pure}\n", "")
    yield edited("two Root-Is-Purelib", pure, f"{pure}\nRoot-Is-Purelib: false")
    yield edited("another Build", pure, f"{pure}\nBuild: 2", "demo-1.0-1-py3-none-any.whl")
    yield edited("Build that the name lacks", pure, f"{pure}\nBuild: 2")
    yield edited("line that is no field", pure, f"no field\n{pure}")
    yield bad("not UTF-8", GOOD[path] + b"Generator: \xff\n")
    yield bad("bare carriage return", text.replace("\n", "\r"))


def _folders(_: str) -> Iterator[BadWheel]:
    def bad(name: str, content: Mapping[str, bytes], filename: str = FILENAME) -> BadWheel:
        return BadWheel(family="folders", name=name, content=plain(content), filename=filename)

    yield bad("no .dist-info", {CODE: GOOD[CODE]})
    for other in ("other-2.0.dist-info", "demo-2.0.dist-info", "other-1.0.DIST-INFO"):
        yield bad(f"a second one, {other}", with_file(f"{other}/METADATA", HEAD.encode()))
    empty = Part(name=b"other-2.0.dist-info/", mode=stat.S_IFDIR | 0o755, method=0)
    content = assemble([*parts(GOOD), empty])
    yield BadWheel(family="folders", name="a second one that is empty", content=content)
    yield bad("a second one that is a file", with_file("other-2.0.dist-info"))
    for name, other in {
        "of another name": "other-1.0.dist-info",
        "without a version": "demo.dist-info",
        "in a folder": f"in/{INFO}",
        "in capitals": INFO.upper(),
    }.items():
        moved = {key.replace(INFO, other): value for key, value in GOOD.items()}
        record = moved[f"{other}/RECORD"].replace(INFO.encode(), other.encode())
        yield bad(f".dist-info {name}", {**moved, f"{other}/RECORD": record})
    yield bad(".dist-info of another version", GOOD, "demo-2.0-py3-none-any.whl")
    yield bad(".data of another name", with_file("other-1.0.data/purelib/x.py"))
    yield bad(".data of another version", with_file("demo-2.0.data/scripts/x"))
    for where in ("elsewhere/x.py", "stdlib/x.py", "PURELIB/x.py", "scripts", "x.py", " scripts/x"):
        yield bad(f".data/{where}", with_file(f"demo-1.0.data/{where}"))
    yield bad(".data that is a file", with_file("demo-1.0.data"))
    for where in ("purelib", "platlib"):
        yield bad(
            f"another package in {where}",
            with_file(f"demo-1.0.data/{where}/other-2.0.dist-info/METADATA"),
        )
        yield bad(
            f"its METADATA again in {where}", with_file(f"demo-1.0.data/{where}/{INFO}/METADATA")
        )
        yield bad(f"a file again in {where}", with_file(f"demo-1.0.data/{where}/{CODE}"))
    for name in ("INSTALLER", "REQUESTED", "direct_url.json"):
        yield bad(f"{name} is there already", with_file(f"{INFO}/{name}", b"pip\n"))


# --- its members ---------------------------------------------------------------------------------


def _extra(name: bytes, **facts: object) -> bytes:
    """The wheel in order with one more member, RECORD included if its name can be in there."""
    data = facts.pop("data", b"X = 2\n")
    assert isinstance(data, bytes)
    text = name.decode("utf-8", "replace")
    listed = recorded({**GOOD, text: data}) if not text.endswith("/") else GOOD
    made = [part for part in parts(listed) if part.name != text.encode()]
    part = Part(name=name, data=data, flags=0 if name.isascii() else UTF8)
    return assemble([*made, replace(part, **facts)])  # type: ignore[arg-type]


NAMES: dict[str, bytes] = {
    "up": b"../evil.py",
    "up in the middle": b"demo/../../evil.py",
    "up and back": b"demo/../demo/evil.py",
    "up at the end": b"demo/..",
    "only up": b"..",
    "a dot": b"demo/./evil.py",
    "a dot in front": b"./evil.py",
    "nothing between slashes": b"demo//evil.py",
    "a drive": b"C:/evil.py",
    "a drive without a slash": b"c:evil.py",
    "backslashes up": b"..\\..\\evil.py",
    "a backslash": b"demo\\evil.py",
    "a share": b"\\\\server\\share\\evil.py",
    "a device of Windows": b"\\\\.\\evil.py",
    "NUL": b"demo/evil.py\0.txt",
    "NUL in front": b"\0demo/evil.py",
    "a newline": b"demo/ev\nil.py",
    "a carriage return": b"demo/ev\ril.py",
    "an escape code": b"demo/\x1b[2Jevil.py",
    "a tab": b"demo/ev\til.py",
    "DEL": b"demo/ev\x7fil.py",
    "text that runs backwards": "demo/\u202eyp.live".encode(),
    "a letter without width": "demo/ev\u200bil.py".encode(),
    "a space that is none": "demo/ev\u00a0il.py".encode(),
    "a line separator": "demo/ev\u2028il.py".encode(),
    "half a pair": b"demo/\xed\xa0\x80.py",
    "UTF-8 in a longer form": b"demo/\xc0\xae\xc0\xae/evil.py",
    "bytes that are not UTF-8": b"demo/\xff.py",
    "nothing": b"",
    "a slash": b"/",
    "a long part": b"demo/" + b"x" * 300 + b".py",
    "a long path": b"/".join([b"x" * 50] * 40),
    "a thousand folders": b"x/" * 1000 + b"evil.py",
}


def _names(outside: str) -> Iterator[BadWheel]:
    def bad(name: str, content: bytes) -> BadWheel:
        deep = name == "a thousand folders"  # which not even every tool can remove
        return BadWheel(family="names", name=name, content=content, heavy=deep)

    for name, raw in NAMES.items():
        yield bad(name, _extra(raw))
    yield bad("an absolute path", _extra(f"{outside}/evil.py".encode()))
    yield bad("two slashes in front", _extra(f"/{outside}/evil.py".encode()))
    yield bad("UTF-8 that is not marked", _extra("demo/\u00e9.py".encode(), flags=0))
    other = struct.pack("<2HBL", 0x7075, 5 + 11, 1, 0) + b"demo/evil.p"
    yield bad("another name in an extra field", _extra(b"demo/good.py", central_extra=other))
    yield bad("another name in a local extra field", _extra(b"demo/good.py", local_extra=other))


def _members(_: str) -> Iterator[BadWheel]:
    def bad(name: str, content: bytes) -> BadWheel:
        return BadWheel(family="members", name=name, content=content)

    for name, mode in {
        "symbolic link": stat.S_IFLNK | 0o777,
        "FIFO": stat.S_IFIFO | 0o600,
        "block device": stat.S_IFBLK | 0o600,
        "character device": stat.S_IFCHR | 0o600,
        "socket": stat.S_IFSOCK | 0o600,
        "unknown type": 0o170000 | 0o600,
        "folder by its mode": stat.S_IFDIR | 0o755,
        "setuid": 0o104755,
        "setgid": 0o102755,
    }.items():
        yield bad(name, _extra(b"demo/evil", mode=mode))
    link = (stat.S_IFLNK | 0o777) << 16
    yield bad(
        "symbolic link of another system",
        _extra(b"demo/evil", central={"made_by": 19 << 8, "external": link}),
    )
    yield bad("folder by its DOS attributes", _extra(b"demo/evil", central={"external": 0x10}))
    yield bad("folder with contents", _extra(b"demo/evil/", data=b"X = 2\n"))
    hidden = deflated(b"X = 2\n" * 9)
    yield bad("folder with packed contents", _extra(b"demo/evil/", data=b"", packed=hidden))
    yield bad("folder that is a file by its mode", _extra(b"demo/evil/", data=b"", mode=0o100644))
    twice = [*parts(GOOD), Part(name=CODE.encode(), data=b"import os\n")]
    yield bad("file twice", assemble(twice))
    yield bad(
        "file twice, the same", assemble([*parts(GOOD), Part(name=CODE.encode(), data=GOOD[CODE])])
    )
    yield bad("file twice, the other first", assemble([twice[-1], *parts(GOOD)]))
    yield bad("RECORD twice", assemble([Part(name=f"{INFO}/RECORD".encode()), *parts(GOOD)]))
    folder = Part(name=b"demo/", mode=stat.S_IFDIR | 0o755, method=0)
    yield bad("folder twice", assemble([folder, folder, *parts(GOOD)]))
    for name, other in {
        "another case": "Demo/__INIT__.py",
        "a folder in another case": "DEMO/other.py",
        "a file in the folder's place": "demo",
        "the folder in another case as a file": "DEMO",
        "a folder in the file's place": f"{CODE}/x.py",
    }.items():
        yield bad(name, plain(with_file(other)))
    accents = recorded({**GOOD, "demo/\u00e9.py": b"", "demo/e\u0301.py": b""})
    yield bad("one letter in two forms", plain(accents))
    yield bad(
        "sharp s and double s", plain(recorded({**GOOD, "demo/ss.py": b"", "demo/\u00df.py": b""}))
    )


# --- the ZIP -------------------------------------------------------------------------------------


def _headers(_: str) -> Iterator[BadWheel]:
    first, *others = parts(GOOD)
    size, crc, packed = (first.numbers(0)[key] for key in ("size", "crc", "packed"))

    def bad(name: str, **facts: object) -> BadWheel:
        part = replace(first, **facts)  # type: ignore[arg-type]
        return BadWheel(family="headers", name=name, content=assemble([part, *others]))

    for where in ("local", "central"):
        for key, value in {
            "size": size + 1,
            "packed": packed - 1,
            "crc": crc ^ 1,
            "method": 0,
            "flags": 1,
        }.items():
            yield bad(f"another {key} in its {where} header", **{where: {key: value}})
        for bit in (DESCRIPTOR, UTF8, STRONG, 1 << 4, 1 << 12):
            yield bad(f"flag {bit:#x} in its {where} header only", **{where: {"flags": bit}})
    for bit in (ENCRYPTED, STRONG, MASKED, ENCRYPTED | STRONG):
        yield bad(f"encrypted, {bit:#x}", flags=bit)
    yield bad("another name in its local header", local_name=b"demo/__main__.py")
    yield bad("a longer name in its local header", local_name=b"demo/__init__.py.orig")
    yield bad("no local header", local={"needed": 20}, local_name=b"", method=8, packed=b"")
    for method in (1, 6, 9, 12, 14, 20, 93, 95, 97, 99):
        yield bad(f"method {method}", method=method, packed=first.body)
    yield bad("version 99 of the format", central={"needed": 99})
    yield bad("second disk", central={"disk": 1})
    yield bad("stored, in two sizes", method=0, local={"size": 7}, central={"size": 7})
    yield bad("damaged extra field", local_extra=b"\1\0\xff\0")
    yield bad("damaged extra field in the directory", central_extra=b"\x75\x70\xff\0")
    everything = 0xFFFFFFFF
    yield bad("no ZIP64 field", central={"size": everything})
    yield bad("another size in ZIP64", central_extra=zip64_extra(9999))
    yield bad("another size in the local ZIP64", local_extra=zip64_extra(9999, 9999))
    yield bad(
        "another packed size in ZIP64",
        local={"size": everything, "packed": everything},
        local_extra=zip64_extra(size, 9999),
    )
    yield bad("two ZIP64 fields", local_extra=zip64_extra(size, packed) * 2)
    yield bad(
        "terabytes by ZIP64", central={"size": everything}, central_extra=zip64_extra(1 << 42)
    )
    yield bad(
        "an offset by ZIP64 that is another's",
        central={"offset": everything},
        central_extra=zip64_extra(10),
    )
    later = {"crc": 0, "packed": 0, "size": 0}
    yield bad("sizes that should follow", flags=DESCRIPTOR, local=later)
    untrue = struct.pack("<4s3L", b"PK\7\x08", crc, packed, size + 1)
    yield bad("sizes that follow are untrue", flags=DESCRIPTOR, local=later, after=untrue)
    true = struct.pack("<4s3L", b"PK\7\x08", crc, size, size)
    yield bad("stored, with sizes that follow", flags=DESCRIPTOR, local=later, method=0, after=true)


def _structures(_: str) -> Iterator[BadWheel]:
    def bad(name: str, content: bytes) -> BadWheel:
        return BadWheel(family="structure", name=name, content=content)

    good = parts(GOOD)
    whole, count = assemble(good), len(good)
    evil = Part(name=b"evil.py", data=b"import os\n")
    yield bad("bytes in front", b"#!/bin/sh\n" + whole)
    yield bad("bytes in front, offsets corrected", assemble(good, front=b"#!/bin/sh\n"))
    yield bad("a byte behind", whole + b"\0")
    yield bad("a line behind", whole + b"more\n")
    yield bad("a comment", assemble(good, comment=b"comment"))
    yield bad("an end record as the comment", assemble(good, comment=whole[-22:]))
    yield bad("two end records", whole + whole[-22:])
    yield bad("two archives", whole + assemble([*good, evil]))
    yield bad("two archives, offsets corrected", assemble(good, front=assemble([*good, evil])))
    yield bad("bytes between members", assemble([replace(good[0], after=b"hidden"), *good[1:]]))
    yield bad("bytes before the directory", assemble(good, between=b"hidden"))
    yield bad("bytes in the directory", assemble(good, behind=b"hidden"))
    yield bad("a signature in the directory", assemble(good, behind=b"PK\5\5\4\0abcd"))
    for place, hidden in {
        "first": [replace(evil, listed=False), *good],
        "in the middle": [good[0], replace(evil, listed=False), *good[1:]],
        "last": [*good, replace(evil, listed=False)],
    }.items():
        yield bad(f"a member that the directory lacks, {place}", assemble(hidden))
    at = len(good[0].header(0)) + len(good[0].body)
    yield bad(
        "two members at one place",
        assemble([good[0], replace(good[1], central={"offset": 0}), *good[2:]]),
    )
    yield bad(
        "members that overlap",
        assemble([replace(good[0], local={"packed": at}, central={"packed": at}), *good[1:]]),
    )
    for key, value in {
        "here": count - 1,
        "count": count + 1,
        "disk": 1,
        "start_disk": 1,
        "size": 1,
        "start": 1,
    }.items():
        yield bad(f"end record with {key} {value}", assemble(good, end={key: value}))
    yield bad(
        "a member less by the end record",
        assemble(good, end={"here": count - 1, "count": count - 1}),
    )
    yield bad(
        "a member more by the end record",
        assemble(good, end={"here": count + 1, "count": count + 1}),
    )
    yield bad("ZIP64 records that are not there", assemble(good, end={"start": 0xFFFFFFFF}))
    for name, record in {
        "found elsewhere": zip64_end(good, shift=8),
        "with another count": zip64_end(good, count=count + 1, here=count + 1),
        "with another size": zip64_end(good, size=46),
        "with another place": zip64_end(good, start=0),
        "of another length": zip64_end(good, length=60),
        "of two disks": zip64_end(good, disks=2),
        "of the second disk": zip64_end(good, disk=1),
        "without its locator": zip64_end(good)[:-20],
        "without itself": zip64_end(good)[-20:],
    }.items():
        yield bad(f"ZIP64 end record {name}", assemble(good, before_end=record))
    yield bad("nothing", b"")
    yield bad("nothing but an end record", assemble([]))
    yield bad("a text", b"<html>Sign in</html>\n" * 100)
    yield bad("bytes without meaning", random.Random(5).randbytes(5000))
    yield bad(
        "damaged data", assemble([replace(good[0], packed=b"\xff" + good[0].body[1:]), *good[1:]])
    )
    cut = good[0].body[:-1]
    yield bad("data cut short", assemble([replace(good[0], packed=cut), *good[1:]]))
    yield bad(
        "bytes behind the packed data",
        assemble([replace(good[0], packed=good[0].body + b"more"), *good[1:]]),
    )


MIB = 1 << 20


def _bombs(_: str) -> Iterator[BadWheel]:
    def bad(name: str, content: bytes) -> BadWheel:
        return BadWheel(family="bombs", name=name, content=content, heavy=True)

    yield bad("a thousandfold", plain(with_file("demo/zeros", bytes(70 * MIB))))
    half = bytes(35 * MIB)
    two = recorded({**GOOD, "demo/one": half, "demo/two": half})
    yield bad("a thousandfold in two files", plain(two))
    good = parts(GOOD)
    more = replace(good[0], packed=deflated(bytes(5 * MIB)))
    yield bad("more than it says", assemble([more, *good[1:]]))
    huge = {"size": 0xFFFFFFF0}
    yield bad(
        "four gigabytes by its headers",
        assemble([replace(good[0], local=huge, central=huge), *good[1:]]),
    )
    many = [*good, *(Part(name=b"x%d" % number, method=0) for number in range(200_001))]
    yield bad("hundreds of thousands of members", assemble(many, before_end=zip64_end(many)))
    claimed = zip64_end(good, count=1 << 40, here=1 << 40)
    yield bad("a billion members by its end record", assemble(good, before_end=claimed))


def _scripts(outside: str) -> Iterator[BadWheel]:
    def bad(name: str, text: str | bytes) -> BadWheel:
        data = text if isinstance(text, bytes) else text.encode()
        content = plain(with_file(f"{INFO}/entry_points.txt", data))
        return BadWheel(family="scripts", name=name, content=content)

    for group in ("console_scripts", "gui_scripts"):
        for name in ("../../bin/evil", f"{outside}/evil", "..", ".", "a/b", "..\\evil", "\x1b[2J"):
            yield bad(f"{name!r} in {group}", f"[{group}]\n{name} = demo:main\n")
    for value in (
        "",
        "demo",
        "demo:",
        ":main",
        "demo:main; import os",
        "os;x:y",
        "demo:a b",
        "demo.py:main()",
    ):
        yield bad(f"that stands for {value!r}", f"[console_scripts]\ndemo = {value}\n")
    yield bad("without a value", "[console_scripts]\ndemo\n")
    yield bad("without a name", "[console_scripts]\n = demo:main\n")
    yield bad("in no group", "demo = demo:main\n")
    yield bad("twice", "[console_scripts]\ndemo = demo:a\ndemo = demo:b\n")
    yield bad("behind a line that ends oddly", "[x]\na = b\x85[console_scripts]\x85../e = a:b\n")
    yield bad("behind a carriage return", "[x]\na = b\r[console_scripts]\r../e = a:b\n")
    yield bad("not UTF-8", b"[console_scripts]\ndemo\xff = demo:main\n")


FILENAMES = (
    *("demo-1.0.whl", "demo-1.0-py3-none.whl", "demo-one-py3-none-any.whl", "demo.whl", ".whl"),
    *("demo-1.0-py3-none-any.WHL", "demo-1.0-py3-none-any.zip", "demo-1.0-py3-none-any"),
    *("demo 1.0-py3-none-any.whl", "demo\n-1.0-py3-none-any.whl", "demo-1.0\n-py3-none-any.whl"),
    *("demo-1.0 -py3-none-any.whl", "demo-1.0-py3-none-any\n.whl", "\x1bdemo-1.0-py3-none-any.whl"),
    *("other-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl", "demo-1.0-x-py3-none-any.whl"),
    *("demo-1.0-1-1-py3-none-any.whl", "demo__x-1.0-py3-none-any.whl", "demo-1.0-py3-none-.whl"),
    *("d\u0435mo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl.whl"),
)


def _filenames(_: str) -> Iterator[BadWheel]:
    for name in FILENAMES:
        yield BadWheel(family="file names", name=repr(name), content=plain(GOOD), filename=name)


def _damages(_: str) -> Iterator[BadWheel]:
    chance = random.Random(7)
    code = chance.randbytes(2000)
    stored = [replace(part, method=0) for part in parts(recorded({**GOOD, CODE: code}))]
    whole = assemble(stored)
    start = whole.index(code)
    for size in sorted(
        {*range(1, 60, 7), *chance.sample(range(60, len(whole)), 25), len(whole) - 1}
    ):
        yield BadWheel(family="damage", name=f"cut at byte {size}", content=whole[:size])
    for at in chance.sample(range(start, start + len(code)), 15):
        yield BadWheel(family="damage", name=f"bit of byte {at}", content=flipped(whole, at, 1))


def flipped(data: bytes, at: int, bits: int) -> bytes:
    """*data* with some *bits* of the byte at *at* turned over."""
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]
