"""Settings for packages that nothing locked has: most often a typing error in a name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse.errors import InterruptedRunError, WheelhouseError
from wheelhouse.events import Notice
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.freshness import is_fresh
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.events import Reporter


@contextmanager
def telling_unused(project: Project, reporter: Reporter) -> Iterator[None]:
    """Report, once the locks are made, which settings are for nothing that any target has.

    However the block ends: a setting that does not count may be why it failed.
    """
    try:
        yield
    except InterruptedRunError:
        raise
    except WheelhouseError:
        _tell(project, reporter)
        raise
    _tell(project, reporter)


def _tell(project: Project, reporter: Reporter) -> None:
    if not project.packages:
        return
    try:
        names = _all_locked(project)
    except WheelhouseError:
        return  # a lock or an input that cannot be read is told by who needs it
    if names is None:
        return
    for name in unused(project, names):
        message = _message(project, name) + did_you_mean(name, sorted(names))
        reporter.emit(
            Notice(target=None, message=message, hint="correct the name, or take the table out")
        )


def unused(project: Project, names: Collection[NormalizedName]) -> list[NormalizedName]:
    """The packages that *project* has settings for and that are not among the locked *names*."""
    return [name for name in project.packages if name not in names]


def _all_locked(project: Project) -> set[NormalizedName] | None:
    """What the locks of all targets have; None unless each is there and fresh.

    A lock that is yet to be made may have anything.
    """
    requirements = read_inputs(project.root, project.requirements)
    names: set[NormalizedName] = set()
    for target in project.targets.values():
        lock = load_lock(lock_path(project.root, target.name))
        if lock is None or not is_fresh(lock, project, target, requirements):
            return None
        names |= lock.names
    return names


def _message(project: Project, name: NormalizedName) -> str:
    from wheelhouse.tomlsource import read_key_lines  # what a good file never pays for

    lines = read_key_lines(project.file.read_text("utf-8"))
    path = next(
        path
        for path in lines.lines
        if len(path) == 2 and path[0] == "packages" and canonicalize_name(str(path[1])) == name
    )
    where = f"{project.file.name}, line {lines.line(path)}"
    return f"[packages.{path[1]}] ({where}) is for nothing that is locked for any target"
