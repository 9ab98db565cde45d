"""Repositories: which commit is meant, and that commit packed, over file:// and real HTTP."""

from __future__ import annotations

import io
import os
import shutil
import socket
import tarfile
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gitfactory import ENVIRONMENT, GitServer, commit, git, repository, serving, write

from wheelhouse.credentials import Credentials
from wheelhouse.errors import FetchError, InterruptedRunError
from wheelhouse.inputs.model import Direct
from wheelhouse.sources import Elsewhere
from wheelhouse.sources import git as sources_git
from wheelhouse.sources.gitcommand import Git
from wheelhouse.sources.tree import pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)


class Bench:
    """An :class:`Elsewhere` in *folder*, and what it leaves and tells."""

    def __init__(self, folder: Path, extra: Mapping[str, tuple[str, str]] | None = None) -> None:
        self.told: list[str] = []
        self.folder = folder
        self.stopped = threading.Event()
        self.elsewhere = Elsewhere(
            folder,
            self._check,
            Credentials((), extra or {}),
            workspace=self._workspace,
            tell=self.told.append,
        )

    def _check(self) -> None:
        if self.stopped.is_set():
            raise InterruptedRunError("stopped")

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="workspace-", dir=self.folder) as folder:
            yield Path(folder)
        assert not list(self.folder.glob("workspace-*/shallow"))

    def pin(self, location: str, revision: str = "", subdirectory: str = "") -> str:
        return self.elsewhere.pin(
            Direct(location=location, revision=revision, subdirectory=subdirectory)
        )

    def files(self, location: str) -> dict[str, str]:
        data = b"".join(self.elsewhere(location))
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            return {
                each.name.removeprefix("source/"): _content(tar, each) for each in tar.getmembers()
            }

    def refusal(self, location: str, revision: str = "") -> FetchError:
        with pytest.raises(FetchError) as told:
            self.files(self.pin(location, revision))
        assert told.value.hint
        assert not list(self.folder.glob("workspace-*"))
        return told.value


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if member.issym():
        return f"-> {member.linkname}"
    file = tar.extractfile(member)
    assert file is not None
    return file.read().decode()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return repository(tmp_path / "served/demo", {"a.py": "one"})


@pytest.fixture
def server(tmp_path: Path, demo: Path) -> Iterator[GitServer]:
    with serving(GitServer(demo.parent)) as found:
        yield found


def head(folder: Path, name: str = "HEAD") -> str:
    return git(folder, "rev-parse", name)


# --- which commit -----------------------------------------------------------------------------


def test_every_way_to_name_a_commit(bench: Bench, demo: Path) -> None:
    first = head(demo)
    git(demo, "tag", "light")
    git(demo, "tag", "-a", "v1.0", "-m", "annotated")
    git(demo, "branch", "feature/x")
    second = commit(demo, {"a.py": "two"})
    place = f"git+file://{demo}"
    for revision, meant in [
        ("", second),
        ("main", second),
        ("refs/heads/main", second),
        ("feature/x", first),
        ("light", first),
        ("v1.0", first),
        ("refs/tags/v1.0", first),
        (second[:8], second),
        (first[:7], first),
        (first, first),
        (first.upper(), first),
    ]:
        assert bench.pin(place, revision) == f"{place}@{meant}", revision


def test_an_old_commit_by_its_first_digits(bench: Bench, demo: Path) -> None:
    old = commit(demo, {"a.py": "two"})
    commit(demo, {"a.py": "three"})
    place = f"git+file://{demo}"
    assert bench.pin(place, old[:9], "sub/") == f"{place}@{old}#subdirectory=sub"


def test_one_run_means_one_commit(bench: Bench, demo: Path) -> None:
    place = f"git+file://{demo}"
    before = bench.pin(place, "main")
    commit(demo, {"a.py": "two"})
    assert bench.pin(place, "main") == before
    assert Bench(bench.folder).pin(place, "main") != before


def test_what_is_no_repository_s_is_pinned_as_it_is(bench: Bench) -> None:
    assert bench.pin("dir:app", subdirectory="x") == "dir:app#subdirectory=x"
    assert bench.pin("https://h/d.zip") == "https://h/d.zip"
    assert "only git is supported" in bench.refusal("hg+https://h/d").message


def test_a_revision_that_is_not_there(bench: Bench, demo: Path) -> None:
    git(demo, "branch", "feature/login")
    told = bench.refusal(f"git+file://{demo}", "feature/logn")
    assert told.message == f"git+file://{demo} has no branch, tag or commit feature/logn"
    assert told.hint == "did you mean feature/login?"
    assert "deadbee" in bench.refusal(f"git+file://{demo}", "deadbee").message
    assert "is not there (any more)" in bench.refusal(f"git+file://{demo}", "d" * 40).message


