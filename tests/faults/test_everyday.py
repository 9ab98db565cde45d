"""The quick cases of the fault suite; `make faults` runs all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.case import Case, LeftOut, all_cases
from faults.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder: Path = tmp_path_factory.mktemp("faults")
    return Shop(folder)


def _parameter(case: Case) -> object:
    marks = [pytest.mark.containers] if case.engine else []
    marks += [pytest.mark.index] if case.index else []
    return pytest.param(case, id=str(case).replace(": ", "-").replace(" ", "-"), marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in all_cases() if case.everyday])
def test_case(shop: Shop, case: Case) -> None:
    try:
        shop.attempt(case)
    except LeftOut as reason:
        pytest.skip(str(reason))
    assert not shop.figures.broken
