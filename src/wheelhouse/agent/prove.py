"""Job ``prove``: installs the wheelhouse as a user would, then imports everything in it.

The programs in it are not started, but the dynamic loader is asked whether it could load them.

Runs on the target's own Python in an image that has what the server has.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import marshal
import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from . import programs
from .errors import JobError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .channel import Channel

#: Lines of the installer's output that go into the message of a failure.
TOLD = 30

#: Prints those of the libraries named on the command line that load.
LOOK = """
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
    except OSError:
        continue
    print(name, flush=True)
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def run(job: Mapping[str, Any], root: str, channel: Channel) -> dict[str, object]:
    """Return ``installed``, ``imports``, ``programs``, ``pip``, ``failures``, ``optional``,
    ``lacking`` and ``seconds``.

    *lacking* has what of the job's ``libraries`` and ``programs`` is not here: the installer is
    told to do without it, and the imports show who cannot. *optional* has what a distribution's
    own metadata excuses: modules that need something which only one of its extras brings.
    *programs* has, for each compiled program that was looked at, its distribution. Raises
    JobError(``install``).
    """
    started = time.monotonic()
    channel.message({"type": "phase", "phase": "installing"})
    lacking = _lacking(job, root)
    provided = _provide(str(job["python"]), root, job["provided"])
    venv = _install(str(job["python"]), root, lacking)
    installed = time.monotonic()
    channel.message({"type": "phase", "phase": "importing"})
    site_packages = _site_packages(venv)
    wanted = {str(wheel["name"]) for wheel in job["wheels"]}
    pip = _remove_others(site_packages, wanted | provided)
    optional_names = _optional_dependencies(site_packages, wanted)
    checked, unloadable = _check_programs(job, venv, site_packages, root)
    findings = _import_all(job, venv, root) + unloadable
    failures = [found for found in findings if _counts(found)]
    excused = [found for found in failures if _is_excused(found, optional_names)]
    return {
        "installed": len(optional_names),
        "imports": sum(found["kind"] == "ok" for found in findings),
        "programs": checked,
        "pip": pip,
        "failures": [found for found in failures if found not in excused],
        "optional": excused,
        "lacking": lacking,
        "seconds": {
            "install": round(installed - started, 2),
            "import": round(time.monotonic() - installed, 2),
        },
    }


# -- installing ----------------------------------------------------------------------------------


def _lacking(job: Mapping[str, Any], root: str) -> list[str]:
    """What the wheelhouse needs of the system and this one does not have."""
    libraries, programs = list(job["libraries"]), list(job["programs"])
    path = _variables(root)["PATH"]
    lacking = [name for name in programs if shutil.which(name, path=path) is None]
    if not libraries:
        return lacking
    # In a process of its own: a library can do anything when it is loaded.
    asked = [str(job["python"]), "-I", "-c", LOOK, *libraries]
    done = subprocess.run(asked, stdout=subprocess.PIPE, env=_variables(root), check=False)
    loaded = done.stdout.decode("utf-8", "replace").split()
    return [*(name for name in libraries if name not in loaded), *lacking]


def _provide(python: str, root: str, wheels: Mapping[str, str]) -> set[str]:
    """Install what is on the server without the wheelhouse, before it; the names of that.

    *wheels* has their files in the job's folder ``provided`` by name. Raises JobError(``install``).
    """
    if wheels:
        venv = os.path.join(root, "venv")
        files = [os.path.join(root, "provided", name) for name in wheels.values()]
        for command in (
            [python, "-I", "-m", "venv", "--system-site-packages", venv],
            [
                *(f"{venv}/bin/python", "-I", "-m", "pip", "--isolated", "install", "--quiet"),
                *("--no-index", "--no-deps", "--no-compile", *files),
            ],
        ):
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, env=_variables(root), cwd=root, check=False
            )
            if done.returncode:
                names = ", ".join(sorted(wheels))
                raise JobError(
                    "install", f"{names}, to be on the server already, cannot be put there"
                )
    return set(wheels)


def _install(python: str, root: str, lacking: Iterable[str]) -> str:
    """Run the wheelhouse's own installer; the virtual environment that it made."""
    venv = os.path.join(root, "venv")
    script = os.path.join(root, "house", "install.sh")
    command = ["sh", script, "--venv", venv, "--python", python, "--no-compile"]
    command.append("--no-gpu-check")  # a container is given none, whatever the machine has
    command += [f"--without={name}" for name in lacking]
    tail: list[str] = []
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_variables(root),
        cwd=root,
    )
    assert process.stdout is not None
    for line in process.stdout:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        tail = [*tail[-TOLD:], line.decode("utf-8", "replace").rstrip()]
    if process.wait():
        raise JobError("install", "\n".join(tail) or f"exit status {process.returncode}")
    return venv


def _variables(root: str) -> dict[str, str]:
    home = os.path.join(root, "home")
    os.makedirs(home, exist_ok=True)
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TZ": "UTC",
    }


