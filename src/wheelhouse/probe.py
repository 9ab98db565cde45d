"""Asking a target's own Python what it is, once per image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.building.runner import Failure
from wheelhouse.engine.jobs import BOOTSTRAP, ROOT, Input, Job, agent_digest
from wheelhouse.errors import ImageError
from wheelhouse.store import digest_of
from wheelhouse.targets import Interpreter

if TYPE_CHECKING:
    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import TargetImages
    from wheelhouse.targets import Target

KIND = "interpreter"


def probe(runner: Runner, target: Target, images: TargetImages) -> Interpreter:
    """The interpreter of *target*'s runtime image.

    :raises ImageError: the image has no such Python, or another one than its preset says.
    """
    key = digest_of([images.runtime.id, images.runtime_python, agent_digest("probe")])
    known = runner.store.record(KIND, key)
    if known is None:
        known = _ask(runner, target, images)
        runner.store.write_record(KIND, key, known)
    interpreter = Interpreter.from_dict(known)
    if interpreter.environment["python_version"] != target.python:
        raise ImageError(
            f"{images.runtime.name} has Python {interpreter.full_version}, not {target.python}",
            hint=f"correct `python` of target {target.name}",
        )
    return interpreter


def _ask(runner: Runner, target: Target, images: TargetImages) -> dict[str, object]:
    import packaging

    folder = Path(packaging.__file__).parent
    inputs = [
        Input(name=f"lib/packaging/{path.relative_to(folder)}", source=path)
        for path in sorted(folder.rglob("*.py"))
    ]
    try:
        reply, _ = runner.run(
            Job(kind="probe", parameters={}, inputs=inputs),
            image=images.runtime.id,
            argv=(images.runtime_python, "-I", "-c", BOOTSTRAP, ROOT),
            target=target.name,
            step="probe",
        )
    except Failure as failure:
        raise ImageError(
            f"the Python of {images.runtime.name} does not answer: {failure.message}",
            hint="see the log",
            log=failure.log,
        ) from failure
    return {name: reply.message[name] for name in ("environment", "tags", "libc", "pip")}
