"""Groups 15 and 17: builds that take all there is; each is held, and told what it was."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import refused, succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faults.world import Finished, World

#: Seconds that a build may live on after its deadline.
GRACE = 10.0

#: Bytes of a log's limit that our own words in it may exceed.
WORDS = 1024


def built(world: World, code: str, limits: str, *others: ProjectSdist) -> Finished:
    """What comes of a build with *code* in its backend within *limits*."""
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="evil", extra=code), *others)
        names = ["evil", *(each.name for each in others)]
        world.configure("\n".join(names) + "\n", index=index.url, more=f"[limits]\n{limits}\n")
        return world.build()


def _case(
    group: int,
    name: str,
    code: str,
    limits: str,
    *words: str,
    unless: str = "",
    everyday: bool = False,
    also: Callable[[World, Finished], None] = lambda world, done: None,
) -> Case:
    """A build that fails, and of which *words* are told, and not *unless*."""

    def attempt(world: World) -> None:
        world.plant()
        before = set(world.store.glob("logs/*"))
        done = refused(built(world, code, limits), 4, "evil 1.0 cannot be built", *words)
        assert not unless or unless not in done.said, done.said
        _logs_are_bounded(world, before)
        also(world, done)

    return Case(group=group, name=name, attempt=attempt, everyday=everyday)


def _logs_are_bounded(world: World, before: set[Path]) -> None:
    for log in set(world.store.glob("logs/*")) - before:
        assert log.stat().st_size <= (64 << 20) + WORDS, log


def _ends_in_time(seconds: float) -> Callable[[World, Finished], None]:
    def check(world: World, done: Finished) -> None:
        after = _seconds_of_failure(done) - seconds
        world.figures.sample("seconds from a deadline to the end of its build", max(0.0, after))
        assert after < GRACE, done.said

    return check


def _seconds_of_failure(done: Finished) -> float:
    """As the run itself tells: ``FAILED evil after 6.2 s``; images may be made before."""
    line = next(line for line in done.said.splitlines() if "FAILED evil after" in line)
    return float(line.partition(" after ")[2].partition(" s")[0])


def before(code: str) -> str:
    """A backend that does *code* before it builds."""
    return "def before_build(directory):\n" + textwrap.indent(textwrap.dedent(code), "    ")


def after(code: str) -> str:
    """A backend that does *code* after it has built."""
    return "def after_build(directory, filename):\n" + textwrap.indent(
        textwrap.dedent(code), "    "
    )


# -- time ----------------------------------------------------------------------------------------

DEADLINE = 'deadline = "5s"'
LATE = ("did not end within 5 s", "raise `deadline` under [limits]", 'deadline = "10s"')

ENDLESS = before("while True: pass")

DAEMON = before("""
    import signal, subprocess, time
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    time.sleep(1)
    time.sleep(600)
""")

# -- processes -----------------------------------------------------------------------------------

PROCESSES = "processes = 64"
CROWDED = ("could not start another process (limit: 64)", "raise `processes`", "processes = 128")

BOMB = before("while True: os.fork()")

PATIENT_BOMB = before("""
    import time
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.1)
""")

# -- memory --------------------------------------------------------------------------------------

MEMORY = 'memory = "384MiB"'
FULL = (
    "evil 1.0 cannot be built: the build ran out of memory",
    "(limit: 384MiB)",
    "raise `memory` under [limits]",
    'memory = "768MiB"',
    "also with nothing beside it and one CPU",
)

HUNGRY = before("bytearray(900 << 20)")

HUNGRY_CHILD = "import subprocess\nsubprocess.run([sys.executable, '-c', 'bytearray(900 << 20)'])"

#: Its compiler is killed, and it makes a wheel of what it has all the same.
SWALLOWS = before(HUNGRY_CHILD)

#: Its compiler is killed, and it ends with the status of an ordinary error.
FAILS_LATER = before(f"{HUNGRY_CHILD}\nsys.exit(1)")

#: Everything is killed, the one that speaks for the build too.
KILLS_ALL = before("""
    import signal
    held = bytearray(200 << 20)
    children = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            open("/proc/%d/oom_score_adj" % pid, "w").write("1000" if pid != os.getpid() else "0")
        except (OSError, PermissionError):
            pass
    bytearray(900 << 20)
""")

THRIFTY = before("""
    jobs = int(os.environ["MAX_JOBS"])
    print("jobs:", jobs, flush=True)
    bytearray((300 << 20) * jobs)
