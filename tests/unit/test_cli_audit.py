"""`wheelhouse audit`: what it prints, what it exits with, and what it sends to nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from advisoryfactory import OsvServer, affected, before, record, write_archive
from lockfactory import build, file, lock, package
from lockingfactory import interpreter

from wheelhouse.cli.app import run  # noqa: TID251  (it is what is tested)
from wheelhouse.config import load_project
from wheelhouse.inputs import read_inputs
from wheelhouse.inputs.model import Direct
from wheelhouse.locking.freshness import inputs_digest
from wheelhouse.locking.lockfile import dump_lock, lock_path

if TYPE_CHECKING:
    from wheelhouse.locking.model import LockedPackage

PYPI = "https://pypi.org/simple"
CORP = "https://pypi.corp.example/simple"
TOML = f"""\
[targets.web]
platform = "debian12"
python = "3.11"
[targets.api]
platform = "debian13"
python = "3.13"
[indexes.corp]
url = "{CORP}"
[audit]
max-age = "3650 days"
"""
LXML = package(
    "lxml",
    "5.0",
    "requirements.txt:2",
    wheels=(),
    sdist=file("lxml-5.0.tar.gz"),
    index=PYPI,
    build=build("setuptools-65.5"),
)
WEB = (
    package("django", "5.2.1", "requirements.txt:1", index=PYPI, requires=("asgiref",)),
    package("asgiref", "3.8", "django", index=PYPI),
    package("torch", "2.7.0+cu128", index="https://download.pytorch.org/whl/cu128"),
    package("secretlib", "1.0", "requirements.txt:3", index=CORP),
    package("hiddenapp", "1.0", "requirements.txt:4", direct=Direct(location="dir:app")),
    LXML,
)
API = (package("idna", "3.9", "requirements.txt:1", index=PYPI),)
DJANGO = before(
    "Django",
    "5.2.2",
    "GHSA-aaaa-bbbb-cccc",
    aliases=["CVE-2026-1"],
    summary="SQL injection in QuerySet",
    database_specific={"severity": "HIGH"},
)
TORCH = record("PYSEC-2", affected("torch", {"introduced": "0"}, {"last_affected": "2.7.0"}))
SETUPTOOLS = before("setuptools", "78.1.1", "PYSEC-3")
IDNA = before("idna", "3.7", "PYSEC-4")
PRIVATE = [before(name, "9", f"GHSA-{name}") for name in ("secretlib", "hiddenapp")]
RECORDS = (DJANGO, TORCH, SETUPTOOLS, IDNA, *PRIVATE)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with fresh locks, and a copy of advisories beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheelhouse.toml").write_text(TOML)
    (tmp_path / "requirements.txt").write_text("django\n")
    write("web", *WEB)
    write("api", *API)
    write_archive(tmp_path / "all.zip", *RECORDS)
    return tmp_path


def write(target: str, *packages: LockedPackage, **more: Any) -> None:
    project = load_project(Path("wheelhouse.toml"))
    requirements = read_inputs(project.root, project.requirements)
    made = replace(
        lock(*packages, **more),
        target=target,
        environment=dict(interpreter().environment),
        requested=("django",),
        inputs=inputs_digest(project, project.targets[target], requirements),
    )
    lock_path(project.root, target).write_text(dump_lock(made))


def settings(text: str) -> None:
    Path("wheelhouse.toml").write_text(TOML + text)


def audit(
    capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0, source: str = "all.zip"
) -> tuple[str, str]:
    """What it prints, and what it says of an error."""
    assert run(["audit", *(["--source", source] if source else []), *arguments]) == status
    out, err = capsys.readouterr()
    return out, " ".join(err.split())


def data(capsys: pytest.CaptureFixture[str], *arguments: str, **more: Any) -> dict[str, Any]:
    out, _ = audit(capsys, "--json", *arguments, **more)
    return json.loads(out)  # type: ignore[no-any-return]


def packages(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for target in found["targets"] for each in target["packages"]}


def test_for_a_person(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = audit(capsys, status=8)
    assert (
        out
        == """\
