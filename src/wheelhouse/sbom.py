"""``sbom.cdx.json``: all parts of a wheelhouse, as one CycloneDX 1.6 document. Pure.

Its components are the wheels; the libraries of the system that were copied into them, as the
wheels' own lists name them; what the builds required, which is not installed; and what is left to
the server. Times and random numbers are left out, so that equal houses have equal documents.

https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

from wheelhouse.manifest import BuiltStory, FetchedStory
from wheelhouse.wheels.sboms import grafted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cyclonedx.model import ExternalReference, Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentScope
    from cyclonedx.model.license import License
    from packageurl import PackageURL

    from wheelhouse.manifest import BuildRequirementFacts, Bypassed, Manifest, WheelFacts
    from wheelhouse.wheels.sboms import Part, Sbom

FILENAME = "sbom.cdx.json"

#: Of the serial numbers, which are made of what is in the documents.
NAMESPACE = uuid.UUID("199a7304-c507-449d-b609-abeef3594081")

#: Says of a component what it is here.
ROLE = "wheelhouse:role"


def sbom_text(manifest: Manifest, embedded: Mapping[str, tuple[Sbom, ...]]) -> str:
    """The document for the house that *manifest* tells of.

    :param embedded: the lists that each wheel brings along, by the wheel's file name.
    """
    from cyclonedx.output.json import JsonV1Dot6

    text = JsonV1Dot6(_bom(manifest, embedded)).output_as_string()
    return _without_chance(json.loads(text))


def _without_chance(document: dict[str, Any]) -> str:
    """*document* without its time, and with a serial number that follows from the rest of it."""
    del document["metadata"]["timestamp"]
    del document["serialNumber"]
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(NAMESPACE, digest)}"
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _bom(manifest: Manifest, embedded: Mapping[str, tuple[Sbom, ...]]) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.tool import ToolRepository

    house = _house(manifest)
    wheels = {each.name: _wheel(each, embedded.get(each.filename, ())) for each in manifest.wheels}
    bypassed = {each.name: _bypassed(each) for each in manifest.bypassed}
    copied = _copied(manifest, embedded)
    maker = manifest.generator
    tool = _component(maker.name, maker.version, "application", ref="tool")
    bom = Bom(
        metadata=BomMetaData(component=house, tools=ToolRepository(components=[tool])),
        components=[
            *wheels.values(),
            *bypassed.values(),
            *(component for component, _ in copied),
            *_tools(manifest),
        ],
    )
    parts = {**wheels, **bypassed}
    asked_by = {each.name: each.required_by for each in manifest.wheels}
    asked_by |= {each.name: each.required_by for each in manifest.bypassed}
    bom.register_dependency(house, _needed_by(None, parts, asked_by))
    for each in manifest.wheels:
        libraries = [component for component, users in copied if each.filename in users]
        needed = _needed_by(each.name, parts, asked_by)
        bom.register_dependency(wheels[each.name], [*needed, *libraries])
    return bom


def _needed_by(
    name: str | None,
    parts: Mapping[str, Component],
    asked_by: Mapping[str, Iterable[str]],
) -> list[Component]:
    """Those of *parts* that the one called *name* asks for; with None, those that the user does."""
    if name is not None:
        return [parts[each] for each, who in asked_by.items() if name in who]
    return [parts[each] for each, who in asked_by.items() if not parts.keys() >= set(who)]


# -- components ----------------------------------------------------------------------------------


def _house(manifest: Manifest) -> Component:
    target = manifest.target
    return _component(
        target.name,
        "",
        "application",
        ref="house",
        properties={
            "wheelhouse:platform": target.platform,
            "wheelhouse:python": target.python,
            "wheelhouse:arch": target.arch,
        },
    )


def _wheel(wheel: WheelFacts, sboms: Iterable[Sbom]) -> Component:
    story = wheel.story
    return _component(
        wheel.name,
        wheel.version,
        purl=_project(wheel.name, wheel.version),
        sha256=wheel.sha256,
        references=_sources(story),
        terms=wheel.license,
        properties={
            ROLE: "wheel",
            "wheelhouse:file": wheel.filename,
            "wheelhouse:story": story.kind,
        },
        lists=[f"{sbom.member} sha256:{sbom.sha256}" for sbom in sboms],
    )


def _bypassed(each: Bypassed) -> Component:
    return _component(
        each.name,
        each.version,
        purl=_project(each.name, each.version),
        properties={ROLE: f"brought by the server ({each.way}), and not in here"},
    )


def _copied(
    manifest: Manifest, embedded: Mapping[str, tuple[Sbom, ...]]
) -> list[tuple[Component, list[str]]]:
    """Each library of a system that is in wheels, with the file names of those."""
    users: dict[Part, list[str]] = {}
    for wheel in manifest.wheels:
        for part in grafted(embedded.get(wheel.filename, ())):
            users.setdefault(part, []).append(wheel.filename)
    return [(_library(part, users[part]), users[part]) for part in users]


def _library(part: Part, users: Iterable[str]) -> Component:
    return _component(
        part.name,
        part.version,
        ref=f"copied:{part.purl or f'{part.name}@{part.version}'}",
        purl=_as_purl(part.purl),
        properties={ROLE: f"copied into {', '.join(users)}"},
    )


def _tools(manifest: Manifest) -> Iterator[Component]:
    """What builds required, and their CUDA toolkit, each once, with the wheels that it was for."""
    from cyclonedx.model.component import ComponentScope

    users: dict[tuple[str, BuildRequirementFacts], list[str]] = {}
    for wheel in manifest.wheels:
        if isinstance(wheel.story, BuiltStory):
            for each in wheel.story.build_requirements:
                users.setdefault(("build requirement", each), []).append(wheel.name)
            for each in wheel.story.toolkit:
                users.setdefault(("CUDA toolkit", each), []).append(wheel.name)
    for (role, tool), builds in users.items():
        kind = "build" if role == "build requirement" else "toolkit"
        yield _component(
            tool.name,
            tool.version,
            ref=f"{kind}:{tool.name}@{tool.version}:{tool.sha256}",
            purl=_project(tool.name, tool.version),
            scope=ComponentScope.EXCLUDED,
            sha256=tool.sha256,
            references=[("distribution", tool.url)] if tool.url else [],
            properties={ROLE: f"{role} of {', '.join(builds)}"},
        )


def _sources(story: FetchedStory | BuiltStory) -> list[tuple[str, str]]:
    if isinstance(story, FetchedStory):
        return [("distribution", story.url)]
    return [("source-distribution", story.sdist_url)]


def _project(name: str, version: str) -> PackageURL:
    from packageurl import PackageURL

    return PackageURL("pypi", None, name, version)


def _as_purl(text: str) -> PackageURL | None:
    """*text* as a package URL, if it is one."""
    from packageurl import PackageURL

    try:
        return PackageURL.from_string(text)
    except ValueError:
        return None


def _component(
    name: str,
    version: str,
    kind: str = "library",
    *,
    ref: str = "",
    purl: PackageURL | None = None,
    sha256: str = "",
    scope: ComponentScope | None = None,
    terms: str = "",
    references: Iterable[tuple[str, str]] = (),
    properties: Mapping[str, str] | None = None,
    lists: Iterable[str] = (),
) -> Component:
    """A component.

    :param ref: what the rest of the document calls it by; without one, its *purl*.
    :param terms: its license, as its METADATA has it.
    :param references: kinds and addresses of what it comes from.
    :param lists: the lists of parts that it brings along.
    """
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        name=name,
        version=version or None,
        type=ComponentType(kind),
        bom_ref=ref or (purl.to_string() if purl else name),
        purl=purl,
        scope=scope,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
        licenses=_licenses(terms),
        external_references=[_reference(*each) for each in references],
        properties=[
            *(_property(key, value) for key, value in (properties or {}).items()),
            *(_property("wheelhouse:sbom", each) for each in lists),
        ],
    )


def _property(name: str, value: str) -> Property:
    from cyclonedx.model import Property

    return Property(name=name, value=value)


def _reference(kind: str, url: str) -> ExternalReference:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    return ExternalReference(type=ExternalReferenceType(kind), url=XsUri(url))


def _licenses(told: str) -> list[License]:
    """What METADATA says: an identifier or expression of SPDX, or else a name."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.license import LicenseAcknowledgement

    if not told:
        return []
    declared = LicenseAcknowledgement.DECLARED
    return [LicenseFactory().make_from_string(told, license_acknowledgement=declared)]
