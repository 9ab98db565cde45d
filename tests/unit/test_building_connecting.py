"""The second repair of a built wheel: done once for the same wheel and neighbours, and kept."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import FakeContainer, FakeEngine, file_frame, frame
from lockingfactory import locked, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.building.connecting import connect
from wheelhouse.building.failed import FailedBuildError
from wheelhouse.building.recipe import Recipe
from wheelhouse.building.runner import Runner
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import BuildError
from wheelhouse.events import SilentReporter
from wheelhouse.locking.model import LockedBuild, LockedPackage
from wheelhouse.plan import Built, Step
from wheelhouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NAME = "demo-1.0-cp311-cp311-linux_x86_64.whl"
WAYS = {"libtorch.so": "torch/lib"}
REPAIR: dict[str, Any] = {"grafted": {}, "unlocated": [], "search": {}}


def repaired(content: bytes = b"repaired") -> FakeContainer:
    answer = {"type": "result", "repaired": True, "repair": REPAIR}
    return FakeContainer([("stdout", file_frame(NAME, content)), ("stdout", frame(answer))])


class Shop:
    """A store with a wheel as it was built, and as it was repaired first."""

    def __init__(self, root: Path, *containers: FakeContainer) -> None:
        self.store = Store(root)
        self.engine = FakeEngine(*containers)
        self.unrepaired = self.store.add([b"as it was built"])
        self.first = self.store.add([b"repaired first"])
        sdist = locked("demo-1.0.tar.gz")
        self.step = Step(
            action="build",
            package=LockedPackage(
                name=canonicalize_name("demo"),
                version=Version("1.0"),
                build=LockedBuild(static=(), dynamic=(), environment=()),
            ),
            file=sdist,
            reason="why",
            recipe=Recipe(
                sdist=sdist,
                image="sha256:builder",
                python="/usr/bin/python3",
                tool_python="/opt/tools/bin/python",
                tool_path="/opt/tools/bin",
            ),
            key="c" * 64,
        )

    def connect(self, ways: dict[str, str] | None = None, *, own: bool = False) -> Built:
        """:param own: whether its own recipe has repaired it, so that there is nothing else."""
        facts: dict[str, Any] = {
            "repaired": True,
            "grafted": ["libtorch 2.0"],
            "repair": REPAIR,
            "unrepaired": "" if own else self.unrepaired,
            "log": "x.log",
        }
        built = Built(filename=NAME, sha256=self.first, facts=facts)
        runner = Runner(self.engine, self.store, Limits(), SilentReporter(), Cancellation())
        return connect(self.step, built, WAYS if ways is None else ways, target(), runner)

    def sent(self, container: FakeContainer) -> tuple[dict[str, Any], bytes]:
        """The job that *container* got, and what it was to repair."""
        with tarfile.open(fileobj=io.BytesIO(bytes(container.fed)), mode="r|") as archive:
            files = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
        return json.loads(files["job.json"]), files["unrepaired.tar"]


@pytest.fixture
def container() -> FakeContainer:
    return repaired()


@pytest.fixture
def shop(tmp_path: Path, container: FakeContainer) -> Shop:
    return Shop(tmp_path / "store", container)


def test_it_is_told_what_others_have(shop: Shop, container: FakeContainer) -> None:
    built = shop.connect()
    assert (built.filename, built.sha256) == (NAME, sha(b"repaired"))
    assert built.facts["grafted"] == []
    job, source = shop.sent(container)
    assert (job["kind"], job["ways"], source) == ("repair", WAYS, b"as it was built")
    assert {"libtorch.so", "libcuda.so.1"} <= {*job["exclude"]}


def test_what_was_repaired_by_its_own_recipe_is_repaired_from_that(
    shop: Shop, container: FakeContainer
) -> None:
    shop.connect(own=True)
    _, source = shop.sent(container)
    with tarfile.open(fileobj=io.BytesIO(source)) as archive:
        (member,) = archive
        assert member.name == f"unrepaired/{NAME}"
        content = archive.extractfile(member)
        assert content is not None
        assert content.read() == b"repaired first"


def test_the_same_is_done_once(shop: Shop) -> None:
    first = shop.connect()
    assert shop.connect() == first
    assert len(shop.engine.started) == 1
    shop.connect({"libtorch.so": "torch/moved"})
    assert len(shop.engine.started) == 2


def test_what_was_kept_and_is_damaged_is_done_again(shop: Shop) -> None:
    first = shop.connect()
    path = shop.store.blob(first.sha256)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert shop.connect() == first
    assert len(shop.engine.started) == 2


def test_a_record_of_another_form_is_none(shop: Shop) -> None:
    first = shop.connect()
    (record,) = (shop.store.root / "records" / "repair").iterdir()
    shop.store.write_record("repair", record.stem, {"sha256": first.sha256})
    assert shop.connect() == first
    assert len(shop.engine.started) == 2


def test_a_repair_that_fails_is_one_of_the_build(tmp_path: Path) -> None:
    answer = {"type": "failed", "stage": "repair", "message": "auditwheel failed"}
    shop = Shop(tmp_path / "store", FakeContainer([("stdout", frame(answer))]))
    with pytest.raises(FailedBuildError, match="auditwheel cannot repair its wheel"):
        shop.connect()


def test_a_repair_that_gives_nothing_is_refused(tmp_path: Path) -> None:
    nothing = FakeContainer([("stdout", frame({"type": "result", "repaired": True}))])
    with pytest.raises(BuildError, match="sent 0 files"):
        Shop(tmp_path / "store", nothing).connect()
