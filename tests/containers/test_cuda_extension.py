"""The project's own CUDA extension, from its kernels to a server; then what may go wrong with one.

nvcc runs in the container. No kernel does: that takes a GPU, and `make gpu`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import Finished, Workplace

from gpuwheels import Wheel, code_in, dynamic, manifest, project, wheel_of

if TYPE_CHECKING:
    from projects import ProjectSdist

pytestmark = [pytest.mark.containers, pytest.mark.index]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "cuda"

#: Each argument that is none is refused before a GPU is asked for; without one, CUDA says so.
ARGUMENTS = """
import sys
from array import array
import gpumath

def floats(*values):
    return array("f", values)

def matrix(rows, columns):
    return memoryview(floats(*[0] * rows * columns)).cast("B").cast("f", (rows, columns))

def refused(error, words, function, *arguments):
    try:
        function(*arguments)
    except error as found:
        assert words in str(found), found
    else:
        raise AssertionError(words)

y = floats(1, 2)
refused(TypeError, "x has elements of format 'd'", gpumath.saxpy, 1, array("d", y), y)
refused(TypeError, "x has elements of format 'B'", gpumath.dot, b"12345678", y)
refused(TypeError, "y has 2 dimensions, not 1", gpumath.dot, y, matrix(1, 2))
refused(TypeError, "a has 1 dimensions, not 2", gpumath.matmul, y, matrix(1, 2), matrix(1, 2))
refused(TypeError, "bytes-like", gpumath.dot, [1.0, 2.0], y)
refused(TypeError, "real number", gpumath.saxpy, "1", y, y)
refused(ValueError, "x has 1 numbers, and y has 2", gpumath.saxpy, 1, floats(1), y)
refused(ValueError, "a is 2 x 3, b is 2 x 3", gpumath.matmul, *[matrix(2, 3)] * 3)
refused(ValueError, "out is 3 x 2", gpumath.matmul, matrix(2, 3), matrix(3, 3), matrix(3, 2))
refused(BufferError, "not writable", gpumath.saxpy, 1, y, memoryview(y).toreadonly())
refused(BufferError, "not C-contiguous", gpumath.dot, memoryview(floats(1, 2, 3))[::2], y)
refused(OverflowError, "too large", gpumath.saxpy, 1e39, y, y)
refused(gpumath.CudaError, "cudaErrorInsufficientDriver", gpumath.saxpy, 1, y, y)
refused(gpumath.CudaError, "cudaErrorInsufficientDriver", gpumath.matmul, *[matrix(2, 2)] * 3)
assert list(y) == [1, 2]
y.append(3)  # nobody holds it any more, neither after an error nor after a call
assert gpumath.dot(floats(), floats()) == 0.0
assert gpumath.device_count() == 0 and gpumath.devices() == []
assert gpumath.driver_version() is None and gpumath.runtime_version() == (13, 2)

kept = sys.getrefcount(y), sys.getrefcount(gpumath.CudaError)
for _ in range(1000):
    refused(ValueError, "3", gpumath.dot, floats(1), y)
    refused(gpumath.CudaError, "Driver", gpumath.dot, y, y)
