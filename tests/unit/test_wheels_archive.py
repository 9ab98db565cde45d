from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from wheelfactory import INFO, end_record, members, patch, record_line, write_wheel, zip_bytes
from wheelhouse.errors import CheckError, StorageError
from wheelhouse.wheels.archive import read_wheel
from wheelhouse.wheels.layout import ArchiveLimits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheelfactory import Member


def refusal(path: Path, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(CheckError) as caught:
        read_wheel(path, limits=limits)
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value.message


# --- sound wheels ---


def test_sound_wheel_is_read(tmp_path: Path) -> None:
    metadata = (
        "Metadata-Version: 2.1\nName: Demo\nVersion: 1.0\nRequires-Python: >=3.9\n"
        "Requires-Dist: idna>=3; extra == 'net'\nProvides-Extra: Net\n\nText.\n"
    )
    files = {"demo/__init__.py": b"", "space/inner.py": b"", "demo.pth": b"", "demo/x-y.py": b""}
    wheel = read_wheel(write_wheel(tmp_path, members(files, metadata=metadata)))

    assert (wheel.name, wheel.version) == ("demo", Version("1.0"))
    assert [str(tag) for tag in wheel.tags] == ["py3-none-any"]
    assert str(wheel.metadata.requires_python) == ">=3.9"
    assert [requirement.name for requirement in wheel.metadata.requires_dist] == ["idna"]
    assert wheel.metadata.provides_extra == {"net"}
    assert wheel.modules == ("demo", "space.inner")
    assert wheel.pth == ("demo.pth",)
    assert wheel.is_pure
    assert wheel.has_purelib
    assert not wheel.has_platlib
    assert wheel.size == (tmp_path / wheel.filename).stat().st_size


def test_data_folders_are_part_of_the_installation(tmp_path: Path) -> None:
    files = {
        "demo-1.0.data/purelib/pure.py": b"",
        "demo-1.0.data/platlib/plat/__init__.py": b"",
        "demo-1.0.data/scripts/tool.py": b"",
        "demo-1.0.data/purelib/start.pth": b"",
    }
    wheel = read_wheel(write_wheel(tmp_path, members(files)))

    assert wheel.modules == ("plat", "pure")
    assert wheel.pth == ("demo-1.0.data/purelib/start.pth",)
    assert wheel.has_purelib
    assert wheel.has_platlib


def test_a_blob_of_another_name_is_read_as_the_wheel_it_is(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, members(), name="0123abc")
    assert read_wheel(path, filename="demo-1.0-py3-none-any.whl").name == "demo"
    assert "0123abc" in refusal(path)


def test_compressed_tags_equal_the_tags_they_stand_for(tmp_path: Path) -> None:
    content = members(tags=("py2-none-any", "py3-none-any"))
    wheel = read_wheel(write_wheel(tmp_path, content, "demo-1.0-py2.py3-none-any.whl"))
    assert len(wheel.tags) == 2
    assert not wheel.retagged


def test_folders_stored_members_and_signatures_are_allowed(tmp_path: Path) -> None:
    content: list[Member] = [("demo/", b""), *members().items(), (f"{INFO}/RECORD.jws", b"{}")]
    path = write_wheel(tmp_path, zip_bytes(content, method=zipfile.ZIP_STORED))
    assert read_wheel(path).modules == ("demo",)


def test_data_descriptors_are_allowed(tmp_path: Path) -> None:
    class Pipe:
        """A file that cannot seek, so that `zipfile` writes sizes behind the data."""

        def __init__(self, path: Path) -> None:
            self.file = path.open("wb")

        def write(self, data: bytes) -> int:
            return self.file.write(data)

        def flush(self) -> None:
            self.file.flush()

    path = tmp_path / "demo-1.0-py3-none-any.whl"
    pipe = Pipe(path)
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, data in members().items():
            archive.writestr(name, data)
    pipe.file.close()
    assert struct.unpack_from("<H", path.read_bytes(), 6)[0] & 8
    assert read_wheel(path).modules == ("demo",)


def test_zip64_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members().items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
    assert read_wheel(path).modules == ("demo",)


@pytest.mark.parametrize("platform", ["any", "linux_x86_64"])
def test_a_narrower_file_name_is_noted(tmp_path: Path, platform: str) -> None:
    content = members(tags=(f"py3-none-{platform}",))
    wheel = read_wheel(write_wheel(tmp_path, content, "demo-1.0-py3-none-manylinux1_x86_64.whl"))
    assert wheel.retagged


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        (("py3-none-manylinux_2_17_x86_64",), "demo-1.0-py3-none-manylinux2014_x86_64.whl"),
        (("py3-none-any",), "demo-1.0-py2.py3-none-any.whl"),
        (("py2-none-any", "py3-none-any"), "demo-1.0-py3-none-any.whl"),
    ],
    ids=["another name of the same", "Python 2 in the name only", "Python 2 in WHEEL only"],
)
def test_tags_that_mean_the_same_are_no_contradiction(
    tmp_path: Path, tags: tuple[str, ...], name: str
) -> None:
    assert not read_wheel(write_wheel(tmp_path, members(tags=tags), name)).retagged


