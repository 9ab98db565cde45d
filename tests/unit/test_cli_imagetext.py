"""Images, and what became of them, as people and programs read it."""

from __future__ import annotations

from test_image_pruning import CHAIN, HASH

from wheelhouse.cli.imagetext import (  # noqa: TID251  (tested here)
    listed,
    listed_data,
    pruned,
    pruned_data,
)
from wheelhouse.imageclearing import Cleared
from wheelhouse.imageneeds import NOTHING, Needs
from wheelhouse.imagepruning import Shelf
from wheelhouse.reporting.lines import to_text


def test_what_is_told() -> None:
    shelf = Shelf(images=CHAIN, used={f"wheelhouse/p-builder:{HASH}": 3 * 24 * 3600})
    needs = Needs(
        images={f"wheelhouse/p-builder:{HASH}": ["web", "db"]},
        untold={"db": "its lock is damaged"},
        presets={"q"},
    )
    lines = [to_text(each) for each in listed(shelf, shelf.ours, needs, 5 * 24 * 3600)]
    assert lines[1] == (
        f"wheelhouse/p-builder:{HASH}    300 B              70 B  2 days ago  web, db"
    )
    assert lines[-2].startswith("db: which images it needs cannot be told")
    assert lines[-2].endswith("its lock is damaged")
    assert lines[-1] == "3 images; all of ours take 200 B"
    data = listed_data(shelf, shelf.ours, needs)["images"][0]
    assert (data["last-used"], data["beyond-start"]) == ("1970-01-04T00:00:00+00:00", 70)
    cleared = Cleared(gone=CHAIN[-1:], kept={"x": "a container"})
    assert [to_text(each) for each in pruned(shelf, cleared, dry_run=False)] == [
        f"  wheelhouse/p-builder:{HASH}  70 B",
        "  x stays: a container",
        "1 image removed, 70 B freed",
    ]


def test_what_is_freed_is_a_bound_where_the_engine_does_not_tell_what_is_shared() -> None:
    shelf = Shelf(images=CHAIN[-1:])
    cleared = Cleared(gone=CHAIN[-1:], kept={})
    lines = [to_text(each) for each in pruned(shelf, cleared, dry_run=True)]
    assert lines[-1] == "1 image would go, at most 300 B would be freed"
    assert [to_text(each) for each in listed(shelf, shelf.ours, NOTHING, 0)][-1] == (
        "1 image; all of ours take at most 300 B"
    )
    assert not pruned_data(shelf, cleared, NOTHING, dry_run=True)["freed-is-exact"]
