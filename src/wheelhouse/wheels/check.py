"""Whether a wheel fits a target. Pure: the wheel is known already, the target is an argument.

Nothing here imports or loads anything: that the wheel also works is for the proof, in a
container.
"""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING

from wheelhouse.text import clip
from wheelhouse.wheels import policy
from wheelhouse.wheels.case import Case, and_others
from wheelhouse.wheels.findings import Finding
from wheelhouse.wheels.gpus import check_cuda, check_gpus
from wheelhouse.wheels.libraries import check_libraries
from wheelhouse.wheels.modules import extension_flavour, extension_stem
from wheelhouse.wheels.neighbours import check_library_versions, check_reach
from wheelhouse.wheels.searchpaths import check_search_paths
from wheelhouse.wheels.sharing import libraries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.targets import Interpreter, Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Level, Origin
    from wheelhouse.wheels.sharing import Library

    Asks = Mapping[NormalizedName, Collection[NormalizedName]]

#: The level of x86-64 that every server's CPU has had for fifteen years. manylinux_2_34's compiler
#: declares it by itself.
CPU_LEVEL = 2
#: From here on `dlopen` refuses a library that asks for an executable stack.
_NO_EXECUTABLE_STACK = (2, 41)
#: The first Python with the stable ABI of free-threaded ones.
_FIRST_WITH_ABI3T = (3, 15)
_SHOWN_SYMBOLS = 2
_LONGEST_SYMBOL = 60


def check_wheel(
    wheel: Wheel,
    target: Target,
    interpreter: Interpreter,
    provided: Mapping[str, Sequence[Library]],
    *,
    origin: Origin = "fetched",
    system: Collection[str] = (),
    any_cuda: bool = False,
    asks: Asks = MappingProxyType({}),
) -> tuple[Finding, ...]:
    """All that keeps *wheel* from running on *target*, and what else is worth knowing.

    :param interpreter: the target's Python, as probed.
    :param provided: the libraries of the house it is in (:func:`wheels.sharing.libraries_of`).
    :param origin: whether it came from an index or was built here; it decides the way out, and a
        built one may not lead into the place where it was built.
    :param system: further sonames that the target machine is known to have.
    :param any_cuda: whether it may be made for another CUDA than the target's.
    :param asks: which projects each of the house requires (:func:`wheels.sharing.who_asks`).
    """
    case = Case(
        wheel=wheel,
        target=target,
        interpreter=interpreter,
        provided=provided,
        system=system,
        origin=origin,
        any_cuda=any_cuda,
        asks=asks,
    )
    return tuple(finding for rule in _RULES for finding in rule(case))


def check_house(
    wheels: Sequence[Wheel],
    target: Target,
    interpreter: Interpreter,
    *,
    built: Collection[str] = (),
    system: Collection[str] = (),
    any_cuda: Collection[NormalizedName] = (),
    asks: Asks = MappingProxyType({}),
) -> tuple[Finding, ...]:
    """:func:`check_wheel` for each of *wheels*, which may use each other's libraries.

    :param built: the file names of those that were built here.
    :param any_cuda: the projects whose wheels may be made for another CUDA than the target's.
    :param asks: which projects each of the house requires (:func:`wheels.sharing.who_asks`).
    """
    provided = libraries_of(wheels, target)
    findings: list[Finding] = []
    for wheel in wheels:
        origin: Origin = "built" if wheel.filename in built else "fetched"
        findings += check_wheel(
            wheel,
            target,
            interpreter,
            provided,
            origin=origin,
            system=system,
            any_cuda=wheel.name in any_cuda,
            asks=asks,
        )
    return tuple(findings)


