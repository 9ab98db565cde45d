"""What an engine is given to load."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from wheelhouse.engine.docker_archive import write_archive
from wheelhouse.errors import ImageError


def written(root: bytes, platform: str = "linux/arm64") -> io.BytesIO:
    archive, labels = io.BytesIO(), {"a.b": 'with "quotes", $dollars\nand lines'}
    write_archive(io.BytesIO(root), archive, name="ours/base:1", platform=platform, labels=labels)
    assert archive.tell() == 0
    return archive


def member(archive: io.BytesIO, name: str) -> bytes:
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:") as members:
        content = members.extractfile(name)
        assert content is not None
        return content.read()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 3 << 20])
def test_the_layer_is_what_was_read_and_named_by_its_hash(size: int) -> None:
    root = bytes(range(251)) * (size // 251 + 1)
    archive = written(root[:size])
    [image] = json.loads(member(archive, "manifest.json"))
    [layer] = image["Layers"]
    assert member(archive, layer) == root[:size]
    [digest] = json.loads(member(archive, image["Config"]))["rootfs"]["diff_ids"]
    assert digest == "sha256:" + hashlib.sha256(root[:size]).hexdigest()


def test_it_says_its_name_its_platform_and_its_labels() -> None:
    archive = written(b"root")
    [image] = json.loads(member(archive, "manifest.json"))
    assert image["RepoTags"] == ["ours/base:1"]
    said = json.loads(member(archive, image["Config"]))
    assert (said["os"], said["architecture"]) == ("linux", "arm64")
    assert said["config"]["Labels"] == {"a.b": 'with "quotes", $dollars\nand lines'}


def test_the_same_input_gives_the_same_bytes() -> None:
    assert written(b"root").getvalue() == written(b"root").getvalue()
    assert written(b"root").getvalue() != written(b"root", "linux/amd64").getvalue()


def test_a_root_that_breaks_off_is_told() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ImageError("broke off")

    with pytest.raises(ImageError, match="broke off"):
        write_archive(Broken(), io.BytesIO(), name="n", platform="linux/amd64", labels={})
