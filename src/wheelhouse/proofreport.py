"""What a proof found: from the container's answer to findings, and from those to errors. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from packaging.version import Version

from wheelhouse import cuda
from wheelhouse.errors import ProofError
from wheelhouse.manifest import BuiltStory
from wheelhouse.missing import Missing
from wheelhouse.providers import provider, removed_in
from wheelhouse.text import sanitize_lines
from wheelhouse.wheels.policy import DRIVER_SONAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelhouse.house import House
    from wheelhouse.manifest import WheelFacts

#: ``program``: it ran a program that is not there; ``library``: the dynamic linker refused;
#: ``missing``: a module that is not there; ``import``: any other exception.
Kind = Literal["import", "missing", "library", "program", "crash", "deadline"]

#: What of the distribution a module can ask for by its name.
TRIED = ("library", "soname", "program")

#: Characters of a message that are looked at, half of those of a traceback, and things that were
#: tried: the container sends no more, unless something in it does so by itself.
LONGEST, MOST_TRIED = 2000, 50

#: What code for an older numpy says, which was compiled for numpy 1 or uses names that are gone,
#: and the first numpy that it does not work with.
_NUMPY_AGES = (
    (
        re.compile(
            r"numpy\.core\.(?:multiarray|umath) failed to import|_ARRAY_API not found"
            r"|compiled using NumPy 1\.x|numpy\.\w+ size changed"
            r"|was removed in the NumPy 2\.0 release"
        ),
        "2",
    ),
    (
        re.compile(
            r"module 'numpy' has no attribute '(?:bool|complex|float|int|object|str|typeDict)'"
        ),
        "1.24",
    ),
)

#: How glibc's linker names the file that it did not find.
_NOT_THERE = re.compile(r"(?<![\w.+/-])([\w.+-]+\.so[\w.]*): cannot open shared object file")

#: Lines of a traceback that an error shows; the last ones say most.
SHOWN_LINES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A module that did not import, or an extension or a program that did not load.

    :ivar module: its dotted name; of a program, where it is: ``bin/NAME``.
    :ivar what: ``module``, ``extension`` or ``program``.
    :ivar message: the exception, or how the process ended.
    :ivar missing: what was not there: the module, for the kind ``missing``; the program.
    :ivar traceback: its last lines.
    :ivar origin: the distribution whose code raised it, if that is known.
    :ivar tried: what of the distribution was asked for by its name meanwhile and is not there.
    """

    distribution: str
    module: str
    what: str
    kind: Kind
    message: str
    missing: str | None
    traceback: str
    origin: str | None
    tried: tuple[Missing, ...] = ()

    @property
    def culprit(self) -> str:
        """The distribution that lacks something."""
        return self.origin or self.distribution


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What came of a proof.

    :ivar installed: distributions.
    :ivar imports: modules imported and extensions loaded.
    :ivar programs: for each compiled program that was looked at, its distribution.
    :ivar pip: the version of the pip that installed them.
    :ivar failures: what speaks against the wheelhouse, each cause once.
    :ivar optional: what did not import for want of an extra that nobody asked for.
    :ivar lacking: libraries and programs that the manifest says a machine needs, and that the
        container does not have.
    :ivar install_seconds: the virtual environment, the checks and pip.
    :ivar import_seconds: all imports.
    """

    installed: int
    imports: int
    programs: tuple[str, ...]
    pip: str | None
    failures: tuple[Finding, ...]
    optional: tuple[Finding, ...]
    lacking: tuple[str, ...]
    install_seconds: float
    import_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.installed} installed by pip {self.pip} in {self.install_seconds:.1f} s, "
            f"{self.imports} imported in {self.import_seconds:.1f} s"
        )


# -- from the answer to findings -----------------------------------------------------------------


def read_proof(house: House, message: Mapping[str, Any]) -> Proof:
    """The proof that the container tells of in *message*.

    :raises ProofError: it is of another form. Foreign code has run in that container.
    """
    try:
        return _read(house, message)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ProofError(
            f"{house.manifest.target.name}: the proof gave an answer of another form",
            hint="the log has the rest",
        ) from error


def _read(house: House, message: Mapping[str, Any]) -> Proof:
    failures = [_finding(house, each) for each in message["failures"]]
    lacking = set(message["lacking"])
    needs = house.manifest.needs
    return Proof(
        installed=int(message["installed"]),
        imports=int(message["imports"]),
        programs=tuple(_clean(name) for name in message["programs"]),
        pip=None if message["pip"] is None else _clean(message["pip"]),
        failures=tuple(each for each in failures if not _is_echo(each, failures)),
        optional=tuple(_finding(house, each) for each in message["optional"]),
        lacking=tuple(name for name in (*needs.libraries, *needs.programs) if name in lacking),
        install_seconds=float(message["seconds"]["install"]),
        import_seconds=float(message["seconds"]["import"]),
    )


def without_driver(proof: Proof) -> tuple[Proof, tuple[Finding, ...]]:
    """*proof* without what failed for want of the GPU's driver, and that by itself.

    No container here has a driver, and no package can bring it: it is part of the server's kernel.
    """
    waiting = tuple(each for each in proof.failures if lacking_driver(each))
    failures = tuple(each for each in proof.failures if each not in waiting)
    return replace(proof, failures=failures), waiting


def lacking_driver(finding: Finding) -> str | None:
    """The library of the GPU's driver that was not there, if that is the cause of *finding*."""
    soname = _not_there(finding)
    return soname if soname in DRIVER_SONAMES else None