""")

# -- disk ----------------------------------------------------------------------------------------

DISK = (
    "the disk of the build's container is full",
    "(limit: 384MiB)",
    "raise `memory` under [limits]",
    'memory = "768MiB"',
)

WRITES = """
    with open({place!r}, "wb") as file:
        for _ in range(10 << 10):
            file.write(bytes(1 << 20))
"""

# -- output --------------------------------------------------------------------------------------

FLOOD = before("""
    line = b"x" * 1023 + b"\\n"
    for _ in range(300):
        sys.stdout.buffer.write(line * 1024)
    sys.stdout.buffer.write(b"error: the real cause\\n")
    sys.stdout.flush()
    sys.exit(1)
""")

LONG_LINE = before("""
    for _ in range(100):
        sys.stdout.buffer.write(b"y" * (1 << 20))
    sys.stdout.flush()
    sys.exit(1)
""")


def _flood_is_told(world: World, done: Finished) -> None:
    (log,) = [path for path in world.store.glob("logs/*-evil-*") if path.stat().st_size > 1 << 19]
    text = log.read_text("utf-8", "replace")
    assert log.stat().st_size <= (1 << 20) + WORDS, log.stat().st_size
    assert text.rstrip().splitlines()[-1].startswith("wheelhouse: "), text[-300:]
    assert "`output` under [limits]" in text.rstrip().splitlines()[-1]


def _one_retry_alone(world: World) -> None:
    """What does not fit with two jobs at a time does with one, and nothing runs beside it."""
    slow = before("import time; time.sleep(4)")
    beside = ProjectSdist(name="beside", extra=slow)
    done = succeeded(built(world, THRIFTY, MEMORY, beside))
    assert "evil ran out of memory" in done.said, done.said
    lines = done.said.splitlines()
    ended = next(number for number, line in enumerate(lines) if "beside built" in line)
    assert "evil built" in "\n".join(lines[ended:]), "it waits for the other"


def _cpus_and_zombies(world: World) -> None:
    code = before("""
        quota = open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") if os.path.exists(
            "/sys/fs/cgroup/cpu/cpu.cfs_quota_us") else open("/sys/fs/cgroup/cpu.max")
        assert quota.read().split()[0] == "50000", "half of a CPU"
        assert os.environ["MAX_JOBS"] == "1"
        for _ in range(200):
            if os.fork() == 0:
                os.fork()
                os._exit(0)
            os.wait()
    """)
    succeeded(built(world, code, "cpus = 0.5\nprocesses = 64"))


CASES = [
    _case(15, "never ends", ENDLESS, DEADLINE, *LATE, also=_ends_in_time(5)),
    _case(
        *(15, "ignores every signal and daemonizes", DAEMON, DEADLINE, *LATE),
        also=_ends_in_time(5),
        everyday=True,
    ),
    _case(15, "forks without end", BOMB, PROCESSES, *CROWDED, everyday=True),
    _case(
        *(15, "forks without end, and never ends", PATIENT_BOMB, f"{PROCESSES}\n{DEADLINE}"),
        *CROWDED,
        "then did not end within 5 s",
        also=_ends_in_time(5),
    ),
    *(
        _case(15, f"writes 10 GB to {place}", before(WRITES.format(place=place)), MEMORY, *DISK)
        for place in ("/build/tmp/big", "/tmp/big")
    ),
    _case(
        *(15, "sends a wheel that is larger than its limit"),
        after("os.truncate(directory + '/' + filename, 2 << 20)"),
        *('result = "1MiB"', "has 2,097,152 bytes, more than the limit of 1,048,576"),
        *("raise `result` under [limits]", 'result = "2MiB"'),
    ),
    _case(
        *(15, "prints 300 MB", FLOOD, 'output = "1MiB"', "the real cause"),
        also=_flood_is_told,
        everyday=True,
    ),
    _case(15, "prints a line of 100 MB", LONG_LINE, 'output = "64MiB"', "exit status 1"),
    Case(group=15, name="half a CPU, and hundreds of orphans", attempt=_cpus_and_zombies),
    _case(17, "runs out of memory itself", HUNGRY, MEMORY, *FULL),
    _case(
        *(17, "its compiler is killed for memory, and it goes on", SWALLOWS, MEMORY, *FULL),
        "which killed a part of it, though it went on",
        everyday=True,
    ),
    _case(17, "its compiler is killed for memory, and it fails later", FAILS_LATER, MEMORY, *FULL),
    _case(17, "all of it is killed for memory", KILLS_ALL, MEMORY, *FULL),
    Case(group=17, name="one retry alone", attempt=_one_retry_alone),
]
