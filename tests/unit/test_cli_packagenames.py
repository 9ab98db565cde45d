"""Names of packages that somebody types."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name

from wheelhouse.cli.packagenames import (  # noqa: TID251  (it is what is tested)
    check_names,
    package_name,
)
from wheelhouse.errors import ConfigError, SeveralErrors

KNOWN = [canonicalize_name(name) for name in ("lxml", "numpy")]


def test_names_are_normalized() -> None:
    assert package_name("Flask_Login") == "flask-login"


def test_who_is_known_is_left_alone() -> None:
    check_names(KNOWN, KNOWN, "is not built for web", "see the plan")


def test_all_that_are_not_known_are_told_with_what_was_meant() -> None:
    names = [canonicalize_name(name) for name in ("nunpy", "lxml", "torch")]
    with pytest.raises(SeveralErrors) as errors:
        check_names(names, KNOWN, "is not built for web", "see the plan")
    assert [(type(error), error.message, error.hint) for error in errors.value.errors] == [
        (ConfigError, 'nunpy is not built for web; did you mean "numpy"?', "see the plan"),
        (ConfigError, "torch is not built for web", "see the plan"),
    ]
