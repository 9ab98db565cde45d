"""Whether the kernels compute what they should, told by Python's own arithmetic.

Each is given whole numbers, of which every result is exact, so nothing may differ; and real ones,
where the result may differ from the exact one by what rounding explains, and not more
(N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3). The sizes are those at
which kernels go wrong: one number, a block's size and its neighbours, more than one grid takes.

Pure: the kernels are an argument, and nothing else of this package is imported.
"""

from __future__ import annotations

import math
import random
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Matrix = memoryview[float]

#: Largest relative error of one rounding.
FLOAT32 = 2.0**-24
FLOAT64 = 2.0**-53

#: Of vectors. A block has 256 threads; 1024 blocks of these make one pass.
LENGTHS = (1, 255, 256, 257, 262_144, 300_007)

#: Rows, inner, columns. A tile has 16 x 16 numbers; 1024 tiles are computed in one pass.
SHAPES = ((1, 1, 1), (3, 2, 5), (16, 16, 16), (17, 33, 15), (1, 300, 1), (520, 7, 531))


class Kernels(Protocol):
    """What is checked: the functions of this package."""

    def saxpy(self, a: float, x: array[float], y: array[float], /) -> None: ...

    def dot(self, x: array[float], y: array[float], /) -> float: ...

    def matmul(self, a: Matrix, b: Matrix, out: Matrix, /) -> None: ...


class Expected(NamedTuple):
    """A number, and by how much what is found may differ from it."""

    value: float
    allowed: float


@dataclass(frozen=True)
class Check:
    """One computation, looked at.

    :ivar error: largest difference to what was expected.
    :ivar wrong: what is wrong with the first number that is; None if all are right.
    """

    title: str
    error: float
    wrong: str | None

    def __str__(self) -> str:
        if self.wrong:
            return f"WRONG  {self.title}: {self.wrong}"
        return f"right  {self.title}: " + (f"off by {self.error:.1e}" if self.error else "exact")


class Numbers:
    """Numbers to compute with, the same in every run.

    :param whole: whole ones, so small that float32 holds every result exactly.
    """

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole
        self._random = random.Random(20)  # noqa: S311  # not for secrets

    def __str__(self) -> str:
        return "whole" if self.whole else "real"

    def take(self, count: int) -> array[float]:
        if self.whole:
            return array("f", self._random.choices(range(-4, 5), k=count))
        return array("f", (self._random.uniform(-1, 1) for _ in range(count)))


def checks(kernels: Kernels) -> Iterator[Check]:
    """All checks, each made when it is asked for. They take some seconds, most of them Python's."""
    for whole in (True, False):
        numbers = Numbers(whole=whole)
        for length in LENGTHS:
            yield check_saxpy(kernels, numbers, length)
            yield check_dot(kernels, numbers, length)
        for shape in SHAPES:
            yield check_matmul(kernels, numbers, shape)


def check_saxpy(kernels: Kernels, numbers: Numbers, length: int) -> Check:
    a = 3.0 if numbers.whole else 0.75
    x, y = numbers.take(length), numbers.take(length)
    expected = [expected_saxpy(a, *pair) for pair in zip(x, y, strict=True)]
    kernels.saxpy(a, x, y)
    return compared(f"saxpy of {length} {numbers} numbers", y, expected, exactly=numbers.whole)


def check_dot(kernels: Kernels, numbers: Numbers, length: int) -> Check:
    x, y = numbers.take(length), numbers.take(length)
    title = f"dot product of {length} {numbers} numbers"
    return compared(title, [kernels.dot(x, y)], [expected_dot(x, y)], exactly=numbers.whole)


def check_matmul(kernels: Kernels, numbers: Numbers, shape: tuple[int, int, int]) -> Check:
    rows, inner, columns = shape
    a, b = numbers.take(rows * inner), numbers.take(inner * columns)
    out = array("f", [math.nan]) * (rows * columns)
    kernels.matmul(matrix(a, rows, inner), matrix(b, inner, columns), matrix(out, rows, columns))
    title = f"matrix product, {rows} x {inner} by {inner} x {columns}, of {numbers} numbers"
    return compared(title, out, expected_matmul(shape, a, b), exactly=numbers.whole)


def expected_saxpy(a: float, x: float, y: float) -> Expected:
    """The product is exact in double precision; on the GPU it is rounded twice at most."""
    product = a * x
    return Expected(product + y, gamma(2, FLOAT32) * (abs(product) + abs(y)))


def expected_dot(x: array[float], y: array[float]) -> Expected:
    """The kernel adds exact products, in an order of its own, in double precision."""
    products = [p * q for p, q in zip(x, y, strict=True)]
    magnitude = math.fsum(map(abs, products))
    return Expected(math.fsum(products), gamma(len(products), FLOAT64) * magnitude)


def expected_matmul(
    shape: tuple[int, int, int], a: array[float], b: array[float]
) -> list[Expected]:
    rows, inner, columns = shape
    by_column = [b[column::columns] for column in range(columns)]
    by_row = [a[row * inner : (row + 1) * inner] for row in range(rows)]
    return [expected_entry(row, column) for row in by_row for column in by_column]


def expected_entry(row: array[float], column: array[float]) -> Expected:
    """Each product is rounded, and then with each addition, at most."""
    products = [p * q for p, q in zip(row, column, strict=True)]
    allowed = gamma(len(products) + 1, FLOAT32) * sum(map(abs, products))
    return Expected(math.fsum(products), allowed)


def gamma(roundings: int, unit: float) -> float:
    """The relative error that so many roundings can add up to."""
    return roundings * unit / (1 - roundings * unit)


def compared(
    title: str, found: Iterable[float], expected: Iterable[Expected], *, exactly: bool
) -> Check:
    """What is *found* beside what is *expected*; *exactly*: nothing may differ at all."""
    error = 0.0
    for index, (value, other) in enumerate(zip(found, expected, strict=True)):
        difference = abs(value - other.value)
        # Not the other way round: nothing compares with what is not a number.
        if not difference <= (0 if exactly else other.allowed):
            return Check(title, difference, f"number {index} is {value!r}, not {other.value!r}")
        error = max(error, difference)
    return Check(title, error, None)


def matrix(numbers: array[float], rows: int, columns: int) -> Matrix:
    """*numbers* as a buffer with two dimensions."""
    return memoryview(numbers).cast("B").cast("f", (rows, columns))
