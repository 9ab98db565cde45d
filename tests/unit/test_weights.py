"""What a plan weighs, and what of it is CUDA's: pure data in, pure data out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockfactory import build, built, file, package
from lockingfactory import sha

from wheelhouse.building.recipe import Recipe
from wheelhouse.plan import Built, Plan, Step
from wheelhouse.weights import Amount, cuda_packages, files, weigh

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.locking.model import LockedPackage
    from wheelhouse.plan import Action
    from wheelhouse.weights import Weights


class Stock:
    """A machine that has *there*, and the beginnings of *begun*, each a size by its SHA-256."""

    def __init__(self, there: Mapping[str, int], begun: Mapping[str, int]) -> None:
        self._there, self._begun = there, begun

    def size(self, sha256: str) -> int | None:
        return self._there.get(sha256)

    def begun(self, sha256: str) -> int:
        return self._begun.get(sha256, 0)


def step(locked: LockedPackage, size: int | None = None) -> Step:
    """What a plan does with a package that has a wheel of *size* bytes, or none."""
    if locked.wheels:
        return Step(
            action="fetch", package=locked, file=replace(locked.wheels[0], size=size), reason=""
        )
    return making(locked, "build")


def making(locked: LockedPackage, action: Action) -> Step:
    assert locked.sdist is not None
    assert locked.build is not None
    recipe = Recipe(
        sdist=locked.sdist,
        image="sha256:builder",
        python="/usr/bin/python3",
        tool_python="/opt/tools/bin/python",
        tool_path="/opt/tools/bin",
        environment=locked.build.environment,
    )
    done = Built(filename=f"{locked.name}-1.0-py3-none-any.whl", sha256=sha("made"), facts={})
    return Step(
        action=action,
        package=locked,
        file=locked.sdist,
        reason="",
        recipe=recipe,
        built=done if action == "reuse" else None,
    )


def weights(
    *steps: Step,
    sizes: Mapping[str, int] | None = None,
    there: Mapping[str, int] | None = None,
    begun: Mapping[str, int] | None = None,
) -> Weights:
    plan = Plan(target="web", steps=steps)
    return weigh(files(plan), sizes or {}, Stock(there or {}, begun or {}))


def sha_of(name: str) -> str:
    return file(f"{name}-1.0-py3-none-any.whl").sha256


def torch() -> list[Step]:
    """A program that uses PyTorch, and what comes with that."""
    return [
        step(package("app", "1.0"), 1),
        step(package("torch", "1.0", "app"), 500),
        step(package("triton", "1.0", "torch"), 200),
        step(package("nvidia-cublas", "1.0", "nvidia-cudnn-cu13", "cuda-toolkit"), 400),
        step(package("nvidia-cudnn-cu13", "1.0", "torch"), 700),
        step(package("cuda-toolkit", "1.0", "torch"), 3),
    ]


def test_cuda_is_nvidias_and_what_requires_it_directly() -> None:
    found = cuda_packages(each.package for each in torch())
    assert found == {"torch", "nvidia-cublas", "nvidia-cudnn-cu13", "cuda-toolkit"}


def test_what_is_built_with_cuda_is_cudas() -> None:
    assert cuda_packages([built("own", build(cuda=True)), built("other", build())]) == {"own"}


def test_without_cuda_there_is_none() -> None:
    assert cuda_packages([package("numpy"), package("cudatext")]) == frozenset()


def test_a_plan_is_weighed_before_anything_is_there() -> None:
    found = weights(*torch())
    assert found.wheels == found.download == Amount(files=6, size=1804)
    assert found.cuda == found.cuda_download == Amount(files=4, size=1603)
    assert found.stored == Amount()
    assert found.cuda_owners == ("nvidia-cudnn-cu13", "torch", "nvidia-cublas", "cuda-toolkit")


def test_what_is_there_or_has_begun_to_come_is_not_to_come_again() -> None:
    there = {sha_of("torch"): 500}
    found = weights(*torch(), there=there, begun={sha_of("nvidia-cublas"): 150})
    assert found.wheels.size == 1804
    assert found.download == Amount(files=5, size=1804 - 500 - 150)
    assert found.cuda_download == Amount(files=3, size=1603 - 500 - 150)
    assert found.stored == Amount(files=2, size=650)
    files = [found.find(sha_of(name)) for name in ("torch", "nvidia-cublas")]
    assert [file and (file.there, file.come) for file in files] == [(True, 500), (False, 150)]
    assert found.find(sha("another")) is None


def test_a_size_that_the_lock_lacks_is_what_a_server_or_the_store_says() -> None:
    steps = [step(package(name)) for name in ("asked", "stored", "unknown")]
    found = weights(*steps, sizes={sha_of("asked"): 5}, there={sha_of("stored"): 7})
    assert [found.size(sha_of(name)) for name in ("asked", "stored", "unknown")] == [5, 7, None]
    assert found.wheels == Amount(files=3, size=12, unknown=1)
    assert found.download == Amount(files=2, size=5, unknown=1)


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (Amount(), "nothing"),
        (Amount(files=2, size=3_000_000_000), "3.0 GB"),
        (Amount(files=2, size=3_000_000_000, unknown=1), "at least 3.0 GB"),
        (Amount(files=2, unknown=2), "an unknown size"),
    ],
)
def test_what_is_not_known_is_not_guessed(amount: Amount, told: str) -> None:
    assert str(amount) == told


def test_a_build_takes_its_source_and_its_requirements_once() -> None:
    environment = build("setuptools-80.0", "wheel-0.45")
    found = weights(
        making(built("one", environment), "build"), making(built("two", environment), "build")
    )
    assert [each.heavy.file.filename for each in found.files] == [
        "one-1.0.tar.gz",
        "setuptools-80.0-py3-none-any.whl",
        "wheel-0.45-py3-none-any.whl",
        "two-1.0.tar.gz",
    ]
    assert found.wheels == Amount()
    assert found.download.unknown == 4


def test_a_wheel_that_was_built_before_weighs_what_it_does() -> None:
    found = weights(making(built("one", build("wheel-0.45")), "reuse"), there={sha("made"): 9})
    assert found.wheels == found.stored == Amount(files=1, size=9)
    assert found.download == Amount()
