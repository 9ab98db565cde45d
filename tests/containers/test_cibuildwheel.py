"""Builds by the maintainers' own recipe: real ones, hostile ones, and how they end."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from conftest import wait_for

import gpuwheels
from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse.engine.docker_command import LABEL as COMMAND
from wheelhouse.engine.docker_connect import connect

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

BUILD_SYSTEM = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

SETTING = '[packages.alpha]\nbuilder = "cibuildwheel"\n'

#: A recipe whose commands fail where something is not as it must be.
STRICT = """
[tool.cibuildwheel]
build = "cp39-*"
test-command = "false"
before-test = "false"
manylinux-x86_64-image = "nowhere.invalid/image"
environment-pass = ["SECRET"]
environment = { FLAVOUR = "theirs", WHERE = "$(pwd)", CFLAGS = "-DOWN=1" }

[tool.cibuildwheel.linux]
before-all = [
    "grep -q '^CapEff:.0000000000000000$' /proc/self/status",
    "grep -q '^NoNewPrivs:.1$' /proc/self/status",
    "test $(ls /sys/class/net) = lo",
    "test ! -e /host",
    "test -z \\"$SECRET$https_proxy\\"",
    "test -e native.c -a ! -e .wheelhouse",
    "echo made > /usr/local/installed",
]
before-build = "test $(cat /usr/local/installed) = made"
repair-wheel-command = \
    "test $FLAVOUR = ours && auditwheel repair --plat manylinux1_x86_64 -w {dest_dir} {wheel}"

[[tool.cibuildwheel.overrides]]
select = "cp3{10,11}-manylinux*"
inherit.before-build = "append"
before-build = "test $WHERE = /project -a \\"$CFLAGS\\" = -DOWN=1 -a -n \\"$SOURCE_DATE_EPOCH\\""

[[tool.cibuildwheel.overrides]]
select = "*-musllinux*"
before-build = "false"
"""


def containers_of_alpha() -> list[str]:
    client = connect()
    try:
        filters = {"label": ["dev.wheelhouse.job=alpha", COMMAND]}
        return [each["Id"] for each in client.containers(all=True, filters=filters)]
    finally:
        client.close()


def alpha(recipe: str) -> ProjectSdist:
    return ProjectSdist(name="alpha", native=True, files={"pyproject.toml": BUILD_SYSTEM + recipe})


def test_a_recipe_is_followed_on_our_terms(workplace: Workplace, index: LocalIndex) -> None:
    index.add(alpha(STRICT))
    write_project(workplace.project, index, "alpha\n", more=SETTING + 'env = {FLAVOUR = "ours"}\n')

    done = workplace.run("build", SECRET="a secret", https_proxy="http://me:word@proxy.invalid")

    assert done.status == 0, done.said + workplace.logs()
    assert "No such file" not in workplace.logs(), "what a failed build would be said to lack"
    assert 'maintainers build no wheel for cp311-manylinux_x86_64 (build = "cp39-*")' in done.said
    (wheel,) = json.loads((workplace.house() / "manifest.json").read_text())["wheels"]
    assert "manylinux" in wheel["filename"]
    assert wheel["story"]["policy"] == "manylinux_2_36_x86_64"
    assert (wheel["story"]["builder"], wheel["story"]["network"]) == ("cibuildwheel", False)
    assert "by its maintainers' recipe" in wheel["story"]["reason"]
    again = workplace.run("build", "--again")
    assert "1 reused" in again.said, again.said


def test_a_network_is_given_only_where_allowed(workplace: Workplace, index: LocalIndex) -> None:
    index.add(alpha('[tool.cibuildwheel]\nbefore-all = "test -e /sys/class/net/eth0"\n'))
    write_project(workplace.project, index, "alpha\n", more=SETTING)
    refused = workplace.run("build")
    assert refused.status == 4, refused.said
    assert "its recipe failed in before-all" in refused.said

    write_project(workplace.project, index, "alpha\n", more=SETTING + "network = true\n")
    done = workplace.run("build")
    assert done.status == 0, done.said + workplace.logs()
    assert "its recipe runs with a network" in done.said
    (wheel,) = json.loads((workplace.house() / "manifest.json").read_text())["wheels"]
    assert wheel["story"]["network"] is True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_nothing(
    workplace: Workplace, index: LocalIndex, number: signal.Signals
) -> None:
    index.add(alpha('[tool.cibuildwheel]\nbefore-build = "echo it sleeps; sleep 3600"\n'))
    write_project(workplace.project, index, "alpha\n", more=SETTING)
    process = subprocess.Popen(
        workplace.command("build"),
        cwd=workplace.project,
        env=workplace.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for("\nit sleeps\n", workplace)
    assert containers_of_alpha()

    process.send_signal(number)

    assert process.wait(timeout=20) == (-9 if number == signal.SIGKILL else 128 + number)
    deadline = time.monotonic() + 8
    while containers_of_alpha():
        assert time.monotonic() < deadline, "its container lives on"
        time.sleep(0.2)


def test_a_recipe_has_its_time_and_what_it_hands_out_is_looked_at(
    workplace: Workplace, index: LocalIndex
) -> None:
    planted = "ln -s /etc/passwd /output/alpha-1.0-cp311-cp311-linux_x86_64.whl"
    index.add(
        alpha('[tool.cibuildwheel]\nbefore-all = "sleep 3600"\n'),
        ProjectSdist(
            name="beta",
            native=True,
            files={
                "pyproject.toml": BUILD_SYSTEM
                + f'[tool.cibuildwheel]\nbefore-all = "mkdir /output; {planted}"\n'
            },
        ),
        ProjectSdist(
            name="gamma",
            files={"pyproject.toml": BUILD_SYSTEM + "[tool.cibuildwheel]\ntest-extras = []\n"},
        ),
        ProjectSdist(name="delta"),
    )
    names = ("alpha", "beta", "gamma", "delta")
    more = "".join(f'[packages.{name}]\nbuilder = "cibuildwheel"\n' for name in names)
    requirements = "".join(f"{name}\n" for name in names)
    write_project(
        workplace.project, index, requirements, more=more + '[limits]\ndeadline = "12s"\n'
    )

    done = workplace.run("build")

    assert done.status == 4, done.said
    said = " ".join(done.said.split())
    assert "alpha 1.0 cannot be built: the build did not end within 12 s" in said
    assert (
        "beta 1.0 cannot be built: its result was refused: it is not one wheel, and nothing else"
        in said
    )
    assert "gamma 1.0 cannot be built: its wheel has nothing compiled in it" in said
    assert "delta 1.0: its sdist has no recipe for cibuildwheel" in said


#: As a recipe for kernels looks that trusts its image, which has the toolkit; with a part of CUDA
#: in the build environment, whose headers the toolkit here lacks.
KERNELS = """
[build-system]
requires = ["nvidia-nvtx==13.*"]
build-backend = "backend"
backend-path = ["."]

