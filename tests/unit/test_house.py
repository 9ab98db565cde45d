"""The wheelhouse directory: what is in it, that it is the same every time, and who checks it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.pylock import Pylock
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag

from housefactory import (
    IMAGES,
    Package,
    debian12,
    make_contents,
    make_house,
    this_interpreter,
)
from wheelhouse.contents import describe
from wheelhouse.errors import StorageError
from wheelhouse.house import assemble, read_house
from wheelhouse.installer import installer_text
from wheelhouse.locking.model import SystemRequirement
from wheelhouse.manifest import FetchedStory, SystemPackage, WheelFacts
from wheelhouse.needs import needed_libc
from wheelhouse.pins import pylock_text
from wheelhouse.tags import tags_of
from wheelhouse.targets import Target, presets
from wheelhouse.wholeness import verify_house

PACKAGES = (Package(name="zebra"), Package(name="a-demo", version="1.0+cpu", requires=["zebra"]))


def clean_environment() -> dict[str, str]:
    """This environment without anything that pip or uv would listen to."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "PYTHON"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "UV_OFFLINE": "1"}


def contents_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def facts(*tags: str) -> WheelFacts:
    return WheelFacts(
        filename="demo-1.0-py3-none-any.whl",
        name="demo",
        version="1.0",
        sha256="a" * 64,
        size=1,
        tags=tags,
        story=FetchedStory(url="https://index/demo", sha256="a" * 64),
    )


def test_what_is_in_it(tmp_path: Path) -> None:
    house = make_house(tmp_path, PACKAGES)
    assert house.files() == [
        "SHA256SUMS",
        "install.sh",
        "manifest.json",
        "provenance.intoto.jsonl",
        "pylock.toml",
        "requirements.txt",
        "sbom.cdx.json",
        "verify.py",
        "wheels/a_demo-1.0+cpu-py3-none-any.whl",
        "wheels/zebra-1.0-py3-none-any.whl",
    ]
    assert read_house(house.path) == house
    assert verify_house(house.path) == []


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        house = make_house(tmp_path, PACKAGES)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((house.path / name).stat().st_mode) for name in house.files()}
    assert modes.pop("install.sh") == modes.pop("verify.py") == 0o755
    assert set(modes.values()) == {0o644}
    assert stat.S_IMODE((house.path / "wheels").stat().st_mode) == 0o755


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    contents = make_contents(tmp_path, PACKAGES)
    shuffled = replace(
        contents,
        wheels=tuple(reversed(contents.wheels)),
        requirements=tuple(reversed(contents.requirements)),
    )
    for name, each in (("one", contents), ("two", shuffled)):
        (tmp_path / name).mkdir()
        assemble(each, tmp_path / name)
    assert contents_of(tmp_path / "one") == contents_of(tmp_path / "two")


def test_wheels_are_copies_and_not_links(tmp_path: Path) -> None:
    house = make_house(tmp_path, PACKAGES)
    wheels = list((house.path / "wheels").iterdir())
    assert all(wheel.stat().st_nlink == 1 and not wheel.is_symlink() for wheel in wheels)


def test_big_wheels_are_the_stored_files_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wheelhouse.house.LINKED", 1)
    contents = make_contents(tmp_path, PACKAGES)
    (tmp_path / "house").mkdir()
    assemble(contents, tmp_path / "house")
    for wheel in contents.wheels:
        mine = tmp_path / "house" / "wheels" / wheel.facts.filename
        assert mine.samefile(wheel.path)
        assert not mine.is_symlink()


def test_big_wheels_are_copied_from_another_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    contents = make_contents(tmp_path, PACKAGES)
    monkeypatch.setattr("wheelhouse.house.LINKED", 1)
    linked, copied = tmp_path / "linked", tmp_path / "copied"
    for folder in (linked, copied):
        folder.mkdir()
    assemble(contents, linked)
    monkeypatch.setattr(os, "link", refuse)
    assemble(contents, copied)
    assert contents_of(linked) == contents_of(copied)
    for one, other in zip(sorted(linked.rglob("*")), sorted(copied.rglob("*")), strict=True):
        assert one.stat().st_mode == other.stat().st_mode
    assert all(each.stat().st_nlink == 1 for each in (copied / "wheels").iterdir())


