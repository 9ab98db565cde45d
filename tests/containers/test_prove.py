"""The proof in a real container: what passes, what must not, and what is told about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from housefactory import IMAGES, Package, debian12, make_house
from wheelhouse import prove as prove_module
from wheelhouse.building.attempts import Attempts
from wheelhouse.engine import MIB, Image, Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import InterruptedRunError, ProofError, WheelhouseError
from wheelhouse.events import SilentReporter
from wheelhouse.house import read_house
from wheelhouse.missing import Missing
from wheelhouse.proofreport import Finding, Proof, explain, hidden_requirement
from wheelhouse.prove import prove
from wheelhouse.serverneeds import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from wheelhouse.engine import Engine

pytestmark = pytest.mark.containers

#: An image with Python 3.11 that can make virtual environments, such as Debian 12's.
RUNTIME = "WHEELHOUSE_TEST_RUNTIME_IMAGE"
PYTHON = "/usr/bin/python3.11"
SUFFIX = ".cpython-311-x86_64-linux-gnu.so"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    from wheelhouse.engine.docker import DockerEngine
    from wheelhouse.engine.docker_connect import connect

    if RUNTIME not in os.environ:
        pytest.skip(f"{RUNTIME} names no image")
    made = DockerEngine(connect(), images=None)  # type: ignore[arg-type]  # it only starts
    yield made
    made.close()


@dataclass
class Log:
    """Keeps what a job says."""

    data: bytearray = field(default_factory=bytearray)
    phases: list[str] = field(default_factory=list)
    importing: threading.Event = field(default_factory=threading.Event)

    def output(self, data: bytes) -> None:
        self.data += data

    def phase(self, name: str) -> None:
        self.phases.append(name)
        if name == "importing":
            self.importing.set()


def prove_packages(
    engine: Engine,
    tmp_path: Path,
    packages: Sequence[Package],
    *,
    limits: Limits | None = None,
    skip: Mapping[str, tuple[str, ...]] | None = None,
    log: Log | None = None,
    cancellation: Cancellation | None = None,
) -> Proof:
    """What comes of proving a wheelhouse of *packages* in the image."""
    images = replace(
        IMAGES,
        runtime=Image(id=os.environ[RUNTIME], name="test", origin="local"),
        runtime_python=PYTHON,
    )
    return prove(
        make_house(tmp_path, packages, debian12()),
        Attempts(engine, SilentReporter(), cancellation or Cancellation()),
        images,
        limits=limits or Limits(memory=1024 * MIB, deadline=300),
        skip_imports=skip or {},
        listener=log or Log(),
    )


def found(engine: Engine, tmp_path: Path, *packages: Package) -> tuple[Finding, ...]:
    """What the proof of *packages* finds; it must fail."""
    findings = prove_packages(engine, tmp_path, packages).failures
    assert findings
    return findings


def failures(engine: Engine, tmp_path: Path, *packages: Package) -> list[WheelhouseError]:
    """How that is told, where nothing can be done about it."""
    findings = found(engine, tmp_path, *packages)
    return [explain(read_house(tmp_path / "house"), each) for each in findings]


def requirement(tmp_path: Path, finding: Finding) -> str | None:
    """The undeclared requirement that *finding* comes from."""
    hidden = hidden_requirement(read_house(tmp_path / "house"), finding)
    return hidden.requirement if hidden else None


def module(code: str, name: str = "demo", **more: object) -> Package:
    """A distribution of one module."""
    made = Package(name=name, files={f"{name}/__init__.py": code.encode()})
    return replace(made, **more)  # type: ignore[arg-type]


def extension(folder: Path, source: str, *options: str) -> bytes:
    """A shared library by this machine's compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    code, library = folder / "made.c", folder / "made.so"
    code.write_text(source)
    command = ["gcc", "-shared", "-fPIC", "-o", str(library), str(code), *options]
    subprocess.run(command, check=True, cwd=folder)
    return library.read_bytes()


def with_extension(data: bytes, init: str = "") -> Package:
    """`demo` with the extension module `demo._fast`, which its `__init__` does without."""
    code = init or "try:\n    import demo._fast\nexcept ImportError:\n    pass\n"
    return Package(
        name="demo",
        files={"demo/__init__.py": code.encode(), f"demo/_fast{SUFFIX}": data},
        modules=("demo",),
        extensions=("demo._fast",),
    )


# -- what passes ---------------------------------------------------------------------------------


def test_a_good_wheelhouse(engine: Engine, tmp_path: Path) -> None:
    log = Log()
    packages = [module("import two", "one", requires=("two",)), module("", "two")]
    proof = prove_packages(engine, tmp_path, packages, log=log)
    assert (proof.installed, proof.imports, proof.failures, proof.optional) == (2, 2, (), ())
    assert proof.pip is not None
    assert log.phases == ["installing", "importing"]


