"""``python -m faults.real``: the gate on archives that people use, of which it may refuse none.

Without arguments it takes those that the benchmarks' workloads pin, from the package index: of each
project the wheel for Debian 12 and the sdist, each as long as it is needed. With arguments it takes
what lies in folders: ``python -m faults.real /srv/mirror``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.workloads import WORKLOADS
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from wheelfactory import cpython311
from wheelhouse.agent.errors import JobError
from wheelhouse.agent.sources import unpack
from wheelhouse.credentials import Credentials
from wheelhouse.errors import WheelhouseError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.index import Index
from wheelhouse.locking.sdist import read_sdist
from wheelhouse.store import Store
from wheelhouse.wheels import read_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.locking.index import IndexFile

#: Bytes of the largest file that is fetched for this.
LARGEST = 30 << 20

WORKERS = 3

PUBLIC = "https://pypi.org/simple"

SUFFIXES = (".whl", ".tar.gz", ".zip")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One archive, and why it was refused, if it was."""

    filename: str
    problem: str | None

    @property
    def kind(self) -> str:
        return "wheels" if self.filename.endswith(".whl") else "sdists"


def attempt(path: Path, filename: str) -> Tried:
    """Read the archive at *path* as a run does; an sdist is unpacked, too."""
    problem = None
    try:
        if filename.endswith(".whl"):
            read_wheel(path, filename=filename)
        else:
            read_sdist(path, filename)
            folder = Path(tempfile.mkdtemp(prefix="an sdist "))
            try:
                unpack(str(path), str(folder / "there"))
            finally:
                shutil.rmtree(folder)
    except (WheelhouseError, JobError) as error:
        problem = str(error)
    return Tried(filename=filename, problem=problem)


def in_folders(folders: Iterable[Path]) -> Iterator[Tried]:
    """Those that lie in *folders*, or below them."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.name.endswith(SUFFIXES) and path.is_file():
                yield attempt(path, path.name)


def pins() -> dict[NormalizedName, Version]:
    """Every project of the workloads, with the version that is pinned last."""
    found = {}
    for workload in WORKLOADS.values():
        for line in workload.pinned.read_text().splitlines():
            if "==" in line:
                name, version = line.removesuffix("\\").split("==")
                found[canonicalize_name(name)] = Version(version.strip())
    return found


def from_index(folder: Path) -> Iterator[Tried]:
    """The wheel and the sdist of each project of the workloads."""
    client = Client(credentials=Credentials(()))
    index = Index(client, PUBLIC)

    def of_project(pin: tuple[NormalizedName, Version]) -> list[Tried]:
        return list(_of_project(index, client, folder, *pin))

    with ThreadPoolExecutor(WORKERS) as pool:
        for tried in pool.map(of_project, pins().items()):
            yield from tried


def _of_project(
    index: Index, client: Client, folder: Path, name: NormalizedName, version: Version
) -> Iterator[Tried]:
    page = index.project(name)
    store = Store(folder / name)
    fetcher = Fetcher(client, store, lambda: None)
    for file in _chosen(page.files if page else (), version):
        assert file.sha256 is not None
        path = fetcher.fetch_small(file.url, file.sha256, LARGEST)
        if path is not None:
            yield attempt(path, file.filename)
    shutil.rmtree(folder / name)


def _chosen(files: Sequence[IndexFile], version: Version) -> Iterator[IndexFile]:
    """Of *files* the sdist of *version*, and the wheel that Debian 12 would take."""
    ranks = {tag: rank for rank, tag in enumerate(cpython311().tags)}
    wheels: dict[int, IndexFile] = {}
    for file in files:
        try:
            if file.filename.endswith(".whl"):
                _, of, _, tags = parse_wheel_filename(file.filename)
                best = min((ranks[tag] for tag in tags if tag in ranks), default=None)
                if of == version and best is not None:
                    wheels[best] = file
            elif parse_sdist_filename(file.filename)[1] == version:
                yield file
        except ValueError:
            continue  # a name of old times, or an egg
    if wheels:
        yield wheels[min(wheels)]


def main(arguments: Sequence[str]) -> int:
    """Try them all; the exit status is 1 if one was refused."""
    parser = argparse.ArgumentParser(prog="python -m faults.real", description=__doc__)
    parser.add_argument("folder", nargs="*", type=Path, help="take what lies here")
    options = parser.parse_args(arguments)
    tried: defaultdict[str, list[Tried]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="real-") as folder:
        everything = in_folders(options.folder) if options.folder else from_index(Path(folder))
        for each in everything:
            tried[each.kind].append(each)
            if each.problem:
                print(f"REFUSED {each.filename}: {each.problem}", flush=True)
    for kind, each_of in sorted(tried.items()):
        accepted = sum(each.problem is None for each in each_of)
        print(f"real {kind} accepted: {accepted} of {len(each_of)}")
    return int(any(each.problem for each_of in tried.values() for each in each_of) or not tried)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
