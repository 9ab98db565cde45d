"""Groups 26 and 27: whatever stands in a file that is read ends in an error that says so."""

from __future__ import annotations

import random
import shutil
import signal
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from faults.case import Case
from mutations import mutated
from wheelhouse.config import load_project
from wheelhouse.errors import ConfigError, LockError, WheelhouseError, flatten
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.lockfile import dump_lock, load_lock
from wheelhouse.locking.model import (
    BuildRequirement,
    Lock,
    LockedBuild,
    LockedFile,
    LockedPackage,
    Provision,
    RefusedFile,
)
from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from faults.world import World

LOCKS = Path(__file__).parents[2] / "data" / "locks"

#: Seconds that one file may take; most take a thousandth of that.
PATIENCE = 20

#: Bytes of a lock that is mutated.
LARGEST = 9000

ENVIRONMENT = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.9",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.11.9",
    "platform_python_implementation": "CPython",
    "python_version": "3.11",
    "sys_platform": "linux",
}

CONFIGURATION = """\
requirements = ["requirements.txt", {file = "more.txt"}]
output = "dist"
index = "https://index.example.com/simple"
exclude-newer = "7 days"
jobs = 4
[targets.web]
platform = "debian12"
python = "3.11"
arch = "x86_64"
runtime-system = true
[targets.gpu]
platform = "ours"
python = "3.13"
torch-backend = "cu124"
[platforms.ours]
like = "debian13"
libc = "glibc 2.39"
glibcxx = "3.4.33"
[indexes.corp]
url = "https://pypi.corp.example.com/simple"
packages = ["corp-*", "other"]
username = "me"
[packages.psycopg2]
source = "sdist"
system = ["libpq-dev"]
env = {CFLAGS = "-O2"}
config-settings = {a = "1", b = ["2", "3"]}
build-requires = ["setuptools<81"]
[packages.h5py]
system = {debian = ["libhdf5-dev"], redhat = ["hdf5-devel"]}
builder = "cibuildwheel"
network = true
index = "corp"
[limits]
memory = "4GiB"
deadline = "1h"
cpus = 2
"""

REQUIREMENTS = """\
# what is wanted
--index-url https://me:secret@index.example.com/simple
--extra-index-url https://other.example.com/simple
-r more.txt
-c limits.txt
flask[async]>=3,<4 ; python_version >= "3.8" and sys_platform == "linux"
numpy==1.26.4 \\
    --hash=sha256:{0} \\
    --hash=sha256:{0}
demo @ https://files.example.com/demo-1.0-py3-none-any.whl#sha256={0}
tool @ git+https://git.example.com/tool.git@v1.0#subdirectory=inner
./app
-e ./app --config-settings=a=b
--no-binary demo
--only-binary=:all:
--pre
""".format("0" * 64)

PYPROJECT = """\
[build-system]
requires = ["setuptools>=61"]
[project]
name = "shop"
version = "1.0"
dependencies = ["flask>=3", "tool"]
optional-dependencies = {pg = ["psycopg2; python_version > '3.8'"]}
[dependency-groups]
dev = ["pytest", {include-group = "base"}]
base = ["ruff"]
[tool.uv]
constraint-dependencies = ["flask<4"]
[tool.uv.sources]
tool = {git = "https://git.example.com/tool.git", rev = "v1.0"}
[[tool.uv.index]]
name = "corp"
url = "https://pypi.corp.example.com/simple"
explicit = true
"""

