"""Platforms as text for a person, and as data for programs. Pure: what to print, not where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelhouse.reporting.lines import Line, Span, line, pad, wrap_line
from wheelhouse.tags import platforms_of, tags_of
from wheelhouse.targets import Place, stand_in
from wheelhouse.text import cell_width, clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from wheelhouse.targets import Preset, PresetPython

GAP = "  "

#: Columns that a clipped title must have left to be worth its place.
SHORTEST_TITLE = 16

#: Columns of :func:`explained` before its values.
LABELS = 16

NO_PYTHON = (
    "Describe yours in wheelhouse.toml, as [platforms.NAME] with `like` and `pythons`, or capture "
    "a server with `wheelhouse targets probe`."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    """A column of the list. The highest *weight* is the first to go where there is no room."""

    head: str
    cells: tuple[Span, ...]
    weight: int = 0

    @property
    def width(self) -> int:
        return max(cell_width(text) for text in (self.head, *(each.text for each in self.cells)))


# --- all of them ---------------------------------------------------------------------------------


def listed(presets: Iterable[Preset], today: date, width: int | None) -> list[Line]:
    """All platforms, one in a line.

    :param width: columns that there are; None where lines may be of any length.
    """
    columns = _columns(list(presets), today)
    chosen = _fitting(columns, width)
    cells = zip(*(_padded(each) for each in chosen), strict=True)
    lines = [_row(row) for row in cells]
    lines.append(())
    if any(cell.text.endswith(_OVER) for each in chosen for cell in each.cells):
        lines.append(line(Span("! without free updates since that day", "dim")))
    if len(chosen) < len(columns):
        lines.append(line(Span("A wider terminal shows more columns.", "dim")))
    lines.append(line("`wheelhouse targets show NAME` tells all about one of them."))
    return lines


_OVER = " !"


def _columns(presets: list[Preset], today: date) -> list[_Column]:
    def column(head: str, cells: Iterable[Span | str], weight: int = 0) -> _Column:
        return _Column(head=head, cells=line(*cells), weight=weight)

    return [
        column("NAME", (preset.name for preset in presets)),
        column("PLATFORM", (preset.title for preset in presets), 2),
        column("C LIBRARY", (str(preset.libc) for preset in presets)),
        column("PYTHON", (ranges(preset.pythons) or Span("-", "dim") for preset in presets)),
        column("ARCHITECTURES", (", ".join(preset.arches) for preset in presets), 3),
        column("UPDATES UNTIL", (_end(preset, today) for preset in presets)),
        column("IMAGES", (_images(preset) for preset in presets), 1),
    ]


def _fitting(columns: list[_Column], width: int | None) -> list[_Column]:
    """What of *columns* fits: the title as far as there is room, then fewer of them."""
    if width is None or _total(columns) <= width:
        return columns
    heaviest = max(columns, key=lambda each: each.weight)
    if not heaviest.weight:
        return columns
    room = width - _total([each for each in columns if each is not heaviest]) - len(GAP)
    if heaviest.head == "PLATFORM" and room >= SHORTEST_TITLE:
        cells = tuple(Span(clip(cell.text, room), cell.style) for cell in heaviest.cells)
        clipped = _Column(head=heaviest.head, cells=cells)
        return [clipped if each is heaviest else each for each in columns]
    return _fitting([each for each in columns if each is not heaviest], width)


def _total(columns: Sequence[_Column]) -> int:
    return sum(each.width for each in columns) + len(GAP) * (len(columns) - 1)


def _padded(column: _Column) -> list[Span]:
    """*column*'s head and cells, all of one width."""
    spans = (Span(column.head, "strong"), *column.cells)
    return [Span(pad(span.text, column.width), span.style) for span in spans]


def _row(cells: Iterable[Span]) -> Line:
    spans: list[Span] = []
    for cell in cells:
        spans += [cell, Span(GAP)]
    last = spans[-2]
    return (*spans[:-2], Span(last.text.rstrip(), last.style))


def ranges(pythons: Iterable[str]) -> str:
    """Versions in short: ``3.9, 3.11-3.14, 3.14t``."""
    kinds: dict[str, list[int]] = {"": [], "t": []}
    for python in pythons:
        kinds["t" if python.endswith("t") else ""].append(_minor(python))
    return ", ".join(
        f"3.{run[0]}{kind}-3.{run[-1]}{kind}" if len(run) > 2 else _each(run, kind)
        for kind, minors in kinds.items()
        for run in _runs(sorted(minors))
    )


def _minor(python: str) -> int:
    return int(python.removesuffix("t").partition(".")[2])


def _each(minors: list[int], kind: str) -> str:
    return ", ".join(f"3.{minor}{kind}" for minor in minors)


