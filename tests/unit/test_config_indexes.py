"""Inputs, indexes, and what bypasses the wheelhouse, as `wheelhouse.toml` says it."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from configfolder import TARGET, Folder
from packaging.utils import canonicalize_name

from wheelhouse.config import json_schema, load_project
from wheelhouse.settings import DEFAULT_INDEX, IndexSettings, InputFile

if TYPE_CHECKING:
    from pathlib import Path

PYPI = IndexSettings(name=DEFAULT_INDEX, url="https://pypi.org/simple")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A project with an input of every kind, a folder of wheels, and a mirror."""
    monkeypatch.chdir(tmp_path)
    for name in ("uv.lock", "pyproject.toml", "pylock.web.toml", "a file"):
        (tmp_path / name).touch()
    (tmp_path / "vendor").mkdir()
    (tmp_path / "a mirror" / "simple").mkdir(parents=True)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "pyproject.toml").touch()
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


# --- requirements ---------------------------------------------------------------------------


def test_inputs_with_the_parts_that_are_wanted(folder: Folder) -> None:
    project = load_project(
        folder.write(
            """
            requirements = [
              "requirements.txt",
              { file = "uv.lock", extras = ["Web_UI", "web-ui", "api"], groups = ["Prod.x"] },
              { file = "pyproject.toml", project = true },
              { file = "pylock.web.toml", project = false },
              { file = "./app/pyproject.toml" },
            ]
            """
            + TARGET
        )
    )
    root = folder.path.resolve()
    assert project.requirements == (
        InputFile(path=root / "requirements.txt"),
        InputFile(path=root / "uv.lock", extras=("api", "web-ui"), groups=("prod-x",)),
        InputFile(path=root / "pyproject.toml", project=True),
        InputFile(path=root / "pylock.web.toml", project=False),
        InputFile(path=root / "app" / "pyproject.toml"),
    )


# --- indexes --------------------------------------------------------------------------------


def test_indexes_in_the_order_of_the_file(folder: Folder) -> None:
    root = folder.path.resolve()
    mirror = (root / "a mirror" / "simple").as_uri()
    project = load_project(
        folder.write(
            TARGET
            + f"""
            [indexes.Corp_1]
            url = "https://pypi.example.com/root/+simple/"
            packages = ["Corp_*", "acme", "*.Internal"]
            username = "build robot"
            [indexes.page]
            find-links = "https://example.com/wheels/"
            [indexes.vendored]
            find-links = "vendor"
            [indexes.mirror]
            url = "{mirror}/"
            """
        )
    )
    assert project.default_index == PYPI
    assert project.indexes == (
        IndexSettings(
            name="Corp_1",
            url="https://pypi.example.com/root/+simple",
            packages=("corp-*", "acme", "*-internal"),
            username="build robot",
        ),
        IndexSettings(name="page", url="https://example.com/wheels/", flat=True),
        IndexSettings(name="vendored", url=(root / "vendor").as_uri(), flat=True),
        IndexSettings(name="mirror", url=mirror),
    )
    assert project.known_indexes == (*project.indexes, PYPI)
    corp = project.indexes[0]
    assert corp.has_to_have(canonicalize_name("Corp.Auth"))
    assert corp.has_to_have(canonicalize_name("my_internal"))
    assert not corp.has_to_have(canonicalize_name("corporate"))