def lost_extension(wheel: Wheel, *, expected: bool) -> Finding | None:
    """What is wrong if a *built* wheel has no compiled code although it should.

    Some projects make their C extension optional: when the compiler fails, the build succeeds,
    without it. A wheel that names a platform and has nothing for it gives itself away.

    :param expected: whether the package is known to be native (its sdist has such sources and
        builds an extension elsewhere, or an index has wheels of it for platforms).
    """
    for_platform = all(tag.platform != "any" for tag in wheel.tags)
    if not wheel.is_pure or not (expected or for_platform):
        return None
    reason = "is made for one platform" if for_platform else "should have compiled code"
    return Finding(
        wheel=wheel.filename,
        member=None,
        rule="lost-extension",
        level="error",
        message=f"it {reason}, but has none: its extension was left out during the build",
        hint="Look for the compiler's error in the build's log; if it may do without, "
        f"set [packages.{wheel.name}] allow-pure = true.",
    )


# --- rules ---------------------------------------------------------------------------------------


def _check_tags(case: Case) -> Iterator[Finding]:
    if case.wheel.tags.isdisjoint(case.interpreter.tags) and not _is_too_new(case):
        tags = ", ".join(sorted(map(str, case.wheel.tags)))
        yield case.find(
            "tags",
            f"it is made for {tags}, none of which {case.target.describe()} installs",
            hint=case.way_out("Build it with the target's own Python, in the target's builder."),
        )


def _is_too_new(case: Case) -> bool:
    """Whether repair has given it the tag of a newer platform, for symbols that are told of."""
    return case.origin == "built" and any(_check_versions(case))


def _check_retagged(case: Case) -> Iterator[Finding]:
    if case.wheel.retagged:
        yield case.find(
            "retagged",
            "its authors renamed it for a platform that it does not state itself",
            level="warning" if case.origin == "fetched" else "error",
            hint=case.way_out("Let repair state the platform: it writes the tags anew."),
        )


def _check_python(case: Case) -> Iterator[Finding]:
    python, version = case.wheel.metadata.requires_python, case.interpreter.full_version
    if python is not None and not python.contains(version, prereleases=True):
        yield case.find(
            "requires-python",
            f"it requires Python {python}; the target has {version}",
            hint=f"Lock a version of {case.wheel.name} that supports Python {case.target.python}.",
        )


def _check_extension_abi(case: Case) -> Iterator[Finding]:
    members = case.wheel.extensions
    if members and not any(_is_importable(case, member) for member in members):
        yield case.find(
            "extension-abi",
            f"Python {case.target.python} does not import files of this name, and the wheel has "
            "no extension module for it",
            member=members[0],
            hint=case.way_out("Build it with the target's own Python."),
        )


def _is_importable(case: Case, member: str) -> bool:
    """Whether the target's Python looks for an extension module under this name."""
    if case.interpreter.environment["implementation_name"] != "cpython":
        return True
    flavour = extension_flavour(member)
    return not flavour or any(
        flavour == known or flavour.startswith(f"{known}-{case.target.arch}-")
        for known in _flavours(case.interpreter)
    )


def _flavours(interpreter: Interpreter) -> Iterator[str]:
    """What *interpreter* knows between a module's name and ``.so``; each may end in the platform.

    From 3.15 on, ``abi3t`` is for both kinds of Python (PEP 803). ``abi3`` is of no use to a
    free-threaded one, although those before 3.15 look for it.
    """
    yield f"cpython-{interpreter.short_version.replace('.', '')}"
    if not interpreter.is_free_threaded:
        yield "abi3"
    if interpreter.full_version.release >= _FIRST_WITH_ABI3T:
        yield "abi3t"


def _check_machine(case: Case) -> Iterator[Finding]:
    for binary in case.wheel.binaries:
        other = binary.machine != case.target.arch
        if other and binary.initializes and _is_importable(case, binary.member):
            yield case.find(
                "machine",
                f"it is compiled for {binary.machine}; the target is {case.target.arch}",
                member=binary.member,
                hint=case.way_out("Build it in an image of the target's architecture."),
            )


