"""What this machine has of NVIDIA's: GPUs and their driver; and whether that runs a wheelhouse.

`install.sh` has this file in it, and `wheelhouse doctor --target` imports it, so that both say the
same. It needs Python (3.6 or later) and nothing else, and changes nothing. :func:`look` reads the
machine, :func:`judge` is pure.
"""

import contextlib
import glob
import json
import os
import re
import subprocess
import sys
from typing import NamedTuple, Tuple

#: The driver's library that every program loads which computes.
DRIVER = "libcuda.so.1"

#: Seconds that the driver may take to answer: a machine of many GPUs wakes them one by one.
PATIENCE = 60
#: Seconds for a process that was killed to be gone: one that waits for a driver may never be.
GRACE = 2

#: Of the same major version as 10.0 and 10.3, but of a family of its own.
THOR = 101

#: Who a GPU belongs to that a virtual machine was given.
LENT = ("pci-stub", "pciback", "vfio-pci")
#: Roots of a container's file system.
LAYERED = ("fuse-overlayfs", "overlay")

START = "start it with --gpus all, for which the machine needs the NVIDIA Container Toolkit"

#: What `cuInit` answers, and what is to be done; the driver's API has all of its numbers.
CALLS = {
    34: ("what it loads is the stub for linking", "take the folder of stubs off LD_LIBRARY_PATH"),
    100: ("it shows no GPU", "look at CUDA_VISIBLE_DEVICES, and at what nvidia-smi says"),
    802: ("it is not ready yet", "start NVIDIA's Fabric Manager (nvidia-fabricmanager)"),
    803: (
        "its libraries are of another version than the part of it in the kernel",
        "start the machine anew, or, in a container, start that anew",
    ),
    804: (
        "its libraries are for forward compatibility, which this GPU does not have",
        "take the folder of cuda-compat off LD_LIBRARY_PATH, and upgrade the driver",
    ),
}

#: Run by itself: a library may do anything when it is loaded, and a driver may hang.
ASK = """
import json, sys
found = {"lacking": [], "why": "", "path": "", "cuda": 0, "state": -1, "gpus": [], "done": False}
try:
    import ctypes
except ImportError:  # this Python uses the wheels all the same
    ctypes = None
for soname in sys.argv[1:] if ctypes else ():
    try:
        ctypes.CDLL(soname)
    except OSError as error:
        found["lacking"].append(soname)
        found["why"] = found["why"] or str(error)
if ctypes and "libcuda.so.1" not in found["lacking"]:
    cuda, number = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0)
    with open("/proc/self/maps") as maps:
        paths = [line.rstrip("\\n").split(None, 5)[5] for line in maps if "/libcuda.so" in line]
    found["path"] = paths[0] if paths else ""
    cuda.cuDriverGetVersion(ctypes.byref(number))
    found["cuda"] = number.value
    sys.stdout.write(json.dumps(found) + "\\n")
    sys.stdout.flush()
    found["state"] = cuda.cuInit(0)
    if found["state"] == 0:
        cuda.cuDeviceGetCount(ctypes.byref(number))
        for device in range(number.value):
            name, handle, parts = ctypes.create_string_buffer(256), ctypes.c_int(0), []
            cuda.cuDeviceGet(ctypes.byref(handle), device)
            cuda.cuDeviceGetName(name, 256, handle)
            for attribute in (75, 76):
                cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle)
                parts.append(number.value)
            found["gpus"].append([name.value.decode("utf-8", "replace"), "%d.%d" % tuple(parts)])
found["done"] = True
sys.stdout.write(json.dumps(found) + "\\n")
"""


class Wanted(NamedTuple):
    """What a wheelhouse wants of a machine.

    :ivar cuda: the version of CUDA that it is for, such as ``13.2``.
    :ivar driver: the oldest driver that runs it; empty if that is not known.
    :ivar release_driver: the driver that came with it; empty if that is not known.
    :ivar arches: the compute capabilities that it was built for, such as ``80`` and ``90a``; empty
        if that was left to its packages.
    :ivar makes: those that its CUDA makes code for.
    :ivar libraries: sonames of the driver's libraries that its wheels load.
    """

    cuda: str
    driver: str
    release_driver: str
    arches: Tuple[str, ...]
    makes: Tuple[str, ...]
    libraries: Tuple[str, ...]


class Driver(NamedTuple):
    """What the driver's libraries answer.

    :ivar lacking: those that cannot be loaded.
    :ivar why: what the loader says of the first of them.
    :ivar path: where libcuda is.
    :ivar cuda: the version of CUDA that it is for; empty if it did not say.
    :ivar state: what `cuInit` returned; -1 if it was not asked.
    :ivar gpus: name and compute capability of each GPU.
    :ivar answered: whether all that was in time.
    """

    lacking: Tuple[str, ...] = ()
    why: str = ""
    path: str = ""
    cuda: Tuple[int, ...] = ()
    state: int = -1
    gpus: Tuple[Tuple[str, str], ...] = ()
    answered: bool = True


