"""Targets in `wheelhouse.toml`: builders, platforms of one's own, captured ones, other Pythons."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING

import jsonschema
import pytest
from configfolder import SERVER, TARGET, Folder, parsed
from packaging.version import Version

from wheelhouse.config import PackageSettings, json_schema, load_project
from wheelhouse.filevalues import FAMILIES, Refusal
from wheelhouse.platformtable import known_platforms
from wheelhouse.targets import Libc, Place, Preset, PresetPython, Target, presets, stand_in
from wheelhouse.targettable import check_builder

if TYPE_CHECKING:
    from pathlib import Path

AMAZON = '[targets.web]\nplatform = "amazonlinux2023"\npython = "3.11"\n'
OWN = '[targets.web]\nplatform = "own"\npython = "3.11"\n'
ALONE = """\
[platforms.own]
libc = "glibc 2.34"
glibcxx = "3.4.29"
pythons = { "3.11" = "/opt/bin/python3.11" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)


def own(text: str) -> Preset:
    """The platform ``own`` of a file with *text*."""
    document = parsed(text)
    assert document is not None
    preset = known_platforms(document)["own"]
    assert preset is not None
    return preset


# --- builders -------------------------------------------------------------------------------


def test_a_builder_that_is_older(folder: Folder) -> None:
    target = load_project(folder.write(AMAZON + 'builder = "portable"\n')).targets["web"]
    assert target.builder == presets()["portable"]
    assert target.preset == presets()["amazonlinux2023"]


def test_a_target_that_builds_on_its_own_platform_has_no_builder(folder: Folder) -> None:
    plain = load_project(folder.write(TARGET))
    assert load_project(folder.write(TARGET + 'builder = "debian12"\n')) == plain


def test_a_builder_of_ones_own(folder: Folder) -> None:
    project = load_project(folder.write(AMAZON + 'builder = "own"\n' + ALONE))
    assert project.targets["web"].builder == own(ALONE)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            AMAZON + 'builder = "debian12"\n',
            (
                "debian12 has glibc 2.36, newer than Amazon Linux 2023's 2.34: what it builds "
                "may not run there"
            ),
            '"portable" (glibc 2.31) has Python 3.11 and is old enough',
        ),
        (
            AMAZON.replace("3.11", "3.12") + 'builder = "debian12"\n',
            "Debian 12 (bookworm) has no Python 3.12, but 3.11",
            None,
        ),
        (
            AMAZON
            + 'arch = "aarch64"\nbuilder = "own"\n'
            + ALONE.replace("pythons", 'arches = ["x86_64"]\npythons'),
            "own has no aarch64, but x86_64",
            '"portable" (glibc 2.31) has Python 3.11 and is old enough',
        ),
        (
            AMAZON + 'builder = "own"\n' + ALONE.replace("glibc 2.34", "musl 1.2"),
            (
                "own has musl 1.2, but Amazon Linux 2023 glibc 2.34: what is built with one "
                "does not run with the other"
            ),
            '"portable" (glibc 2.31) has Python 3.11 and is old enough',
        ),
        (
            AMAZON + 'builder = "own"\n' + ALONE.replace("3.4.29", "3.4.30"),
            (
                "own has GLIBCXX 3.4.30, newer than Amazon Linux 2023's 3.4.29: what it builds may "
                "not run there"
            ),
            '"portable" (glibc 2.31) has Python 3.11 and is old enough',
        ),
        (
            OWN + 'builder = "portable"\n' + ALONE.replace("2.34", "2.5"),
            "portable has glibc 2.31, newer than own's 2.5: what it builds may not run there",
            "leave it out, to build on the target's own platform",
        ),
        (
            AMAZON + 'builder = "portble"\n',
            'unknown platform "portble"; did you mean "portable"?',
            "`wheelhouse targets` lists the platforms known beforehand",
        ),
    ],
)
def test_builders_that_do_not_fit(
    folder: Folder, text: str, message: str, hint: str | None
) -> None:
    [error] = folder.errors(text)
    assert error.message.partition(": targets.web.builder: ")[2] == message
    if hint is not None:
        assert error.hint == hint


def test_hints_on_builders_name_only_those_that_fit() -> None:
    refused = 0
    for preset, builder in itertools.product(presets().values(), repeat=2):
        for python in preset.pythons:
            place = Place(preset=preset, python=python, arch="x86_64")
            try:
                check_builder(builder, place, presets())
            except Refusal as refusal:
                refused += 1
                named = re.findall(r'"([^"]*)" \(', refusal.hint or "")
                assert builder.name not in named
                for name in named:
                    check_builder(presets()[name], place, presets())
            else:
                assert preset.runs_what_is_built_on(builder)
                assert python in builder.pythons
    assert refused


