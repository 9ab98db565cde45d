"""The proof: a clean container of the target's runtime installs the wheelhouse and imports it.

The container has no network and no compiler, and the wheelhouse's own ``install.sh`` does the
installing. What fails is told per distribution and module, with its cause and the way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from packaging.utils import canonicalize_name

from wheelhouse.engine import ContainerSpec
from wheelhouse.engine.frames import JobDiedError
from wheelhouse.engine.jobs import BOOTSTRAP, ROOT, Input, Job
from wheelhouse.engine.session import JobFailedError, run_job
from wheelhouse.errors import EngineError, ProofError, raise_all
from wheelhouse.text import human_size, sanitize_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelhouse.engine import Engine, Limits, TargetImages
    from wheelhouse.engine.cancellation import Cancellation
    from wheelhouse.engine.session import Listener, Reply
    from wheelhouse.house import House
    from wheelhouse.manifest import WheelFacts

#: Seconds that the import of one module may take.
IMPORT_DEADLINE = 120.0

#: How much larger wheels are once they are installed, with room to spare.
UNPACKED = 5

#: The whole distribution, as a module in `skip-imports`.
ALL = "*"

#: Top-level names that come into site-packages by mistake; nobody imports them from there.
_STRAYS = frozenset({"benchmarks", "conftest", "docs", "examples", "scripts", "test", "tests"})

#: What provides a module, where the names differ.
_PROVIDERS = {
    "Crypto": "pycryptodome",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "distutils": "setuptools",
    "dotenv": "python-dotenv",
    "jwt": "PyJWT",
    "ldap": "python-ldap",
    "magic": "python-magic",
    "pkg_resources": "setuptools<82",  # removed in 82
    "serial": "pyserial",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}

#: Modules that left the standard library (PEP 594, PEP 632).
_REMOVED = frozenset(
    {"aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "imp"}
    | {"lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd"}
    | {"sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"}
)

Kind = Literal["import", "missing", "library", "crash", "deadline"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A module that did not import, or an extension that did not load.

    :ivar what: ``module`` or ``extension``.
    :ivar message: the exception, or how the process ended.
    :ivar missing: the module that was not there, for the kind ``missing``.
    :ivar traceback: its last lines.
    :ivar origin: the distribution whose code raised it, if that is known.
    """

    distribution: str
    module: str
    what: str
    kind: Kind
    message: str
    missing: str | None
    traceback: str
    origin: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was proven.

    :ivar installed: distributions.
    :ivar imports: modules imported and extensions loaded.
    :ivar pip: the version of the pip that installed them.
    :ivar optional: what did not import for want of an extra that nobody asked for.
    :ivar install_seconds: the virtual environment, the checks and pip.
    :ivar import_seconds: all imports.
    """

    installed: int
    imports: int
    pip: str | None
    optional: tuple[Finding, ...]
    install_seconds: float
    import_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.installed} installed by pip {self.pip} in {self.install_seconds:.1f} s, "
            f"{self.imports} imported in {self.import_seconds:.1f} s"
        )


def prove(
    house: House,
    engine: Engine,
    images: TargetImages,
    *,
    limits: Limits,
    skip_imports: Mapping[str, Iterable[str]],
    listener: Listener,
    cancellation: Cancellation,
) -> Proof:
    """Install *house* in a clean container of ``images.runtime`` and import all that is in it.

    :param skip_imports: by distribution, modules that cannot be imported by their nature, with
        all that is below them; ``*`` stands for every module.
    :raises ProofError: it does not install, or something in it does not import; `SeveralErrors`
        if there is more than one such thing.
    :raises EngineError: the engine failed.
    :raises InterruptedRunError: the run was cancelled.
    """
    spec = ContainerSpec(
        image=images.runtime.id,
        argv=(images.runtime_python, "-I", "-c", BOOTSTRAP, ROOT),
        purpose=f"prove {house.manifest.target.name}",
        limits=limits,
        scratch="memory" if house.size * (UNPACKED + 1) < limits.memory // 2 else "disk",
    )
    job = make_job(house, images.runtime_python, skip_imports, processes=round(limits.cpus))
    try:
        reply = run_job(engine, spec, job, listener=listener, cancellation=cancellation)
    except JobFailedError as error:
        raise _explain_failure(house, error, limits) from error
    except JobDiedError as error:
        raise _explain_death(house, error, limits) from error
    return _conclude(house, reply)


def make_job(
    house: House, python: str, skip_imports: Mapping[str, Iterable[str]], *, processes: int
) -> Job:
    """The job that proves *house* with the interpreter *python*."""
    skipped = {canonicalize_name(name): tuple(skip_imports[name]) for name in skip_imports}
    wheels = [
        _imports(wheel, (*wheel.skip_imports, *skipped.get(canonicalize_name(wheel.name), ())))
        for wheel in house.manifest.wheels
    ]
    inputs = [Input(name=f"house/{name}", source=house.path / name) for name in house.files()]
    parameters = {
        "python": python,
        "wheels": wheels,
        "jobs": max(1, processes),
        "deadline": IMPORT_DEADLINE,
    }
    return Job(kind="prove", parameters=parameters, inputs=inputs)


def _imports(wheel: WheelFacts, skipped: tuple[str, ...]) -> dict[str, Any]:
    """What is to be imported of *wheel*."""
    modules = [
        name
        for name in wheel.modules
        if not _is_skipped(name, skipped) and not _is_stray(name, wheel.modules)
    ]
    # A package can itself be one; and one can be there for several ABIs.
    found = dict.fromkeys(name.removesuffix(".__init__") for name in wheel.extension_modules)
    extensions = [name for name in found if name not in modules and not _is_skipped(name, skipped)]
    return {"name": wheel.name, "modules": modules, "extensions": extensions}


def _is_skipped(module: str, skipped: tuple[str, ...]) -> bool:
    return any(each in (ALL, module) or module.startswith(f"{each}.") for each in skipped)


def _is_stray(module: str, modules: tuple[str, ...]) -> bool:
    """Whether *module* is only beside what the distribution is for."""
    top = module.partition(".")[0]
    return top in _STRAYS and any(name.partition(".")[0] not in _STRAYS for name in modules)


# -- what came out -------------------------------------------------------------------------------


def _conclude(house: House, reply: Reply) -> Proof:
    try:
        failures, proof = _read(house, reply.message)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # Foreign code has run in that container.
        raise ProofError(
            f"{house.manifest.target.name}: the proof gave an answer of another form",
            hint="the log has the rest",
        ) from error
    raise_all([_explain(house, each) for each in failures if not _is_echo(each, failures)])
    return proof


def _read(house: House, message: Mapping[str, Any]) -> tuple[list[Finding], Proof]:
    """The failures that *message* tells, and what was proven if there are none."""
    failures = [_finding(house, each) for each in message["failures"]]
    proof = Proof(
        installed=int(message["installed"]),
        imports=int(message["imports"]),
        pip=None if message["pip"] is None else _clean(message["pip"]),
        optional=tuple(_finding(house, each) for each in message["optional"]),
        install_seconds=float(message["seconds"]["install"]),
        import_seconds=float(message["seconds"]["import"]),
    )
    return failures, proof


def _is_echo(finding: Finding, failures: Sequence[Finding]) -> bool:
    """Whether *finding* only repeats what is told of a package that it imports."""
    if finding.origin in {None, finding.distribution}:
        return False
    return any(
        each.distribution == finding.origin
        and (each.kind, each.message) == (finding.kind, finding.message)
        for each in failures
    )


def _finding(house: House, data: Mapping[str, Any]) -> Finding:
    missing, kind = data["missing"], data["kind"]
    if kind not in get_args(Kind):
        raise ValueError(f"{kind!r} is no kind of a finding")
    return Finding(
        distribution=str(data["distribution"]),
        module=_clean(data["module"]),
        what=str(data["what"]),
        kind=kind,
        message=_clean(data["message"]),
        missing=None if missing is None else _clean(missing),
        traceback="\n".join(sanitize_lines(str(data["traceback"]))),
        origin=_distribution_of(house, data["origin"]),
    )


def _distribution_of(house: House, file: object) -> str | None:
    """The distribution that has *file*, a path relative to site-packages."""
    if not isinstance(file, str):
        return None
    module = file.removesuffix(".py").replace("/", ".")
    for wheel in house.manifest.wheels:
        if any(f"{module}.".startswith(f"{name}.") for name in wheel.modules):
            return wheel.name
    return None


def _clean(text: object) -> str:
    return " ".join(line for line in sanitize_lines(str(text)) if line)


def _explain(house: House, finding: Finding) -> ProofError:
    """The error that tells *finding* and the way out."""
    versions = {wheel.name: wheel.version for wheel in house.manifest.wheels}
    target = house.manifest.target.name
    package = f"{finding.distribution} {versions.get(finding.distribution, '')}".rstrip()
    verb = "import" if finding.what == "module" else "load"
    cause, hint = _cause_and_hint(house, finding)
    if finding.origin not in {None, finding.distribution}:
        cause = f"{cause} (raised in {finding.origin})"
    return ProofError(f"{target}: {package}: {finding.module} does not {verb}: {cause}", hint=hint)


def _cause_and_hint(house: House, finding: Finding) -> tuple[str, str]:
    if finding.kind == "missing" and finding.missing:
        return _explain_missing(house, finding, finding.missing)
    if finding.kind == "library":
        return finding.message, _library_hint(finding)
    hints = {
        "crash": "build it from its sdist, or take another version of it",
        "deadline": "its import waits for something that a container without network lacks",
        "import": "take another version of it",
    }
    hint = f"{hints[finding.kind]}; {_skip_hint(finding)}"
    return finding.message, hint


def _explain_missing(house: House, finding: Finding, missing: str) -> tuple[str, str]:
    """A module is not there: a dependency that the package does not declare, as a rule."""
    top = missing.partition(".")[0]
    python = house.manifest.target.python
    own = {
        name.partition(".")[0]
        for wheel in house.manifest.wheels
        if wheel.name == finding.distribution
        for name in wheel.modules
    }
    if top in own:
        return (
            f"its own module {missing} is not in the wheel",
            f"take another version of it, or another of its files; {_skip_hint(finding)}",
        )
    if top in _REMOVED:
        return (
            f"it needs {top}, which Python {python} no longer has",
            f"take a version of {finding.distribution} that knows Python {python}",
        )
    if any(top == name.partition(".")[0] for w in house.manifest.wheels for name in w.modules):
        return (
            f"it needs {missing}, which the locked version of its provider does not have",
            f"take versions that fit together; {_skip_hint(finding)}",
        )
    return (
        f"it needs {missing}, and does not declare it (a hidden dependency)",
        f'add "{_provider(top)}" to your requirements; {_skip_hint(finding)}',
    )


def _provider(module: str) -> str:
    """The requirement that brings the top-level *module*: known, or its own name."""
    return _PROVIDERS.get(module, canonicalize_name(module))


def _library_hint(finding: Finding) -> str:
    if "cannot load library" in finding.message or "find_library" in finding.message:
        return (
            "it looks for that library by name while it runs, so its wheel cannot bring it along: "
            "install the distribution's package that has it on the server, and leave the module "
            f'out here: [packages.{finding.distribution}] skip-imports = ["{finding.module}"]'
        )
    if "shared object file" in finding.message or "shared library" in finding.message.lower():
        return (
            "have it built from its sdist, which copies the library into the wheel "
            f'([packages.{finding.distribution}] source = "sdist"); {_skip_hint(finding)}'
        )
    return (
        "have it built from its sdist against this platform "
        f'([packages.{finding.distribution}] source = "sdist"), or take another version of it'
    )


def _skip_hint(finding: Finding) -> str:
    return (
        "if it cannot be imported by its nature, leave it out: "
        f'[packages.{finding.distribution}] skip-imports = ["{finding.module}"]'
    )


def _explain_failure(house: House, error: JobFailedError, limits: Limits) -> ProofError:
    target = house.manifest.target.name
    said = "\n".join(sanitize_lines(error.message))
    if error.out_of_memory:
        return _want_of_memory(target, limits)
    if error.stage == "install":
        return ProofError(
            f"{target}: the wheelhouse does not install in a clean container:\n{said}",
            hint="the log has all that install.sh and pip said",
        )
    return ProofError(f"{target}: the proof failed: {said}", hint="the log has the rest")


def _explain_death(house: House, error: JobDiedError, limits: Limits) -> ProofError | EngineError:
    target = house.manifest.target.name
    if error.cause == "engine":
        return EngineError(
            f"{target}: the container engine stopped during the proof",
            hint="start it, then run the command again: all wheels are kept",
        )
    if error.cause == "memory":
        return _want_of_memory(target, limits)
    hint = "the log has the rest"
    if error.cause == "deadline":
        hint = "the log tells what it was at; a slow machine needs a later deadline"
    return ProofError(f"{target}: the proof {error.message}", hint=hint)


def _want_of_memory(target: str, limits: Limits) -> ProofError:
    return ProofError(
        f"{target}: the proof ran out of memory; it may use {human_size(limits.memory)}",
        hint="give the proof more memory",
    )
