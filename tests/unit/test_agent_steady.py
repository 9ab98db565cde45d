"""Python programs of a build name temporary files, and list folders, the same each time."""

from __future__ import annotations

import ast
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from wheelhouse.agent import steady

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment in which programs begin so."""
    import venv

    folder = tmp_path_factory.mktemp("an environment") / "env"
    venv.create(folder, with_pip=False)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    steady.install(str(site_packages))
    return folder / "bin" / "python"


def run(python: Path, code: str, folder: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [python, "-I", "-c", code, *arguments],
        cwd=folder,
        env={"TMPDIR": str(folder)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return ast.literal_eval(done.stdout)


NAMES = """
import os, tempfile
print([os.path.basename(tempfile.mkdtemp()) for _ in range(3)])
"""


def test_the_same_program_gets_the_same_names(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    names = run(environment, NAMES, tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "before")
    (tmp_path / "first").mkdir()
    assert run(environment, NAMES, tmp_path / "first") == names
    assert len(set(names)) == 3


def test_a_name_that_is_taken_is_not_taken_again(environment: Path, tmp_path: Path) -> None:
    first = run(environment, NAMES, tmp_path)
    assert not {*first} & {*run(environment, NAMES, tmp_path)}


def test_another_program_gets_other_names(environment: Path, tmp_path: Path) -> None:
    code = "import tempfile; print([tempfile.mktemp() for _ in range(3)])"
    assert not {*run(environment, code, tmp_path, "a")} & {*run(environment, code, tmp_path, "b")}


def test_a_forked_child_gets_other_names_each_time_the_same(
    environment: Path, tmp_path: Path
) -> None:
    code = """
import os, tempfile
tempfile.mktemp()
def child():
    reader, writer = os.pipe()
    if not os.fork():
        os.write(writer, tempfile.mktemp().encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 4096).decode()
print([child(), child(), tempfile.mktemp()])
"""
    names = run(environment, code, tmp_path)
    assert len(set(names)) == 3
    assert run(environment, code, tmp_path) == names


LISTED = """
import glob, os, pathlib, shutil
with os.scandir(".") as entries:
    scanned = [entry.name for entry in entries if entry.is_file()]
unfinished = os.scandir(".")
next(unfinished)
unfinished.close()
print([
    os.listdir(), os.listdir(os.open(".", os.O_RDONLY)), scanned,
    next(os.walk("."))[2], glob.glob("*"), [path.name for path in pathlib.Path().iterdir()],
    list(unfinished) + [os.fsdecode(name) for name in os.listdir(b".")],
    list(os.listdir(path=".")) if shutil.rmtree.avoids_symlink_attacks else [],
])
"""


def test_folders_are_listed_in_order(environment: Path, tmp_path: Path) -> None:
    names = [f"{number * 7919 % 50:02}" for number in range(50)]
    for name in names:
        (tmp_path / name).touch()
    for listing in run(environment, LISTED, tmp_path):
        assert listing == sorted(names)


def test_a_folder_that_is_not_there_is_told_as_ever(environment: Path, tmp_path: Path) -> None:
    code = """
import os
told = []
for function in (os.listdir, os.scandir):
    try:
        function("nowhere")
    except FileNotFoundError as error:
        told.append(error.filename)
print(told)
"""
    assert run(environment, code, tmp_path) == ["nowhere", "nowhere"]


def test_as_an_attribute_of_a_class_it_is_no_method(environment: Path, tmp_path: Path) -> None:
    """`pathlib` of Python 3.9 makes one of it."""
    code = """
import os
class Accessor:
    listdir = os.listdir
    scandir = os.scandir
print([Accessor().listdir("."), list(Accessor().scandir("."))])
"""
    assert run(environment, code, tmp_path) == [[], []]


def test_nothing_is_imported_that_a_program_does_not_import(
    environment: Path, tmp_path: Path
) -> None:
    code = "import sys; print([name in sys.modules for name in ('tempfile', 'hashlib', 'typing')])"
    assert run(environment, code, tmp_path) == [False, False, False]
