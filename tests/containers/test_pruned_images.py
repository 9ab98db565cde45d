"""Pruning images of a real engine: only those of a platform that this test has to itself."""

from __future__ import annotations

import io
import json
import os
import tarfile
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from wheelhouse.engine.docker_connect import connect
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.engine.docker_shelf import DockerShelf
from wheelhouse.errors import ImageError
from wheelhouse.imagemaker import ImageMaker
from wheelhouse.imagepruning import KIND, KeptImage, Shelf
from wheelhouse.imagesteps import Kind, Step, image_name
from wheelhouse.imageuses import ImageUses
from wheelhouse.store import Store
from wheelhouse.targets import Place, presets

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker
    from conftest import Workplace

    from wheelhouse.engine import Image

pytestmark = pytest.mark.containers

MEGABYTE = 10**6


class Shop:
    """Makes small images of a platform of its own, as runs on the store of *workplace* do."""

    def __init__(self, workplace: Workplace, client: docker.APIClient) -> None:
        self.name = f"prunetest{os.getpid()}"
        self.place = Place(
            preset=replace(presets()["debian12"], name=self.name), python="3.11", arch="x86_64"
        )
        self._workplace = workplace
        self._client = client

    def base(self) -> Image:
        """A root file system with one file."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("empty"))
        stream.seek(0)
        labels = {
            KIND: "base",
            "wheelhouse.preset": self.name,
            "wheelhouse.origin": "bootstrap",
        }
        name = image_name(self.place, "base", "test")
        return DockerImages(self._client).import_tar(
            stream, name, labels=labels, platform="linux/amd64"
        )

    @contextmanager
    def run(self) -> Iterator[ImageMaker]:
        """A run of its own, which may use images until the end of the block."""
        root = self._workplace.store
        yield ImageMaker(
            DockerImages(self._client),
            lambda pin: root,
            root / "locks",
            lambda _: None,
            mirror=None,
            building=nullcontext,
            using=ImageUses(Store(root)).using,
        )

    def step(self, kind: Kind, start: Image, *, size: int, then: bytes = b"") -> Step:
        """A step that adds *size* bytes to *start*, and does what comes *then*."""
        recipe = b"ARG BASE\nFROM ${BASE}\nARG THING\nCOPY file /" + kind.encode() + b"\n" + then
        return Step(
            kind=kind,
            place=self.place,
            files={"Dockerfile": recipe, "file": os.urandom(size)},
            inputs={"BASE": start.id},
        )

    def prune(self, *options: str) -> dict[str, Any]:
        done = self._workplace.run("images", "prune", self.name, "--json", *options)
        assert done.status == 0, done.said
        told: dict[str, Any] = json.loads(done.out)
        return told

    def kinds(self) -> list[str]:
        """What the engine has for the platform; leftovers too."""
        shelf = Shelf(images=self.images())
        return sorted(each.kind for each in (*shelf.ours, *shelf.leftovers))

    def images(self) -> list[KeptImage]:
        found = DockerShelf(self._client).images()
        return [each for each in found if each.preset == self.name]


@pytest.fixture
def client() -> Iterator[docker.APIClient]:
    client = connect()
    yield client
    client.close()


@pytest.fixture
def shop(workplace: Workplace, client: docker.APIClient) -> Iterator[Shop]:
    shop = Shop(workplace, client)
    yield shop
    shelf = DockerShelf(client)
    for image in reversed(shop.images()):
        for reference in image.names or (image.id,):
            shelf.remove(reference)


def names(told: dict[str, Any]) -> set[str]:
    """The kinds of the named images that were removed."""
    found = (name for each in told["removed"] for name in each["names"])
    return {name.rpartition(":")[0].rpartition("-")[2] for name in found}


def test_what_nobody_uses_goes_and_nothing_else(shop: Shop, client: docker.APIClient) -> None:
    base = shop.base()
    with shop.run() as run:
        runtime = run.make(shop.step("runtime", base, size=MEGABYTE))
        builder = run.make(shop.step("builder", runtime, size=2 * MEGABYTE))
        stopped = shop.step("system", builder, size=MEGABYTE, then=b'RUN ["/missing"]\n')
        with pytest.raises(ImageError):
            run.make(stopped)
        assert shop.prune("--older-than", "0h")["removed"] == [], "that run may go on with them"
        del run
    assert shop.kinds() == ["base", "builder", "runtime", "unfinished"]
    assert shop.prune()["removed"] == [], "they were made just now"

    container = client.create_container(builder.id, ["nothing"])["Id"]
    try:
        told = shop.prune("--older-than", "0h")
        assert names(told) == set(), "a container has been made from it"
        assert told["freed"] >= MEGABYTE
        assert shop.kinds() == ["base", "builder", "runtime"]
    finally:
        client.remove_container(container)

    would = shop.prune("--older-than", "0h", "--dry-run")
    assert shop.kinds() == ["base", "builder", "runtime"]
    told = shop.prune("--older-than", "0h")
    assert names(told) == names(would) == {"builder", "runtime"}
    assert 3 * MEGABYTE <= told["freed"] == would["freed"] < 4 * MEGABYTE
    assert shop.kinds() == ["base"], "nobody knows how old it is"
    assert names(shop.prune("--older-than", "0h", "--all")) == {"base"}
    assert shop.images() == [], "no step on the way is left either"


def test_what_the_targets_here_need_is_told_and_stays(workplace: Workplace) -> None:
    """In an empty store nobody has used anything; nothing is removed here."""
    (workplace.project / "wheelhouse.toml").write_text(
        'requirements = ["requirements.txt"]\n'
        '[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'
    )
    told = json.loads(workplace.run("images", "list", "--json").out)["images"]
    needed = {each["kind"] for each in told if each["targets"] == ["d12"]}
    assert needed >= {"runtime", "toolchain", "toolbox", "builder"}
    names = {name for each in told if each["targets"] for name in each["names"]}
    done = workplace.run("images", "prune", "--older-than", "0h", "--dry-run", "--json")
    gone = {name for each in json.loads(done.out)["removed"] for name in each["names"]}
    assert not gone & names


def test_an_engine_that_does_not_answer_is_told(workplace: Workplace) -> None:
    done = workplace.run("images", "prune", DOCKER_HOST="unix:///nowhere.sock")
    assert done.status == 6
    assert "container engine" in done.err
