"""Requirements files: everything they may say, everything they may not, and who said it."""

from __future__ import annotations

import codecs
import hashlib
from typing import TYPE_CHECKING

import pytest
from lockingfactory import sha
from packaging.utils import canonicalize_name

from wheelhouse.errors import ConfigError, SeveralErrors
from wheelhouse.inputs import read_inputs
from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheelhouse.inputs.model import Requirements

MAIN = "requirements.txt"


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def read(root: Path, *files: str) -> Requirements:
    return read_inputs(root, [InputFile(path=root / name) for name in files or (MAIN,)])


def asked(
    root: Path, text: str | bytes, more: Mapping[str, str | bytes] | None = None
) -> list[str]:
    write(root, {MAIN: text, **(more or {})})
    return [str(each.requirement) for each in read(root).asked]


def refusals(root: Path, text: str | bytes) -> list[str]:
    write(root, {MAIN: text})
    with pytest.raises((ConfigError, SeveralErrors)) as told:
        read(root)
    error = told.value
    found = error.errors if isinstance(error, SeveralErrors) else (error,)
    assert all(isinstance(each, ConfigError) for each in found)
    return [each.message for each in found]


# --- lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("flask", "flask"),
        ("Flask==3.0", "Flask==3.0"),
        ("  flask  ", "flask"),
        ("flask >=2,<4  # a comment", "flask<4,>=2"),
        ("flask[async,dotenv]==3.0", "flask[async,dotenv]==3.0"),
        ("flask ; python_version < '3.12'", 'flask; python_version < "3.12"'),
        ("flask~=3.0;sys_platform=='linux'", 'flask~=3.0; sys_platform == "linux"'),
        ("flask==3.*", "flask==3.*"),
        ("flask===3.0", "flask===3.0"),
        ("torch==2.3+cu118", "torch==2.3+cu118"),
        ("zope.interface", "zope.interface"),
        ("a_b-c.d==1!2.0", "a_b-c.d==1!2.0"),
        ("flask \\\n  ==3.0", "flask==3.0"),
        ("\ufeffflask", "flask"),
        ("flask(>=2)", "flask>=2"),
        ("flask\r\n", "flask"),
    ],
)
def test_a_line(tmp_path: Path, line: str, meant: str) -> None:
    assert asked(tmp_path, line) == [meant]


def test_comments_and_empty_lines_say_nothing(tmp_path: Path) -> None:
    text = "# a comment\n\n   \nflask\n  # indented\nclick # trailing\n"
    assert asked(tmp_path, text) == ["flask", "click"]


def test_each_requirement_knows_its_line(tmp_path: Path) -> None:
    write(tmp_path, {MAIN: "# one\nflask\n\nclick \\\n  >=8\njinja2\n"})
    found = read(tmp_path)
    assert [each.origin for each in found.asked] == [f"{MAIN}:2", f"{MAIN}:4", f"{MAIN}:6"]
    assert [each.origin for each in found.asked if each.name == "flask"] == [f"{MAIN}:2"]
    assert found.asked[2].name == "jinja2"


def test_the_same_name_twice_is_for_the_resolver(tmp_path: Path) -> None:
    assert asked(tmp_path, "flask>=2\nflask<4\nflask>=2\n") == ["flask>=2", "flask<4", "flask>=2"]


def test_prereleases(tmp_path: Path) -> None:
    write(tmp_path, {MAIN: "--pre\nflask\n"})
    assert read(tmp_path).prereleases
    write(tmp_path, {MAIN: "flask\n"})
    assert not read(tmp_path).prereleases


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("${WANTED}==1", "flask==1"),
        ("demo==${VERSION}", "demo==2.0"),
        ("demo==${VERSION}${VERSION_2}", "demo==2.01"),
    ],
)
def test_variables_stand_for_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, meant: str
) -> None:
    monkeypatch.setenv("WANTED", "flask")
    monkeypatch.setenv("VERSION", "2.0")
    monkeypatch.setenv("VERSION_2", "1")
    assert asked(tmp_path, line) == [meant]
    assert set(read(tmp_path).variables) <= {"WANTED", "VERSION", "VERSION_2"}
    assert read(tmp_path).variables


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("WANTED", raising=False)
    if value is not None:
        monkeypatch.setenv("WANTED", value)
    (message,) = refusals(tmp_path, "fine\n${WANTED}\n")
    assert message.startswith(f'{MAIN}:2: "${{WANTED}}" takes in the environment variable WANTED')