def test_a_platform_without_any_python(folder: Folder) -> None:
    empty = next(name for name, preset in presets().items() if not preset.pythons)
    [message] = folder.messages(TARGET.replace("debian12", empty))
    assert message.endswith(f"{presets()[empty].title} has no Python 3.11, nor any other")


# --- platforms of one's own -----------------------------------------------------------------


def test_a_platform_like_no_other() -> None:
    preset = own(ALONE)
    assert preset == Preset(
        name="own",
        title="own",
        family="other",
        libc=Libc(family="glibc", version=(2, 34)),
        glibcxx=Version("3.4.29"),
        image=None,
        suite=None,
        base=None,
        toolchain=None,
        end_of_life=None,
        arches=("x86_64",),
        pythons={"3.11": PresetPython(path="/opt/bin/python3.11")},
    )


def test_a_target_on_it_is_built_and_proven_in_a_stand_in(folder: Folder) -> None:
    target = load_project(folder.write(OWN + ALONE)).targets["web"]
    assert target == Target(name="web", preset=own(ALONE), python="3.11", arch="x86_64")
    assert target.python_path == "/opt/bin/python3.11"
    place = stand_in(target.place)
    assert place is not None
    assert place.preset.name == "portable"


def test_everything_said_of_a_platform() -> None:
    preset = own(
        """
        [platforms.own]
        like = "debian12"
        title = "Ours, 2026"
        libc = "musl 1.2.5"
        image = "registry.example.com:5000/base-{arch}:{python}@sha256:00"
        family = "alpine"
        arches = ["aarch64", "x86_64", "aarch64"]
        [platforms.own.pythons."3.14t"]
        path = "/usr/bin/python3.14t"
        packages = ["python3t"]
        headers = ["python3t-dev"]
        [platforms.own.pythons]
        "3.14" = "/usr/bin/python3.14"
        """
    )
    assert (preset.title, preset.family, str(preset.libc)) == ("Ours, 2026", "alpine", "musl 1.2")
    assert preset.glibcxx is None  # Debian's says nothing of another C library's
    assert preset.image == "registry.example.com:5000/base-{arch}:{python}@sha256:00"
    assert preset.arches == ("aarch64", "x86_64")
    assert preset.pythons == {
        "3.14t": PresetPython(
            path="/usr/bin/python3.14t", packages=("python3t",), headers=("python3t-dev",)
        ),
        "3.14": PresetPython(path="/usr/bin/python3.14"),
    }
    assert not preset.is_made_here


def test_what_is_not_said_is_as_there() -> None:
    like = presets()["debian12"]
    preset = own('platforms.own = { like = "debian12" }')
    for field in ("family", "libc", "glibcxx", "image", "suite", "base", "arches", "pythons"):
        assert getattr(preset, field) == getattr(like, field)
    assert (preset.name, preset.title) == ("own", "own (like Debian 12 (bookworm))")
    assert own('platforms.own = { like = "debian12", image = "x" }').pythons == like.pythons
    assert own('platforms.own = { like = "debian12", glibcxx = "3.4.29" }').libc == like.libc


@pytest.mark.parametrize(
    "change",
    [
        'image = "x"',
        'libc = "glibc 2.31"\nglibcxx = "3.4.28"',
        'glibcxx = "3.4.28"',
        'family = "suse"',
        'pythons = { "3.12" = "/usr/bin/python3.12" }',
    ],
)
def test_a_changed_system_is_not_made_from_the_unchanged_ones_images(change: str) -> None:
    preset = own(f'[platforms.own]\nlike = "debian12"\n{change}\n')
    assert preset.image == ("x" if "image" in change else None)
    assert not preset.is_made_here


def test_presets_are_of_families_that_a_file_may_name() -> None:
    assert {preset.family for preset in presets().values()} <= set(FAMILIES)


