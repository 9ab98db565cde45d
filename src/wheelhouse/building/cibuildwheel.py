"""Building one wheel by its maintainers' own recipe: cibuildwheel, held to our terms.

cibuildwheel runs on this machine, as a process of its own with an environment made for it, and
reads of the sdist only the configuration that we write. All that is the project's runs in the
container that it makes: without network (unless the user allows it), with few rights, within the
limits of every build, but as root on a root that can be written, because recipes install things.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import tomllib
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelhouse.agent.cibuildwheel import CUDA
from wheelhouse.agent.errors import JobError
from wheelhouse.agent.sources import below, unpack
from wheelhouse.agent.toolkit import HEADERS, LIBRARIES
from wheelhouse.building import cibuildwheel_process
from wheelhouse.building.cibuildwheel_config import (
    LUGGAGE,
    OURS,
    PROJECT,
    Surroundings,
    configuration,
    excluded,
    recipe_of,
)
from wheelhouse.building.cibuildwheel_process import Order
from wheelhouse.building.neighbours import never_grafted
from wheelhouse.building.runner import Made
from wheelhouse.engine.jobs import agent_digest, agent_files
from wheelhouse.errors import BuildError
from wheelhouse.events import Notice
from wheelhouse.wheels.policy import repair_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.building.recipe import ByCibuildwheel, Files, Recipe
    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import EngineCommand
    from wheelhouse.plan import Step
    from wheelhouse.targets import Target

#: Bytes of a pyproject.toml that is read.
MAX_PYPROJECT = 4 << 20

#: What our first command in the container is.
PREPARE = """\
import sys
sys.path.insert(0, {luggage!r} + "/agent")
from wheelhouse_agent.cibuildwheel import prepare
prepare({luggage!r}, {ours!r})
"""

#: Where to find the certificates that this machine trusts, as its programs are told; and under
#: which names the tools of a recipe look for theirs.
TRUSTED = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
TRUSTING = (*TRUSTED, "PIP_CERT", "GIT_SSL_CAINFO")


@cache
def version() -> str:
    """What of ours and of cibuildwheel has a part in what is built: part of its key."""
    folder = resources.files("wheelhouse").joinpath("building")
    digest = hashlib.sha256(metadata.version("cibuildwheel").encode())
    digest.update((agent_digest("build") + agent_digest("cibuildwheel")).encode())
    for name in ("cibuildwheel.py", "cibuildwheel_config.py"):  # the process decides nothing
        digest.update(folder.joinpath(name).read_bytes())
    return digest.hexdigest()


def build(step: Step, target: Target, runner: Runner, files: Files, folder: Path) -> Made:
    """The wheel of *step*, as its maintainers' recipe builds and repairs it.

    :param files: what the recipe takes.
    :param folder: empty; everything is done below it.
    :raises Failure: the recipe failed, or was stopped.
    :raises BuildError: the sdist cannot be unpacked, or its recipe has a wrong form.
    :raises EngineError: there is no command to drive the engine, or that stopped.
    """
    recipe = step.recipe
    assert recipe is not None
    terms, started = _terms(recipe), time.monotonic()
    source, package = _unpacked(step, files.sdist, folder / "source")
    table = _table(step, package)
    _tell(step, target, runner, table)
    _pack(step, target, source / LUGGAGE, files)
    runner.cancellation.check()
    with (
        runner.attempts.room.shared(),
        runner.listening(target.name, step.package.name) as (listener, log),
        runner.engine.command(step.package.name, runner.limits, network=terms.network) as command,
    ):
        config = folder / "cibuildwheel.toml"
        config.write_text(_configuration(step, table, command), "utf-8")
        order = Order(
            identifier=terms.identifier,
            network=terms.network,
            source=source,
            package=package,
            config=config,
            folder=folder,
        )
        wheel = cibuildwheel_process.run(order, command, runner, listener, log)
    return Made(
        path=wheel,
        repaired=not wheel.name.rpartition("-")[2].startswith("linux_"),
        seconds={"recipe": round(time.monotonic() - started, 3)},
        log=log,
    )


def _terms(recipe: Recipe | None) -> ByCibuildwheel:
    assert recipe is not None
    assert recipe.cibuildwheel is not None
    return recipe.cibuildwheel


def _unpacked(step: Step, sdist: Path, folder: Path) -> tuple[Path, Path]:
    """The top folder of the *sdist*, and the project's. Its name says how it is packed."""
    assert step.recipe is not None
    subdirectory = step.recipe.subdirectory
    named = folder.with_name(step.recipe.sdist.filename)
    named.symlink_to(sdist)
    try:
        top = unpack(str(named), str(folder))
        return Path(top), Path(below(top, subdirectory) if subdirectory else top)
    except JobError as error:
        raise _unusable(step, str(error)) from error


def _unusable(step: Step, why: str) -> BuildError:
    return BuildError(
        f"{step.package}: {why}",
        hint=f'leave out `builder = "cibuildwheel"` under `[packages.{step.package.name}]`',
    )


