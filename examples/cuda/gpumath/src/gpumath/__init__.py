"""Kernels for NVIDIA's GPUs, on whatever has float32 in a buffer: `array("f")`, NumPy's arrays.

A function here blocks until its result is there; other threads run meanwhile. The GPU is the first
one that `CUDA_VISIBLE_DEVICES` leaves. Importing this needs neither a GPU nor a driver.
"""

from __future__ import annotations

from typing import NamedTuple

from gpumath import _native
from gpumath._native import CudaError, device_count, dot, matmul, saxpy

__all__ = [
    "CudaError",
    "Device",
    "device_count",
    "devices",
    "dot",
    "driver_version",
    "matmul",
    "runtime_version",
    "saxpy",
]


class Device(NamedTuple):
    """A GPU: *capability* is (9, 0) for a H100, *memory* is in bytes."""

    name: str
    capability: tuple[int, int]
    memory: int


def devices() -> list[Device]:
    """The GPUs of this machine, in CUDA's order.

    :raises CudaError: the driver is too old for this CUDA, or fails.
    """
    found = (_native.device(index) for index in range(device_count()))
    return [Device(name, (major, minor), memory) for name, major, minor, memory in found]


def runtime_version() -> tuple[int, int]:
    """CUDA of the run time that was loaded: (13, 2)."""
    return _pair(_native.versions()[0])


def driver_version() -> tuple[int, int] | None:
    """The newest CUDA that the driver knows; None without a driver."""
    version = _native.versions()[1]
    return _pair(version) if version else None


def _pair(version: int) -> tuple[int, int]:
    return version // 1000, version % 1000 // 10
