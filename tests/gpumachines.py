"""Machines with a GPU, made of planted files: what their kernel shows, and a driver's library.

The files are put over those of this machine in a mount namespace, so that what is tested reads the
very paths it reads anywhere. The library is a real one, compiled here, which answers as told.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import pytest

from wheelfactory import compile_library

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: What `/proc/driver/nvidia/version` has been like, by the driver that said so.
VERSION_FILES = {
    "535.183.01": """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
""",
    "595.58.03": """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.58.03  Release Build  \
(dvs-builder@U22-I3-AM02-24-3)  Tue Feb 17 16:34:25 UTC 2026
GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)
""",
    "580.65.06": """\
NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.65.06  Release Build  \
(dvs-builder@U22-I3-AF01-12-2)  Sun Jul 27 06:54:38 UTC 2025
GCC version:  gcc version 11.4.0 (Ubuntu 11.4.0-1ubuntu1~22.04)
""",
    "450.80.02": """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  450.80.02  Wed Sep 23 01:13:39 UTC 2020
GCC version:  gcc version 4.8.5 20150623 (Red Hat 4.8.5-44) (GCC)
""",
    "610.43": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  610.43\n",
}

GPU = {"vendor": "0x10de\n", "class": "0x030200\n"}

#: `cuInit` and what tells the version and the GPUs, as the driver's API declares them.
LIBRARY = r"""
#include <string.h>
#include <unistd.h>
static const char *names[] = {NAMES 0};
static const int capabilities[][2] = {CAPABILITIES {0, 0}};
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuInit(unsigned flags) { if (STATE == 999) sleep(600); return STATE; }
int cuDeviceGetCount(int *count) { *count = sizeof names / sizeof *names - 1; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) {
    strncpy(name, names[device], length); return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = capabilities[device][attribute == 76]; return 0;
}
"""

#: Makes a root of this machine's folders, puts the planted ones over it, and starts a command.
_ENTER = r"""
set -eu
root=$1 planted=$2 cwd=$3
shift 3
mount -t tmpfs tmpfs "$root"
for each in /*; do
    if [ -L "$each" ]; then cp -P "$each" "$root$each"
    elif [ -d "$each" ]; then
        mkdir "$root$each"
        case $each in /dev | /sys) ;; *) mount --rbind "$each" "$root$each" ;; esac
    fi
done
for each in null zero random urandom; do
    : >"$root/dev/$each"
    mount --bind "/dev/$each" "$root/dev/$each"
done
mount -t tmpfs tmpfs "$root/proc/driver"
cp -R -P "$planted/." "$root"
exec chroot "$root" sh -c 'cd "$1" && shift && exec "$@"' sh "$cwd" "$@"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A machine, by the text of each file that it is told apart by."""

    files: Mapping[str, str] = field(default_factory=dict)
    lent: bool = False


def with_driver(version: str, **more: str) -> Machine:
    """One whose kernel has the driver *version*, and has made its device files."""
    return Machine(
        files={
            "proc/driver/nvidia/version": VERSION_FILES[version],
            "dev/nvidiactl": "",
            "dev/nvidia0": "",
            **on_the_bus(),
            **more,
        }
    )


def on_the_bus() -> dict[str, str]:
    """The files of a GPU on the PCI bus, and of a network card."""
    gpu = {f"sys/bus/pci/devices/0000:17:00.0/{name}": text for name, text in GPU.items()}
    other = {"vendor": "0x8086\n", "class": "0x020000\n"}
    return gpu | {f"sys/bus/pci/devices/0000:00:01.0/{name}": text for name, text in other.items()}


def plant(root: Path, machine: Machine) -> Path:
    """Write the files of *machine* below *root*, which is returned."""
    for name, text in machine.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if machine.lent:
        driver = root / "sys/bus/pci/devices/0000:17:00.0/driver"
        driver.symlink_to("../../../../bus/pci/drivers/vfio-pci")
    root.mkdir(exist_ok=True)
    return root


def driver_library(
    folder: Path, cuda: int, *gpus: tuple[str, int, int], state: int = 0
) -> dict[str, str]:
    """The environment in which a driver's library in *folder* is found; it answers as told.

    :param cuda: the version that it is for: 13020 is 13.2.
    :param gpus: name, major and minor compute capability of each.
    :param state: what `cuInit` returns; with 999 it does not return.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = "".join(f'"{name}",' for name, _, _ in gpus)
    capabilities = "".join(f"{{{major},{minor}}}," for _, major, minor in gpus)
    options = {"VERSION": cuda, "STATE": state, "NAMES": names, "CAPABILITIES": capabilities}
    compile_library(
        folder, "libcuda.so.1", LIBRARY, *(f"-D{name}={value}" for name, value in options.items())
    )
    return {"LD_LIBRARY_PATH": str(folder)}


@cache
def _unshare() -> tuple[str, ...] | None:
    """How a mount namespace is made here; None if that is not allowed."""
    for command in (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount")):
        probe = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if shutil.which("unshare") and not subprocess.run(probe, capture_output=True).returncode:
            return command
    return None


def run_on(
    machine: Machine,
    folder: Path,
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run *command* on *machine*; *folder* is for what that takes.

    The test is skipped where no file system may be mounted.
    """
    unshare = _unshare()
    if unshare is None:
        pytest.skip("nothing may be mounted here")
    planted, root = folder / "planted", folder / "root"
    plant(planted, machine)
    root.mkdir(exist_ok=True)
    return subprocess.run(
        [*unshare, "sh", "-c", _ENTER, "sh", str(root), str(planted), str(cwd), *command],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
