"""The isolated build environment: the target's Python and the locked build requirements."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyproject_hooks import BackendUnavailable, BuildBackendHookCaller, HookMissing

from . import asking, otherwise, search, steady, toolkit
from .errors import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

#: The CPUs' worth of time that the container has, told by the host.
CPUS = "WHEELHOUSE_CPUS"

#: How build tools are told the number of jobs. Left alone, they count the machine's CPUs, which
#: are not all theirs. It has no influence on what they make, so no cache key has it.
PARALLEL = ("CARGO_BUILD_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL", "MAX_JOBS", "NPY_NUM_BUILD_JOBS")

#: Where programs are in an image that does not say.
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What a project without `[build-system]` means, by PEP 517.
LEGACY_BACKEND = "setuptools.build_meta:__legacy__"


@dataclass(frozen=True)
class Environment:
    """An environment under ``ROOT/env``; *variables* is all that its processes see.

    *varied* is what of the job's ``otherwise`` they see otherwise indeed.
    """

    python: str
    site_packages: str
    variables: Mapping[str, str]
    varied: Sequence[str] = ()


def create(job: Mapping[str, Any], root: str) -> Environment:
    """Make the environment of *job*: no index, no network, every file checked by its hash.

    Raises JobError(``environment``).
    """
    folder = os.path.join(root, "env")
    _run([*_uv(job, root), "venv", "--quiet", "--python", str(job["python"]), folder])
    python = os.path.join(folder, "bin", "python")
    install(job, python, root)
    site_packages, seen = site_packages_of(folder), variables(job, root, folder)
    seen |= toolkit.variables(str(job["cuda"]), site_packages, seen)
    asking.install(site_packages)
    steady.install(site_packages)
    steady.settle()  # hooks are told names of temporary files of this process
    tempfile.tempdir = os.path.join(root, "tmp")
    more, varied = otherwise.apply(job.get("otherwise"), root, python, seen)
    return Environment(python, site_packages, {**seen, **more}, varied)


def install(job: Mapping[str, Any], python: str, root: str) -> None:
    """Install the locked build requirements of *job* beside *python*, each checked by its hash.

    Raises JobError(``environment``).
    """
    requirements = job["requirements"]
    if requirements:
        _run([*_uv(job, root), *_install(python, _requirements_file(root, requirements), root)])


def _uv(job: Mapping[str, Any], root: str) -> list[str]:
    cache = os.path.join(root, "uv")
    return [str(job["tools"]["uv"]), "--no-config", "--offline", "--cache-dir", cache]


def _requirements_file(root: str, lines: Sequence[str]) -> str:
    path = os.path.join(root, "build-requirements.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    return path


def _install(python: str, requirements: str, root: str) -> list[str]:
    links = os.path.join(root, "requires")
    return [
        *("pip", "install", "--quiet", "--python", python, "--no-deps", "--no-index"),
        *("--find-links", links, "--require-hashes", "--no-build", "--requirements", requirements),
    ]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise JobError("environment", "the build environment cannot be made: " + " ".join(lines))


def site_packages_of(folder: str) -> str:
    """Where packages are in the environment *folder*."""
    library = os.path.join(folder, "lib")
    version = next(name for name in sorted(os.listdir(library)) if name.startswith("python"))
    return os.path.join(library, version, "site-packages")


def variables(job: Mapping[str, Any], root: str, folder: str) -> dict[str, str]:
    """The variables of hooks in the environment *folder*: nothing of the agent's own.

    Programs are where the image says: some, as manylinux, have compilers in folders of their own.
    But a build that is not for CUDA sees nothing of a toolkit there: it would find the plain
    `nvcc`, without the GPUs to build for, and its objects would differ from build to build.
    """
    home, temporary = os.path.join(root, "home"), os.path.join(root, "tmp")
    os.makedirs(home, exist_ok=True)
    os.makedirs(temporary, exist_ok=True)
    programs = os.environ.get("PATH") or PROGRAMS
    if not job.get("cuda"):  # of a repair, nothing is said
        programs = toolkit.programs_without(programs, PROGRAMS)
    own = job["env"]
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{folder}/bin:{programs}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "TMPDIR": temporary,
        "TZ": "UTC",
        "VIRTUAL_ENV": folder,
        **dict.fromkeys(PARALLEL, os.environ.get(CPUS, "1")),
        **search.variables(job["search"]),
        **own,
    }


def backend(source: str, environment: Environment) -> BuildBackendHookCaller:
    """The hooks of the project in *source*, run by the environment's Python, output to the log."""
    system = _build_system(source)
    return BuildBackendHookCaller(
        source,
        system.get("build-backend", LEGACY_BACKEND),
        system.get("backend-path"),
        runner=_runner(environment),
        python_executable=environment.python,
    )


def _build_system(source: str) -> dict[str, Any]:
    path = os.path.join(source, "pyproject.toml")
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, "rb") as file:
            system = tomllib.load(file).get("build-system", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise JobError("unpack", f"its pyproject.toml cannot be read: {error}") from error
    if not isinstance(system, dict):
        raise JobError("unpack", "its pyproject.toml has a [build-system] that is no table")
    return system


def _runner(environment: Environment) -> Callable[..., None]:
    def run(
        command: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        subprocess.run(
            list(command),
            cwd=cwd,
            env={**environment.variables, **(extra_environ or {})},
            stdin=subprocess.DEVNULL,
            check=True,
        )

    return run


class hook:  # noqa: N801  (reads as a statement: `with hook("build"):`)
    """Turns what a hook can raise into a JobError of *stage*."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, subprocess.CalledProcessError):
            how = (
                f"was killed by signal {-error.returncode}"
                if error.returncode < 0
                else f"ended with exit status {error.returncode}"
            )
            raise JobError(self.stage, f"the build backend {how}") from error
        if isinstance(error, BackendUnavailable):
            # All of it belongs into the log, where causes are looked for.
            sys.stderr.write(f"{error.traceback}\n")
            why = error.traceback.strip().rpartition("\n")[2] or str(error)
            raise JobError(self.stage, f"its build backend cannot be imported: {why}") from error
        if isinstance(error, HookMissing):
            raise JobError(
                self.stage, f"its build backend has no hook {error.hook_name}"
            ) from error
        if isinstance(error, (OSError, ValueError)):  # what the hook left behind is not JSON, ...
            raise JobError(
                self.stage, f"the build backend gave no usable answer: {error}"
            ) from error