@pytest.mark.parametrize("place", ["find-links", "url"])
def test_a_folder_outside_the_project(folder: Folder, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    inner = tmp_path / "project"
    inner.mkdir()
    said = str(outside) if place == "find-links" else outside.as_uri()
    project = load_project(Folder(inner).write(f'{TARGET}[indexes.x]\n{place} = "{said}"\n'))
    assert [each.url for each in project.indexes] == [outside.resolve().as_uri()]


def test_a_declared_index_as_the_default_one(folder: Folder) -> None:
    project = load_project(
        folder.write(
            'index = "corp"\n'
            + TARGET
            + '[indexes.other]\nurl = "https://o.example/s"\n'
            + '[indexes.corp]\nurl = "https://c.example/s"\n'
            + '[packages.a]\nindex = "default"\n[packages.b]\nindex = "other"\n[packages.c]\n'
        )
    )
    corp = IndexSettings(name="corp", url="https://c.example/s")
    assert project.default_index == corp
    assert project.known_indexes == (
        IndexSettings(name="other", url="https://o.example/s"),
        corp,
    )
    assert [project.settings(name).index for name in "abc"] == ["corp", "other", None]


def test_the_default_index_by_its_address_is_called_default(folder: Folder) -> None:
    project = load_project(folder.write(TARGET + '[packages.a]\nindex = "default"\n'))
    assert project.settings("a").index == DEFAULT_INDEX


# --- when, what for, and by whom ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"2026-01-31"', datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 2, 1, tzinfo=UTC)),
        ('"2026-01-31T12:00:00+02:00"', datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ('"7 days"', timedelta(days=7)),
        ('"P1W"', timedelta(days=7)),
        ('"36h"', timedelta(hours=36)),
    ],
)
def test_exclude_newer(folder: Folder, text: str, expected: datetime | timedelta) -> None:
    project = load_project(folder.write(f"exclude-newer = {text}\n{TARGET}"))
    assert project.exclude_newer == expected


def test_what_torch_is_for_and_what_is_provided(folder: Folder) -> None:
    project = load_project(
        folder.write(
            TARGET
            + 'torch-backend = "cu128"\n'
            + 'provided = { NumPy = "system:python3-numpy", gdal = "wheel", torch = "image" }\n'
            + "[packages]\n"
            + "numpy.bypass = true\nGDAL.bypass = true\ntorch.bypass = true\nx.bypass = false\n"
        )
    )
    target = project.targets["web"]
    assert target.torch_backend == "cu128"
    assert target.provided == {"numpy": "system:python3-numpy", "gdal": "wheel", "torch": "image"}
    assert [project.settings(name).bypass for name in ("numpy", "gdal", "x")] == [True, True, False]


def test_without_a_word_on_it(folder: Folder) -> None:
    project = load_project(folder.write(TARGET))
    assert project.known_indexes == (PYPI,)
    assert project.exclude_newer is None
    assert project.targets["web"].torch_backend == ""
    assert project.targets["web"].provided == {}


# --- what is wrong --------------------------------------------------------------------------

CORP = '[indexes.corp]\nurl = "https://c.example/s"\n'