def same_beginning(folder: Path) -> str:
    """Four digits with which two commits begin: among 700 of them, that is all but sure."""
    lines = [
        f"commit refs/heads/many\ncommitter A <a@example.org> {number} +0000\ndata 0\n"
        for number in range(700)
    ]
    feed = folder.parent / "feed"
    feed.write_text("\n".join(lines))
    with feed.open() as file:
        git(folder, "fast-import", "--quiet", stdin=file)
    found = Counter(each[:4] for each in git(folder, "rev-list", "many").split())
    return found.most_common(1)[0][0]


def test_several_commits_with_the_same_digits(bench: Bench, demo: Path) -> None:
    short = same_beginning(demo)
    commit(demo, {"a.py": "tip"})
    told = bench.refusal(f"git+file://{demo}", short)
    assert told.message.endswith(f"has several commits that begin with {short}")


def test_an_empty_repository(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    assert "has no default branch" in bench.refusal(f"git+file://{tmp_path}/empty").message


# --- packed -----------------------------------------------------------------------------------


def test_the_tree_of_just_that_commit(bench: Bench, demo: Path) -> None:
    (demo / "run.sh").write_text("x")
    (demo / "run.sh").chmod(0o755)
    (demo / "link").symlink_to("run.sh")
    location = f"git+file://{demo}@{commit(demo, {'sub/b.py': 'b', 'empty.py': ''})}"
    expected = b"".join(pack(demo))
    commit(demo, {"a.py": "later"})
    assert b"".join(bench.elsewhere(location)) == expected
    assert bench.files(location)["link"] == "-> run.sh"
    assert not list(bench.folder.glob("workspace-*"))


def test_a_branch_s_commit_is_had_after_the_branch_has_moved_on(bench: Bench, demo: Path) -> None:
    location = bench.pin(f"git+file://{demo}", "main")
    git(demo, "commit", "--quiet", "--amend", "--message=another")
    git(demo, "branch", "keep", location.rpartition("@")[2])
    assert bench.files(location)["a.py"] == "one"


def test_a_commit_that_was_pushed_away_is_told(bench: Bench, demo: Path) -> None:
    location = bench.pin(f"git+file://{demo}", "main")
    git(demo, "commit", "--quiet", "--amend", "--message=another")
    git(demo, "reflog", "expire", "--expire=now", "--all")
    git(demo, "gc", "--quiet", "--prune=now")
    with pytest.raises(FetchError, match="is not there"):
        bench.files(location)


def test_attributes_and_filters_of_the_repository_do_nothing(bench: Bench, demo: Path) -> None:
    attributes = "*.txt export-ignore\n*.py text eol=crlf ident\nv.py export-subst\n*.c filter=x\n"
    files = {
        ".gitattributes": attributes,
        "a.txt": "a",
        "b.py": "$Id$\n",
        "v.py": "$Format:%H$",
        "c.c": "c",
    }
    location = f"git+file://{demo}@{commit(demo, files)}"
    found = bench.files(location)
    assert {name: found[name] for name in files} == files


def test_a_tree_without_end_is_refused(
    bench: Bench, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few objects, and ten to the power of nine files."""
    monkeypatch.setattr(sources_git, "MAX_LISTING", 1 << 20)
    entry = f"100644 blob {git(demo, 'rev-parse', 'HEAD:pyproject.toml')}\tf"
    for _ in range(9):
        listing = "\n".join(f"{entry}{number}" for number in range(10))
        (demo.parent / "listing").write_text(f"{listing}\n")
        with (demo.parent / "listing").open() as file:
            entry = f"040000 tree {git(demo, 'mktree', stdin=file)}\td"
    tree = entry.split()[2].partition("\t")[0]
    made = git(demo, "commit-tree", tree, "-m", "bomb")
    git(demo, "update-ref", "refs/heads/bomb", made)
    said = bench.refusal(f"git+file://{demo}", "bomb").message
    assert "has more files than a source may have" in said


def test_a_link_that_is_a_file_is_refused(bench: Bench, demo: Path) -> None:
    (demo.parent / "long").write_text("x" * 5000)
    written = git(demo, "hash-object", "-w", str(demo.parent / "long"))
    git(demo, "update-index", "--add", "--cacheinfo", f"120000,{written},link")
    git(demo, "commit", "--quiet", "--message=link")
    assert "is a link that leads nowhere" in bench.refusal(f"git+file://{demo}").message


def test_a_subdirectory_comes_with_its_repository(bench: Bench, demo: Path) -> None:
    commit(demo, {"pkg/setup.py": "x"})
    location = bench.pin(f"git+file://{demo}", subdirectory="pkg")
    assert {"a.py", "pkg/setup.py"} < bench.files(location).keys()
    with pytest.raises(FetchError, match="other is no Python project"):
        bench.files(location.replace("=pkg", "=other"))


def test_a_repository_with_sha256(bench: Bench, tmp_path: Path) -> None:
    folder = repository(tmp_path / "new", {"a.py": "x"}, kind="sha256")
    first = head(folder)
    commit(folder, {"a.py": "y"})
    place = f"git+file://{folder}"
    assert bench.pin(place, first[:8]) == f"{place}@{first}"
    assert bench.files(f"{place}@{first}")["a.py"] == "x"
    assert bench.files(bench.pin(place))["a.py"] == "y"


def test_files_of_lfs_stay_pointers_and_that_is_told(bench: Bench, demo: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"
    write(demo, {"model.bin": pointer})
    git(demo, "-c", "filter.lfs.clean=cat", "add", "--all")
    git(demo, "commit", "--quiet", "--message=lfs")
    assert bench.files(bench.pin(f"git+file://{demo}"))["model.bin"] == pointer
    (told,) = bench.told
    assert "1 of its files are in Git LFS" in told


def test_many_files_are_packed_in_one_go(bench: Bench, demo: Path) -> None:
    files = {f"f{number:04}.py": f"{number}" * number for number in range(600)}
    location = f"git+file://{demo}@{commit(demo, files)}"
    found = bench.files(location)
    assert {name: found[name] for name in files} == files


def test_it_can_be_stopped_while_packing(bench: Bench, demo: Path) -> None:
    chunks = bench.elsewhere(bench.pin(f"git+file://{demo}"))
    next(chunks)
    bench.stopped.set()
    with pytest.raises(InterruptedRunError):
        list(chunks)
    assert not list(bench.folder.glob("workspace-*"))


def test_a_version_out_of_the_history(bench: Bench, server: GitServer, demo: Path) -> None:
    git(demo, "tag", "-a", "v1.0", "-m", "annotated")
    scm = {"pyproject.toml": '[build-system]\nrequires = ["setuptools-scm"]\n'}
    location = f"git+{server.url}/demo/.git@{commit(demo, scm)}"
    expected = b"".join(pack(demo))
    commit(demo, {"a.py": "later"})
    git(demo, "tag", "v2.0")
    assert b"".join(bench.elsewhere(location)) == expected
    assert "describe-name: v1.0-1-g" in bench.files(location)[".git_archival.txt"]


# --- submodules -------------------------------------------------------------------------------


def with_module(demo: Path, library: Path, url: str) -> str:
    git(demo, "submodule", "--quiet", "add", str(library), "vendor/library")
    git(demo, "config", "--file=.gitmodules", "submodule.vendor/library.url", url)
    return commit(demo, {})


def test_submodules_at_their_commits_and_theirs(bench: Bench, demo: Path) -> None:
    with serving(GitServer(demo.parent)) as server:
        inner = repository(demo.parent / "inner", {"i.c": "i"})
        library = repository(demo.parent / "library", {"l.c": "l"})
        with_module(library, inner, f"{server.url}/inner/.git")
        with_module(demo, library, "../../library/.git")
        commit(library, {"l.c": "later"})
        found = bench.files(bench.pin(f"git+{server.url}/demo/.git"))
    assert found["vendor/library/l.c"] == "l"
    assert found["vendor/library/vendor/library/i.c"] == "i"


@pytest.mark.parametrize("url", ["../library", "file:///library", "/library", "ext::sh -c x", ""])
def test_submodules_of_this_machine_are_none(bench: Bench, demo: Path, url: str) -> None:
    library = repository(demo.parent / "library", {"l.c": "l"})
    location = f"git+file://{demo}@{with_module(demo, library, url)}"
    with pytest.raises(FetchError, match="its submodule vendor/library cannot be had"):
        bench.files(location)


# --- servers ----------------------------------------------------------------------------------


def test_over_http(bench: Bench, server: GitServer, demo: Path) -> None:
    first = head(demo)
    commit(demo, {"a.py": "two"})
    place = f"git+{server.url}/demo/.git"
    assert bench.pin(place, first[:7]) == f"{place}@{first}"
    assert bench.files(f"{place}@{first}")["a.py"] == "one"
    assert bench.files(bench.pin(place))["a.py"] == "two"


def test_the_same_commit_gives_the_same_bytes_however_it_is_had(
    bench: Bench, server: GitServer, demo: Path
) -> None:
    commit_ = head(demo)
    over_http = b"".join(bench.elsewhere(f"git+{server.url}/demo/.git@{commit_}"))
    assert b"".join(bench.elsewhere(f"git+file://{demo}@{commit_}")) == over_http


def test_a_password_is_given_and_stands_nowhere(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.password = PASSWORD
    url = f"{server.url}/demo/.git"
    bench = Bench(tmp_path, {url: ("me", PASSWORD)})
    seen = _arguments_of_git(tmp_path, monkeypatch)
    assert bench.files(bench.pin(f"git+{url}", "main"))["a.py"] == "one"
    assert "http" in seen.read_text()
    assert PASSWORD not in seen.read_text()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def _arguments_of_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that gets the arguments of each git from now on, and the files that it leaves."""
    real = shutil.which("git")
    (folder / "bin").mkdir()
    wrapper, seen = folder / "bin/git", folder / "seen"
    wrapper.write_text(
        f'#!/bin/sh\necho "$@" >>{seen}\n{real} "$@"\nstatus=$?\n'
        f"cat config FETCH_HEAD logs/* >>{seen} 2>/dev/null\nexit $status\n"
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    return seen


@pytest.mark.parametrize("extra", [None, ("me", "wrong-one-two-three")])
def test_a_refused_password_is_told_without_it(
    tmp_path: Path, server: GitServer, extra: tuple[str, str] | None
) -> None:
    server.password = PASSWORD
    url = f"{server.url}/demo/.git"
    told = Bench(tmp_path, {url: extra} if extra else {}).refusal(f"git+{url}", "main")
    assert "its host does not let you in" in told.message
    assert "credential helper" in str(told.hint)
    assert "wrong" not in told.message


def test_the_user_s_own_helper_is_asked(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.password = PASSWORD
    (tmp_path / "config").write_text("[credential]\nhelper = store\n")
    (tmp_path / ".git-credentials").write_text(f"{server.url.replace('//', f'//me:{PASSWORD}@')}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    bench = Bench(tmp_path)
    assert bench.files(bench.pin(f"git+{server.url}/demo/.git"))["a.py"] == "one"


def test_another_host_does_not_get_the_password(tmp_path: Path, server: GitServer) -> None:
    """A submodule's host, which the repository names."""
    server.password = PASSWORD
    demo = server.root / "demo"
    library = repository(server.root / "library", {"l.c": "l"})
    with serving(GitServer(server.root, password="never-given")) as other:
        commit_ = with_module(demo, library, f"{other.url}/library/.git")
        url = f"{server.url}/demo/.git"
        bench = Bench(tmp_path, {url: ("me", PASSWORD)})
        with pytest.raises(FetchError, match=rf"{other.url}.* does not let you in"):
            bench.files(f"git+{url}@{commit_}")
        assert set(other.seen) == {""}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/demo", "its host cannot be reached"),
        ("https://host.invalid/demo", "its host cannot be resolved"),
        ("ssh://git@host.invalid/demo", "its host cannot be resolved"),
        ("file:///nowhere/demo", "there is no git repository"),
    ],
)
def test_what_cannot_be_reached(bench: Bench, url: str, why: str) -> None:
    told = bench.refusal(f"git+{url}")
    assert told.message.startswith(f"git+{url} cannot be had: {why}")


def test_what_is_not_there_on_a_server(bench: Bench, server: GitServer) -> None:
    told = bench.refusal(f"git+{server.url}/other")
    assert "there is no git repository that you may see" in told.message


def test_a_silent_server_is_left_when_the_run_stops(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        threading.Timer(0.3, bench.stopped.set).start()
        with pytest.raises(InterruptedRunError):
            bench.pin(f"git+http://127.0.0.1:{port}/demo")
    assert not list(bench.folder.glob("workspace-*"))


def test_a_git_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/demo"
        with pytest.raises(FetchError, match="git ls-remote did not end within 0 s"):
            Git(lambda: None, None).run(tmp_path, "ls-remote", url, url=url, limit=0.3)


def test_without_git(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(bench.folder))
    assert bench.refusal("git+https://h/d").message == "this takes git, which is not installed"


# --- files ------------------------------------------------------------------------------------


def test_an_archive_of_this_machine(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "d 100%.whl").write_bytes(b"wheel")
    assert b"".join(bench.elsewhere("file:d 100%.whl")) == b"wheel"
    assert b"".join(bench.elsewhere(f"file:{tmp_path}/d 100%.whl")) == b"wheel"
    assert bench_refuses(bench, "file:missing.whl") == f"{tmp_path}/missing.whl is not there"
    assert "cannot be read: Is a directory" in bench_refuses(bench, "file:.")


def test_a_repository_is_not_packed_without_a_commit(bench: Bench) -> None:
    assert "names no commit" in bench_refuses(bench, "git+https://h/d")


def bench_refuses(bench: Bench, location: str) -> str:
    with pytest.raises(FetchError) as told:
        list(bench.elsewhere(location))
    assert told.value.hint
    return told.value.message
