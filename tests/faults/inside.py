"""What a build can reach, found out from inside one: this file becomes a part of its backend."""

import ctypes
import glob
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from typing import Any

#: A port of the machine outside; whoever appends this file to a backend says which.
PORT = 0

#: What takes a right that a build does not have (numbers are those of x86-64).
SYSCALLS_WITHOUT_RIGHT: dict[str, Callable[[Any], int]] = {
    "mount": lambda c: c.mount(b"x", b"/build", b"tmpfs", 0, None),
    "unshare a user namespace": lambda c: c.unshare(0x10000000),
    "unshare a network": lambda c: c.unshare(0x40000000),
    "chroot": lambda c: c.chroot(b"/build"),
    "swapon": lambda c: c.swapon(b"/build/x", 0),
    "sethostname": lambda c: c.sethostname(b"x", 1),
    "setuid to root": lambda c: c.setuid(0),
    "setgid to root": lambda c: c.setgid(0),
    "trace process 1": lambda c: c.ptrace(16, 1, 0, 0),
    "a raw socket": lambda c: c.socket(17, 3, 0x300),
    "keyctl": lambda c: c.syscall(250, 0, 0, 0, 0, 0),
    "bpf": lambda c: c.syscall(321, 0, 0, 0),
    "perf_event_open": lambda c: c.syscall(298, 0, 0, -1, -1, 0),
}


def can_call() -> list[str]:
    library = ctypes.CDLL(None, use_errno=True)
    return [name for name, call in SYSCALLS_WITHOUT_RIGHT.items() if call(library) >= 0]


def writable_folders() -> list[str]:
    """The top-most folders in which a file can be made; processes and devices are not looked at."""
    found: list[str] = []
    for place, folders, _ in os.walk("/"):
        if re.match(r"/(proc|sys)(/|$)", place):
            folders.clear()
            continue
        path = os.path.join(place, ".wheelhouse-probe")
        try:
            with open(path, "x"):
                pass
            os.unlink(path)
        except OSError:
            continue
        found.append(place)
        folders.clear()
    return found


def writable_kernel_files() -> list[str]:
    """Files of the kernel that are not of a process and can be opened for writing."""
    top = [path for path in glob.glob("/proc/*") if os.path.isfile(path)]
    return [path for path in [*top, *below("/proc/sys", "/sys")] if opens(path, os.O_WRONLY)]


def below(*places: str) -> list[str]:
    """All that is no folder and no link below *places*, links not followed."""
    walks = [walk for place in places for walk in os.walk(place)]
    paths = [os.path.join(folder, name) for folder, _, names in walks for name in names]
    return [path for path in paths if not os.path.islink(path)]


def opens(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def of_process_1() -> list[str]:
    """What of process 1, and of the one that starts builds, can be opened."""
    names = ("environ", "mem", "maps", "fd/0", "fd/1", "root/etc/passwd", "cwd/etc/passwd")
    return [
        path
        for pid in (1, agent())
        for name in names
        if opens(path := f"/proc/{pid}/{name}", os.O_RDONLY)
    ]


def agent() -> int:
    """The child of process 1 that this process comes from."""
    pid = os.getpid()
    while (parent := parent_of(pid)) != 1:
        pid = parent
    return pid


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def survives_signals() -> bool:
    """Whether process 1 is there after all signals that it can be sent."""
    for number in signal.valid_signals() - {signal.SIGCHLD}:
        try:
            os.kill(1, number)
        except OSError:
            pass
    time.sleep(0.3)
    return os.path.exists("/proc/1")


def effective_user_by_setuid_programs() -> list[str]:
    """The users that the image's setuid programs would run as, by a copy of our own too."""
    found = set()
    for path in glob.glob("/usr/bin/*") + glob.glob("/usr/sbin/*"):
        if os.path.isfile(path) and os.stat(path).st_mode & stat.S_ISUID:
            found.add(path)
    return sorted(found)


def identity_after_su() -> str:
    done = subprocess.run(["su", "-c", "id -u"], input=b"", capture_output=True, check=False)
    return done.stdout.decode().strip()


def reaches(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def files_of_people() -> list[str]:
    folders = ("/root", "/home", "/mnt", "/media", "/host", "/work", "/srv")
    return [path for path in below(*folders) if path not in ("/root/.bashrc", "/root/.profile")]


def everything_readable(limit: int = 1 << 20) -> str:
    """The text of what secrets would be in: environments, homes, settings of tools."""
    patterns = (
        "/proc/*/environ",
        "/proc/*/cmdline",
        "/root/.*",
        "/etc/*rc",
        "/etc/pip*",
        "/run/**",
    )
    own = [os.path.expanduser(f"~/{name}") for name in (".pypirc", ".netrc", ".docker/config.json")]
    text = json.dumps(dict(os.environ))
    for path in [*own, *below("/run"), *(p for each in patterns for p in glob.glob(each))]:
        try:
            with open(path, "rb") as file:
                text += file.read(limit).decode("utf-8", "replace")
        except OSError:
            continue
    return text


def dumps_core() -> bool:
    pid = os.fork()
    if not pid:
        os.abort()
    return os.WCOREDUMP(os.waitpid(pid, 0)[1])


def buries_orphans(number: int) -> bool:
    """Whether *number* orphans can come and go, one after the other, more than may be at once."""
    for _ in range(number):
        middle = os.fork()
        if not middle:
            os.fork()
            os._exit(0)
        os.waitpid(middle, 0)
    return True


def look(port: int) -> dict[str, Any]:
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file if ":" in line)
    with open("/proc/self/mounts") as file:
        mounts = {line.split()[1]: line.split()[3].split(",") for line in file}
    return {
        "interfaces": os.listdir("/sys/class/net"),
        "reached": [
            address
            for address in ("127.0.0.1", "172.17.0.1", "169.254.169.254", "1.1.1.1")
            if reaches((address, port))
        ],
        "uid": [os.getuid(), os.getgid(), *os.getgroups()],
        "capabilities": {key: int(status[key], 16) for key in ("CapEff", "CapPrm", "CapInh")},
        "no new privileges": status["NoNewPrivs"].strip(),
        "seccomp": status["Seccomp"].strip(),
        "writable folders": sorted(writable_folders()),
        "writable kernel files": writable_kernel_files(),
        "root": mounts["/"],
        "build": mounts["/build"],
        "shared memory": mounts["/dev/shm"],
        "sockets": [
            path
            for path in below("/run", "/tmp", "/var", "/build")
            if stat.S_ISSOCK(os.lstat(path).st_mode)
        ],
        "devices": sorted(
            path
            for path in glob.glob("/dev/*")
            if stat.S_ISBLK(os.lstat(path).st_mode)
            or path in ("/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/kvm", "/dev/net")
        ),
        "process 1": of_process_1(),
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "calls": can_call(),
        "setuid programs": len(effective_user_by_setuid_programs()),
        "su": identity_after_su(),
        "files": files_of_people(),
        "readable": everything_readable(),
        "core": dumps_core(),
        "orphans": buries_orphans(700),
        "survives": survives_signals(),
    }


def before_build(directory: str) -> None:
    print("FOUND " + json.dumps(look(PORT)), flush=True)