# By what is wrong: the text, and each message without the file's name. `TARGET` is three lines
# long.
FAULTS: dict[str, tuple[str, list[str]]] = {
    "entry without a file": (
        'requirements = [{ extras = ["x"] }]\n' + TARGET,
        ["1: requirements[0].file: missing"],
    ),
    "misspelt key of an entry": (
        'requirements = [{ fil = "uv.lock" }]\n' + TARGET,
        ['1: requirements[0].fil: unknown key; did you mean "file"?'],
    ),
    "entry's key at the top": (
        'extras = ["x"]\n' + TARGET,
        ["1: extras: unknown key; it belongs in an entry of requirements"],
    ),
    "parts of other types": (
        'requirements = [{ file = "uv.lock", extras = "x", groups = [1], project = "no" }]\n'
        + TARGET,
        [
            "1: requirements[0].extras: must be a list, not a string",
            "1: requirements[0].groups[0]: must be a string, not an integer",
            "1: requirements[0].project: must be true or false, not a string",
        ],
    ),
    "parts that are no names": (
        'requirements = [{ file = "uv.lock", extras = ["a,b"], groups = [""] }]\n' + TARGET,
        [
            '1: requirements[0].extras[0]: "a,b" is not a valid name of an extra or a group',
            '1: requirements[0].groups[0]: "" is not a valid name of an extra or a group',
        ],
    ),
    "parts of a requirements file": (
        'requirements = [{ file = "requirements.txt", extras = [], project = true }]\n' + TARGET,
        [
            (
                '1: requirements[0].extras: "requirements.txt" is neither a pyproject.toml nor a '
                "lock, so it has none"
            ),
            (
                '1: requirements[0].project: "requirements.txt" is neither a pyproject.toml nor a '
                "lock, so it has none"
            ),
        ],
    ),
    "entry's file that is not there": (
        'requirements = [{ file = "uv.lokc" }]\n' + TARGET,
        ['1: requirements[0].file: there is no file "uv.lokc" in {root}'],
    ),
    "file in two entries": (
        'requirements = ["uv.lock", { file = "./uv.lock", extras = ["x"] }]\n' + TARGET,
        ['1: requirements[1].file: "./uv.lock" is listed twice'],
    ),
    "project's folder": (
        'requirements = [".", "app"]\n' + TARGET,
        [
            '1: requirements[0]: "." is a folder, not a file',
            '1: requirements[1]: "app" is a folder, not a file',
        ],
    ),
    "index without a place": (
        TARGET + "[indexes.corp]\nusername = 'x'\n",
        ["4: indexes.corp.url: missing"],
    ),
    "index with two places": (
        TARGET + CORP + 'find-links = "vendor"\n',
        ["5: indexes.corp.url: is given, and find-links too"],
    ),
    "misspelt place": (
        TARGET + '[indexes.corp]\nfind-link = "vendor"\n[indexes.other]\nurk = "https://x.org/s"\n',
        [
            '5: indexes.corp.find-link: unknown key; did you mean "find-links"?',
            '7: indexes.other.urk: unknown key; did you mean "url"?',
        ],
    ),
    "table of indexes by the name of the key": (
        TARGET + CORP.replace("indexes", "index"),
        ["4: index: must be a string, not a table"],
    ),
    "names of indexes": (
        TARGET
        + "".join(
            CORP.replace("corp", name) for name in ("default", '"a b"', '"-x"', "x" * 65, "Default")
        ),
        [
            "4: indexes.default: is what packages call the index that `index` says",
            (
                '6: indexes."a b": the name of an index begins and ends with a letter or digit, '
                "and has only letters, digits, - and _, at most 64"
            ),
            (
                "8: indexes.-x: the name of an index begins and ends with a letter or digit, and "
                "has only letters, digits, - and _, at most 64"
            ),
            (
                f"10: indexes.{'x' * 65}: the name of an index begins and ends with a letter or "
                "digit, and has only letters, digits, - and _, at most 64"
            ),
            "12: indexes.Default: has the same environment variables as indexes.default",
            "12: indexes.Default: is what packages call the index that `index` says",
        ],
    ),
    "indexes of the same variables": (
        TARGET + CORP.replace("corp", "a-b") + CORP.replace("corp", "A_b"),
        ["6: indexes.A_b: has the same environment variables as indexes.a-b"],
    ),
    "passwords": (
        TARGET + CORP + 'password = "hunter2"\ntoken = "hunter3"\nTOKEN = "x"\n',
        [
            "6: indexes.corp.password: does not belong into this file, which others read",
            "7: indexes.corp.token: does not belong into this file, which others read",
            "8: indexes.corp.TOKEN: does not belong into this file, which others read",
        ],
    ),
    "credentials in addresses": (
        TARGET
        + '[indexes.a]\nurl = "https://u:hunter2@x.org/s"\n'
        + '[indexes.b]\nfind-links = "https://hunter2@x.org/"\n'
        + '[indexes.c]\nurl = "file://hunter2@host/srv"\n',
        [
            "5: indexes.a.url: has a user name or a password in it",
            "7: indexes.b.find-links: has a user name or a password in it",
            "9: indexes.c.url: has no full path in it",
        ],
    ),
    "addresses of other kinds": (
        TARGET
        + '[indexes.a]\nurl = "ftp://x.org/s"\n[indexes.b]\nfind-links = "s3://bucket/x"\n'
        + '[indexes.c]\nfind-links = "file:///srv"\n[indexes.d]\nurl = "file:srv"\n'
        + '[indexes.e]\nurl = "vendor"\n[indexes.f]\nurl = "file:///srv/a b?x"\n'
        + '[indexes.g]\nfind-links = "~/wheels"\n[indexes.h]\nurl = "https://x.org/?a=b"\n',
        [
            "5: indexes.a.url: must be the http, https or file URL of a package index",
            "7: indexes.b.find-links: must be a folder's path, or the http or https URL of a page",
            '9: indexes.c.find-links: "file:///srv" is a URL',
            "11: indexes.d.url: has no full path in it",
            "13: indexes.e.url: must be the http, https or file URL of a package index",
            (
                '15: indexes.f.url: "file:///srv/a b?x" has characters that a URL must not have, '
                "or has percent-encoded"
            ),
            '17: indexes.g.find-links: "~/wheels" begins with "~", which is not expanded',
            '19: indexes.h.url: must not have a "?" or "#" part',
        ],
    ),
    "folders that are not there": (
        TARGET
        + '[indexes.a]\nfind-links = "vendro"\n[indexes.b]\nfind-links = "a file"\n'
        + '[indexes.c]\nurl = "file:///no%20where"\n',
        [
            '5: indexes.a.find-links: "vendro" is not there, in {root}, but it is to be a folder',
            '7: indexes.b.find-links: "a file" is a file, but it is to be a folder',
            '9: indexes.c.url: "file:///no%20where" is not there, but it is to be a folder',
        ],
    ),
    "patterns that are none": (
        TARGET + CORP + 'packages = ["corp-*", "corp ?", "", "[a-z]", "x==1", 3]\n',
        [
            '6: indexes.corp.packages[1]: "corp ?" is no name of a project, nor a pattern of names',
            '6: indexes.corp.packages[2]: "" is no name of a project, nor a pattern of names',
            '6: indexes.corp.packages[3]: "[a-z]" is no name of a project, nor a pattern of names',
            '6: indexes.corp.packages[4]: "x==1" is no name of a project, nor a pattern of names',
            "6: indexes.corp.packages[5]: must be a string, not an integer",
        ],
    ),
    "pattern of two indexes": (
        TARGET
        + CORP
        + 'packages = ["corp-*", "x"]\n'
        + CORP.replace("corp", "other")
        + 'packages = ["y", "Corp_*"]\n',
        ["9: indexes.other.packages[1]: comes from indexes.corp already"],
    ),
    "index that there is not": (
        'index = "pip"\n' + TARGET + '[packages.a]\nindex = "crop"\n' + CORP,
        [
            '1: index: there is no index "pip"',
            '6: packages.a.index: there is no index "crop"; did you mean "corp"?',
        ],
    ),
    "index of a package by its address": (
        TARGET + '[packages.a]\nindex = "https://u:hunter2@x.org/s"\n[packages.b]\nindex = ""\n',
        [
            "5: packages.a.index: must be the name of an index",
            "7: packages.b.index: must be the name of an index",
        ],
    ),
    "default index called default": (
        'index = "default"\n' + TARGET,
        ['1: index: there is no index "default"'],
    ),
    "what is no day": (
        'exclude-newer = "2026-02-30"\n' + TARGET,
        ['1: exclude-newer: "2026-02-30" is neither a day, a time nor an age'],
    ),
    "the last of all days": (
        "exclude-newer = 9999-12-31\n" + TARGET,
        ['1: exclude-newer: "9999-12-31" is neither a day, a time nor an age'],
    ),
    "what is no age": (
        'exclude-newer = "3 fortnights"\n' + TARGET,
        ['1: exclude-newer: "3 fortnights" is neither a day, a time nor an age'],
    ),
    "words of a terminal in an age": (
        'exclude-newer = "\\u001b[1m"\n' + TARGET,
        ['1: exclude-newer: "\\x1b[1m" is neither a day, a time nor an age'],
    ),
    "age without a unit": (
        "exclude-newer = 7\n" + TARGET,
        ["1: exclude-newer: must be a day, a time or an age, not an integer"],
    ),
    "time of any day": (
        "exclude-newer = 12:00:00\n" + TARGET,
        ["1: exclude-newer: must be a day, a time or an age, not a time without a day"],
    ),
    "backend of PyTorch": (
        TARGET + 'torch-backend = "cuda12.8"\n',
        ['4: targets.web.torch-backend: "cuda12.8" is no backend of PyTorch{near}'],
    ),
    "ways that are none": (
        TARGET
        + 'provided = { numpy = "apt:python3-numpy", gdal = "system:", torch = true }\n'
        + "[packages]\nnumpy.bypass = true\ngdal.bypass = true\ntorch.bypass = true\n",
        [
            '4: targets.web.provided.gdal: "system:" is no way for a package to come to the server',
            (
                '4: targets.web.provided.numpy: "apt:python3-numpy" is no way for a package to '
                "come to the server"
            ),
            "4: targets.web.provided.torch: must be a string, not a boolean",
        ],
    ),
    "provided although it is in the wheelhouse": (
        TARGET
        + 'provided = { Numpy = "image", "x.y" = "wheel" }\n'
        + "[packages.numpy]\nbypass = false\n",
        [
            (
                "4: targets.web.provided.Numpy: is in the wheelhouse like the others, so nothing "
                "else has to bring it"
            ),
            (
                '4: targets.web.provided."x.y": is in the wheelhouse like the others, so nothing '
                "else has to bring it"
            ),
        ],
    ),
    "provided twice": (
        TARGET
        + 'provided = { numpy = "image", NumPy = "wheel" }\n'
        + "[packages.numpy]\nbypass = true\n",
        [
            "4: targets.web.provided.NumPy: is the same package as targets.web.provided.numpy",
        ],
    ),
    "packages of a distribution that may not be asked": (
        TARGET
        + 'runtime-system = false\nprovided = { numpy = "system:python3-numpy", x = "image" }\n'
        + "[packages]\nnumpy.bypass = true\nx.bypass = true\n",
        [
            (
                "5: targets.web.provided: packages of the distribution are to bring numpy, but "
                "runtime-system is false"
            ),
        ],
    ),
}