def _table(step: Step, source: Path) -> Mapping[str, Any]:
    path = source / "pyproject.toml"
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PYPROJECT).decode("utf-8")  # of a longer one, what cannot be read
        table = recipe_of(tomllib.loads(text))
    except FileNotFoundError:
        table = {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(step, f"its pyproject.toml cannot be read: {error}") from error
    if not table:
        raise _unusable(step, "its sdist has no recipe for cibuildwheel ([tool.cibuildwheel])")
    return table


def _tell(step: Step, target: Target, runner: Runner, table: Mapping[str, Any]) -> None:
    """What a person should know: foreign code meets the network; nobody built this before."""
    terms = _terms(step.recipe)
    if terms.network:
        runner.reporter.emit(
            Notice(
                target=target.name,
                message=f"{step.package}: its recipe runs with a network, as wheelhouse.toml "
                "allows: what it fetches is not checked, and may differ next time",
            )
        )
    if selector := excluded(table, terms.identifier):
        runner.reporter.emit(
            Notice(
                target=target.name,
                message=f"{step.package}: its maintainers build no wheel for {terms.identifier} "
                f"({selector}); it is tried all the same",
            )
        )


def _pack(step: Step, target: Target, luggage: Path, files: Files) -> None:
    """Put into the project what travels with it: the agent, its job, the build requirements."""
    recipe = step.recipe
    assert recipe is not None
    if os.path.lexists(luggage):
        raise _unusable(step, f"its sdist has an entry named {LUGGAGE}")
    job = recipe.job(
        "cibuildwheel",
        files.sdist,
        files.supplies,
        policy=repair_policy(target),
        exclude=never_grafted(),
    )
    agent = luggage / "agent" / "wheelhouse_agent"
    agent.mkdir(parents=True)
    for name, data in agent_files():
        (agent / name).write_bytes(data)
    (luggage / "requires").mkdir()
    for each in files.supplies:
        shutil.copyfile(each.path, luggage / "requires" / each.filename)
    requirements = "".join(f"{line}\n" for line in job.parameters["requirements"])
    (luggage / "build-requirements.txt").write_text(requirements, "utf-8")
    (luggage / "job.json").write_text(json.dumps(dict(job.parameters)), "utf-8")
    here = f"{PROJECT}/{LUGGAGE}"
    (luggage / "prepare.py").write_text(PREPARE.format(luggage=here, ours=OURS), "utf-8")
    if _terms(recipe).network and (bundle := _certificates()):
        shutil.copyfile(bundle, luggage / "certificates.pem")


def _certificates() -> Path | None:
    """The file of the certificates that this machine trusts, if its user has named one."""
    named = (Path(os.environ[name]) for name in TRUSTED if os.environ.get(name))
    return next((path for path in named if path.is_file()), None)


def _configuration(step: Step, table: Mapping[str, Any], command: EngineCommand) -> str:
    recipe = step.recipe
    assert recipe is not None
    here = Surroundings(
        identifier=_terms(recipe).identifier,
        image=recipe.image,
        engine=command.name,
        create_args=[
            *command.create_args,
            *(f"--env={name}={value}" for name, value in variables(recipe).items()),
        ],
        prepare=f"{recipe.tool_python} -I {PROJECT}/{LUGGAGE}/prepare.py || exit 1",
        env=overruling(recipe),
        config_settings=recipe.config_settings,
    )
    try:
        return configuration(table, here)
    except ValueError as error:
        raise _unusable(step, str(error)) from error


def variables(recipe: Recipe) -> dict[str, str]:
    """What every command sees, unless the recipe sets it otherwise; with it, where pip looks."""
    found = {
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        **recipe.variables(),
        **_parts_of_cuda(recipe),
    }
    terms = _terms(recipe)
    if terms.network:
        places = {"PIP_INDEX_URL": terms.index, "UV_DEFAULT_INDEX": terms.index}
        if _certificates():
            places |= dict.fromkeys(TRUSTING, f"{OURS}/certificates.pem")
    else:
        links = f"{OURS}/requires"
        places = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": links}
        places |= {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": links}
    return {**found, **places}


def overruling(recipe: Recipe) -> dict[str, str]:
    """The user's variables, which win over the recipe's own."""
    joined = _parts_of_cuda(recipe)
    return {name: joined.get(name, value) for name, value in recipe.env.items()}


def _parts_of_cuda(recipe: Recipe) -> dict[str, str]:
    """Where those are that the build environment has, as for every build with a toolkit.

    They come behind what the user has named, and do not give way to it.
    """
    if recipe.cuda is None:
        return {}
    found = dict.fromkeys(HEADERS, f"{OURS}/{CUDA}/include")
    found |= dict.fromkeys(LIBRARIES, f"{OURS}/{CUDA}/lib")
    return {
        name: os.pathsep.join(filter(None, (recipe.env.get(name), folder)))
        for name, folder in found.items()
    }
