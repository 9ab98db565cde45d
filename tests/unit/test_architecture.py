"""What `docs/design.md` says of imports holds: which way they point, and who may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "src" / "wheelhouse"

#: From the bottom to the top. A module belongs where the longest name that fits it stands.
LAYERS = (
    """agent cuda data.gpu data.probe_server data.verify durable errors events inuse leftovers
    locks marks moments storeroot targets text __init__""",
    """alignment.frameworks audittable capture config configchecks configerrors credentials
    cudavalues engine fetch fetcherrors filemeasures filevalues indextable indexvalues
    inputs.model inventory locking.model locking.provision missing partials platformtable
    projectfile projectmaker projectpaths providers pruning recipes reporting scheduler settings
    signing store tags targettable tomlsource toolbox toolkit torchindex wheelcontext wording""",
    """bootstrap building emulation engine.docker engine.docker_archive engine.docker_command
    engine.docker_connect engine.docker_container engine.docker_images engine.docker_shelf
    engine.local engine.local_machine engine.session imageclearing imagefailures
    imagemaker imagepruning images imagesteps imagestore imageuses inputs locking.candidates
    locking.flatindex locking.index plan sources weights wheels""",
    """advisories alignment attestations contents export finding house installer joining locking
    machine manifest manifestschema mismatch needs obtain pins probe proofreport provenance prove
    proving publish sbom sealing serverneeds story verification vouching wholeness workshop""",
    """aftercare imageneeds learning phases pipeline planning rebuilding run supplying unused
    uptodate weighing""",
    "__main__ cli",
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}

#: What the toolbox has for the agent, whose Python these run on.
ON_OUR_PYTHON = {"build", "cibuildwheel", "environment", "grafting", "metadata", "repair"}
TOOLBOX = {"auditwheel", "elftools", "packaging", "pyproject_hooks"}

#: The oldest Python of a target, which runs the rest of the agent; the host sends `packaging`.
OLDEST = (3, 9)
SENT_ALONG = {"packaging"}

#: What a run with nothing to do must not pay for.
HEAVY = {"docker", "elftools", "lxml", "packaging", "pydantic", "requests", "rich", "tree_sitter"}


def modules() -> dict[str, Path]:
    """Every module's name, without the package's, and its file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
        found[name] = path
    return found


MODULES = modules()


def imported(path: Path) -> Iterator[str]:
    """The full names of what *path* imports anywhere in it, for types too; not relative ones."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name: str) -> int:
    while name not in LAYER:
        assert "." in name, f"give {name} its place among the layers"
        name = name.rpartition(".")[0]
    return LAYER[name]


def own(full: str) -> str | None:
    """The module of ours that the import of *full* reads, or None."""
    package, _, name = full.partition(".")
    if package != "wheelhouse":
        return None
    return next((each for each in (name, name.rpartition(".")[0]) if each in MODULES), "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name: str) -> None:
    upwards = {
        other
        for full in imported(MODULES[name])
        if (other := own(full)) is not None and layer(other) > layer(name)
    }
    assert not upwards


def test_no_layer_names_what_is_not_there() -> None:
    assert LAYER.keys() <= MODULES.keys()


def test_only_the_engine_speaks_to_docker() -> None:
    speakers = {
        name
        for name, path in MODULES.items()
        if any(full.partition(".")[0] == "docker" for full in imported(path))
    }
    assert {name for name in speakers if not name.startswith("engine.docker")} == set()


def test_nothing_imports_the_command_line() -> None:
    importers = {
        name
        for name, path in MODULES.items()
        if any((own(full) or "").partition(".")[0] == "cli" for full in imported(path))
    }
    assert {name for name in importers if not name.startswith("cli")} == {"__main__"}


def test_the_agent_needs_nothing_that_its_container_lacks() -> None:
    for path in (SOURCE / "agent").glob("*.py"):
        tools = TOOLBOX if path.stem in ON_OUR_PYTHON else SENT_ALONG
        foreign = {full.partition(".")[0] for full in imported(path)} - sys.stdlib_module_names
        assert foreign <= tools, path.name
        if path.stem not in ON_OUR_PYTHON:
            ast.parse(path.read_text("utf-8"), feature_version=OLDEST)


def test_a_run_with_nothing_to_do_imports_nothing_heavy() -> None:
    code = (
        "import sys, wheelhouse.cli.app, wheelhouse.uptodate, wheelhouse.reporting.plain\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "wheelhouse" in loaded
    assert not HEAVY & loaded
