"""What is said where no base image can be had, or a step of making one failed."""

from __future__ import annotations

import pytest
from lockingfactory import locked
from packaging.version import Version

from wheelhouse.engine import Image
from wheelhouse.imagefailures import failure, not_pulled, without_image
from wheelhouse.imagesteps import Step, cuda_step, packages_step
from wheelhouse.targets import Place, presets
from wheelhouse.toolkit import Toolkit


def place(preset: str, python: str) -> Place:
    return Place(preset=presets()[preset], python=python, arch="x86_64")


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (
            (
                'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on '
                "10.0.0.1:53: no such host"
            ),
            "registry-1.docker.io: no such host",
        ),
        (
            (
                'Head "https://quay.io/v2/pypa/m/manifests/latest": dial tcp 192.0.2.1:443: '
                "connect: connection refused"
            ),
            "quay.io: connection refused",
        ),
        (
            (
                'Get "https://public.ecr.aws/v2/": net/http: request canceled while waiting for '
                "connection (Client.Timeout exceeded while awaiting headers)"
            ),
            (
                "public.ecr.aws: request canceled while waiting for connection (Client.Timeout "
                "exceeded while awaiting headers)"
            ),
        ),
        ('Get "https://localhost:5000/v2/": EOF', "localhost:5000: EOF"),
        ("manifest for ubuntu:24.04 not found", "manifest for ubuntu:24.04 not found"),
    ],
)
def test_of_a_registry_that_does_not_answer_host_and_reason_are_told(cause: str, said: str) -> None:
    error = not_pulled(place("ubuntu24.04", "3.12"), cause)
    assert error.message == f"there is no base image for Ubuntu 24.04 (noble): {said}"


def test_the_image_to_load_is_named() -> None:
    hint = not_pulled(place("ubuntu24.04", "3.12"), "no such host").hint or ""
    assert "`docker load` ubuntu:24.04 there" in hint
    assert hint.endswith("nothing stands in for Ubuntu 24.04 (noble), Python 3.12, x86_64")


def test_pythons_that_have_a_stand_in_are_named() -> None:
    hint = not_pulled(place("amazonlinux2023", "3.12"), "no such host").hint or ""
    assert hint.endswith("(there are stand-ins for its Python 3.9, 3.11, 3.13 and 3.14)")


def test_a_platform_that_names_no_image_could_name_one() -> None:
    error = without_image(place("amazonlinux2", "3.9"))
    assert error.message == "there is no base image for Amazon Linux 2: no image of it is known"
    assert "`image` of a platform of your own" in (error.hint or "")


def test_a_wrong_family_is_told() -> None:
    base = Image(id="sha256:1", name="base", origin="registry")
    step = packages_step("runtime", place("almalinux9", "3.11"), base, ["python3.11"])
    lines = [
        "Step 5/5 : RUN install",
        " ---> Running in 17e5fe58dfd2",
        "/bin/sh: 1: yum: not found",
        "Removing intermediate container 17e5fe58dfd2",
    ]
    error = failure(step, lines, "returned a non-zero code: 127")
    assert error.message.endswith("cannot be built: /bin/sh: 1: yum: not found")
    assert "`family`" in (error.hint or "")


def test_a_mirror_between_two_days_is_no_missing_network() -> None:
    base = Image(id="sha256:1", name="base", origin="bootstrap")
    step = packages_step("system", place("debian12", "3.11"), base, ["libpq-dev"])
    lines = [
        "Err:1 http://deb.debian.org/debian forky/main x (tar)",
        "E: Failed to fetch http://deb.debian.org/x.tar.xz  404  Not Found [IP: 192.0.2.1 80]",
        "E: Failed to fetch some archives.",
    ]
    error = failure(step, lines, "returned a non-zero code: 100")
    assert "of different days" in (error.hint or "")
    assert "allow the engine" not in (error.hint or "")
    assert error.message.count("http") == 1


BUILDER = Image(id="sha256:1", name="builder", origin="derived")
NVCC = locked("nvidia_cuda_nvcc-13.2.86-py3-none-any.whl")

TOO_NEW = [
    "In file included from /usr/local/cuda-13.2/bin/../include/cuda_runtime.h:82,",
    "                 from <command-line>:",
    (
        "/usr/local/cuda-13.2/include/crt/host_config.h:137:2: error: #error -- unsupported "
        "GNU version! gcc versions later than 15 are not supported! The nvcc flag "
        "'-allow-unsupported-compiler' can be used to override this version check; however, …"
    ),
    "  137 | #error -- unsupported GNU version! gcc versions later than 15 are not supported!",
]


def test_of_a_compiler_that_is_too_new_the_newest_that_would_do_is_told() -> None:
    toolkit = Toolkit(version=Version("13.2"), wheels=(NVCC,))
    step = cuda_step(place("debian13", "3.13"), BUILDER, toolkit)
    error = failure(step, TOO_NEW, "returned a non-zero code: 1")
    assert error.message == (
        "the compiler of Debian 13 (trixie) is too new for CUDA 13.2, which takes GCC up to 15"
    )
    assert '"portable"' in (error.hint or "")
    assert "g++-15" in (error.hint or "")


def own_step() -> Step:
    """That of an image which is said to bring CUDA 13.0."""
    toolkit = Toolkit(version=Version("13.0"), wheels=())
    return cuda_step(place("ubuntu24.04_cuda13_0", "3.12"), BUILDER, toolkit)


def test_an_image_with_a_toolkit_is_to_have_a_compiler_for_it() -> None:
    error = failure(own_step(), TOO_NEW, "returned a non-zero code: 1")
    assert error.hint == (
        "have g++-15, or an older one, in nvidia/cuda:13.0.2-devel-ubuntu24.04: it is used."
    )


@pytest.mark.parametrize(
    ("found", "has"), [("12.9", "the toolkit of CUDA 12.9"), ("", "no toolkit")]
)
def test_an_image_that_has_not_the_toolkit_it_is_said_to_have(found: str, has: str) -> None:
    error = failure(own_step(), [f"other toolkit: {found}"], "returned a non-zero code: 1")
    assert error.message == (
        f"the image of Ubuntu 24.04 with CUDA 13.0 has {has} in /usr/local/cuda, "
        "and is said to have that of CUDA 13.0"
    )
    assert "nvidia/cuda:13.0.2-devel-ubuntu24.04" in (error.hint or "")


def test_a_compiler_that_does_not_run_is_not_taken_for_none() -> None:
    said = "unusable nvcc: /usr/local/cuda-13.0/bin/nvcc: Exec format error"
    error = failure(own_step(), ["Step 7", said], "returned a non-zero code: 1")
    assert error.message == (
        "the toolkit in the image of Ubuntu 24.04 with CUDA 13.0 cannot be used: "
        "/usr/local/cuda-13.0/bin/nvcc: Exec format error"
    )
    assert error.hint == (
        "correct what is in /usr/local/cuda of nvidia/cuda:13.0.2-devel-ubuntu24.04, or name "
        "another image."
    )
