"""Making a store smaller.

What is removed is chosen first (pure). It is removed while no run has the store open
(:meth:`wheelhouse.store.Store.alone`), so nothing that a run has seen goes.

What wheelhouses share with the store by hard links stays: it takes no room but theirs. Once they
are gone, it is like everything else.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wheelhouse.inventory import Holding

#: What is of no use while no run lives, whatever its age.
_USELESS = {"damaged", "locks"}

#: What goes only when it is of no use: its age says nothing of that.
_AGELESS = {"temporary", "images"}


@dataclass(slots=True)
class Pruned:
    """What has become of what was chosen, so far.

    :ivar gone: what is not there any more.
    :ivar kept: why each of the others could not be removed.
    """

    gone: list[Holding] = field(default_factory=list)
    kept: dict[Path, str] = field(default_factory=dict)


def chosen(
    held: Iterable[Holding], *, unused_since: int, limit: int | None = None
) -> list[Holding]:
    """What of *held* is to go, the longest unused first. Pure.

    :param unused_since: what was last used before goes; in nanoseconds since 1970.
    :param limit: the bytes that the rest may take: what was last used earliest goes until it does.
    """
    own = sorted((each for each in held if not each.shared), key=lambda each: each.used)
    gone = [each for each in own if _is_unwanted(each, unused_since)]
    rest = [each for each in own if not _is_unwanted(each, unused_since)]
    size = sum(each.size for each in rest)
    for each in rest:
        if limit is None or size <= limit:
            break
        if each.kind not in _AGELESS:
            gone.append(each)
            size -= each.size
    return gone


def _is_unwanted(holding: Holding, unused_since: int) -> bool:
    if holding.over or holding.kind in _USELESS:
        return True
    return holding.kind not in _AGELESS and holding.used < unused_since


def prune(choice: Sequence[Holding], pruned: Pruned) -> None:
    """Remove what was chosen, as far as that can be; to be called by who has the store alone.

    :param pruned: is told of each as soon as it is gone: this may be interrupted.
    """
    for each in choice:
        try:
            _remove(each.path)
        except FileNotFoundError:
            pruned.gone.append(each)
        except OSError as error:
            pruned.kept[each.path] = error.strerror or str(error)
        else:
            pruned.gone.append(each)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
