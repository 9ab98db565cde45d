"""What other tools do with the bad wheels, for the figures beside ours.

They live in an environment of their own, in the user's cache, and each wheel is handed to each as
its user would: pip and uv install it into an empty folder, `installer` into an empty environment,
`check-wheel-contents` looks at it. A tool that ends without an error has let it through.

What they install goes below a folder of this module's, so deep that a path which leads up a few
steps stays in it, and the absolute paths of the bad wheels lead there, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from filelock import FileLock
from platformdirs import user_cache_path

from faults.badwheels import GOOD, BadWheel, families, plain

if TYPE_CHECKING:
    from pathlib import Path

REQUIRES = ("check-wheel-contents==0.6.3", "installer==1.1.0", "pip==26.3", "uv==0.13.8")

#: Seconds that a tool has for one wheel; one that takes longer has let it through.
PATIENCE = 30

WORKERS = 2


def environment() -> Path:
    """The folder of the environment with the tools, made where there is none yet."""
    key = hashlib.sha256("\n".join((sys.version, *REQUIRES)).encode()).hexdigest()[:16]
    cache = user_cache_path("wheelhouse-tests")
    cache.mkdir(parents=True, exist_ok=True)
    folder, done = cache / f"tools-{key}", cache / f"tools-{key}" / "complete"
    with FileLock(cache / f"tools-{key}.lock"):
        if not done.exists():
            uv = [sys.executable, "-m", "uv"]
            made = [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
            subprocess.run(made, check=True)
            into = [*uv, "pip", "install", "--quiet", "--python", str(folder), *REQUIRES]
            subprocess.run(into, check=True)
            done.touch()
    return folder


#: Runs one tool on many wheels: it reads, line by line, an empty folder, a home and the arguments,
#: and tells 1 for what ended with an error. Each is run by a process of its own, forked from here.
DRIVER = """
import json, os, signal, sys
who, patience = sys.argv[1], int(sys.argv[2])
if who == "pip":
    from pip._internal.cli.main import main
elif who == "installer":
    from installer.__main__ import _main
    main = lambda arguments: _main(arguments, "python -m installer")
else:
    from check_wheel_contents.__main__ import main
for line in sys.stdin:
    place, arguments = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(patience)
        os.chdir(place)
        os.environ["HOME"] = place
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code
        except BaseException:
            status = 1
        os._exit(1 if status else 0)
    _, status = os.waitpid(child, 0)
    late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
    print(0 if late or not status else 1, flush=True)
"""

#: The arguments of each tool, before those that name folder and wheel.
ARGUMENTS = {
    "pip": (
        *("install", "--isolated", "--quiet", "--no-deps", "--no-index", "--no-cache-dir"),
        *("--disable-pip-version-check", "--no-compile", "--target"),
    ),
    "uv": (
        *("pip", "install", "--quiet", "--no-config", "--no-deps", "--no-index", "--no-cache"),
        "--target",
    ),
    "installer": ("--no-compile-bytecode", "--destdir"),
    "check-wheel-contents": ("--no-config",),
}


def judge(folder: Path) -> dict[str, list[bool]]:
    """By tool, of every bad wheel whether the tool refused it. The wheel in order none does.

    Those that would keep a tool busy for long are left out.

    :param folder: an empty one, for all that happens.
    """
    bad = [
        each
        for family in families().values()
        for each in family(str(folder / "outside"))
        if not each.heavy
    ]
    good = BadWheel(family="", name="in order", content=plain(GOOD))
    for number, each in enumerate((good, *bad)):
        (folder / str(number)).mkdir()
        (folder / str(number) / each.filename).write_bytes(each.content)
    names = [each.filename for each in (good, *bad)]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = dict(
            zip(
                ARGUMENTS,
                pool.map(lambda who: _refusals(who, folder, names), ARGUMENTS),
                strict=True,
            )
        )
    assert not any(refused[0] for refused in found.values()), "a tool refuses the wheel in order"
    return {who: refused[1:] for who, refused in found.items()}


def _refusals(who: str, folder: Path, names: list[str]) -> list[bool]:
    orders = []
    for number, name in enumerate(names):
        place = folder / str(number)
        into = [] if who == "check-wheel-contents" else [str(place / who / "a/b/c/d/e/f")]
        orders.append((str(place), [*ARGUMENTS[who], *into, str(place / name)]))
    programs = environment() / "bin"
    if who == "uv":
        python = ["--python", str(programs / "python")]
        return [not _passes([str(programs / "uv"), *order, *python], at) for at, order in orders]
    done = subprocess.run(
        [str(programs / "python"), "-I", "-c", DRIVER, who, str(PATIENCE)],
        input="".join(json.dumps(order) + "\n" for order in orders),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [line == "1" for line in done.stdout.split()]


def _passes(command: list[str], place: str) -> bool:
    """Whether *command* ends without an error, with a home of its own."""
    try:
        done = subprocess.run(
            command,
            cwd=place,
            env={"PATH": os.environ["PATH"], "HOME": place},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode == 0
