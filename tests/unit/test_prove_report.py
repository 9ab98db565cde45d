"""The proof's job and the words for what came out; the proof itself needs a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from housefactory import Package, debian12, make_house
from wheelhouse.engine.session import Reply
from wheelhouse.errors import ProofError, SeveralErrors
from wheelhouse.prove import _conclude, make_job

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.house import House


GOOD = {
    "type": "result",
    "installed": 2,
    "imports": 3,
    "pip": "26.1",
    "failures": [],
    "optional": [],
    "seconds": {"install": 1.0, "import": 0.5},
}


def found(distribution: str, module: str, kind: str = "missing", **more: object) -> dict[str, Any]:
    """What the agent tells of a module that does not import."""
    base = {"what": "module", "message": "", "missing": None, "traceback": "", "origin": None}
    return {**base, "distribution": distribution, "module": module, "kind": kind, **more}


def told(house: House, *failures: dict[str, Any]) -> list[tuple[str, str]]:
    """The (message, hint) of each error that *failures* become."""
    message = {**GOOD, "failures": list(failures)}
    with pytest.raises((ProofError, SeveralErrors)) as caught:
        _conclude(house, Reply(message=message, files={}))
    error = caught.value
    errors = error.errors if isinstance(error, SeveralErrors) else (error,)
    return [(each.message, each.hint or "") for each in errors]


@pytest.fixture
def house(tmp_path: Path) -> House:
    packages = [
        Package(name="one", files={"one.py": b"", "tests/__init__.py": b""}),
        Package(
            name="two",
            modules=("two",),
            extensions=("two.__init__", "two._a", "two._a", "two.gui._b"),
            skip_imports=("two.gui",),
        ),
        Package(name="tests-only", files={"tests/__init__.py": b""}),
    ]
    return make_house(tmp_path, packages, debian12())


def test_nothing_failed(house: House) -> None:
    proof = _conclude(house, Reply(message=GOOD, files={}))
    assert str(proof) == "2 installed by pip 26.1 in 1.0 s, 3 imported in 0.5 s"


@pytest.mark.parametrize(
    "strange",
    [
        {"installed": None},
        {"imports": "many"},
        {"failures": 7},
        {"failures": [{}]},
        {"failures": [found("one", "one", "of-my-own")]},
        {"optional": ["x"]},
        {"seconds": []},
    ],
)
def test_an_answer_of_another_form_proves_nothing(house: House, strange: dict[str, object]) -> None:
    with pytest.raises(ProofError, match="an answer of another form"):
        _conclude(house, Reply(message={**GOOD, **strange}, files={}))


def test_what_is_imported(house: House) -> None:
    job = make_job(house, "/usr/bin/python3.11", {}, processes=0)
    assert job.parameters["wheels"] == [
        {"name": "one", "modules": ["one"], "extensions": []},
        {"name": "tests-only", "modules": ["tests"], "extensions": []},
        {"name": "two", "modules": ["two"], "extensions": ["two._a"]},
    ]
    assert job.parameters["jobs"] == 1
    assert {item.name for item in job.inputs} == {f"house/{name}" for name in house.files()}


def test_a_setting_leaves_modules_out(house: House) -> None:
    skip = {"Tests_Only": ("*",), "two": ("two._a",)}
    job = make_job(house, "python", skip, processes=2)
    assert [(w["modules"], w["extensions"]) for w in job.parameters["wheels"]] == [
        (["one"], []),
        ([], []),
        (["two"], []),
    ]


@pytest.mark.parametrize(
    ("missing", "message", "hint"),
    [
        ("pkg_resources", "does not declare it (a hidden dependency)", '"setuptools<82"'),
        ("yaml.loader", "it needs yaml.loader", '"PyYAML"'),
        ("Some_Thing", "it needs Some_Thing", '"some-thing"'),
        ("one._native", "its own module one._native is not in the wheel", "another version"),
        ("two.api", "the locked version of its provider does not have", "fit together"),
        ("asyncore", "which Python 3.11 no longer has", "a version of one that knows Python 3.11"),
    ],
)
def test_a_missing_module(house: House, missing: str, message: str, hint: str) -> None:
    ((said, advised),) = told(house, found("one", "one", missing=missing))
    assert said.startswith("web: one 1.0: one does not import: ")
    assert message in said
    assert hint in advised


def test_a_cause_is_told_once(house: House) -> None:
    cause: dict[str, Any] = {"message": "No module named 'x'", "missing": "x", "origin": "two.py"}
    said = told(house, found("one", "one", **cause), found("two", "two", **cause))
    assert [message.split(": ")[1] for message, _ in said] == ["two 1.0"]
    ((message, _),) = told(house, found("one", "one", **cause))
    assert message.endswith("(raised in two)")


def test_nothing_that_a_module_says_reaches_the_terminal_raw(house: House) -> None:
    evil = "RuntimeError: \x1b[2Jgone\n::set-env name=X::1"
    ((message, _),) = told(house, found("one", "one", "import", message=evil))
    assert "\x1b" not in message
    assert "\n" not in message
    assert "::set-env" not in message


def test_a_library_that_is_opened_by_name_is_not_for_a_wheel_to_bring(house: House) -> None:
    message = "OSError: cannot load library 'libpango-1.0-0': cannot open shared object file"
    ((_, hint),) = told(house, found("one", "one", "library", message=message))
    assert 'source = "sdist"' not in hint
    assert 'skip-imports = ["one"]' in hint