def _site_packages(venv: str) -> list[str]:
    library = os.path.join(venv, "lib")
    return [
        os.path.join(library, name, "site-packages")
        for name in sorted(os.listdir(library))
        if name.startswith("python")
    ]


def _remove_others(site_packages: list[str], wanted: set[str]) -> str | None:
    """Remove what the virtual environment was born with; the version of its pip.

    Otherwise a package that needs setuptools without saying so would find it here, and not on
    the server, or in the next Python.
    """
    pip = None
    for distribution in list(importlib.metadata.distributions(path=site_packages)):
        name = _normalized(distribution.metadata["Name"])
        if name == "pip":
            pip = distribution.version
        if name not in wanted:
            _remove(str(file.locate()) for file in distribution.files or ())
    return pip


def _remove(paths: Iterable[str]) -> None:
    """Remove files and the folders they leave empty: as namespaces those would still import."""
    folders = set()
    for path in map(os.path.normpath, paths):
        if os.path.isfile(path):
            os.unlink(path)
        folders.add(os.path.dirname(path))
    for folder in folders:
        with contextlib.suppress(OSError):  # not empty, or gone with another
            os.removedirs(folder)


def _optional_dependencies(site_packages: list[str], wanted: set[str]) -> dict[str, set[str]]:
    """For each distribution that is installed, what its extras alone depend on.

    Raises JobError if one of *wanted* is not installed, whatever pip said.
    """
    found = {}
    for distribution in importlib.metadata.distributions(path=site_packages):
        name = distribution.metadata["Name"]
        if name:  # an emptied folder of what the environment had brought along has none
            found[_normalized(name)] = _optional(distribution.requires or [])
    lacking = sorted(wanted - found.keys())
    if lacking:
        raise JobError("install", f"after the installation there is no {', '.join(lacking)}")
    return found


def _optional(requires: Iterable[str]) -> set[str]:
    split = [line.partition(";") for line in requires]
    return {
        _normalized(match[0])
        for requirement, _, marker in split
        if "extra" in marker and (match := _NAME.match(requirement))
    }


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# -- programs ------------------------------------------------------------------------------------


def _check_programs(
    job: Mapping[str, Any], venv: str, site_packages: list[str], root: str
) -> tuple[list[str], list[dict[str, Any]]]:
    """For each program that was looked at its distribution, and what is wrong with some."""
    checked, findings = [], []
    wanted = {str(wheel["name"]) for wheel in job["wheels"] if wheel["programs"]}
    for folder in site_packages:
        for distribution in importlib.metadata.distributions(path=[folder]):
            name = _normalized(distribution.metadata["Name"] or "")
            if name not in wanted:
                continue
            files = [str(file.locate()) for file in distribution.files or ()]
            for path, program in programs.find(folder, os.path.join(venv, "bin"), files).items():
                checked.append(name)
                causes = programs.faults(path, _variables(root))
                findings += [_unloadable(name, program, cause) for cause in causes]
    return checked, findings


def _unloadable(distribution: str, program: str, cause: str) -> dict[str, Any]:
    """A finding about a program, in the form of the importer's."""
    return {
        "distribution": distribution,
        "what": "program",
        "module": program,
        "kind": "library",
        "message": cause,
        "missing": None,
        "traceback": "",
        "origin": None,
        "tried": [],
    }


# -- importing -----------------------------------------------------------------------------------


def _import_all(job: Mapping[str, Any], venv: str, root: str) -> list[dict[str, Any]]:
    work, results = os.path.join(root, "imports"), os.path.join(root, "findings")
    scratch = os.path.join(root, "work")
    os.makedirs(scratch)
    units = [(wheel["name"], wheel["modules"], wheel["extensions"]) for wheel in job["wheels"]]
    with open(work, "wb") as file:
        marshal.dump((units, int(job["jobs"]), float(job["deadline"])), file)
    script = os.path.join(os.path.dirname(__file__), "importer.py")
    done = subprocess.run(
        [os.path.join(venv, "bin", "python"), "-I", script, work, results],
        stdin=subprocess.DEVNULL,
        env=_variables(root),
        cwd=scratch,
        check=False,
    )
    if done.returncode:
        raise JobError("import", f"the imports ended with status {done.returncode}; see the log")
    with open(results, "rb") as file:
        findings: list[dict[str, Any]] = marshal.load(file)
    return findings


def _counts(found: Mapping[str, Any]) -> bool:
    """Whether *found* speaks against the wheelhouse.

    A module must import. An extension need only load: what it raises afterwards for want of an
    optional package, or because it is not meant to be imported first, is its own business.
    A program is only told of if it cannot be loaded.
    """
    if found["what"] == "module":
        return bool(found["kind"] != "ok")
    return found["kind"] in {"library", "crash", "deadline"}


def _is_excused(found: Mapping[str, Any], optional: Mapping[str, set[str]]) -> bool:
    """Whether a module lacks only what an extra of its distribution would bring."""
    if found["kind"] != "missing":
        return False
    top = _normalized(str(found["missing"]).partition(".")[0])
    return top in optional.get(found["distribution"], ())
