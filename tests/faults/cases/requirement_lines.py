"""Group 27: requirement lines that cannot be used, and what no index has; each says who asks."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from faults.case import Case
from faults.world import refused, succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faults.world import World

ZEROS = "0" * 64

#: Lines, each with what is said of it. They stand in one file, so all are told at once.
LINES = {
    "--user": "no such option: --user",
    "--pre=5": "--pre option does not take a value",
    "--index-url": "--index-url option requires 1 argument",
    f"--hash=sha256:{ZEROS}": "has --hash, but no requirement",
    "--trusted-host files.example.com": "would leave the certificate of a host unchecked",
    "-e .": "names a folder with neither a pyproject.toml nor a setup.py",
    "a --no-binary a": "has an option that is for the whole file behind a requirement",
    "a==1 --hash=md5:1": "has hashes, but no SHA-256",
    "a==1 --hash=sha256:zz": "has a hash that is no SHA-256",
    "a=1": "a version is pinned by two equals signs",
    "a=>1": "write >= for =>",
    "a b": "cannot be read: expected semicolon",
    "a[": "expected matching RIGHT_BRACKET",
    "a; python_version": "expected marker operator",
    "a\0b": r'"a\x00b" cannot be read',
    "a\x1b[31m": r'"a\x1b[31m" cannot be read',
    "::set-env name=a::b": '": :set-env name=a::b" cannot be read',
    f"a=={'1' * 5000}": "has a number of more than 1000 digits",
    f"a; {'(' * 5000}": "is nested too deeply",
    f"a{'>=1,' * 250_000}": "characters, more than 65,536",
    "https://": "has an address without a host",
    "https://[::1/a-1.0.zip": "has an address that cannot be read",
    "a @ ftp://files.example.com/a-1.0.zip": "has an address of a kind that cannot be used, ftp",
    "svn+https://svn.example.com/a": "git is the only kind that is read",
    "a @ git+https://": "has an address without a host",
    "https://me:s3cr3t@files.example.com/a.whl": "whose file name is not one of a wheel",
    "./nothing": "names a file or folder that is not there",
    f"./{'n' * 300}": "names a file or folder that is not there",
    "b @ file:///nothing/b-1.0.zip": "names a file or folder that is not there",
    "-r ../outside.txt": "names a file that lies outside the project",
    "-r /etc/passwd": "names a file that lies outside the project",
    "-r missing.txt": "names a file that cannot be read: No such file",
    "-c missing.txt": "names a file that cannot be read: No such file",
    "-r pipe": "names a file that cannot be read: it is no regular file",
    "-r folder": "names a file that cannot be read: it is a folder",
    "-r https://example.com/r.txt": "names a file of another machine",
    "${NOT_SET}": "takes in the environment variable NOT_SET, which is not set",
}


def _lines(world: World) -> None:
    world.configure("\n".join(LINES), files={"folder/x": ""})
    os.mkfifo(world.project / "pipe")
    done = refused(world.run("plan", timeout=60), 2)
    told = " ".join(done.err.split()).split("error[config]: ")[1:]
    assert len(told) == len(LINES), done.err[:5000]
    for number, (words, message) in enumerate(zip(LINES.values(), told, strict=True), 1):
        assert message.startswith(f"requirements.txt:{number}: "), (number, message[:300])
        assert words in message or words in done.err, (words, message[:300])
    assert "s3cr3t" not in done.err
    assert "\x1b" not in done.err


#: Files as bytes, with what is said of them.
FILES: dict[str, tuple[bytes, str]] = {
    "Latin-1": (b"a\n# \xe9\n", "requirements.txt: is not UTF-8 (byte 0xe9 in line 2)"),
    "half a character": (b"a\xe2\x82", "is not UTF-8 (byte 0xe2 in line 1)"),
    "nothing": (b"# nothing\n", "requirements.txt: asks for nothing"),
    "a megabyte in one line": (b"a" * (1 << 20), "has 1,048,576 characters, more than 65,536"),
}


def _file(name: str) -> Case:
    content, words = FILES[name]

    def attempt(world: World) -> None:
        world.configure()
        (world.project / "requirements.txt").write_bytes(content)
        refused(world.run("plan", timeout=30), 2, words)

    return Case(group=27, name=f"a file with {name}", attempt=attempt, engine=False, everyday=True)


def _good_ones(world: World) -> None:
    """Marks of UTF-8 and UTF-16, a circle of files, and other line ends are no faults."""
    world.configure(
        "-r other.txt\r\n# a\n", files={"other.txt": "-r requirements.txt\n-r third.txt"}
    )
    (world.project / "third.txt").write_bytes("a b\n".encode("utf-16"))
    refused(world.run("plan", timeout=30), 2, 'third.txt:1: "a b" cannot be read')
    (world.project / "third.txt").write_bytes(b"\xef\xbb\xbfa\rb c\r\n")
    refused(world.run("plan", timeout=30), 2, 'third.txt:2: "b c" cannot be read')


# --- what an index has not -----------------------------------------------------------------------


class Index(LocalIndex):
    """One that says *more* of its files, by their names."""

    def __init__(self, more: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._more = more

    def answer(self, path: str) -> bytes | None:
        content = super().answer(path)
        if content is None or not path.startswith("/simple/"):
            return content
        page = json.loads(content)
        for file in page["files"]:
            file.update(self._more.get(file["filename"], {}))
        return json.dumps(page).encode()


def _index() -> Index:
    index = Index(
        {
            "newer-1.0.tar.gz": {"requires-python": ">=3.14"},
            "gone-1.0.tar.gz": {"yanked": "it was broken"},
        }
    )
    index.add(*(ProjectSdist(name=name) for name in ("demo", "newer", "gone", "plain")))
    index.add(ProjectSdist(name="demo", version="2.0"))
    index.add(ProjectSdist(name="user", requires=("demo>=2",)))
    index.add(ProjectSdist(name="deep", requires=("no-such-thing>1",)))
    index.files["windows"] = {"windows-1.0-cp311-cp311-win_amd64.whl": b""}
    index.files["musl"] = {"musl-1.0-cp311-cp311-musllinux_1_2_x86_64.whl": b""}
    index.files["toonew"] = {"toonew-1.0-cp311-cp311-manylinux_2_39_x86_64.whl": b""}
    return index


#: Lines that no index can answer, with what is said of each. They are told at once.
UNANSWERED = {
    "no-such-project": "asks for no-such-project, and there is no project of that name",
    "plain==9": "asks for plain==9, and there is no such version",
    "newer": "asks for newer, but newer 1.0 requires Python >=3.14; this target has 3.11",
    "gone": "asks for gone, but gone 1.0 was withdrawn (yanked) by its maintainers",
    "windows": "windows 1.0 has wheels for win_amd64 only and no sdist",
    "musl": "musl 1.0 has wheels for musllinux_1_2_x86_64 only and no sdist",
    "toonew": "toonew 1.0 has wheels for manylinux_2_39_x86_64 only and no sdist",
}


def _unanswered(world: World) -> None:
    with serving(_index()) as index:
        world.configure("\n".join(UNANSWERED), index=index.url)
        done = refused(world.run("plan"), 3, *UNANSWERED.values())
    for number in range(1, len(UNANSWERED) + 1):
        assert f"requirements.txt:{number} asks for" in done.err, done.err


#: Projects of lines that contradict one another, or the index, and what is said.
CONTRADICTIONS = {
    "two pins": (
        "demo==1.0\ndemo==2.0\n",
        "requirements.txt:1 asks for demo==1.0, but requirements.txt:2 asks for demo==2.0",
    ),
    "a pin and a dependency": (
        "user\ndemo<2\n",
        "requirements.txt:2 asks for demo<2, but user 1.0 (requirements.txt:1) requires demo>=2",
    ),
    "a dependency that does not exist": (
        "deep\n",
        "deep 1.0 (requirements.txt:1) requires no-such-thing>1, and there is no project",
    ),
    "hashes of other files": (
        f"demo==1.0 --hash=sha256:{ZEROS}\n",
        "requirements.txt:1: none of the files that the index has for demo==1.0 has a hash",
    ),
    "a local version": ("demo==1.0+cu1\n", "asks for demo==1.0+cu1, and there is no such version"),
    "a text instead of a version": ("demo===one\n", "'demo===one' wants what is no version"),
}


def _contradiction(name: str) -> Case:
    lines, words = CONTRADICTIONS[name]

    def attempt(world: World) -> None:
        with serving(_index()) as index:
            world.configure(lines, index=index.url)
            refused(world.run("plan"), 3, words)

    return Case(group=27, name=name, attempt=attempt)


def _yanked_pin(world: World) -> None:
    """What is pinned exactly is built, with a warning."""
    with serving(_index()) as index:
        world.configure("gone==1.0\n", index=index.url)
        done = succeeded(world.run("lock", "--plain"))
    assert "gone 1.0 was withdrawn (yanked) by its maintainers: it was broken" in done.err


CASES = [
    Case(
        group=27,
        name="each line that cannot be used, at once",
        attempt=_lines,
        engine=False,
        everyday=True,
    ),
    *(_file(name) for name in FILES),
    Case(
        group=27,
        name="marks of encodings, circles and line ends",
        attempt=_good_ones,
        engine=False,
        everyday=True,
    ),
    Case(group=27, name="what no index has, at once", attempt=_unanswered, everyday=True),
    *(_contradiction(name) for name in CONTRADICTIONS),
    Case(group=27, name="a pin that is yanked", attempt=_yanked_pin),
]
