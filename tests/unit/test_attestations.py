"""What authors attest of files, asked of an index on loopback.

A genuine attestation cannot be made here: it takes an identity that Sigstore vouches for. The
source of the library that verifies them has some, for its own tests; it is fetched from the index.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import canonicalize_name
from test_manifest import BUILT

from housefactory import Package, make_contents
from projects import LocalIndex, serving
from wheelhouse.attestations import Finding, look_up, refuse_bad
from wheelhouse.contents import describe
from wheelhouse.errors import CheckError, FetchError, SeveralErrors
from wheelhouse.fetch import Client, Fetcher, Patience
from wheelhouse.locking.index import Index, page_from_html, page_from_json
from wheelhouse.manifest import FetchedStory, Manifest
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "pypi_attestations-0.0.30"
ATTESTED = "pypi_attestations-0.0.19.tar.gz"


@dataclass
class Offered:
    """A file with its provenance."""

    filename: str
    content: bytes
    provenance: bytes | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class AttestingIndex(LocalIndex):
    """An index that offers provenances."""

    def __init__(self, *files: Offered) -> None:
        super().__init__()
        self.offered = {each.filename: each for each in files}

    def answer(self, path: str) -> bytes | None:
        match path.strip("/").split("/"):
            case ["simple", name]:
                return json.dumps({"name": name, "files": [*self._listed()]}).encode()
            case ["provenance", filename]:
                return self.offered[filename].provenance
        return None

    def _listed(self) -> Iterator[dict[str, Any]]:
        base = self.url.removesuffix("/simple")
        for each in self.offered.values():
            given = each.provenance is not None
            yield {
                "filename": each.filename,
                "url": f"{base}/files/{each.filename}",
                "hashes": {"sha256": each.sha256},
                "provenance": f"{base}/provenance/{each.filename}" if given else None,
            }


def manifest_of(tmp_path: Path, offered: Offered, index: str) -> Manifest:
    """A manifest of one wheel, which is *offered* or was built from it."""
    manifest = describe(make_contents(tmp_path, [Package(name="demo")]))
    (wheel,) = manifest.wheels
    if offered.filename.endswith(".whl"):
        fetched = FetchedStory(
            url=f"https://files/{offered.filename}", sha256=offered.sha256, index=index
        )
        wheel = replace(wheel, filename=offered.filename, story=fetched)
    else:
        built = replace(
            BUILT,
            sdist_url=f"https://files/{offered.filename}",
            sdist_sha256=offered.sha256,
            index=index,
        )
        wheel = replace(wheel, story=built)
    return replace(manifest, wheels=(wheel,))


def found(tmp_path: Path, index: LocalIndex, offered: Offered) -> Finding:
    with serving(index):
        (finding,) = look_up(
            manifest_of(tmp_path, offered, index.url),
            Client(patience=Patience(backoff=0.01, page=20)),
        )
    return finding


WHEEL = Offered(filename="demo-1.0-py3-none-any.whl", content=b"wheel")


def test_what_is_of_no_index(tmp_path: Path) -> None:
    (finding,) = look_up(manifest_of(tmp_path, WHEEL, ""))
    assert finding.outcome == "none"
    refuse_bad([finding])


def test_an_index_that_offers_none(tmp_path: Path) -> None:
    finding = found(tmp_path, AttestingIndex(WHEEL), WHEEL)
    assert (finding.outcome, finding.detail) == ("none", "its index offers no attestation")


def test_an_index_that_has_another_file_now(tmp_path: Path) -> None:
    other = replace(WHEEL, content=b"another")
    finding = found(tmp_path, AttestingIndex(other), WHEEL)
    assert finding.outcome == "unknown"
    with pytest.raises(FetchError, match="does not have it any more") as caught:
        refuse_bad([finding])
    assert caught.value.hint


def test_an_index_that_cannot_be_asked(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, WHEEL, "http://127.0.0.1:9/simple")
    (finding,) = look_up(manifest, Client(patience=Patience(backoff=0.01, page=1)))
    assert finding.outcome == "unknown"


def test_a_provenance_that_is_not_there(tmp_path: Path) -> None:
    class Lost(AttestingIndex):
        def answer(self, path: str) -> bytes | None:
            return None if "provenance" in path else super().answer(path)

    offered = replace(WHEEL, provenance=b"{}")
    assert found(tmp_path, Lost(offered), offered).outcome == "unknown"


NO_ATTESTATION = {
    "publisher": {"kind": "GitHub", "repository": "a/b", "workflow": "c.yml"},
    "attestations": [],
}


@pytest.mark.parametrize(
    "provenance",
    [
        b"",
        b"{}",
        b"[" * 50_000,
        b"<html>",
        b'{"version": 1, "attestation_bundles": []}',
        b'{"version": 1, "attestation_bundles": [{"publisher": {"kind": "x"}}]}',
        json.dumps({"version": 1, "attestation_bundles": [NO_ATTESTATION]}).encode(),
    ],
    ids=lambda data: repr(data[:30]),
)
def test_a_provenance_that_is_none(tmp_path: Path, provenance: bytes) -> None:
    offered = replace(WHEEL, provenance=provenance)
    finding = found(tmp_path, AttestingIndex(offered), offered)
    assert finding.outcome == "bad"
    with pytest.raises(CheckError, match=r"demo-1\.0-py3-none-any\.whl") as caught:
        refuse_bad([finding])
    assert caught.value.hint


def test_the_bad_and_the_unknown_are_told_together() -> None:
    told = [
        Finding(filename="a", outcome="bad", detail="no"),
        Finding(filename="b", outcome="unknown", detail="away"),
        Finding(filename="c", outcome="attested", detail="by d"),
    ]
    with pytest.raises(SeveralErrors) as caught:
        refuse_bad(told)
    assert [error.exit_status for error in caught.value.errors] == [5, 3]


@pytest.mark.parametrize("given", [None, "", 1, "http://[", "javascript:x"])
def test_an_index_page_with_nonsense_for_a_provenance(given: object) -> None:
    file = {"filename": "a-1-py3-none-any.whl", "url": "a", "provenance": given}
    page = page_from_json("a", "https://i/simple/a/", json.dumps({"files": [file]}).encode())  # type: ignore[arg-type]
    assert not page.files[0].provenance.startswith("http")


def test_an_html_page(tmp_path: Path) -> None:
    html = b'<a href="a-1-py3-none-any.whl" data-provenance="https://i/p">a</a>'
    page = page_from_html("a", "https://i/simple/a/", html)  # type: ignore[arg-type]
    assert page.files[0].provenance == "https://i/p"


# -- genuine ones --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Offered:
    """A file and what its authors attest of it."""
    folder = tmp_path_factory.mktemp("attested")
    client = Client()
    page = Index(client, "https://pypi.org/simple").project(canonicalize_name("pypi-attestations"))
    assert page is not None
    (source,) = (each for each in page.files if each.filename == f"{SOURCE}.tar.gz")
    assert source.sha256 is not None
    fetcher = Fetcher(client, Store(folder), lambda: None)
    fetched = fetcher.fetch(source.url, source.sha256)
    assets = f"{SOURCE}/test/assets/{ATTESTED}"
    with tarfile.open(fetched) as archive:
        content, provenance = (
            archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in (assets, f"{assets}.provenance")
        )
    return Offered(filename=ATTESTED, content=content, provenance=provenance)


@pytest.mark.index
def test_a_genuine_attestation(tmp_path: Path, genuine: Offered) -> None:
    finding = found(tmp_path, AttestingIndex(genuine), genuine)
    assert finding.outcome == "attested", finding
    assert "repository=trailofbits/pypi-attestations" in finding.detail
    refuse_bad([finding])


@pytest.mark.index
@pytest.mark.parametrize(
    "change",
    [
        {"filename": "pypi_attestations-0.0.20.tar.gz"},
        {"content": b"other bytes"},
        {"provenance": (b'"trailofbits/', b'"mallory/')},
        {"provenance": (b'"release.yml"', b'"other.yml"')},
        {"provenance": (b'"signature":"MEY', b'"signature":"MEZ')},
        {"provenance": (b'"statement":"eyJ', b'"statement":"eyK')},
    ],
    ids=str,
)
def test_a_genuine_attestation_of_something_else(
    tmp_path: Path, genuine: Offered, change: dict[str, Any]
) -> None:
    if "provenance" in change:
        before, after = change["provenance"]
        assert genuine.provenance is not None
        text = json.dumps(json.loads(genuine.provenance), separators=(",", ":")).encode()
        assert before in text
        change = {"provenance": text.replace(before, after)}
    offered = replace(genuine, **change)
    assert found(tmp_path, AttestingIndex(offered), offered).outcome == "bad"
