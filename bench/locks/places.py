"""Where tools install: this machine, and a container of Debian 13."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import packaging
import uv
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGE = "wheelhouse/debian13-runtime"

#: The bundle of certificate authorities of this machine; a proxy may have one of its own.
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

#: By what programs are told of it.
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")

_MARKERS = "import json, packaging.markers as m; print(json.dumps(m.default_environment()))"
_INSTALLED = (
    "import importlib.metadata as m, json, sys\n"
    "found = m.distributions(path=[sys.argv[1]])\n"
    "print(json.dumps(sorted([each.metadata['Name'], each.version] for each in found)))"
)


class ToolFailedError(Exception):
    """A tool did not do its part; its message is what it wrote last."""


class Place(Protocol):
    """A machine, as far as tools need one."""

    @property
    def name(self) -> str:
        """That of its platform."""

    @property
    def python(self) -> str:
        """The path of its interpreter."""

    def run(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
        """What the command *argv* prints, run in *folder*. Raises ToolFailedError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Here:
    """This machine."""

    name: str = "debian12"
    python: str = "/usr/bin/python3"

    def run(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
        """See :class:`Place`."""
        return _run(argv, folder, {**_inherited(), **env})


@dataclass(frozen=True, kw_only=True, slots=True)
class Debian13:
    """A container of *image* that sees the *workplace*, under the same path, and the network."""

    image: str
    workplace: Path
    name: str = "debian13"
    python: str = "/usr/bin/python3"

    def run(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
        """See :class:`Place`."""
        readable = [Path(uv.find_uv_bin()), Path(packaging.__file__).parent, _BUNDLE]
        variables = {**env, **dict.fromkeys(_CERTIFICATES, "/certificates.crt")}
        command = ["docker", "run", "--rm", "--network", "host", "--workdir", str(folder)]
        command += ["--volume", f"{self.workplace}:{self.workplace}"]
        for path in readable:
            inside = "/certificates.crt" if path == _BUNDLE else str(path)
            command += ["--volume", f"{path}:{inside}:ro"]
        for name, value in variables.items():
            command += ["--env", f"{name}={value}"]
        return _run([*command, self.image, *argv], folder, _inherited())


def find_image() -> str | None:
    """The image of Debian 13, if the engine has it."""
    listed = _run(["docker", "images", "--quiet", IMAGE], Path.cwd(), _inherited()).split()
    return listed[0] if listed else None


def environment(place: Place, folder: Path) -> dict[str, str]:
    """The marker environment of *place*'s Python."""
    path = {"PYTHONPATH": str(Path(packaging.__file__).parents[1])}
    found: dict[str, str] = json.loads(place.run([place.python, "-c", _MARKERS], folder, path))
    return found


def installed(place: Place, venv: Path) -> set[str]:
    """What is in *venv*, as ``name==version``."""
    (folder,) = venv.glob("lib/python*/site-packages")
    printed = place.run([place.python, "-c", _INSTALLED, str(folder)], venv, {})
    return {f"{canonicalize_name(name)}=={version}" for name, version in json.loads(printed)}


def _inherited() -> dict[str, str]:
    """This process's environment without what would lead tools elsewhere."""
    strange = ("PIP_", "UV_", "PDM_", "POETRY_", "PIPENV_", "VIRTUAL_ENV", "PYTHON")
    kept = ("PIP_CERT",)
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith(strange)
    }


def _run(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        tail = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise ToolFailedError(f"{Path(argv[0]).name} {argv[1]}: " + "\n".join(tail))
    return done.stdout