def test_a_hash_may_be_hexadecimal_if_it_is_true(tmp_path: Path) -> None:
    digest = hashlib.sha256(GOOD["demo/__init__.py"]).hexdigest()
    content = edited_record(GOOD, LINE, f"demo/__init__.py,sha256={digest},6")
    assert read_wheel(write_wheel(tmp_path, content)).modules == ("demo",)
    untrue = f"{int(digest[0], 16) ^ 1:x}{digest[1:]}"
    content = edited_record(GOOD, LINE, f"demo/__init__.py,sha256={untrue},6")
    assert "does not have the sha256" in refusal(write_wheel(tmp_path, content))


# --- RECORD ---


def edited_record(content: Mapping[str, bytes], old: str, new: str) -> dict[str, bytes]:
    text = content[f"{INFO}/RECORD"].decode()
    assert old in text
    return {**content, f"{INFO}/RECORD": text.replace(old, new).encode()}


GOOD = members()
LINE = record_line("demo/__init__.py", GOOD["demo/__init__.py"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**GOOD, "demo/__init__.py": b"X = 2\n"}, "does not have the sha256"),
        ({**GOOD, "demo/__init__.py": b"X = 10\n"}, "has 7 bytes; RECORD says 6"),
        ({**GOOD, "demo/extra.py": b""}, "'demo/extra.py' is in the archive, but not in RECORD"),
        ({k: v for k, v in GOOD.items() if k != "demo/__init__.py"}, "which is not in the archive"),
        ({k: v for k, v in GOOD.items() if not k.endswith("RECORD")}, "RECORD' is missing"),
        (edited_record(GOOD, LINE, "demo/__init__.py,,6"), "has no hash in RECORD"),
        (edited_record(GOOD, LINE, f"{LINE}\n{LINE}9"), "listed twice"),
        (edited_record(GOOD, LINE, "demo/__init__.py,md5=AAAA,6"), "'md5' is not a hash"),
        (edited_record(GOOD, LINE, f"{LINE},x"), "4 columns"),
        (edited_record(GOOD, LINE, LINE[:-1] + "six"), "'six' is not a size"),
        ({**GOOD, f"{INFO}/RECORD": b"\xff,,"}, "RECORD is not UTF-8"),
        ({**GOOD, f"{INFO}/RECORD": b'"a'}, "RECORD is not CSV"),
    ],
)
def test_untrue_record_is_refused(
    tmp_path: Path, content: Mapping[str, bytes], message: str
) -> None:
    assert message in refusal(write_wheel(tmp_path, content))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    content = {**GOOD, "demo/__init__.py": b"X = 2\n", "one.py": b"", "two.py": b""}
    message = refusal(write_wheel(tmp_path, content))
    assert message.count("\n  - ") == 3


