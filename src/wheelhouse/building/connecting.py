"""Repairing a built wheel once more, with its neighbours known: what they have is left out."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wheelhouse.agent.repair import AS_BUILT, UNREPAIRED, write_tar
from wheelhouse.building.failed import failed_build
from wheelhouse.building.neighbours import never_grafted
from wheelhouse.building.repairs import Repair
from wheelhouse.building.results import grafted_packages, only_wheel
from wheelhouse.building.runner import Failure, Made
from wheelhouse.engine.jobs import Input, Job, agent_digest
from wheelhouse.store import digest_of
from wheelhouse.wheels.policy import repair_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelhouse.building.runner import Runner
    from wheelhouse.plan import Built, Step
    from wheelhouse.store import Store
    from wheelhouse.targets import Target

#: The kind of a second repair's record.
KIND = "repair"


def connect(
    step: Step, built: Built, ways: Mapping[str, str], target: Target, runner: Runner
) -> Built:
    """The wheel that *step* has *built*, as it is with other wheels beside it.

    :param ways: by soname, the folder of site-packages in which another wheel has that library.
    :raises FailedBuildError: it cannot be repaired so.
    """
    parameters = _parameters(step, ways, target)
    key = digest_of(
        {
            "wheel": built.facts["unrepaired"] or [built.filename, built.sha256],
            "agent": agent_digest("repair"),
            "image": step.recipe.image if step.recipe else "",
            **parameters,
        }
    )
    with runner.store.lock(f"repair-{key[:32]}", runner.cancellation.check):
        known = _known(runner.store, key)
        if known is None:
            with runner.store.workspace() as folder, _as_built(built, runner.store) as source:
                made = repaired_again(step, source, ways, target, runner, folder)
                known = {
                    "filename": made.path.name,
                    "repair": made.repair.to_dict(),
                    "grafted": grafted_packages(made.path),
                    "sha256": runner.store.adopt(made.path),
                }
            runner.store.write_record(KIND, key, known)
    facts = {**built.facts, "repair": known["repair"], "grafted": known["grafted"]}
    return replace(built, filename=known["filename"], sha256=known["sha256"], facts=facts)


def _known(store: Store, key: str) -> dict[str, Any] | None:
    """What came of that repair before, if all of it is still there."""
    record = store.record(KIND, key)
    try:
        if record is None or not store.verified(record["sha256"]):
            return None
        return {name: record[name] for name in ("filename", "sha256", "repair", "grafted")}
    except (KeyError, TypeError, ValueError):
        return None  # of another version of this program


@contextmanager
def _as_built(built: Built, store: Store) -> Iterator[Path]:
    """The archive that is repaired; of a wheel whose own recipe repairs it, what that has given."""
    if built.facts["unrepaired"]:
        yield store.blob(built.facts["unrepaired"])
        return
    with store.temporary() as path:
        yield packed(store.blob(built.sha256), built.filename, path)


def packed(wheel: Path, filename: str, path: Path) -> Path:
    """*path*, once it is the archive to repair the *wheel* called *filename* from, as it is."""
    write_tar(str(path), {f"{AS_BUILT}/{filename}": str(wheel)})
    return path


def repaired_again(
    step: Step,
    source: Path,
    ways: Mapping[str, str],
    target: Target,
    runner: Runner,
    folder: Path,
) -> Made:
    """The wheel of *step* that is in *source*, repaired with *ways* to others; it is in *folder*.

    :param source: the archive with it as it was built.
    :raises FailedBuildError: it cannot be repaired so.
    :raises BuildError: the repair gave something else than one wheel.
    """
    recipe = step.recipe
    assert recipe is not None
    job = Job(
        kind="repair",
        parameters={
            "tools": {"python": recipe.tool_python, "path": recipe.tool_path},
            **_parameters(step, ways, target),
        },
        inputs=[Input(name=UNREPAIRED, source=source)],
    )
    try:
        reply, log = runner.run(
            job,
            image=recipe.image,
            argv=recipe.argv(),
            target=target.name,
            step=step.package.name,
            results=folder,
        )
    except Failure as failure:
        raise failed_build(step, failure, runner.limits) from failure
    return Made(
        path=only_wheel(step, reply.files, log),
        repaired=True,
        seconds={},
        log=log,
        repair=Repair.of(reply.message.get("repair")),
    )


def _parameters(step: Step, ways: Mapping[str, str], target: Target) -> dict[str, Any]:
    """What decides what a second repair of *step*'s wheel gives, beside wheel and image."""
    recipe = step.recipe
    assert recipe is not None
    return {
        "policy": repair_policy(target),
        "exclude": sorted({*never_grafted(), *ways}),
        "ways": dict(ways),
        "allow_pure": step.may_be_pure,
        "env": recipe.variables(),
        "search": list(recipe.search),
    }
