"""What is kept of a build is for the agent's code that made it, all of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wheelhouse.agent
from wheelhouse.engine.jobs import COMMON_MODULES, MORE_MODULES

AGENT = Path(wheelhouse.agent.__file__).parent

#: What it makes otherwise is compared, and never kept.
KEPT_OUT = {"otherwise.py"}


def taken(name: str) -> set[str]:
    """The agent's modules that *name* imports when it runs, and those that they import."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        module = ast.parse((AGENT / waiting.pop()).read_text())
        for node in module.body:
            if isinstance(node, ast.ImportFrom) and node.level:
                names = [node.module] if node.module else [each.name for each in node.names]
                new = {f"{each}.py" for each in names} - found
                found |= new
                waiting += new
    return found


@pytest.mark.parametrize("kind", ["build", "metadata", "repair"])
def test_the_key_of_a_job_covers_every_module_that_takes_part(kind: str) -> None:
    covered = COMMON_MODULES | MORE_MODULES.get(kind, frozenset())
    assert taken("main.py") | taken(f"{kind}.py") <= covered | KEPT_OUT
