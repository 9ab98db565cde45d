"""What a plan weighs: which files it takes, how long they are, and what of them is to come. Pure.

A size that nobody knows is not guessed: a sum without it is told as "at least" so much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from wheelhouse.events import DownloadsStarted
from wheelhouse.locking.model import LockedFile
from wheelhouse.text import counted, human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wheelhouse.locking.model import LockedPackage
    from wheelhouse.plan import Plan, Step

#: What a file is for: the wheelhouse itself, or a build.
Role = Literal["wheel", "build"]

#: How the names of NVIDIA's own distributions begin.
NVIDIA = ("nvidia-", "cuda-", "custatevec-", "cutensor-", "cutensornet-")


class Stock(Protocol):
    """Knows what this machine has: a :class:`wheelhouse.store.Store`."""

    def size(self, sha256: str) -> int | None:
        """The bytes of the file with this hash, or None if it is not there."""

    def begun(self, sha256: str) -> int:
        """How many bytes have come of the file with this hash, if it is still coming."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heavy:
    """A file that a plan takes.

    :ivar owner: the distribution that it is of; of a build requirement, with what that is for.
    :ivar cuda: whether it is there because of CUDA.
    """

    owner: str
    file: LockedFile
    role: Role
    cuda: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """A file, weighed.

    :ivar size: its bytes, or None if nobody knows.
    :ivar come: how many of them this machine has already.
    """

    heavy: Heavy
    size: int | None
    come: int

    @property
    def left(self) -> int | None:
        """Bytes that are to come yet, or None if nobody knows."""
        return None if self.size is None else max(self.size - self.come, 0)

    @property
    def there(self) -> bool:
        """Whether all of it is there."""
        return self.left == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """So many files, and bytes.

    :ivar unknown: how many of the files have a length that nobody knows.
    """

    files: int = 0
    size: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        if self.unknown == self.files:
            return "an unknown size" if self.files else "nothing"
        return ("at least " if self.unknown else "") + human_size(self.size)

    @property
    def told(self) -> str:
        """``146 MB in 7 files``."""
        return f"{self} in {counted(self.files, 'file')}"

    def to_dict(self) -> dict[str, int]:
        """In JSON's types."""
        return {"files": self.files, "bytes": self.size, "unknown": self.unknown}


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What a plan weighs, file by file; each file is there once."""

    files: tuple[Weighed, ...]

    @property
    def wheels(self) -> Amount:
        """The wheelhouse, but for wheels that are still to be built."""
        return _sum(each.size for each in self.of("wheel"))

    @property
    def cuda(self) -> Amount:
        """What of the wheelhouse is CUDA's."""
        return _sum(each.size for each in self.of("wheel") if each.heavy.cuda)

    @property
    def download(self) -> Amount:
        """What is to be downloaded yet, for whatever purpose."""
        return _sum(each.left for each in self.files if not each.there)

    @property
    def cuda_download(self) -> Amount:
        """What of that is CUDA's."""
        found = (each for each in self.of("wheel") if each.heavy.cuda)
        return _sum(each.left for each in found if not each.there)

    @property
    def stored(self) -> Amount:
        """What this machine has of the files already, files of which it has a part included."""
        return _sum(each.come for each in self.files if each.come)

    @property
    def cuda_owners(self) -> tuple[str, ...]:
        """The distributions of the wheelhouse that are CUDA's, heaviest first."""
        found = sorted(
            (each for each in self.of("wheel") if each.heavy.cuda),
            key=lambda each: (-(each.size or 0), each.heavy.owner),
        )
        return tuple(each.heavy.owner for each in found)

    def find(self, sha256: str) -> Weighed | None:
        """The file with this hash, if it is among them."""
        return next((each for each in self.files if each.heavy.file.sha256 == sha256), None)

    def size(self, sha256: str) -> int | None:
        """The bytes of the file with this hash, if it is among them and its size is known."""
        found = self.find(sha256)
        return found.size if found else None

    def to_dict(self) -> dict[str, Any]:
        """For ``wheelhouse plan --json``."""
        return {
            "wheels": self.wheels.to_dict(),
            "cuda": self.cuda.to_dict(),
            "stored": self.stored.to_dict(),
            "download": self.download.to_dict(),
            "cuda-download": self.cuda_download.to_dict(),
        }

    def of(self, role: Role) -> Iterator[Weighed]:
        """Those of the files that are for this."""
        return (each for each in self.files if each.heavy.role == role)