def test_many_problems_are_counted(tmp_path: Path) -> None:
    message = refusal(write_wheel(tmp_path, {**GOOD, **{f"x{n}.py": b"" for n in range(50)}}))
    assert "and 30 more" in message


# --- statements that contradict the file name ---


def metadata(**fields: str) -> str:
    all_fields = {"Metadata-Version": "2.1", "Name": "demo", "Version": "1.0", **fields}
    return "".join(f"{key}: {value}\n" for key, value in all_fields.items())


def without(suffix: str) -> dict[str, bytes]:
    return {key: value for key, value in GOOD.items() if not key.endswith(suffix)}


def with_wheel_file(old: bytes, new: bytes) -> dict[str, bytes]:
    path = f"{INFO}/WHEEL"
    content = {**GOOD, path: GOOD[path].replace(old, new)}
    assert content != GOOD
    content[f"{INFO}/RECORD"] = "\n".join(
        [*(record_line(k, v) for k, v in content.items() if not k.endswith("RECORD")), ""]
    ).encode()
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (members(metadata=metadata(Name="other")), "METADATA is that of 'other'"),
        (members(metadata=metadata(Version="1.1")), "METADATA says version 1.1"),
        (members(metadata=metadata(Version="one")), "METADATA is not valid"),
        (members(metadata="Metadata-Version: 2.1\n"), "no single Name and Version"),
        (members(metadata=metadata() + "Name: demo\n"), "no single Name and Version"),
        (members(metadata=metadata() + "Requires-Dist: =\n"), "METADATA is not valid"),
        (members(tags=("py2-none-any",)), "its file name says py3-none-any"),
        (members(tags=("py3-none-linux_x86_64",)), "its file name says py3-none-any"),
        (members(tags=()), "WHEEL has the tags (none)"),
        (without("WHEEL"), "WHEEL' is missing"),
        (without("METADATA"), "METADATA' is missing"),
        (with_wheel_file(b"Wheel-Version: 1.0", b"Wheel-Version: 2.0"), "Wheel-Version '2.0'"),
        (with_wheel_file(b"Tag: py3-none-any", b"Tag: py3"), "malformed Tag"),
        (members({"other-2.dist-info/x": b""}), "one .dist-info folder"),
        (members({"other-1.0.data/purelib/x.py": b""}), "'other-1.0.data' is not named after"),
        (members({"demo-1.0.data/elsewhere/x.py": b""}), "no folder that an installer knows"),
        ({"demo.py": b""}, "one .dist-info folder, and has none"),
    ],
)
def test_contradiction_is_refused(
    tmp_path: Path, content: Mapping[str, bytes], message: str
) -> None:
    assert message in refusal(write_wheel(tmp_path, content))


def test_dist_info_of_another_name_is_refused(tmp_path: Path) -> None:
    assert "is not named after the file" in refusal(
        write_wheel(tmp_path, GOOD, "demo-2.0-py3-none-any.whl")
    )


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("py3-none-any", "demo-1.0-cp311-cp311-manylinux1_x86_64.whl"),
        ("py3-none-linux_aarch64", "demo-1.0-py3-none-manylinux1_x86_64.whl"),
        ("py3-none-manylinux1_x86_64", "demo-1.0-py3-none-any.whl"),
        ("py3.py2-none-any", "demo-1.0-py2-none-any.whl"),
        (
            "py3-none-manylinux1_x86_64.manylinux2014_x86_64",
            "demo-1.0-py3-none-manylinux1_x86_64.whl",
        ),
    ],
)
def test_a_file_name_that_promises_more_is_refused(
    tmp_path: Path, platform: str, name: str
) -> None:
    assert "WHEEL has the tags" in refusal(write_wheel(tmp_path, members(tags=(platform,)), name))


# --- the container ---