def test_the_container_is_what_it_must_be(engine: Engine, tmp_path: Path) -> None:
    code = """
        import os, shutil, socket
        assert os.getuid() == 65534
        assert not shutil.which("gcc")
        assert not os.access("/", os.W_OK)
        try:
            socket.create_connection(("1.1.1.1", 53), timeout=2)
        except OSError:
            pass
        else:
            raise AssertionError("there is a network")
    """
    import textwrap

    assert prove_packages(engine, tmp_path, [module(textwrap.dedent(code))]).imports == 1


def test_noise_does_no_harm(engine: Engine, tmp_path: Path) -> None:
    code = "import os, sys\nprint('x' * 100)\nos.write(1, b'\\0\\0\\0\\1{')\nsys.stdin.read()"
    log = Log()
    prove_packages(engine, tmp_path, [module(code)], log=log)
    assert b"xxx" in log.data


def test_a_package_that_starts_a_daemon(engine: Engine, tmp_path: Path) -> None:
    code = "import os, time\nif os.fork() == 0:\n    time.sleep(1000)\n    os._exit(0)"
    assert prove_packages(engine, tmp_path, [module(code)]).imports == 1


def test_modules_that_are_left_out(engine: Engine, tmp_path: Path) -> None:
    bad = "raise RuntimeError('not on a server')"
    packages = [
        Package(name="one", files={"one.py": b"", "one_gui.py": bad.encode()}),
        module(bad, "two"),
        module(bad, "three", skip_imports=("*",)),
        Package(name="four", files={"four.py": b"", "tests/__init__.py": bad.encode()}),
    ]
    skip = {"One": ("one_gui",), "two": ("two",)}
    assert prove_packages(engine, tmp_path, packages, skip=skip).imports == 2


def test_what_only_an_extra_brings_is_excused(engine: Engine, tmp_path: Path) -> None:
    package = Package(
        name="demo",
        files={"demo.py": b"", "demo_plugin.py": b"import some_framework.api"},
        requires=("some-framework>=2; extra == 'plugin'",),
    )
    (excused,) = prove_packages(engine, tmp_path, [package]).optional
    assert (excused.module, excused.missing) == ("demo_plugin", "some_framework")


def test_setuptools_that_is_locked_is_there(engine: Engine, tmp_path: Path) -> None:
    own = Package(name="setuptools", version="70.0", files={"pkg_resources/__init__.py": b""})
    packages = [module("import pkg_resources", requires=("setuptools",)), own]
    assert prove_packages(engine, tmp_path, packages).imports == 2


def test_an_extension_for_want_of_an_optional_package(engine: Engine, tmp_path: Path) -> None:
    source = """
        extern void *PyImport_ImportModule(const char *);
        void *PyInit__fast(void) { return PyImport_ImportModule("not_there"); }
    """
    package = with_extension(extension(tmp_path, source))
    assert prove_packages(engine, tmp_path, [package]).imports == 1


def test_an_extension_that_only_minds_the_fork(engine: Engine, tmp_path: Path) -> None:
    source = """
        #define Py_LIMITED_API 0x03090000
        #include <Python.h>
        #include <unistd.h>
        static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast"};
        PyMODINIT_FUNC PyInit__fast(void) {
            if (atoi(getenv("DEMO_PID")) != getpid()) abort();
            return PyModule_Create(&module);
        }
    """
    init = "import os\nos.environ['DEMO_PID'] = str(os.getpid())"
    headers = f"-I{sysconfig.get_path('include')}"
    package = with_extension(extension(tmp_path, source, headers), init)
    assert prove_packages(engine, tmp_path, [package]).imports == 2


# -- what must not pass --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import pkg_resources", "setuptools<82"),
        ("import pip", "pip"),  # which every new environment has
        (
            "try:\n    import yaml\nexcept ImportError as e:\n    raise RuntimeError('no') from e",
            "PyYAML",
        ),
    ],
)
def test_a_hidden_dependency(engine: Engine, tmp_path: Path, code: str, wanted: str) -> None:
    (finding,) = found(engine, tmp_path, module(code))
    assert (finding.culprit, requirement(tmp_path, finding)) == ("demo", wanted)


def test_a_cause_is_told_where_it_is(engine: Engine, tmp_path: Path) -> None:
    """And not again for every package that imports that one."""
    packages = [module("import demo", f"above{number}") for number in range(3)]
    (error,) = failures(engine, tmp_path, module("import pkg_resources"), *packages)
    assert error.message.startswith("web: demo 1.0: demo does not import")
    assert error.evidence[-1] == "ModuleNotFoundError: No module named 'pkg_resources'"