def _sum(sizes: Iterable[int | None]) -> Amount:
    told = list(sizes)
    known = [size for size in told if size is not None]
    return Amount(files=len(told), size=sum(known), unknown=len(told) - len(known))


def weigh(taken: Iterable[Heavy], sizes: Mapping[str, int], stock: Stock) -> Weights:
    """What is *taken*, weighed.

    :param sizes: by SHA-256, the bytes of files of which the lock does not say so.
    """
    return Weights(files=tuple(_weighed(each, sizes, stock) for each in taken))


def _weighed(heavy: Heavy, sizes: Mapping[str, int], stock: Stock) -> Weighed:
    sha256 = heavy.file.sha256
    there = stock.size(sha256)
    if there is not None:
        return Weighed(heavy=heavy, size=there, come=there)
    size = heavy.file.size if heavy.file.size is not None else sizes.get(sha256)
    return Weighed(heavy=heavy, size=size, come=stock.begun(sha256))


def files(plan: Plan) -> tuple[Heavy, ...]:
    """What *plan* takes: wheels, and what those are built from and with.

    A wheel that is still to be built is none of them: nobody knows what it will weigh. Nor is the
    toolkit of CUDA: a plan is made with builders that have it.
    """
    builds = [step for step in (*plan.first, *plan.steps) if step.action == "build"]
    of_cuda = cuda_packages(step.package for step in plan.steps)
    heavy = [
        *(_wheel(step, cuda=step.package.name in of_cuda) for step in plan.steps),
        *(each for step in builds for each in _sources(step)),
    ]
    found: dict[str, Heavy] = {}
    for each in filter(None, heavy):
        found.setdefault(each.file.sha256, each)
    return tuple(found.values())


def _wheel(step: Step, *, cuda: bool) -> Heavy | None:
    """The wheel that *step* takes, if there is one yet."""
    if step.action == "build":
        return None
    return Heavy(owner=step.package.name, file=file_of(step), role="wheel", cuda=cuda)


def file_of(step: Step) -> LockedFile:
    """What *step* takes: the wheel, or, of one that is still to be built, its source."""
    if step.built is None:
        return step.file
    return LockedFile(filename=step.built.filename, url="", sha256=step.built.sha256)


def _sources(step: Step) -> Iterator[Heavy]:
    """What *step* builds from and with, but for what is built itself."""
    assert step.recipe is not None
    yield Heavy(owner=step.package.name, file=step.file, role="build")
    for tool in step.recipe.environment:
        if tool.build is None:
            owner = owner_for(tool.name, step.file)
            yield Heavy(owner=owner, file=tool.file, role="build")


def owner_for(name: str, sdist: LockedFile) -> str:
    """What a build requirement of *sdist* called *name* is told as: others may take another one."""
    return f"{name} for {sdist.filename}"


def announced(target: str, files: Iterable[Weighed]) -> DownloadsStarted:
    """The event that tells what of *files* is to come; steps have the names of their owners."""
    left = [each for each in files if not each.there]
    sizes = {each.heavy.owner: each.size for each in left if each.size is not None}
    come = {each.heavy.owner: each.come for each in left if each.heavy.owner in sizes}
    return DownloadsStarted(
        target=target,
        files=len(left),
        size=sum(sizes.values()),
        unknown=len(left) - len(sizes),
        sizes=sizes,
        come={step: size for step, size in come.items() if size},
    )


def cuda_packages(packages: Iterable[LockedPackage]) -> frozenset[str]:
    """The names of *packages* that are there because of CUDA.

    Those are NVIDIA's own, what requires one of them directly, as PyTorch, TensorFlow, JAX's plugin
    and CuPy do, and what is built with CUDA. What requires these in turn is a program that uses
    them, and no part of CUDA.
    """
    there = list(packages)
    own = {each.name for each in there if each.name.startswith(NVIDIA)}
    users = {user for each in there if each.name in own for user in each.required_by}
    built = {each.name for each in there if each.build is not None and each.build.cuda}
    return frozenset(own | built | {each.name for each in there if each.name in users})
