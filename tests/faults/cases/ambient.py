"""Group 29: what the user's environment says to other tools has no effect on what is built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import digests, refused, succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from pathlib import Path

    from faults.world import World

#: A port that nobody listens on.
DEAD = "http://127.0.0.1:9"

PIP = {
    "PIP_INDEX_URL": f"{DEAD}/simple",
    "PIP_EXTRA_INDEX_URL": f"{DEAD}/extra",
    "PIP_FIND_LINKS": "/nothing",
    "PIP_NO_INDEX": "1",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_NO_BINARY": ":all:",
    "PIP_ONLY_BINARY": "nothing",
    "PIP_PRE": "1",
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_PREFIX": "/nowhere",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_CONSTRAINT": "/nothing/constraints.txt",
    "PIP_CERT": "/nothing/cert.pem",
    "PIP_PYTHON": "/nothing/python",
}
UV = {
    "UV_INDEX_URL": f"{DEAD}/simple",
    "UV_DEFAULT_INDEX": f"{DEAD}/simple",
    "UV_INDEX": f"{DEAD}/simple",
    "UV_EXTRA_INDEX_URL": f"{DEAD}/extra",
    "UV_FIND_LINKS": "/nothing",
    "UV_PYTHON": "3.13",
    "UV_OFFLINE": "1",
    "UV_NO_INDEX": "1",
    "UV_NO_BINARY": "1",
    "UV_RESOLUTION": "lowest",
    "UV_PRERELEASE": "allow",
    "UV_EXCLUDE_NEWER": "2001-01-01",
    "UV_CONSTRAINT": "/nothing/constraints.txt",
    "UV_OVERRIDE": "/nothing/overrides.txt",
    "UV_REQUIRE_HASHES": "1",
    "UV_CACHE_DIR": "/nowhere/cache",
}
BUILDS = {
    "CC": "/bin/false",
    "CXX": "/bin/false",
    "CFLAGS": "-DHOSTILE -O3",
    "LDFLAGS": "-lnothing",
    "MAKEFLAGS": "--no-such-option",
    "SOURCE_DATE_EPOCH": "1",
    "ARCHFLAGS": "-arch nothing",
    "SETUPTOOLS_SCM_PRETEND_VERSION": "9.9",
    "DISTUTILS_DEBUG": "1",
}
PYTHON = {
    "PYTHONSTARTUP": "/nothing/startup.py",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "7",
    "PYTHONOPTIMIZE": "2",
    "PYTHONUTF8": "0",
    "PYTHONIOENCODING": "ascii",
    "PYTHONWARNINGS": "ignore",
    "PYTHONUSERBASE": "/nowhere",
    "VIRTUAL_ENV": "/nowhere",
    "CONDA_PREFIX": "/nowhere",
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "TZ": "Pacific/Kiritimati",
}

#: Modules that lie about, in the place of ours.
SHADOWS = ("packaging", "click", "requests", "docker", "pydantic", "uv", "tomllib")

PIP_CONF = (
    f"[global]\nindex-url = {DEAD}\nextra-index-url = {DEAD}/x\nno-binary = :all:\nuser = yes\n"
)
UV_TOML = f'offline = true\nresolution = "lowest"\nindex-url = "{DEAD}"\nno-binary = true\n'


def _hostile(world: World) -> dict[str, str]:
    """Variables, and the files that they name and that tools look for by themselves."""
    home, lying = world.home, world.root / "lying about"
    files = {
        home / ".config/pip/pip.conf": PIP_CONF,
        home / ".pip/pip.conf": PIP_CONF,
        home / "pip.conf": PIP_CONF,
        home / ".config/uv/uv.toml": UV_TOML,
        home / "uv.toml": UV_TOML,
        world.project / "uv.toml": UV_TOML,
        home / ".pydistutils.cfg": "[install]\nprefix = /nowhere\n",
        home / "docker/config.json": json.dumps(
            {"proxies": {"default": {"httpProxy": DEAD, "httpsProxy": DEAD}}}
        ),
        lying / "sitecustomize.py": "import os\nos.environ['PIP_NO_DEPS'] = '1'\n",
        **{lying / name / "__init__.py": "raise SystemExit(77)\n" for name in SHADOWS},
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    temporary = world.root / "other temporaries"
    temporary.mkdir()
    return {
        **PIP,
        **UV,
        **BUILDS,
        **PYTHON,
        "PIP_CONFIG_FILE": str(home / "pip.conf"),
        "UV_CONFIG_FILE": str(home / "uv.toml"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "DOCKER_CONFIG": str(home / "docker"),
        "PYTHONPATH": str(lying),
        "TMPDIR": str(temporary),
    }


def _forget(world: World) -> None:
    """Let the next run begin with nothing."""
    for path in (world.dist, world.store):
        shutil.rmtree(path)
    (world.project / "pylock.d12.toml").unlink()


def _same_bytes(world: World) -> None:
    """Resolved, built, proven and installed with and without it all, the outcome is one."""
    world.own_store()
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="lib"), ProjectSdist(name="lib", version="2.0"))
        index.add(ProjectSdist(name="app", native=True, requires=("lib",)))
        world.configure("app\n", index=index.url)
        succeeded(world.build())
        before = digests(world.dist), (world.project / "pylock.d12.toml").read_bytes()
        _forget(world)
        hostile = _hostile(world)
        succeeded(world.run("build", "--plain", timeout=300, **hostile))
        after = digests(world.dist), (world.project / "pylock.d12.toml").read_bytes()
    assert after[1] == before[1], after[1].decode()
    assert after[0] == before[0], sorted(after[0].items() ^ before[0].items())
    assert any("/lib-2.0-" in name for name in after[0]), after[0]
    assert not any((world.root / "other temporaries").iterdir())
    _install(world.house, world.root / "venv", {**world.environment(), **hostile})


def _install(house: Path, venv: Path, environment: dict[str, str]) -> None:
    """``install.sh`` installs exactly what is in *house*, and so says Python."""
    command = ["sh", str(house / "install.sh"), "--venv", str(venv), "--python", sys.executable]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    code = "from importlib.metadata import version; print(version('lib'), version('app'))"
    told = subprocess.run(
        [venv / "bin/python", "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["2.0", "1.0"], told.stdout


def _shadowed(world: World) -> None:
    """Modules in `PYTHONPATH` and the current folder do not take the place of ours."""
    lying = world.root / "lying about"
    for folder in (lying, world.project):
        for name in SHADOWS:
            (folder / name).mkdir(parents=True)
            (folder / name / "__init__.py").write_text("raise SystemExit(77)\n")
    world.configure("a b\n")
    path = os.pathsep.join([str(lying), "", "relative"])
    refused(world.run("plan", PYTHONPATH=path, timeout=30), 2, '"a b" cannot be read')


CASES = [
    Case(group=29, name="variables and files of other tools", attempt=_same_bytes),
    Case(
        group=29,
        name="modules that lie about",
        attempt=_shadowed,
        engine=False,
        everyday=True,
    ),
]
