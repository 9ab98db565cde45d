"""What is needed to run an sdist's build backend, and the job that does. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from wheelhouse.building.cudavariables import cuda_variables
from wheelhouse.cuda import HOME as CUDA_HOME
from wheelhouse.engine.jobs import BOOTSTRAP, ROOT, Input, Job
from wheelhouse.store import digest_of
from wheelhouse.toolkit import parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.cuda import Cuda
    from wheelhouse.locking.model import BuildRequirement, LockedFile
    from wheelhouse.plan import Step

#: The first time that a zip archive can hold, also for sources of which no upload time is known,
#: such as folders and repositories; and the last.
EARLIEST, LATEST = 315_532_800, 4_354_819_198

#: Distribution Pythons pass `-g`; wheels are stripped, so writing debug symbols only costs time:
#: a third of a typical C extension's.
COMPILER_FLAGS = {"CFLAGS": "-g0", "CXXFLAGS": "-g0", "FFLAGS": "-g0"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ByCibuildwheel:
    """That its maintainers' own recipe builds an sdist, and on which terms.

    :ivar identifier: cibuildwheel's name for the Python and platform.
    :ivar network: whether the recipe's commands have a network.
    :ivar index: where its `pip` looks then.
    :ivar version: of cibuildwheel, and of our part in it; a change of it rebuilds.
    """

    identifier: str
    network: bool
    index: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """A wheel for a build environment, at hand: verified, or built before."""

    name: NormalizedName
    version: Version
    filename: str
    sha256: str
    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """The verified files of a build."""

    sdist: Path
    supplies: tuple[Supply, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """All inputs of running a backend, apart from limits: two equal recipes give one result.

    :ivar image: the builder's ID.
    :ivar built: the builds of those requirements in *environment* that have no wheel.
    :ivar system: the distribution's packages that were added to it, which its ID covers.
    :ivar subdirectory: where in the unpacked sdist the project is, if not at its top.
    :ivar cuda: the toolkit in the image, of whatever release that is, and the GPUs to make code
        for; None if the build has none.
    :ivar toolkit: the wheels of that toolkit; none where the image, or this machine, has its own.
    :ivar search: see :class:`~wheelhouse.locking.model.Provision`, as for *regenerate*.
    """

    sdist: LockedFile
    subdirectory: str = ""
    image: str
    python: str
    tool_python: str
    tool_path: str
    environment: tuple[BuildRequirement, ...] = ()
    built: tuple[Step, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, Any] = field(default_factory=dict)
    cibuildwheel: ByCibuildwheel | None = None
    system: tuple[str, ...] = ()
    cuda: Cuda | None = None
    toolkit: tuple[LockedFile, ...] = ()
    search: tuple[str, ...] = ()
    regenerate: bool = False

    def variables(self) -> dict[str, str]:
        """Environment variables of the hooks; the user's own come last and so win."""
        uploaded = self.sdist.upload_time
        moment = int(uploaded.timestamp()) if uploaded else EARLIEST
        epoch = min(max(moment, EARLIEST), LATEST)
        cuda = cuda_variables(self.cuda) if self.cuda else {}
        return {**COMPILER_FLAGS, **cuda, "SOURCE_DATE_EPOCH": str(epoch), **self.env}

    def inputs(self, kind: str, **more: object) -> dict[str, Any]:
        """All that decides what the *kind* of job gives, with *more* parameters: each by its name.

        In JSON's types, and so that a person can read it: what is not in here makes no difference.
        The programs that run the agent are left out; in a container the image has them.
        """
        return {
            "kind": kind,
            "sdist": _file(self.sdist),
            "subdirectory": self.subdirectory,
            "build requirements": dict(self._required()),
            "system packages": list(self.system),
            "image": self.image,
            "python": self.python,
            "variables": self.variables(),
            "config settings": dict(self.config_settings),
            "cibuildwheel": asdict(self.cibuildwheel) if self.cibuildwheel else {},
            "search": list(self.search),
            "regenerate": self.regenerate,
            "cuda": [str(self.cuda.version)] if self.cuda else [],
            "toolkit": {
                name: f"{version} sha256:{file.sha256}"
                for name, version, file in parts(self.toolkit)
            },
            **more,
        }

    def key(self, kind: str, **more: object) -> str:
        """The key of the *kind* of job with this recipe: the hash of its :meth:`inputs`."""
        return digest_of(self.inputs(kind, **more))

    def _required(self) -> Iterator[tuple[str, str]]:
        """By name, what tells a wheel of the environment: its hash, or the key of its build."""
        keys = {step.package.name: step.key for step in self.built}
        for each in self.environment:
            made = f"{each.version} build:{keys[each.name]}" if each.build else ""
            yield each.name, made or f"{each.version} sha256:{each.file.sha256}"

    def argv(self) -> tuple[str, ...]:
        """Process 1: the agent on our own Python."""
        return (self.tool_python, "-I", "-c", BOOTSTRAP, ROOT)

    def job(self, kind: str, sdist: Path, supplies: Sequence[Supply], **more: object) -> Job:
        """The job. *sdist* and *supplies* are the verified files."""
        name = f"sdist/{self.sdist.filename}"
        inputs = [Input(name=name, source=sdist)]
        inputs += [Input(name=f"requires/{each.filename}", source=each.path) for each in supplies]
        parameters = {
            "sdist": name,
            "subdirectory": self.subdirectory,
            "python": self.python,
            "tools": {
                "uv": f"{self.tool_path}/uv",
                "python": self.tool_python,
                "path": self.tool_path,
            },
            "requirements": [
                f"{each.name}=={each.version} --hash=sha256:{each.sha256}" for each in supplies
            ],
            "env": self.variables(),
            "search": list(self.search),
            "cuda": CUDA_HOME if self.cuda else "",
            "regenerate": self.regenerate,
            "config_settings": dict(self.config_settings),
            **more,
        }
        return Job(kind=kind, parameters=parameters, inputs=inputs)


def _file(file: LockedFile) -> str:
    return f"{file.filename} sha256:{file.sha256}"
