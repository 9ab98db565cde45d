"""The switch: in one step, never over something foreign, and nothing left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from wheelhouse import publish as publishing
from wheelhouse.errors import StorageError
from wheelhouse.publish import clean_leftovers, publish, staging_folder


def fill(folder: Path, text: str) -> None:
    """Two files that must always be of one wheelhouse."""
    (folder / "wheels").mkdir()
    (folder / "manifest.json").write_text(text)
    (folder / "wheels" / "x.whl").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def publish_new(destination: Path, text: str) -> None:
    with staging_folder(destination) as staging:
        fill(staging, text)
        publish(staging, destination)


def text_of(destination: Path) -> str:
    manifest = (destination / "manifest.json").read_text()
    assert (destination / "wheels" / "x.whl").read_text() == manifest
    return manifest


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "dist" / "web"


@pytest.fixture(params=["exchange", "two renames", "no C library function"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the switch is made."""

    def refuse(one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, "this file system cannot exchange")

    if request.param == "two renames":
        monkeypatch.setattr(publishing, "_exchange", refuse)
    if request.param == "no C library function":
        monkeypatch.setattr(publishing, "_libc", object)
    return str(request.param)


def test_where_nothing_is(destination: Path) -> None:
    publish_new(destination, "one")
    assert text_of(destination) == "one"
    assert names(destination.parent) == ["web"]


def test_in_the_place_of_an_older_one(destination: Path, way: str) -> None:
    for text in ("one", "two", "three"):
        publish_new(destination, text)
        assert text_of(destination) == text
        assert names(destination.parent) == ["web"]


def test_in_the_place_of_an_empty_folder(destination: Path, way: str) -> None:
    destination.mkdir(parents=True)
    publish_new(destination, "one")
    assert text_of(destination) == "one"


def test_a_reader_never_finds_half_of_it(destination: Path) -> None:
    publish_new(destination, "0")
    over = threading.Event()

    def read() -> int:
        count = 0
        while not over.is_set():
            folder = os.open(destination, os.O_RDONLY)  # never "no such file"
            os.close(folder)
            count += 1
        return count

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        try:
            for number in range(200):
                publish_new(destination, str(number))
        finally:
            over.set()
        assert reader.result() > 0
    assert text_of(destination) == "199"


def test_many_at_once(destination: Path, way: str) -> None:
    with ThreadPoolExecutor(max_workers=20) as pool:
        list(pool.map(lambda number: publish_new(destination, str(number)), range(100)))
    assert int(text_of(destination)) in range(100)
    assert names(destination.parent) == ["web"]


@pytest.mark.parametrize("thing", ["file", "link", "foreign folder", "broken link"])
def test_what_is_not_ours_stays(destination: Path, tmp_path: Path, thing: str) -> None:
    destination.parent.mkdir()
    other = tmp_path / "other"
    if thing == "file":
        destination.write_text("precious")
    elif thing == "foreign folder":
        destination.mkdir()
        (destination / "thesis.tex").write_text("precious")
    else:
        if thing == "link":
            other.mkdir()
        destination.symlink_to(other)
    before = os.lstat(destination)
    with pytest.raises(StorageError, match="is not replaced"):
        publish_new(destination, "one")
    assert os.lstat(destination).st_ino == before.st_ino
    assert names(destination.parent) == ["web"]


def test_what_became_foreign_meanwhile_stays(destination: Path) -> None:
    with pytest.raises(StorageError, match="is not replaced"), staging_folder(destination) as new:
        fill(new, "one")
        destination.mkdir()
        (destination / "thesis.tex").write_text("precious")
        publish(new, destination)
    assert names(destination) == ["thesis.tex"]
    assert names(destination.parent) == ["web"]


def test_a_failure_leaves_the_old_one(destination: Path) -> None:
    publish_new(destination, "one")
    with pytest.raises(ZeroDivisionError), staging_folder(destination) as staging:
        fill(staging, "two")
        raise ZeroDivisionError
    assert text_of(destination) == "one"
    assert names(destination.parent) == ["web"]


def test_a_second_rename_that_fails_is_undone(
    destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_new(destination, "one")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name.endswith(publishing.STAGING) and not destination.exists():
            raise OSError(errno.EIO, "bad disk")
        return rename(self, target)

    def refuse(one: Path, other: Path) -> None:
        raise OSError(errno.ENOSYS, "no")

    monkeypatch.setattr(publishing, "_exchange", refuse)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StorageError, match="bad disk"):
        publish_new(destination, "two")
    assert text_of(destination) == "one"
    assert names(destination.parent) == ["web"]


def test_a_parent_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="file: it is no folder"),
        staging_folder(tmp_path / "file" / "web"),
    ):
        pass


# -- what killed runs leave ----------------------------------------------------------------------


def test_living_staging_folders_are_kept_and_dead_ones_removed(destination: Path) -> None:
    with ExitStack() as stack:
        alive = stack.enter_context(staging_folder(destination))
        dead = destination.parent / f".web.abc{publishing.STAGING}"
        dead.mkdir()
        fill(dead, "dead")
        foreign = destination.parent / ".web.staging"
        foreign.mkdir()
        assert clean_leftovers(destination.parent) == 1
        assert alive.exists()
        assert foreign.exists()
        assert not dead.exists()
    assert not alive.exists()


def test_an_output_that_does_not_exist_is_clean(tmp_path: Path) -> None:
    assert clean_leftovers(tmp_path / "nothing") == 0


def test_a_wheelhouse_between_two_renames_is_put_back(destination: Path) -> None:
    previous = destination.parent / f".web.abc{publishing.PREVIOUS}"
    previous.mkdir(parents=True)
    fill(previous, "one")
    assert clean_leftovers(destination.parent) == 1
    assert text_of(destination) == "one"
    previous.mkdir()
    fill(previous, "zero")
    assert clean_leftovers(destination.parent) == 1
    assert text_of(destination) == "one"
    assert names(destination.parent) == ["web"]


PUBLISHER = textwrap.dedent(
    """
    import itertools, sys
    sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from test_publish import publish_new
    for number in itertools.count():
        publish_new(Path(sys.argv[1]), str(number))
        print(number, flush=True)
    """
)


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.007, 0.013, 0.021, 0.034])
def test_killed_at_any_moment(destination: Path, delay: float) -> None:
    command = [sys.executable, "-c", PUBLISHER, str(destination), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    text_of(destination)
    clean_leftovers(destination.parent)
    assert names(destination.parent) == ["web"]
