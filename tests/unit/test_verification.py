"""A wheelhouse that was tampered with is found out, and what was tampered with is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wheelhouse
from damage import DAMAGES, HASHES, KEY, Damage, Signed, make_signed, reseal
from signingkeys import KINDS, make_key
from wheelhouse.errors import CheckError, StorageError
from wheelhouse.sealing import is_signed, sign, sign_in_place
from wheelhouse.signing import load_public_key, load_signer
from wheelhouse.verification import examine, summary
from wheelhouse.vouching import read_lines
from wheelhouse.wholeness import verify_house

SCRIPT = Path(wheelhouse.__file__).parent / "data" / "verify.py"


@pytest.fixture
def house(tmp_path: Path) -> Signed:
    return make_signed(tmp_path)


def told(house: Signed, *, key: bool) -> str:
    try:
        found = examine(house.path, load_public_key(house.public) if key else None)
    except StorageError as error:
        return error.message
    return "; ".join(map(str, found.problems))


def by_script(house: Signed, *, key: bool, python: str = sys.executable) -> tuple[int, str]:
    """The exit status of a ``verify.py`` that came another way, and what it says."""
    options = ["--key", str(house.public)] if key else []
    done = subprocess.run(
        [python, "-I", str(SCRIPT), str(house.path), *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_what_was_signed_is_found_so(house: Signed) -> None:
    found = examine(house.path, load_public_key(house.public))
    assert not found.problems
    assert [found.checked] == list(found.vouched.keyids)
    assert summary(found)["whole"] is True
    assert by_script(house, key=True) == (
        0,
        f"house: whole and unchanged: 10 files; signed by key {found.checked}\n",
    )


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.name)
def test_tampering_is_found(house: Signed, damage: Damage) -> None:
    damage.do(house)
    for key in (True, False) if damage.finder != KEY else (True,):
        assert damage.file in told(house, key=key)
        status, said = by_script(house, key=key)
        assert (status, damage.file in said) == (1, True), said


@pytest.mark.parametrize(
    "damage", [each for each in DAMAGES if each.finder == KEY], ids=lambda each: each.name
)
def test_what_only_a_key_finds_is_consistent_without_one(house: Signed, damage: Damage) -> None:
    """So these are as good as forgeries get: it is the signature that gives them away."""
    damage.do(house)
    assert told(house, key=False) == ""
    assert by_script(house, key=False)[0] == 0


@pytest.mark.parametrize(
    "damage", [each for each in DAMAGES if each.finder != HASHES], ids=lambda each: each.name
)
def test_these_have_the_hashes_agree(house: Signed, damage: Damage) -> None:
    damage.do(house)
    assert verify_house(house.path) == []


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("requirements.txt", "one==1.0", "one==1.1"),
        ("requirements.txt", "--no-index\n", ""),
        ("pylock.toml", "one-1.0", "two-1.0"),
        ("sbom.cdx.json", "one-1.0", "two-1.0"),
        ("manifest.json", "one-1.0", "two-1.0"),
        ("manifest.json", '"format": 1', '"format": 2'),
        ("manifest.json", '"python_version"', '"something"'),
        ("sbom.cdx.json", "components", "parts"),
        ("pylock.toml", "[[", "[["[:1] * 100_000),
    ],
)
def test_files_that_contradict_each_other(
    house: Signed, file: str, before: str, after: str
) -> None:
    path = house.path / file
    path.write_text(path.read_text().replace(before, after))
    reseal(house.path)
    assert file in told(house, key=False)


def test_a_folder_that_cannot_be_looked_into(house: Signed) -> None:
    nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    if subprocess.run([*nobody, "true"], capture_output=True).returncode:
        pytest.skip("may not become another user")
    (house.path / "closed").mkdir(mode=0o700)
    code = (
        "import sys; from pathlib import Path; from wheelhouse.wholeness import verify_house;"
        f"print(*verify_house(Path({str(house.path)!r})))"
    )
    for path in (house.path.parent, *house.path.parent.parents[:3]):
        if path.stat().st_uid == 0 and not path.stat().st_mode & 0o005:
            path.chmod(0o755)
    done = subprocess.run(
        [*nobody, sys.executable, "-c", code],
        capture_output=True,
        text=True,
    )
    assert "closed cannot be read" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"predicateType": "https://example.com/other"},
        {"_type": 1},
        {"subject": []},
        {"subject": [{"name": "a"}]},
        {"subject": [{"name": "a", "digest": []}]},
        {"predicate": {"a": "\ud800"}},
        {"predicate": {"a": float("inf")}},
        {"predicate": []},
    ],
    ids=str,
)
def test_what_is_no_statement(change: dict[str, object]) -> None:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"name": "a", "digest": {"sha256": "0"}}],
        "predicate": {"a": 1},
    }
    assert read_lines(json.dumps(statement) + "\n")[0].subjects == [("a", "0")]
    with pytest.raises(ValueError, match="no statement in line 1"):
        read_lines(json.dumps({**statement, **change}) + "\n")


def test_a_key_that_is_there_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        read_lines('{"_type": 1, "_type": 2}\n')


# -- signing -------------------------------------------------------------------------------------


def test_signing_keeps_the_wheels_as_they_are(house: Signed, tmp_path: Path) -> None:
    wheels = {path: path.stat().st_ino for path in (house.path / "wheels").iterdir()}
    private, public = make_key(tmp_path / "other")
    sign_in_place(house.path, load_signer(private))
    assert {path: path.stat().st_ino for path in wheels} == wheels
    assert not examine(house.path, load_public_key(public)).problems
    assert "is not signed as it must be" in told(house, key=True)


def test_a_copy_is_not_touched_by_signing_the_original(house: Signed, tmp_path: Path) -> None:
    """They share files, where links can be made."""
    copy = tmp_path / "copy"
    shutil.copytree(house.path, copy, copy_function=lambda a, b: Path(b).hardlink_to(a))
    sign_in_place(copy, load_signer(make_key(tmp_path / "other")[0]))
    assert told(house, key=True) == ""


@pytest.mark.parametrize(
    "damage", [each for each in DAMAGES if each.finder != KEY], ids=lambda each: each.name
)
def test_what_is_not_whole_is_not_signed(house: Signed, damage: Damage) -> None:
    damage.do(house)
    before = sorted(path.name for path in house.path.parent.iterdir())
    with pytest.raises((CheckError, StorageError)) as caught:
        sign_in_place(house.path, load_signer(house.private))
    assert damage.file in caught.value.message or "is no wheelhouse" in caught.value.message
    assert sorted(path.name for path in house.path.parent.iterdir()) == before


def test_signed_or_not(house: Signed, tmp_path: Path) -> None:
    assert is_signed(house.path)
    assert not is_signed(tmp_path)
    (house.path / "provenance.intoto.jsonl").write_text("{}\n")
    assert not is_signed(house.path)


# -- verify.py -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_knows_every_kind_of_key(tmp_path: Path, kind: str) -> None:
    made = make_signed(tmp_path)
    private, public = make_key(tmp_path, "another", kind=kind)
    sign(made.path, load_signer(private))
    assert by_script(Signed(path=made.path, private=private, public=public), key=True)[0] == 0
    assert by_script(made, key=True)[0] == 1


def test_the_script_in_the_house_is_the_same(house: Signed) -> None:
    assert (house.path / "verify.py").read_bytes() == SCRIPT.read_bytes()
    done = subprocess.run(
        [str(house.path / "verify.py")], capture_output=True, text=True, cwd=house.path
    )
    assert done.returncode == 0
    assert "which was NOT checked" in done.stdout
    assert verify_house(house.path) == []  # and it left nothing behind


@pytest.mark.parametrize("openssl", [None, "echo 'unknown option -rawin'; exit 1"])
def test_without_an_openssl_that_can_a_demanded_signature_is_not_taken_for_checked(
    house: Signed, tmp_path: Path, openssl: str | None
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if openssl:
        (programs / "openssl").write_text(f"#!/bin/sh\n{openssl}\n")
        (programs / "openssl").chmod(0o755)
    for options, status in ((["--key", str(house.public)], 1), ([], 0)):
        done = subprocess.run(
            [sys.executable, "-I", str(SCRIPT), str(house.path), *options],
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert "NOT" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["no such file", "private", "empty"])
def test_the_script_refuses_what_is_no_public_key(house: Signed, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").touch()
    path = house.private if name == "private" else tmp_path / name
    status, said = by_script(Signed(path=house.path, private=house.private, public=path), key=True)
    assert status == 1
    assert str(path) in said


def test_no_terminal_obeys_a_file_name(house: Signed) -> None:
    (house.path / "wheels" / "\x1b[2J\n::error::x\udce4").touch()
    for said in (by_script(house, key=False)[1], told(house, key=False)):
        assert "\x1b" not in said
        assert not any(line.startswith("::") for line in said.splitlines())