# What a schema cannot say: it knows no disk and no other table.
BEYOND_SCHEMA = {
    "parts of a requirements file",
    "entry's file that is not there",
    "file in two entries",
    "project's folder",
    "indexes of the same variables",
    "folders that are not there",
    "pattern of two indexes",
    "index that there is not",
    "default index called default",
    "what is no day",
    "what is no age",
    "provided although it is in the wheelhouse",
    "provided twice",
    "packages of a distribution that may not be asked",
}


def _expected(folder: Folder, message: str) -> str:
    near = '; did you mean "cu128"?'
    return f"wheelhouse.toml:{message}".replace("{near}", near).replace(
        "{root}", str(folder.path.resolve())
    )


@pytest.mark.parametrize(
    ("content", "messages"), [pytest.param(*fault, id=name) for name, fault in FAULTS.items()]
)
def test_faults(folder: Folder, content: str, messages: list[str]) -> None:
    assert folder.messages(content) == [_expected(folder, each) for each in messages]


@pytest.mark.parametrize(
    "content",
    [pytest.param(FAULTS[name][0], id=name) for name in sorted(FAULTS.keys() - BEYOND_SCHEMA)],
)
def test_the_schema_refuses_it_too(
    validator: jsonschema.Draft202012Validator, content: str
) -> None:
    assert not validator.is_valid(_as_json(content))


