"""A small project with everything in it that a run does: downloads, builds, and what needs what."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

from faults.world import TARGET, World, digests, succeeded
from housefactory import Package, wheel_bytes
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.shop import Shop

REQUIREMENTS = "alpha\ngamma\nheavy\nlight\n"

#: Bytes of the larger wheel: enough for kills in the middle of writing it.
HEAVY = 4_000_000


@contextmanager
def mixture() -> Iterator[LocalIndex]:
    """Serve sdists, one of them native, and wheels, for :data:`REQUIREMENTS`."""
    noise = random.Random(6).randbytes(HEAVY)
    heavy = Package(name="heavy", files={"heavy/__init__.py": b"", "heavy/data": noise})
    with serving(LocalIndex()) as index:
        index.add(
            ProjectSdist(name="alpha", requires=("beta",)),
            ProjectSdist(name="beta", native=True),
            ProjectSdist(name="gamma"),
        )
        for package in (heavy, Package(name="light")):
            wheel = f"{package.name}-1.0-{package.tag}.whl"
            index.files[package.name] = {wheel: wheel_bytes(package)}
        yield index


def undisturbed(shop: Shop, index: LocalIndex) -> tuple[dict[str, str], bytes, float]:
    """The wheelhouse and the lock that a run makes elsewhere in peace, and its seconds."""
    with shop.world() as elsewhere:
        elsewhere.own_store()
        elsewhere.configure(REQUIREMENTS, index=index.url)
        seconds = succeeded(elsewhere.build()).seconds
        return digests(elsewhere.house), lock_of(elsewhere) or b"", seconds


def lock_of(world: World) -> bytes | None:
    """The present lock's bytes, if there is one."""
    try:
        return (world.project / f"pylock.{TARGET}.toml").read_bytes()
    except FileNotFoundError:
        return None
