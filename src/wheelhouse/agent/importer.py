"""Imports modules, each distribution in a process of its own; run by the proof's new Python.

Started as a script with two arguments: a file with the work, and one for the results, both
marshalled: a list of ``(distribution, modules, extensions)``, the number of processes and the
seconds that one import may take; then a list of results as :func:`_finding` makes them.

The parent must be small, for what is imported here hides that a module forgot to import it:
`os`, `sys` and what is built into the interpreter, no more. Each distribution gets a fork of it,
in which its modules are imported one after the other. Then each of its extension modules is
handed to the dynamic linker in a fork of *that*: the libraries that a sibling has loaded would
serve it, too. Then all of them are imported, one after the other. An extension that fails here
may only mind its siblings, or the fork: what happens to it alone, in a fork of the parent,
decides.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would bring half of the standard library along
    from collections.abc import Iterable, Iterator
    from typing import Any, NoReturn

    Finding = dict[str, Any]

MESSAGE_LIMIT = 2000
TRACEBACK_LINES = 20

#: Things of the system that the module at work has asked for by name, as (kind, name): what is not
#: there then may be what it fails for. At most so many are kept.
TRIED: list[tuple[str, str]] = []
MOST_TRIED = 50

#: The package by which others open libraries.
GLUE = "/site-packages/cffi/"

#: What `ctypes.util.find_library` runs, in vain as a rule, where the linker's cache has nothing.
LINKERS = ("ld", "gcc", "cc", "objdump")

#: What the dynamic linkers of glibc and musl say, and modules built against another ABI.
LINKER_WORDS = (
    "cannot open shared object file",
    "undefined symbol",
    "symbol not found",
    "Error relocating",
    "Error loading shared library",
    "wrong ELF class",
    "invalid ELF header",
    "file too short",
    "version `",
    "static TLS block",
    "failed to map segment",
    "cannot enable executable stack",
    "cannot apply additional memory protection",
    "binary incompatibility",
    "compiled against",
    "library version mismatch",
)


class Unit:
    """A distribution, or what is left to try of one. *alone*: it had its first chance."""

    def __init__(
        self,
        distribution: str,
        modules: Iterable[str],
        extensions: Iterable[str],
        *,
        alone: bool = False,
    ) -> None:
        self.distribution = distribution
        self.modules = list(modules)
        self.extensions = list(extensions)
        self.alone = alone

    def next(self) -> tuple[str, str]:
        """The (kind, module) that comes next."""
        return ("module", self.modules[0]) if self.modules else ("extension", self.extensions[0])


class Worker:
    """A process at work on a unit. *current* is the (kind, module) that it is at."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.current: tuple[str, str] | None = None
        self.buffer = b""
        self.since = time.monotonic()
        self.pipe, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _work(unit, write)
        os.close(write)

    def frames(self) -> list[Any] | None:
        """Read what came; the complete frames of it, or None at its end."""
        data = os.read(self.pipe, 1 << 16)
        if not data:
            return None
        self.buffer += data
        found = []
        while len(self.buffer) >= 4:
            end = 4 + int.from_bytes(self.buffer[:4], "big")
            if len(self.buffer) < end:
                break
            found.append(marshal.loads(self.buffer[4:end]))
            self.buffer = self.buffer[end:]
        return found

    def end(self) -> int:
        """Kill it and what it started; its wait status."""
        try:
            os.killpg(self.pid, 9)
        except OSError:
            os.kill(self.pid, 9)  # it had no time to found its group
        os.close(self.pipe)
        return os.waitpid(self.pid, 0)[1]


# -- the parent ----------------------------------------------------------------------------------


