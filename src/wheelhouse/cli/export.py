"""`wheelhouse export`: finished wheelhouses as files for other installers."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelhouse.durable import replace_text
from wheelhouse.errors import CheckError, StorageError, WheelhouseError, raise_all
from wheelhouse.export import folder_base, parse_base
from wheelhouse.house import read_house
from wheelhouse.manifest import FILENAME
from wheelhouse.pins import WHEELS
from wheelhouse.text import counted
from wheelhouse.wholeness import HouseProblem
from wheelhouse.wording import printable, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.config import Project
    from wheelhouse.export import Format
    from wheelhouse.house import House
    from wheelhouse.targets import Target

#: As an output: print it.
STANDARD_OUTPUT = Path("-")


def export_houses(
    project: Project,
    targets: Sequence[Target],
    form: Format,
    *,
    base: str | None,
    output: Path | None,
) -> None:
    """Write the wheelhouses of *targets* in the form *form*: all of them, or none.

    :param base: where the wheels will lie; None is where they are.
    :param output: the file for the only target; ``-`` prints it. None is the usual name, in the
        current folder.
    :raises ConfigError: nothing can be installed from *base*.
    :raises StorageError: a wheelhouse is not there, or a file cannot be written.
    :raises CheckError: a wheelhouse is not whole.
    """
    there = None if base is None else parse_base(base)
    several = len(project.targets) > 1
    for target, house in zip(targets, _whole_houses(project, targets), strict=True):
        place = there or folder_base((house.path / WHEELS).absolute())
        usual = Path(form.file_name(target.name if several else None))
        if output == STANDARD_OUTPUT:
            click.echo(form.text(house.manifest, place, str(usual)), nl=False)
            continue
        file = output or usual
        _write(file, form.text(house.manifest, place, str(file)))
        wheels = counted(len(house.manifest.wheels), "wheel")
        click.echo(f"{shown_path(file)} is written: {wheels}, in {printable(place.text)}")


# -- what is exported ----------------------------------------------------------------------------


def _whole_houses(project: Project, targets: Sequence[Target]) -> list[House]:
    """The wheelhouses of *targets*; what is wrong with them, all at once."""
    houses: list[House] = []
    errors: list[WheelhouseError] = []
    for target in targets:
        try:
            houses.append(_whole_house(project.output / target.name, target.name))
        except WheelhouseError as error:
            error.target = target.name
            errors.append(error)
    raise_all(errors)
    return houses


def _whole_house(path: Path, target: str) -> House:
    if not (path / FILENAME).exists():
        raise StorageError(
            f"there is no wheelhouse in {shown_path(path)}",
            hint=f"make it: wheelhouse build --target {target}",
        )
    house = read_house(path)
    if problems := list(_wheel_problems(house)):
        shown = shown_path(path)
        raise CheckError(
            f"{shown} is not whole: {'; '.join(map(str, problems))}",
            hint=f"`wheelhouse verify {shown}` looks at the rest of it; "
            f"`wheelhouse build --target {target}` makes it anew",
        )
    return house


def _wheel_problems(house: House) -> Iterator[HouseProblem]:
    """What existence, kind and size of the wheels give away. Nothing is hashed: pip does that."""
    for wheel in house.manifest.wheels:
        file = f"{WHEELS}/{wheel.filename}"
        try:
            found = (house.path / file).lstat()
        except FileNotFoundError:
            yield HouseProblem(file=file, kind="missing")
            continue
        if not stat.S_ISREG(found.st_mode):
            yield HouseProblem(file=file, kind="unreadable")
        elif found.st_size != wheel.size:
            yield HouseProblem(file=file, kind="changed")


# -- writing it ----------------------------------------------------------------------------------


def _write(path: Path, text: str) -> None:
    """Put *text* into *path* in one step.

    :raises StorageError: its folder is not there, or cannot be written to.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, "utf-8")  # a pipe or a device stays what it is
        return
    path = path.resolve()  # what a link leads to is replaced, and the link stays
    if not path.parent.is_dir():
        raise StorageError(
            f"there is no folder {shown_path(path.parent)}",
            hint="make it, or choose another one with --output",
        )
    replace_text(path, text)
