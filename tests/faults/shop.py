"""What cases share: images, a store with the common build requirements, a wheelhouse to lose."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from faults import aftermath
from faults.figures import Figures
from faults.world import World, succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.case import Case


class Shop:
    """Makes worlds below *root*.

    :ivar figures: those of all cases.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.figures = Figures()

    def attempt(self, case: Case) -> None:
        """Have *case* happen in a world of its own, and look at what is left.

        :raises AssertionError: something is not as it must be.
        """
        if case.engine:
            _ = self.images
        with self.world() as world:
            try:
                case.attempt(world)
            finally:
                self.figures.add("cases")
            aftermath.check(world, case)

    @contextmanager
    def world(self) -> Iterator[World]:
        """A new one, removed in the end."""
        folder = Path(tempfile.mkdtemp(prefix="a case ", dir=self.root))
        try:
            yield World(self, folder, self.root / "store")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @cached_property
    def images(self) -> None:
        """Those of Debian 12 are there from now on."""
        command = [sys.executable, "-m", "wheelhouse", "images", "bootstrap", "debian12"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    @cached_property
    def house(self) -> Path:
        """A proven wheelhouse, of a project that no case has."""
        _ = self.images
        kept = self.root / "a wheelhouse"
        with serving(LocalIndex()) as index, self.world() as world:
            index.add(ProjectSdist(name="before"))
            world.configure("before==1.0\n", index=index.url)
            succeeded(world.build())
            shutil.copytree(world.house, kept)
        return kept