class Importer:
    """Does all the work; *findings* is what came out."""

    def __init__(self, units: Iterable[Unit], processes: int, deadline: float) -> None:
        # The longest first, so that no process is left alone with one at the end.
        self.queue = sorted(units, key=lambda unit: len(unit.extensions) + len(unit.modules))
        self.processes = processes
        self.deadline = deadline
        self.workers: dict[int, Worker] = {}
        self.findings: list[Finding] = []

    def run(self) -> None:
        """Import everything."""
        while self.queue or self.workers:
            while self.queue and len(self.workers) < self.processes:
                worker = Worker(self.queue.pop())
                self.workers[worker.pipe] = worker
            for pipe in select.select(list(self.workers), [], [], 1.0)[0]:
                self._hear(self.workers[pipe])
            now = time.monotonic()
            for worker in list(self.workers.values()):
                if now - worker.since > self.deadline:
                    self._conclude(worker, "deadline")

    def _hear(self, worker: Worker) -> None:
        frames = worker.frames()
        if frames is None:
            self._conclude(worker, "crash")
            return
        for frame in frames:
            worker.since = time.monotonic()
            if frame[0] == "begin":
                worker.current = frame[1:]
            elif frame[0] == "end":
                self._note(worker.unit, frame[1])
                worker.current = None
            elif frame[0] == "done":
                self._conclude(worker, "done")
                return

    def _note(self, unit: Unit, finding: Finding) -> None:
        listed = unit.modules if finding["what"] == "module" else unit.extensions
        listed.remove(finding["module"])
        bad = finding["kind"] in {"crash", "deadline", "library"}
        if bad and finding["what"] == "extension" and not unit.alone:
            self.queue.append(Unit(unit.distribution, (), (finding["module"],), alone=True))
        else:
            self.findings.append(finding)

    def _conclude(self, worker: Worker, how: str) -> None:
        """*worker* is at its end, by itself or because it is killed now."""
        del self.workers[worker.pipe]
        status, unit = worker.end(), worker.unit
        if how == "done" or not (unit.modules or unit.extensions):
            return
        what, module = worker.current or unit.next()
        message = _died(status) if how == "crash" else f"did not end within {self.deadline:g} s"
        self._note(unit, _finding(unit.distribution, what, module, how, message))
        if unit.modules or unit.extensions:
            self.queue.append(unit)