def test_the_schema_says_all_it_can(validator: jsonschema.Draft202012Validator) -> None:
    for name in BEYOND_SCHEMA:
        validator.validate(_as_json(FAULTS[name][0]))


def _as_json(content: str) -> dict[str, Any]:
    return tomllib.loads(content)


def test_no_secret_is_repeated(folder: Folder) -> None:
    secrets = ("passwords", "credentials in addresses", "index of a package by its address")
    for name in secrets:
        for error in folder.errors(FAULTS[name][0]):
            assert "hunter" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (
            'requirements = ["vendor"]\n' + TARGET,
            "name the file in it; a project to build stands in a requirements file, such as ./app",
        ),
        (
            'requirements = ["app"]\n' + TARGET,
            (
                "name its pyproject.toml: what that asks for is wanted then, and with "
                "`project = true` the project itself, too"
            ),
        ),
        (
            'requirements = [{ groups = ["x"] }]\n' + TARGET,
            'name the file, such as file = "uv.lock"',
        ),
        (
            'requirements = [{ file = "uv.lokc" }]\n' + TARGET,
            'did you mean "uv.lock"?',
        ),
        (
            'requirements = [{ file = "requirements.txt", groups = ["x"] }]\n' + TARGET,
            "name the pyproject.toml that has them",
        ),
        (
            TARGET + '[indexes.my-corp]\nurl = "https://x.org/s"\npassword = "x"\n',
            (
                "set WHEELHOUSE_INDEX_MY_CORP_PASSWORD in the environment, or put it into your "
                "netrc file (~/.netrc) or a keyring"
            ),
        ),
        (
            TARGET + "[indexes.corp]\n",
            (
                'write url = "https://…/simple" for an index, or find-links = "…" for a folder or '
                "a page with files"
            ),
        ),
        (
            TARGET + '[index.corp]\nurl = "https://x.org/s"\n',
            "tables of indexes are called [indexes.NAME]; index has the address or name of one",
        ),
        (
            TARGET + '[packages.x]\nindex = "corp"\n',
            (
                "declare it in a table of its own, such as [indexes.corp] with its url; there is "
                "default"
            ),
        ),
        (
            TARGET + 'provided.numpy = "image"\n',
            "say bypass = true under [packages.numpy], or leave this out",
        ),
        (
            "exclude-newer = 7\n" + TARGET,
            'write it as "2026-11-20", "2026-11-20T12:00:00Z" or "7 days"',
        ),
    ],
)
def test_hints(folder: Folder, content: str, hint: str) -> None:
    [error] = folder.errors(content)
    assert error.hint == hint