def test_a_cause_in_a_part_that_nobody_else_imports(engine: Engine, tmp_path: Path) -> None:
    files = {"demo/__init__.py": b"", "demo/part.py": b"import pkg_resources"}
    packages = [Package(name="demo", files=files), module("import demo.part", "above")]
    (error,) = failures(engine, tmp_path, *packages)
    assert "web: above 1.0: above does not import" in error.message
    assert "(raised in demo)" in error.message


def test_a_module_of_its_own_is_missing(engine: Engine, tmp_path: Path) -> None:
    (error,) = failures(engine, tmp_path, module("import demo._native"))
    assert "its own module demo._native is not in the wheel" in error.message


def test_a_module_that_left_the_standard_library(engine: Engine, tmp_path: Path) -> None:
    code = "raise ModuleNotFoundError('no', name='spwd')"
    (error,) = failures(engine, tmp_path, module(code))
    assert "which Python 3.11 no longer has" in error.message


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise RuntimeError('bad\\x1b[2J day')", "RuntimeError: bad day"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import os; os._exit(0)", "ended the process with exit status 0"),
        ("import os; os.abort()", "was ended by signal 6"),
        ("import os; os.kill(0, 9)", "was ended by signal 9"),
        ("import ctypes; ctypes.CDLL('libnothing.so.7')", "libnothing.so.7: cannot open shared"),
        ("def", "SyntaxError"),
    ],
)
def test_a_module_that_does_not_import(
    engine: Engine, tmp_path: Path, code: str, told: str
) -> None:
    (error,) = failures(engine, tmp_path, module(code), module("", "sound"))
    assert told in error.message
    assert error.hint


def test_a_module_that_hangs(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove_module, "IMPORT_DEADLINE", 2.0)
    files = {
        "a_hangs.py": b"import time; time.sleep(1000)",
        "b_dies.py": b"import os; os.abort()",
        "c_fine.py": b"",
        "d_fails.py": b"1/0",
    }
    told = failures(engine, tmp_path, Package(name="demo", files=files))
    assert [error.message.split(": ", 3)[2:] for error in told] == [
        ["a_hangs does not import", "did not end within 2 s"],
        ["b_dies does not import", "was ended by signal 6"],
        ["d_fails does not import", "ZeroDivisionError: division by zero"],
    ]


@pytest.mark.parametrize("kind", ["library", "symbol", "abort", "no elf"])
def test_an_extension_that_does_not_load(engine: Engine, tmp_path: Path, kind: str) -> None:
    source, told = {
        "library": ("int PyInit__fast;", "libgone.so: cannot open shared object file"),
        "symbol": ("extern int gone(void); int f(void) { return gone(); }", "undefined symbol"),
        "abort": (
            "#include <stdlib.h>\n__attribute__((constructor)) void f(void) { abort(); }",
            "was ended by signal 6",
        ),
        "no elf": ("int f;", "invalid ELF header"),
    }[kind]
    options = []
    if kind == "library":
        extension(tmp_path, "int gone;")
        (tmp_path / "made.so").rename(tmp_path / "libgone.so")
        options = ["-Wl,--no-as-needed", f"-L{tmp_path}", "-lgone"]
    data = extension(tmp_path, source, *options)
    data = b"not an ELF file, that is for sure" * 10 if kind == "no elf" else data
    init = "import os" if kind == "abort" else ""
    (error,) = failures(engine, tmp_path, with_extension(data, init))
    assert "demo._fast does not load" in error.message
    assert told in error.message
    assert error.hint
    assert "sdist" in error.hint


def test_an_extension_that_hangs(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove_module, "IMPORT_DEADLINE", 2.0)
    source = "#include <unistd.h>\n__attribute__((constructor)) void f(void) { sleep(1000); }"
    (error,) = failures(engine, tmp_path, with_extension(extension(tmp_path, source), "import os"))
    assert "demo._fast does not load: did not end within 2 s" in error.message


# -- what the server lacks -----------------------------------------------------------------------

BY_NAME = """
from ctypes import CDLL
from ctypes.util import find_library
for name in ("c", "nothing-such", "magic"):
    found = find_library(name)
    try:
        CDLL(found or f"lib{name}.so.1")
    except OSError:
        continue
if find_library("magic") is None:
    raise ImportError("failed to find libmagic.  Check your installation")
"""


def test_a_library_that_is_opened_by_name(engine: Engine, tmp_path: Path) -> None:
    (finding,) = found(engine, tmp_path, module(BY_NAME))
    assert finding.kind == "import"
    assert finding.tried == (
        Missing("library", "nothing-such"),
        Missing("soname", "libnothing-such.so.1"),
        Missing("library", "magic"),
        Missing("soname", "libmagic.so.1"),
    )
    assert Missing("soname", "libmagic.so.1") in options(finding, ())


def test_who_opens_libraries_for_others_needs_none(engine: Engine, tmp_path: Path) -> None:
    glue = Package(name="cffi", files={"cffi/__init__.py": b"def dlopen():\n    raise OSError"})
    (finding,) = found(engine, tmp_path, glue, module("import cffi\ncffi.dlopen()"))
    assert finding.culprit == "demo"