def _died(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by signal {os.WTERMSIG(status)}"
    return f"ended the process with exit status {os.WEXITSTATUS(status)}"


# -- the children --------------------------------------------------------------------------------


def _work(unit: Unit, pipe: int) -> NoReturn:
    """Import what *unit* has. Never returns."""
    try:
        os.setsid()
        sys.argv = [""]
        sys.addaudithook(_watch)
        broken = [name for name in unit.modules if not _import(unit, "module", name, pipe)]
        below = tuple(f"{name}." for name in broken)
        linked = []
        for name in unit.extensions:
            if name.startswith(below):  # its package's failure has been told
                _send(pipe, "end", _finding(unit.distribution, "extension", name, "untried"))
            elif unit.alone or _links(name, pipe):
                linked.append(name)
            else:
                _send(pipe, "end", _finding(unit.distribution, "extension", name, "library"))
        for name in linked:
            _import(unit, "extension", name, pipe)
        _flush()  # now: whoever hears that it is done ends it
        _send(pipe, "done")
    finally:
        _leave()


def _links(name: str, pipe: int) -> bool:
    """Whether the dynamic linker takes the extension, with none of its siblings there."""
    import ctypes

    _send(pipe, "begin", "extension", name)
    path = _file_of(name)
    if path is None:
        return False
    pid = os.fork()
    if pid == 0:
        try:
            ctypes.CDLL(path)
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _file_of(name: str) -> str | None:
    """The file of an extension module, found without importing the packages it is in."""
    from importlib.machinery import EXTENSION_SUFFIXES

    relative = name.replace(".", os.sep)
    for folder in sys.path:
        for suffix in EXTENSION_SUFFIXES:
            path = os.path.join(folder, relative + suffix)
            if os.path.isfile(path):
                return path
    return None


def _leave() -> NoReturn:
    """End this process without what modules want to be done at its exit."""
    _flush()
    os._exit(0)


def _flush() -> None:
    """Have what modules printed in the log, if they have left the streams in order."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # a module can put anything in its place
            continue


def _import(unit: Unit, what: str, name: str, pipe: int) -> bool:
    import importlib

    _send(pipe, "begin", what, name)
    finding = _finding(unit.distribution, what, name, "ok")
    del TRIED[:]
    try:
        importlib.import_module(name)
    except BaseException as error:  # a module can raise anything, SystemExit too
        finding = _failure(unit.distribution, what, name, error)
    _send(pipe, "end", finding)
    return bool(finding["kind"] == "ok")


def _failure(distribution: str, what: str, name: str, error: BaseException) -> Finding:
    import traceback

    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    tail = "\n".join(lines.splitlines()[-TRACEBACK_LINES:])
    kind, message, missing = _classify(error)
    finding = _finding(distribution, what, name, kind, message, missing, tail)
    return {**finding, "origin": _origin(error), "tried": _tried_in_vain()}


def _watch(event: str, arguments: Any) -> None:
    """Note what is asked for by its name: the exception that follows may not tell."""
    try:
        if len(TRIED) >= MOST_TRIED:
            return
        if event == "ctypes.dlopen" and isinstance(arguments[0], str):
            TRIED.append(("soname", arguments[0]))
        elif event == "subprocess.Popen":
            TRIED.append(_asked_of(*arguments[:2]))
    except Exception:  # whatever a module passes there, it is the module's business
        return


def _asked_of(program: Any, arguments: Any) -> tuple[str, str]:
    """What is meant by running *program*."""
    program = os.path.basename(os.fsdecode(program))
    if program in LINKERS:
        for each in arguments:
            if isinstance(each, str) and each.startswith("-l"):
                return "library", each[2:]
    return "program", program


def _tried_in_vain() -> list[tuple[str, str]]:
    """Of what was asked for by name, that which is not here."""
    if not TRIED:
        return []
    import ctypes.util
    import shutil

    def is_here(kind: str, name: str) -> bool:
        if kind == "program":
            return name in LINKERS or shutil.which(name) is not None
        if kind == "library":
            return ctypes.util.find_library(name) is not None
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
        return True

    tried = list(dict.fromkeys(TRIED))  # looking for them asks for them again
    return [(kind, name) for kind, name in tried if "/" not in name and not is_here(kind, name)]


def _origin(error: BaseException) -> str | None:
    """The file that raised *error*, relative to site-packages; None if it is not in there.

    What only opens libraries for others is passed over.
    """
    found, trace = None, error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if not path.startswith("<frozen") and GLUE not in path:
            found = path
        trace = trace.tb_next
    return found.rpartition("/site-packages/")[2] if found and "/site-packages/" in found else None


def _classify(error: BaseException) -> tuple[str, str, str | None]:
    """The kind of *error*, its message, and the name of the module that was not there."""
    for each in _chain(error):
        if any(words in str(each) for words in LINKER_WORDS):
            return "library", _said(each), None
    for each in _chain(error):
        if isinstance(each, ModuleNotFoundError) and each.name:
            return "missing", _said(each), each.name
        if program := _program(each):
            return "program", _said(each), program
    return "import", _said(error), None


def _program(error: BaseException) -> str | None:
    """The program that was to be run, if *error* says that it is not there."""
    if not isinstance(error, FileNotFoundError) or not isinstance(error.filename, (str, bytes)):
        return None
    trace, code = error.__traceback__, None
    while trace is not None:
        code, trace = trace.tb_frame.f_code, trace.tb_next
    name = os.fsdecode(error.filename)
    by_subprocess = code is not None and os.path.basename(code.co_filename) == "subprocess.py"
    return name if by_subprocess and "/" not in name else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """*error* and what led to it, up to a missing module: that explains itself."""
    while error is not None:
        yield error
        if isinstance(error, ModuleNotFoundError):
            return
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _finding(
    distribution: str,
    what: str,
    module: str,
    kind: str,
    message: str = "",
    missing: str | None = None,
    tail: str = "",
) -> Finding:
    return {
        "distribution": distribution,
        "what": what,
        "module": module,
        "kind": kind,
        "message": message[:MESSAGE_LIMIT],
        "missing": missing,
        "traceback": tail[-2 * MESSAGE_LIMIT :],
        "origin": None,
        "tried": [],
    }


def _send(pipe: int, *frame: Any) -> None:
    data = marshal.dumps(frame)
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(pipe, data) :]


def main(work: str, results: str) -> None:
    """Do the work in the file *work*; write the findings into *results*."""
    with open(work, "rb") as file:
        units, processes, deadline = marshal.load(file)
    importer = Importer([Unit(*unit) for unit in units], processes, deadline)
    importer.run()
    with open(results, "wb") as file:
        marshal.dump(importer.findings, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
