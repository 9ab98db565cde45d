"""What the authors of fetched wheels and of sdists attest of them, where their index offers it.

PEP 740: an index may have, beside a file, its *provenance*: who published it, and signed statements
of theirs. They are verified by `pypi-attestations`, against the roots of trust that `sigstore`
brings along; nobody but the index is asked for anything.

https://peps.python.org/pep-0740/
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import canonicalize_name

from wheelhouse.errors import CheckError, ConfigError, FetchError, WheelhouseError, raise_all
from wheelhouse.fetch import Client
from wheelhouse.locking.index import ABSOLUTE, Index
from wheelhouse.manifest import FetchedStory
from wheelhouse.text import counted, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.manifest import Manifest, WheelFacts

#: Bytes of a provenance, and seconds that its server may take.
LARGEST, PATIENCE = 8 << 20, 120.0

#: Pages that are read at one time.
THREADS = 8

_ACCEPT = "application/vnd.pypi.integrity.v1+json, application/json;q=0.9"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A file as its index has it: a wheel of the house, or the sdist that one was built from.

    :ivar index: its address; empty if it came from none.
    """

    project: str
    filename: str
    sha256: str
    index: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is attested of one file.

    :ivar outcome: ``bad`` is an attestation that does not hold; ``unknown``: it could not be asked.
    :ivar detail: by whom, or why.
    """

    filename: str
    outcome: Literal["attested", "none", "bad", "unknown"]
    detail: str

    def __str__(self) -> str:
        return f"{self.filename}: {self.detail}"

    def to_dict(self) -> dict[str, str]:
        """For ``wheelhouse verify --json``."""
        return asdict(self)


def look_up(manifest: Manifest, client: Client | None = None) -> list[Finding]:
    """Ask the indexes for what is attested of every file that came from one; by wheel.

    :raises ConfigError: the library that verifies is not installed.
    """
    _check_installed()
    indexes = _Indexes(client or Client())
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(indexes.finding, map(_published, manifest.wheels)))


def refuse_bad(findings: Sequence[Finding]) -> None:
    """Raise unless every one of *findings* is fine, or there was nothing to find.

    :raises CheckError: attestations do not hold.
    :raises FetchError: it could not be found out whether there are any.
    """
    errors: list[WheelhouseError] = []
    bad = [str(each) for each in findings if each.outcome == "bad"]
    unknown = [str(each) for each in findings if each.outcome == "unknown"]
    if bad:
        errors.append(
            CheckError(
                f"{counted(len(bad), 'attestation')} of what is in here do not hold: "
                f"{'; '.join(bad)}",
                hint="do not install it, and tell the index; but if they are new, a newer release "
                "of `sigstore` may know keys that this one does not",
            )
        )
    if unknown:
        errors.append(
            FetchError(
                f"it could not be found out what is attested: {'; '.join(unknown)}",
                hint="try again later, or leave out --attestations",
            )
        )
    raise_all(errors)


def _published(wheel: WheelFacts) -> Published:
    story = wheel.story
    if isinstance(story, FetchedStory):
        filename, sha256 = wheel.filename, story.sha256
    else:
        filename, sha256 = story.sdist_url.rpartition("/")[2], story.sdist_sha256
    return Published(project=wheel.name, filename=filename, sha256=sha256, index=story.index)


class _Indexes:
    """Asks each index of each project once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._indexes: dict[str, Index] = {}

    def finding(self, file: Published) -> Finding:
        """What is attested of *file*."""
        if not file.index:
            return _finding(file, "none", "it came from no index, so nothing is attested")
        try:
            url = self._provenance_url(file)
            if not url:
                return _finding(file, "none", "its index offers no attestation")
            answer = self._client.page(url, accept=_ACCEPT, at_most=LARGEST, total=PATIENCE)
        except FetchError as error:
            return _finding(file, "unknown", error.message)
        if answer is None:
            return _finding(file, "unknown", f"there is nothing at {url}")
        return verify(file, answer.content)

    def _provenance_url(self, file: Published) -> str:
        """Where the provenance of *file* is; empty if there is none. Raises FetchError."""
        index = self._indexes.setdefault(file.index, Index(self._client, file.index))
        page = index.project(canonicalize_name(file.project))
        listed = page.files if page else ()
        for each in listed:
            if each.filename == file.filename and each.sha256 in {None, file.sha256}:
                return each.provenance if each.provenance.startswith(ABSOLUTE) else ""
        raise FetchError(f"{index.title} does not have it any more")


def _finding(
    file: Published, outcome: Literal["attested", "none", "bad", "unknown"], detail: str
) -> Finding:
    return Finding(filename=file.filename, outcome=outcome, detail=sanitize(detail))


# -- verifying -----------------------------------------------------------------------------------


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("pypi_attestations") is None:
        raise ConfigError(
            "`pypi-attestations`, which verifies what authors attest, is not installed",
            hint="python -m pip install 'wheelhouse[attestations]'",
        )
    # sigstore warns that it goes by what it brings along, which is what is wanted.
    logging.getLogger("sigstore").addHandler(logging.NullHandler())


def verify(file: Published, provenance: bytes) -> Finding:
    """Whether every attestation in *provenance*, a JSON object of PEP 740, is one of *file*."""
    from pypi_attestations import AttestationError, Distribution, Provenance
    from sigstore.errors import Error

    try:
        distribution = Distribution(name=file.filename, digest=file.sha256)
        bundles = Provenance.model_validate_json(provenance).attestation_bundles
        kinds: list[str] = []
        for bundle in bundles:
            for attestation in bundle.attestations:
                kind, _ = attestation.verify(bundle.publisher, distribution, offline=True)
                kinds.append(kind)
    except (AttestationError, Error, ValueError, LookupError, TypeError, AttributeError) as error:
        return _finding(file, "bad", " ".join(str(error).split())[:300])
    if not kinds:
        return _finding(file, "bad", "its provenance has no attestation")
    return _finding(file, "attested", f"attested by {'; '.join(map(_name, bundles))}")


def _name(bundle: Any) -> str:
    """Whom the index calls the publisher: ``GitHub repository=owner/name workflow=release.yml``."""
    return " ".join(_identity(bundle.publisher.model_dump()))


def _identity(publisher: dict[str, Any]) -> Iterator[str]:
    yield str(publisher.pop("kind"))
    for key, value in publisher.items():
        if value and key != "claims":
            yield f"{key}={value}"