[tool.cibuildwheel.linux]
before-all = "nvcc --version && test -e $CUDA_HOME/include/cuda.h -a ! -e $CUDA_HOME/include/nvtx3"
repair-wheel-command = "auditwheel repair --exclude libcuda.so.1 -w {dest_dir} {wheel}"
"""


@pytest.mark.index
def test_a_recipe_has_the_toolkit(workplace: Workplace, tmp_path: Path) -> None:
    project = gpuwheels.project("alpha", requires=("nvidia-cuda-runtime==13.2.*",))
    kernel = "#include <nvtx3/nvToolsExt.h>\n" + gpuwheels.KERNEL
    project = replace(project, files={"kernel.cu": kernel, "pyproject.toml": KERNELS})
    (workplace.project / project.filename).write_bytes(project.content())
    (workplace.project / "requirements.txt").write_text(f"./{project.filename}\n")
    (workplace.project / "wheelhouse.toml").write_text(
        '[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'
        f'cuda = "13.2"\ncuda-arch = ["80", "90"]\n{SETTING}'
    )

    done = workplace.run("build")

    assert done.status == 0, done.said + workplace.logs()
    wheel = gpuwheels.wheel_of(workplace.house(), "alpha", tmp_path)
    assert not [each for each in wheel.members if ".libs/" in each]
    found = gpuwheels.dynamic(wheel.extension)
    assert "libcudart.so.13" in found["NEEDED"]
    assert found["RPATH"] == ["$ORIGIN/../nvidia/cu13/lib"]
    assert set(gpuwheels.code_in(wheel.extension)) == {("sm", 80), ("sm", 90), ("compute", 90)}
    stories = {
        each["name"]: each["story"] for each in gpuwheels.manifest(workplace.house())["wheels"]
    }
    assert stories["alpha"]["builder"] == "cibuildwheel"
    assert "nvidia-cuda-nvcc" in {each["name"] for each in stories["alpha"]["toolkit"]}


@pytest.mark.index
def test_a_real_recipe(workplace: Workplace) -> None:
    (workplace.project / "requirements.txt").write_text("zstandard==0.25.0\n")
    (workplace.project / "wheelhouse.toml").write_text(
        '[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'
        '[packages.zstandard]\nsource = "sdist"\nbuilder = "cibuildwheel"\n'
    )

    done = workplace.run("build", timeout=600)

    assert done.status == 0, done.said + workplace.logs()
    assert "if [ -x /usr/bin/yum ]" in workplace.logs(), "its before-all was run"
    (wheel,) = json.loads((workplace.house() / "manifest.json").read_text())["wheels"]
    assert wheel["story"]["builder"] == "cibuildwheel"
    assert {"zstandard.backend_c", "zstandard._cffi"} <= set(wheel["extension_modules"])