assert kept == (sys.getrefcount(y), sys.getrefcount(gpumath.CudaError))
"""

#: In the runtime image, with neither network nor compiler. A folder on LD_LIBRARY_PATH may well
#: have another library of that name: an empty one would not do.
DEPLOY = """
set -eu
! command -v cc
! command -v nvcc
mkdir /tmp/in /tmp/trap
tar -C /tmp/in -x
cd /tmp/in
: >/tmp/trap/libcudart.so.13
LD_LIBRARY_PATH=/tmp/trap scripts/gpu-check gpu && status=0 || status=$?
for wheel in gpu/wheels/*.whl; do python3 -m zipfile -e "$wheel" /tmp/app; done
PYTHONPATH=/tmp/app python3 arguments.py
exit "$status"
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that the toolkit is fetched once."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def example(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The example, built as it lies in the repository."""
    workplace = Workplace(tmp_path_factory.mktemp("example"))
    workplace.store = store
    shutil.copytree(
        EXAMPLE, workplace.project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("dist")
    )
    done = workplace.run("build", "--locked", timeout=600)
    assert done.status == 0, done.said
    return workplace


@pytest.fixture(scope="module")
def wheel(example: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return wheel_of(example.house("gpu"), "gpumath", tmp_path_factory.mktemp("wheel"))


def test_the_wheel_is_small_and_runs_on_any_linux_that_has_a_driver(wheel: Wheel) -> None:
    assert wheel.path.name.startswith("gpumath-1.0-cp311-cp311-manylinux")
    assert "manylinux_2_5_x86_64" in wheel.path.name
    assert wheel.path.stat().st_size < 100_000
    assert not [each for each in wheel.members if "libcudart" in each or ".libs/" in each]


def test_it_finds_the_run_time_beside_itself_and_nowhere_else(wheel: Wheel) -> None:
    found = dynamic(wheel.extension)
    assert "libcudart.so.13" in found["NEEDED"]
    assert set(found["NEEDED"]) <= {
        "libcudart.so.13", "libstdc++.so.6", "libgcc_s.so.1", "libc.so.6"
    }  # fmt: skip
    assert found["RPATH"] == ["$ORIGIN/../nvidia/cu13/lib"]
    assert "RUNPATH" not in found


def test_the_manifest_tells_who_has_what_it_does_not_carry(example: Workplace) -> None:
    told = manifest(example.house("gpu"))
    stories = {each["name"]: each["story"] for each in told["wheels"]}
    assert set(stories) == {"gpumath", "nvidia-cuda-runtime"}
    assert stories["gpumath"]["kind"] == "built"
    assert stories["gpumath"]["grafted"] == []
    assert "nvidia-cuda-nvcc" in {each["name"] for each in stories["gpumath"]["toolkit"]}
    assert stories["gpumath"]["shared"] == [
        {
            "soname": "libcudart.so.13",
            "provider": "nvidia-cuda-runtime",
            "folder": "nvidia/cu13/lib",
        }
    ]
    assert told["needs"]["libraries"] == []
    assert told["needs"]["gpu"]["cuda"] == "13.2"
    assert told["needs"]["gpu"]["arches"] == ["80", "90"]


def test_it_has_code_for_the_gpus_of_the_target_and_later_ones(wheel: Wheel) -> None:
    assert set(code_in(wheel.extension)) == {("sm", 80), ("sm", 90), ("compute", 90)}


def test_it_installs_and_imports_where_there_is_no_gpu(example: Workplace, tmp_path: Path) -> None:
    (tmp_path / "arguments.py").write_text(ARGUMENTS)
    archive = subprocess.run(
        ["tar", "-c", "-C", str(tmp_path), "arguments.py", "-C", str(ROOT), "scripts/gpu-check",
         "scripts/common.sh", "-C", str(example.house("gpu").parent), "gpu"],
        capture_output=True,
        check=True,
    ).stdout  # fmt: skip
    image = manifest(example.house("gpu"))["runtime"]["id"]
    command = ["docker", "run", "--rm", "--network=none", "--user=65534:65534", "--env=HOME=/tmp"]
    command += ["--interactive", image, "bash", "-c", DEPLOY]
    done = subprocess.run(command, input=archive, capture_output=True)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 77, said
    assert "VERDICT: installed offline; there is no GPU here" in said
    (loaded,) = re.findall("^loaded: (.*)", said, flags=re.MULTILINE)
    assert loaded.endswith("/nvidia/cu13/lib/libcudart.so.13")


#: What a project says besides its requirements.
TARGET = '[targets.gpu]\nplatform = "debian12"\npython = "3.11"\ncuda = "13.2"\n'


@pytest.fixture
def place(store: Path, workplace: Workplace) -> Workplace:
    """Somewhere for a project, with the module's store."""
    workplace.store = store
    return workplace


def build(
    place: Workplace, *projects: ProjectSdist, more: str = "", settings: str = TARGET
) -> Finished:
    """Build the sdists of *projects*, with *more* requirements."""
    for each in projects:
        (place.project / each.filename).write_bytes(each.content())
    lines = [f"./{each.filename}" for each in projects]
    (place.project / "requirements.txt").write_text("\n".join([*lines, more, ""]))
    (place.project / "wheelhouse.toml").write_text(settings)
    return place.run("build")


def test_a_provider_that_the_metadata_forgot(place: Workplace, tmp_path: Path) -> None:
    """It is added, for the target's CUDA; or, as set, it is an error with the line to add."""
    forgetful = project("forgetful")
    strict = build(place, forgetful, settings='undeclared-libraries = "error"\n' + TARGET)
    assert strict.status == 5, strict.said
    assert "forgetful uses libcudart.so.13" in strict.err
    assert '[packages.forgetful]\n      requires = ["nvidia-cuda-runtime==13.2.*"]' in strict.err
    assert not place.house("gpu").exists()
    done = build(place, forgetful)
    assert done.status == 0, done.said
    versions = {each["name"]: each["version"] for each in manifest(place.house("gpu"))["wheels"]}
    assert set(versions) == {"forgetful", "nvidia-cuda-runtime"}
    assert versions["nvidia-cuda-runtime"].startswith("13.2.")
    wheel = wheel_of(place.house("gpu"), "forgetful", tmp_path)
    assert dynamic(wheel.extension)["RPATH"] == ["$ORIGIN/../nvidia/cu13/lib"]
    locked = place.run("plan", "--locked")
    assert locked.status == 0, locked.said  # what was found out is in the lock


def test_a_provider_of_another_major_version(place: Workplace) -> None:
    """It is known from the metadata alone; where that is not to count, the libraries tell it."""
    mistaken = project("mistaken", requires=("nvidia-cuda-runtime-cu12",))
    known = build(place, mistaken)
    assert known.status == 3, known.said
    assert "mistaken 1.0 is made for CUDA 12" in known.err
    assert "nvidia-cuda-runtime-cu12" in known.err
    assert "CUDA 13.2" in known.err
    ignored = TARGET + "[packages.nvidia-cuda-runtime-cu12]\ncuda = false\n"
    found = build(place, mistaken, settings=ignored)
    assert found.status == 5, found.said
    said = " ".join(found.err.split())
    assert "mistaken 1.0 needs libcudart.so.13 of CUDA 13.2" in said
    assert "libcudart.so.12 in nvidia_cuda_runtime_cu12-12." in said


def test_a_search_path_of_the_build_machine(place: Workplace) -> None:
    planted = project("planted", "-Xlinker", "-rpath=/usr/local/cuda/lib64")
    done = build(place, planted, more="nvidia-cuda-runtime==13.2.*")
    assert done.status == 5, done.said
    said = " ".join(done.err.split())
    assert "planted/_native.so: looks for libraries in /usr/local/cuda/lib64" in said
    assert not place.house("gpu").exists()


def test_the_drivers_library_is_left_to_the_server(place: Workplace, tmp_path: Path) -> None:
    """It is nobody's to graft, and the proof says what it could not import without it."""
    needs_driver = project("driven", "-Xlinker", "--no-as-needed", "-lcuda")
    done = build(place, needs_driver, more="nvidia-cuda-runtime==13.2.*")
    assert done.status == 0, done.said
    wheel = wheel_of(place.house("gpu"), "driven", tmp_path)
    assert "libcuda.so.1" in dynamic(wheel.extension)["NEEDED"]
    assert not [each for each in wheel.members if ".libs/" in each]
    assert "driven" in done.said
    assert "libcuda.so.1" in done.said


def test_a_cuda_without_a_compiler_on_the_index(place: Workplace) -> None:
    done = build(place, project("forgetful"), settings=TARGET.replace("13.2", "12.8"))
    assert done.status == 3, done.said
    assert "forgetful 1.0 takes the compiler of CUDA 12.8" in " ".join(done.err.split())
    assert 'builder = "' in done.err
