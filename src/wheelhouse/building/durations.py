"""How long builds take: as the last one did, or guessed from the sdist's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from wheelhouse.engine import Engine
    from wheelhouse.locking.model import LockedFile
    from wheelhouse.store import Store
    from wheelhouse.targets import Target

KIND = "duration"

#: How many times longer a compiler takes under emulation, as measured with QEMU 7.2.
EMULATION = 10.0

#: Bytes of an sdist that are built in a second, roughly: it only has to tell long from short.
_BYTES_A_SECOND = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast builds go.

    :ivar emulated: whether the engine's machine has another architecture than the target.
    """

    store: Store
    emulated: bool

    @classmethod
    def of(cls, engine: Engine, store: Store, target: Target) -> Pace:
        """That of building for *target*."""
        return cls(store=store, emulated=engine.arch != target.arch)

    def expected(self, name: NormalizedName, sdist: LockedFile) -> float:
        """Seconds that building *sdist* of the package *name* will take."""
        if known := self._remembered(name, emulated=self.emulated):
            return known
        native = self._remembered(name, emulated=False) or self._guess(sdist)
        return native * EMULATION if self.emulated else native

    def remember(self, name: NormalizedName, seconds: float) -> None:
        """Keep that the build has taken *seconds*."""
        self.store.write_record(KIND, _key(name, emulated=self.emulated), {"seconds": seconds})

    def _remembered(self, name: NormalizedName, *, emulated: bool) -> float | None:
        record = self.store.record(KIND, _key(name, emulated=emulated))
        return float(record["seconds"]) if record else None

    def _guess(self, sdist: LockedFile) -> float:
        return (sdist.size or self._stored_size(sdist.sha256)) / _BYTES_A_SECOND

    def _stored_size(self, sha256: str) -> int:
        path = self.store.blob(sha256)
        return path.stat().st_size if path.is_file() else 0


def _key(name: NormalizedName, *, emulated: bool) -> str:
    return f"{name}-emulated" if emulated else name
