"""The files of a wheelhouse that pip and uv install from: each wheel by its hash. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wheelhouse.manifest import Manifest, WheelFacts

WHEELS = "wheels"
REQUIREMENTS = "requirements.txt"
PYLOCK = "pylock.toml"

_PIN = re.compile(r"(?P<name>\S+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")


def requirements_text(manifest: Manifest) -> str:
    """``requirements.txt``: exact pins with the hashes of the files in ``wheels/``."""
    target = manifest.target
    head = (
        f"# The wheelhouse {target.name}: {target.title}, Python {target.python}, {target.arch}.\n"
        "# Installs offline: python -m pip install -r requirements.txt\n"
        "# (install.sh does it too, after a look at the machine).\n"
        f"{_OPTIONS}"
    )
    pins = (
        f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in manifest.wheels
    )
    return head + _bypassed_comment(manifest) + "".join(pins)


_OPTIONS = f"--no-index\n--find-links ./{WHEELS}\n--only-binary :all:\n"


def _bypassed_comment(manifest: Manifest) -> str:
    if not manifest.bypassed:
        return ""
    names = ", ".join(f"{each.name}=={each.version}" for each in manifest.bypassed)
    return f"# Not in here, to be on the server already: {names};\n# so add --no-deps.\n"


def is_of_requirements(text: str, manifest: Manifest) -> bool:
    """Whether *text* installs exactly the wheels of *manifest*, whoever wrote its comments."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    options = _OPTIONS.splitlines()
    matches = [_PIN.fullmatch(line) for line in lines[len(options) :]]
    pins = [(match["name"], match["version"], match["sha256"]) for match in matches if match]
    wanted = [(wheel.name, wheel.version, wheel.sha256) for wheel in manifest.wheels]
    return lines[: len(options)] == options and None not in matches and pins == wanted


def pylock_text(manifest: Manifest) -> str:
    """``pylock.toml`` by PEP 751, with paths relative to itself."""
    import tomli_w
    from packaging.pylock import Pylock

    python = manifest.target.environment["python_version"]
    pylock = Pylock.from_dict(
        {
            "lock-version": "1.0",
            "requires-python": f"=={python}.*",
            "created-by": "wheelhouse",
            "packages": [_package(wheel) for wheel in manifest.wheels],
        }
    )
    return tomli_w.dumps(dict(pylock.to_dict()))


def is_of_pylock(text: str, manifest: Manifest) -> bool:
    """Whether *text* is a lock of exactly the wheels of *manifest*, and names nothing else."""
    import tomllib

    try:
        return bool(tomllib.loads(text)["packages"] == [*map(_package, manifest.wheels)])
    except (ValueError, LookupError, RecursionError):
        return False


def _package(wheel: WheelFacts) -> dict[str, Any]:
    """What ``pylock.toml`` has of *wheel*."""
    file = {
        "name": wheel.filename,
        "path": f"{WHEELS}/{wheel.filename}",
        "size": wheel.size,
        "hashes": {"sha256": wheel.sha256},
    }
    return {"name": wheel.name, "version": wheel.version, "wheels": [file]}