# The text, and each message without the file's name.
FAULTS: dict[str, tuple[str, list[str]]] = {
    "platform without anything": (
        "[platforms.own]\n" + TARGET,
        ["1: platforms.own.libc: missing", "1: platforms.own.pythons: missing"],
    ),
    "platform without its libstdc++": (
        '[platforms.own]\nlike = "debian12"\nlibc = "glibc 2.31"\n' + TARGET,
        ["1: platforms.own.glibcxx: missing"],
    ),
    "image without its family": (
        TARGET + ALONE + 'image = "x"\n',
        ["4: platforms.own.family: missing"],
    ),
    "packages without their family": (
        TARGET + ALONE.replace('"/opt/bin/python3.11"', '{ path = "/x", packages = ["x"] }'),
        ["4: platforms.own.family: missing"],
    ),
    "misspelt like": (
        TARGET + '[platforms.own]\nlik = "debian12"\n',
        ['5: platforms.own.lik: unknown key; did you mean "like"?'],
    ),
    "name of a platform that is known": (
        TARGET + '[platforms.debian12]\nimage = "x"\n',
        ["4: platforms.debian12: is the name of a platform that is known already"],
    ),
    "bad name of a platform": (
        TARGET + ALONE.replace("own", '"My.Own"'),
        [
            (
                '4: platforms."My.Own": a platform\'s name has small letters and digits, with '
                "single -, _ or . between them, and at most 64 characters"
            )
        ],
    ),
    "like a platform that is not": (
        TARGET + ALONE + 'like = "debain12"\n',
        ['8: platforms.own.like: unknown platform "debain12"; did you mean "debian12"?'],
    ),
    "like one of one's own": (
        TARGET + ALONE + '[platforms.other]\nlike = "own"\n',
        ['9: platforms.other.like: unknown platform "own"'],
    ),
    "values of a platform": (
        TARGET
        + """\
[platforms.own]
title = "two\\nlines"
libc = "2.34"
glibcxx = "GLIBCXX_3.4.29"
image = "--privileged x"
family = "debain"
arches = ["x86_64", "amd64"]
pythons = { "3.11" = "python3.11", "3.12" = 12, "pypy3.11" = "/usr/bin/pypy3" }
""",
        [
            (
                '5: platforms.own.title: "two\\nlines" has a line break or another control '
                "character in it"
            ),
            '6: platforms.own.libc: "2.34" is not a C library and its version',
            '7: platforms.own.glibcxx: "GLIBCXX_3.4.29" is not a GLIBCXX symbol version',
            '8: platforms.own.image: "--privileged x" is not the reference of an image',
            '9: platforms.own.family: unknown family "debain"; did you mean "debian"?',
            ('10: platforms.own.arches[1]: unknown architecture "amd64"; did you mean "x86_64"?'),
            (
                '11: platforms.own.pythons."3.11".path: "python3.11" is not the full path of an '
                "interpreter"
            ),
            (
                '11: platforms.own.pythons."3.12": must be the path of an interpreter, or a table, '
                "not an integer"
            ),
            (
                '11: platforms.own.pythons."pypy3.11": "pypy3.11" is PyPy, but wheelhouses are '
                "made for CPython only"
            ),
        ],
    ),
    "placeholder in an image that stands for nothing": (
        TARGET + '[platforms.own]\nlike = "debian12"\nimage = "own:{pyhton}"\n',
        ['6: platforms.own.image: "own:{pyhton}" is not the reference of an image'],
    ),
    "nothing in a platform's lists": (
        TARGET + '[platforms.own]\nlike = "debian12"\narches = []\npythons = {}\ntitle = " "\n',
        [
            "6: platforms.own.arches: must not be empty",
            "7: platforms.own.pythons: must not be empty",
            "8: platforms.own.title: must not be empty",
        ],
    ),
    "endless title": (
        TARGET + f'[platforms.own]\nlike = "debian12"\ntitle = "{"x" * 101}"\n',
        ["6: platforms.own.title: must have at most 100 characters"],
    ),
    "keys of a platform": (
        TARGET
        + '[platforms.own]\nlike = "debian12"\npython = "3.11"\narch = "x86_64"\npath = ""\n',
        [
            '6: platforms.own.python: unknown key; did you mean "pythons"?',
            '7: platforms.own.arch: unknown key; did you mean "arches"?',
            (
                "8: platforms.own.path: unknown key; it belongs under "
                "[platforms.NAME.pythons.VERSION]"
            ),
        ],
    ),
    "keys of a platform's Python": (
        TARGET
        + '[platforms.own]\nlike = "debian12"\n[platforms.own.pythons."3.11"]\nheader = []\n',
        [
            '6: platforms.own.pythons."3.11".path: missing',
            '7: platforms.own.pythons."3.11".header: unknown key; did you mean "headers"?',
        ],
    ),
    "platform that is no table": (
        TARGET.replace("debian12", "own") + '[platforms]\nown = "debian12"\n',
        ["5: platforms.own: must be a table, not a string"],
    ),
    "target of a broken platform": (
        OWN + 'arch = "aarch64"\nbuilder = "own"\n' + ALONE.replace("2.34", "two"),
        ['7: platforms.own.libc: "glibc two" is not a C library and its version'],
    ),
    "target of a platform whose name is none": (
        TARGET.replace("debian12", "My.Own") + ALONE.replace("own", '"My.Own"'),
        [
            (
                '4: platforms."My.Own": a platform\'s name has small letters and digits, with '
                "single -, _ or . between them, and at most 64 characters"
            )
        ],
    ),
    "Python that one's own platform has not": (
        OWN.replace("3.11", "3.12") + ALONE,
        ["3: targets.web.python: own has no Python 3.12, but 3.11"],
    ),
    "architecture that one's own platform has not": (
        OWN + 'arch = "arm64"\n' + ALONE,
        ['4: targets.web.arch: unknown architecture "arm64"'],
    ),
    "architecture that one's own platform could have": (
        OWN + 'arch = "aarch64"\n' + ALONE,
        ["4: targets.web.arch: own has no aarch64"],
    ),
    "PyPy": (
        TARGET.replace("3.11", "pypy3.11"),
        ['3: targets.web.python: "pypy3.11" is PyPy, but wheelhouses are made for CPython only'],
    ),
    "PyPy by its tag": (
        TARGET.replace("3.11", "pp311"),
        ['3: targets.web.python: "pp311" is PyPy, but wheelhouses are made for CPython only'],
    ),
    "GraalPy": (
        TARGET.replace("3.11", "GraalPy"),
        ['3: targets.web.python: "GraalPy" is GraalPy, but wheelhouses are made for CPython only'],
    ),
    "free-threaded Python that the platform has not": (
        TARGET.replace("3.11", "3.11t"),
        ["3: targets.web.python: Debian 12 (bookworm) has no Python 3.11t, but 3.11"],
    ),
    "system packages by family": (
        TARGET + '[packages.x.system]\ndebain = ["a"]\ndebian = "b"\namazon = ["-x", 3]\n',
        [
            '5: packages.x.system.debain: unknown family "debain"; did you mean "debian"?',
            "6: packages.x.system.debian: must be a list, not a string",
            '7: packages.x.system.amazon[0]: "-x" is not a valid name of a system package',
            "7: packages.x.system.amazon[1]: must be a string, not an integer",
        ],
    ),
    "system packages of no form": (
        TARGET + '[packages.x]\nsystem = "libpq-dev"\n',
        ["5: packages.x.system: must be a list, not a string"],
    ),
    "keys beside a captured file": (
        TARGET + 'arch = "x86_64"\ncaptured = "web.json"\n',
        [
            f"{line}: targets.web.{key}: comes from the captured file, and may not be given"
            for line, key in ((2, "platform"), (3, "python"), (4, "arch"))
        ],
    ),
    "misspelt captured": (
        '[targets.web]\ncapture = "web.json"\n',
        ['2: targets.web.capture: unknown key; did you mean "captured"?'],
    ),
    "captured and nothing else right": (
        TARGET + "captured = 3\n",
        ["4: targets.web.captured: must be a string, not an integer"],
    ),
}