@pytest.mark.parametrize("line", ["$WANTED", "${wanted}", "demo==${wanted}", "%WANTED%"])
def test_only_one_form_is_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("WANTED", "flask")
    monkeypatch.setenv("wanted", "1")
    assert "cannot be read" in refusals(tmp_path, line)[0]


def test_another_value_of_a_variable_is_another_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {MAIN: "demo==${VERSION}\n"})
    digests: list[str] = []
    for value in ("1", "2", "1"):
        monkeypatch.setenv("VERSION", value)
        digests += read(tmp_path).files.values()
    assert digests[0] == digests[2] != digests[1]


# --- hashes -----------------------------------------------------------------------------------


def test_hashes_restrict_a_project(tmp_path: Path) -> None:
    one, two, three = sha("1"), sha("2"), sha("3")
    write(
        tmp_path,
        {
            MAIN: f"flask==3.0 \\\n    --hash=sha256:{one} \\\n    --hash=sha256:{two.upper()}\n"
            "click\n-c more.txt\n",
            "more.txt": f"flask --hash=sha256:{three}\n",
        },
    )
    found = read(tmp_path)
    assert found.asked[0].hashes == {one, two}
    assert found.hashes(canonicalize_name("Flask")) == {one, two, three}
    assert found.hashes(canonicalize_name("click")) == frozenset()


def test_hashes_of_another_kind_are_refused_unless_beside_a_sha256(tmp_path: Path) -> None:
    (message,) = refusals(tmp_path, f"flask==1 --hash=sha512:{'a' * 128}\n")
    assert message == (
        f'{MAIN}:1: "flask==1 --hash=sha512:{"a" * 34}..." has hashes, but no SHA-256'
    )
    mixed = f"flask==1 --hash=sha512:{'a' * 128} --hash=sha256:{sha('1')}\n"
    assert asked(tmp_path, mixed) == ["flask==1"]


@pytest.mark.parametrize("digest", ["abc", "z" * 64, sha("1")[:-1], ""])
def test_what_is_no_hash_is_refused(tmp_path: Path, digest: str) -> None:
    (message,) = refusals(tmp_path, f"flask==1 --hash=sha256:{digest}\n")
    assert message.startswith(f"{MAIN}:1: ")


# --- other files ------------------------------------------------------------------------------


def test_nested_files_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    more = {
        "sub/base.txt": "click\n-r deeper/last.txt\n-r ../top.txt\n",
        "sub/deeper/last.txt": "jinja2\n",
        "top.txt": "werkzeug\n",
    }
    assert asked(tmp_path, "flask\n-r sub/base.txt\n", more) == [
        "flask",
        "click",
        "jinja2",
        "werkzeug",
    ]
    found = read(tmp_path)
    assert [each.origin for each in found.asked][2] == "sub/deeper/last.txt:1"


def test_constraints_ask_for_nothing(tmp_path: Path) -> None:
    write(
        tmp_path, {MAIN: "flask\n-c c.txt\n", "c.txt": "click<9\n-c more.txt\n", "more.txt": "x\n"}
    )
    found = read(tmp_path)
    assert [str(each.requirement) for each in found.asked] == ["flask"]
    assert [str(each.requirement) for each in found.constraints] == ["click<9", "x"]
    assert found.constraints[0].origin == "c.txt:1"