def test_sha256sum_agrees(tmp_path: Path) -> None:
    house = make_house(tmp_path, PACKAGES)
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=house.path, check=True)


def test_requirements(tmp_path: Path) -> None:
    house = make_house(tmp_path, PACKAGES, debian12())
    demo, zebra = house.manifest.wheels
    assert (house.path / "requirements.txt").read_text().splitlines()[3:] == [
        "--no-index",
        "--find-links ./wheels",
        "--only-binary :all:",
        f"a-demo==1.0+cpu --hash=sha256:{demo.sha256}",
        f"zebra==1.0 --hash=sha256:{zebra.sha256}",
    ]


def test_pylock(tmp_path: Path) -> None:
    house = make_house(tmp_path, PACKAGES)
    lock = Pylock.from_dict(tomllib.loads((house.path / "pylock.toml").read_text()))
    assert [package.name for package in lock.packages] == ["a-demo", "zebra"]
    for package in lock.packages:
        assert package.wheels is not None
        (wheel,) = package.wheels
        assert wheel.path is not None
        data = (house.path / wheel.path).read_bytes()
        assert wheel.size == len(data)
        assert wheel.hashes["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("file", ["requirements.txt", "pylock.toml"])
@pytest.mark.parametrize("verb", ["install", "sync"])
def test_uv_installs_it(tmp_path: Path, file: str, verb: str) -> None:
    house = make_house(tmp_path, PACKAGES, name="a house")
    options = ["--target", str(tmp_path / "site"), "--no-cache"]
    wanted = ["-r", str(house.path / file)] if verb == "install" else [str(house.path / file)]
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [str(uv), "pip", verb, "-q", "-p", sys.executable, *options, *wanted],
        check=True,
        cwd=tmp_path,
        env=clean_environment(),
    )
    assert (tmp_path / "site" / "zebra").is_dir()


def test_nothing_secret_goes_in(tmp_path: Path) -> None:
    house = make_house(tmp_path, PACKAGES)
    assert all(b"secret" not in data and b"token" not in data for data in _texts(house.path))


def _texts(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir() if path.is_file()]


def test_a_wheel_that_rotted_in_the_store(tmp_path: Path) -> None:
    contents = make_contents(tmp_path, PACKAGES)
    contents.wheels[0].path.write_bytes(b"rotten")
    staging = tmp_path / "staging"
    staging.mkdir()
    with pytest.raises(StorageError, match=r"zebra-1\.0-py3-none-any\.whl, has been damaged"):
        assemble(contents, staging)


def test_the_disk_is_full(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        big = Package(name="big", files={"big.py": os.urandom(1 << 20)})
        with pytest.raises(StorageError, match=f"disk is full: {place}"):
            assemble(make_contents(tmp_path, [big]), place)
    finally:
        subprocess.run(["umount", str(place)], check=True)


# -- the C library that is needed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "libc"),
    [
        (("py3-none-any",), ""),
        (("cp311-cp311-manylinux2014_x86_64", "cp311-cp311-manylinux_2_17_x86_64"), "glibc 2.17"),
        (("cp311-cp311-manylinux_2_28_x86_64",), "glibc 2.28"),
        (("cp39-abi3-manylinux1_x86_64",), "glibc 2.5"),
        (("cp39-abi3-manylinux_2_5_i686", "cp39-abi3-manylinux_2_30_x86_64"), "glibc 2.30"),
        (("cp311-cp311-musllinux_1_2_x86_64", "cp311-cp311-manylinux_2_28_x86_64"), "glibc 2.28"),
        (("cp311-cp311-linux_x86_64",), "glibc 2.36"),
    ],
)
def test_the_oldest_libc(tags: tuple[str, ...], libc: str) -> None:
    target = replace(debian12(), arch="x86_64")
    assert needed_libc([facts(*tags)], target) == libc
    assert needed_libc([facts(*tags), facts("py3-none-any")], target) == libc


def test_the_wheel_that_needs_most_decides() -> None:
    wheels = [facts("cp311-cp311-manylinux_2_9_x86_64"), facts("cp311-cp311-manylinux_2_28_x86_64")]
    assert needed_libc(wheels, replace(debian12(), arch="x86_64")) == "glibc 2.28"