# What a schema cannot say: it does not know what a file's own platforms have.
BEYOND_SCHEMA = {
    "name of a platform that is known",
    "values of a platform",
    "target of a platform whose name is none",
    "packages without their family",
    "Python that one's own platform has not",
    "architecture that one's own platform could have",
}


@pytest.mark.parametrize(("content", "messages"), FAULTS.values(), ids=FAULTS)
def test_faults(folder: Folder, content: str, messages: list[str]) -> None:
    (folder.path / "web.json").write_text(SERVER)
    assert folder.messages(content) == [f"wheelhouse.toml:{message}" for message in messages]


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in BEYOND_SCHEMA])
def test_schema_refuses_what_the_program_refuses(name: str) -> None:
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(parsed(FAULTS[name][0]))


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("cp314t", 'write "3.14t"'),
        ("3.13T", 'write "3.13t"'),
        ("3.14t.0", 'write "3.14t"'),
        ("Python 3.12", 'write "3.12"'),
        ("311", 'write "3.11"'),
        ("latest", 'write it as "3.11"'),
    ],
)
def test_versions_that_were_meant(folder: Folder, written: str, hint: str) -> None:
    [error] = folder.errors(TARGET.replace("3.11", written))
    assert error.hint == hint


def test_a_free_threaded_target(folder: Folder) -> None:
    text = OWN.replace("3.11", "3.14t") + ALONE.replace("3.11", "3.14t")
    target = load_project(folder.write(text)).targets["web"]
    assert (target.python, target.python_path) == ("3.14t", "/opt/bin/python3.14t")