def test_what_a_constraints_file_requires_is_required(tmp_path: Path) -> None:
    """As pip has it: what follows `-r` is wanted, wherever that stands."""
    more = {"c.txt": "click<9\n-r more.txt\n-c deep.txt\n", "more.txt": "x\n", "deep.txt": "y<2\n"}
    assert asked(tmp_path, "flask\n-c c.txt\n", more) == ["flask", "x"]
    assert [str(each.requirement) for each in read(tmp_path).constraints] == ["click<9", "y<2"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_can_be_both_requirements_and_constraints(tmp_path: Path, order: int) -> None:
    lines = ["-c both.txt", "-r both.txt"][::order]
    write(tmp_path, {MAIN: "\n".join(lines), "both.txt": "flask==3.0\n"})
    found = read(tmp_path)
    assert [str(each.requirement) for each in found.asked] == ["flask==3.0"]
    assert [str(each.requirement) for each in found.constraints] == ["flask==3.0"]


def test_files_that_name_each_other_are_read_once(tmp_path: Path) -> None:
    more = {"a.txt": "click\n-r b.txt\n", "b.txt": "jinja2\n-r a.txt\n-r requirements.txt\n"}
    assert asked(tmp_path, "flask\n-r a.txt\n-r a.txt\n", more) == ["flask", "click", "jinja2"]


def test_several_files(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "flask\n", "b.txt": "click\n-r a.txt\n"})
    found = read(tmp_path, "a.txt", "b.txt")
    assert [each.origin for each in found.asked] == ["a.txt:1", "b.txt:1"]


def test_all_files_are_known_by_their_hash(tmp_path: Path) -> None:
    write(tmp_path, {MAIN: "flask\n-c c.txt\n", "c.txt": "click<9\n"})
    root = tmp_path.resolve()
    assert read(tmp_path).files == {
        root / MAIN: hashlib.sha256(b"flask\n-c c.txt\n").hexdigest(),
        root / "c.txt": hashlib.sha256(b"click<9\n").hexdigest(),
    }


def test_folders_with_strange_names(tmp_path: Path) -> None:
    root = tmp_path / "my projects ü"
    write(root, {MAIN: "-r 'sub dir/base.txt'\n", "sub dir/base.txt": "flask\n"})
    assert [str(each.requirement) for each in read(root).asked] == ["flask"]


def test_a_file_url_of_a_nested_file(tmp_path: Path) -> None:
    assert asked(tmp_path, f"-r {(tmp_path / 'b.txt').as_uri()}", {"b.txt": "flask"}) == ["flask"]


@pytest.mark.parametrize("line", ["-r ../outside.txt", "-c ../outside.txt", "-r /etc/hostname"])
def test_what_lies_outside_the_project_is_not_read(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"outside.txt": "secret\n"})
    root = tmp_path / "project"
    root.mkdir()
    (message,) = refusals(root, f"flask\n{line}\n")
    assert message.startswith(f"{MAIN}:2: ")
    assert "outside the project" in message
    assert "secret" not in message


def test_a_link_does_not_lead_outside(tmp_path: Path) -> None:
    write(tmp_path, {"outside.txt": "secret\n", "project/x": ""})
    (tmp_path / "project/link.txt").symlink_to(tmp_path / "outside.txt")
    (message,) = refusals(tmp_path / "project", "-r link.txt\n")
    assert "outside the project" in message


def test_a_link_inside_is_followed(tmp_path: Path) -> None:
    write(tmp_path, {"real/base.txt": "flask\n"})
    (tmp_path / "link.txt").symlink_to("real/base.txt")
    assert asked(tmp_path, "-r link.txt\n") == ["flask"]


def test_a_project_reached_by_a_link(tmp_path: Path) -> None:
    write(tmp_path, {f"real/{MAIN}": "flask\n"})
    (tmp_path / "link").symlink_to("real")
    assert [each.origin for each in read(tmp_path / "link").asked] == [f"{MAIN}:1"]