def _runs(numbers: list[int]) -> list[list[int]]:
    """*numbers*, parted where there is a gap."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _end(preset: Preset, today: date) -> Span:
    if preset.end_of_life is None:
        return Span("-", "dim")
    over = preset.end_of_life < today
    return Span(f"{preset.end_of_life}{_OVER if over else ''}", "warn" if over else "plain")


def _images(preset: Preset) -> str:
    """Where its images come from; ``stand-in 4/5``: for four of five Pythons there is one."""
    ways = ["registry"] if preset.image else []
    if preset.is_made_here:
        ways.append("made here")
    else:
        names = _stand_ins(preset, preset.arches[0]).values()
        having = sum(name is not None for name in names)
        some = f" {having}/{len(names)}" if having < len(names) else ""
        ways += [f"stand-in{some}"] if having else []
    return ", ".join(ways) or "-"


def _stand_ins(preset: Preset, arch: str) -> dict[str, str | None]:
    """By Python, the name of its stand-in."""
    places = {
        python: stand_in(Place(preset=preset, python=python, arch=arch))
        for python in preset.pythons
    }
    return {python: place.preset.name if place else None for python, place in places.items()}


# --- one of them ---------------------------------------------------------------------------------


def explained(preset: Preset, python: str | None, arch: str, today: date, width: int) -> list[Line]:
    """All that is known of a platform, and how to name it.

    :param python: the one to tell more of; None if it has none.
    """
    lines = [line(Span(preset.name, "strong"), f": {preset.title}"), ()]
    for label, value in _facts(preset, python, arch, today):
        lines += _labelled(label, value, width)
    lines.append(())
    if preset.note:
        lines += [*wrap_line(line(preset.note), width, indent=0), ()]
    if python is None:
        return [*lines, *wrap_line(line(NO_PYTHON), width, indent=0)]
    lines.append(line(Span("Pythons", "strong")))
    stand_ins = _stand_ins(preset, arch)
    for each, known in preset.pythons.items():
        lines += _python(each, known, preset, stand_ins[each], width)
    lines += [(), line(Span("In wheelhouse.toml", "strong"))]
    lines += [*_declared(preset, python, arch), ()]
    count = len(tags_of(python, preset.libc, arch))
    told = f"Python {python} on {arch} installs wheels of {count} tags; `--tags` lists them."
    return lines + wrap_line(line(told), width, indent=0)


def _facts(
    preset: Preset, python: str | None, arch: str, today: date
) -> Iterable[tuple[str, Line]]:
    newest = platforms_of(preset.libc, arch)[1]
    yield "C library", line(f"{preset.libc}: installs wheels up to {newest}")
    limit = f"up to GLIBCXX_{preset.glibcxx}" if preset.glibcxx else "no limit is known"
    yield "libstdc++", line(limit)
    yield "Architectures", line(", ".join(preset.arches))
    if preset.cuda:
        yield "CUDA", line(f"{preset.cuda}: its image has the toolkit")
    end = _end(preset, today)
    over = " (without free updates since)" if end.text.endswith(_OVER) else ""
    yield "Updates until", line(Span(end.text.removesuffix(_OVER), end.style), over)
    image = Place(preset=preset, python=python, arch=arch).image if python else preset.image
    yield "Image", line(image or "none in a registry")
    yield "No registry", line(_origin(preset, arch))


def _origin(preset: Preset, arch: str) -> str:
    if preset.suite:
        return f"images are made here, from Debian's packages ({preset.suite})"
    if preset.base:
        return f"images are made here, on those of {preset.base}"
    names = [name for name in _stand_ins(preset, arch).values() if name]
    if not names:
        return "none of the platforms that can be made here stands in for it"
    return f"stand-ins, by Python: {', '.join(dict.fromkeys(names))}"


def _labelled(label: str, value: Line, width: int) -> list[Line]:
    return wrap_line(line(Span(f"{label:{LABELS}}", "dim"), *value), width, indent=LABELS)


def _python(
    python: str, known: PresetPython, preset: Preset, stand_in: str | None, width: int
) -> list[Line]:
    facts = [known.path]
    if known.pip:
        facts.append(f"pip {known.pip}")
    if known.from_source:
        facts.append("compiled here from its sources")
    if stand_in and not preset.is_made_here:
        facts.append(f"stand-in {stand_in}")
    lines = _labelled(f"  {python}", line(", ".join(facts)), width)
    for what, packages in (("packages", known.packages), ("headers", known.headers)):
        if packages:
            lines += _labelled("", line(Span(f"{what}: ", "dim"), " ".join(packages)), width)
    return lines


def _declared(preset: Preset, python: str, arch: str) -> list[Line]:
    name = f"{preset.name}-py{python}".replace(".", "")
    texts = [f"[targets.{name}]", f'platform = "{preset.name}"', f'python = "{python}"']
    if arch != "x86_64":
        texts.append(f'arch = "{arch}"')
    return [line(f"  {text}") for text in texts]


# --- as data -------------------------------------------------------------------------------------


def data_of(preset: Preset) -> dict[str, Any]:
    """*preset* for a program: as `presets.toml` has it, and what follows from it."""
    return {
        "name": preset.name,
        "title": preset.title,
        "family": preset.family,
        "libc": str(preset.libc),
        "glibcxx": str(preset.glibcxx) if preset.glibcxx else None,
        "arches": list(preset.arches),
        "cuda": str(preset.cuda) if preset.cuda else None,
        "end_of_life": str(preset.end_of_life) if preset.end_of_life else None,
        "image": preset.image,
        "made_here": preset.is_made_here,
        "note": preset.note,
        "pythons": {
            python: _python_data(known, _stand_ins_of(preset, python))
            for python, known in preset.pythons.items()
        },
    }


def _python_data(known: PresetPython, stand_ins: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "path": known.path,
        "packages": list(known.packages),
        "headers": list(known.headers),
        "pip": str(known.pip) if known.pip else None,
        "stand_in": dict(stand_ins),
    }


def _stand_ins_of(preset: Preset, python: str) -> dict[str, str | None]:
    """By architecture, the name of the stand-in of one Python."""
    return {arch: _stand_ins(preset, arch)[python] for arch in preset.arches}
