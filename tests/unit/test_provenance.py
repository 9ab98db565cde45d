"""What the statements say of each wheel, and that what was not built is not said to be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from test_manifest import BUILT

from housefactory import Package, make_contents, make_house
from wheelhouse.contents import describe
from wheelhouse.manifest import ImageFacts, Manifest
from wheelhouse.provenance import (
    BUILDER,
    FETCHED,
    HOUSE,
    payload_digest,
    statements,
)
from wheelhouse.provenance import (
    BUILT as BUILT_TYPE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = {"manifest.json": "1" * 64, "wheels/demo-1.0-py3-none-any.whl": "2" * 64}


def made(manifest: Manifest, files: Mapping[str, str] = FILES) -> list[dict[str, Any]]:
    return [json.loads(line) for line in statements(manifest, files)]


def definition(statement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = statement["predicate"]["buildDefinition"]
    return found


@pytest.fixture
def fetched(tmp_path: Path) -> Manifest:
    return describe(make_contents(tmp_path, [Package(name="demo")]))


@pytest.fixture
def built(fetched: Manifest) -> Manifest:
    story = replace(
        BUILT,
        image=ImageFacts(id=f"sha256:{'9' * 64}", name="builder"),
        build_requirements=(
            replace(BUILT.build_requirements[0], url="https://index/setuptools-80.whl"),
        ),
        toolkit=(replace(BUILT.toolkit[0], url="https://index/nvcc-13.2.whl"),),
    )
    return replace(fetched, wheels=(replace(fetched.wheels[0], story=story),))


def test_every_statement_is_one_of_slsa_provenance(built: Manifest) -> None:
    for statement in made(built):
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
        details = statement["predicate"]["runDetails"]
        assert details["builder"] == {"id": BUILDER, "version": {"wheelhouse": "0.1.0"}}
        assert details.keys() <= {"builder", "byproducts"}  # when it ran is not told


def test_a_wheel_that_was_built(built: Manifest) -> None:
    statement = made(built)[0]
    (wheel,) = built.wheels
    assert statement["subject"] == [{"name": wheel.filename, "digest": {"sha256": wheel.sha256}}]
    assert definition(statement) == {
        "buildType": BUILT_TYPE,
        "externalParameters": {
            "requirement": {"pin": "demo==1.0", "required_by": ["requirements.txt"]},
            "target": {
                "name": "web",
                "platform": "debian12",
                "python": built.target.python,
                "arch": built.target.arch,
            },
            "settings": {
                "builder": "wheelhouse",
                "network": False,
                "env": {"PG": "1"},
                "config_settings": {"one": "1", "many": ["a", "b"]},
            },
        },
        "internalParameters": {
            "policy": "manylinux_2_36_x86_64",
            "key": "f" * 64,
            "limits": {
                "memory": 4 << 30,
                "processes": 512,
                "cpus": 2,
                "deadline": 3600,
                "output": 64 << 20,
                "result": 8 << 30,
            },
        },
        "resolvedDependencies": [
            {
                "name": "demo-1.0.tar.gz",
                "uri": "https://index/demo-1.0.tar.gz",
                "digest": {"sha256": "d" * 64},
                "annotations": {"role": "sdist"},
            },
            {
                "name": "builder",
                "digest": {"sha256": "9" * 64},
                "annotations": {"role": "builder image"},
            },
            {
                "name": "setuptools",
                "uri": "pkg:pypi/setuptools@80",
                "downloadLocation": "https://index/setuptools-80.whl",
                "digest": {"sha256": "e" * 64},
                "annotations": {"role": "build requirement"},
            },
            {
                "name": "nvcc",
                "uri": "pkg:pypi/nvcc@13.2",
                "downloadLocation": "https://index/nvcc-13.2.whl",
                "digest": {"sha256": "c" * 64},
                "annotations": {"role": "CUDA toolkit"},
            },
            {"name": "libpq-dev", "annotations": {"role": "system package"}},
        ],
    }


def test_a_wheel_that_was_fetched_is_not_said_to_be_built(fetched: Manifest) -> None:
    told = definition(made(fetched)[0])
    (wheel,) = fetched.wheels
    assert told["buildType"] == FETCHED
    assert "settings" not in told["externalParameters"]
    assert told["resolvedDependencies"] == [
        {
            "name": wheel.filename,
            "uri": f"https://index/{wheel.filename}",
            "digest": {"sha256": wheel.sha256},
            "annotations": {"role": "wheel"},
        }
    ]


def test_the_last_one_vouches_for_the_rest(built: Manifest) -> None:
    *wheels, house = statements(built, FILES)
    told = json.loads(house)
    assert definition(told)["buildType"] == HOUSE
    assert {each["name"]: each["digest"]["sha256"] for each in told["subject"]} == FILES
    named = told["predicate"]["runDetails"]["byproducts"]
    assert [each["digest"]["sha256"] for each in named] == [*map(payload_digest, wheels)]


def test_a_machine_that_is_no_image_has_no_digest(built: Manifest) -> None:
    (wheel,) = built.wheels
    story = replace(BUILT, image=ImageFacts(id="local:123", name=""))
    local = replace(built, wheels=(replace(wheel, story=story),))
    assert {"name": "local:123", "annotations": {"role": "builder machine"}} in definition(
        made(local)[0]
    )["resolvedDependencies"]


def test_no_credentials_and_one_line_each(tmp_path: Path) -> None:
    house = make_house(tmp_path, [Package(name="one"), Package(name="two")])
    text = (house.path / "provenance.intoto.jsonl").read_text()
    assert "secret" not in text
    assert len(text.splitlines()) == 3
