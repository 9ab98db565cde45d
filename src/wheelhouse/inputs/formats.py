"""What `--no-binary` and `--only-binary` come to, as pip adds them up. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from wheelhouse.inputs.model import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What takes back all that the same option has said before.
NONE = ":none:"


def with_format(
    formats: Mapping[str, Literal["wheel", "sdist"]],
    only: Literal["wheel", "sdist"],
    value: str,
) -> Mapping[str, Literal["wheel", "sdist"]]:
    """*formats* with one more option: *only* that is taken for the names in *value*.

    Names are separated by commas; the later word on a name counts. :data:`ALL` is the word on
    everything, and takes back all that was said before it.
    """
    names = [name.strip() for name in value.split(",")]
    added = dict(formats)
    if ALL in names:
        last = len(names) - names[::-1].index(ALL)
        added, names = {ALL: only}, names[last:] if NONE in names[last:] else []
    for name in names:
        if name == NONE:
            added = {known: kind for known, kind in added.items() if kind != only}
        elif name:
            added[canonicalize_name(name)] = only
    return added


def merged_formats(
    formats: Mapping[str, Literal["wheel", "sdist"]],
    later: Mapping[str, Literal["wheel", "sdist"]],
) -> Mapping[str, Literal["wheel", "sdist"]]:
    """Those of two files, the *later* of which has the last word."""
    return later if ALL in later else {**formats, **later}
