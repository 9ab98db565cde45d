"""`python -m gpumath`: whether this machine's GPU computes what it should.

Exit status 0: it does. 1: it does not, or CUDA fails. 77: there is no GPU to ask.
"""

from __future__ import annotations

import sys

import gpumath
from gpumath.selfcheck import checks

NO_GPU = 77


def main() -> int:
    print(f"gpumath: CUDA {_dotted(gpumath.runtime_version())}, driver: {_driver()}")
    try:
        found = gpumath.devices()
        for index, device in enumerate(found):
            print(f"GPU {index}: {device.name}, {_dotted(device.capability)}, {_size(device)}")
        return _compute() if found else _without_gpu()
    except gpumath.CudaError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1


def _compute() -> int:
    wrong = 0
    for check in checks(gpumath):
        print(check)
        wrong += check.wrong is not None
    if wrong:
        print(f"FAILED: the GPU computed {wrong} of these wrongly", file=sys.stderr)
        return 1
    print("GPU 0 computes what it should")
    return 0


def _without_gpu() -> int:
    print("NOT CHECKED: there is no GPU here that the driver shows", file=sys.stderr)
    return NO_GPU


def _driver() -> str:
    version = gpumath.driver_version()
    return f"up to CUDA {_dotted(version)}" if version else "none"


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _size(device: gpumath.Device) -> str:
    return f"{device.memory / 2**30:.0f} GiB"


if __name__ == "__main__":
    sys.exit(main())
