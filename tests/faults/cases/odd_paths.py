"""Group 28: odd names of folders and files work; names that cannot are refused before any work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import TARGET, refused, succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.world import World

#: Names of folders and files that work.
NAMES = {
    "spaces at both ends": " two  words ",
    "unicode": "\u00dcn\u00efc\u00f6d\u00e9 \U0001f3a1 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "a leading dash": "--help",
    "what URLs and TOML escape": "100%25#a?b\"c'd\\e",
    "what shells expand": "$HOME `id` $(id) ; * ~ {a,b} [a]",
    "200 letters": "n" * 200,
}

#: Those that cannot be told in a line.
UNTELLABLE = {
    "a line break": "two\nlines",
    "a terminal's escape": "a\x1b[31m",
    "bytes that are no UTF-8": b"caf\xe9".decode("utf-8", "surrogateescape"),
}

#: What no target may be called: its name is that of a folder and of files.
TARGETS = ("..", ".", "a/b", "/tmp/a", "a\nb", "-a", "", "a b", "n" * 300)


def _configure(world: World, settings: str, files: dict[str, str], *, index: str = "") -> None:
    """Write the project, with *settings* at the top of its file."""
    world.configure("alpha\n", index=index, files=files)
    file = world.project / "wheelhouse.toml"
    file.write_text(settings + file.read_text())


def _works(world: World, name: str) -> None:
    """The folder of the project, the store, the output and the requirements are called *name*."""
    world.project = world.root / name
    world.store = world.root / f"{name} store"
    output, file = (json.dumps(each, ensure_ascii=False) for each in (name, f"{name}.txt"))
    settings = f"output = {output}\nrequirements = [{file}]\n"
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="alpha", native=True))
        _configure(world, settings, {f"{name}.txt": "alpha\n"}, index=index.url)
        succeeded(world.build())
        assert "nothing changed" in succeeded(world.build()).said
    succeeded(world.run("verify", "--", str(world.project / name / TARGET)))


def _cannot_be_told(world: World, name: str) -> None:
    """Wherever such a name is, it is refused before any work, in one line that hides nothing."""
    if name.isascii():  # else no TOML file can have it
        for setting in ("output = {}", "requirements = [{}]"):
            _configure(world, setting.format(json.dumps(name)) + "\n", {})
            refused(world.build(), 2, "wheelhouse.toml:1")
    _configure(world, "", {})
    world.project = world.project.rename(world.root / name)
    refused(world.build(), 2, "rename the file or folder")


def _targets(world: World) -> None:
    for name in TARGETS:
        world.configure("alpha\n")
        file = world.project / "wheelhouse.toml"
        file.write_text(file.read_text().replace(TARGET, json.dumps(name)))
        refused(world.build(), 2, "wheelhouse.toml:1: targets")


def _on_the_command_line(world: World) -> None:
    """What looks like an option is one, unless it is said that it is none."""
    world.configure("alpha\n")
    refused(world.run("build", "--config", "-x"), 2, "there is no file -x")
    refused(world.run("build", "--target", "-x"), 2, "-x")


def _with(what: str, attempt: Callable[[World, str], None], name: str, *, engine: bool) -> Case:
    return Case(
        group=28,
        name=f"paths with {what}",
        attempt=lambda world: attempt(world, name),
        engine=engine,
        everyday=not engine,
    )


CASES = [
    *(_with(what, _works, name, engine=True) for what, name in NAMES.items()),
    *(_with(what, _cannot_be_told, name, engine=False) for what, name in UNTELLABLE.items()),
    Case(group=28, name="targets with odd names", attempt=_targets, engine=False),
    Case(
        group=28, name="odd paths on the command line", attempt=_on_the_command_line, engine=False
    ),
]