def _not_there(finding: Finding) -> str | None:
    """The soname of the library that glibc's linker did not find, if it says so."""
    match = _NOT_THERE.search(finding.message)
    return match[1] if match else None


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
    missing, kind, distribution = data["missing"], data["kind"], data["distribution"]
    if kind not in get_args(Kind):
        raise ValueError(f"{kind!r} is no kind of a finding")
    if not _wheels(house, distribution):
        raise ValueError(f"{distribution!r} is not in the wheelhouse")
    return Finding(
        distribution=distribution,
        module=_clean(data["module"]),
        what=str(data["what"]),
        kind=kind,
        message=_clean(data["message"]),
        missing=None if missing is None else _clean(missing),
        traceback="\n".join(sanitize_lines(str(data["traceback"])[-2 * LONGEST :])),
        origin=_distribution_of(house, data["origin"]),
        tried=tuple(
            Missing(kind, _clean(name))
            for kind, name in data["tried"][:MOST_TRIED]
            if kind in TRIED
        ),
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
    return " ".join(line for line in sanitize_lines(str(text)[:LONGEST]) if line)


# -- from findings to errors ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Hidden:
    """A requirement that a package has and does not declare.

    :ivar module: what it failed to import.
    :ivar known: whether *requirement* is known to have it, and not merely guessed from its name.
    """

    package: str
    requirement: str
    module: str
    known: bool


def hidden_requirement(house: House, finding: Finding) -> Hidden | None:
    """The undeclared requirement for want of which *finding* came about, if that is the cause."""
    if finding.kind != "missing" or not finding.missing:
        return None
    who = provider(finding.missing)
    if who is None or _is_of(finding.missing, _wheels(house, finding.distribution)):
        return None
    present = {wheel.name for wheel in house.manifest.wheels}
    if who.requirement.lower() in present or not _applies(who.requirement, house):
        return None
    if not who.known and _is_of(finding.missing, house.manifest.wheels):
        return None
    return Hidden(
        package=finding.culprit,
        requirement=who.requirement,
        module=finding.missing,
        known=who.known,
    )


def older_numpy(house: House, finding: Finding) -> str | None:
    """The limit to numpy under which what failed as *finding* works, if numpy's age is why."""
    present = [Version(wheel.version) for wheel in house.manifest.wheels if wheel.name == "numpy"]
    for pattern, limit in _NUMPY_AGES:
        if any(each >= Version(limit) for each in present) and pattern.search(finding.message):
            return f"numpy<{limit}"
    return None


def _applies(requirement: str, house: House) -> bool:
    from packaging.requirements import Requirement

    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate(dict(house.manifest.target.environment))


def _wheels(house: House, distribution: str) -> list[WheelFacts]:
    return [wheel for wheel in house.manifest.wheels if wheel.name == distribution]


def _is_of(module: str, wheels: Iterable[WheelFacts]) -> bool:
    """Whether the top-level package of *module* is in one of *wheels*."""
    top = module.partition(".")[0]
    return any(top == name.partition(".")[0] for wheel in wheels for name in wheel.modules)


def explain(
    house: House,
    finding: Finding,
    *,
    cause: str | None = None,
    hint: str | None = None,
    fix: str | None = None,
) -> ProofError:
    """The error that tells *finding*, with the lines that show it and who asked for the package.

    :param cause: said in place of the finding's own message.
    :param hint: said in place of what is usually done about such a finding.
    """
    versions = {wheel.name: wheel.version for wheel in house.manifest.wheels}
    package = f"{finding.distribution} {versions.get(finding.distribution, '')}".rstrip()
    verb = "import" if finding.what == "module" else "load"
    own_cause, own_hint = _cause_and_hint(house, finding)
    cause = cause or own_cause
    if finding.culprit != finding.distribution:
        cause = f"{cause} (raised in {finding.origin})"
    return ProofError(
        f"{house.manifest.target.name}: {package}: {finding.module} does not {verb}: {cause}",
        hint=hint or own_hint,
        evidence=_evidence(finding),
        context=_context(house, finding.distribution),
        fix=fix,
    )


def _evidence(finding: Finding) -> tuple[str, ...]:
    """The last lines of the traceback, without those of the import system, which say nothing."""
    lines = [
        line
        for line in finding.traceback.split("\n")
        if line.strip() and not line.lstrip().startswith('File "<frozen ')
    ]
    return tuple(lines[-SHOWN_LINES:])


def _context(house: House, distribution: str) -> tuple[tuple[str, str], ...]:
    asking = [name for wheel in _wheels(house, distribution) for name in wheel.required_by]
    return (("asked for by", ", ".join(asking)),) if asking else ()


def _cause_and_hint(house: House, finding: Finding) -> tuple[str, str]:
    if finding.kind == "missing" and finding.missing:
        return _explain_missing(house, finding, finding.missing)
    if finding.kind == "library":
        return finding.message, _library_hint(house, finding)
    hints = {
        "crash": "build it from its sdist, or take another version of it",
        "deadline": "its import waits for something that a container without network lacks",
        "import": "take another version of it",
        "program": "name the distribution's package that has the program under "
        f"[packages.{finding.culprit}] runtime-system",
    }
    hint = f"{hints.get(finding.kind, hints['import'])}; {skip_hint(finding)}"
    return finding.message, hint


def _explain_missing(house: House, finding: Finding, missing: str) -> tuple[str, str]:
    """A module is not there, and no requirement that is known would bring it."""
    python = house.manifest.target.python
    if _is_of(missing, _wheels(house, finding.distribution)):
        return (
            f"its own module {missing} is not in the wheel",
            f"take another version of it, or another of its files; {skip_hint(finding)}",
        )
    if removed_in(missing):
        return (
            f"it needs {missing}, which Python {python} no longer has",
            f"take a version of {finding.culprit} that knows Python {python}",
        )
    return (
        f"it needs {missing}, which the locked version of its provider does not have",
        f"take versions that fit together; {skip_hint(finding)}",
    )


def _library_hint(house: House, finding: Finding) -> str:
    if lacking_driver(finding):
        return (
            'say which CUDA the server\'s GPU runs, such as `cuda = "13.2"` under the target: what '
            f"only works beside its driver is left to the server then; {skip_hint(finding)}"
        )
    if library := cuda.library(_not_there(finding) or ""):
        projects = ", ".join(library.projects[major] for major in sorted(library.projects))
        return (
            "libraries of CUDA are never copied, and one that is opened by its name alone is "
            f"looked for on the machine: link with it, or open it by its path in {projects}, as "
            f"cuda-pathfinder does; {skip_hint(finding)}"
        )
    if "cannot load library" in finding.message or "find_library" in finding.message:
        return (
            "it looks for that library by name while it runs, so its wheel cannot bring it along: "
            "name the distribution's package that has it under "
            f"[packages.{finding.culprit}] runtime-system, or leave the module out: "
            f'[packages.{finding.distribution}] skip-imports = ["{finding.module}"]'
        )
    if any(isinstance(each.story, BuiltStory) for each in _wheels(house, finding.distribution)):
        return f"take another version of it; {skip_hint(finding)}"
    if "shared object file" in finding.message or "shared library" in finding.message.lower():
        return (
            "have it built from its sdist, which copies the library into the wheel "
            f'([packages.{finding.distribution}] source = "sdist"); {skip_hint(finding)}'
        )
    hint = (
        "have it built from its sdist against this platform "
        f'([packages.{finding.distribution}] source = "sdist"), or take another version of it'
    )
    return f"{hint}; {skip_hint(finding)}" if finding.what == "program" else hint


def skip_hint(finding: Finding) -> str:
    """How to leave the module out of the proof; a program goes with the whole distribution."""
    if finding.what == "program":
        return (
            "if nobody starts that program, leave the package out of the proof: "
            f'[packages.{finding.distribution}] skip-imports = ["*"]'
        )
    return (
        "if it cannot be imported by its nature, leave it out: "
        f'[packages.{finding.distribution}] skip-imports = ["{finding.module}"]'
    )
