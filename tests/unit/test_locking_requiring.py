"""What metadata says of requirements, and what of it the resolver is shown."""

from __future__ import annotations

from lockingfactory import interpreter
from packaging.requirements import Requirement

from wheelhouse.locking.requiring import (
    holds,
    requirements_in,
    told,
    without_addresses,
    without_dependencies,
)

METADATA = """\
Metadata-Version: 2.1
Name: demo
Version: 1.0
Summary: a
 text of
 several lines
Requires-Python: >=3.8
Provides-Extra: fast
Requires-Dist: plain>=1
Requires-Dist: quick; extra == "fast"
Requires-Dist: other @ git+https://host.example/other.git@main ; python_version >= "3.8"
Requires-Dist: !!!

The description, which has a line
Requires-Dist: not-this
"""


def test_requirements_are_read_and_nonsense_is_passed_over() -> None:
    assert [each.name for each in requirements_in(METADATA)] == ["plain", "quick", "other"]


def test_what_holds_depends_on_target_and_extras() -> None:
    environment = interpreter().environment
    plain, quick, other = requirements_in(METADATA)
    assert holds(plain.marker, environment, ())
    assert not holds(quick.marker, environment, ())
    assert holds(quick.marker, environment, ("fast",))
    assert holds(other.marker, environment, ())
    windows = Requirement("x; sys_platform == 'win32'")
    assert not holds(windows.marker, environment, ("fast",))


def test_a_requirement_is_told_without_what_holds_anyway() -> None:
    assert told(Requirement("celery[redis,aws]>=5,<6; python_version > '3'")) == (
        "celery[aws,redis]<6,>=5"
    )


def test_of_a_closed_package_only_extras_are_followed() -> None:
    shown = without_dependencies(METADATA)
    assert [str(each) for each in requirements_in(shown)] == ['quick; extra == "fast"']
    assert "Requires-Python: >=3.8\n" in shown
    assert "Provides-Extra: fast\n" in shown
    assert "not-this" not in shown


def test_addresses_are_left_out() -> None:
    shown = without_addresses(METADATA)
    assert "git+https" not in shown
    assert 'other; python_version >= "3.8"' in [str(each) for each in requirements_in(shown)]
    assert "Requires-Dist: !!!\n" in shown  # nobody's business here
