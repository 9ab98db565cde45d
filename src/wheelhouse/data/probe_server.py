#!/usr/bin/env python3
"""Tells wheelhouse what wheels must be like to run here. Prints JSON, and changes nothing.

Run it on the server, with the very Python, or the one of the virtual environment, that is to use
the wheels:

    python3 probe.py > web.json

It needs that Python (3.6 or later) and nothing else: no network, no root. It prints versions of
the system and of Python, and the names of shared libraries: no host name, no user, no environment
variable. Read it before you take it away; the one path in it is the interpreter's.
"""

import glob
import json
import os
import platform
import re
import shlex
import struct
import subprocess
import sys
import sysconfig

FORMAT = 1

#: Class, byte order and machine: where an ELF header has them, and how many bytes they are.
IDENTITY = ((4, 2), (18, 2))

LIBRARY = re.compile(r"[A-Za-z0-9_.+-]+\.so[A-Za-z0-9_.+-]*")
PIP = re.compile(r"pip-([0-9][^-]*)\.(dist|egg)-info")


def probe():
    # type: () -> dict[str, object]
    """All that there is to tell."""
    libraries = known_libraries()
    return {
        "format": FORMAT,
        "python": python(),
        "environment": environment(),
        "libc": libc(),
        "libstdcxx": libstdcxx(libraries.get("libstdc++.so.6")),
        "os_release": os_release(),
        "libraries": sorted(libraries),
    }


# -- Python ---------------------------------------------------------------------------------------


def python():
    # type: () -> dict[str, object]
    """The interpreter, beyond what its environment says, and the pip that is going to install."""
    return {
        "abi": sysconfig.get_config_var("SOABI") or "",
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "bits": struct.calcsize("P") * 8,
        "executable": base_executable(),
        "pip": pip_version(),
    }


def is_virtual():
    # type: () -> bool
    """Whether this is the Python of a virtual environment."""
    return sys.prefix != sys.base_prefix


def base_executable():
    # type: () -> str
    """The interpreter that this one is, or that its virtual environment was made with."""
    path = getattr(sys, "_base_executable", None) or sys.executable
    if is_virtual() and path == sys.executable:  # before 3.8, or not told
        path = os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2])
    return os.path.realpath(path)


def pip_version():
    # type: () -> str | None
    """The virtual environment's own pip; elsewhere the one that a new environment would get."""
    found = (installed_pip, bundled_pip) if is_virtual() else (bundled_pip, installed_pip)
    return found[0]() or found[1]()


def installed_pip():
    # type: () -> str | None
    """From the name of its metadata's folder: importing it would take a while."""
    for folder in [sysconfig.get_path("purelib"), *sys.path]:
        for name in listed(folder):
            found = PIP.match(name)
            if found:
                return found.group(1)
    return None


def bundled_pip():
    # type: () -> str | None
    """What `ensurepip` installs; Debian keeps that in a folder of its own."""
    try:
        import ensurepip

        return ensurepip.version()
    except Exception:
        wheels = [name for name in listed("/usr/share/python-wheels") if name.startswith("pip-")]
        return wheels[0].split("-")[1] if wheels else None


def environment():
    # type: () -> dict[str, str]
    """The variables of environment markers.

    The kernel's release and version say nothing about what can be installed, and much about the
    machine.
    """
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": implementation_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": "",
        "platform_system": platform.system(),
        "platform_version": "",
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def implementation_version():
    # type: () -> str
    """As PEP 508 has it: ``3.11.2``, ``3.15.0b1``."""
    info = sys.implementation.version
    version = "%d.%d.%d" % info[:3]
    return version if info[3] == "final" else version + info[3][0] + str(info[4])


# -- The system -----------------------------------------------------------------------------------


def libc():
    # type: () -> str | None
    """``glibc 2.34`` or ``musl 1.2.5``; None for a C library that wheels know nothing of."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        pass
    for loader in glob.glob("/lib/ld-musl-*.so.1"):
        said = run([loader])[1]
        found = re.search(r"^musl .*\nVersion ([0-9.]+)", said)
        if found:
            return "musl " + found.group(1)
    return None


def os_release():
    # type: () -> dict[str, str]
    """Which distribution this is, as os-release(5) says."""
    wanted = ("ID", "ID_LIKE", "VERSION_ID", "PRETTY_NAME")
    found = {}
    for line in (read("/etc/os-release") or read("/usr/lib/os-release")).splitlines():
        name, _, value = line.decode("utf-8", "replace").strip().partition("=")
        if name in wanted:
            try:
                found[name.lower()] = "".join(shlex.split(value))
            except ValueError:
                continue
    return found


def libstdcxx(path):
    # type: (str | None) -> dict[str, str] | None
    """The highest symbol versions of the C++ library, read from its file; None if it has none."""
    data = read(path) if path else b""
    versions = {name: highest(data, name) for name in ("GLIBCXX", "CXXABI")}
    if not all(versions.values()):
        return None
    return {name.lower(): version or "" for name, version in versions.items()}


def highest(data, name):
    # type: (bytes, str) -> str | None
    found = set(re.findall(rb"\0" + name.encode() + rb"_([0-9]+(?:\.[0-9]+)+)(?=\0)", data))
    numbers = [tuple(int(part) for part in version.decode().split(".")) for version in found]
    return ".".join(map(str, max(numbers))) if numbers else None


def known_libraries():
    # type: () -> dict[str, str]
    """The shared libraries that the loader finds by name, for this Python's machine: their paths.

    From the loader's cache; where it keeps none, as musl's does, from the folders it looks in.
    """
    found = {}
    own = identity("/proc/self/exe") or identity(sys.executable)
    for name, path in cached_libraries() or libraries_in_folders():
        if LIBRARY.fullmatch(name) and name not in found and identity(path) == own != b"":
            found[name] = path
    return found


def cached_libraries():
    # type: () -> list[tuple[str, str]]
    for ldconfig in ("/sbin/ldconfig", "/usr/sbin/ldconfig"):
        said = run([ldconfig, "-p"])[0]
        entries = re.findall(r"^\s+(\S+) \(.*\) => (/.+)$", said, re.MULTILINE)
        if entries:
            return entries
    return []


def libraries_in_folders():
    # type: () -> list[tuple[str, str]]
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    folders = ["/lib64", "/usr/lib64", "/lib/" + triplet, "/usr/lib/" + triplet]
    folders += ["/lib", "/usr/local/lib", "/usr/lib"]
    for file in glob.glob("/etc/ld-musl-*.path"):
        folders += re.split(r"[:\n]", read(file).decode("utf-8", "replace"))
    return [(name, os.path.join(folder, name)) for folder in folders for name in listed(folder)]


def identity(path):
    # type: (str) -> bytes
    """What two files that one process can load have in common; empty if it is no ELF file."""
    header = read(path, 20)
    if header[:4] != b"\x7fELF":
        return b""
    return b"".join(header[start : start + size] for start, size in IDENTITY)


def listed(folder):
    # type: (str) -> list[str]
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def read(path, size=-1):
    # type: (str, int) -> bytes
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def run(command):
    # type: (list[str]) -> tuple[str, str]
    """What *command* says on its two outputs; nothing if there is no such program."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C"},
        )
        out, err = process.communicate()
    except OSError:
        return "", ""
    return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


if __name__ == "__main__":
    json.dump(probe(), sys.stdout, indent=1)
    print()
