"""Another architecture than the usual one, run natively or emulated: images, builds and proof."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

import gpuwheels
from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse import emulation
from wheelhouse.bootstrap import check_host
from wheelhouse.engine.docker import DockerEngine
from wheelhouse.engine.docker_connect import connect
from wheelhouse.errors import ImageError
from wheelhouse.images import TargetImageMaker
from wheelhouse.targets import OCI_ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

#: Numbers of ELF's `e_machine`.
MACHINES = {62: "x86_64", 183: "aarch64"}

BOTH = """
[targets.d12-aarch64]
platform = "debian12"
python = "3.11"
arch = "aarch64"
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DockerEngine]:
    from wheelhouse.engine.docker_images import DockerImages

    client = connect()
    nothing = DockerImages(client)
    maker = TargetImageMaker(nothing, lambda pin: tmp_path, tmp_path, lambda _: None)
    engine = DockerEngine(client, maker)
    yield engine
    engine.close()


@pytest.fixture
def _foreign_images(engine: DockerEngine) -> None:
    try:
        engine.check_runs("aarch64")
        check_host("aarch64")
    except ImageError as error:
        pytest.skip(f"{error.message}: {error.hint}")
    command = [sys.executable, "-m", "wheelhouse", "images", "bootstrap", "debian12"]
    subprocess.run([*command, "--arch", "aarch64"], check=True, stdout=subprocess.DEVNULL)


def machines(wheel: Path) -> set[str]:
    """The architectures of the extension modules in *wheel*, by their ELF headers."""
    with zipfile.ZipFile(wheel) as archive:
        headers = [archive.read(name)[:20] for name in archive.namelist() if name.endswith(".so")]
    assert all(header.startswith(b"\x7fELF") for header in headers)
    return {MACHINES[int.from_bytes(header[18:20], "little")] for header in headers}


@pytest.mark.usefixtures("_foreign_images")
def test_one_build_makes_and_proves_wheels_of_each_architecture(
    workplace: Workplace, index: LocalIndex
) -> None:
    index.add(ProjectSdist(name="native", native=True, requires=("pure",)))
    index.add(ProjectSdist(name="pure"))
    write_project(workplace.project, index, "native\n", more=BOTH)
    done = workplace.run("build", timeout=600)
    assert done.status == 0, done.said
    for target, arch in {"d12": "x86_64", "d12-aarch64": "aarch64"}.items():
        house = workplace.house(target)
        native, pure = sorted(path.name for path in house.glob("wheels/*.whl"))
        assert re.fullmatch(
            rf"native-1\.0-cp311-cp311-manylinux\w+_{arch}(\.manylinux\w+_{arch})*\.whl", native
        )
        assert pure == "pure-1.0-py3-none-any.whl"
        assert machines(house / "wheels" / native) == {arch}
        assert json.loads((house / "manifest.json").read_text())["target"]["arch"] == arch
        assert workplace.run("verify", str(house)).status == 0


@pytest.mark.index
@pytest.mark.skipif(
    platform.machine() != "aarch64" and not os.environ.get("WHEELHOUSE_TEST_CLOSURES"),
    reason="takes minutes where it is emulated: WHEELHOUSE_TEST_CLOSURES=1 asks for it",
)
@pytest.mark.usefixtures("_foreign_images")
def test_kernels_are_compiled_with_nvidias_toolkit_for_arm_servers(
    workplace: Workplace, tmp_path: Path
) -> None:
    alpha = gpuwheels.project("alpha", requires=("nvidia-cuda-runtime==13.2.*",))
    (workplace.project / alpha.filename).write_bytes(alpha.content())
    (workplace.project / "requirements.txt").write_text(f"./{alpha.filename}\n")
    (workplace.project / "wheelhouse.toml").write_text(BOTH + 'cuda = "13.2"\ncuda-arch = ["90"]\n')
    done = workplace.run("build", timeout=600)
    assert done.status == 0, done.said + workplace.logs()
    house = workplace.house("d12-aarch64")
    stories = {each["name"]: each["story"] for each in gpuwheels.manifest(house)["wheels"]}
    files = {each["name"]: each["url"] for each in stories["alpha"]["toolkit"]}
    assert files["nvidia-cuda-nvcc"].endswith("_aarch64.whl")
    wheel = gpuwheels.wheel_of(house, "alpha", tmp_path)
    assert machines(wheel.path) == {"aarch64"}
    assert gpuwheels.dynamic(wheel.extension)["RPATH"] == ["$ORIGIN/../nvidia/cu13/lib"]
    assert set(gpuwheels.code_in(wheel.extension)) == {("sm", 90), ("compute", 90)}
    # NVIDIA's name for them, where build tools look.
    headers = "/usr/local/cuda/targets/sbsa-linux/include/cuda.h"
    image = stories["alpha"]["image"]["id"]
    subprocess.run(["docker", "run", "--rm", image, "test", "-e", headers], check=True)


def test_an_architecture_that_does_not_run_is_told_before_anything_is_made(
    engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = next(arch for arch in OCI_ARCHITECTURES if arch != engine.arch)
    # A machine number that no emulator is registered for.
    monkeypatch.setitem(emulation._MACHINES, foreign, (0xFEFE, b""))
    before = {image["Id"] for image in engine._client.images()}
    try:
        with pytest.raises(ImageError, match=f"runs no {foreign} programs") as caught:
            engine.check_runs(foreign)
        assert "apt-get install qemu-user-static" in (caught.value.hint or "")
        engine.check_runs(engine.arch)
    finally:
        for image in engine._client.images():
            if image["Id"] not in before and foreign in str(image["RepoTags"]):
                engine._client.remove_image(image["Id"])