class Seen(NamedTuple):
    """What there is.

    :ivar kernel: the version of the driver that the kernel has loaded; empty if it has none.
    :ivar given: whether there is a device file of a GPU.
    :ivar built_in: whether the machine has a GPU, and has lent it to no virtual machine.
    :ivar contained: whether this is a container.
    :ivar driver: what the driver's libraries answer.
    """

    kernel: str
    given: bool
    built_in: bool
    contained: bool
    driver: Driver


class Verdict(NamedTuple):
    """One thing that was judged.

    :ivar about: ``driver`` or ``gpu``.
    :ivar level: ``good``; ``absent``: there is no GPU to judge; ``remark``: worth a word;
        ``trouble``: nothing computes here as things are; ``problem``: this driver cannot run it.
    :ivar fix: what to do; empty where nothing is.
    """

    about: str
    level: str
    said: str
    fix: str = ""


# -- looking --------------------------------------------------------------------------------------


def look(libraries, root="/"):
    # type: (Tuple[str, ...], str) -> Seen
    """What this machine has; *libraries* of the driver are looked for.

    *root* is where its files are.
    """
    driver = ask_driver(libraries)
    kernel = driver_in_kernel(root)
    if not kernel and not driver.cuda:
        kernel = driver_by_program()
    return Seen(kernel, is_given(root), is_built_in(root), is_container(root), driver)


def driver_in_kernel(root="/"):
    # type: (str) -> str
    """The version of the driver that the kernel has loaded, such as ``535.183.01``."""
    for line in read(root, "proc/driver/nvidia/version").splitlines():
        found = re.search(r"(?<![\w.])\d{2,}(?:\.\d+)+", line)
        if line.startswith("NVRM version:") and found:
            return found.group()
    return read(root, "sys/module/nvidia/version").strip()


def driver_by_program():
    # type: () -> str
    """The same as nvidia-smi says it, where nothing else does; empty if that does not help."""
    said = run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    found = re.match(r"\d{2,}(?:\.\d+)+", said.strip())
    return found.group() if found else ""


def is_given(root="/"):
    # type: (str) -> bool
    """Whether there is a device file of a GPU; WSL has another."""
    names = ("nvidia[0-9]*", "nvidiactl", "dxg")
    return any(glob.glob(os.path.join(glob.escape(root), "dev", name)) for name in names)


def is_built_in(root="/"):
    # type: (str) -> bool
    """Whether there is a GPU of NVIDIA's on the PCI bus."""
    devices = glob.glob(os.path.join(glob.escape(root), "sys/bus/pci/devices/*"))
    return any(is_gpu(device) for device in devices)


def is_gpu(device):
    # type: (str) -> bool
    owner = os.path.join(device, "driver")
    lent = os.path.islink(owner) and os.path.basename(os.readlink(owner)) in LENT
    is_display = read(device, "class").startswith("0x03")
    return is_display and read(device, "vendor").strip() == "0x10de" and not lent


def is_container(root="/"):
    # type: (str) -> bool
    marks = (".dockerenv", "run/.containerenv")
    if any(os.path.exists(os.path.join(root, mark)) for mark in marks):
        return True
    for line in read(root, "proc/self/mountinfo").splitlines():
        mount, _, file_system = line.partition(" - ")
        if mount.split()[4:5] == ["/"] and file_system.split()[:1] != ["rootfs"]:
            return file_system.split()[0] in LAYERED
    return False


