"""Asking a distribution for packages: what is asked of what, how often, and what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakeengine import FakeContainer, FakeEngine, frame
from lockingfactory import images, target

from wheelhouse.building.runner import Runner
from wheelhouse.engine import Image, Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import EngineError
from wheelhouse.events import SilentReporter
from wheelhouse.finding import DistributionFinder
from wheelhouse.missing import Missing
from wheelhouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.engine import Role

#: One that the table knows, and one that it does not.
PQ = Missing("header", "libpq-fe.h")
OTF = Missing("header", "otf.h")

INDEX = Image(id="sha256:index", name="index:1", origin="derived")


def replies(**message: object) -> FakeContainer:
    return FakeContainer([("stdout", frame({"type": "result", **message, "size": 0}))])


def has(*packages: str) -> FakeContainer:
    return replies(packages=packages)


def answers(*found: dict[str, object]) -> FakeContainer:
    """An index's answers: the packages of each path."""
    told = [
        {
            "files": {"": list(each.items())},
            "names": {},
            "packages": {},
            "lists": True,
        }
        for each in found
    ]
    return replies(answers=told)


def finder(engine: FakeEngine, folder: Path, role: Role = "builder") -> DistributionFinder:
    store = Store(folder / "store")
    runner = Runner(engine, store, Limits(), SilentReporter(), Cancellation())
    return DistributionFinder(runner, target(), images(), role)


def asked(engine: FakeEngine) -> list[tuple[str, str]]:
    return [(spec.image, spec.argv[0]) for spec in engine.started]


def test_what_the_table_knows_needs_no_index(tmp_path: Path) -> None:
    engine = FakeEngine(has("gcc"))
    assert finder(engine, tmp_path).find([PQ]) == {PQ: ("libpq-dev",)}
    assert asked(engine) == [(images().builder.id, images().tool_python)]


def test_nothing_missing_asks_nothing(tmp_path: Path) -> None:
    engine = FakeEngine(has())
    assert finder(engine, tmp_path).find([]) == {}
    assert engine.started == []


def test_the_index_is_asked_once_for_all_that_the_table_does_not_know(tmp_path: Path) -> None:
    glue = Missing("library", "glue")
    engine = FakeEngine(
        has("gcc"),
        answers({"/usr/include/otf.h": ["libotf-dev"]}, {"/usr/lib/libglue.so": ["libglue-dev"]}),
    )
    engine.indexed = INDEX
    # The image is asked what it has where the table knows a package, or the index answers.
    found = finder(engine, tmp_path).find([PQ, OTF, glue])
    assert found == {PQ: ("libpq-dev",), OTF: ("libotf-dev",), glue: ("libglue-dev",)}
    assert [image for image, _ in asked(engine)] == [images().builder.id, "sha256:index"]
    assert b'"/otf.h"' in engine_input(engine)
    assert b'"/libglue.so"' in engine_input(engine)


def engine_input(engine: FakeEngine) -> bytes:
    """What the last container was fed."""
    return bytes(engine.containers[-1].fed)


def test_answers_are_kept(tmp_path: Path) -> None:
    first = FakeEngine(answers({"/usr/include/otf.h": ["libotf-dev"]}), has("gcc"))
    first.indexed = INDEX
    found = finder(first, tmp_path).find([OTF])
    second = FakeEngine(has())
    second.indexed = INDEX
    assert finder(second, tmp_path).find([OTF]) == found == {OTF: ("libotf-dev",)}
    assert second.started == []


def test_another_index_is_asked_anew(tmp_path: Path) -> None:
    first = FakeEngine(answers({"/usr/include/otf.h": ["libotf-dev"]}), has("gcc"))
    first.indexed = INDEX
    finder(first, tmp_path).find([OTF])
    second = FakeEngine(answers({"/usr/include/otf.h": ["libotf2-dev"]}))
    second.indexed = replace(INDEX, id="sha256:refreshed")
    assert finder(second, tmp_path).find([OTF]) == {OTF: ("libotf2-dev",)}


def test_a_package_that_is_there_is_not_offered(tmp_path: Path) -> None:
    engine = FakeEngine(
        has("libpq-dev"),
        answers({"/usr/include/libpq-fe.h": ["libpq-dev"], "/usr/include/x/libpq-fe.h": ["pq-x"]}),
    )
    engine.indexed = INDEX
    assert finder(engine, tmp_path).find([PQ]) == {PQ: ("pq-x",)}


def test_without_an_index_only_the_table_answers(tmp_path: Path) -> None:
    engine = FakeEngine(has())
    assert finder(engine, tmp_path).find([PQ, OTF]) == {PQ: ("libpq-dev",), OTF: ()}


def test_the_runtime_is_asked_on_its_own_python(tmp_path: Path) -> None:
    gl = Missing("soname", "libGL.so.1")
    engine = FakeEngine(has("python3"))
    found = finder(engine, tmp_path, "runtime")
    assert found.find([gl]) == {gl: ("libgl1",)}
    assert asked(engine) == [(images().runtime.id, images().runtime_python)]
    assert (found.platform, found.family) == ("debian12", "debian")


def test_an_index_that_does_not_answer_is_told(tmp_path: Path) -> None:
    refusal = {"type": "failed", "stage": "agent", "message": "no such file", "size": 0}
    engine = FakeEngine(FakeContainer([("stdout", frame(refusal))]))
    engine.indexed = INDEX
    with pytest.raises(EngineError, match=r"Debian 12 .* cannot be asked for: no such") as caught:
        finder(engine, tmp_path).find([OTF])
    assert caught.value.log is not None
