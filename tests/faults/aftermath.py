"""What must hold after every case, whatever it was.

No unverified wheel under a final name; no container, volume or temporary left after ten seconds; no
planted secret anywhere; no traceback, and a next step with each error; the wheelhouse before
unharmed.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from faults.world import SECRETS, digests
from wheelhouse.publish import PREVIOUS, STAGING
from wheelhouse.wholeness import verify_house

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults.case import Case
    from faults.world import Finished, World

#: Seconds that containers and temporaries have to go.
PATIENCE = 10.0

#: Statuses with which a command tells a failure of its own kind, with a message.
SIGNALLED = 128


def check(world: World, case: Case) -> None:
    """Raise AssertionError with all that does not hold in *world* after *case*."""
    problems = [
        *_messages(world),
        *_houses(world),
        *_secrets(world),
        *(_left(world, _orphans) if case.engine else ()),
        *(() if world.killed else _left(world, _temporaries)),
    ]
    assert not problems, "; ".join(problems)


def _messages(world: World) -> Iterator[str]:
    for done in world.finished:
        told = f"`wheelhouse {' '.join(done.arguments)}` (exit status {done.status})"
        # A build's own stands in the end of its log, which is quoted behind a bar.
        if "\nTraceback (most recent call last)" in f"\n{done.said}":
            yield f"{told} ended with a traceback: {done.said}"
        elif 0 < done.status < SIGNALLED:
            yield from (f"{told} {problem}: {done.said}" for problem in _untold(done))


def _untold(done: Finished) -> Iterator[str]:
    if "error[" not in done.err and '"error"' not in done.out and "Error: " not in done.err:
        yield "told no error"
    elif "hint: " not in done.err and "Usage: " not in done.err and '"hint"' not in done.out:
        yield "named no next step"


def _houses(world: World) -> Iterator[str]:
    if world.before is not None and not world.replaces and digests(world.dist) != world.before:
        yield "the wheelhouse before is not what it was"
    for folder in sorted(world.dist.iterdir()) if world.dist.is_dir() else ():
        if folder.name.endswith((STAGING, PREVIOUS)):
            if not world.killed:
                yield f"{folder.name} is left in dist"
        elif folder.is_dir() and (problems := verify_house(folder)):
            yield f"{folder.name} is no whole wheelhouse: {', '.join(map(str, problems))}"


def _secrets(world: World) -> Iterator[str]:
    for place, content in _places(world):
        world.figures.add("places searched for secrets")
        for name, secret in SECRETS.items():
            if secret.encode() in content:
                world.figures.add("planted secrets found")
                yield f"the secret of {name} is in {place}"


def _places(world: World) -> Iterator[tuple[str, bytes]]:
    for done in world.finished:
        yield f"the output of {' '.join(done.arguments)}", done.said.encode()
    for folder in (world.project, world.store):
        for path in _files(folder):
            yield str(path), path.read_bytes()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if "blobs" in path.parts:  # what an index gave: the same for every case
            continue
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 64 << 20:
            yield path


def _left(world: World, look: Callable[[World], list[str]]) -> Iterator[str]:
    """What *look* finds even after some patience."""
    deadline = time.monotonic() + PATIENCE
    while found := look(world):
        if time.monotonic() > deadline:
            yield f"left: {', '.join(found)}"
            return
        time.sleep(0.2)


def _temporaries(world: World) -> list[str]:
    folder = world.store / "tmp"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _orphans(world: World) -> list[str]:
    """Labelled containers whose run is no more; their volumes go with them."""
    from wheelhouse.engine.docker import LABEL, OWNER, is_orphan
    from wheelhouse.engine.docker_connect import connect

    client = connect()
    try:
        found = client.containers(all=True, filters={"label": LABEL})
    finally:
        client.close()
    mine = f"{socket.gethostname()}:"
    return [each["Id"][:12] for each in found if is_orphan(each["Labels"].get(OWNER, ""), mine)]