def special(name: str, *, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def raw_name(old: bytes, new: bytes) -> bytes:
    """The sound wheel with a member of a name that `zipfile` would not write."""
    assert len(old) == len(new)
    return zip_bytes([*GOOD.items(), (old.decode(), b"")]).replace(old, new)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("../evil.py", "leads out of the archive"),
        ("demo/../../evil.py", "leads out of the archive"),
        ("demo//evil.py", "leads out of the archive"),
        ("/etc/evil.py", "absolute path"),
        ("C:/evil.py", "absolute path"),
        ("demo\\evil.py", "backslash"),
        ("demo/ev\x1bil.py", "control characters"),
        ("demo/ev\nil.py", "control characters"),
        ("Demo/__INIT__.py", "differ in case only"),
        ("demo/__init__.py/x.py", "is a file and a folder"),
        (special("demo/link.py", mode=stat.S_IFLNK | 0o777), "symbolic link"),
        (special("demo/pipe", mode=stat.S_IFIFO | 0o600), "not a regular file"),
        (special("demo/disk", mode=stat.S_IFBLK | 0o600), "not a regular file"),
        (special("demo/folder", mode=stat.S_IFDIR | 0o700), "a folder by its mode"),
    ],
)
def test_dangerous_member_is_refused(
    tmp_path: Path, extra: str | zipfile.ZipInfo, message: str
) -> None:
    content: list[Member] = [*GOOD.items(), (extra, b"")]
    assert message in refusal(write_wheel(tmp_path, zip_bytes(content)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_member_is_refused(tmp_path: Path) -> None:
    content: list[Member] = [*GOOD.items(), ("demo/__init__.py", b"import os\n")]
    assert "is there twice" in refusal(write_wheel(tmp_path, zip_bytes(content)))


def test_folder_with_contents_is_refused(tmp_path: Path) -> None:
    data = raw_name(b"demo/folder_", b"demo/folder/")
    assert read_wheel(write_wheel(tmp_path, data)).name == "demo"
    data = zip_bytes([*GOOD.items(), ("demo/folder_", b"x")])
    data = data.replace(b"demo/folder_", b"demo/folder/")
    assert "folder with contents" in refusal(write_wheel(tmp_path, data))


def test_name_that_is_not_marked_as_utf8_is_refused(tmp_path: Path) -> None:
    assert "not UTF-8" in refusal(
        write_wheel(tmp_path, raw_name(b"demo/x1.py", b"demo/\xc3\xa9.py"))
    )


def test_contradicting_names_are_refused(tmp_path: Path) -> None:
    data = zip_bytes(list(GOOD.items()))
    name = b"demo/__init__.py"
    at = data.index(name)
    data = data[:at] + b"demo/__main__.py" + data[at + len(name) :]
    assert "its local header has another name" in refusal(write_wheel(tmp_path, data))


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (0, "<L", 0, "local header is missing"),
        (6, "<H", 1, "encrypted"),
        (8, "<H", 0, "another compression method"),
        (14, "<L", 1, "another size or CRC"),
        (18, "<L", 1, "another size or CRC"),
        (22, "<L", 1, "another size or CRC"),
    ],
)
def test_contradicting_headers_are_refused(
    tmp_path: Path, offset: int, layout: str, value: int, message: str
) -> None:
    data = patch(zip_bytes(list(GOOD.items())), offset, layout, value)
    assert message in refusal(write_wheel(tmp_path, data))


def central(data: bytes) -> int:
    return int(struct.unpack_from("<L", data, end_record(data) + 16)[0])


def shifted(data: bytes, by: int) -> bytes:
    """*data* with its directory's place corrected, as if *by* bytes stood before it."""
    return patch(data, end_record(data) + 16, "<L", central(data) + by)


def test_prepended_bytes_are_refused(tmp_path: Path) -> None:
    data = zip_bytes(list(GOOD.items()))
    assert "prepended" in refusal(write_wheel(tmp_path, b"#!/bin/sh\n" + data))


def test_hidden_bytes_before_the_directory_are_refused(tmp_path: Path) -> None:
    data = zip_bytes(list(GOOD.items()))
    at = central(data)
    data = shifted(data[:at] + b"PK\x03\x04hidden" + data[at:], 10)
    assert "belong to no member" in refusal(write_wheel(tmp_path, data))


