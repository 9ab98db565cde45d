"""``install.sh``: the script in ``data/``, with the facts of one wheelhouse filled in. Pure."""

from __future__ import annotations

import re
import shlex
from importlib import resources
from typing import TYPE_CHECKING

from wheelhouse.imagesteps import INSTALL_COMMANDS, family
from wheelhouse.needs import gpu_wanted
from wheelhouse.wheels.policy import DRIVER_SONAMES

if TYPE_CHECKING:
    from wheelhouse.manifest import Manifest, Needs
    from wheelhouse.targets import Place, Target

FILENAME = "install.sh"


def installer_text(target: Target, manifest: Manifest, proven: Place) -> str:
    """``install.sh`` for the wheelhouse of *manifest*.

    :param proven: the place of the proof, whose packages the manifest names.
    """
    facts, needs = manifest.target, manifest.needs
    values = {
        "name": facts.name,
        "title": target.describe(),
        "python": facts.python,
        "python_path": target.python_path,
        "implementation": facts.implementation,
        "free_threaded": "yes" if facts.free_threaded else "no",
        "arch": facts.arch,
        "libc": needs.libc,
        "libraries": " ".join(_libraries(needs)),
        "programs": " ".join(needs.programs),
        "packages": " ".join(_packages(needs)),
        "stated": " ".join(_stated(needs)) if _is_own(target, proven) else "",
        "manager": family(target.preset.family).manager if _is_own(target, proven) else "",
        "bypassed": " ".join(
            f"{each.name}={each.version}" for each in manifest.bypassed if each.needed
        ),
        "package_fix": _package_fix(target, proven),
        "python_fix": _python_fix(target),
        **_gpu(needs),
    }
    quoted = {name: shlex.quote(value) for name, value in values.items()}
    quoted["gpu_program"] = _data("gpu.py") if needs.gpu else ""
    return re.sub(r"@(\w+)@", lambda match: quoted[match[1]], _data(FILENAME))


def _data(name: str) -> str:
    return resources.files("wheelhouse").joinpath(f"data/{name}").read_text("utf-8")


def _libraries(needs: Needs) -> list[str]:
    """What the machine must have by itself; the driver's are looked for only beside a GPU."""
    return [name for name in needs.libraries if not (needs.gpu and name in DRIVER_SONAMES)]


def _gpu(needs: Needs) -> dict[str, str]:
    if needs.gpu is None:
        names = ("cuda", "driver", "release_driver", "arches", "makes", "driver_libraries")
        return dict.fromkeys(names, "")
    wanted = gpu_wanted(needs, needs.gpu)
    return {
        "cuda": wanted.cuda,
        "driver": wanted.driver,
        "release_driver": wanted.release_driver,
        "arches": " ".join(wanted.arches),
        "makes": " ".join(wanted.makes),
        "driver_libraries": " ".join(wanted.libraries),
    }


def _packages(needs: Needs) -> list[str]:
    """``libGL.so.1=libgl1`` for each library or program of which the package is known."""
    known = {
        name: each.package for each in needs.system for name in (*each.libraries, *each.programs)
    }
    return [f"{name}={known[name]}" for name in sorted(known)]


def _stated(needs: Needs) -> list[str]:
    """The packages of which no library or program tells whether they are there."""
    return [each.package for each in needs.system if not (each.libraries or each.programs)]


def _is_own(target: Target, proven: Place) -> bool:
    """Whether the packages of *proven* are called as *target*'s own distribution calls them."""
    return proven.preset.name == target.preset.name


def _package_fix(target: Target, proven: Place) -> str:
    """How to get packages of the distribution, with ``%s`` in the place of their names."""
    if _is_own(target, proven):
        return f"{_install_command(target)} %s"
    title = proven.preset.title.replace("%", "%%")
    return f"install the distribution's packages that have it ({title} calls them %s)"


def _python_fix(target: Target) -> str:
    """How the target's distribution installs its Python."""
    packages = target.place.interpreter.packages
    if not packages:
        return f"install Python {target.python}"
    return f"{_install_command(target)} {' '.join(packages)}"


def _install_command(target: Target) -> str:
    return f"sudo {INSTALL_COMMANDS[family(target.preset.family).manager]}"
