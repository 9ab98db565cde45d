"""Symptoms of compilers and linkers, and of what a build may not or cannot do in its container."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.building.answers import env_fix, other_cpu, other_system
from wheelhouse.building.symptoms import Diagnosis, Rank, Symptom, first_group, quoted
from wheelhouse.cuda import releases, split

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log

_NEWER = (
    "pin a newer {package}, which knows the target's Python, libraries and compiler, or choose a "
    "target with an older Python"
)


def _compile_error(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="compile-error",
        cause=f"its code does not compile: {quoted(match.group(1), 200)}",
        hint=_NEWER.format(package=log.package),
        dated="site-packages" in match.group(),
    )


def _old_c(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="old-c",
        cause=f"its C is of a kind that gcc refuses since 14: {quoted(first_group(match))}",
        hint=f"pin a newer {log.package}, or have gcc take it as before",
        fix=env_fix(log.package, "CFLAGS", "-fpermissive"),
    )


def _werror(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="warnings-as-errors",
        cause=f"it has its compiler's warnings be errors, and this compiler warns:"
        f" {quoted(first_group(match))}",
        hint=f"pin a newer {log.package}, or a target with an older compiler",
    )


def _standard(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="language-standard",
        cause=f"its code is for a newer C or C++ than it is compiled as:"
        f" {quoted(first_group(match))}",
        hint=f"pin an older {log.package}, or choose a target whose distribution has a newer "
        "compiler",
    )


def _flag(match: re.Match[str], log: Log) -> Diagnosis | None:
    flag = match.group(1)
    if flag.startswith("-std="):
        return _standard(match, log)
    if flag in {"-arch", "-mmacosx-version-min", "-framework"}:
        return other_system(log.package, f"it gives its compiler {flag}")
    if flag.startswith("-m"):
        return other_cpu(log.package, f"it gives its compiler {flag}")
    return Diagnosis(
        kind="compiler-flag",
        cause=f"it gives its compiler {flag}, which this one does not know",
        hint=f"pin another version of {log.package}, or a target with the compiler it expects",
    )


def _cpu(match: re.Match[str], log: Log) -> Diagnosis | None:
    return other_cpu(log.package, quoted(match.group().strip(" :")))


def _gpu(match: re.Match[str], log: Log) -> Diagnosis | None:
    """Code for a GPU that this compiler does not know, whatever else the build is given."""
    number = str(split(match.group(2))[0])
    having = [version for version, each in releases().items() if number in each.arches]
    used = log.toolkit or max(releases())
    later = [version for version in having if log.toolkit is None or version > log.toolkit]
    this = f"CUDA {log.toolkit}, that it is built with," if log.toolkit else "this CUDA"
    other, version = "", None
    if having and having[-1] < used:
        other, version = "an older", having[-1]
        why = f"which {this} no longer makes (CUDA {version} does)"
    elif later:
        other, version = "a newer", later[0]
        why = f"which {this} does not make yet (CUDA {version} does)"
    else:
        why = "which no CUDA makes"
    return Diagnosis(
        kind="gpu-architecture",
        cause=f"its build asks for code for {match.group(1)}, {why}",
        hint="have it ask for that of the target's GPUs alone by the package's own switch, a "
        f"variable under [packages.{log.package}.env] or one of config-settings"
        + (
            f", or build with {other} toolkit: by `cuda` of the target, such as "
            f'"{version}", and a `builder` that goes with it'
            if version
            else ""
        ),
    )


def _error_directive(match: re.Match[str], log: Log) -> Diagnosis | None:
    words = match.group(1)
    if re.search(r"C(?:\+\+|)[ -]?(?:1[147]|2[0-9]|99)", words):
        return _standard(match, log)
    if re.search(r"(?i)\b(?:architecture|cpu|endian|processor|platform)\b", words):
        return _cpu(match, log)
    return Diagnosis(
        kind="error-directive",
        cause=f"its code refuses to be compiled: {quoted(words, 200)}",
        hint=_NEWER.format(package=log.package),
    )


def _undefined(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="undefined-reference",
        cause=f"it does not link: no library that it is linked with has"
        f" {quoted(match.group(1), 100)}",
        hint=f"pin another version of {log.package}, which knows the distribution's libraries, or "
        "add the one that has it by `system`",
    )


def _multiple(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="multiple-definition",
        cause=f"it does not link: {match.group(1)} is defined several times, as gcc refuses"
        f" since 10",
        hint=f"pin a newer {log.package}, or have gcc take it as before",
        fix=env_fix(log.package, "CFLAGS", "-fcommon"),
    )


def _fpic(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="not-position-independent",
        cause=f"it does not link: {quoted(match.group(1), 100)} was not compiled with -fPIC",
        hint="have all of it compiled so; a library of the distribution's that is meant to be "
        "linked in has a shared form, which its build should use",
        fix=env_fix(log.package, "CFLAGS", "-fPIC"),
    )


def _compiler_bug(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="compiler-bug",
        cause="the compiler itself failed: internal compiler error",
        hint=f"pin another version of {log.package}, or choose a target with another compiler; "
        "less memory than it needs can be the reason, too: `memory` under [limits]",
    )


def _memory(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="memory",
        cause="the build ran out of memory",
        hint='raise `memory` under [limits] in wheelhouse.toml, such as memory = "8GiB"',
    )


def _disk(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="disk-full",
        cause="the build's folder, which is in memory, is full",
        hint='raise `memory` under [limits] in wheelhouse.toml, such as memory = "8GiB"',
    )


def _outside(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="writes-outside",
        cause=f"its build writes to {quoted(first_group(match), 100)}, outside of its own folder",
        hint=f"pin another version of {log.package}, or set what tells it another folder under "
        f"`[packages.{log.package}.env]`",
    )


def _not_executable(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="not-executable",
        cause=f"its build runs {match.group(1)}, which its sdist has without the right to be run",
        hint=f"pin another version of {log.package}, or tell the project's maintainers",
    )


CODE: tuple[Symptom, ...] = (
    Symptom(r"No space left on device|Disk quota exceeded", _disk, Rank.DECISIVE),
    Symptom(
        r"Killed signal terminated program|virtual memory exhausted|out of memory allocating"
        r"|Cannot allocate memory|^MemoryError\b|fatal error: Killed",
        _memory,
        Rank.DECISIVE,
    ),
    Symptom(r"internal compiler error", _compiler_bug, Rank.DECISIVE),
    Symptom(
        r"Unsupported gpu architecture '((?:sm|compute|lto)_([1-9]\d{1,2}[af]?))'",
        _gpu,
        Rank.DECISIVE,  # CMake says before that a compiler which cannot do that is broken
    ),
    Symptom(
        r"Read-only file system: '([^'\n]{1,200})'|cannot create ([^\n:]{1,200}): Read-only",
        _outside,
    ),
    Symptom(
        r"PermissionError: \[Errno 13\] Permission denied: '(?:[^'\n]{1,200}' ->"
        r" ')?(/(?!build|tmp)[^'\n]{1,200})'",
        _outside,
    ),
    Symptom(
        r"error: could not create '(/(?!build|tmp)[^'\n]{1,200})': Permission denied", _outside
    ),
    Symptom(
        r"cannot create (?:directory|regular file) '(/(?!build|tmp)[^'\n]{1,200})': "
        r"(?:Permission|Read-only)",
        _outside,
    ),
    Symptom(
        r"(?:sh|bash): (?:line )?\d{1,6}: ([\w./+-]{1,100}): Permission denied", _not_executable
    ),
    Symptom(
        r"PermissionError: \[Errno 13\] Permission denied: '((?:\./)?[\w.+-][\w./+-]{0,100})'",
        _not_executable,
    ),
    # What gcc 14 refuses, and earlier ones took
    Symptom(
        r": error: ((?:implicit declaration of function|type defaults to)[^\n]{1,120})\[-W", _old_c
    ),
    Symptom(
        r": error: ([^\n]{1,160}(?:incompatible pointer type|makes (?:integer|pointer) from "
        r"(?:integer|pointer))"
        r"[^\n]{0,120})\[-W",
        _old_c,
    ),
    Symptom(r": error: ([^\n]{1,200}) \[-Werror(?:=[\w-]{1,40})?\]", _werror),
    Symptom(r"all warnings being treated as (errors)", _werror),
    # Options and processors
    Symptom(r"error: unrecognized command[- ]line option ['\"](-[^'\"\n]{1,80})", _flag),
    Symptom(r"error: (?:unknown argument|invalid value)[^\n]{0,20}: '(-[^'\n]{1,80})'", _flag),
    Symptom(r"bad value ['(]'?[\w.+-]{1,40}'?[)']? for '(-m\w{1,20}=?)", _flag),
    Symptom(r"error: inlining failed in call to[^\n]{1,200}target specific option mismatch", _cpu),
    Symptom(r"(?i)\berror: [^\n]{0,80}unsupported (?:architecture|cpu|processor)[^\n]{0,60}", _cpu),
    Symptom(r"error: #error ([^\n]{1,200})", _error_directive),
    Symptom(
        r"note: ([^\n]{1,80}is only available from C\+\+\d\d[^\n]{0,40})", _standard, Rank.DECISIVE
    ),
    Symptom(
        r"#(?:warning|error) ([^\n]{0,20}[Tt]his file requires compiler and library"
        r" support[^\n]{0,80})",
        _standard,
    ),
    # Linkers
    Symptom(
        r"relocation [^\n]{1,200}symbol [`']([^'\n]{1,100})[^\n]{1,120}recompile with -fPIC",
        _fpic,
    ),
    Symptom(r"multiple definition of [`']([^'\n]{1,100})", _multiple),
    Symptom(r"undefined reference to [`']([^'\n]{1,120})", _undefined),
    Symptom(r"ImportError: [^\n]{1,200}undefined symbol: (\w{1,120})", _undefined),
    Symptom(
        r"^[ \t]{0,10}([\w./+-]{1,200}\.\w{1,4}:\d{1,7}:\d{1,5}: (?:fatal )?error: [^\n]{1,300})",
        _compile_error,
    ),
    Symptom(
        r"^[ \t]{0,10}([\w-]{0,30}(?:gcc|g\+\+|cc1|cc1plus|clang|clang\+\+): (?:fatal"
        r" )?error: [^\n]{1,200})",
        _compile_error,
        Rank.VAGUE,
    ),
    Symptom(
        r"^[ \t]{0,10}error(?:\[E\d{4}\])?: (could not compile `[\w-]{1,80}`[^\n]{0,80})",
        _compile_error,
    ),
)
