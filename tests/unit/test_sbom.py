"""The list of parts of a wheelhouse: what is in it, and that it is valid CycloneDX."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from test_manifest import BUILT

from housefactory import Package, make_contents, make_house
from wheelhouse.contents import describe
from wheelhouse.manifest import Bypassed, Manifest
from wheelhouse.sbom import sbom_text
from wheelhouse.wheels.sboms import LARGEST, Part, Sbom, grafted, read_sboms

if TYPE_CHECKING:
    from pathlib import Path

AUDITWHEEL = Sbom(
    member="one-1.0.dist-info/sboms/auditwheel.cdx.json",
    sha256="7" * 64,
    parts=(Part(name="libpq5", version="15.1", purl="pkg:deb/debian/libpq5@15.1?arch=amd64"),),
)
VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    made = describe(make_contents(tmp_path, [Package(name="one"), Package(name="two")]))
    one, two = made.wheels
    wheels = (
        replace(one, story=BUILT, required_by=("requirements.txt:1",), license="MIT OR ISC"),
        replace(two, required_by=("one",), license="Its Own License"),
    )
    return replace(
        made,
        wheels=wheels,
        bypassed=(Bypassed(name="torch", version="2.7", way="image", required_by=("two",)),),
    )


def document(manifest: Manifest, *sboms: Sbom) -> dict[str, Any]:
    text = sbom_text(manifest, {"one-1.0-py3-none-any.whl": sboms})
    assert VALIDATOR.validate_str(text) is None
    found: dict[str, Any] = json.loads(text)
    return found


def named(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in document["components"] if each["name"] == name)
    return dict(found)


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in component["properties"]}


def needs(document: dict[str, Any], ref: str) -> list[str]:
    (found,) = (each for each in document["dependencies"] if each["ref"] == ref)
    return list(found.get("dependsOn", []))


def test_a_document_that_is_none_would_be_told(manifest: Manifest) -> None:
    broken = json.dumps({**document(manifest), "components": [{"type": "nonsense"}]})
    assert VALIDATOR.validate_str(broken) is not None


def test_a_wheel(manifest: Manifest) -> None:
    one = named(document(manifest, AUDITWHEEL), "one")
    assert one["purl"] == one["bom-ref"] == "pkg:pypi/one@1.0"
    assert one["hashes"] == [{"alg": "SHA-256", "content": manifest.wheels[0].sha256}]
    assert one["licenses"] == [{"expression": "MIT OR ISC", "acknowledgement": "declared"}]
    assert one["externalReferences"] == [
        {"type": "source-distribution", "url": "https://index/demo-1.0.tar.gz"}
    ]
    assert properties(one) == {
        "wheelhouse:role": "wheel",
        "wheelhouse:file": "one-1.0-py3-none-any.whl",
        "wheelhouse:story": "built",
        "wheelhouse:sbom": f"{AUDITWHEEL.member} sha256:{'7' * 64}",
    }


def test_a_license_that_spdx_does_not_know(manifest: Manifest) -> None:
    (terms,) = named(document(manifest), "two")["licenses"]
    assert terms["license"]["name"] == "Its Own License"


def test_a_library_that_was_copied_into_a_wheel(manifest: Manifest) -> None:
    made = document(manifest, AUDITWHEEL)
    library = named(made, "libpq5")
    assert library["purl"] == "pkg:deb/debian/libpq5@15.1?arch=amd64"
    assert properties(library)["wheelhouse:role"] == "copied into one-1.0-py3-none-any.whl"
    assert library["bom-ref"] in needs(made, "pkg:pypi/one@1.0")


def test_a_build_requirement_is_excluded(manifest: Manifest) -> None:
    made = document(manifest)
    tool = named(made, "setuptools")
    assert tool["scope"] == "excluded"
    assert properties(tool)["wheelhouse:role"] == "build requirement of one"
    assert all(tool["bom-ref"] not in each.get("dependsOn", ()) for each in made["dependencies"])


def test_the_toolkit_of_builds_is_excluded(manifest: Manifest) -> None:
    made = document(manifest)
    part = named(made, "nvcc")
    assert part["scope"] == "excluded"
    assert part["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]
    assert properties(part)["wheelhouse:role"] == "CUDA toolkit of one"


def test_a_part_of_the_toolkit_may_be_a_build_requirement_too(manifest: Manifest) -> None:
    one, two = manifest.wheels
    story = replace(BUILT, build_requirements=BUILT.toolkit)
    made = document(replace(manifest, wheels=(replace(one, story=story), two)))
    parts = [each for each in made["components"] if each["name"] == "nvcc"]
    assert {properties(each)["wheelhouse:role"] for each in parts} == {
        "build requirement of one",
        "CUDA toolkit of one",
    }
    assert len({each["bom-ref"] for each in parts}) == 2


def test_who_needs_whom(manifest: Manifest) -> None:
    made = document(manifest)
    assert needs(made, "house") == ["pkg:pypi/one@1.0"]
    assert needs(made, "pkg:pypi/one@1.0") == ["pkg:pypi/two@1.0"]
    assert needs(made, "pkg:pypi/two@1.0") == ["pkg:pypi/torch@2.7"]
    assert "not in here" in properties(named(made, "torch"))["wheelhouse:role"]


def test_nothing_in_it_is_left_to_chance(manifest: Manifest) -> None:
    made = document(manifest)
    assert made == document(manifest)
    assert "timestamp" not in made["metadata"]
    other = document(replace(manifest, wheels=manifest.wheels[:1]))
    assert made["serialNumber"] != other["serialNumber"]


def test_what_wheels_say_is_not_trusted(manifest: Manifest) -> None:
    evil = Sbom(
        member="x\ud800",
        sha256="8" * 64,
        parts=(Part(name="a\x1b[2J", purl="nonsense"), Part(name="b", purl="pkg:")),
    )
    document(manifest, replace(AUDITWHEEL, parts=evil.parts), replace(evil, member="x"))


# -- lists in wheels -----------------------------------------------------------------------------


def listing(*components: object, main: str = "one") -> bytes:
    return json.dumps(
        {"metadata": {"component": {"name": main}}, "components": components}
    ).encode()


def wheel(tmp_path: Path, **members: bytes) -> Path:
    path = tmp_path / "one.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"one-1.0.dist-info/sboms/{name}.cdx.json", data)
    return path


LIBRARY = {"name": "libpq5", "version": "15.1", "purl": "pkg:deb/debian/libpq5@15.1"}


def test_what_auditwheel_wrote(tmp_path: Path) -> None:
    path = wheel(tmp_path, auditwheel=listing({"name": "one"}, LIBRARY), other=b"<xml/>")
    sboms = read_sboms(path)
    assert [each.member.rpartition("/")[2] for each in sboms] == [
        "auditwheel.cdx.json",
        "other.cdx.json",
    ]
    assert grafted(sboms) == [Part(**LIBRARY)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"components": 1}',
        b'{"metadata": []}',
        listing(1),
        listing({}),
        listing({"name": 1}),
        listing({"name": "a", "version": [1]}),
        bytes(LARGEST + 1),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_lists_that_are_none(tmp_path: Path, data: bytes) -> None:
    assert grafted(read_sboms(wheel(tmp_path, auditwheel=data))) == []


def test_no_wheel_has_no_lists(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing")
    assert read_sboms(tmp_path / "x") == read_sboms(tmp_path / "y") == ()


def test_a_list_in_a_wheel_is_in_that_of_the_house_and_stays(tmp_path: Path) -> None:
    member = "demo-1.0.dist-info/sboms/auditwheel.cdx.json"
    files = {"demo.py": b"VALUE = 1\n", member: listing(LIBRARY, main="demo")}
    house = make_house(tmp_path, [Package(name="demo", files=files, modules=("demo",))])
    made = json.loads((house.path / "sbom.cdx.json").read_text())
    assert needs(made, "pkg:pypi/demo@1.0") == ["copied:pkg:deb/debian/libpq5@15.1"]
    kept = (house.path / "wheels/demo-1.0-py3-none-any.whl").read_bytes()
    with zipfile.ZipFile(io.BytesIO(kept)) as archive:
        assert archive.read(member) == files[member]