def test_members_that_are_in_one_reading_only_are_refused(tmp_path: Path) -> None:
    """The first member has a local header, but is left out of the directory."""
    data = zip_bytes([("evil.py", b""), *GOOD.items()])
    at = central(data)
    length = 46 + len("evil.py")
    end = end_record(data) - length
    data = data[:at] + data[at + length :]
    count = len(GOOD)
    for field, layout, value in ((8, "<H", count), (10, "<H", count), (12, "<L", end - at)):
        data = patch(data, end + field, layout, value)
    assert "before its first member" in refusal(write_wheel(tmp_path, data))


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    data = zip_bytes(list(GOOD.items()))
    second = data.index(b"PK\x01\x02", central(data) + 4)
    assert "overlaps" in refusal(write_wheel(tmp_path, patch(data, second + 42, "<L", 0)))


@pytest.mark.parametrize("tail", [b"\0", b"PK\x05\x06" + bytes(18)])
def test_trailing_bytes_and_second_end_records_are_refused(tmp_path: Path, tail: bytes) -> None:
    data = zip_bytes(list(GOOD.items())) + tail
    assert "end" in refusal(write_wheel(tmp_path, data))


def test_comment_is_refused(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\x05\x06"
    assert "comment" in refusal(path)


@pytest.mark.parametrize("size", [0, 10, 200])
def test_truncated_file_is_refused(tmp_path: Path, size: int) -> None:
    refusal(write_wheel(tmp_path, zip_bytes(list(GOOD.items()))[:size]))


def test_damaged_data_is_refused(tmp_path: Path) -> None:
    files = {"demo/__init__.py": os.urandom(1000)}
    data = zip_bytes(list(members(files).items()), method=zipfile.ZIP_STORED)
    message = refusal(write_wheel(tmp_path, data[:200] + bytes([data[200] ^ 1]) + data[201:]))
    assert "its CRC does not match" in message


def test_unknown_compression_is_refused(tmp_path: Path) -> None:
    data = zip_bytes(list(GOOD.items()), method=zipfile.ZIP_BZIP2)
    assert "compression method 12" in refusal(write_wheel(tmp_path, data))


def test_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    data = zip_bytes(list(members({"demo/__init__.py": bytes(1 << 16)}).items()))
    for at in (22, central(data) + 24):
        data = patch(data, at, "<L", 100)
    assert "unpacks to more" in refusal(write_wheel(tmp_path, data))


def second_entry(data: bytes) -> int:
    """Where the second entry of the central directory begins."""
    return data.index(b"PK\x01\x02", central(data) + 4)


COUNT = len(GOOD)


@pytest.mark.parametrize(
    ("patches", "message"),
    [
        ({8: COUNT - 1, 10: COUNT - 1}, "central directory has bytes that belong to no member"),
        ({8: COUNT + 1, 10: COUNT + 1}, "shorter than its end record says"),
        ({8: COUNT - 1}, "one part of a ZIP"),
        ({4: 1}, "one part of a ZIP"),
        ({8: 0xFFFF, 10: 0xFFFF}, "ZIP64 record that is not there"),
    ],
)
def test_untrue_end_record_is_refused(
    tmp_path: Path, patches: Mapping[int, int], message: str
) -> None:
    data = zip_bytes(list(GOOD.items()))
    for field, value in patches.items():
        data = patch(data, end_record(data) + field, "<H", value)
    assert message in refusal(write_wheel(tmp_path, data))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (0, 0, "central directory is damaged"),
        (28, 0xFFFF, "central directory is damaged"),
        (34, 1, "one part of a ZIP"),
    ],
)
def test_untrue_directory_is_refused(tmp_path: Path, field: int, value: int, message: str) -> None:
    data = zip_bytes(list(GOOD.items()))
    data = patch(data, second_entry(data) + field, "<H", value)
    assert message in refusal(write_wheel(tmp_path, data))


def with_zip64_end(data: bytes) -> bytes:
    """*data* with a second, wider end record, as large archives have."""
    end, start = end_record(data), central(data)
    wide = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, COUNT, COUNT, end - start, start
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    return data[:end] + wide + locator + data[end:]


