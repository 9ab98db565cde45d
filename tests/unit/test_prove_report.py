"""The proof's job and the words for what came out; the proof itself needs a container."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from housefactory import Package, debian12, make_house
from wheelhouse.errors import ProofError
from wheelhouse.manifest import BuiltStory, ImageFacts
from wheelhouse.missing import Missing
from wheelhouse.proofreport import LONGEST, MOST_TRIED, explain, hidden_requirement, read_proof
from wheelhouse.prove import make_job, unseen

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.house import House
    from wheelhouse.proofreport import Proof


GOOD = {
    "type": "result",
    "installed": 2,
    "imports": 3,
    "programs": ["one"],
    "pip": "26.1",
    "failures": [],
    "optional": [],
    "lacking": [],
    "seconds": {"install": 1.0, "import": 0.5},
}


def found(distribution: str, module: str, kind: str = "missing", **more: object) -> dict[str, Any]:
    """What the agent tells of a module that does not import."""
    base: dict[str, Any] = {
        "what": "module",
        "message": "",
        "missing": None,
        "traceback": "",
        "origin": None,
    }
    base["tried"] = []
    return {**base, "distribution": distribution, "module": module, "kind": kind, **more}


def proven(house: House, *failures: dict[str, Any], **more: object) -> Proof:
    """What is read of an answer with *failures*."""
    return read_proof(house, {**GOOD, "failures": list(failures), **more})


def errors(house: House, *failures: dict[str, Any]) -> list[ProofError]:
    return [explain(house, each) for each in proven(house, *failures).failures]


def told(house: House, *failures: dict[str, Any]) -> list[tuple[str, str]]:
    """The (message, hint) of each error that *failures* become."""
    return [(each.message, each.hint or "") for each in errors(house, *failures)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    packages = [
        Package(name="one", files={"one.py": b"", "tests/__init__.py": b"", "setup_sdist.py": b""}),
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
    proof = proven(house)
    assert proof.failures == ()
    assert str(proof) == "2 installed by pip 26.1 in 1.0 s, 3 imported in 0.5 s"


@pytest.mark.parametrize(
    "strange",
    [
        {"installed": None},
        {"imports": "many"},
        {"failures": 7},
        {"failures": [{}]},
        {"failures": [found("one", "one", "of-my-own")]},
        {"failures": [found("another", "one")]},
        {"failures": [found("one\n[tool]", "one")]},
        {"optional": ["x"]},
        {"lacking": None},
        {"failures": [found("one", "one", tried=["libmagic.so.1"])]},
        {"seconds": []},
    ],
)
def test_an_answer_of_another_form_proves_nothing(house: House, strange: dict[str, object]) -> None:
    with pytest.raises(ProofError, match="an answer of another form"):
        proven(house, **strange)


def test_of_what_a_container_says_so_much_is_looked_at(house: House) -> None:
    """Patterns run over it; what is imported there can send what it likes."""
    endless = "a." * 1_000_000
    more: dict[str, Any] = {
        "message": endless,
        "traceback": endless,
        "tried": [["library", "x"]] * 1000,
    }
    (failure,) = proven(house, found("one", "one", **more)).failures
    assert len(failure.message) <= LONGEST
    assert len(failure.traceback) <= 2 * LONGEST
    assert len(failure.tried) <= MOST_TRIED


def test_what_is_imported(house: House) -> None:
    job = make_job(house, "/usr/bin/python3.11", {}, processes=0)
    assert job.parameters["wheels"] == [
        {"name": "one", "modules": ["one"], "extensions": [], "programs": True},
        {"name": "tests-only", "modules": ["tests"], "extensions": [], "programs": True},
        {"name": "two", "modules": ["two"], "extensions": ["two._a"], "programs": True},
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
    assert [w["programs"] for w in job.parameters["wheels"]] == [True, False, True]


def test_what_nothing_was_proven_of(tmp_path: Path) -> None:
    packages = [
        Package(name="one", files={"one.py": b""}, skip_imports=("one",)),
        Package(name="two", files={"two.py": b""}, skip_imports=("two",)),
        Package(name="three", files={"three.py": b"", "four.py": b""}, skip_imports=("four",)),
    ]
    house = make_house(tmp_path, packages, debian12())
    assert unseen(house, proven(house, programs=["two"])) == ("one",)


def test_a_program_that_does_not_load(house: House) -> None:
    program = found("one", "bin/one", "library", what="program", message="undefined symbol: gone")
    ((message, hint),) = told(house, program)
    assert message.endswith(": one 1.0: bin/one does not load: undefined symbol: gone")
    assert 'leave the package out of the proof: [packages.one] skip-imports = ["*"]' in hint


@pytest.mark.parametrize(
    ("missing", "message", "hint"),
    [
        ("one._native", "its own module one._native is not in the wheel", "another version"),
        ("two.api", "the locked version of its provider does not have", "fit together"),
        ("spwd", "which Python 3.11 no longer has", "a version of one that knows Python 3.11"),
    ],
)
def test_a_module_that_no_requirement_brings(
    house: House, missing: str, message: str, hint: str
) -> None:
    (finding,) = proven(house, found("one", "one", missing=missing)).failures
    assert hidden_requirement(house, finding) is None
    error = explain(house, finding)
    assert error.message.startswith("web: one 1.0: one does not import: ")
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("missing", "requirement", "known"),
    [
        ("pkg_resources", "setuptools<82", True),
        ("distutils.core", "setuptools", True),
        ("yaml.loader", "PyYAML", True),
        ("google.protobuf.message", "protobuf", True),
        ("six.moves", "six", True),
        ("Some_Thing", "some-thing", False),
    ],
)
def test_a_hidden_requirement(house: House, missing: str, requirement: str, known: bool) -> None:
    (finding,) = proven(house, found("one", "one", missing=missing)).failures
    hidden = hidden_requirement(house, finding)
    assert hidden is not None
    assert (hidden.package, hidden.requirement, hidden.known) == ("one", requirement, known)


def test_a_requirement_is_that_of_whose_code_it_is(house: House) -> None:
    failure = found("one", "one", missing="pkg_resources", origin="two.py")
    (finding,) = proven(house, failure).failures
    hidden = hidden_requirement(house, finding)
    assert hidden is not None
    assert hidden.package == "two"


@pytest.mark.parametrize(("python", "requirement"), [("3.12", None), ("3.13", "audioop-lts")])
def test_what_left_the_standard_library_is_wanted_where_it_is_gone(
    house: House, python: str, requirement: str | None
) -> None:
    environment = {**house.manifest.target.environment, "python_version": python}
    facts = replace(house.manifest.target, environment=environment)
    other = replace(house, manifest=replace(house.manifest, target=facts))
    (finding,) = proven(other, found("one", "one", missing="audioop")).failures
    hidden = hidden_requirement(other, finding)
    wanted = hidden.requirement.partition(";")[0] if hidden else None
    assert wanted == requirement


def test_setuptools_that_is_there_may_be_too_new(tmp_path: Path) -> None:
    """It has no `pkg_resources` any longer."""
    packages = [Package(name="one"), Package(name="setuptools", version="82.0")]
    house = make_house(tmp_path, packages, debian12())
    (finding,) = proven(house, found("one", "one", missing="pkg_resources")).failures
    hidden = hidden_requirement(house, finding)
    assert hidden is not None
    assert hidden.requirement == "setuptools<82"
    (finding,) = proven(house, found("one", "one", missing="setuptools.gone")).failures
    assert hidden_requirement(house, finding) is None


def test_an_error_shows_the_lines_and_who_asked(house: House) -> None:
    trace = "\n".join([*map(str, range(20)), '  File "<frozen importlib>", line 1', "Bad: day", ""])
    (error,) = errors(house, found("one", "one", "import", traceback=trace))
    assert error.evidence == ("15", "16", "17", "18", "19", "Bad: day")
    assert error.context == (("asked for by", "requirements.txt"),)


def test_what_was_tried_is_read(house: House) -> None:
    tried = [["library", "magic"], ["soname", "libmagic.so.1"], ["header", "magic.h"]]
    (finding,) = proven(house, found("one", "one", "import", tried=tried)).failures
    assert finding.tried == (Missing("library", "magic"), Missing("soname", "libmagic.so.1"))


def test_only_what_the_manifest_needs_can_be_lacking(tmp_path: Path) -> None:
    package = Package(name="one", system_libraries=("libGL.so.1",))
    house = make_house(tmp_path, [package], debian12())
    assert proven(house, lacking=["libGL.so.1", "libevil.so.1"]).lacking == ("libGL.so.1",)


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


def test_what_was_built_here_is_not_to_be_built_from_its_sdist(house: House) -> None:
    gone = found("one", "one", "library", message="ImportError: /x/_one.so: undefined symbol: gone")
    lost = found("one", "one", "library", message="libx.so.1: cannot open shared object file")
    image = ImageFacts(id="sha256:1", name="builder")
    story = BuiltStory(sdist_url="u", sdist_sha256="s", image=image, cache_key="k")
    wheels = [replace(each, story=story) for each in house.manifest.wheels]
    built = replace(house, manifest=replace(house.manifest, wheels=tuple(wheels)))
    for failure in (gone, lost):
        ((_, before),) = told(house, failure)
        assert '[packages.one] source = "sdist"' in before
        ((_, hint),) = told(built, failure)
        assert "sdist" not in hint
        assert hint.startswith("take another version of it; ")


def test_a_library_of_cuda_is_not_for_repair_to_copy(house: House) -> None:
    message = "OSError: libcudart.so.13: cannot open shared object file: No such file or directory"
    ((_, hint),) = told(house, found("one", "one", "library", message=message))
    assert "by its path in nvidia-cuda-runtime" in hint
    assert "sdist" not in hint