pylock.web.toml: 3 vulnerable, 4 unknown
  vulnerable  django 5.2.1       fixed in 5.2.2  asked for by requirements.txt:1
    GHSA-aaaa-bbbb-cccc  high  CVE-2026-1
      SQL injection in QuerySet
      https://osv.dev/vulnerability/GHSA-aaaa-bbbb-cccc
  vulnerable  torch 2.7.0+cu128  looked up as 2.7.0  asked for by requirements.txt:1
    PYSEC-2  severity unknown
      https://osv.dev/vulnerability/PYSEC-2
  vulnerable  setuptools 65.5    fixed in 78.1.1  builds lxml 5.0
    PYSEC-3  severity unknown
      https://osv.dev/vulnerability/PYSEC-3
  unknown  hiddenapp 1.0  it comes from dir:app
  unknown  secretlib 1.0  it comes from https://pypi.corp.example/simple, which is not PyPI
  unknown  2 packages that the source has no record of:
    asgiref 3.8, lxml 5.0
pylock.api.toml: 1 without an advisory
advisories: all.zip, 6 about PyPI, the newest of 2026-11-18
"""
    )
    assert err.startswith(
        "error[advisory]: 3 packages (django 5.2.1, torch 2.7.0+cu128, setuptools 65.5) have known "
        "vulnerabilities hint: `wheelhouse lock --upgrade-package django`; have them built with "
        "later versions by the lines below; no later version without them is known of torch:"
    )
    assert err.endswith('fix: [packages.lxml] build-requires = ["setuptools>=78.1.1"]')


def test_parts_of_the_toolkit_are_told_as_such(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toolkit = build("nvcc-13.0", "crt-13.0").environment
    write_archive(here / "all.zip", before("nvcc", "13.2", "PYSEC-5"))
    write("web", replace(LXML, build=build(cuda=True)), toolkit=toolkit)
    out, err = audit(capsys, "--target", "web", status=8)
    told = "vulnerable  nvcc 13.0  fixed in 13.2  builds lxml 5.0, as a part of the CUDA toolkit"
    assert f"  {told}\n" in out
    assert "1 package of the toolkit that the source has no record of:\n    crt 13.0\n" in out
    assert (
        "hint: `wheelhouse lock --upgrade` takes the newest nvcc of the CUDA that the target "
        "names; if that is not new enough, name a later `cuda`"
    ) in err
    assert "build-requires" not in err
    nvcc = packages(data(capsys, "--target", "web", status=8))["nvcc"]
    assert (nvcc["role"], nvcc["builds"]) == ("toolkit", ["lxml 5.0"])
    out, _ = audit(capsys, "--target", "web", "--no-build", status=8)
    assert "nvcc" not in out


def test_the_lines_of_the_fix_are_settings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["audit", "--source", "all.zip"])
    _, _, fix = capsys.readouterr().err.partition("fix:\n")
    settings(fix)
    assert load_project(here / "wheelhouse.toml").settings("lxml").build_requires == (
        "setuptools>=78.1.1",
    )


def test_for_a_program(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, status=8)
    assert (found["format"], found["status"], found["kind"]) == (1, 8, "vulnerable")
    assert found["sources"] == [
        {
            "name": "all.zip",
            "kind": "archive",
            "records": 6,
            "newest": "2026-11-18T08:00:00+00:00",
            "flawed": 0,
        }
    ]
    web, api = found["targets"]
    assert (web["target"], web["lock"], web["stale"]) == ("web", "pylock.web.toml", False)
    assert web["counts"] == {"vulnerable": 3, "unknown": 4, "ignored": 0, "no-advisory": 0}
    assert api["counts"] == {"vulnerable": 0, "unknown": 0, "ignored": 0, "no-advisory": 1}
    assert packages(found)["django"] == {
        "name": "django",
        "version": "5.2.1",
        "looked_up_as": "5.2.1",
        "role": "package",
        "verdict": "vulnerable",
        "why": None,
        "fixed_in": "5.2.2",
        "asked_for_by": ["requirements.txt:1"],
        "builds": [],
        "advisories": [
            {
                "id": "GHSA-aaaa-bbbb-cccc",
                "aliases": ["CVE-2026-1"],
                "severity": "high",
                "scores": [],
                "summary": "SQL injection in QuerySet",
                "fixed": ["5.2.2"],
                "link": "https://osv.dev/vulnerability/GHSA-aaaa-bbbb-cccc",
                "ignored": None,
            }
        ],
    }
    setuptools = packages(found)["setuptools"]
    assert (setuptools["role"], setuptools["builds"]) == ("build", ["lxml 5.0"])
    assert packages(found)["torch"]["looked_up_as"] == "2.7.0"
    assert packages(found)["secretlib"]["looked_up_as"] is None


def test_its_words_are_those_of_the_documentation(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")
    found = data(capsys, "--ignore", "CVE-2026-1", status=8)

    def keys(value: object) -> set[str]:
        if isinstance(value, list):
            return {key for each in value for key in keys(each)}
        if isinstance(value, dict):
            return set(value) | {key for each in value.values() for key in keys(each)}
        return set()

    assert not {key for key in keys(found) if f"`{key}`" not in text}


# --- what it exits with ----------------------------------------------------------------------


def test_only_the_chosen_target(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = audit(capsys, "--target", "api", "--strict")
    assert out.startswith("pylock.api.toml: 1 without an advisory\n")
    assert not err


def test_build_requirements_may_be_left_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "--no-build", "--ignore", "PYSEC-2", "--ignore", "CVE-2026-1")
    assert found["status"] == 0
    assert "setuptools" not in packages(found)


def test_what_is_ignored(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings("""
        [[audit.ignore]]
        id = "CVE-2026-1"
        reason = "we use no QuerySet"
        until = "2999-01-01"
        [[audit.ignore]]
        id = "PYSEC-2"
        reason = "we load nothing"
        [[audit.ignore]]
        id = "PYSEC-3"
        reason = "over"
        until = "2026-01-01"
        [[audit.ignore]]
        id = "CVE-2020-9"
        reason = "long gone"
        """)
    out, err = audit(capsys, status=8)
    assert "      ignored until 2999-01-01: we use no QuerySet\n" in out
    assert "      ignored: we load nothing\n" in out
    assert "note: PYSEC-3 counts again: it was ignored until 2026-01-01\n" in out
    assert "note: CVE-2020-9 is ignored, and nothing that is locked has it\n" in out
    assert err.startswith("error[advisory]: 1 package (setuptools 65.5) has known")


def test_unknown_packages_pass_unless_it_is_strict(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ignored = [each for name in ("CVE-2026-1", "PYSEC-2", "PYSEC-3") for each in ("--ignore", name)]
    out, err = audit(capsys, *ignored)
    assert "3 ignored, 4 unknown" in out
    assert not err
    _, err = audit(capsys, *ignored, "--strict", status=8)
    assert "nothing is known of 4 packages (asgiref 3.8, hiddenapp 1.0, lxml 5.0, secretlib" in err


def test_an_old_copy_is_a_doubt(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheelhouse.toml").write_text(TOML.replace("3650 days", "7 days"))
    old = before("idna", "3.7", "PYSEC-4", modified="2020-01-01T00:00:00Z")
    write_archive(here / "old.zip", old)
    out, _ = audit(capsys, "-t", "api", source="old.zip")
    assert "note: the newest record of old.zip is " in out
    _, err = audit(capsys, "-t", "api", "--strict", source="old.zip", status=8)
    assert "what has become known since then is not in it" in err


def test_a_record_that_cannot_be_understood_is_a_doubt(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(here / "bad.zip", IDNA, {"id": "GHSA-9", "affected": "all"})
    out, _ = audit(capsys, "-t", "api", source="bad.zip")
    assert "note: bad.zip: what 1 record may be about cannot be understood\n" in out
    audit(capsys, "-t", "api", "--strict", source="bad.zip", status=8)


def test_an_audit_that_has_checked_nothing_is_not_passed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(here / "other.zip", before("other", "1", "GHSA-9"))
    _, err = audit(capsys, "-t", "api", source="other.zip", status=8)
    assert "nothing was checked: no source knows any of 1 package (idna 3.9)" in err
    write("api", replace(API[0], index=CORP))
    _, err = audit(capsys, "-t", "api", status=8)
    assert 'if that index mirrors PyPI, say so: mirrors = ["NAME"] under [audit]' in err
    write("api")
    out, _ = audit(capsys, "-t", "api")
    assert out.startswith("pylock.api.toml: nothing is locked\n")


def test_a_mirror_is_looked_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("wheelhouse.toml").write_text(TOML + 'mirrors = ["corp"]\n')
    assert packages(data(capsys, status=8))["secretlib"]["verdict"] == "vulnerable"


def test_a_default_index_that_may_be_a_mirror(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("[limits]\n")
    text = Path("wheelhouse.toml").read_text()
    Path("wheelhouse.toml").write_text(f'index = "https://mirror.example/simple"\n{text}')
    write("api", *API, package("demo", index="https://mirror.example/simple"))
    out, _ = audit(capsys, "-t", "api")
    assert "note: nothing that comes from https://mirror.example/simple was looked up: " in out
    assert 'say so: mirrors = ["default"] under [audit]\n' in out


def test_a_stale_lock_is_audited_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "requirements.txt").write_text("flask\n")
    out, _ = audit(capsys, "-t", "api")
    assert "note: pylock.api.toml is stale, and was audited as it is\n" in out
    (here / "requirements.txt").unlink()
    assert data(capsys, "-t", "api")["targets"][0]["stale"] is None


def test_no_lock(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "pylock.api.toml").unlink()
    _, err = audit(capsys, status=3)
    assert err.startswith("error[stale-lock]: there is no pylock.api.toml")


# --- sources ---------------------------------------------------------------------------------


def test_no_source(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = audit(capsys, source="", status=2)
    assert not out
    assert err.startswith("error[config]: nothing says where advisories are hint: name a copy")


def test_sources_of_the_project(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "wheelhouse.toml").write_text(TOML + 'sources = ["all.zip"]\n')
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    assert data(capsys, "-t", "api", source="")["sources"][0]["name"] == str(here / "all.zip")


@pytest.mark.parametrize(("content", "status"), [(b"<html>", 3), (None, 2)])
def test_a_source_that_is_none(
    here: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, status: int
) -> None:
    (here / "all.zip").unlink()
    if content is not None:
        (here / "all.zip").write_bytes(content)
    out, err = audit(capsys, status=status)
    assert not out
    assert "hint: " in err


def test_a_user_name_in_an_address(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = audit(capsys, source="https://me:secret@osv.example", status=2)
    assert "has a user name in it" in err
    assert "secret" not in err


def test_a_folder_with_the_name_of_the_service(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "osv").mkdir()
    _, err = audit(capsys, source="osv", status=2)
    assert "osv is the name of a service, and of what lies in" in err
    assert "hint: write ./osv for what lies there, or https://api.osv.dev for the service" in err


def test_private_names_leave_by_no_door(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OsvServer(*RECORDS) as server:
        found = data(capsys, source=server.url, status=8)
        said = server.said
    assert packages(found)["secretlib"]["verdict"] == "unknown"
    assert packages(found)["hiddenapp"]["verdict"] == "unknown"
    assert not any(word in said for word in ("secretlib", "hiddenapp", "corp", "5.2.1", "2.7.0"))
    assert '"django"' in said


def test_a_service_and_a_copy_say_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OsvServer(*RECORDS) as server:
        asked = data(capsys, source=server.url, status=8)
        both = data(capsys, "--source", "all.zip", source=server.url, status=8)
    copied = data(capsys, status=8)
    assert asked["targets"] == copied["targets"] == both["targets"]
    assert [each["kind"] for each in both["sources"]] == ["service", "archive"]


def test_a_service_that_does_not_answer(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OsvServer() as server:
        server.faults = [(403, b"")]
        out, err = audit(capsys, source=server.url, status=3)
    assert not out
    assert "403" in err


def test_as_a_process(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wheelhouse", "audit", "--source", "all.zip"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 8
    assert done.stderr.startswith("error[advisory]: ")
    assert "Traceback" not in done.stderr
