"""What a target's CUDA and the toolkits of builders say against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema
import pytest
from configfolder import SERVER, Folder, parsed
from packaging.version import Version

from wheelhouse.config import json_schema, load_project
from wheelhouse.cuda import Cuda
from wheelhouse.targets import presets

if TYPE_CHECKING:
    from pathlib import Path

TARGET = '[targets.gpu]\nplatform = "debian12"\npython = "3.11"\n'
CAPTURED = '[targets.gpu]\ncaptured = "web.json"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web.json").write_text(SERVER)
    return Folder(tmp_path)


@pytest.mark.parametrize("head", [TARGET, CAPTURED])
def test_a_builder_with_a_toolkit_of_that_release_or_an_earlier_one(
    folder: Folder, head: str
) -> None:
    more = 'builder = "manylinux_2_28_cuda13_1"\ncuda = "13.2"\n'
    target = load_project(folder.write(head + more)).targets["gpu"]
    assert target.cuda == Cuda(version=Version("13.2"))
    assert target.builder == presets()["manylinux_2_28_cuda13_1"]


@pytest.mark.parametrize("head", [TARGET, CAPTURED])
def test_a_builder_with_a_toolkit_of_a_later_release(folder: Folder, head: str) -> None:
    more = 'builder = "manylinux_2_28_cuda12_9"\ncuda = "12.4"\n'
    (error,) = folder.errors(head + more)
    assert error.message.endswith(
        "packages are built on manylinux_2_28 with CUDA 12.9, and what its CUDA 12.9 makes may not "
        "run with CUDA 12.4"
    )
    assert error.hint == (
        'write "12.9", or name as `builder` one that has CUDA 12.4 or an earlier 12'
    )


@pytest.mark.parametrize("head", [TARGET, CAPTURED])
def test_a_builder_with_a_toolkit_of_another_major(folder: Folder, head: str) -> None:
    more = 'builder = "manylinux_2_28_cuda12_9"\ncuda = "13.2"\n'
    (error,) = folder.errors(head + more)
    assert error.message.endswith(
        "targets.gpu.cuda: packages are built on manylinux_2_28 with CUDA 12.9, and what its CUDA "
        "12.9 makes does not run with CUDA 13.2"
    )
    assert error.hint == (
        'write "12.9", or name as `builder` one that has CUDA 13 or none: PyPI has its toolkit'
    )


def test_without_a_toolkit_on_the_index_one_without_any_is_not_proposed(folder: Folder) -> None:
    more = 'builder = "manylinux_2_28_cuda13_1"\ncuda = "12.9"\n'
    (error,) = folder.errors(TARGET + more)
    assert error.hint == 'write "13.1", or name as `builder` one that has CUDA 12'


def test_a_platform_that_has_another_toolkit_itself(folder: Folder) -> None:
    own = '[targets.gpu]\nplatform = "ubuntu24.04_cuda12_9"\npython = "3.12"\ncuda = "13.2"\n'
    (error,) = folder.errors(own)
    assert "name as `platform` one" in (error.hint or "")


def test_a_builder_without_a_toolkit_goes_with_every_cuda(folder: Folder) -> None:
    more = 'builder = "portable"\ncuda = "13.2"\n'
    assert load_project(folder.write(TARGET + more)).targets["gpu"].builder is not None


@pytest.mark.parametrize("builder", ["", 'builder = "debian12"\n'])
def test_no_cuda_runs_with_musl(folder: Folder, builder: str) -> None:
    head = '[targets.gpu]\nplatform = "alpine3.23"\npython = "3.12"\ncuda = "13.2"\n'
    messages = folder.messages(head + builder)
    assert any("NVIDIA has no CUDA for Alpine Linux 3.23" in each for each in messages)


OWN = """\
[platforms.own]
like = "debian12"
image = "registry.example/cuda:12.9"
cuda = "12.9"
"""


def test_a_platform_of_ones_own_with_a_toolkit(folder: Folder) -> None:
    text = OWN + TARGET + 'builder = "own"\ncuda = "12.9"\n'
    builder = load_project(folder.write(text)).targets["gpu"].builder
    assert builder is not None
    assert builder.cuda == Version("12.9")
    head, _, _ = text.rpartition("cuda = ")
    assert folder.messages(head + 'cuda = "13.2"\n') == [
        (
            "wheelhouse.toml:9: targets.gpu.cuda: packages are built on own (like Debian 12 "
            "(bookworm)), and what its CUDA 12.9 makes does not run with CUDA 13.2"
        )
    ]


def test_a_toolkit_is_in_an_image(folder: Folder) -> None:
    without = OWN.replace('image = "registry.example/cuda:12.9"\n', "")
    assert folder.messages(without + TARGET) == [
        "wheelhouse.toml:3: platforms.own.cuda: is said of an image, and there is none"
    ]
    schema = jsonschema.Draft202012Validator(json_schema())
    assert schema.is_valid(parsed(OWN + TARGET))
    assert not schema.is_valid(parsed(without + TARGET))


def test_an_image_of_ones_own_has_the_toolkit_of_the_one_it_is_like(folder: Folder) -> None:
    like = '[platforms.own]\nlike = "manylinux_2_28_cuda12_9"\nimage = "registry.example/x"\n'
    target = load_project(folder.write(like + TARGET + 'builder = "own"\n')).targets["gpu"]
    assert target.builder is not None
    assert target.builder.cuda == Version("12.9")


def test_another_system_has_not_that_toolkit(folder: Folder) -> None:
    """Its images are none of the platform's that it is like."""
    own = (
        '[platforms.own]\nlike = "manylinux_2_28_cuda12_9"\nlibc = "glibc 2.31"\n'
        'glibcxx = "3.4.28"\n'
    )
    target = load_project(folder.write(own + TARGET + 'builder = "own"\n')).targets["gpu"]
    assert target.builder is not None
    assert target.builder.cuda is None


