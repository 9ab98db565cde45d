"""What the words of a build may mean."""

from __future__ import annotations

import pytest

from wheelhouse.building.guesses import MOST, guesses


def names(text: str) -> list[str]:
    return list(dict.fromkeys(each.name for each in guesses(text) if each.kind == "pkg-config"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        # Of the setup.py of tpm2-pytss, pymupdf, pyoptsparse, and others like them.
        (
            "RuntimeError: Require tss2-esapi to be installed and at least version 2.4.0",
            "tss2-esapi",
        ),
        ("Exception: Could not find libvips", "libvips"),
        ("libuv development headers are required", "libuv"),
        ("error: the 'zbar' library was not found", "zbar"),
        ("Please install libfoo-1.0 first", "libfoo-1.0"),
        ("SystemExit: augeas is required to build this module", "augeas"),
        ("Unable to locate openslide", "openslide"),
    ],
)
def test_a_name_in_a_sentence(text: str, name: str) -> None:
    assert name in names(text)


@pytest.mark.parametrize(
    "text",
    [
        "error: command failed with exit status 1",
        "Please install the latest version of setuptools",
        "the required files were not found",
        "missing setup.py",
        "",
    ],
)
def test_words_that_are_no_names(text: str) -> None:
    assert names(text) == []


def test_a_library_is_asked_for_without_its_prefix() -> None:
    assert ("library", "uv") in {(each.kind, each.name) for each in guesses("libuv not found")}


def test_not_too_much_is_asked() -> None:
    text = " ".join(f"requires name{number}x" for number in range(99))
    assert len(names(text)) <= MOST