@pytest.mark.parametrize(
    ("field", "layout", "value", "message"),
    [
        (0, "<L", 0, "not where its locator says"),
        (4, "<Q", 45, "not where its locator says"),
        (16, "<L", 1, "one part of a ZIP"),
        (32, "<Q", COUNT + 1, "one part of a ZIP"),
        (40, "<Q", 1, "contradict each other"),
        (56 + 8, "<Q", 0, "not where its locator says"),
        (56 + 16, "<L", 2, "one part of a ZIP"),
    ],
)
def test_untrue_zip64_end_record_is_refused(
    tmp_path: Path, field: int, layout: str, value: int, message: str
) -> None:
    data = with_zip64_end(zip_bytes(list(GOOD.items())))
    assert read_wheel(write_wheel(tmp_path, data)).name == "demo"
    data = patch(data, data.index(b"PK\x06\x06") + field, layout, value)
    assert message in refusal(write_wheel(tmp_path, data))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (struct.pack("<2H", 1, 100), "extra fields are damaged"),
        (struct.pack("<2HBL", 0x7075, 11, 1, 0) + b"evil.p", "gives it another name"),
        (struct.pack("<2H8s", 1, 8, b"") * 2, "extra fields are damaged"),
    ],
)
def test_untrue_extra_field_is_refused(tmp_path: Path, extra: bytes, message: str) -> None:
    info = zipfile.ZipInfo("demo/x.py")
    info.extra = extra
    assert message in refusal(write_wheel(tmp_path, zip_bytes([*GOOD.items(), (info, b"")])))


def test_contradicting_name_encodings_are_refused(tmp_path: Path) -> None:
    data = patch(zip_bytes(list(GOOD.items())), 6, "<H", 1 << 11)
    assert "another name encoding" in refusal(write_wheel(tmp_path, data))


@pytest.mark.parametrize(
    ("method", "message"),
    [(zipfile.ZIP_DEFLATED, "unpacks to less"), (zipfile.ZIP_STORED, "two different sizes")],
)
def test_member_that_is_shorter_than_it_says_is_refused(
    tmp_path: Path, method: int, message: str
) -> None:
    data = zip_bytes(list(GOOD.items()), method=method)
    for at in (22, central(data) + 24):
        data = patch(data, at, "<L", 100)
    assert message in refusal(write_wheel(tmp_path, data))


# --- caps ---


def test_bombs_are_refused(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, members({"demo/__init__.py": bytes(1 << 20)}))
    assert read_wheel(path)
    assert "times its size" in refusal(path, ArchiveLimits(ratio_from=1 << 16))
    assert "at most 1000 are read" in refusal(path, ArchiveLimits(unpacked=1000))
    assert "at most 3 are read" in refusal(path, ArchiveLimits(members=3))
    assert "larger than 10 bytes" in refusal(path, ArchiveLimits(text=10))


# --- the file itself ---


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "demo-1.0-py3-none-any.whl"
    os.mkfifo(pipe)
    assert "not a regular file" in refusal(pipe)


def test_a_missing_file_is_a_matter_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        read_wheel(tmp_path / "demo-1.0-py3-none-any.whl")


@pytest.mark.parametrize(
    "name", ["demo.whl", "demo-1.0-py3-none-any.zip", "demo-x-py3-none-any.whl"]
)
def test_malformed_file_name_is_refused(tmp_path: Path, name: str) -> None:
    refusal(write_wheel(tmp_path, GOOD, name))


def test_damage_is_refused_or_without_effect(tmp_path: Path) -> None:
    """Any byte overwritten: refused with a `CheckError`, or the same wheel (a time of day)."""
    data = zip_bytes(list(GOOD.items()))
    sound = read_wheel(write_wheel(tmp_path, data))
    for at in range(0, len(data), 2):
        path = write_wheel(tmp_path, data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        with suppress(CheckError):
            assert read_wheel(path) == sound
