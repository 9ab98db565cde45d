"""Whether a wheel fits a target. Pure: the wheel is known already, the target is an argument.

Nothing here imports or loads anything: that the wheel also works is for the proof, in a
container.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.text import clip
from wheelhouse.wheels import policy
from wheelhouse.wheels.findings import Finding
from wheelhouse.wheels.modules import extension_flavour, extension_stem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from wheelhouse.targets import Interpreter, Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Level, Origin, Rule

#: Folders where anyone may put a library for the loader to find.
_WORLD_WRITABLE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (looked for, not used)
#: Folders that the system's own packages fill; an RPATH to them changes nothing.
_SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
#: From here on `dlopen` refuses a library that asks for an executable stack.
_NO_EXECUTABLE_STACK = (2, 41)
#: The first Python with the stable ABI of free-threaded ones.
_FIRST_WITH_ABI3T = (3, 15)
_SHOWN_NAMES = 8
_SHOWN_SYMBOLS = 2
_LONGEST_SYMBOL = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """A wheel in its surroundings: all that a rule may look at."""

    wheel: Wheel
    target: Target
    interpreter: Interpreter
    provided: Mapping[str, str]
    system: Collection[str]
    origin: Origin

    @property
    def binaries(self) -> Iterator[Binary]:
        """What this target's loader could load; a wheel may carry other machines' files as data."""
        for binary in self.wheel.binaries:
            if binary.machine == self.target.arch and binary.is_loadable:
                yield binary

    @property
    def own_sonames(self) -> frozenset[str]:
        return frozenset(_sonames(self.wheel, self.target.arch))

    def find(
        self,
        rule: Rule,
        message: str,
        *,
        member: str | None = None,
        level: Level = "error",
        hint: str | None = None,
    ) -> Finding:
        return Finding(
            wheel=self.wheel.filename,
            member=member,
            rule=rule,
            level=level,
            message=message,
            hint=hint,
        )

    def way_out(self, when_built: str) -> str:
        if self.origin == "built":
            return when_built
        return f'Build it from source: [packages.{self.wheel.name}] source = "sdist".'


def check_wheel(
    wheel: Wheel,
    target: Target,
    interpreter: Interpreter,
    provided: Mapping[str, str],
    *,
    origin: Origin = "fetched",
    system: Collection[str] = (),
) -> tuple[Finding, ...]:
    """All that keeps *wheel* from running on *target*, and what else is worth knowing.

    :param interpreter: the target's Python, as probed.
    :param provided: soname -> file name of the wheel in the house that has it
        (:func:`provided_sonames`).
    :param origin: whether it came from an index or was built here; it decides the way out, and a
        built one may not lead into the place where it was built.
    :param system: further sonames that the target machine is known to have.
    """
    case = _Case(
        wheel=wheel,
        target=target,
        interpreter=interpreter,
        provided=provided,
        system=system,
        origin=origin,
    )
    return tuple(finding for rule in _RULES for finding in rule(case))


def check_house(
    wheels: Sequence[Wheel],
    target: Target,
    interpreter: Interpreter,
    *,
    built: Collection[str] = (),
    system: Collection[str] = (),
) -> tuple[Finding, ...]:
    """:func:`check_wheel` for each of *wheels*, which may use each other's libraries.

    :param built: the file names of those that were built here.
    """
    provided = provided_sonames(wheels, target)
    findings: list[Finding] = []
    for wheel in wheels:
        origin: Origin = "built" if wheel.filename in built else "fetched"
        findings += check_wheel(wheel, target, interpreter, provided, origin=origin, system=system)
    return tuple(findings)


def provided_sonames(wheels: Iterable[Wheel], target: Target) -> dict[str, str]:
    """Which wheel has which shared library for *target*, by soname and by file name."""
    return {soname: wheel.filename for wheel in wheels for soname in _sonames(wheel, target.arch)}


def system_needs(wheel: Wheel, target: Target) -> frozenset[str]:
    """The sonames that *wheel* takes from the target's system beyond what every Linux has.

    A policy may allow them (X11, OpenGL, GLib) although a small installation lacks them, so they
    belong to the stated requirements of a wheelhouse. Includes those of the GPU's driver.
    """
    own = frozenset(_sonames(wheel, target.arch))
    allowed = policy.system_sonames(target.preset.libc, target.arch) | policy.DRIVER_SONAMES
    needed = {
        soname
        for binary in wheel.binaries
        if binary.machine == target.arch
        for soname in binary.needed
    }
    libc = {name for name in needed if name.startswith("libc.musl-")}
    return frozenset((needed & allowed) - own - policy.BASE_SONAMES - libc)


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


def _check_tags(case: _Case) -> Iterator[Finding]:
    if case.wheel.tags.isdisjoint(case.interpreter.tags) and not _is_too_new(case):
        tags = ", ".join(sorted(map(str, case.wheel.tags)))
        yield case.find(
            "tags",
            f"it is made for {tags}, none of which {case.target.describe()} installs",
            hint=case.way_out("Build it with the target's own Python, in the target's builder."),
        )


def _is_too_new(case: _Case) -> bool:
    """Whether repair has given it the tag of a newer platform, for symbols that are told of."""
    return case.origin == "built" and any(_check_versions(case))


def _check_retagged(case: _Case) -> Iterator[Finding]:
    if case.wheel.retagged:
        yield case.find(
            "retagged",
            "its authors renamed it for a platform that it does not state itself",
            level="warning" if case.origin == "fetched" else "error",
            hint=case.way_out("Let repair state the platform: it writes the tags anew."),
        )


def _check_python(case: _Case) -> Iterator[Finding]:
    python, version = case.wheel.metadata.requires_python, case.interpreter.full_version
    if python is not None and not python.contains(version, prereleases=True):
        yield case.find(
            "requires-python",
            f"it requires Python {python}; the target has {version}",
            hint=f"Lock a version of {case.wheel.name} that supports Python {case.target.python}.",
        )


def _check_extension_abi(case: _Case) -> Iterator[Finding]:
    members = case.wheel.extensions
    if members and not any(_is_importable(case, member) for member in members):
        yield case.find(
            "extension-abi",
            f"Python {case.target.python} does not import files of this name, and the wheel has "
            "no extension module for it",
            member=members[0],
            hint=case.way_out("Build it with the target's own Python."),
        )


def _is_importable(case: _Case, member: str) -> bool:
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


def _check_machine(case: _Case) -> Iterator[Finding]:
    for binary in case.wheel.binaries:
        other = binary.machine != case.target.arch
        if other and binary.initializes and _is_importable(case, binary.member):
            yield case.find(
                "machine",
                f"it is compiled for {binary.machine}; the target is {case.target.arch}",
                member=binary.member,
                hint=case.way_out("Build it in an image of the target's architecture."),
            )


def _check_versions(case: _Case) -> Iterator[Finding]:
    limits = policy.symbol_limits(case.target.preset.libc, case.target.preset.glibcxx)
    own = case.own_sonames | case.provided.keys()
    too_new: defaultdict[tuple[str, str], list[Binary]] = defaultdict(list)
    for binary in case.binaries:
        for soname, name in binary.versions:
            known = policy.symbol_version(name)
            # A library that comes along has its own versions, whatever the system's has.
            if known and soname not in own and known[0] in limits and known[1] > limits[known[0]]:
                too_new[soname, name].append(binary)
    for (soname, name), binaries in too_new.items():
        family = name.partition("_")[0]
        yield case.find(
            "symbol-version",
            f"needs {name} of {soname}{_used_by(binaries[0], name)}; {case.target.preset.title} "
            f"has at most {family}_{limits[family]}{_and_others(binaries)}",
            member=binaries[0].member,
            hint=case.way_out(
                f'Build it in an older image: builder = "portable" under [targets.'
                f"{case.target.name}], or a platform there whose libc and libstdc++ are not newer "
                "than the target's."
            ),
        )


def _used_by(binary: Binary, version: str) -> str:
    """`` (hypotf, log and others)``: what it takes of a symbol version."""
    names = [clip(name, _LONGEST_SYMBOL) for name in binary.symbols.get(version, ())]
    more = " and others" if len(names) > _SHOWN_SYMBOLS else ""
    return f" ({', '.join(names[:_SHOWN_SYMBOLS])}{more})" if names else ""


def _check_libraries(case: _Case) -> Iterator[Finding]:
    missing = _missing_sonames(case)
    for soname in [name for name in missing if name in policy.DRIVER_SONAMES]:
        yield _driver(case, soname, missing.pop(soname))
    if missing and case.origin == "fetched" and not _is_useless_without(case, missing):
        yield _partly_missing(case, missing)
        return
    for soname, members in missing.items():
        if policy.is_libpython(soname):
            yield _linked_libpython(case, soname, members)
        else:
            yield _missing(case, soname, members)


def _missing_sonames(case: _Case) -> dict[str, list[str]]:
    """The libraries that nobody provides, and the members that need them."""
    known = (
        policy.system_sonames(case.target.preset.libc, case.target.arch)
        | case.own_sonames
        | case.provided.keys()
        | frozenset(case.system)
    )
    missing: dict[str, list[str]] = {}
    for binary in case.binaries:
        for soname in dict.fromkeys(binary.needed):
            if soname not in known and not policy.is_loader(soname):
                missing.setdefault(soname, []).append(binary.member)
    return missing


def _is_useless_without(case: _Case, missing: Mapping[str, Sequence[str]]) -> bool:
    """Whether none of the wheel's extension modules (or binaries, if it has none) would load.

    Authors leave libraries out on purpose where only a part needs them that few use (numba's
    OpenMP and TBB pools, Qt's plugins). What of it matters, importing in the proof shows.
    """
    binaries = list(case.binaries)
    lame = {member for members in missing.values() for member in members}
    while True:
        names = {name for b in binaries if b.member in lame for name in _names(b)}
        more = {b.member for b in binaries if names.intersection(b.needed)} - lame
        if not more:
            break
        lame |= more
    entries = {b.member for b in binaries if b.initializes} or {b.member for b in binaries}
    return entries <= lame


def _missing(case: _Case, soname: str, members: Sequence[str]) -> Finding:
    return case.find(
        "missing-library",
        f"needs {soname}, which neither this wheel, another wheel of the house nor the target's "
        f"platform has{_and_others(members)}",
        member=members[0],
        hint=case.way_out(
            f"Let repair graft it: name the system package that has {soname} in "
            f"[packages.{case.wheel.name}] system, or require the wheel that has it."
        ),
    )


def _partly_missing(case: _Case, missing: Mapping[str, Sequence[str]]) -> Finding:
    names = sorted(missing)
    shown = ", ".join(names[:_SHOWN_NAMES])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return case.find(
        "missing-library",
        f"a part of it needs {shown}{more}, which nothing in the house has; it works without "
        "that part at best",
        member=next(iter(missing.values()))[0],
        level="warning",
        hint="Install these libraries on the machines you deploy to, if you use that part.",
    )


def _linked_libpython(case: _Case, soname: str, members: Sequence[str]) -> Finding:
    return case.find(
        "libpython",
        f"is linked to {soname}, which many Pythons do not have as a file{_and_others(members)}",
        member=members[0],
        hint=case.way_out("Build it without linking libpython: an extension needs none."),
    )


def _driver(case: _Case, soname: str, members: Sequence[str]) -> Finding:
    return case.find(
        "driver",
        f"needs {soname} of the GPU's driver{_and_others(members)}",
        member=members[0],
        level="warning",
        hint="Install the NVIDIA driver on the machines you deploy to.",
    )


def _check_search_paths(case: _Case) -> Iterator[Finding]:
    leading: defaultdict[str, list[str]] = defaultdict(list)
    for binary in case.binaries:
        for folder in dict.fromkeys(binary.search):
            if not folder.startswith(("$ORIGIN", "${ORIGIN}")):
                leading[folder].append(binary.member)
    for folder, members in leading.items():
        level = _search_level(folder, case.origin)
        if level:
            yield case.find(
                "search-path",
                f"looks for libraries in {_shown_folder(folder)}, which is not part of the wheel"
                f"{_and_others(members)}",
                member=members[0],
                level=level,
                hint=case.way_out("Build it without that RPATH, or let repair rewrite it."),
            )


def _search_level(folder: str, origin: Origin) -> Level | None:
    """How bad it is that the loader looks in *folder*.

    Published wheels often keep paths of the machines that made them. Where only root could put a
    library there, that is harmless (scipy, shapely). A path from the current folder is worth a
    word, but too common to refuse (LLVM's programs). Our own wheels must be clean.
    """
    place = posixpath.normpath(folder) if folder.startswith("/") else None
    if place is not None and _is_below(place, _SYSTEM_FOLDERS):
        return None
    if origin == "built" or (place is not None and _is_below(place, _WORLD_WRITABLE)):
        return "error"
    return "warning" if place is None else None


def _shown_folder(folder: str) -> str:
    if not folder:
        return "the current folder"
    return folder if folder.startswith("/") else f"{folder}, seen from the current folder"


def _is_below(place: str, folders: Iterable[str]) -> bool:
    return any(place == folder or place.startswith(f"{folder}/") for folder in folders)


def _check_stack(case: _Case) -> Iterator[Finding]:
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


def _check_broken(case: _Case) -> Iterator[Finding]:
    for member, reason in case.wheel.broken_binaries:
        level: Level = "error" if extension_stem(member) else "warning"
        yield case.find(
            "broken-binary",
            f"begins as an ELF file but is not one: {reason}",
            member=member,
            level=level,
            hint=case.way_out("Build it again; look for the linker's error in the log."),
        )


def _check_pth(case: _Case) -> Iterator[Finding]:
    for member in case.wheel.pth:
        yield case.find(
            "pth",
            "runs at every start of Python, whether or not the package is imported",
            member=member,
            level="warning",
            hint="Read it before you deploy.",
        )


_RULES: tuple[Callable[[_Case], Iterator[Finding]], ...] = (
    _check_tags,
    _check_retagged,
    _check_python,
    _check_extension_abi,
    _check_machine,
    _check_versions,
    _check_libraries,
    _check_search_paths,
    _check_stack,
    _check_broken,
    _check_pth,
)


def _sonames(wheel: Wheel, arch: str) -> Iterator[str]:
    for binary in wheel.binaries:
        if binary.machine == arch and binary.kind == "ET_DYN":
            yield from _names(binary)


def _names(binary: Binary) -> Iterator[str]:
    """What a library can be asked for by."""
    yield posixpath.basename(binary.member)
    if binary.soname:
        yield binary.soname


def _and_others(members: Sequence[object]) -> str:
    more = len(members) - 1
    return f" (and so for {more} other file{'s' if more > 1 else ''})" if more else ""