def test_a_program_that_is_run_on_import(engine: Engine, tmp_path: Path) -> None:
    code = (
        "import subprocess\n"
        "try:\n"
        "    subprocess.run(['dot', '-V'], check=True)\n"
        "except OSError as error:\n"
        "    raise RuntimeError('no graphs') from error\n"
    )
    (finding,) = found(engine, tmp_path, module(code))
    assert (finding.kind, finding.missing) == ("program", "dot")


def test_it_installs_without_what_nothing_brings(engine: Engine, tmp_path: Path) -> None:
    """Who cannot do without is found by importing it."""
    needs = module(
        "", system_libraries=("libGL.so.1", "libc.so.6"), system_programs=("dot", "python3.11")
    )
    proof = prove_packages(engine, tmp_path, [needs])
    assert proof.failures == ()
    assert proof.lacking == ("libGL.so.1", "dot")


# -- and what else there is to tell --------------------------------------------------------------


def test_a_broken_package_is_told_once(engine: Engine, tmp_path: Path) -> None:
    """Its extensions cannot be tried, and say nothing new."""
    package = with_extension(b"", "raise RuntimeError('broken')")
    assert len(failures(engine, tmp_path, package)) == 1


def test_every_failure_is_told(engine: Engine, tmp_path: Path) -> None:
    packages = [module("1/0", f"demo{number}") for number in range(7)]
    assert len(failures(engine, tmp_path, *packages)) == 7


def test_it_does_not_install(engine: Engine, tmp_path: Path) -> None:
    packages = [module("", "one", requires=("two>=2",)), module("", "two")]
    with pytest.raises(ProofError, match="does not install in a clean container") as caught:
        prove_packages(engine, tmp_path, packages)
    assert "you have two 1.0" in caught.value.message


def test_a_wheel_that_was_changed(engine: Engine, tmp_path: Path) -> None:
    house = make_house(tmp_path, [module("")], debian12())
    wheel = house.path / "wheels/demo-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    images = replace(
        IMAGES,
        runtime=Image(id=os.environ[RUNTIME], name="test", origin="local"),
        runtime_python=PYTHON,
    )
    with pytest.raises(ProofError, match="is changed: wheels/demo"):
        prove(
            house,
            Attempts(engine, SilentReporter(), Cancellation()),
            images,
            limits=Limits(),
            skip_imports={},
            listener=Log(),
        )


def test_memory_runs_out(engine: Engine, tmp_path: Path) -> None:
    packages = [module("bytearray(2 << 30)[::4096] = bytes(1 << 19)")]
    limits = Limits(memory=300 * MIB, deadline=300)
    with pytest.raises(ProofError, match="ran out of memory") as caught:
        prove_packages(engine, tmp_path, packages, limits=limits)
    assert "(limit: 300MiB)" in caught.value.message
    assert caught.value.fix == '[limits]\nmemory = "600MiB"'


def test_what_is_too_large_for_memory_is_proven_on_a_disk(engine: Engine, tmp_path: Path) -> None:
    files = {"demo/__init__.py": b"", "demo/data.bin": os.urandom(12 << 20)}
    limits = Limits(memory=128 * MIB, deadline=300)
    packages = [Package(name="demo", files=files)]
    assert not prove_packages(engine, tmp_path, packages, limits=limits).failures


def test_the_disk_is_not_filled(engine: Engine, tmp_path: Path) -> None:
    """It is everybody's, and no limit of the container holds there."""
    code = """
number = 0
while True:
    number += 1
    with open(str(number), "wb") as file:
        file.write(bytes(1 << 20))
"""
    files = {"demo/__init__.py": code.encode(), "demo/data.bin": os.urandom(12 << 20)}
    limits = Limits(memory=128 * MIB, deadline=300)
    with pytest.raises(ProofError, match="fills the disk"):
        prove_packages(engine, tmp_path, [Package(name="demo", files=files)], limits=limits)


def test_it_ends_in_time(engine: Engine, tmp_path: Path) -> None:
    packages = [module("import time; time.sleep(1000)")]
    with pytest.raises(ProofError, match="did not end within 8 s"):
        prove_packages(engine, tmp_path, packages, limits=Limits(memory=512 * MIB, deadline=8))


def test_it_is_cancelled(engine: Engine, tmp_path: Path) -> None:
    log, cancellation = Log(), Cancellation()

    def cancel() -> None:
        log.importing.wait(60)
        cancellation.cancel()

    threading.Thread(target=cancel).start()
    packages = [module("import time; time.sleep(1000)")]
    with pytest.raises(InterruptedRunError):
        prove_packages(engine, tmp_path, packages, log=log, cancellation=cancellation)
