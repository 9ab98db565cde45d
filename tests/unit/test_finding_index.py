"""What is written down of a distribution's packages, and what its index then answers."""

from __future__ import annotations

import gzip
import io
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from wheelhouse.agent import find
from wheelhouse.finding.questions import Answer, question
from wheelhouse.finding.ranking import rank
from wheelhouse.missing import Missing

if TYPE_CHECKING:
    from wheelhouse.missing import Kind

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "images" / "index.py"
REPODATA = ROOT / "tests" / "data" / "repodata"

CONTENTS = """\
usr/bin/odd-config                    libdevel/libodd9-dev
usr/include/odd.h                     libdevel/libodd9-dev,universe/libdevel/libodd8-dev
usr/include/with space.h              libdevel/libodd9-dev
./usr/lib/x86_64-linux-gnu/libodd.so  libdevel/libodd9-dev
usr/lib/x86_64-linux-gnu/libodd.so.9  libs/libodd9
usr/lib/gcc/x86_64-linux-gnu/12/include/odd.h devel/gcc-12
usr/lib/python3/dist-packages/odd/include/odd.h python/python3-odd
usr/share/doc/libodd9/odd.h           libs/libodd9
etc/mime.types                        net/media-types
"""

PACKAGES = """\
Package: libodd-dev
Section: devel
Depends: libodd9-dev (>= 9), libc6-dev | libc-dev
Description: odd

Package: libodd9-dev
Section: universe/libdevel
Depends: libodd9 (= 9.0), libc6:any

Package: libodd8-dev
Section: libdevel
Description: old (transitional package)

Package: libodd9
Section: libs

Package: odd-user
Section: devel
Depends: libodd-dev

Package: media-types
Section: net

Package: python3-odd
Section: python
"""

APKINDEX = """\
C:Q1AAAA=
P:odd-dev
V:1-r0
A:x86_64
D:odd=1-r0 pc:zlib so:libodd.so.9
p:pc:odd=1.0 cmd:odd-config=1-r0

P:odd
D:so:libc.musl-x86_64.so.1 !odd-old
p:so:libodd.so.9=9.1

P:otherodd-dev
D:odd-dev>1
"""


