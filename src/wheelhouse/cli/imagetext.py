"""The images of an engine, for a person and for programs. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wheelhouse.imagepruning import total
from wheelhouse.reporting.lines import Span, line, pad
from wheelhouse.text import counted, human_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from wheelhouse.imageclearing import Cleared
    from wheelhouse.imageneeds import Needs
    from wheelhouse.imagepruning import KeptImage, Shelf
    from wheelhouse.reporting.lines import Line, Style

_DAY = 24 * 3600
_HEAD = ("image", "size", "beyond its start", "last used", "needed here for")


def listed(shelf: Shelf, images: Sequence[KeptImage], needs: Needs, now: float) -> Iterator[Line]:
    """*images* of *shelf*, one a line, and what all of ours take."""
    rows = [
        (
            ", ".join(image.names),
            human_size(image.size),
            human_size(_beyond(shelf, image)),
            _ago(shelf.last_use(image), now),
            ", ".join(_targets(image, needs)),
        )
        for image in images
    ]
    widths = [max(len(row[i]) for row in (_HEAD, *rows)) for i in range(len(_HEAD))]
    for row in (_HEAD, *rows):
        name, size, beyond, used, needed = (pad(*each) for each in zip(row, widths, strict=True))
        right = f"{size.strip():>{widths[1]}}  {beyond.strip():>{widths[2]}}"
        yield line(Span(f"{name}  {right}  {used}  {needed}".rstrip(), _style(row)))
    yield from untold(needs)
    left, all_of_ours = shelf.leftovers, shelf.with_steps()
    more = f" and {counted(len(left), 'leftover')} without a name" if left else ""
    yield line(
        f"{counted(len(images), 'image')}{more}",
        Span(f"; all of ours take {_in_all(shelf, all_of_ours)}", "dim"),
    )


def untold(needs: Needs) -> Iterator[Line]:
    """Of which targets here the needs are not known, and what follows from that."""
    for target, why in needs.untold.items():
        told = f"{target}: which images it needs cannot be told, so none for its platform goes: "
        yield line(Span(told, "warn"), why)


def _style(row: tuple[str, ...]) -> Style:
    return "dim" if row is _HEAD else "plain"


def pruned(shelf: Shelf, cleared: Cleared, *, dry_run: bool) -> Iterator[Line]:
    """What went, or would."""
    verb = "would go" if dry_run else "removed"
    for image in cleared.gone:
        for name in image.names:
            yield line(f"  {name}  ", Span(human_size(_beyond(shelf, image)), "dim"))
    leftovers = {image.id for image in shelf.leftovers}
    left = sum(image.id in leftovers for image in cleared.gone)
    if left:
        yield line(f"  {counted(left, 'leftover')} of images that were not finished, or replaced")
    for name, why in cleared.kept.items():
        yield line("  ", Span(f"{name} stays: ", "warn"), why)
    named = sum(bool(image.names) for image in cleared.gone)
    freed = _in_all(shelf, cleared.gone)
    told = f"{counted(named, 'image')} {verb}, {freed} {'would be freed' if dry_run else 'freed'}"
    yield line(told if cleared.gone else "nothing to remove")


def listed_data(shelf: Shelf, images: Sequence[KeptImage], needs: Needs) -> dict[str, Any]:
    """The same as :func:`listed` in JSON's types, sizes in bytes."""
    return {
        "images": [
            {
                "names": list(image.names),
                "id": image.id,
                "kind": image.kind,
                "preset": image.preset,
                "arch": image.labels.get("wheelhouse.arch", ""),
                "size": image.size,
                "beyond-start": _beyond(shelf, image),
                "made": _moment(image.made),
                "last-used": _moment(shelf.last_use(image)),
                "targets": _targets(image, needs),
            }
            for image in images
        ],
        "leftovers": len(shelf.leftovers),
        "untold": dict(needs.untold),
    }


def pruned_data(shelf: Shelf, cleared: Cleared, needs: Needs, *, dry_run: bool) -> dict[str, Any]:
    """The same as :func:`pruned` in JSON's types, sizes in bytes."""
    return {
        "dry-run": dry_run,
        "removed": [{"names": list(each.names), "id": each.id} for each in cleared.gone],
        "kept": cleared.kept,
        "freed": total(shelf, cleared.gone),
        "freed-is-exact": shelf.knows_sizes(cleared.gone),
        "untold": dict(needs.untold),
    }


def _in_all(shelf: Shelf, images: Collection[KeptImage]) -> str:
    """What *images* take; at most, where they share more than the engine tells."""
    most = "" if shelf.knows_sizes(images) else "at most "
    return most + human_size(total(shelf, images))


def _beyond(shelf: Shelf, image: KeptImage) -> int:
    start = shelf.start(image)
    return image.size - (start.size if start else 0)


def _targets(image: KeptImage, needs: Needs) -> list[str]:
    found = (target for name in image.names for target in needs.images.get(name, ()))
    return list(dict.fromkeys(found))


def _moment(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


def _ago(seconds: float, now: float) -> str:
    if not seconds:
        return "nobody knows"
    days = int(max(0.0, now - seconds) // _DAY)
    return f"{counted(days, 'day')} ago" if days else "today"