def ask_driver(libraries):
    # type: (Tuple[str, ...]) -> Driver
    """What the driver's *libraries* answer, libcuda among them, in a process of its own."""
    sonames = sorted(set(libraries) | {DRIVER})
    said = run([sys.executable, "-I", "-c", ASK, *sonames])
    answers = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    if not answers:
        return Driver(answered=False)
    found = answers[-1]
    return Driver(
        lacking=tuple(found["lacking"]),
        why=found["why"],
        path=found["path"],
        cuda=(found["cuda"] // 1000, found["cuda"] % 1000 // 10) if found["cuda"] else (),
        state=found["state"],
        gpus=tuple((name, capability) for name, capability in found["gpus"]),
        answered=found["done"],
    )


def run(command):
    # type: (list[str]) -> str
    """What *command* prints, up to its end or until patience ends; empty if it is not there."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return ""
    try:
        out, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as expired:
        process.kill()
        out = expired.output or b""
        with contextlib.suppress(subprocess.TimeoutExpired):
            out, _ = process.communicate(timeout=GRACE)
    return out.decode("utf-8", "replace")


def read(folder, name):
    # type: (str, str) -> str
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


# -- judging --------------------------------------------------------------------------------------


def judge(wanted, seen):
    # type: (Wanted, Seen) -> list[Verdict]
    """Whether what is *seen* runs what is *wanted*, the driver first. Pure."""
    usable = seen.given or bool(seen.driver.gpus)
    if not usable and (seen.contained or not (seen.kernel or seen.built_in)):
        return [absence(wanted, seen)]
    if not usable and not seen.kernel:
        said = "this machine has an NVIDIA GPU, and its kernel no driver of NVIDIA's"
        return [Verdict("driver", "problem", said, "install %s" % driver_for(wanted))]
    lacking = [name for name in wanted.libraries if name in seen.driver.lacking]
    if lacking:
        return [without_libraries(seen, lacking)]
    return [judge_driver(wanted, seen), *judge_gpus(wanted, seen)]


def absence(wanted, seen):
    # type: (Wanted, Seen) -> Verdict
    takes = "where it computes, CUDA %s takes %s" % (wanted.cuda, driver_for(wanted))
    if seen.kernel or seen.built_in:
        said = "this container was given no NVIDIA GPU, though the machine has one; " + takes
        return Verdict("gpu", "absent", said, START)
    said = "there is no NVIDIA GPU here, so no driver was looked at; " + takes
    return Verdict("gpu", "absent", said, "use a machine with a GPU")


def driver_for(wanted):
    # type: (Wanted) -> str
    if wanted.driver:
        return "the NVIDIA driver %s or later" % wanted.driver
    return "an NVIDIA driver for CUDA %s (which ones was not known yet)" % wanted.cuda


def without_libraries(seen, lacking):
    # type: (Seen, list[str]) -> Verdict
    names, why = ", ".join(lacking), seen.driver.why
    said = "the NVIDIA driver %s is here, and not its %s" % (seen.kernel, names)
    if why and "No such file" not in why:
        said += " (%s)" % why
    if seen.contained:
        fix = START + "; if NVIDIA_DRIVER_CAPABILITIES is set, it has to have compute (and video)"
    else:
        fix = "install the driver's libraries, too: libcuda1 in Debian, libnvidia-compute in Ubuntu"
    return Verdict("driver", "problem", " ".join(said.split()), fix)


def judge_driver(wanted, seen):
    # type: (Wanted, Seen) -> Verdict
    """Whether the driver is new enough: what its library says counts, else its number."""
    cuda, able = numbers(wanted.cuda), seen.driver.cuda
    aged = bool(seen.kernel and wanted.driver) and is_older(seen.kernel, wanted.driver)
    if able and able[:1] < cuda[:1] and seen.kernel and wanted.driver and not aged:
        said = "the NVIDIA driver here is %s, but %s is for CUDA %s" % (
            seen.kernel,
            seen.driver.path,
            dotted(able),
        )
        return Verdict("driver", "problem", said, "take its folder off LD_LIBRARY_PATH")
    if (able and able[:1] < cuda[:1]) or (aged and not able):
        return too_old(wanted, seen)
    if aged:
        said = (
            "%s is older than %s, and %s is for CUDA %s (forward compatibility, which data-center "
            "GPUs alone have)" % (named(seen), wanted.driver, seen.driver.path, dotted(able))
        )
        return Verdict("driver", "remark", said, "upgrade the driver if nothing computes")
    if not able and not (seen.kernel and wanted.driver):
        said = "it cannot be found out whether %s runs CUDA %s" % (named(seen), wanted.cuda)
        return Verdict("driver", "remark", said, "see what nvidia-smi says of its CUDA version")
    if not has_compiler(wanted, seen):
        said = "%s runs CUDA %s, except code that is there as PTX only" % (named(seen), wanted.cuda)
        fix = "upgrade the driver%s" % to(wanted.release_driver)
        return Verdict("driver", "remark", said, fix)
    return Verdict("driver", "good", "%s runs CUDA %s" % (named(seen), wanted.cuda))


def too_old(wanted, seen):
    # type: (Wanted, Seen) -> Verdict
    said = "%s is too old for CUDA %s" % (named(seen), wanted.cuda)
    if wanted.driver:
        said += ", which takes %s or later" % wanted.driver
    fix = "upgrade the driver%s, or build the wheelhouse for an older CUDA" % to(wanted.driver)
    return Verdict("driver", "problem", said, fix)


def to(version):
    # type: (str) -> str
    return " to %s or later" % version if version else ""


def named(seen):
    # type: (Seen) -> str
    """The driver, by what is known of it."""
    able = "for CUDA %s" % dotted(seen.driver.cuda) if seen.driver.cuda else ""
    version = seen.kernel + " (%s)" % able if seen.kernel and able else seen.kernel or able
    return "the NVIDIA driver here, %s," % version if version else "the NVIDIA driver here"


def has_compiler(wanted, seen):
    # type: (Wanted, Seen) -> bool
    """Whether the driver makes code of this CUDA's PTX, for which it must not be older."""
    if seen.driver.cuda:
        return seen.driver.cuda >= numbers(wanted.cuda)
    return not wanted.release_driver or not is_older(seen.kernel, wanted.release_driver)


def judge_gpus(wanted, seen):
    # type: (Wanted, Seen) -> list[Verdict]
    driver = seen.driver
    if not driver.answered:
        said = "the NVIDIA driver did not answer within %d seconds" % PATIENCE
        return [Verdict("gpu", "trouble", said, "look what nvidia-smi and the kernel's log say")]
    if driver.state > 0:
        why, fix = CALLS.get(driver.state, ("it does not start", "look what the kernel's log says"))
        return [Verdict("gpu", "trouble", "the NVIDIA driver: %s (%d)" % (why, driver.state), fix)]
    found = [judge_gpu(wanted, seen, name, has) for name, has in sorted(set(driver.gpus))]
    return found or [
        Verdict("gpu", "remark", "it is not known which GPU is here", "see nvidia-smi")
    ]


def judge_gpu(wanted, seen, name, capability):
    # type: (Wanted, Seen, str, str) -> Verdict
    gpu, here = "%s (compute capability %s)" % (name, capability), numbers(capability)
    if served(wanted.makes, here) == "":
        said = "%s: CUDA %s makes no code for it" % (gpu, wanted.cuda)
        return Verdict("gpu", "remark", said, "use another GPU, or build for another CUDA")
    way = served(wanted.arches or wanted.makes, here)
    if way == "code":
        return Verdict("gpu", "good", gpu)
    if way == "ptx" and has_compiler(wanted, seen):
        return Verdict("gpu", "good", gpu + ", for which the driver makes code of PTX")
    built = "CUDA %s" % wanted.cuda
    if wanted.arches:
        built = "what was built for this wheelhouse"
    said = "%s: %s has code for %s" % (gpu, built, ", ".join(wanted.arches or wanted.makes))
    if way == "ptx":
        fix = "upgrade the driver%s" % to(wanted.release_driver)
        return Verdict("gpu", "remark", said + ", and PTX, for which the driver is too old", fix)
    fix = 'add "%s" to cuda-arch, and build the wheelhouse anew' % capability.replace(".", "")
    return Verdict("gpu", "remark", said, fix)


def served(arches, capability):
    # type: (Tuple[str, ...], Tuple[int, ...]) -> str
    """How code for *arches* runs on a GPU: as ``code``, as ``ptx``, or not at all.

    Code runs on its own GPU and on later ones of that major version; with an f behind it, on those
    of them that are of its family, with an a on its own alone. Of the newest that is neither,
    there is PTX as well.
    """
    here = capability[0] * 10 + capability[1]
    parts = sorted((int(arch.rstrip("af")), arch.lstrip("0123456789")) for arch in arches)
    for number, kind in parts:
        later = number // 10 == here // 10 and number < here
        if number == here or (later and (not kind or (kind == "f" and THOR not in (number, here)))):
            return "code"
    newest, kind = parts[-1]
    return "ptx" if not kind and newest < here else ""


def is_older(version, other):
    # type: (str, str) -> bool
    return numbers(version) < numbers(other)


def numbers(version):
    # type: (str) -> Tuple[int, ...]
    """The numbers that a version begins with: ``595.45.04-0ubuntu1`` is 595, 45, 4."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def dotted(version):
    # type: (Tuple[int, ...]) -> str
    return ".".join(map(str, version))


# -- install.sh -----------------------------------------------------------------------------------


def main(cuda, driver, release_driver, arches, makes, libraries, without, demanded):
    # type: (str, str, str, str, str, str, str, str) -> None
    """For each thing that is wrong, a line with what it is and one with what to do.

    That is a hyphen for what is merely worth a word.
    """
    loaded = tuple(name for name in libraries.split() if name not in without.split())
    code = tuple(arches.split()), tuple(makes.split())
    wanted = Wanted(cuda, driver, release_driver, *code, libraries=loaded)
    for found in judge(wanted, look(wanted.libraries)):
        if found.level == "problem" or (found.level == "absent" and demanded):
            print(found.said, found.fix, sep="\n")
        elif found.level == "absent":
            print(found.said, "-", sep="\n")
        elif found.level != "good":
            print("%s: %s" % (found.said, found.fix), "-", sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
