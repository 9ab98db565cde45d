"""``provenance.intoto.jsonl``: what each wheel was made from, and by what. Pure.

One in-toto Statement v1 a line, with SLSA provenance v1 as its predicate: one for each wheel, in
the manifest's order, then one for the house, whose subjects are all other files. That last one
names the statements before it, too, by their hashes, so that none can be left out or put in. All of
it follows from the manifest and the files: no times, no names of machines.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wheelhouse.manifest import FetchedStory
from wheelhouse.pins import WHEELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wheelhouse.manifest import (
        BuildRequirementFacts,
        BuiltStory,
        ImageFacts,
        Manifest,
        WheelFacts,
    )

FILENAME = "provenance.intoto.jsonl"

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"

#: What the types below, and the builder, are called: a URN that nobody has to own, and that nothing
#: else has. ``docs/provenance.md`` says what each means.
NAMESPACE = "urn:uuid:4d3c5a98-3c95-440e-8bcd-5b2cc062a14d"
BUILDER = f"{NAMESPACE}#wheelhouse"
BUILT = f"{NAMESPACE}#built-v1"
FETCHED = f"{NAMESPACE}#fetched-v1"
HOUSE = f"{NAMESPACE}#house-v1"


def statements(manifest: Manifest, files: Mapping[str, str]) -> list[str]:
    """The statements of the house that *manifest* tells of, each a line without its end.

    :param files: the hash of every file that the last statement is to vouch for, by its path in
        the house.
    """
    wheels = [_of_wheel(wheel, manifest) for wheel in manifest.wheels]
    return [*wheels, _of_house(manifest, files, wheels)]


def payload_digest(payload: str) -> str:
    """What the last statement knows another one by."""
    return hashlib.sha256(payload.encode()).hexdigest()


# -- one wheel -----------------------------------------------------------------------------------


def _of_wheel(wheel: WheelFacts, manifest: Manifest) -> str:
    story = wheel.story
    if isinstance(story, FetchedStory):
        definition = _fetched(wheel, story, manifest)
    else:
        definition = _built(wheel, story, manifest)
    return _statement({wheel.filename: wheel.sha256}, definition, manifest)


def _fetched(wheel: WheelFacts, story: FetchedStory, manifest: Manifest) -> dict[str, Any]:
    """Nothing is claimed of how it was made: its authors, or their index, may tell that."""
    return {
        "buildType": FETCHED,
        "externalParameters": {
            "requirement": _requirement(wheel),
            "target": _target(manifest),
        },
        "internalParameters": {},
        "resolvedDependencies": [
            _resource(wheel.filename, role="wheel", sha256=story.sha256, uri=story.url)
        ],
    }


def _built(wheel: WheelFacts, story: BuiltStory, manifest: Manifest) -> dict[str, Any]:
    settings = {
        "builder": story.builder,
        "network": story.network,
        "env": story.environment,
        "config_settings": story.config_settings,
    }
    return {
        "buildType": BUILT,
        "externalParameters": {
            "requirement": _requirement(wheel),
            "target": _target(manifest),
            "settings": _plain(settings),
        },
        "internalParameters": {
            "policy": story.policy,
            **({"shared": [asdict(each) for each in story.shared]} if story.shared else {}),
            "key": story.cache_key,
            "limits": asdict(manifest.limits),
        },
        "resolvedDependencies": list(_ingredients(story)),
    }


def _ingredients(story: BuiltStory) -> Iterator[dict[str, Any]]:
    yield _resource(
        _file_name(story.sdist_url), role="sdist", sha256=story.sdist_sha256, uri=story.sdist_url
    )
    yield _image("builder", story.image)
    yield from (_tool(each, role="build requirement") for each in story.build_requirements)
    yield from (_tool(each, role="CUDA toolkit") for each in story.toolkit)
    for name in story.system_packages:  # which ones of them, the image's digest says
        yield _resource(name, role="system package")


def _tool(each: BuildRequirementFacts, role: str) -> dict[str, Any]:
    return _resource(
        each.name,
        role=role,
        sha256=each.sha256,
        uri=purl(each.name, each.version),
        where=each.url,
    )


def _requirement(wheel: WheelFacts) -> dict[str, Any]:
    return {"pin": f"{wheel.name}=={wheel.version}", "required_by": list(wheel.required_by)}


def _target(manifest: Manifest) -> dict[str, Any]:
    target = manifest.target
    return {
        "name": target.name,
        "platform": target.platform,
        "python": target.python,
        "arch": target.arch,
    }


def purl(name: str, version: str) -> str:
    """The package URL of a project's version: https://github.com/package-url/purl-spec."""
    from packageurl import PackageURL

    return PackageURL("pypi", None, name, version).to_string()


# -- the house -----------------------------------------------------------------------------------


def _of_house(manifest: Manifest, files: Mapping[str, str], wheels: Sequence[str]) -> str:
    definition = {
        "buildType": HOUSE,
        "externalParameters": {
            "requirements": list(manifest.requirements),
            "target": _target(manifest),
        },
        "internalParameters": {},
        "resolvedDependencies": [
            _resource(
                f"pylock.{manifest.target.name}.toml", role="lock", sha256=manifest.lock_sha256
            ),
            _image("builder", manifest.builder),
            _image("runtime", manifest.runtime),
        ],
    }
    told = [
        _resource(wheel.filename, role="statement", sha256=payload_digest(statement))
        for wheel, statement in zip(manifest.wheels, wheels, strict=True)
    ]
    return _statement(files, definition, manifest, byproducts=told)


def wheel_path(wheel: WheelFacts) -> str:
    """Where *wheel* is in the house."""
    return f"{WHEELS}/{wheel.filename}"


# -- their form ----------------------------------------------------------------------------------


def _statement(
    subjects: Mapping[str, str],
    definition: dict[str, Any],
    manifest: Manifest,
    byproducts: Sequence[dict[str, Any]] = (),
) -> str:
    """The text of a statement, on one line; the same for the same facts."""
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    builder = {"id": BUILDER, "version": {"wheelhouse": manifest.generator.version}}
    predicate = {
        "buildDefinition": definition,
        "runDetails": {"builder": builder, **({"byproducts": byproducts} if byproducts else {})},
    }
    descriptors = [
        ResourceDescriptor(name=name, digest={"sha256": subjects[name]}).pb
        for name in sorted(subjects)
    ]
    statement = Statement(descriptors, PREDICATE_TYPE, predicate)
    statement.validate()
    return json.dumps(MessageToDict(statement.pb), sort_keys=True, separators=(",", ":"))


def _resource(
    name: str, *, role: str, sha256: str = "", uri: str = "", where: str = ""
) -> dict[str, Any]:
    """A ResourceDescriptor of in-toto, as JSON has it; *role* says what it was for."""
    found: dict[str, Any] = {"name": name, "annotations": {"role": role}}
    if sha256:
        found["digest"] = {"sha256": sha256}
    if uri:
        found["uri"] = uri
    if where:
        found["downloadLocation"] = where
    return found


def _image(name: str, image: ImageFacts) -> dict[str, Any]:
    """An image by its digest; where there is no container, the machine has a name of ours."""
    if image.id.startswith("sha256:"):
        return _resource(name, role=f"{name} image", sha256=image.id.removeprefix("sha256:"))
    return _resource(image.id, role=f"{name} machine")


def _file_name(url: str) -> str:
    return url.partition("#")[0].rstrip("/").rpartition("/")[2] or url


def _plain(value: object) -> Any:
    """*value* in JSON's types."""
    return json.loads(json.dumps(value))
