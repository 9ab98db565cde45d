"""What no honest input has: it is refused in words, at once, whatever reads it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from lockcases import LINUX, LOCKS

from wheelhouse.errors import ConfigError, LockError, SeveralErrors, WheelhouseError, flatten
from wheelhouse.inputs import read_inputs
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.extremes import (
    LARGEST,
    LONGEST_LINE,
    MOST_DIGITS,
    check_digits,
    check_line,
    content_of,
)
from wheelhouse.locking.lockfile import load_lock
from wheelhouse.settings import InputFile
from wheelhouse.tomlsource import read_key_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_only_files_of_some_size_are_read(tmp_path: Path) -> None:
    file, pipe, large = (tmp_path / name for name in ("file", "pipe", "large"))
    file.write_bytes(b"content")
    assert content_of(file) == b"content"
    os.mkfifo(pipe)
    with large.open("wb") as content:
        content.truncate(LARGEST + 1)
    for path, why in ((pipe, "no regular file"), (tmp_path, "a folder"), (large, "larger than")):
        with pytest.raises(OSError, match=why):
            content_of(path)
    with pytest.raises(FileNotFoundError):
        content_of(tmp_path / "nothing")


def test_lines_and_numbers_have_limits() -> None:
    check_line("a" * LONGEST_LINE)
    check_digits("1" * MOST_DIGITS + "." + "1" * MOST_DIGITS)
    with pytest.raises(Unusable, match="characters, more than"):
        check_line("a" * (LONGEST_LINE + 1))
    with pytest.raises(Unusable, match="more than 1000 digits"):
        check_line("1" * (MOST_DIGITS + 1))


@pytest.mark.parametrize(
    "text", [f"a = {'9' * 5000}", f"a = {'[' * 5000}", "a = 1\0", "\ud800", "a ="]
)
def test_a_lock_of_ours_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pylock.web.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(LockError, match="is no lock that wheelhouse can read"):
        load_lock(path)


def changed(root: Path, case: str, name: str, change: Callable[[str], str]) -> None:
    """Read the lock *name* of *case* after a *change*. Raises WheelhouseError with hints."""
    folder = root / "project"
    shutil.copytree(LOCKS / case, folder)
    path = folder / name
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    try:
        read_inputs(folder, (InputFile(path=path),)).chosen_for(LINUX)
    except WheelhouseError as error:
        assert all(each.hint for each in flatten([error]))
        raise


@pytest.mark.parametrize("name", ["", "-", "a b", "a\0b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    def rename(text: str) -> str:
        data = json.loads(text)
        data["default"][name] = data["default"].popitem()[1]
        return json.dumps(data)

    with pytest.raises((ConfigError, SeveralErrors)) as told:
        changed(tmp_path, "pipfile/site", "Pipfile.lock", rename)
    assert "is no name of a project" in flatten([told.value])[0].message


def test_a_hash_of_another_type_is_not_the_projects(tmp_path: Path) -> None:
    def replace(text: str) -> str:
        head, key, rest = text.partition("content-hash = ")
        return f"{head}{key}[]\n{rest.partition(chr(10))[2]}"

    with pytest.raises(ConfigError, match=r"pyproject\.toml has changed"):
        changed(tmp_path, "poetry/v2.1", "poetry.lock", replace)


def test_a_folder_that_cannot_be_is_left_to_uv(tmp_path: Path) -> None:
    def naming(folder: str) -> Callable[[str], str]:
        return lambda text: text.replace('editable = "a"', f'editable = "{folder}"')

    changed(tmp_path / "long", "uv/members", "uv.lock", naming("n" * 300))
    with pytest.raises(ConfigError, match=r"uv\.lock"):
        changed(tmp_path / "nul", "uv/members", "uv.lock", naming("a\\u0000b"))


def test_a_path_that_is_too_long_is_one_that_is_not_there(tmp_path: Path) -> None:
    changed(
        tmp_path,
        "pylock/pip",
        "pylock.links.toml",
        lambda text: text.replace("links/tally", f"links/{'n' * 300}/tally"),
    )


def test_a_folder_without_a_project_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\n')
    lock = tmp_path / "pylock.toml"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "app"\n'
        '[packages.directory]\npath = "/"\n'
    )
    found = read_inputs(tmp_path, (InputFile(path=lock),))
    assert list(found.files) == [lock.resolve()]  # and nothing of all that is below /


def test_a_key_that_is_none_has_no_line() -> None:
    broken = 'a."\n[targets.web]\nb = 1\n'
    assert read_key_lines(broken).line(("targets", "web")) >= 1