OLD = """\
[platforms.old]
title = "an old builder"
like = "manylinux_2_28_cuda12_9"
image = "registry.example/cuda:12.4"
cuda = "12.4"

"""


@pytest.mark.parametrize("head", [TARGET, CAPTURED])
def test_gpus_that_the_builders_own_toolkit_knows_not_yet(folder: Folder, head: str) -> None:
    more = 'builder = "old"\ncuda = "12.9"\ncuda-arch = ["100", "120"]\n'
    (error,) = folder.errors(OLD + head + more)
    assert error.message.endswith(
        "targets.gpu.cuda-arch: packages are built on an old builder, and the compiler "
        "of its CUDA 12.4 makes no code for 100"
    )
    assert error.hint == (
        "name as `builder` a platform whose image has CUDA 12.8 to 12.9, such as "
        '"manylinux_2_28_cuda12_9"'
    )
    proposed = more.replace('"old"', '"manylinux_2_28_cuda12_9"')
    assert load_project(folder.write(OLD + head + proposed)).targets["gpu"].builder is not None
    known = more.replace('"100", "120"', '"80", "90"')
    assert load_project(folder.write(OLD + head + known)).targets["gpu"].builder is not None


def test_gpus_that_the_platforms_own_toolkit_knows_not_yet(folder: Folder) -> None:
    target = TARGET.replace("debian12", "old") + 'cuda = "12.9"\ncuda-arch = ["120"]\n'
    (error,) = folder.errors(OLD + target)
    assert "makes no code for 120" in error.message
    assert "CUDA 12.8 to 12.9" in (error.hint or "")


def test_where_pypi_has_the_toolkit_a_builder_without_one_will_do(folder: Folder) -> None:
    more = 'builder = "manylinux_2_28_cuda13_1"\ncuda = "13.9"\ncuda-arch = ["130"]\n'
    (error,) = folder.errors(TARGET + more)
    assert error.hint == (
        "name as `builder` a platform whose image has CUDA 13.9, or one without a toolkit: PyPI "
        "has it"
    )
    other = more.replace("manylinux_2_28_cuda13_1", "portable")
    assert load_project(folder.write(TARGET + other)).targets["gpu"].builder is not None


@pytest.mark.parametrize(
    "more",
    [
        'cuda-arch = ["120"]\n',
        'cuda = "twelve"\ncuda-arch = ["120"]\n',
        'cuda = "12.9"\ncuda-arch = ["120", "sm_90"]\n',
        'cuda = "12.9"\ncuda-arch = ["120", 90]\n',
        'cuda = "12.9"\ncuda-arch = "120"\n',
        'cuda = "12.9"\ncuda-arch = []\n',
        'cuda = "12.9"\ncuda-arch = ["130"]\n',
    ],
)
@pytest.mark.parametrize("head", [TARGET, CAPTURED])
def test_what_is_wrong_by_itself_is_not_held_against_the_builder(
    folder: Folder, head: str, more: str
) -> None:
    (error,) = folder.errors(OLD + head + 'builder = "old"\n' + more)
    assert "packages are built on" not in error.message


@pytest.mark.parametrize("head", [TARGET, CAPTURED])
def test_a_builder_with_a_toolkit_of_another_major_is_told_once(folder: Folder, head: str) -> None:
    more = 'builder = "manylinux_2_28_cuda12_9"\ncuda = "13.2"\ncuda-arch = ["110"]\n'
    (error,) = folder.errors(head + more)
    assert "does not run with CUDA 13.2" in error.message


@pytest.mark.parametrize("head", [TARGET, CAPTURED])
def test_a_builder_that_is_no_name_is_told_alone(folder: Folder, head: str) -> None:
    (error,) = folder.errors(head + 'builder = ["old"]\ncuda = "12.9"\ncuda-arch = ["120"]\n')
    assert "targets.gpu.builder" in error.message