def _check_versions(case: Case) -> Iterator[Finding]:
    limits = policy.symbol_limits(case.target.preset.libc, case.target.preset.glibcxx)
    own = case.own_sonames | case.available
    too_new: defaultdict[tuple[str, str], list[Binary]] = defaultdict(list)
    for binary in case.binaries:
        for soname, name in binary.versions:
            known = policy.symbol_version(name)
            # A library that comes along has its own versions, whatever the system's has.
            if known and soname not in own and known[0] in limits and known[1] > limits[known[0]]:
                too_new[soname, name].append(binary)
    for (soname, name), binaries in too_new.items():
        family = name.partition("_")[0]
        used = _used_by(binaries[0], soname, name)
        yield case.find(
            "symbol-version",
            f"needs {name} of {soname}{used}; {case.target.preset.title} has at most "
            f"{family}_{limits[family]}{and_others(binaries)}",
            member=binaries[0].member,
            hint=case.way_out(
                f'Build it in an older image: builder = "portable" under [targets.'
                f"{case.target.name}], or a platform there whose libc and libstdc++ are not newer "
                "than the target's."
            ),
        )


def _check_cpu_level(case: Case) -> Iterator[Finding]:
    too_new: defaultdict[int, list[Binary]] = defaultdict(list)
    for binary in case.binaries:
        # glibc chooses itself among what is in this folder.
        if binary.cpu_level > CPU_LEVEL and "/glibc-hwcaps/" not in f"/{binary.member}":
            too_new[binary.cpu_level].append(binary)
    for level, binaries in too_new.items():
        yield case.find(
            "cpu-level",
            f"declares that it needs a CPU of x86-64-v{level}, without which it is not loaded; "
            f"more than x86-64-v{CPU_LEVEL} is not taken for granted{and_others(binaries)}",
            member=binaries[0].member,
            hint=case.way_out(f"Build it without -march=x86-64-v{level} and -mneeded."),
        )


def _used_by(binary: Binary, soname: str, version: str) -> str:
    """`` (hypotf, log and others)``: what it takes of a symbol version."""
    names = [clip(name, _LONGEST_SYMBOL) for name in binary.symbols.get((soname, version), ())]
    more = " and others" if len(names) > _SHOWN_SYMBOLS else ""
    return f" ({', '.join(names[:_SHOWN_SYMBOLS])}{more})" if names else ""


def _check_stack(case: Case) -> Iterator[Finding]:
    libc = case.target.preset.libc
    if libc.family != "glibc" or libc.version < _NO_EXECUTABLE_STACK:
        return
    for binary in case.binaries:
        if binary.executable_stack and binary.interpreter is None and binary.kind == "ET_DYN":
            yield case.find(
                "executable-stack",
                f"asks for an executable stack, which {libc} refuses to a library",
                member=binary.member,
                hint=case.way_out("Link it with -Wl,-z,noexecstack."),
            )


def _check_broken(case: Case) -> Iterator[Finding]:
    for member, reason in case.wheel.broken_binaries:
        level: Level = "error" if extension_stem(member) else "warning"
        yield case.find(
            "broken-binary",
            f"begins as an ELF file but is not one: {reason}",
            member=member,
            level=level,
            hint=case.way_out("Build it again; look for the linker's error in the log."),
        )


def _check_pth(case: Case) -> Iterator[Finding]:
    for member in case.wheel.pth:
        yield case.find(
            "pth",
            "runs at every start of Python, whether or not the package is imported",
            member=member,
            level="warning",
            hint="Read it before you deploy. To hear no more of it: "
            f"[packages.{case.wheel.name}] allow-pth = true",
        )


_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _check_tags,
    _check_retagged,
    _check_python,
    _check_extension_abi,
    _check_machine,
    _check_versions,
    _check_cpu_level,
    check_libraries,
    check_search_paths,
    check_reach,
    check_library_versions,
    check_cuda,
    check_gpus,
    _check_stack,
    _check_broken,
    _check_pth,
)
