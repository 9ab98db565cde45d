"""Lines with addresses: what they come to, and that no password of theirs is ever told."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest
from inputfiles import MAIN, problems, read, write
from lockingfactory import sha

from wheelhouse.errors import SeveralErrors, WheelhouseError
from wheelhouse.inputs.addresses import redacted
from wheelhouse.inputs.model import Asked, Direct

if TYPE_CHECKING:
    from pathlib import Path

APP = '[project]\nname = "My.App"\nversion = "1"\n'
HOST = "https://x.example"
PASSWORD = "s3cr3t-Pa55"


def one(root: Path, line: str) -> Asked:
    write(root, {MAIN: f"{line}\n"})
    (found,) = read(root).asked
    return found


# --- URLs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "requirement", "direct", "unnamed"),
    [
        (
            f"{HOST}/Demo_X-1.0-py3-none-any.whl",
            "demo-x",
            Direct(location=f"{HOST}/Demo_X-1.0-py3-none-any.whl"),
            False,
        ),
        (
            f"{HOST}/demo-1.0%2Bcpu-py3-none-any.whl ; sys_platform == 'linux'",
            'demo; sys_platform == "linux"',
            Direct(location=f"{HOST}/demo-1.0%2Bcpu-py3-none-any.whl"),
            False,
        ),
        (f"{HOST}/d/demo-1.0.tar.gz", "demo", Direct(location=f"{HOST}/d/demo-1.0.tar.gz"), True),
        (f"{HOST}/archive/1.26.zip", "1-26", Direct(location=f"{HOST}/archive/1.26.zip"), True),
        (f"{HOST}/get?file=1", "get", Direct(location=f"{HOST}/get?file=1"), True),
        (
            f"demo[b,a] @ {HOST}/1.zip ; python_version < '4'",
            'demo[a,b]; python_version < "4"',
            Direct(location=f"{HOST}/1.zip"),
            False,
        ),
        (f"demo@{HOST}/1.zip", "demo", Direct(location=f"{HOST}/1.zip"), False),
        (
            f"{HOST}/1.zip#egg=demo[a]&subdirectory=src/demo",
            "demo[a]",
            Direct(location=f"{HOST}/1.zip", subdirectory="src/demo"),
            False,
        ),
        (
            f"git+{HOST}/org/demo.git",
            "demo",
            Direct(location=f"git+{HOST}/org/demo.git"),
            True,
        ),
        (
            f"git+{HOST}:8443/org/demo.git@feature/one#egg=Demo&subdirectory=pkg",
            "Demo",
            Direct(
                location=f"git+{HOST}:8443/org/demo.git",
                revision="feature/one",
                subdirectory="pkg",
            ),
            False,
        ),
        (
            f"git+{HOST}/org/demo@release.1%2Fx",
            "demo",
            Direct(location=f"git+{HOST}/org/demo", revision="release.1/x"),
            True,
        ),
        (
            f"-e git+{HOST}/org/demo@v1.0#egg=demo",
            "demo",
            Direct(location=f"git+{HOST}/org/demo", revision="v1.0"),
            False,
        ),
        (
            f"-e 'demo @ git+{HOST}/org/demo@v1.0'",
            "demo",
            Direct(location=f"git+{HOST}/org/demo", revision="v1.0"),
            False,
        ),
        (
            "git+ssh://git@x.example/org/demo.git@main",
            "demo",
            Direct(location="git+ssh://git@x.example/org/demo.git", revision="main"),
            True,
        ),
        (
            "git+file:///srv/git/demo.git@main",
            "demo",
            Direct(location="git+file:///srv/git/demo.git", revision="main"),
            True,
        ),
    ],
)
def test_a_url(tmp_path: Path, line: str, requirement: str, direct: Direct, unnamed: bool) -> None:
    found = one(tmp_path, line)
    assert (str(found.requirement), found.direct, found.unnamed) == (requirement, direct, unnamed)
    assert found.origin == f"{MAIN}:1"


def test_hashes_of_an_archive(tmp_path: Path) -> None:
    url = f"{HOST}/demo-1.0.tar.gz"
    assert one(tmp_path, f"{url}#sha256={sha('1')}").hashes == {sha("1")}
    both = one(tmp_path, f"demo @ {url}#sha256={sha('1')} --hash=sha256:{sha('2')}")
    assert both.hashes == {sha("1"), sha("2")}


def test_settings_for_a_backend(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            MAIN: "flask --config-settings=a=b=c -C list=1 -C list=2\n"
            f"Demo @ {HOST}/1.zip --config-settings --global-option=--debug\n"
            "-e ./app -C editable_mode=compat\n",
            "app/pyproject.toml": APP,
        },
    )
    assert read(tmp_path).config_settings == {
        "flask": {"a": "b=c", "list": ("1", "2")},
        "demo": {"--global-option": "--debug"},
        "my-app": {"editable_mode": "compat"},
    }


# --- paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "requirement", "location"),
    [
        (".", "My.App", "dir:."),
        ("-e .", "My.App", "dir:."),
        ("-e .[a,b]", "My.App[a,b]", "dir:."),
        ("./lib", "lib", "dir:lib"),
        ("./lib/", "lib", "dir:lib"),
        ("./lib[x] ; python_version >= '3'", 'lib[x]; python_version >= "3"', "dir:lib"),
        ("--editable=lib", "lib", "dir:lib"),
        ("file:lib", "lib", "dir:lib"),
        ("demo @ file:lib", "demo", "dir:lib"),
        ("demo @ ./lib", "demo", "dir:lib"),
        ("vendor/demo-1.0-py3-none-any.whl", "demo", "file:vendor/demo-1.0-py3-none-any.whl"),
        (
            "./vendor/demo-1.0-py3-none-any.whl[x]",
            "demo[x]",
            "file:vendor/demo-1.0-py3-none-any.whl",
        ),
        ("vendor/other-2.0.tar.gz", "other", "file:vendor/other-2.0.tar.gz"),
        ("file:vendor/a%20b-1.zip", "a-b-1", "file:vendor/a b-1.zip"),
        ("sub/../vendor/other-2.0.tar.gz", "other", "file:vendor/other-2.0.tar.gz"),
    ],
)
def test_a_path(tmp_path: Path, line: str, requirement: str, location: str) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": APP,
            "lib/setup.py": "",
            "sub/x": "",
            "vendor/demo-1.0-py3-none-any.whl": b"a wheel",
            "vendor/other-2.0.tar.gz": b"an sdist",
            "vendor/a b-1.zip": b"another",
        },
    )
    found = one(tmp_path, line)
    assert str(found.requirement) == requirement
    assert found.direct == Direct(location=location)
    assert (tmp_path.resolve() / location.partition(":")[2]) in read(tmp_path).files


def test_what_lies_outside_the_project_is_named_absolutely(tmp_path: Path) -> None:
    write(tmp_path, {"wheels/demo-1.0.tar.gz": b"x", "app/setup.py": "", "project/x": ""})
    outside = tmp_path.resolve()
    root = outside / "project"
    file = one(root, f"demo @ {(outside / 'wheels/demo-1.0.tar.gz').as_uri()}")
    assert file.direct == Direct(location=f"file:{outside}/wheels/demo-1.0.tar.gz")
    assert one(root, "../app").direct == Direct(location=f"dir:{outside}/app")


def test_a_path_begins_where_it_leads_somewhere(tmp_path: Path) -> None:
    """At the file that names it, else at the project: pip, at the current folder."""
    write(
        tmp_path,
        {
            MAIN: "-r sub/base.txt\n",
            "sub/base.txt": "./near\n./far\n./both\n--find-links wheels\n--find-links sub/wheels\n",
            "sub/near/setup.py": "",
            "far/setup.py": "",
            "sub/both/setup.py": "",
            "both/setup.py": "",
            "sub/wheels/x": "",
        },
    )
    found = read(tmp_path)
    assert [each.direct.location for each in found.asked if each.direct] == [
        "dir:sub/near",
        "dir:far",
        "dir:sub/both",
    ]
    folder = (tmp_path / "sub/wheels").resolve().as_uri()
    assert [each.url for each in found.indexes] == [folder, folder]


def test_the_content_of_what_is_asked_for_is_known(tmp_path: Path) -> None:
    write(
        tmp_path, {MAIN: "./app\n./demo-1.0.tar.gz\n", "app/setup.py": "", "demo-1.0.tar.gz": "x"}
    )
    before = read(tmp_path).files
    write(tmp_path, {"app/new.py": "", "demo-1.0.tar.gz": "y"})
    after = read(tmp_path).files
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed == {"app", "demo-1.0.tar.gz"}


def test_a_constraint_with_an_address(tmp_path: Path) -> None:
    write(tmp_path, {MAIN: "flask\n-c c.txt\n", "c.txt": f"demo[x] @ {HOST}/1.zip\nclick[y]<9\n"})
    address, limit = read(tmp_path).constraints
    assert (str(address.requirement), address.direct) == ("demo", Direct(location=f"{HOST}/1.zip"))
    assert str(limit.requirement) == "click<9"


@pytest.mark.parametrize(
    ("line", "words"),
    [("-e .", "is editable, which a constraint cannot be"), (f"{HOST}/1.zip", "as it names none")],
)
def test_what_can_be_no_constraint(tmp_path: Path, line: str, words: str) -> None:
    write(tmp_path, {MAIN: "flask\n-c c.txt\n", "c.txt": f"{line}\n", "pyproject.toml": APP})
    (error,) = problems(tmp_path)
    assert error.message.startswith('c.txt:1: "')
    assert words in error.message


# --- secrets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "url"),
    [
        (f"https://joe:{PASSWORD}@x.example/demo-1.0.tar.gz", f"{HOST}/demo-1.0.tar.gz"),
        (f"demo @ https://joe:{PASSWORD}@x.example/1.zip", f"{HOST}/1.zip"),
        (f"git+https://joe:{PASSWORD}@x.example/demo.git@main", f"{HOST}/demo.git"),
        (f"-e git+https://joe:{PASSWORD}@x.example/demo.git#egg=demo", f"{HOST}/demo.git"),
    ],
)
def test_credentials_are_kept_apart(tmp_path: Path, line: str, url: str) -> None:
    asked = one(tmp_path, line)
    assert asked.direct is not None
    assert asked.direct.location.removeprefix("git+") == url
    found = read(tmp_path)
    assert found.credentials == {url: ("joe", PASSWORD)}
    assert PASSWORD not in repr(found)
    assert PASSWORD not in repr(asked)


def test_credentials_of_indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDEX_PASSWORD", "p%40ss")
    write(
        tmp_path,
        {
            MAIN: "flask\n-i https://joe:${INDEX_PASSWORD}@x.example/simple/\n"
            "--extra-index-url https://token@y.example/simple\n"
            f"--find-links=https://a:{PASSWORD}@z.example/links.html\n--no-index\n"
        },
    )
    found = read(tmp_path)
    assert [(each.kind, each.url, each.credentials) for each in found.indexes] == [
        ("index-url", "https://x.example/simple", ("joe", "p@ss")),
        ("extra-index-url", "https://y.example/simple", ("token", "")),
        ("find-links", "https://z.example/links.html", ("a", PASSWORD)),
        ("no-index", "", None),
    ]
    assert [each.origin for each in found.indexes] == [f"{MAIN}:{line}" for line in (2, 3, 4, 5)]
    assert PASSWORD not in repr(found)
    assert "p@ss" not in repr(found)


SECRETS = [PASSWORD, "pa/ss/w0rd", "pa#ss#w0rd", "12/34", "pa@ss@w0rd", "pa:ss:w0rd", "pa?ssw0rd"]
LINES = [
    "https://joe:{}@x.example/demo.whl",
    "https://{}@x.example/demo.whl",
    "demo @ https://joe:{}@x.example/demo.whl",
    "demo@https://joe:{}@x.example/demo-1.whl ; nonsense",
    "demo=https://joe:{}@x.example/demo-1.whl",
    "git+https://joe:{}@x.example/demo.git@",
    "-e git+https://joe:{}@x.example/demo.git#subdirectory=../x",
    "-e hg+https://joe:{}@x.example/demo",
    "git+ssh://git:{}@x.example/demo.git",
    "git+https://{}@x.example/demo.git@",
    "git+https://{}@x.example/demo.git@main -C a",
    "git+joe:{}@x.example/demo.git",
    "https:/joe:{}@x.example/demo.whl",
    "joe:{}@x.example/demo.whl",
    "ftp://joe:{}@x.example/demo.whl",
    "--index-url https://joe:{}@x.example:port/simple",
    "--index-url ftp://joe:{}@x.example/simple",
    "--index-url=https://joe:{}@/simple",
    "--extra-index-url https://joe:{}@x.example/simple behind",
    "--find-links joe:{}@x.example/links",
    "--trusted-host https://joe:{}@x.example",
    "--index-urlhttps://joe:{}@x.example/simple",
    "flask --index-url https://joe:{}@x.example/simple",
    "-r https://joe:{}@x.example/r.txt",
    "-r joe:{}@x.example/r.txt",
    "file://joe:{}@x.example/demo.whl",
    "https://joe:{}@x.example/demo-1.0.tar.gz --hash=sha256:1",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("variable", [False, True])
def test_no_message_has_a_secret(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    secret: str,
    variable: bool,
) -> None:
    monkeypatch.setenv("INDEX_AUTH", secret)
    write(tmp_path, {MAIN: line.format("${INDEX_AUTH}" if variable else secret) + "\n"})
    try:
        found = read(tmp_path)
    except WheelhouseError as error:
        errors = error.errors if isinstance(error, SeveralErrors) else (error,)
        text = "".join(f"{each.message} {each.hint} {each!r}" for each in errors)
        text += "".join(traceback.format_exception(error))
    else:
        text = repr(found)
    assert secret not in text


def test_lines_that_have_secrets_are_mostly_refused(tmp_path: Path) -> None:
    """Else the test above would say nothing about messages."""
    for line in LINES:
        write(tmp_path, {MAIN: line.format(PASSWORD) + "\n"})
        problems(tmp_path)


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("https://x.example/${MY_TOKEN}/demo-1.0.tar.gz", "MY_TOKEN"),
        ("https://x.example/demo-1.0.tar.gz?auth=${API_KEY}", "API_KEY"),
        ("--index-url https://x.example/${INDEX_PASSWORD}/simple", "INDEX_PASSWORD"),
        ("demo @ git+https://x.example/demo.git@${GIT_SECRET}", "GIT_SECRET"),
    ],
)
def test_a_secret_does_not_get_into_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, variable: str
) -> None:
    monkeypatch.setenv(variable, PASSWORD)
    write(tmp_path, {MAIN: f"{line}\n"})
    (error,) = problems(tmp_path)
    assert f"takes in {variable} where locks would show it" in error.message
    assert "https://USER:PASSWORD@host" in (error.hint or "")


def test_another_password_is_no_other_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {MAIN: "flask\n-i https://joe:${INDEX_PASSWORD}@x.example/simple\n"})
    digests = set()
    for password in ("one", "two"):
        monkeypatch.setenv("INDEX_PASSWORD", password)
        digests |= set(read(tmp_path).files.values())
    assert len(digests) == 1


@pytest.mark.parametrize(
    "text",
    [
        "flask==3.0",
        "demo @ https://x.example/demo.whl ; python_version < '3'",
        "git+https://x.example/demo.git@main",
        "demo@git+https://x.example/demo.git",
        "-r sub/base.txt",
        "--hash=sha256:abc",
        "git@x.example:org/demo.git",
    ],
)
def test_what_has_no_secret_is_shown_as_it_is(text: str) -> None:
    assert redacted(text) == text