def test_hints_name_the_files_own_platforms(folder: Folder) -> None:
    [error] = folder.errors(OWN.replace("own", "mine") + ALONE)
    assert error.hint == (
        "`wheelhouse targets` lists the platforms known beforehand; this file has own"
    )
    [error] = folder.errors(TARGET.replace("3.11", "3.99") + ALONE.replace("3.11", "3.99"))
    assert error.hint == "Python 3.99 is on own"


# --- captured targets -----------------------------------------------------------------------

CAPTURED = '[targets.web]\ncaptured = "web.json"\n'


def capture(folder: Folder, **changes: object) -> None:
    (folder.path / "web.json").write_text(json.dumps(json.loads(SERVER) | changes))


def test_a_captured_target(folder: Folder) -> None:
    capture(folder)
    project = load_project(folder.write(CAPTURED + 'builder = "portable"\n'))
    target = project.targets["web"]
    assert project.captures == (folder.path.resolve() / "web.json",)
    assert (target.python, target.arch, str(target.preset.libc)) == ("3.11", "x86_64", "glibc 2.34")
    assert target.python_path == "/usr/bin/python3.11"
    assert target.builder == presets()["portable"]
    assert target.captured is not None
    assert "libstdc++.so.6" in target.captured.libraries


def test_two_targets_from_one_file(folder: Folder) -> None:
    capture(folder)
    project = load_project(folder.write(CAPTURED + CAPTURED.replace("web]", "b]")))
    assert len(project.captures) == 1
    assert project.targets["web"].captured == project.targets["b"].captured


def test_files_are_read_only_where_targets_come_from_them(folder: Folder) -> None:
    assert load_project(folder.write(TARGET)).captures == ()


def test_a_captured_file_that_is_not_there(folder: Folder) -> None:
    [error] = folder.errors(CAPTURED)
    root = folder.path.resolve()
    assert error.message == (
        f'wheelhouse.toml:2: targets.web.captured: there is no file "web.json" in {root}'
    )
    assert error.hint == (
        "run on the machine what `wheelhouse targets probe` writes, and save its output here"
    )
    capture(folder)
    [error] = folder.errors(CAPTURED.replace("web.json", "web.jsn"))
    assert error.hint == 'did you mean "web.json"?'


def test_a_captured_file_outside_the_project(folder: Folder) -> None:
    [message] = folder.messages(CAPTURED.replace("web.json", "../web.json"))
    assert message.startswith(
        'wheelhouse.toml:2: targets.web.captured: "../web.json" is outside the project\'s folder'
    )


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 99}', "\0"])
def test_a_captured_file_that_is_none(folder: Folder, content: str) -> None:
    (folder.path / "web.json").write_text(content)
    [error] = folder.errors(CAPTURED)
    assert error.message.startswith("wheelhouse.toml:2: targets.web.captured: ")
    assert error.hint


def test_a_builder_too_new_for_a_captured_target(folder: Folder) -> None:
    capture(folder)
    [error] = folder.errors(CAPTURED + 'builder = "debian12"\n')
    assert error.message.startswith("wheelhouse.toml:3: targets.web.builder: debian12 has glibc")
    assert error.hint == '"portable" (glibc 2.31) has Python 3.11 and is old enough'


def test_a_broken_builder_of_a_captured_target_is_told_once(folder: Folder) -> None:
    capture(folder)
    text = CAPTURED + 'builder = "own"\n' + ALONE.replace("2.34", "x")
    [message] = folder.messages(text)
    assert "platforms.own.libc" in message


# --- system packages ------------------------------------------------------------------------


def test_system_packages_by_family(folder: Folder) -> None:
    text = TARGET + '[packages.x.system]\ndebian = ["b", "a", "b"]\namazon = []\n'
    settings = load_project(folder.write(text)).settings("x")
    assert settings == PackageSettings(system={"debian": ("a", "b"), "amazon": ()})
    assert settings.system_for("debian") == ("a", "b")
    assert settings.system_for("amazon") == settings.system_for("suse") == ()


def test_system_packages_of_all_families() -> None:
    assert PackageSettings(system=("a",)).system_for("debian") == ("a",)
    assert PackageSettings().system_for("debian") == ()