def test_a_free_threaded_python_is_told(tmp_path: Path) -> None:
    contents = make_contents(tmp_path, PACKAGES)
    tag = Tag("cp314", "cp314t", "linux_x86_64")
    freed = replace(contents, interpreter=replace(this_interpreter(), tags=(tag,)))
    assert not describe(contents).target.free_threaded
    assert describe(freed).target.free_threaded


def test_what_is_written_for_a_free_threaded_python_says_its_version_rightly(
    tmp_path: Path,
) -> None:
    interpreter = this_interpreter()
    environment = {**interpreter.environment, "python_version": "3.14"}
    contents = replace(
        make_contents(tmp_path, PACKAGES),
        target=Target(
            name="web", preset=presets()["manylinux_2_28"], python="3.14t", arch="x86_64"
        ),
        interpreter=replace(
            interpreter,
            environment=environment,
            tags=tags_of("3.14t", interpreter.libc, "x86_64"),
        ),
    )
    manifest = describe(contents)
    assert (manifest.target.python, manifest.target.free_threaded) == ("3.14t", True)
    pylock = Pylock.from_dict(tomllib.loads(pylock_text(manifest)))
    assert pylock.requires_python == SpecifierSet("==3.14.*")
    script = installer_text(contents.target, manifest, contents.images.place)
    assert "\nversion=3.14t\n" in script
    assert "\nfree_threaded=yes\n" in script


def test_what_wheels_need_of_the_system_is_told(tmp_path: Path) -> None:
    packages = [
        Package(name="one", system_libraries=("libGL.so.1", "libX11.so.6")),
        Package(name="two", system_libraries=("libGL.so.1",)),
    ]
    house = make_house(tmp_path, packages)
    assert house.manifest.needs.libraries == ("libGL.so.1", "libX11.so.6")
    assert "libraries='libGL.so.1 libX11.so.6'" in (house.path / "install.sh").read_text()


GL = SystemRequirement(
    package="libgl1", platform="debian12", libraries=("libGL.so.1",), required_by=("one",)
)
DOT = SystemRequirement(
    package="graphviz", platform="debian12", programs=("dot",), required_by=("two",)
)


def test_what_the_server_was_given_is_told_with_its_packages(tmp_path: Path) -> None:
    packages = [
        Package(name="one", system_libraries=("libX11.so.6",)),
        Package(name="two", system_programs=("dot",)),
    ]
    house = make_house(tmp_path, packages, system=[GL, DOT])
    needs = house.manifest.needs
    assert needs.libraries == ("libGL.so.1", "libX11.so.6")
    assert needs.programs == ("dot",)
    assert needs.system == (
        SystemPackage(
            package="graphviz", platform="debian12", programs=("dot",), required_by=("two",)
        ),
        SystemPackage(
            package="libgl1", platform="debian12", libraries=("libGL.so.1",), required_by=("one",)
        ),
    )
    script = (house.path / "install.sh").read_text()
    assert "\npackages='dot=graphviz libGL.so.1=libgl1' #" in script
    assert "\nstated='' #" in script
    assert "\npackage_fix='sudo apt-get install %s'\n" in script


DRIVER = SystemRequirement(package="tdsodbc", platform="debian12", required_by=("one",))


def test_packages_that_are_stated_are_asked_for_by_their_names(tmp_path: Path) -> None:
    house = make_house(tmp_path, PACKAGES, system=[DRIVER])
    script = (house.path / "install.sh").read_text()
    assert "\nstated=tdsodbc #" in script
    assert "\nmanager=apt #" in script


def test_packages_of_a_stand_in_are_told_as_its_own(tmp_path: Path) -> None:
    contents = replace(make_contents(tmp_path, PACKAGES), system=(DRIVER,))
    own = replace(contents.target.preset, name="own", title="An own one")
    target = replace(contents.target, preset=own)
    script = installer_text(target, describe(contents), contents.images.place)
    assert "(Debian 12 (bookworm) calls them %s)" in script
    assert "\nstated='' #" in script  # nobody there knows it by that name


def test_the_installer_takes_any_text_for_text(tmp_path: Path) -> None:
    evil = "it's $(touch pwned) `touch pwned`"
    house = make_house(tmp_path, PACKAGES, replace(debian12(), name=evil))
    done = subprocess.run(
        ["sh", str(house.path / "install.sh"), "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert evil in done.stdout
    assert not (tmp_path / "pwned").exists()
    assert IMAGES.builder.id in (house.path / "manifest.json").read_text()
