"""The self-check of `examples/cuda`: it believes honest arithmetic, and no other."""

from __future__ import annotations

import importlib.util
import math
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "examples/cuda/gpumath/src/gpumath/selfcheck.py"

#: One number, and what one block or one tile does not cover.
LENGTHS = (1, 257)
SHAPES = ((1, 1, 1), (17, 33, 15))

Rounding = Callable[[float], float]


def load() -> Any:
    """The module alone: the package around it takes nvcc."""
    spec = importlib.util.spec_from_file_location("cuda_example_selfcheck", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Where a dataclass looks for the names in its annotations.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


selfcheck = load()


def float32(value: float) -> float:
    return array("f", [value])[0]


def with_bits(bits: int) -> Rounding:
    """Rounds to so many binary digits; float32 has 24, TF32 has 11, bfloat16 has 8."""

    def rounded(value: float) -> float:
        fraction, exponent = math.frexp(value)
        return math.ldexp(round(math.ldexp(fraction, bits)), exponent - bits)

    return rounded


class Cpu:
    """The kernels as the CPU computes them, with *rounding* after every operation."""

    rounding: Rounding = staticmethod(float32)
    sum_rounding: Rounding = staticmethod(float)

    def saxpy(self, a: float, x: array[float], y: array[float]) -> None:
        for i, value in enumerate(x):
            y[i] = self.rounding(self.rounding(a * value) + y[i])

    def dot(self, x: array[float], y: array[float]) -> float:
        total = 0.0
        for p, q in zip(x, y, strict=True):
            total = self.sum_rounding(total + p * q)
        return total

    def matmul(self, a: memoryview[float], b: memoryview[float], out: memoryview[float]) -> None:
        assert a.shape
        assert b.shape
        for row in range(a.shape[0]):
            for column in range(b.shape[1]):
                total = 0.0
                for k in self.steps(a.shape[1]):
                    total = self.rounding(total + self.rounding(a[row, k] * b[k, column]))
                out[row, column] = total

    def steps(self, inner: int) -> range:
        return range(inner)


class Fused(Cpu):
    """As GPUs do it: a product is not rounded before it is added."""

    def saxpy(self, a: float, x: array[float], y: array[float]) -> None:
        for i, value in enumerate(x):
            y[i] = a * value + y[i]


class Backwards(Cpu):
    """Sums have no order that is the right one."""

    def dot(self, x: array[float], y: array[float]) -> float:
        return super().dot(x[::-1], y[::-1])

    def steps(self, inner: int) -> range:
        return range(inner)[::-1]


class LastIsForgotten(Cpu):
    def saxpy(self, a: float, x: array[float], y: array[float]) -> None:
        last = y[-1]
        super().saxpy(a, x, y)
        y[-1] = last

    def dot(self, x: array[float], y: array[float]) -> float:
        return super().dot(x[:-1], y[:-1])

    def steps(self, inner: int) -> range:
        return range(inner - 1)


class PartialTileIsForgotten(Cpu):
    def steps(self, inner: int) -> range:
        return range(inner // 16 * 16 or inner)


class OperandsAreSwapped(Cpu):
    def saxpy(self, a: float, x: array[float], y: array[float]) -> None:
        super().saxpy(a, y[:], y)

    def dot(self, x: array[float], y: array[float]) -> float:
        return super().dot(x, x)


class RowsAreColumns(Cpu):
    def matmul(self, a: memoryview[float], b: memoryview[float], out: memoryview[float]) -> None:
        assert b.shape
        rows, columns = b.shape
        turned = memoryview(b.tobytes()).cast("f", (columns, rows))
        by_column = array("f", [turned[c, r] for r in range(rows) for c in range(columns)])
        super().matmul(a, memoryview(by_column).cast("B").cast("f", (rows, columns)), out)


class NothingHappens(Cpu):
    def saxpy(self, a: float, x: array[float], y: array[float]) -> None:
        pass

    def dot(self, x: array[float], y: array[float]) -> float:
        return 0.0

    def matmul(self, a: memoryview[float], b: memoryview[float], out: memoryview[float]) -> None:
        pass


class NotANumber(Cpu):
    def saxpy(self, a: float, x: array[float], y: array[float]) -> None:
        y[0] = math.nan

    def dot(self, x: array[float], y: array[float]) -> float:
        return math.nan


class Tf32(Cpu):
    """What PyTorch takes for products on request: it is fast, and it is not float32."""

    rounding = staticmethod(with_bits(11))


class AddedUpInFloat32(Cpu):
    sum_rounding = staticmethod(float32)


class FewUlpsOff(Cpu):
    def saxpy(self, a: float, x: array[float], y: array[float]) -> None:
        super().saxpy(a, x, y)
        for i, value in enumerate(y):
            y[i] = value * (1 + 8 * 2**-24)


def looked_at(kernels: Cpu) -> Iterator[Any]:
    for whole in (True, False):
        numbers = selfcheck.Numbers(whole=whole)
        for length in LENGTHS:
            yield selfcheck.check_saxpy(kernels, numbers, length)
            yield selfcheck.check_dot(kernels, numbers, length)
        for shape in SHAPES:
            yield selfcheck.check_matmul(kernels, numbers, shape)


@pytest.mark.parametrize("kernels", [Cpu(), Fused(), Backwards()], ids=lambda k: type(k).__name__)
def test_honest_arithmetic_is_right(kernels: Cpu) -> None:
    found = list(looked_at(kernels))
    assert [str(each) for each in found if each.wrong] == []
    assert len(found) == 2 * (2 * len(LENGTHS) + len(SHAPES))
    assert not any(each.error for each in found if "whole" in each.title)
    assert any(each.error for each in found if "real" in each.title)


@pytest.mark.parametrize(
    ("kernels", "wrong"),
    [
        (LastIsForgotten(), {"saxpy", "dot product", "matrix product"}),
        (PartialTileIsForgotten(), {"matrix product"}),
        (OperandsAreSwapped(), {"saxpy", "dot product"}),
        (RowsAreColumns(), {"matrix product"}),
        (NothingHappens(), {"saxpy", "dot product", "matrix product"}),
        (NotANumber(), {"saxpy", "dot product"}),
        (Tf32(), {"saxpy", "matrix product"}),
        (AddedUpInFloat32(), {"dot product"}),
        (FewUlpsOff(), {"saxpy"}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_wrong_is_found_and_nothing_else(kernels: Cpu, wrong: set[str]) -> None:
    found = [each for each in looked_at(kernels) if each.wrong]
    assert {title for each in found for title in ("saxpy", "dot product", "matrix product")
            if each.title.startswith(title)} == wrong  # fmt: skip
    assert all(str(each).startswith("WRONG") for each in found)


def test_the_first_number_that_is_wrong_is_told() -> None:
    expected = [selfcheck.Expected(1.0, 0.5), selfcheck.Expected(2.0, 0.5)]
    check = selfcheck.compared("sums", [1.5, 2.75], expected, exactly=False)
    assert str(check) == "WRONG  sums: number 1 is 2.75, not 2.0"
    assert str(selfcheck.compared("sums", [1.5, 2], expected, exactly=False)) == (
        "right  sums: off by 5.0e-01"
    )
    assert selfcheck.compared("sums", [1.5, 2], expected, exactly=True).wrong
    assert str(selfcheck.compared("sums", [1, 2], expected, exactly=True)) == "right  sums: exact"


def test_nothing_is_right_that_has_too_few_numbers() -> None:
    with pytest.raises(ValueError, match="longer"):
        selfcheck.compared("sums", [], [selfcheck.Expected(1.0, 0.0)], exactly=True)


def test_the_sizes_are_those_at_which_the_kernels_take_another_way() -> None:
    kernels = (SOURCE.parents[2] / "native/kernels.cu").read_text()
    threads, blocks, tile = 256, 1024, 16
    for name, value in {"kThreads": threads, "kMaxBlocks": blocks, "kTile": tile}.items():
        assert f"constexpr unsigned int {name} = {value};" in kernels
    one_pass = threads * blocks
    assert {1, threads - 1, threads, threads + 1, one_pass} <= set(selfcheck.LENGTHS)
    assert max(selfcheck.LENGTHS) > one_pass
    tiles = [-(-rows // tile) * -(-columns // tile) for rows, _, columns in selfcheck.SHAPES]
    assert max(tiles) > blocks
    assert any(inner > tile and inner % tile for _, inner, _ in selfcheck.SHAPES)
    assert max(inner for _, inner, _ in selfcheck.SHAPES) * 16 < 2**24  # whole sums stay exact
