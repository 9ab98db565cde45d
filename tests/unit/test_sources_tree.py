"""Folders, packed: which files, and the same bytes on every machine."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from gitfactory import ENVIRONMENT, PYPROJECT, commit, git, repository, write

from wheelhouse.agent.sources import unpack
from wheelhouse.errors import FetchError, InterruptedRunError
from wheelhouse.sources import tarball
from wheelhouse.sources.gitcommand import Git
from wheelhouse.sources.tree import digest, pack


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def packed(folder: Path, subdirectory: str = "") -> bytes:
    return b"".join(pack(folder, subdirectory))


def names(folder: Path, subdirectory: str = "") -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed(folder, subdirectory)), mode="r:") as tar:
        found = tar.getnames()
    assert found == sorted(found)
    assert all(name.startswith("source/") for name in found)
    return [name.removeprefix("source/") for name in found]


def project(folder: Path, *files: str) -> Path:
    write(folder, {"pyproject.toml": PYPROJECT, **dict.fromkeys(files, "x")})
    return folder


def refusal(folder: Path, subdirectory: str = "") -> FetchError:
    with pytest.raises(FetchError) as told:
        packed(folder, subdirectory)
    assert told.value.hint
    return told.value


# --- the same bytes ---------------------------------------------------------------------------


def test_the_bytes_depend_on_nothing_but_the_files(tmp_path: Path) -> None:
    one = project(tmp_path / "one", "b.py", "a/c.py")
    other = project(tmp_path / "x" / "other", "a/c.py", "b.py")
    (one / "b.py").chmod(0o600)
    (other / "b.py").chmod(0o666)
    os.utime(other / "b.py", (1, 1))
    assert packed(one) == packed(other)
    assert digest(one) == digest(other) == hashlib.sha256(packed(one)).hexdigest()
    (other / "b.py").chmod(0o755)
    assert packed(one) != packed(other)
    assert digest(one) != digest(other)


def test_these_bytes_stay_what_they_are(tmp_path: Path) -> None:
    long = "/".join(["a-folder-with-a-name-of-some-length"] * 8)
    folder = project(tmp_path / "p", "run.sh", f"{long}/ä ö.py")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("run.sh")
    known = "45bfbe4ac589118b4fcb661448135987e20d8fcf2f58d96fd42ecc5cf19a8149"
    assert digest(folder) == known, "another one breaks all locks"


def test_nothing_of_this_machine_is_in_it(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "a.py")
    (folder / "a.py").chmod(0o777)
    with tarfile.open(fileobj=io.BytesIO(packed(folder)), mode="r:") as tar:
        members = tar.getmembers()
    assert {(each.uid, each.gid, each.uname, each.gname) for each in members} == {(0, 0, "", "")}
    assert {each.mtime for each in members} == {315_532_800}
    assert [each.mode for each in members] == [0o755, 0o644]


def test_the_agent_unpacks_it(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "pkg/a.py", "sub/pyproject.toml")
    (folder / "pkg/b.py").symlink_to("../pkg/a.py")
    (tmp_path / "p.tar").write_bytes(packed(folder))
    top = unpack(str(tmp_path / "p.tar"), str(tmp_path / "out"), "sub")
    assert [each.name for each in Path(top).iterdir()] == ["pyproject.toml"]
    assert (tmp_path / "out/source/pkg/b.py").read_text() == "x"


def test_a_digest_follows_what_changes(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "a.py")
    before = digest(folder)
    assert digest(folder) == before
    (folder / "a.py").write_text("y")
    assert digest(folder) != before
    (folder / "a.py").unlink()
    (folder / "new.py").write_text("x")
    assert digest(folder) == hashlib.sha256(packed(folder)).hexdigest()


# --- which files ------------------------------------------------------------------------------

LEFT_OUT = (
    *("pkg/__pycache__/a.cpython-311.pyc", "pkg/old.pyc", "node_modules/x/i.js", ".tox/x"),
    *(".venv/x", "my-env/pyvenv.cfg", "my-env/lib/x.py", ".mypy_cache/x", "src/demo.egg-info/x"),
    *("build/lib/x.py", "dist/demo-1.0.tar.gz", ".hg/x", "pylock.server.toml", "wheelhouse.toml"),
    *("house/server/manifest.json", "house/server/wheels/x.whl", "house/.wheelhouse-staging-1/x"),
    *(".env", "conf/.env.production", ".netrc", ".pypirc", "keys/id_ed25519"),
)
KEPT = (
    *("pkg/a.py", "pkg/build/b.py", "pkg/dist/c.py", ".env.example", "pkg/pylock.x.toml"),
    *("pkg/cacert.pem", "manifest.json", "wheels/readme"),
)


@pytest.mark.parametrize("under_git", [False, True])
def test_what_tools_leave_and_secrets_stay_here(tmp_path: Path, under_git: bool) -> None:
    folder = project(tmp_path / "p", *LEFT_OUT, *KEPT)
    write(folder, {"server.pem": "# mine\n-----BEGIN RSA PRIVATE KEY-----\n"})
    if under_git:
        git(folder, "init", "--quiet")
    assert names(folder) == sorted([*KEPT, "pyproject.toml"])


def test_what_git_tracks_belongs_to_it_and_what_it_ignores_does_not(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {".gitignore": "*.log\n", "dist/app.js": "x", "a.py": "x"})
    commit(folder, {".env": "SECRET=1", "gone.py": "x", "test.key": "-----BEGIN PRIVATE KEY-----"})
    (folder / "gone.py").unlink()
    write(folder, {"new.py": "x", "debug.log": "x", "dist/demo-1.0.whl": "x", "b\nc.py": "x"})
    found = [".gitignore", "a.py", "b\nc.py", "dist/app.js", "new.py", "pyproject.toml", "test.key"]
    assert names(folder) == found


def test_a_part_of_a_work_tree_is_what_is_in_it(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {"app/pyproject.toml": PYPROJECT, "app/a.py": "x"})
    write(folder, {".gitignore": "*.log", "app/x.log": "x"})
    assert names(folder / "app") == ["a.py", "pyproject.toml"]


def test_a_project_that_git_ignores_is_taken_whole(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {".gitignore": "vendor/\n"})
    assert names(project(folder / "vendor/lib", "a.py")) == ["a.py", "pyproject.toml"]


def test_submodules_are_part_of_it(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", {"deep.c": "x", ".gitignore": "*.o"})
    folder = repository(tmp_path / "p", {})
    git(folder, "submodule", "--quiet", "add", str(library), "vendor/library")
    write(folder, {"vendor/library/x.o": "x", "vendor/library/new.c": "x"})
    inner = [".gitignore", "deep.c", "new.c", "pyproject.toml"]
    expected = [".gitmodules", "pyproject.toml", *(f"vendor/library/{each}" for each in inner)]
    assert names(folder) == expected


def test_repositories_that_lie_in_it_are_untracked(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {})
    repository(folder / "near", {"n.py": "x", ".gitignore": "*.o"})
    repository(folder / "env/src/far", {"f.py": "x"})
    write(folder, {"env/pyvenv.cfg": "x", "near/n.o": "x"})
    expected = ["near/.gitignore", "near/n.py", "near/pyproject.toml", "pyproject.toml"]
    assert names(folder) == expected


def test_nothing_of_the_repository_runs(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {"a.py": "x"})
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(trap))
    for hook in ("post-index-change", "pre-commit", "reference-transaction"):
        shutil.copy(trap, folder / ".git/hooks" / hook)
    assert names(folder) == ["a.py", "pyproject.toml"]
    assert not (tmp_path / "sprung").exists()


def test_programs_that_a_repository_names_do_not_run(tmp_path: Path) -> None:
    """To check a signature, to clean a file, to have an object that is not there."""
    versioned = PYPROJECT.replace('version = "1.0"', 'dynamic = ["version"]')
    versioned = versioned.replace('"setuptools"', '"setuptools-scm"')
    files = {"pyproject.toml": versioned, ".gitattributes": "* filter=x"}
    folder = repository(tmp_path / "p", files)
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    _sign(folder, tmp_path)
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    (folder / ".git/objects" / tree[:2] / tree[2:]).unlink()
    for key, value in (
        *(("log.showSignature", "true"), ("gpg.program", str(trap))),
        *(("filter.x.clean", str(trap)), ("filter.x.process", str(trap))),
        *(("core.repositoryFormatVersion", "1"), ("extensions.partialClone", "origin")),
        *(("remote.origin.url", "ssh://x/y"), ("remote.origin.promisor", "true")),
        ("core.sshCommand", str(trap)),
    ):
        git(folder, "config", key, value)
    assert ".git_archival.txt" in names(folder)
    assert not (tmp_path / "sprung").exists()


def _sign(folder: Path, elsewhere: Path) -> None:
    """Let the last commit have something like a signature."""
    head, _, message = git(folder, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    (elsewhere / "commit").write_text(f"{head}\n{signature}\n\n{message}\n")
    written = git(folder, "hash-object", "-t", "commit", "-w", str(elsewhere / "commit"))
    git(folder, "update-ref", "HEAD", written)


def test_git_variables_from_around_do_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repository(tmp_path / "p", {"a.py": "x"})
    other = repository(tmp_path / "other", {"b.py": "x"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert names(folder) == ["a.py", "pyproject.toml"]


# --- what cannot be packed --------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "a/../b", "sub/../../../x"])
def test_links_that_lead_out_are_refused(tmp_path: Path, target: str) -> None:
    folder = project(tmp_path / "p", "sub/a.py")
    (folder / "sub/link").symlink_to(target)
    assert refusal(folder).message.endswith(f"the link sub/link leads out of it, to {target}")


def test_a_link_to_nowhere_inside_is_kept_and_no_link_is_followed(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "sub/a.py")
    (folder / "loop").symlink_to("sub")
    (folder / "sub/up").symlink_to("..")
    (folder / "sub/none").symlink_to("missing")
    assert names(folder) == ["loop", "pyproject.toml", "sub/a.py", "sub/none", "sub/up"]


def test_pipes_and_sockets_are_no_part_of_it(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    os.mkfifo(folder / "pipe")
    assert names(folder) == ["pyproject.toml"]


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    write(folder, {"a.py": "x", "inner/setup.py": "x"})
    assert "neither pyproject.toml nor setup.py" in refusal(folder).message
    assert names(folder, "inner") == ["a.py", "inner/setup.py"]
    assert refusal(tmp_path / "missing").message == f"{tmp_path}/missing is no folder"
    with pytest.raises(FileNotFoundError):
        digest(tmp_path / "missing")


def test_too_much_is_refused_and_the_culprit_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(tmp_path / "p", "data/1", "data/2", "data/3", "big/1")
    monkeypatch.setattr(tarball, "MAX_FILES", 4)
    assert refusal(folder).message == (
        f"{folder} has 5 files, 3 of them in data; a source may have 4 files"
    )
    monkeypatch.setattr(tarball, "MAX_FILES", 10)
    monkeypatch.setattr(tarball, "MAX_BYTES", 5 << 20)
    (folder / "big/1").write_bytes(bytes(6 << 20))
    told = refusal(folder)
    assert told.message == (f"{folder} has 6 MiB, 6 MiB of them in big; a source may have 5 MiB")
    assert told.hint == "move big elsewhere, or have git ignore it"


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "a.py")
    for text in ("longer", ""):
        (folder / "a.py").write_text("x")
        chunks = pack(folder)
        (folder / "a.py").write_text(text)
        with pytest.raises(FetchError, match="has changed while it was read"):
            list(chunks)


def test_it_can_be_stopped(tmp_path: Path) -> None:
    def check() -> None:
        raise InterruptedRunError("stopped")

    with pytest.raises(InterruptedRunError):
        list(pack(project(tmp_path / "p"), git=Git(check, None)))


def test_a_broken_repository_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    (folder / ".git").mkdir()
    told = refusal(folder)
    assert "git cannot say what belongs to it" in told.message
    assert "not a git repository" in told.message


def test_without_git_a_work_tree_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repository(tmp_path / "p", {})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal(folder).message == "this takes git, which is not installed"
    assert names(project(tmp_path / "plain")) == ["pyproject.toml"]
