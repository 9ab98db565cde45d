"""A build that sees another clock and other CPUs than there are: what differs then is no accident.

A container shares its kernel's clock, so a small library is loaded into every program of the build
before its own. Programs that are linked statically load none, and times of files stay true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: The clock of the day as the kernel has it, some seconds ahead; and a number of CPUs. Deadlines by
#: that clock go back to the kernel's: Pythons before 3.11 wait with one for locks.
LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(time_t) == sizeof(long), "a 64-bit system");

int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, id, now);
    if (!result && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += AHEAD;
    return result;
}

time_t time(time_t *told)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told)
        *told = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *told, void *zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now))
        return -1;
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int sem_timedwait(sem_t *semaphore, const struct timespec *deadline)
{
    static int (*original)(sem_t *, const struct timespec *);
    struct timespec kernel = *deadline;
    if (!original)
        *(void **)&original = dlsym(RTLD_NEXT, "sem_timedwait");
    kernel.tv_sec -= AHEAD;
    return original(semaphore, &kernel);
}

#ifdef CPUS
int get_nprocs(void) { return CPUS; }
int get_nprocs_conf(void) { return CPUS; }

long sysconf(int name)
{
    static long (*original)(int);
    if (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF)
        return CPUS;
    if (!original)
        *(void **)&original = dlsym(RTLD_NEXT, "sysconf");
    return original(name);
}
#endif
"""

#: What the target's Python tells to find out whether it works.
SEEN = "import os, time; print(time.time(), os.cpu_count())"


def apply(
    wanted: Mapping[str, Any] | None, root: str, python: str, variables: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """What to add to the environment *variables* of a build, and what *python* sees by that.

    *wanted* has ``ahead``, seconds of the clock, and ``cpus``; or is None. What is seen are
    ``clock`` and ``CPU count``: none, where no library can be made or loaded.
    """
    if wanted is None:
        return {}, []
    library = _make(root, int(wanted["ahead"]), int(wanted["cpus"]), variables)
    if library is None:
        return {}, []
    more = {"LD_PRELOAD": library}
    seen = _seen(python, {**variables, **more})
    if seen is None:
        return {}, []
    varied = []
    if abs(seen[0] - time.time()) > abs(wanted["ahead"]) / 2:
        varied.append("clock")
    if seen[1] != os.cpu_count():
        varied.append("CPU count")
    return more, varied


def _make(root: str, ahead: int, cpus: int, variables: Mapping[str, str]) -> str | None:
    """The path of the library, made by the build's own compiler; None if there is none."""
    path = variables["PATH"]
    found = (shutil.which(each, path=path) for each in ("cc", "gcc", "clang"))
    compiler = next(filter(None, found), None)
    if compiler is None:
        return None
    folder = os.path.join(root, "otherwise")
    os.makedirs(folder)
    source, library = os.path.join(folder, "otherwise.c"), os.path.join(folder, "otherwise.so")
    with open(source, "w", encoding="utf-8") as file:
        file.write(LIBRARY)
    done = subprocess.run(
        [
            *(compiler, "-shared", "-fPIC", "-O1", f"-DAHEAD={ahead}L", f"-DCPUS={cpus}"),
            *("-o", library, source, "-ldl"),
        ],
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
        check=False,
    )
    return None if done.returncode else library


def _seen(python: str, variables: Mapping[str, str]) -> tuple[float, int] | None:
    done = subprocess.run(
        [python, "-I", "-S", "-c", SEEN],
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    clock, cpus = done.stdout.split()
    return float(clock), int(cpus)
