"""Pruning images of a real engine: only those of a platform that this test has to itself."""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
import tarfile
import uuid
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from wheelhouse.engine.docker_connect import connect
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.engine.docker_shelf import DockerShelf
from wheelhouse.errors import ImageError
from wheelhouse.imagemaker import ImageMaker
from wheelhouse.imagepruning import KIND, UNFINISHED, KeptImage, Shelf, mark_of
from wheelhouse.imagesteps import Kind, Step, image_name
from wheelhouse.imageuses import ImageUses
from wheelhouse.store import Store
from wheelhouse.targets import Place, presets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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

    def make(self, step: Step, store: Path | None = None) -> Image:
        """Have a run make *step*, on the store of the workplace or on another *store*."""
        root = store or self._workplace.store
        maker = ImageMaker(
            DockerImages(self._client),
            lambda pin: root,
            root / "locks",
            lambda _: None,
            mirror=None,
            building=nullcontext,
            used=ImageUses(Store(root)).note,
        )
        return maker.make(step)

    def theirs(self, start: str, *, copied: bool) -> str:
        """The ID of an image without a name that somebody has made from *start*.

        :param copied: it came from an archive, so that nobody knows what it was made from.
        """
        recipe = io.BytesIO(f"FROM {start}\nENV THEIRS={uuid.uuid4()}\n".encode())
        events = list(self._client.build(fileobj=recipe, rm=True, decode=True))
        made = next(each["aux"]["ID"] for each in events if "aux" in each)
        if copied:
            data = b"".join(self._client.get_image(made))
            self._client.remove_image(made, noprune=True)
            list(self._client.load_image(data))  # type: ignore[no-untyped-call]
        return str(made)

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
        gc.collect()  # a run that failed may live on in its error
        done = self._workplace.run("images", "prune", self.name, "--json", *options)
        assert done.status == 0, done.said
        told: dict[str, Any] = json.loads(done.out)
        return told

    def kinds(self) -> list[str]:
        """What the engine has for the platform; what is left of others too."""
        images = self.images()
        steps = {mark_of(each.id): 1.0 for each in images if each.kind == UNFINISHED}
        shelf = Shelf(images=images, used=steps)
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
    while images := shop.images():
        for image in images:
            for name in image.names or (None,):
                shelf.remove(image, name)
        assert len(shop.images()) < len(images), "none of them can be removed"


def names(told: dict[str, Any]) -> set[str]:
    """The kinds of the named images that were removed."""
    found = (name for each in told["removed"] for name in each["names"])
    return {name.rpartition(":")[0].rpartition("-")[2] for name in found}


def test_what_nobody_uses_goes_and_nothing_else(shop: Shop, client: docker.APIClient) -> None:
    runtime = shop.make(shop.step("runtime", shop.base(), size=MEGABYTE))
    builder = shop.make(shop.step("builder", runtime, size=2 * MEGABYTE))
    stopped = shop.step("system", builder, size=MEGABYTE, then=b'RUN ["/missing"]\n')
    with pytest.raises(ImageError):
        shop.make(stopped)
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
    assert told["freed-is-exact"]
    assert shop.kinds() == ["base"], "no run on this store has used it"
    assert names(shop.prune("--older-than", "0h", "--all")) == {"base"}
    assert shop.images() == [], "no step on the way is left either"


def test_images_of_others_stay_whatever_they_were_made_from(
    shop: Shop, workplace: Workplace
) -> None:
    """They inherit our labels, and an engine removes what lies below, if it has no name."""
    base = shop.base()
    below = shop.theirs(base.id, copied=False)
    with pytest.raises(ImageError):
        shop.make(shop.step("builder", base, size=1, then=b'RUN ["/missing"]\n'))
    stay = {each.id for each in shop.images()} - {below}
    parents = {each.parent for each in shop.images()}
    (left,) = (e for e in shop.images() if e.kind == UNFINISHED and e.id not in parents)
    shop.make(shop.step("runtime", replace(base, id=below), size=1))
    theirs = {
        below,
        *(shop.theirs(start, copied=True) for start in (base.id, left.id)),
        *(shop.theirs(start, copied=False) for start in (base.id, left.id)),
    }
    other = shop.make(shop.step("toolchain", base, size=1), workplace.root / "other")
    told = shop.prune("--older-than", "0h")
    assert names(told) == {"runtime"}
    assert other.id in {each.id for each in shop.images()}, "another store's runs may need it"
    told = shop.prune("--older-than", "0h", "--all")
    assert names(told) == {"toolchain"}, "what theirs was made from stays as well"
    assert {each.id for each in shop.images()} == theirs | stay, "no step of what went is left"


def test_a_run_that_may_need_an_image_is_waited_for(shop: Shop, workplace: Workplace) -> None:
    step = shop.step("runtime", shop.base(), size=1)
    made = shop.make(step)
    run = Store(workplace.store)
    command = workplace.command("images", "prune", shop.name, "--older-than", "0h")
    with subprocess.Popen(
        command, cwd=workplace.project, env=workplace.environment(), stderr=subprocess.PIPE
    ) as pruning:
        assert pruning.stderr is not None
        assert b"waiting" in pruning.stderr.readline()
        assert made.id in {each.id for each in shop.images()}
        del run
        assert pruning.wait(60) == 0
    assert made.id not in {each.id for each in shop.images()}


def test_a_platform_that_nobody_knows_is_told(workplace: Workplace) -> None:
    for command in ("prune", "list"):
        done = workplace.run("images", command, "debain12")
        assert done.status == 2, done.said
        assert "did you mean" in done.err


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
