"""Environment variables of builds for CUDA. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from wheelhouse.cuda import build_environment, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelhouse.cuda import Cuda

#: Read by the `nvcc` that ``images/cuda-nvcc.sh`` is.
ARCHITECTURES = "WHEELHOUSE_NVCC_ARCHITECTURES"

#: The oldest release whose nvcc is known to have the option.
_HAS_OBJTEMP = Version("11.8")


def cuda_variables(cuda: Cuda) -> dict[str, str]:
    """What tells build tools the toolkit and the GPUs to build for, and nvcc to do so repeatably.

    *cuda* is what is built with, which may be older than what the target runs.

    nvcc names intermediate files after its process, and the objects that come of them keep that
    name. Beside the object, they are called after it.
    """
    found = build_environment(cuda)
    if cuda.version >= _HAS_OBJTEMP:
        found["NVCC_PREPEND_FLAGS"] = "-objtemp"
    if cuda.arches:
        found[ARCHITECTURES] = " ".join(_generate_code(cuda.arches))
    return found


def _generate_code(arches: Iterable[str]) -> Iterator[str]:
    """nvcc's options for code that runs on *arches*, and as PTX on what is newer than all."""
    *others, newest = sorted(arches, key=split)
    for arch in others:
        yield f"-gencode=arch=compute_{arch},code=sm_{arch}"
    only = split(newest)[1]
    code = f"sm_{newest}" if only else f"[sm_{newest},compute_{newest}]"
    yield f"-gencode=arch=compute_{newest},code={code}"