def test_what_is_wrong_elsewhere_hides_nothing(folder: Folder) -> None:
    """Tables are compared, and paths looked up, whatever is wrong in others."""
    assert folder.messages(
        'requirements = [{ file = "nothing.lock", extras = 1 }]\n'
        + TARGET
        + 'provided = { numpy = "image" }\n'
        + '[indexes.a]\nfind-links = "nowhere"\nuser = "x"\n'
        + '[packages.x]\nindex = "b"\n'
    ) == [
        _expected(folder, each)
        for each in (
            "1: requirements[0].extras: must be a list, not an integer",
            '1: requirements[0].file: there is no file "nothing.lock" in {root}',
            (
                "5: targets.web.provided.numpy: is in the wheelhouse like the others, so nothing "
                "else has to bring it"
            ),
            '7: indexes.a.find-links: "nowhere" is not there, in {root}, but it is to be a folder',
            '8: indexes.a.user: unknown key; did you mean "username"?',
            '10: packages.x.index: there is no index "b"',
        )
    ]


@pytest.mark.parametrize(
    "value", ["1", "true", "[]", "[1]", "{}", "{ x = 1 }", '"\\n"', "2026-01-01"]
)
@pytest.mark.parametrize(
    "key",
    [
        "indexes",
        "indexes.x",
        "indexes.x.url",
        "indexes.x.find-links",
        "indexes.x.packages",
        "indexes.x.username",
        "index",
        "packages",
        "packages.x",
        "packages.x.index",
        "packages.x.bypass",
        "targets.web.provided",
        "targets.web.provided.x",
        "targets.web.torch-backend",
        "requirements",
        "exclude-newer",
    ],
)
def test_values_of_any_type(folder: Folder, key: str, value: str) -> None:
    """Each gives a project or errors of the file, and nothing else."""
    content = f"{key} = {value}\n{TARGET}"
    right = {
        *((each, "{}") for each in ("indexes", "packages", "packages.x", "targets.web.provided")),
        ("exclude-newer", "2026-01-01"),
        ("packages.x.bypass", "true"),
    }
    if "targets.web." in key:  # TOML has the header of a table before its keys
        content = f"{TARGET}{key.removeprefix('targets.web.')} = {value}\n"
    if (key, value) in right:
        load_project(folder.write(content))
    else:
        assert folder.errors(content)
