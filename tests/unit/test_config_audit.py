"""`[audit]`, as `wheelhouse.toml` says it."""

from __future__ import annotations

import re
import tomllib
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import pytest
from configfolder import TARGET, Folder, parsed

from wheelhouse.config import json_schema, load_project
from wheelhouse.settings import AuditSettings, IgnoredAdvisory

DOCUMENT = Path(__file__).parents[2] / "docs" / "audit.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)

ALL = """\
[audit]
sources = ["advisories/all.zip", "osv", "https://osv.example.com"]
mirrors = ["default", "corp"]
max-age = "2 weeks"
[[audit.ignore]]
id = "CVE-2026-12345"
reason = "it is not called"
until = 2027-01-31
package = "Zope.Interface"
[[audit.ignore]]
id = "GHSA-aaaa-bbbb-cccc"
reason = "nor is this"
[indexes.corp]
url = "https://pypi.example.com/simple"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


def test_all_that_can_be_said(folder: Folder) -> None:
    assert load_project(folder.write(TARGET + ALL)).audit == AuditSettings(
        sources=("advisories/all.zip", "osv", "https://osv.example.com"),
        mirrors=("default", "corp"),
        max_age=timedelta(days=14),
        ignored=(
            IgnoredAdvisory(
                id="CVE-2026-12345",
                reason="it is not called",
                until=date(2027, 1, 31),
                package="zope-interface",
            ),
            IgnoredAdvisory(id="GHSA-aaaa-bbbb-cccc", reason="nor is this"),
        ),
    )


def test_nothing_has_to_be_said(folder: Folder) -> None:
    assert load_project(folder.write(TARGET)).audit == AuditSettings()


IGNORE = '[[audit.ignore]]\nid = "CVE-1-1"\nreason = "x"\n'
BEGIN = "wheelhouse.toml:"
FAULTS = {
    "no advisory": (IGNORE.replace("CVE-1-1", "all"), '5: audit.ignore[0].id: "all" is no name'),
    "no reason": (IGNORE.replace("reason", "# "), "4: audit.ignore[0].reason: missing"),
    "empty reason": (IGNORE.replace('"x"', '" "'), "6: audit.ignore[0].reason: must not be empty"),
    "misspelt": (
        IGNORE + "untill = 2027-01-31",
        "7: audit.ignore[0].untill: unknown key; did you m",
    ),
    "no day": (IGNORE + 'until = "soon"', '7: audit.ignore[0].until: must be a day, not "soon"'),
    "a time": (
        IGNORE + 'until = "2027-01-31T10:00"',
        "7: audit.ignore[0].until: must be a day, not",
    ),
    "no such day": (
        IGNORE + 'until = "2027-02-30"',
        "7: audit.ignore[0].until: must be a day, not",
    ),
    "no age": ('[audit]\nmax-age = "often"', '5: audit.max-age: must be an age, not "often"'),
    "no length": ('[audit]\nmax-age = "0 days"', '5: audit.max-age: must be an age, not "0 days"'),
    "a number": ("[audit]\nmax-age = 7", "5: audit.max-age: must be an age, not an integer"),
    "no index": ('[audit]\nmirrors = ["crop"]', '5: audit.mirrors[0]: there is no index "crop"'),
    "a password": (
        '[audit]\nsources = ["https://me:x@osv.example"]',
        "5: audit.sources[0]: has a user",
    ),
    "home": (
        '[audit]\nsources = ["~/all.zip"]',
        '5: audit.sources[0]: "~/all.zip" begins with "~"',
    ),
    "nothing": ('[audit]\nsources = [""]', "5: audit.sources[0]: must not be empty"),
}
BEYOND_SCHEMA = {"no such day", "no length", "no index", "empty reason"}


@pytest.mark.parametrize(("content", "message"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_told(folder: Folder, content: str, message: str) -> None:
    [found] = folder.messages(f"{TARGET}{content}\n")
    assert found.startswith(BEGIN + message)


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in BEYOND_SCHEMA])
def test_the_schema_says_so_too(validator: jsonschema.Draft202012Validator, name: str) -> None:
    document = parsed(f"{TARGET}{FAULTS[name][0]}\n")
    assert not validator.is_valid(document)


def test_no_password_is_told(folder: Folder) -> None:
    [error] = folder.errors(f'{TARGET}[audit]\nsources = ["https://me:secret@osv.example"]\n')
    assert "secret" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_load(
    folder: Folder, validator: jsonschema.Draft202012Validator, example: str
) -> None:
    assert load_project(folder.write(example)).audit != AuditSettings()
    validator.validate(tomllib.loads(example))
