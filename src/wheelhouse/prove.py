"""The proof: a clean container of the target's runtime installs the wheelhouse and imports it.

The container has no network and no compiler, and the wheelhouse's own ``install.sh`` does the
installing. What came out is read, and told, by :mod:`wheelhouse.proofreport`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from wheelhouse.building.answers import more_memory
from wheelhouse.building.attempts import MEMORY, stage_of
from wheelhouse.engine import ContainerSpec
from wheelhouse.engine.frames import JobDiedError
from wheelhouse.engine.jobs import BOOTSTRAP, ROOT, Input, Job
from wheelhouse.engine.scratch import scratch_for
from wheelhouse.engine.session import JobFailedError
from wheelhouse.errors import ProofError
from wheelhouse.proofreport import Proof, read_proof
from wheelhouse.text import exact_size, sanitize_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelhouse.building.attempts import Attempts
    from wheelhouse.engine import Limits, TargetImages
    from wheelhouse.engine.session import Listener
    from wheelhouse.house import House
    from wheelhouse.manifest import WheelFacts
    from wheelhouse.obtain import Obtained

#: Seconds that the import of one module may take.
IMPORT_DEADLINE = 120.0

#: The whole distribution, as a module in `skip-imports`.
ALL = "*"

#: Top-level names that come into site-packages by mistake; nobody imports them from there.
_STRAY = re.compile(r"(?:benchmarks|conftest|docs|examples|scripts|setup(?:_\w+)?|tests?)(?:\.|$)")


def prove(
    house: House,
    attempts: Attempts,
    images: TargetImages,
    *,
    limits: Limits,
    skip_imports: Mapping[str, Iterable[str]],
    listener: Listener,
    provided: Sequence[Obtained] = (),
) -> Proof:
    """Install *house* in a clean container of ``images.runtime`` and import all that is in it.

    :param attempts: does it, on an engine.
    :param skip_imports: by distribution, modules that cannot be imported by their nature, with
        all that is below them; ``*`` stands for every module.
    :param provided: wheels that the server has without the wheelhouse.
    :return: what came of it; something in it may not import.
    :raises ProofError: it does not install.
    :raises EngineError: the engine failed.
    :raises InterruptedRunError: the run was cancelled.
    """
    scratch = scratch_for(house.size, limits)
    spec = ContainerSpec(
        image=images.runtime.id,
        argv=(images.runtime_python, "-I", "-c", BOOTSTRAP, ROOT),
        purpose=f"prove {house.manifest.target.name}",
        limits=limits,
        environment=scratch.environment,
        scratch=scratch.place,
    )
    job = make_job(
        *(house, images.runtime_python, skip_imports),
        processes=round(limits.cpus),
        provided=provided,
    )
    try:
        reply = attempts.run(spec, job, target=house.manifest.target.name, listener=listener)
    except JobFailedError as error:
        raise _explain_failure(house, error, limits) from error
    except JobDiedError as error:
        raise _explain_death(house, error, limits) from error
    return read_proof(house, reply.message)


def make_job(
    house: House,
    python: str,
    skip_imports: Mapping[str, Iterable[str]],
    *,
    processes: int,
    provided: Sequence[Obtained] = (),
) -> Job:
    """The job that proves *house* with the interpreter *python*."""
    skipped = {canonicalize_name(name): tuple(skip_imports[name]) for name in skip_imports}
    wheels = [
        _imports(wheel, (*wheel.skip_imports, *skipped.get(canonicalize_name(wheel.name), ())))
        for wheel in house.manifest.wheels
    ]
    inputs = [Input(name=f"house/{name}", source=house.path / name) for name in house.files()]
    inputs += [
        Input(name=f"provided/{each.wheel.filename}", source=each.wheel.path) for each in provided
    ]
    parameters = {
        "python": python,
        "wheels": wheels,
        "provided": {each.wheel.name: each.wheel.filename for each in provided},
        "jobs": max(1, processes),
        "deadline": IMPORT_DEADLINE,
        "libraries": list(house.manifest.needs.libraries),
        "programs": list(house.manifest.needs.programs),
    }
    return Job(kind="prove", parameters=parameters, inputs=inputs)


def unseen(house: House, proof: Proof) -> tuple[str, ...]:
    """The distributions of *house* all modules of which are skipped, and of which *proof* looked
    at no program.
    """
    return tuple(
        wheel.name
        for wheel in house.manifest.wheels
        if wheel.modules
        and all(_is_skipped(name, wheel.skip_imports) for name in wheel.modules)
        and wheel.name not in proof.programs
    )


def _imports(wheel: WheelFacts, skipped: tuple[str, ...]) -> dict[str, Any]:
    """What is to be imported of *wheel*, and whether its programs are to be looked at."""
    modules = [
        name
        for name in wheel.modules
        if not _is_skipped(name, skipped) and not _is_stray(name, wheel.modules)
    ]
    # A package can itself be one; and one can be there for several ABIs.
    found = dict.fromkeys(name.removesuffix(".__init__") for name in wheel.extension_modules)
    extensions = [name for name in found if name not in modules and not _is_skipped(name, skipped)]
    return {
        "name": wheel.name,
        "modules": modules,
        "extensions": extensions,
        "programs": ALL not in skipped,
    }


def _is_skipped(module: str, skipped: tuple[str, ...]) -> bool:
    return any(each in (ALL, module) or module.startswith(f"{each}.") for each in skipped)


def _is_stray(module: str, modules: tuple[str, ...]) -> bool:
    """Whether *module* is only beside what the distribution is for."""
    return bool(_STRAY.match(module)) and any(not _STRAY.match(name) for name in modules)


# -- what went wrong before the imports ----------------------------------------------------------


def _explain_failure(house: House, error: JobFailedError, limits: Limits) -> ProofError:
    target = house.manifest.target.name
    said = "\n".join(sanitize_lines(error.message))
    if error.stage in MEMORY:
        return _want_of_memory(target, error, limits)
    if error.stage == "disk":
        return ProofError(
            f"{target}: importing what is in the wheelhouse fills the disk: {said}",
            hint="the log tells which import it was; what may be used grows with `memory` under "
            "[limits] in wheelhouse.toml",
        )
    if error.stage == "install":
        return ProofError(
            f"{target}: the wheelhouse does not install in a clean container:\n{said}",
            hint="the log has all that install.sh and pip said",
        )
    return ProofError(f"{target}: the proof failed: {said}", hint="the log has the rest")


def _explain_death(house: House, error: JobDiedError, limits: Limits) -> ProofError:
    target = house.manifest.target.name
    if error.cause == "memory":
        return _want_of_memory(target, error, limits)
    hint = "the log has the rest"
    if error.cause == "deadline":
        hint = "the log tells what it was at; a slow machine needs a later deadline"
    return ProofError(f"{target}: the proof {error.message}", hint=hint)


def _want_of_memory(
    target: str, error: JobFailedError | JobDiedError, limits: Limits
) -> ProofError:
    return ProofError(
        f"{target}: the proof {error.message} (limit: {exact_size(limits.memory)})",
        hint="give it more memory" if stage_of(error) == "memory" else "end other programs there",
        fix=more_memory(limits) if stage_of(error) == "memory" else None,
    )
