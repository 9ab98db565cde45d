"""Nobody takes the place of a private project, also not among what builds require.

Two indexes on loopback: a private one, and a public one that has the same names in higher versions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import images, interpreter, metadata, sha, tar_bytes, target
from lockingworld import World, answer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.errors import WheelhouseError
from wheelhouse.fetch import Client
from wheelhouse.inputs.model import Asked, Requirements
from wheelhouse.locking import metadata as metadata_module
from wheelhouse.locking.indexes import Indexes
from wheelhouse.locking.lockfile import dump_lock, load_lock
from wheelhouse.scheduler import Scheduler
from wheelhouse.settings import IndexSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.locking.model import Lock, LockedBuild

CORP = '[build-system]\nrequires = ["corp-build"]\nbuild-backend = "corp_build"\n'
CORP_BUILD = canonicalize_name("corp-build")


class Shop(World):
    """A world with two indexes; the private one has all that is to be had."""

    def __init__(self, root: Path, private: FlakyIndex, public: FlakyIndex) -> None:
        super().__init__(root)
        self.private, self.public = private, public
        self._files: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for version in ("1.0", "2.0"):
            self._wheel(private, "corp-build", version)
        self._wheel(public, "corp-build", "99.0")
        self._sdist(private, "app", "1.0")

    def declare(self, *indexes: IndexSettings) -> None:
        default = IndexSettings(name="default", url=self.public.url("/simple"))
        self.project = replace(self.project, default_index=default, indexes=indexes)
        self._open()

    def _open(self) -> None:
        """Indexes as a new run sees them."""
        self.index = Indexes(Client(patience=QUICK), self.project)  # type: ignore[assignment]

    @property
    def corp(self) -> str:
        return self.private.url("/simple")

    def made(self, *asked: Asked, old: Lock | None = None) -> Lock:
        self._open()
        with Scheduler(2) as scheduler:
            made = self.locker(scheduler).lock(
                target(), interpreter(), images(), Requirements(asked=asked), old
            )
        path = self.root / "pylock.web.toml"
        path.write_text(dump_lock(made))
        assert load_lock(path) == made
        return made

    def mended(self, lock: Lock) -> LockedBuild:
        """What the build of the first package gets once it is looked at anew."""
        self._open()
        with Scheduler(2) as scheduler:
            inspector = self.locker(scheduler).inspector(
                target(), interpreter(), images(), lock, learning=False
            )
            return inspector.inspect(lock.packages[0]).build

    def asked_of_public(self) -> list[str]:
        return [each.path for each in self.public.asked]

    def _wheel(self, index: FlakyIndex, name: str, version: str) -> None:
        data = f"{name} {version} of {index.port}".encode()
        self.store.add([data])
        text = {"text": metadata(name, version)}
        self.store.write_record(metadata_module.KIND, sha(data), text)
        self._serve(index, name, f"{name.replace('-', '_')}-{version}-py3-none-any.whl", data)

    def _sdist(self, index: FlakyIndex, name: str, version: str) -> None:
        top = f"{name}-{version}"
        info = metadata(name, version, level="2.2")
        data = tar_bytes({f"{top}/PKG-INFO": info, f"{top}/pyproject.toml": CORP})
        self.store.add([data])
        self._serve(index, name, f"{top}.tar.gz", data)

    def _serve(self, index: FlakyIndex, name: str, filename: str, data: bytes) -> None:
        known = self._files.setdefault((index.port, name), [])
        file = {"filename": filename, "url": f"/{filename}", "hashes": {"sha256": sha(data)}}
        known.append(file)
        index.page(name, known)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with FlakyIndex() as private, FlakyIndex() as public:
        found = Shop(tmp_path, private, public)
        found.declare()
        yield found


def line(name: str, *, index: str | None = None) -> Asked:
    origin = "poetry.lock" if index else "requirements.txt:1"
    return Asked(
        requirement=Requirement(name), origin=origin, index=index, closed=index is not None
    )


def versions(build: LockedBuild | None) -> list[str]:
    assert build is not None
    return [str(each.version) for each in build.environment]


def test_a_lock_s_index_is_that_of_build_requirements_too(shop: Shop) -> None:
    lines = line("app==1.0", index=shop.corp), line("corp-build==1.0", index=shop.corp)
    lock = shop.made(*lines)
    assert versions(lock.packages[0].build) == ["2.0"]  # from there, if not in that version
    assert versions(shop.mended(lock)) == ["2.0"]
    assert shop.asked_of_public() == []


def test_a_build_requirement_keeps_its_private_index(shop: Shop) -> None:
    shop.declare(IndexSettings(name="corp", url=shop.corp))
    lock = shop.made(line("app"))
    assert versions(lock.packages[0].build) == ["2.0"]
    assert lock.homes == {CORP_BUILD: shop.corp, canonicalize_name("app"): shop.corp}
    shop.private.on("/simple/corp-build/", Answer(status=404))
    shop.containers(answer())
    with pytest.raises(WheelhouseError, match="corp-build is to come from corp"):
        shop.made(line("app"), old=lock)
    with pytest.raises(WheelhouseError, match="corp-build is to come from corp"):
        shop.mended(lock)
    assert shop.asked_of_public() == []


def test_an_index_that_is_bound_anew_is_left(shop: Shop) -> None:
    """The way out for who moves a project from a private index to the default one."""
    shop.declare(IndexSettings(name="corp", url=shop.corp))
    lock = shop.made(line("app"))
    shop.private.on("/simple/corp-build/", Answer(status=404))
    bound = replace(shop.project.settings(CORP_BUILD), index="default")
    shop.project = replace(shop.project, packages={CORP_BUILD: bound})
    shop.containers(answer())
    assert versions(shop.made(line("app"), old=lock).packages[0].build) == ["99.0"]
