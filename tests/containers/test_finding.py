"""The distribution's own index, made with a network and asked without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from packagepairs import is_right, pairs
from wheelhouse.building.runner import Runner
from wheelhouse.cli.workbench import open_engine
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.events import SilentReporter
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.finding import DistributionFinder
from wheelhouse.missing import Missing
from wheelhouse.store import Store
from wheelhouse.targets import Target, presets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.containers

#: Nobody needs these so often that the table would know them.
GPHOTO = Missing("pkg-config", "libgphoto2")
GPHOTO_LIBRARY = Missing("soname", "libgphoto2.so.6")


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    store, cancellation = Store(tmp_path / "store"), Cancellation()
    fetcher = Fetcher(Client(), store, cancellation.check)
    engine = open_engine("docker", store, fetcher, SilentReporter(), cancellation)
    try:
        yield Runner(engine, store, Limits(), SilentReporter(), cancellation)
    finally:
        engine.close()


def test_debian_names_the_packages_that_people_would_choose(runner: Runner) -> None:
    known = presets()["debian12"]
    target = Target(name="d12", preset=known, python=next(iter(known.pythons)))
    images = runner.engine.images(target)
    builder = DistributionFinder(runner, target, images, "builder")
    runtime = DistributionFinder(runner, target, images, "runtime")
    assert builder.find([GPHOTO]) == {GPHOTO: ("libgphoto2-dev",)}
    assert runtime.find([GPHOTO_LIBRARY]) == {GPHOTO_LIBRARY: ("libgphoto2-6",)}

    expected = dict(pairs("debian12"))
    found = runtime.find(list(expected))
    there = runtime.installed
    wrong = {
        each: found[each]
        for each, right in expected.items()
        if not right & there and not is_right(found[each], right)
    }
    # Debian 12 still gets updates; what is listed was right on the day it was written.
    assert len(wrong) < 0.02 * len(expected), wrong

    headers = Missing("header", "sys/queue.h")
    assert "libc6-dev" in runtime.find([headers])[headers]
    assert "libc6-dev" not in builder.find([headers])[headers]  # it is there, and did not help
