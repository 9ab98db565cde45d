"""``manifest.json``: there and back, and its published schema."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

import jsonschema
import pytest

from housefactory import Package, make_house
from wheelhouse import manifest as manifests
from wheelhouse import manifestschema
from wheelhouse.errors import StorageError
from wheelhouse.manifest import BuildRequirementFacts, BuiltStory, ImageFacts

if TYPE_CHECKING:
    from pathlib import Path

BUILT = BuiltStory(
    reason="no wheel fits",
    sdist_url="https://index/demo-1.0.tar.gz",
    sdist_sha256="d" * 64,
    build_requirements=(BuildRequirementFacts(name="setuptools", version="80", sha256="e" * 64),),
    toolkit=(BuildRequirementFacts(name="nvcc", version="13.2", sha256="c" * 64),),
    image=ImageFacts(id="sha256:1", name="builder"),
    system_packages=("libpq-dev",),
    environment={"PG": "1"},
    config_settings={"one": "1", "many": ("a", "b")},
    grafted=("libpq.so.5",),
    policy="manylinux_2_36_x86_64",
    cache_key="f" * 64,
)


def published() -> str:
    return resources.files("wheelhouse").joinpath("data/manifest.schema.json").read_text("utf-8")


def test_the_published_schema_is_that_of_the_types() -> None:
    assert published() == manifestschema.schema_text(), (
        "write manifestschema.schema_text() into src/wheelhouse/data/manifest.schema.json"
    )


def test_every_field_is_described() -> None:
    def check(definition: object) -> None:
        if isinstance(definition, dict):
            for name, each in definition.get("properties", {}).items():
                assert each.get("description"), name
            for each in definition.values():
                check(each)

    check(manifestschema.schema())


def test_there_and_back(tmp_path: Path) -> None:
    house = make_house(tmp_path, [Package(name="demo"), Package(name="other")])
    text = manifests.to_json(house.manifest)
    assert manifests.from_json(text) == house.manifest
    assert manifests.to_json(manifests.from_json(text)) == text
    jsonschema.validate(json.loads(text), json.loads(published()))


def test_a_built_wheel_there_and_back(tmp_path: Path) -> None:
    from dataclasses import replace

    manifest = make_house(tmp_path, [Package(name="demo")]).manifest
    built = replace(manifest, wheels=(replace(manifest.wheels[0], story=BUILT),))
    text = manifests.to_json(built)
    assert manifests.from_json(text) == built
    jsonschema.validate(json.loads(text), json.loads(published()))


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"surprise": 1}, {"wheels": None}, {"requirements": "demo"}],
    ids=lambda change: next(iter(change)),
)
def test_another_form_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    house = make_house(tmp_path, [Package(name="demo")])
    path = house.path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StorageError, match="damaged"):
        manifests.read_manifest(house.path)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(path.read_text()), json.loads(published()))


def test_a_folder_without_one_is_no_wheelhouse(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is no wheelhouse"):
        manifests.read_manifest(tmp_path)