def write(folder: Path, *arguments: object) -> str:
    """Run the script as an image's recipe does, but write to *folder*; what it said."""
    script = folder / "index.py"
    script.write_text(SCRIPT.read_text().replace("/opt/wheelhouse/index", str(folder / "index")))
    command = [sys.executable, "-I", *map(str, (script, *arguments))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def table(folder: Path, name: str) -> list[str]:
    return (folder / "index" / name).read_text().strip("\n").split("\n")


def offered(folder: Path, kind: Kind, name: str) -> tuple[str, ...]:
    missing = Missing(kind, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find, "INDEX", str(folder / "index"))
        told = find.run({"questions": [question(missing).to_dict()]}, "", None)  # type: ignore[arg-type]
    (answer,) = cast("list[dict[str, object]]", told["answers"])
    return rank(missing, Answer.from_dict(answer), "x86_64")


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    (tmp_path / "contents").write_text(CONTENTS)
    (tmp_path / "packages").write_text(PACKAGES)
    write(tmp_path, "apt", tmp_path / "contents", tmp_path / "packages")
    return tmp_path


def test_of_debian_the_files_that_builds_look_for_are_kept(debian: Path) -> None:
    assert table(debian, "files") == [
        "/etc/mime.types\tmedia-types",
        "/usr/bin/odd-config\tlibodd9-dev",
        "/usr/include/odd.h\tlibodd8-dev,libodd9-dev",
        "/usr/include/with space.h\tlibodd9-dev",
        "/usr/lib/x86_64-linux-gnu/libodd.so\tlibodd9-dev",
        "/usr/lib/x86_64-linux-gnu/libodd.so.9\tlibodd9",
    ]


def test_of_debian_the_packages_that_may_be_offered_are_kept(debian: Path) -> None:
    assert table(debian, "packages") == [
        "libodd-dev\tdevel\t0\t1\tlibodd9-dev",
        "libodd8-dev\toldlibs\t1\t0\t",
        "libodd9\tlibs\t1\t1\t",
        "libodd9-dev\tlibdevel\t4\t1\tlibodd9",
        "media-types\tnet\t1\t0\t",
    ]


@pytest.mark.parametrize(
    ("kind", "name", "packages"),
    [
        ("header", "odd.h", ("libodd-dev", "libodd8-dev")),
        ("header", "with space.h", ("libodd-dev",)),
        ("library", "odd", ("libodd-dev",)),
        ("soname", "libodd.so.9", ("libodd9",)),
        ("program", "odd-config", ("libodd-dev",)),
        ("file", "/etc/mime.types", ("media-types",)),
        ("header", "dd.h", ()),
        ("header", "odd", ()),
    ],
)
def test_debian_answers(debian: Path, kind: Kind, name: str, packages: tuple[str, ...]) -> None:
    assert offered(debian, kind, name) == packages


def test_a_mirror_without_its_lists_of_files_makes_no_index(tmp_path: Path) -> None:
    (tmp_path / "contents").write_text("usr/include/odd.h libdevel/libodd8-dev\n")
    (tmp_path / "packages").write_text(PACKAGES)
    with pytest.raises(AssertionError, match=r"error: .* not complete: only 0 of 1 packages"):
        write(tmp_path, "apt", tmp_path / "contents", tmp_path / "packages")
    assert not (tmp_path / "index").exists()


def test_a_repository_of_rpms(tmp_path: Path) -> None:
    """Made by createrepo_c of packages for x86_64."""
    said = write(tmp_path, "rpm", repository(tmp_path))
    assert said == "3 packages with 5 files and 3 names\n"
    assert offered(tmp_path, "header", "libpq-fe.h") == ("libpq-devel",)
    assert offered(tmp_path, "pkg-config", "libpq") == ("libpq-devel",)
    assert offered(tmp_path, "program", "pg_config") == ("libpq-devel",)
    assert offered(tmp_path, "cmake", "postgresql") == ("postgresql-private",)
    assert offered(tmp_path, "soname", "libpqz.so.5") == ("libpqz",)
    assert offered(tmp_path, "soname", "libpq.so.5") == ()


def repository(folder: Path) -> Path:
    """The metadata as package managers keep it: under names that begin with a hash."""
    kept = folder / "cache" / "t-oss" / "repodata"
    kept.mkdir(parents=True)
    for name in ("primary.xml.gz", "filelists.xml.gz"):
        data = gzip.decompress((REPODATA / name).read_bytes())
        data = data.replace(b"pq-test", b"libpqz")
        data = data.replace(b">x86_64<", f">{machine()}<".encode())
        data = data.replace(b'arch="x86_64"', f'arch="{machine()}"'.encode())
        (kept / f"0123-{name}").write_bytes(gzip.compress(data))
    return folder / "cache"


def machine() -> str:
    return platform.machine()


def test_the_lists_of_files_that_zypper_leaves_out_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "t-oss" / "repodata"
    folder.mkdir(parents=True)
    shutil.copy(REPODATA / "repomd.xml", folder)
    shutil.copy(REPODATA / "repositories.xml", tmp_path)
    sha256, url, path = write(tmp_path, "filelists", tmp_path).split()
    name = f"{sha256}-filelists.xml.gz"
    assert len(sha256) == 64
    assert url == f"http://127.0.0.1:8000/repodata/{name}"
    assert path == str(folder / name)


def test_alpine_is_asked_for_what_packages_provide(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    with tarfile.open(folder / "APKINDEX.0123.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("APKINDEX")
        member.size = len(APKINDEX)
        archive.addfile(member, io.BytesIO(APKINDEX.encode()))
    write(tmp_path, "apk", folder)
    assert table(tmp_path, "packages")[0] == "odd\t\t0\t1\t"
    assert offered(tmp_path, "pkg-config", "odd") == ("odd-dev",)
    assert offered(tmp_path, "program", "odd-config") == ("odd-dev",)
    assert offered(tmp_path, "soname", "libodd.so.9") == ("odd",)
    assert offered(tmp_path, "header", "odd/odd.h") == ("odd-dev",)
    assert offered(tmp_path, "header", "even.h") == ()


def test_metadata_without_packages_makes_no_index(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with pytest.raises(AssertionError, match=r"error: .* tells of no packages"):
        write(tmp_path, "rpm", tmp_path / "cache")


def test_of_a_name_that_is_everywhere_the_shallowest_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    paths = [f"/usr/include/{number:03}/config.h\tp{number}" for number in range(400)]
    (folder / "files").write_text("\n" + "\n".join([*paths, "/usr/include/config.h\tp"]) + "\n")
    (folder / "provides").write_text("\n")
    (folder / "packages").write_text("\n")
    monkeypatch.setattr(find, "INDEX", str(folder))
    answer = find.Index().answer(question(Missing("header", "config.h")).to_dict())
    (rows,) = cast("dict[str, list[tuple[str, list[str]]]]", answer["files"]).values()
    assert len(rows) == find.MOST_PATHS
    assert rows[0] == ("/usr/include/config.h", ["p"])