@pytest.mark.parametrize(
    "line", ["-r missing.txt", "-r .", "-r https://x.example/r.txt", "-r x\0y"]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, line: str) -> None:
    (message,) = refusals(tmp_path, f"flask\n{line}\n")
    assert message.startswith(f"{MAIN}:2: ")


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (message,) = refusals(tmp_path, "-r loop.txt\n")
    assert message.startswith(f'{MAIN}:1: "-r loop.txt" names a file that cannot be read')


# --- what cannot be used ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-e .", "neither a pyproject.toml nor a setup.py"),
        ("-e flask", "names a file or folder that is not there"),
        ("./local", "names a file or folder that is not there"),
        ("./demo-1.0-py3-none-any.whl", "is not there"),
        ("demo-1.0.tar.gz", "is not there"),
        ("demo @ ./nowhere", "is not there"),
        ("demo @ file:///nowhere/demo-1.0.tar.gz", "is not there"),
        ("file://vendor/demo-1.0.tar.gz", "names a host in a file: URL"),
        (f"./{MAIN}", "neither a wheel nor an archive"),
        ("hg+https://x.example/demo@1", "is in a Mercurial repository; git is the only kind"),
        ("-e svn+ssh://x.example/demo#egg=demo", "is in a Subversion repository"),
        ("git+git@x.example:org/demo.git", "a repository that cannot be read"),
        ("https://x.example/org/demo.git", "has the address of a repository"),
        ("ssh://git@x.example/demo.git", "of a kind that cannot be used, ssh"),
        ("git+https://x.example/demo.git@", "names no revision behind the @"),
        ("git+https://x.example/demo.git@--upload-pack=x", "names no revision"),
        ("git+https:///demo.git", "has an address without a host"),
        ("git+https://x.example/demo.git#subdirectory=../../etc", "a subdirectory outside"),
        ("git+https://x.example/demo.git#egg=!", "has an #egg= that names no project"),
        ("git+https://x.example/demo.git --hash=sha256:" + "a" * 64, "folder or repository"),
        ("other @ https://x.example/demo-1.0-py3-none-any.whl", "of another project, demo"),
        ("https://x.example/demo.whl", "names a wheel whose file name is not one"),
        ("https://x.example/demo-1.0.tar.gz#sha256=abc", "has a hash that is no SHA-256"),
        ("https://x.example/demo-1.0.tar.gz#md5=" + "a" * 32, "that is not SHA-256"),
        ("https://x.example/demo-1.0.tar.gz ; nonsense", "a marker that cannot be read"),
        ("--index-url x.example/simple", "is not there"),
        ("--index-url ftp://x.example/simple", "names an index that is not at http"),
        ("--find-links ./wheels", "is not there"),
        ("--trusted-host x.example", "would leave the certificate of a host unchecked"),
        ("--all-releases demo", "says for single packages which releases may be used"),
        ("--index-url https://x.example/simple flask", "behind its options is no option"),
        ("flask --pre", "an option that is for the whole file behind a requirement"),
        ("flask --no-binary flask", "an option that is for the whole file"),
        ("--hash=sha256:" + "a" * 64, "has --hash, but no requirement"),
        ("-C a=b", "has --config-settings, but no requirement"),
        ("flask -C nonsense", "has a config setting that cannot be read"),
        ("flask --global-option=--x", "has --global-option, which only old builds"),
        ("https://x.example/demo.zip -C a=b", "names no project that they are for"),
        ("-e . -e .", "names several requirements"),
        ("-r a.txt -r b.txt", "includes several files"),
        ("-r a.txt -c b.txt", "includes several files"),
        ("-r https://x.example/r.txt", "names a file of another machine"),
        ("flask --install-option=x", "no such option: --install-option"),
        ("--what-is-this", "cannot be read: no such option: --what-is-this"),
        ("--no", "ambiguous option: --no"),
        ("--index-url", "requires 1 argument"),
        ("--no-binary --pre", "requires 1 argument"),
        ("-r 'open", "a quote in it is not closed"),
        ("flask==", "cannot be read"),
        ("flask=3.0", "cannot be read"),
        ("flask==3.0 click", "cannot be read"),
        ("flask; python_version", "cannot be read"),
        ("flask; nonsense == '1'", "cannot be read"),
        ("flask>=2.*", "cannot be read"),
        ("pytz==2004d", "cannot be read"),
        ("pytz==dev-version", "cannot be read"),
        ("flask[", "cannot be read"),
        ("!!", "cannot be read"),
        ("flask\0", "cannot be read"),
    ],
)
def test_a_line_that_cannot_be_used(tmp_path: Path, line: str, words: str) -> None:
    messages = refusals(tmp_path, f"# first\nfine\n{line}\n")
    assert len(messages) == 1
    assert messages[0].startswith(f"{MAIN}:3: ")
    assert words in messages[0]