FILE = LockedFile(filename="demo-1.0.tar.gz", url="https://files.example.com/d", sha256="0" * 64)
TOOL = BuildRequirement(name=canonicalize_name("tool"), version=Version("2.0"), file=FILE)
BUILD = LockedBuild(
    static=("tool",),
    dynamic=("other",),
    environment=(replace(TOOL, build=LockedBuild(static=(), dynamic=(), environment=())), TOOL),
    system=("libpq-dev",),
    provision=Provision(system={"debian12": ("libpq-dev",)}, constraints=("tool<3",)),
)
OWN_LOCK = Lock(
    target="web",
    inputs="digest",
    python="3.11.2",
    environment=ENVIRONMENT,
    packages=(
        LockedPackage(
            name=canonicalize_name("demo"),
            version=Version("1.0"),
            sdist=FILE,
            required_by=("requirements.txt:1",),
            build=BUILD,
        ),
        LockedPackage(
            name=canonicalize_name("there"), version=Version("1.0"), provided="system:python3-there"
        ),
    ),
    requested=("demo",),
    refused=(
        RefusedFile(filename="d-1-py3-none-any.whl", sha256="0" * 64, reason="", platform=""),
    ),
)


@contextmanager
def _patience(told: bytes) -> Iterator[None]:
    """Raise AssertionError if the block takes too long."""

    def end(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it takes longer than {PATIENCE} s: {told[:300]!r}")

    previous = signal.signal(signal.SIGALRM, end)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _read_input(path: Path) -> None:
    read_inputs(path.parent, (InputFile(path=path),)).chosen_for(ENVIRONMENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A file that is read, and what is beside it."""

    name: str
    content: bytes
    read: Callable[[Path], object]
    beside: Path | None = None


def _sources() -> Iterator[_Source]:
    yield _Source(name="wheelhouse.toml", content=CONFIGURATION.encode(), read=load_project)
    yield _Source(name="requirements.txt", content=REQUIREMENTS.encode(), read=_read_input)
    yield _Source(name="pyproject.toml", content=PYPROJECT.encode(), read=_read_input)
    own = dump_lock(OWN_LOCK).encode()
    yield _Source(name="pylock.web.toml", content=own, read=load_lock)
    for path in sorted(LOCKS.rglob("*lock*")):
        # That of `sources` names files elsewhere.
        if path.is_file() and path.stat().st_size < LARGEST and path.parent.name != "sources":
            content = path.read_bytes()
            yield _Source(name=path.name, content=content, read=_read_input, beside=path.parent)


def _prepare(folder: Path, source: _Source) -> None:
    """Put into *folder* what *source* names, or has beside it."""
    if source.beside:
        shutil.copytree(source.beside, folder)
        return
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\n')
    for each in ("requirements.txt", "more.txt", "limits.txt"):
        (folder / each).write_text("demo==1.0\n")


def _try(folder: Path, source: _Source, content: bytes) -> bool:
    """Whether *content* was read; else it ended in an error that can be told."""
    path = folder / source.name
    path.write_bytes(content)
    try:
        with _patience(content):
            source.read(path)
    except WheelhouseError as error:
        for each in flatten([error]):
            assert isinstance(each, ConfigError | LockError), repr(each)
            assert each.message, repr(each)
            assert each.hint, f"no next step: {each.message[:300]}"
        return False
    except Exception as error:
        if isinstance(error, AssertionError) and "it takes longer" in str(error):
            raise
        told = f"{source.name}: {type(error).__name__}: {error}: {content[:2000]!r}"
        raise AssertionError(told) from error
    return True


def _mutations(number: int) -> Callable[[World], None]:
    """Read each kind of file, and *number* mutations of it."""

    def attempt(world: World) -> None:
        for kind, source in enumerate(_sources()):
            folder = world.project / str(kind)
            _prepare(folder, source)
            assert _try(folder, source, source.content), f"{source.name} is no good to begin with"
            for turn in range(number):
                chance = random.Random(f"{source.name} {kind} {turn}")
                good = _try(folder, source, mutated(source.content, chance))
                world.figures.add("mutated inputs read" if good else "mutated inputs refused")
            shutil.rmtree(folder)

    return attempt


CASES = [
    Case(
        group=26,
        name="a few mutations of each kind of file",
        attempt=_mutations(25),
        engine=False,
        everyday=True,
    ),
    Case(group=26, name="mutations of each kind of file", attempt=_mutations(300), engine=False),
]
