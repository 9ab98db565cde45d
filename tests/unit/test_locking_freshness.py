"""Whether a lock still belongs to what it was made from, and what has changed if not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lockfactory import lock
from lockingfactory import project, sha, target
from packaging.utils import canonicalize_name

from wheelhouse.config import PackageSettings
from wheelhouse.inputs.model import Requirements
from wheelhouse.locking.freshness import (
    changes,
    cutoff,
    input_digests,
    inputs_digest,
    is_fresh,
)
from wheelhouse.settings import IndexSettings, InputFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelhouse.config import Project
    from wheelhouse.locking.model import Lock
    from wheelhouse.targets import Target

ROOT = Path("/home/me/project")
HERE = project(ROOT)
INDEX = IndexSettings(name="corp", url="https://corp.example/simple")
DEFAULT = IndexSettings(name="default", url="https://index.example/simple")


def asked(**files: str) -> Requirements:
    return Requirements(
        asked=(), files={ROOT / f"{name}.txt": sha(text) for name, text in files.items()}
    )


ASKED = asked(requirements="flask", more="click")


def made(
    here: Project = HERE, of: Target | None = None, requirements: Requirements = ASKED
) -> Lock:
    """The lock that is made from these."""
    of = of or target()
    return replace(
        lock(),
        target=of.name,
        inputs=inputs_digest(here, of, requirements),
        sources=input_digests(here, of, requirements),
    )


def settings(**more: object) -> Project:
    return project(ROOT, {"Demo": PackageSettings(**more)})  # type: ignore[arg-type]


def chosen(**more: object) -> Project:
    files = (InputFile(path=ROOT / "pyproject.toml", **more),)  # type: ignore[arg-type]
    return replace(HERE, requirements=files)


OTHER_PARTS = "the extras, groups or projects that are wanted changed"

CHANGES: dict[str, tuple[Project, str]] = {
    "a package's settings": (settings(source="sdist"), "[packages.demo] is new"),
    "an index": (replace(HERE, indexes=(INDEX,)), "indexes is new"),
    "another index": (
        replace(HERE, default_index=replace(DEFAULT, url="https://other.example")),
        "index changed",
    ),
    "no index": (replace(HERE, default_index=None), "index changed"),
    "a flat index": (
        replace(HERE, default_index=replace(DEFAULT, flat=True)),
        "default index is new",
    ),
    "an index's packages": (
        replace(HERE, default_index=replace(DEFAULT, packages=("corp-*",))),
        "default index is new",
    ),
    "a moment": (
        replace(HERE, exclude_newer=datetime(2026, 1, 1, tzinfo=UTC)),
        "exclude-newer is new",
    ),
    "an age": (replace(HERE, exclude_newer=timedelta(days=7)), "exclude-newer is new"),
    "the source": (replace(HERE, source="wheel"), "source is new"),
    "an extra": (chosen(extras=("dev",)), OTHER_PARTS),
    "a group": (chosen(groups=("dev",)), OTHER_PARTS),
    "not the project itself": (chosen(project=False), OTHER_PARTS),
}


def test_a_lock_is_fresh_for_what_it_was_made_from() -> None:
    assert is_fresh(made(), HERE, target(), ASKED)
    assert changes(made(), HERE, target(), ASKED) == ()
    assert not is_fresh(None, HERE, target(), ASKED)


@pytest.mark.parametrize("change", CHANGES)
def test_a_setting_that_changed_is_named(change: str) -> None:
    there, told = CHANGES[change]
    assert not is_fresh(made(), there, target(), ASKED)
    assert changes(made(), there, target(), ASKED) == (told,)
    back = changes(made(there), HERE, target(), ASKED)
    assert back == (told.replace("is new", "is gone"),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (settings(index="corp"), settings()),
        (settings(bypass=True), settings()),
        (settings(build_against=(canonicalize_name("numpy"),)), settings()),
    ],
)
def test_a_package_of_which_a_setting_changed_is_named(one: Project, other: Project) -> None:
    assert changes(made(one), other, target(), ASKED) == ("[packages.demo] changed",)
    assert not is_fresh(made(one), other, target(), ASKED)


def test_files_that_changed_are_named() -> None:
    now = asked(requirements="flask>3", extra="six")
    assert not is_fresh(made(), HERE, target(), now)
    assert changes(made(), HERE, target(), now) == (
        "extra.txt is new",
        "more.txt is gone",
        "requirements.txt changed",
    )


@pytest.mark.parametrize(
    "of",
    [
        replace(target(), torch_backend="cu128"),
        replace(target(), provided={"numpy": "image"}),
        replace(target(), arch="aarch64"),
    ],
)
def test_a_target_that_changed_is_named(of: Target) -> None:
    assert not is_fresh(made(), HERE, of, ASKED)
    assert changes(made(), HERE, of, ASKED) == ("[targets.web] changed",)


def test_a_lock_of_another_target_says_so() -> None:
    copied = made(of=target("other"))
    assert not is_fresh(copied, HERE, target(), ASKED)
    assert changes(copied, HERE, target(), ASKED) == ("it was made for the target other",)


def test_a_lock_of_before_there_were_parts_only_is_stale() -> None:
    old = replace(made(), sources={})
    assert is_fresh(old, HERE, target(), ASKED)
    assert changes(old, HERE, target(), asked(requirements="flask>3")) == ()


def test_an_age_is_the_same_at_any_time_and_a_moment_in_any_zone() -> None:
    week = replace(HERE, exclude_newer=timedelta(weeks=1))
    assert is_fresh(made(week), replace(HERE, exclude_newer=timedelta(days=7)), target(), ASKED)
    here = replace(HERE, exclude_newer=datetime(2026, 1, 1, 12, tzinfo=UTC))
    zone = timezone(timedelta(hours=2))
    there = replace(HERE, exclude_newer=datetime(2026, 1, 1, 14, tzinfo=zone))
    assert is_fresh(made(here), there, target(), ASKED)


def test_who_signs_in_makes_no_lock_stale() -> None:
    signed = replace(HERE, indexes=(replace(INDEX, username="me"),))
    assert is_fresh(made(replace(HERE, indexes=(INDEX,))), signed, target(), ASKED)


def test_the_order_of_indexes_counts() -> None:
    other = replace(INDEX, name="other")
    assert not is_fresh(
        *(made(replace(HERE, indexes=(INDEX, other))), replace(HERE, indexes=(other, INDEX))),
        *(target(), ASKED),
    )


@pytest.mark.parametrize(
    "place",
    [
        lambda root: {"default_index": replace(DEFAULT, url=f"file://{root}/vendor", flat=True)},
        lambda root: {"indexes": (replace(INDEX, url=f"file://{root}"),)},
    ],
)
def test_a_folder_of_the_project_is_the_same_on_every_machine(
    place: Callable[[Path], dict[str, object]],
) -> None:
    def at(root: Path) -> str:
        here = replace(project(root), **place(root))  # type: ignore[arg-type]
        return inputs_digest(here, target(), replace(ASKED, files={}))

    assert at(Path("/a")) == at(Path("/b/c"))
    beside = replace(HERE, indexes=(replace(INDEX, url=f"file://{ROOT}-2"),))
    inside = replace(HERE, indexes=(replace(INDEX, url=f"file://{ROOT}/-2"),))
    assert not is_fresh(made(beside), inside, target(), ASKED)


NOW = datetime(2026, 11, 20, 12, 30, 15, 999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("setting", "moment"),
    [
        (None, None),
        (timedelta(days=7), datetime(2026, 11, 13, 12, 30, 15, tzinfo=UTC)),
        (timedelta(0), NOW.replace(microsecond=0)),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2025, 12, 31, 23)),
    ],
)
def test_the_moment_that_a_setting_stands_for(
    setting: datetime | timedelta | None, moment: datetime | None
) -> None:
    assert cutoff(setting, NOW) == (moment and moment.replace(tzinfo=UTC))