def test_all_lines_that_cannot_be_used_are_told_in_order(tmp_path: Path) -> None:
    lines = [f"bad{number}==" if number % 2 else "-e ." for number in range(1, 13)]
    messages = refusals(tmp_path, "\n".join([*lines, "--no-way", "-r missing.txt", "fine"]))
    assert [int(message.split(":")[1]) for message in messages] == list(range(1, 15))


def test_errors_of_several_files_are_told_by_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "x==\n", "b.txt": "-e .\ny==\n-r a.txt\n"})
    with pytest.raises(SeveralErrors) as told:
        read(tmp_path, "b.txt", "a.txt")
    places = [":".join(error.message.split(":")[:2]) for error in told.value.errors]
    assert places == ["a.txt:1", "b.txt:1", "b.txt:2"]


@pytest.mark.parametrize("content", ["flask # café".encode("latin-1"), b"\x80", b"# x\nfl\xe9sk\n"])
def test_what_is_not_utf8_is_told(tmp_path: Path, content: bytes) -> None:
    (message,) = refusals(tmp_path, content)
    assert message.startswith(f"{MAIN}: is not UTF-8 (byte 0x")


@pytest.mark.parametrize(
    "content",
    [
        b"# -*- coding: latin-1 -*-\nflask # caf\xe9\n",
        b"# one\n# vim: set fileencoding=latin-1 :\nflask # caf\xe9\n",
        "flask # café\r\n".encode("utf-16"),  # how PowerShell writes the output of `pip freeze`
        codecs.BOM_UTF16_BE + "flask\n".encode("utf-16-be"),
        "flask # café".encode("utf-32"),
        "flask # café".encode("utf-8-sig"),
    ],
)
def test_other_encodings_that_say_so(tmp_path: Path, content: bytes) -> None:
    assert asked(tmp_path, content) == ["flask"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"# -*- coding: klingon -*-\nflask\n", "is said to be in an encoding that there is not"),
        (b"# coding: ascii\nflask # caf\xe9\n", 'is not in the encoding "ascii"'),
        (codecs.BOM_UTF16_LE + b"f\0l", 'is not in the encoding "utf-16-le"'),
    ],
)
def test_an_encoding_that_is_not_what_it_says(tmp_path: Path, content: bytes, words: str) -> None:
    (message,) = refusals(tmp_path, content)
    assert message.startswith(f"{MAIN}: {words}")


@pytest.mark.parametrize("text", ["", "# nothing\n", "-c c.txt\n", "--pre\n"])
def test_nothing_asked_for(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"c.txt": "flask\n"})
    (message,) = refusals(tmp_path, text)
    assert message == f"{MAIN}: asks for nothing"


def test_a_line_that_rewrites_the_terminal_is_shown_harmlessly(tmp_path: Path) -> None:
    (message,) = refusals(tmp_path, "\x1b[2Jflask==\n")
    assert "\x1b" not in message


def test_a_long_line(tmp_path: Path) -> None:
    (message,) = refusals(tmp_path, "x" * 100_000 + "==\n")
    assert len(message) < 1000
