"""Whether a wheel is made for the CUDA of the target, and for its GPUs. Pure.

Specs: NVIDIA's "CUDA C++ Programming Guide", 3.1 (binary, PTX and application compatibility), and
"NVIDIA CUDA Compiler Driver NVCC", "GPU Feature List" (which GPUs are of one family).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from wheelhouse import cuda
from wheelhouse.wheels.case import and_others, names_of
from wheelhouse.wheels.fatbin import order
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelhouse.wheels.case import Case
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Finding, Level

#: Of the same major number as 100 and 103, but of a family of its own; later called 110.
_THOR = 101


def runs_on(code: str, gpu: int) -> bool:
    """Whether a GPU of the compute capability *gpu* (80 is 8.0) runs *code*.

    :param code: as :func:`wheels.fatbin.gpu_code` has it: ``sm_90a``, ``compute_80``. The latter a
        driver compiles when it is first used.
    """
    kind, _, arch = code.partition("_")
    number, only = cuda.split(arch)
    is_later = gpu // 10 == number // 10 and gpu >= number
    if only == "a":
        return gpu == number
    if only == "f":
        return is_later and (gpu == _THOR) == (number == _THOR)
    return is_later if kind == "sm" else gpu >= number


# --- rules ---------------------------------------------------------------------------------------


def check_cuda(case: Case) -> Iterator[Finding]:
    """It is made for the CUDA of the target, as far as the libraries tell that it uses."""
    wanted = case.target.cuda
    if wanted is None or case.any_cuda:
        return
    fitting: list[frozenset[int]] = []
    others: defaultdict[frozenset[int], list[tuple[str, str]]] = defaultdict(list)
    for binary in case.binaries:
        of_this = list(_uses(case, binary))
        misfits = [use for use in of_this if not _fits(use[0], wanted.major)]
        if misfits:
            majors, sign = misfits[0]
            others[majors].append((binary.member, sign))
        elif of_this:
            fitting.append(frozenset.intersection(*(majors for majors, _ in of_this)))
    for majors, members in others.items():
        # Some have the same for several versions, and choose when they are imported (bitsandbytes).
        if not any(majors.isdisjoint(each) for each in fitting):
            member, sign = members[0]
            yield case.find(
                "cuda-version",
                f"made for CUDA {' or '.join(map(str, sorted(majors)))} ({sign}); the target has "
                f"{wanted}{and_others(members)}",
                member=member,
                hint=_other_cuda(case, wanted),
            )


def _uses(case: Case, binary: Binary) -> Iterator[tuple[frozenset[int], str]]:
    """The libraries of CUDA that *binary* needs, or is itself, if it is NVIDIA's: the versions of
    CUDA that have them, and what tells.

    A copy in another's wheel says nothing: Triton has its own for each version.
    """
    for soname in dict.fromkeys(binary.needed):
        if library := cuda.library(soname):
            yield library.majors, f"needs {soname}"
    for name in dict.fromkeys(names_of(binary)):
        if (library := cuda.library(name)) and (majors := _published_for(case, library)):
            yield majors, f"has {name}"


def _published_for(case: Case, library: cuda.Library) -> frozenset[int]:
    """The versions of CUDA for which the wheel is where NVIDIA publishes *library*."""
    name = case.wheel.name
    return frozenset(major for major, project in library.projects.items() if project == name)


def _fits(majors: frozenset[int], wanted: int) -> bool:
    """Whether what is of *majors* works with *wanted*, which may be newer than all known ones."""
    newest = max(version.major for version in cuda.releases())
    return wanted in majors or (newest in majors and wanted > newest)


def _other_cuda(case: Case, wanted: cuda.Cuda) -> str:
    name = case.wheel.name
    exempt = f"If it does without CUDA on the target: [packages.{name}] cuda = false"
    if case.origin == "built":
        return f"Let it be built with the target's toolkit: [packages.{name}] cuda = true. {exempt}"
    return f"Lock a version of it, or of what requires it, for CUDA {wanted.major}. {exempt}"


def check_gpus(case: Case) -> Iterator[Finding]:
    """It has code that the target's GPUs run, if it has any for GPUs at all."""
    wanted = case.target.cuda
    files = [binary for binary in case.binaries if binary.gpu]
    if wanted is None or case.any_cuda or not files:
        return
    codes = {code for binary in files for code in binary.gpu}
    lacking = _lacking(codes, wanted)
    if lacking:
        yield case.find(
            "gpu-code",
            _told(codes, lacking) + and_others(files),
            member=files[0].member,
            level=_level(case, lacking, wanted),
            hint=_other_gpus(case, lacking),
        )
    elif case.origin == "built":
        for binary in files:
            if lacking := _lacking(binary.gpu, wanted):
                message = f"{_told(binary.gpu, lacking)}; only other files of the wheel have more"
                yield case.find(
                    *("gpu-code", message),
                    member=binary.member,
                    level="warning",
                    hint=_other_gpus(case, lacking),
                )


def _lacking(codes: Iterable[str], wanted: cuda.Cuda) -> list[str]:
    """Those of the target's GPUs that run none of *codes*."""
    known = set(codes)
    return [
        arch
        for arch in wanted.arches
        if not any(runs_on(code, cuda.split(arch)[0]) for code in known)
    ]


def _told(codes: Iterable[str], lacking: list[str]) -> str:
    return (
        f"has GPU code for {listed(sorted(codes, key=order))}, none of which the target's GPUs of "
        f"compute capability {listed(lacking)} run"
    )


def _level(case: Case, lacking: list[str], wanted: cuda.Cuda) -> Level:
    """How bad it is that the GPUs *lacking* have no code.

    Our own wheels must serve all that the target says. A published one has to serve any; but of
    NVIDIA's libraries some are only used on GPUs that can do what they are for (cuSPARSELt), and
    packages that need them work on others, too.
    """
    if case.origin == "built":
        return "error"
    names = (name for binary in case.binaries for name in names_of(binary))
    libraries = (library for name in names if (library := cuda.library(name)))
    is_nvidias = any(_published_for(case, library) for library in libraries)
    return "warning" if is_nvidias or len(lacking) < len(wanted.arches) else "error"


def _other_gpus(case: Case, lacking: list[str]) -> str:
    name = case.wheel.name
    exempt = f"If it is not used on these GPUs: [packages.{name}] cuda = false."
    options = " ".join(f"-gencode=arch=compute_{each},code=sm_{each}" for each in lacking)
    own = (
        "Its build chooses GPUs itself: tell it which by its own switch; or, where it calls nvcc, "
        f'have that make their code, too: [packages.{name}.env] NVCC_APPEND_FLAGS = "{options}".'
    )
    return f"{case.way_out(own)} {exempt}"
