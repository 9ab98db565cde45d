"""What a build was given beyond what it asks for, in words and as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from wheelhouse.locking.model import NOTHING_MORE, Provision
from wheelhouse.locking.provision import provision_fields, told

LEARNED = Provision(
    system={"debian13": ("libpq-dev",), "debian12": ("libpq-dev", "zlib1g-dev")},
    constraints=("cython<3", "setuptools<82"),
    requires=("numpy<2",),
    before=datetime(2021, 1, 20, 14, 5, tzinfo=UTC),
    relaxed=True,
    search=("header hdf5.h",),
)


def test_everything_is_told_in_one_line() -> None:
    assert told(LEARNED, "debian12") == (
        "libpq-dev, zlib1g-dev; build requirements of before 2021-01-20; without its own limits "
        "to build requirements; with cython<3, setuptools<82; with numpy<2, which it does not "
        "declare; with header hdf5.h where the compiler looks"
    )


@pytest.mark.parametrize(
    ("provision", "expected"),
    [
        (NOTHING_MORE, ""),
        (Provision(system={"debian12": ("libpq-dev",)}), ""),  # of another distribution
        (Provision(system={"portable": ("libpq-dev",)}), "libpq-dev"),
        (Provision(constraints=("setuptools<82",)), "with setuptools<82"),
    ],
)
def test_only_what_there_is_is_told(provision: Provision, expected: str) -> None:
    assert told(provision, "portable") == expected


def test_the_day_is_that_of_utc_wherever_the_time_was_written() -> None:
    tokyo = timezone(timedelta(hours=9))
    early = Provision(before=datetime(2021, 1, 20, 8, 0, tzinfo=tokyo))
    assert told(early, "debian12") == "build requirements of before 2021-01-19"


def test_a_table_has_what_there_is_the_platforms_in_order() -> None:
    assert provision_fields(NOTHING_MORE) == {}
    fields = provision_fields(LEARNED)
    assert list(fields) == ["system", "constraints", "requires", "before", "relaxed", "search"]
    assert list(fields["system"]) == ["debian12", "debian13"]
    assert provision_fields(Provision(requires=("numpy",))) == {"requires": ["numpy"]}
