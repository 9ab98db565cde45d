"""What is built in a benchmark: closed sets of pinned requirements for one target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wheelhouse.targets import Target, presets

FOLDER = Path(__file__).parent / "workloads"

TARGET = Target(name="bench", preset=presets()["debian12"], python="3.11")


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """One set of requirements.

    :ivar sdists: whether all of it is built from source, where wheels could be had as well.
    """

    name: str
    title: str
    sdists: bool = False

    @property
    def asked(self) -> Path:
        """The names that the set was made from."""
        return FOLDER / f"{self.name}.in"

    @property
    def pinned(self) -> Path:
        """Every requirement of the set with its version and hashes, dependencies included."""
        return FOLDER / f"{self.name}.txt"

    def names(self) -> list[str]:
        """The names of all pinned packages."""
        lines = self.pinned.read_text().splitlines()
        return [line.partition("==")[0] for line in lines if "==" in line]

    def configuration(self, names: list[str]) -> str:
        """A `wheelhouse.toml` for the set, in which *names* are all its packages."""
        head = (
            'requirements = ["requirements.txt"]\n\n'
            f"[targets.{TARGET.name}]\n"
            f'platform = "{TARGET.preset.name}"\npython = "{TARGET.python}"\n'
        )
        source = "".join(f'\n[packages.{name}]\nsource = "sdist"\n' for name in names)
        return head + (source if self.sdists else "")


WORKLOADS = {
    each.name: each
    for each in (
        Workload(name="w1", title="web application, from wheels"),
        Workload(name="w2", title="31 sdists, compiled", sdists=True),
        Workload(name="w3", title="300 small pure wheels"),
    )
}
