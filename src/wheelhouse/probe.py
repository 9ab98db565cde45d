"""Asking a target's own Python what it is, once per image."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.building.runner import Failure
from wheelhouse.engine.jobs import BOOTSTRAP, ROOT, Input, Job, agent_digest
from wheelhouse.errors import EngineError, ImageError
from wheelhouse.store import digest_of
from wheelhouse.targets import Interpreter

if TYPE_CHECKING:
    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.targets import Place, Target

KIND = "interpreter"

#: In what engines say of a program that the image has not.
_NO_PROGRAM = re.compile("no such file|not found", re.IGNORECASE)


def probe(runner: Runner, target: Target, images: TargetImages) -> Interpreter:
    """The interpreter that *target* has: its runtime image's, and what was captured of it.

    :raises ImageError: the image has no such Python, or is not the platform that it is said to be.
    """
    found = _probed(runner, target, images.runtime, images.place)
    if target.captured is None:
        return found
    return _known_to_both(target.captured.interpreter, found)


def probe_builder(
    runner: Runner, target: Target, images: TargetImages, interpreter: Interpreter
) -> Interpreter:
    """The interpreter that runs build backends; *interpreter* is the target's.

    :raises ImageError: see :func:`probe`.
    """
    if images.build_place == images.place and target.captured is None:
        return interpreter
    return _probed(runner, target, images.builder, images.build_place)


def _known_to_both(captured: Interpreter, proving: Interpreter) -> Interpreter:
    """The deployed machine's interpreter, without the wheels that could not be proven here."""
    known = set(proving.tags)
    return replace(captured, tags=tuple(tag for tag in captured.tags if tag in known))


def _probed(runner: Runner, target: Target, image: Image, place: Place) -> Interpreter:
    key = digest_of([image.id, place.interpreter.path, agent_digest("probe")])
    with runner.store.lock(f"ask-{key[:32]}", runner.cancellation.check):
        known = runner.store.record(KIND, key)  # another run may just have asked
        if known is None:
            known = _ask(runner, target, image, place.interpreter.path)
            runner.store.write_record(KIND, key, known)
    interpreter = Interpreter.from_dict(known)
    if interpreter.short_version != place.python:
        raise ImageError(
            f"{image.name} has Python {interpreter.full_version}, not {place.python}",
            hint=f"correct `python` of target {target.name}",
        )
    said, found = place.preset.libc, interpreter.libc
    if found.family != said.family or found.version > said.version:
        raise ImageError(
            f"{image.name} has {found}, but {place.preset.title} is said to have {said}: what is "
            "built and proven there may not run",
            hint="correct the platform's `libc`, or name an image with that one",
        )
    return interpreter


def _ask(runner: Runner, target: Target, image: Image, python: str) -> dict[str, object]:
    import packaging

    folder = Path(packaging.__file__).parent
    inputs = [
        Input(name=f"lib/packaging/{path.relative_to(folder)}", source=path)
        for path in sorted(folder.rglob("*.py"))
    ]
    try:
        reply, _ = runner.run(
            Job(kind="probe", parameters={}, inputs=inputs),
            image=image.id,
            argv=(python, "-I", "-c", BOOTSTRAP, ROOT),
            target=target.name,
            step="probe",
        )
    except EngineError as error:
        if python not in error.message or not _NO_PROGRAM.search(error.message):
            raise
        raise ImageError(
            f"{image.name} has no {python}",
            hint="correct the path of the platform's Python, or name the `packages` that bring it",
        ) from error
    except Failure as failure:
        raise ImageError(
            f"the Python of {image.name} does not answer: {failure.message}",
            hint="see the log",
            log=failure.log,
        ) from failure
    return {name: reply.message[name] for name in ("environment", "tags", "libc", "pip")}
