"""What is told of wheels that were built again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.cli.rebuildtext import (  # noqa: TID251  (it is what is tested)
    rebuilt_data,
    rebuilt_lines,
    unlike,
)
from wheelhouse.rebuilding.comparing import Difference
from wheelhouse.rebuilding.originals import Original
from wheelhouse.rebuilding.rebuild import Rebuilt, RebuiltTarget
from wheelhouse.rebuilding.variation import ALL
from wheelhouse.reporting.lines import to_text

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "demo-1.0-py3-none-any.whl"


def rebuilt(package: str, tmp_path: Path, **more: object) -> Rebuilt:
    original = Original(path=tmp_path, filename=WHEEL, sha256="a" * 64, place="wheelhouse")
    same = Rebuilt(package=package, original=original, again="a" * 64, varied=ALL)
    return replace(same, **more)  # type: ignore[arg-type]


def texts(*wheels: Rebuilt) -> list[str]:
    return [to_text(each) for each in rebuilt_lines([RebuiltTarget(target="web", wheels=wheels)])]


def test_each_wheel_has_a_line_and_the_figure_is_last(tmp_path: Path) -> None:
    differs = (Difference(member="a.py", kind="content", detail="line 1: x became y"),)
    assert texts(
        rebuilt("same 1.0", tmp_path),
        rebuilt("another 2.0", tmp_path, again="b" * 64, differences=differs),
        rebuilt("third 3", tmp_path, again=None, problem="third 3 cannot be built: why", varied=()),
        rebuilt("still 4", tmp_path, varied=ALL[:-1]),
    ) == [
        "web",
        "  identical  same 1.0",
        "  differs    another 2.0",
        "             a.py: line 1: x became y",
        "  failed     third 3",
        "             third 3 cannot be built: why",
        "  identical  still 4      not varied: clock",
        f"varied: {', '.join(ALL)}",
        "2 of 4 identical",
    ]


def test_other_inputs_are_told_beside_it(tmp_path: Path) -> None:
    other = rebuilt("same 1.0", tmp_path)
    other = replace(other, original=replace(other.original, same_inputs=False))
    assert texts(other)[1] == "  identical  same 1.0  the first was built from other inputs"


def test_of_many_differences_the_first_are_told(tmp_path: Path) -> None:
    many = tuple(Difference(member=f"{n}.py", kind="added", detail="is new") for n in range(10))
    assert texts(rebuilt("a 1", tmp_path, differences=many))[-3] == (
        "             and 2 differences more"
    )


def test_where_nothing_is_built_that_is_told() -> None:
    assert texts() == ["web", "no wheel is built for it: all come from the index as they are"]


def test_programs_get_all_of_it(tmp_path: Path) -> None:
    differs = (Difference(member="a.py", kind="content", detail="x"),)
    wheels = (rebuilt("a 1", tmp_path), rebuilt("b 2", tmp_path, again="b", differences=differs))
    data = rebuilt_data([RebuiltTarget(target="web", wheels=wheels)])
    assert (data["identical"], data["of"]) == (1, 2)
    told = data["targets"][0]["wheels"][1]
    assert told["differences"] == [{"member": "a.py", "kind": "content", "detail": "x"}]
    assert (told["identical"], told["same-inputs"], told["varied"]) == (False, True, list(ALL))


def test_the_error_names_what_differs_and_the_next_step(tmp_path: Path) -> None:
    wheels = (rebuilt("a 1", tmp_path), rebuilt("b 2", tmp_path, again=None, problem="why"))
    found = [RebuiltTarget(target="web", wheels=wheels)]
    error = unlike(found, None)
    assert error is not None
    assert error.exit_status == 9
    assert error.message == "1 of 2 wheels did not come out the same: b 2"
    assert "--keep FOLDER" in (error.hint or "")
    kept = unlike(found, tmp_path)
    assert kept is not None
    assert str(tmp_path) in (kept.hint or "")
    assert unlike([RebuiltTarget(target="web", wheels=wheels[:1])], None) is None
