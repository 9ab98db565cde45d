"""Python programs of a build, made to do the same each time.

Names of temporary files are drawn at random, and folders are listed in the order of their file
system; both get into wheels. So in a build the names follow from who asks, and lists are sorted.

This file is also copied into build environments, where a ``.pth`` file has every Python of the
build begin with :func:`settle`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would cost each Python of a build some milliseconds
    from collections.abc import Callable, Iterator
    from importlib.machinery import ModuleSpec
    from typing import Any

#: What this module is called in a build environment.
NAME = "_wheelhouse_steady"


def settle() -> None:
    """Make this process so. Once is enough."""
    listing, scanning = SortedNames(os.listdir), SortedEntries(os.scandir)
    os.supports_fd.update((listing, scanning))  # `shutil` asks whether it has the safer way
    os.listdir, os.scandir = listing, scanning  # type: ignore[assignment]
    if "tempfile" in sys.modules:
        sys.modules["tempfile"]._name_sequence = Names()  # type: ignore[attr-defined]  # noqa: SLF001
    else:
        sys.meta_path.insert(0, TempfileFinder())


def install(site_packages: str) -> None:
    """Have every Python of the environment that has *site_packages* begin with :func:`settle`."""
    with open(__file__, encoding="utf-8") as own:
        source = own.read()
    for name, text in (
        (f"{NAME}.py", source),
        (f"{NAME}.pth", f"import {NAME}; {NAME}.settle()\n"),
    ):
        with open(os.path.join(site_packages, name), "w", encoding="utf-8") as file:
            file.write(text)


class Names:
    """Names for temporary files: for the same program the same ones, for another one others.

    That is for what asks for a name and makes the file later: then no two that run at once take
    the same. All others try the next one if there is such a file.
    """

    def __init__(self) -> None:
        self._count = 0
        self._children = 0
        self._descent: tuple[int, ...] = ()
        os.register_at_fork(before=self._before_fork, after_in_child=self._in_child)

    def _before_fork(self) -> None:
        self._children += 1

    def _in_child(self) -> None:
        self._descent, self._children = (*self._descent, self._children), 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        from hashlib import sha256

        self._count += 1
        try:
            folder = os.getcwd()
        except OSError:
            folder = ""
        asker = (getattr(sys, "argv", None), folder, self._descent, self._count)
        return sha256(repr(asker).encode("utf-8", "surrogatepass")).hexdigest()[:8]


class TempfileFinder:
    """Gives `tempfile` such names as soon as it is imported: most programs never do."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What the next finders have, for `tempfile`; nothing for others."""
        if name != "tempfile":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _name_afterwards(spec.loader)
                return spec
        return None


def _name_afterwards(loader: Any) -> None:
    """Give what *loader* executes such names in the end."""
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        module._name_sequence = Names()  # noqa: SLF001  (there is no other way)

    loader.exec_module = exec_module


# Objects, not functions: as a class attribute, which `pathlib` of Python 3.9 makes of the two, a
# function would become a method.


class SortedNames:
    """`os.listdir`, sorted."""

    def __init__(self, listdir: Callable[..., list[Any]]) -> None:
        self._listdir = listdir

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        return sorted(self._listdir(*args, **kwargs))


class SortedEntries:
    """`os.scandir`, sorted by name."""

    def __init__(self, scandir: Callable[..., Any]) -> None:
        self._scandir = scandir

    def __call__(self, *args: Any, **kwargs: Any) -> Scan:
        return Scan(self._scandir(*args, **kwargs))


class Scan:
    """The entries of one folder, in the form of what `os.scandir` returns."""

    def __init__(self, scanned: Any) -> None:
        with scanned:
            self._left = iter(sorted(scanned, key=lambda entry: entry.name))

    def __iter__(self) -> Scan:
        return self

    def __next__(self) -> Any:
        return next(self._left)

    def __enter__(self) -> Scan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End early, as the original can."""
        self._left = iter(())
