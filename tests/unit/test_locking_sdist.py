"""Reading sdists: what they say without being run, and the many ways in which they are broken."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from lockingfactory import metadata, tar_bytes, zip_bytes
from packaging.metadata import Metadata

from wheelhouse.agent import archives
from wheelhouse.agent.archives import is_zip
from wheelhouse.errors import BuildError
from wheelhouse.locking import sdist as module
from wheelhouse.locking.sdist import (
    LEGACY_REQUIRES,
    Sdist,
    Source,
    read_sdist,
    read_source,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYPROJECT = '[build-system]\nrequires = ["hatchling", "hatch-vcs>=0.3"]\nbuild-backend = "x"\n'
STATIC = metadata("demo", "1.0", ["click>=8"], level="2.2")


def read(folder: Path, content: bytes, name: str = "demo-1.0.tar.gz") -> Sdist:
    path = folder / "stored-under-its-hash"
    path.write_bytes(content)
    return read_sdist(path, name)


def read_tar(folder: Path, files: Mapping[str, bytes | str]) -> Sdist:
    return read(folder, tar_bytes(files))


def refusal(folder: Path, content: bytes, name: str = "demo-1.0.tar.gz") -> str:
    with pytest.raises(BuildError) as told:
        read(folder, content, name)
    assert told.value.message.startswith(name)
    assert told.value.hint
    return told.value.message


def project(pyproject: str | bytes) -> dict[str, bytes | str]:
    return {"demo-1.0/PKG-INFO": STATIC, "demo-1.0/pyproject.toml": pyproject}


@pytest.mark.parametrize("files", [("pyproject.toml",), ("demo-1.0/PKG-INFO", "pyproject.toml")])
def test_what_is_in_no_top_folder_is_named(tmp_path: Path, files: tuple[str, ...]) -> None:
    told = refusal(tmp_path, tar_bytes(dict.fromkeys(files, b"")))
    assert "pyproject.toml is not in a top folder NAME-VERSION/, as everything is in an" in told


def test_two_top_folders_are_named(tmp_path: Path) -> None:
    told = refusal(tmp_path, tar_bytes({"demo-1.0/PKG-INFO": STATIC, "other/a/b": b""}))
    assert told.endswith("more than one top folder: demo-1.0, other")


# --- what it says -----------------------------------------------------------------------------


def test_requirements_and_metadata(tmp_path: Path) -> None:
    found = read_tar(tmp_path, project(PYPROJECT))
    assert found == Sdist(requires=("hatchling", "hatch-vcs>=0.3"), metadata=STATIC)


def test_a_zip_says_the_same(tmp_path: Path) -> None:
    found = read(tmp_path, zip_bytes(project(PYPROJECT)), "demo-1.0.zip")
    assert found == Sdist(requires=("hatchling", "hatch-vcs>=0.3"), metadata=STATIC)


@pytest.mark.parametrize("mode", ["w:", "w:bz2", "w:xz"])
def test_a_tar_that_is_packed_in_another_way_than_it_says(tmp_path: Path, mode: str) -> None:
    assert read(tmp_path, tar_bytes(project(PYPROJECT), mode)).metadata == STATIC


def test_names_with_a_dot_in_front(tmp_path: Path) -> None:
    files = {f"./{name}": content for name, content in project(PYPROJECT).items()}
    assert read_tar(tmp_path, files).metadata == STATIC


@pytest.mark.parametrize("pyproject", [None, "", "[tool.black]\nline-length = 1\n", "[project]\n"])
def test_of_old_the_requirement_is_setuptools(tmp_path: Path, pyproject: str | None) -> None:
    files = project(pyproject or "")
    if pyproject is None:
        del files["demo-1.0/pyproject.toml"]
    assert read_tar(tmp_path, files).requires == LEGACY_REQUIRES


def test_no_requirements_at_all(tmp_path: Path) -> None:
    files = project('[build-system]\nrequires = []\nbackend-path = ["."]\n')
    assert read_tar(tmp_path, files).requires == ()


def test_vendored_projects_say_nothing(tmp_path: Path) -> None:
    files = {
        "demo-1.0/vendor/PKG-INFO": "Metadata-Version: 2.2\nName: other\n",
        "demo-1.0/demo.egg-info/PKG-INFO": "Metadata-Version: 2.2\nName: other\n",
        "demo-1.0/vendor/pyproject.toml": "broken =",
        **project(PYPROJECT),
    }
    assert read_tar(tmp_path, files).metadata == STATIC


# --- static or not (PEP 643) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "dynamic", "static"),
    [
        ("1.0", [], False),
        ("2.1", [], False),
        ("2.2", [], True),
        ("2.4", [], True),
        ("2.10", [], True),
        ("2.2", ["Version", "License-File", "Description"], True),
        ("2.2", ["Requires-Dist"], False),
        ("2.2", ["requires-DIST"], False),
        ("2.2", ["Description", "Requires-Python"], False),
        ("2.2", ["Provides-Extra"], False),
        ("nonsense", [], False),
    ],
)
def test_when_metadata_is_static(
    tmp_path: Path, level: str, dynamic: list[str], static: bool
) -> None:
    lines = [f"Dynamic: {field}" for field in dynamic]
    files = project(PYPROJECT)
    files["demo-1.0/PKG-INFO"] = metadata("demo", "1.0", ["click"], *lines, level=level)
    assert (read_tar(tmp_path, files).metadata is not None) is static


def test_without_pkg_info_it_is_refused(tmp_path: Path) -> None:
    told = refusal(tmp_path, tar_bytes({"demo-1.0/pyproject.toml": PYPROJECT}))
    assert "PKG-INFO is missing" in told


@pytest.mark.parametrize(
    ("name", "version"), [("other", "1.0"), ("demo", "1.1"), ("demo", ""), ("", "1.0")]
)
def test_of_another_project_or_version_it_is_refused(
    tmp_path: Path, name: str, version: str
) -> None:
    info = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    told = refusal(tmp_path, tar_bytes({"demo-1.0/PKG-INFO": info}))
    assert f"that of {f'{name} {version}'.strip()}" in told


def test_another_spelling_of_the_same_is_fine(tmp_path: Path) -> None:
    info = "Metadata-Version: 2.1\nName: De.Mo\nVersion: 1.0.0\n"
    files = {"de_mo-1.0/PKG-INFO": info}
    assert read(tmp_path, tar_bytes(files), "de_mo-1.0.tar.gz").requires == LEGACY_REQUIRES


def test_metadata_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    files = project(PYPROJECT)
    files["demo-1.0/PKG-INFO"] = b"Metadata-Version: 2.2\nName: demo\nVersion: 1\nAuthor: \xe9\n"
    found = read_tar(tmp_path, files).metadata
    assert found is not None
    assert "\ufffd" in found


# --- broken -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pyproject",
    [
        "[build-system",
        b"[build-system]\nrequires = ['caf\xe9']\n",
        "[build-system]\n",
        "[build-system]\nrequires = 'setuptools'\n",
        "[build-system]\nrequires = [1]\n",
        "[build-system]\nrequires = {a = 1}\n",
        "build-system = 7\n",
        "[[build-system]]\nrequires = []\n",
        "a = " + "[" * 100_000,
    ],
)
def test_a_broken_pyproject_is_told(tmp_path: Path, pyproject: str | bytes) -> None:
    assert "pyproject.toml" in refusal(tmp_path, tar_bytes(project(pyproject)))


@pytest.mark.parametrize("name", ["demo-1.0.tar.gz", "demo-1.0.zip"])
@pytest.mark.parametrize("content", [b"", b"no archive", b"<html>login</html>", b"PK\x05\x06"])
def test_what_is_no_archive_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    assert "no sdist that can be read" in refusal(tmp_path, content, name)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_damage_is_told_and_nothing_else_happens(tmp_path: Path, kind: str) -> None:
    chance = random.Random(3)
    files = {**project(PYPROJECT), "demo-1.0/data": chance.randbytes(3000)}
    sound = tar_bytes(files) if kind == "tar" else zip_bytes(files)
    name = "demo-1.0.tar.gz" if kind == "tar" else "demo-1.0.zip"
    for _ in range(300):
        damaged = bytearray(sound)
        if chance.random() < 0.3:
            del damaged[chance.randrange(len(damaged)) :]
        for _ in range(min(len(damaged), chance.choice([1, 3, 20]))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read(tmp_path, bytes(damaged), name)
        except BuildError:
            continue


def test_an_encrypted_or_oddly_packed_zip_is_told(tmp_path: Path) -> None:
    sound = zip_bytes(project(PYPROJECT))
    flagged = bytearray(sound)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (found := sound.find(mark, start)) >= 0:
            flagged[found + offset] |= 1
            start = found + 1
    assert "encrypted" in refusal(tmp_path, bytes(flagged), "demo-1.0.zip")


@pytest.mark.parametrize(
    ("kind", "target", "words"),
    [
        (tarfile.SYMTYPE, "/etc/passwd", "leads outside"),
        (tarfile.SYMTYPE, "other", "is a link, and no file"),
        (tarfile.CHRTYPE, "", "a device or a pipe"),
    ],
)
def test_links_and_devices_are_not_followed(
    tmp_path: Path, kind: bytes, target: str, words: str
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("demo-1.0/PKG-INFO")
        info.type, info.linkname = kind, target
        archive.addfile(info)
    assert words in refusal(tmp_path, buffer.getvalue())


# --- bombs ------------------------------------------------------------------------------------


def test_a_file_of_interest_is_not_read_beyond_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILE", 100)
    files = {"demo-1.0/PKG-INFO": STATIC + "x" * 100}
    assert "PKG-INFO has 170 bytes" in refusal(tmp_path, tar_bytes(files))
    assert "PKG-INFO has 170 bytes" in refusal(tmp_path, zip_bytes(files), "demo-1.0.zip")


def test_too_many_members_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 10)
    many = tar_bytes({f"demo-1.0/{number}": "" for number in range(20)})
    assert "more than 10 members" in refusal(tmp_path, many)


def test_an_archive_that_unpacks_to_too_much_is_told_at_once(tmp_path: Path) -> None:
    """The header of a terabyte, which is not there."""
    info = tarfile.TarInfo("demo-1.0/big")
    info.size = 1 << 40
    content = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    started = time.monotonic()
    assert "GiB" in refusal(tmp_path, content)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_would_fill_the_memory_is_told(tmp_path: Path, kind: bytes) -> None:
    """`tarfile` reads such headers at once, whatever size they say they have."""
    size = 64 << 20
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as packed:
        packed.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size >> 20):
            packed.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        assert "no sdist that can be read" in refusal(tmp_path, buffer.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


# --- sources without a name of their own ------------------------------------------------------

PROJECT = """
[project]
name = "My.Demo"
version = "1.0.0RC1"
requires-python = ">=3.9"
dependencies = ["click>=8; python_version<'3.12'", "here @ https://example.org/here.zip"]
[project.optional-dependencies]
Fast_IO = ["uvloop; sys_platform == 'linux' or os_name == 'x'", "my.demo[plain]"]
plain = []
"""

METADATA = """\
Metadata-Version: 2.4
Name: My.Demo
Version: 1.0.0rc1
Requires-Python: >=3.9
Requires-Dist: click>=8; python_version < "3.12"
Requires-Dist: here @ https://example.org/here.zip
Provides-Extra: fast-io
Requires-Dist: uvloop; (sys_platform == "linux" or os_name == "x") and extra == "fast-io"
Requires-Dist: my.demo[plain]; extra == "fast-io"
Provides-Extra: plain
"""


def source(folder: Path, files: Mapping[str, bytes | str], subdirectory: str = "") -> Source:
    path = folder / "stored-under-its-hash"
    path.write_bytes(tar_bytes(files))
    return read_source(path, subdirectory=subdirectory)


def of_table(folder: Path, pyproject: str) -> Source:
    return source(folder, {"top/pyproject.toml": pyproject})


def test_a_project_table_is_metadata(tmp_path: Path) -> None:
    found = of_table(tmp_path, PYPROJECT + PROJECT)
    assert found.requires == ("hatchling", "hatch-vcs>=0.3")
    assert found.name == "My.Demo"
    assert found.metadata == METADATA


def test_the_metadata_is_valid_and_is_what_a_backend_says(tmp_path: Path) -> None:
    parsed = Metadata.from_email(of_table(tmp_path, PROJECT).metadata or "", validate=True)
    assert parsed.provides_extra == ["fast-io", "plain"]
    assert parsed.requires_dist is not None
    (uvloop,) = [each for each in parsed.requires_dist if each.name == "uvloop"]
    assert uvloop.marker is not None
    on_linux = {"sys_platform": "linux", "os_name": "posix"}
    assert uvloop.marker.evaluate({**on_linux, "extra": "fast-io"})
    assert not uvloop.marker.evaluate({**on_linux, "extra": ""})


@pytest.mark.parametrize(
    "dynamic", ["version", "dependencies", "optional-dependencies", "requires-python"]
)
def test_what_is_dynamic_is_the_backend_s_to_say(tmp_path: Path, dynamic: str) -> None:
    text = f'[project]\nname = "demo"\nversion = "1.0"\ndynamic = ["{dynamic}"]\n'
    assert of_table(tmp_path, text) == Source(name="demo", requires=LEGACY_REQUIRES, metadata=None)


def test_what_does_not_concern_dependencies_may_be_dynamic(tmp_path: Path) -> None:
    text = '[project]\nname = "demo"\nversion = "1.0"\ndynamic = ["readme", "scripts"]\n'
    assert of_table(tmp_path, text).metadata is not None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("[project]\nversion = '1.0'", None),
        ("[project]\nname = 'demo'", "demo"),
        ("[project]\nname = 'demo'\nversion = 'one'", "demo"),
        ("[project]\nname = 'demo'\nversion = 1", "demo"),
        ("[project]\nname = '-x-'\nversion = '1.0'", None),
        ("[project]\nname = 'demo'\nversion = '1'\ndependencies = ['a b']", "demo"),
        ("[project]\nname = 'demo'\nversion = '1'\ndependencies = {}\ndynamic = 3", "demo"),
        ("[project]\nname = 'demo'\nversion = '1'\nrequires-python = 'x'", "demo"),
        ("[project]\nname = 'demo'\nversion = '1'\noptional-dependencies = ['a']", "demo"),
        ("[tool.poetry]\nname = 'demo'\nversion = '1.0'", "demo"),
        ("project = 'demo'", None),
        ("tool = 'demo'", None),
        ("", None),
    ],
)
def test_what_is_wrong_or_missing_is_the_backend_s_to_say(
    tmp_path: Path, line: str, name: str | None
) -> None:
    assert of_table(tmp_path, line) == Source(name=name, requires=LEGACY_REQUIRES, metadata=None)


def test_static_pkg_info_comes_first(tmp_path: Path) -> None:
    files = {"top/PKG-INFO": STATIC, "top/pyproject.toml": PYPROJECT + PROJECT}
    found = source(tmp_path, files)
    assert (found.name, found.metadata) == ("demo", STATIC)
    old = metadata("other", "2.0", [], level="2.1")
    assert source(tmp_path, {**files, "top/PKG-INFO": old}).metadata == METADATA
    nobody = "Metadata-Version: 2.4\nName: x\n"
    assert source(tmp_path, {**files, "top/PKG-INFO": nobody}).metadata == METADATA


def test_a_project_in_a_subdirectory(tmp_path: Path) -> None:
    files = {
        "top/pyproject.toml": '[project]\nname = "outer"\nversion = "1"\n',
        "top/a/b/pyproject.toml": PROJECT,
        "top/a/b/vendored/pyproject.toml": '[project]\nname = "inner"\nversion = "1"\n',
    }
    assert source(tmp_path, files, "a/b").name == "My.Demo"
    assert source(tmp_path, files, "./a/b/").name == "My.Demo"
    assert source(tmp_path, files).name == "outer"
    assert source(tmp_path, files, "a").name is None


def test_an_uncompressed_tar_and_a_zip_are_told_apart(tmp_path: Path) -> None:
    zipped = zip_bytes({"top/pyproject.toml": PROJECT})
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in (("a/pyproject.toml", PROJECT.encode()), ("a/z.zip", zipped)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    path = tmp_path / "source"
    for content, is_one in ((zipped, True), (plain.getvalue(), False)):
        path.write_bytes(content)
        assert is_zip(path) is is_one
        assert read_source(path).name == "My.Demo"


def test_a_source_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing of the sort")
    with pytest.raises(BuildError, match=r"^demo at https://h is no sdist that can be read"):
        read_source(tmp_path / "x", shown="demo at https://h")
    with pytest.raises(BuildError, match=r"its pyproject\.toml cannot be read"):
        of_table(tmp_path, "[project")
