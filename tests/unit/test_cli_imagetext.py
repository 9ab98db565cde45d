"""Images, and what became of them, as people and programs read it."""

from __future__ import annotations

from test_image_pruning import CHAIN, HASH

from wheelhouse.cli.imagetext import listed, listed_data, pruned  # noqa: TID251  (tested here)
from wheelhouse.imageclearing import Cleared
from wheelhouse.imagepruning import Shelf
from wheelhouse.reporting.lines import to_text


def test_what_is_told() -> None:
    shelf = Shelf(images=CHAIN, used={f"wheelhouse/p-builder:{HASH}": 3 * 24 * 3600})
    needs = {f"wheelhouse/p-builder:{HASH}": ["web", "db"]}
    lines = [to_text(each) for each in listed(shelf, shelf.ours, needs, 5 * 24 * 3600)]
    assert lines[1] == (
        f"wheelhouse/p-builder:{HASH}    300 B              70 B  2 days ago  web, db"
    )
    assert lines[-1] == "3 images; all of ours take 200 B"
    data = listed_data(shelf, shelf.ours, needs)["images"][0]
    assert (data["last-used"], data["beyond-start"]) == ("1970-01-04T00:00:00+00:00", 70)
    cleared = Cleared(gone=CHAIN[-1:], kept={"x": "a container"})
    assert [to_text(each) for each in pruned(shelf, cleared, set(), dry_run=False)] == [
        f"  wheelhouse/p-builder:{HASH}  70 B",
        "  x stays: a container",
        "1 image removed, 70 B freed",
    ]
