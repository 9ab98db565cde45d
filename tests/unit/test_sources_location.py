"""Locations: one line that says where something is, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelhouse.inputs.model import Direct
from wheelhouse.sources.location import (
    Location,
    direct_from_url,
    hashes_in,
    is_here,
    is_mutable,
    parse,
    path_location,
    pinned,
    pylock_source,
    repository_location,
    shown,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA256 = "a" * 64


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://h/d-1.0.tar.gz", Location(kind="archive", where="https://h/d-1.0.tar.gz")),
        ("file:vendor/d.whl", Location(kind="file", where="vendor/d.whl")),
        ("file:/a b/100%/c#d.zip", Location(kind="file", where="/a b/100%/c#d.zip")),
        ("dir:.", Location(kind="folder", where=".")),
        ("dir:app#subdirectory=x/y", Location(kind="folder", where="app", subdirectory="x/y")),
        ("git+https://h/d.git", Location(kind="git", where="https://h/d.git")),
        (
            f"git+ssh://git@h/d@{COMMIT}#subdirectory=x",
            Location(kind="git", where="ssh://git@h/d", commit=COMMIT, subdirectory="x"),
        ),
        (f"git+file:///d@{SHA256}", Location(kind="git", where="file:///d", commit=SHA256)),
    ],
)
def test_a_location_is_read_and_written(text: str, read: Location) -> None:
    assert parse(text) == read
    assert str(read) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hg+https://h/d", "only git is supported, not hg"),
        ("git+ext::sh -c x", "neither"),
        ("ftp://h/d.tar.gz", "neither"),
        ("https:///d.tar.gz", "neither"),
        ("demo", "neither"),
        ("file:", "neither"),
        ("dir:app#subdirectory=../x", "outside"),
        ("dir:app#subdirectory=/x", "outside"),
        ("dir:app#subdirectory=%2e%2e/x", "outside"),
    ],
)
def test_what_is_no_location_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text)


def test_what_was_asked_for_is_pinned() -> None:
    repository = Direct(location="git+https://h/d", revision="main", subdirectory="./x/")
    assert pinned(repository, COMMIT) == f"git+https://h/d@{COMMIT}#subdirectory=x"
    assert pinned(Direct(location="dir:app", subdirectory="x")) == "dir:app#subdirectory=x"
    with pytest.raises(ValueError, match="outside"):
        pinned(Direct(location="dir:app", subdirectory="x/../.."))


def test_a_repository_of_this_machine_in_short() -> None:
    assert str(parse("git+file:/srv/d")) == "git+file:///srv/d"


def test_only_what_lies_here_can_change() -> None:
    assert [is_mutable(each) for each in ("file:x", "dir:x", "https://h/x", "git+file:///x")] == [
        *(True, True),
        *(False, False),
    ]


def test_what_is_on_this_machine() -> None:
    here = ("file:x", "dir:x", "git+file:///x", "git+https://h/x", "https://h/x")
    assert [is_here(each) for each in here] == [True, True, True, False, False]


def test_paths_are_relative_to_the_project() -> None:
    root = Path("/home/me/project")
    assert path_location(root / "vendor/d.whl", root, folder=False) == "file:vendor/d.whl"
    assert path_location(root, root, folder=True) == "dir:."
    assert path_location(Path("/srv/lib"), root, folder=True) == "dir:/srv/lib"


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        (
            "git+https://me:secret@h/d.git@v1.0#egg=d&subdirectory=x",
            Direct(location="git+https://h/d.git", revision="v1.0", subdirectory="x"),
        ),
        (
            "git+ssh://git@h/d.git@feature/a%40b",
            Direct(location="git+ssh://git@h/d.git", revision="feature/a@b"),
        ),
        ("git+ssh://git@h/d.git", Direct(location="git+ssh://git@h/d.git")),
        (
            f"https://token@h/d.zip#sha256={SHA256}&subdirectory=x",
            Direct(location="https://h/d.zip", subdirectory="x"),
        ),
        ("file:///srv/my%20lib/d-1.0.whl", Direct(location="file:/srv/my lib/d-1.0.whl")),
        ("file:///srv/my%20lib", Direct(location="dir:/srv/my lib")),
        ("file:///home/me/project/app/../lib/", Direct(location="dir:lib")),
    ],
)
def test_a_url_of_a_requirement_is_taken_apart(url: str, direct: Direct) -> None:
    assert direct_from_url(url, Path("/home/me/project")) == direct


def test_hashes_of_urls() -> None:
    assert hashes_in(f"https://h/d.zip#egg=d&sha256={SHA256.upper()}") == {SHA256}
    assert hashes_in("https://h/d.zip#sha256=abc") == hashes_in("https://h/d.zip") == frozenset()


def test_an_address_in_the_manner_of_ssh() -> None:
    assert repository_location("git@h:org/d.git") == "git+ssh://git@h/org/d.git"
    assert repository_location("git+git@h:/srv/d.git") == "git+ssh://git@h/srv/d.git"
    assert repository_location("https://me:secret@h/d") == "git+https://h/d"
    assert repository_location("ssh://git:secret@h:22/d") == "git+ssh://git@h:22/d"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Direct(location="dir:."), "."),
        (
            Direct(location="git+https://h/d", revision="main", subdirectory="x"),
            "git+https://h/d@main (x)",
        ),
        (Direct(location="https://me:secret@h/d.zip?token=secret"), "https://h/d.zip"),
        (parse(f"git+https://h/d@{COMMIT}#subdirectory=x"), f"git+https://h/d@{COMMIT} (x)"),
    ],
)
def test_a_person_sees_no_secret(given: Direct | Location, told: str) -> None:
    assert shown(given) == told


@pytest.mark.parametrize(
    ("direct", "location", "fields"),
    [
        (
            Direct(location="git+https://h/d", revision="main", subdirectory="x"),
            f"git+https://h/d@{COMMIT}#subdirectory=x",
            {"url": "https://h/d", "commit_id": COMMIT, "requested_revision": "main"},
        ),
        (
            Direct(location="https://h/d.zip", subdirectory="x"),
            "https://h/d.zip#subdirectory=x",
            {"url": "https://h/d.zip", "hashes": {"sha256": SHA256}, "subdirectory": "x"},
        ),
        (Direct(location="file:d.whl"), "file:d.whl", {"path": "d.whl", "url": None}),
        (Direct(location="dir:app"), "dir:app", {"path": "app", "editable": False}),
    ],
)
def test_a_lock_file_tells_of_it_as_it_is_pinned(
    direct: Direct, location: str, fields: dict[str, object]
) -> None:
    source = pylock_source(direct, location, SHA256)
    assert {name: getattr(source, name) for name in fields} == fields
    assert pinned(direct, COMMIT if direct.location.startswith("git+") else "") == location
