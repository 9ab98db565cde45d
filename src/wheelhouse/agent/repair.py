"""What makes a wheel work beyond its builder; and the job ``repair``, which does it once more.

A build's wheel is repaired before anybody knows the other wheels of the house. If it uses
libraries that one of these may have, it is sent as it was, too, for a second repair, from which
those are left out: it then looks for them where the other wheels have them.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from . import environment
from .archives import read_archive
from .errors import JobError
from .streams import ArchiveProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from .channel import Channel

#: The program that auditwheel is run by; its folder for what it is told, and tells.
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grafting.py")
FOLDER, TERMS, TOLD = "WHEELHOUSE_REPAIR", "terms.json", "told.json"

#: How auditwheel speaks of a wheel that says it is for one platform and has nothing compiled in it.
NO_ELF = "This does not look like a platform wheel"

#: How auditwheel says that a wheel needs newer symbols than its policy has.
TOO_NEW = "presence of too-recent versioned symbols"

#: A wheel as it was built, with what of the build itself it needs; and its folder in there.
UNREPAIRED = "unrepaired.tar"
AS_BUILT = "unrepaired"


def run(job: dict[str, Any], root: str, channel: Channel) -> dict[str, object]:
    """Repair a wheel again, and send it; return what was done to it, as :func:`repair` does.

    ``ways`` of *job* says in which folder of site-packages another wheel has which library.
    """
    folders = _unpack(root)
    wheel = only_wheel(os.path.join(root, AS_BUILT), "the build")
    variables = environment.variables(job, root, os.path.join(root, "env"))
    variables["AUDITWHEEL_LD_LIBRARY_PATH"] = os.pathsep.join(sorted(folders))
    wheel, told = repair(job, wheel, root, variables)
    channel.file(os.path.basename(wheel), wheel)
    return told


def _unpack(root: str) -> set[str]:
    """Put what was packed back where it was in *root*; the folders of that.

    Foreign code ran where it was packed. So nothing but files comes out, and nothing that adds to
    what is in *root* already, such as the agent.

    :raises JobError: ``repair``, if there is anything else.
    """
    there, folders = {*os.listdir(root)}, set()
    try:
        for member, content in read_archive(os.path.join(root, UNREPAIRED), one_top=False):
            if member.kind != "file" or member.name.partition("/")[0] in there:
                raise JobError("repair", f"{member.name!r} was packed with the wheel")
            path = os.path.join(root, member.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.writelines(content)
            folders.add(os.path.dirname(path))
    except (ArchiveProblem, OSError) as error:
        raise JobError("repair", f"what was packed with the wheel is damaged: {error}") from error
    return folders


def repair(
    job: Mapping[str, Any],
    wheel: str,
    root: str,
    variables: Mapping[str, str],
    channel: Channel | None = None,
) -> tuple[str, dict[str, object]]:
    """The path of *wheel* once it is repaired, and what was done.

    That is ``repaired``, true, and ``repair``: ``grafted``, the sonames of libraries that were
    copied in, with the symbol versions that the wheel requires of each; ``places``, where in *root*
    those of them lay that are not the image's; ``unlocated``, those that are nowhere; ``excluded``,
    those that were not to be copied; ``search``, by member, folders outside of the wheel that it
    was built to look in, and looks in no more.

    :param channel: gets the wheel as it was, if another wheel may have some of its libraries.
    :raises JobError: ``repair``, or ``extension``, if it has nothing compiled and may not be so.
    """
    os.makedirs(os.path.join(root, "repair"))
    with open(os.path.join(root, "repair", TERMS), "w", encoding="utf-8") as file:
        json.dump(job.get("ways", {}), file)
    folder = os.path.join(root, "repaired")
    # Without `--only-plat` it also gets the lowest tag it deserves. One that is too new for the
    # policy is repaired for whatever it fits: only with the libraries that it brings along can the
    # gate tell which file needs what, and refuse it.
    done = _auditwheel(job, str(job["policy"]), wheel, root, variables)
    if TOO_NEW in done.stdout:
        done = _auditwheel(job, "auto", wheel, root, variables)
    if NO_ELF in done.stdout:
        if job["allow_pure"]:
            return wheel, {"repaired": True}
        raise JobError("extension", "its C extension was left out, although the build succeeded")
    if done.returncode:
        raise JobError("repair", _last_line(done.stdout) or "auditwheel failed")
    with open(os.path.join(root, "repair", TOLD), encoding="utf-8") as file:
        told = json.load(file)
    excluded = [each for each in told["needed"] if _is_among(job["exclude"], each)]
    if channel is not None and (told["grafted"] or told["unlocated"] or excluded):
        _make_room(root, told["grafted"].values())
        path = _pack(wheel, told["grafted"], root)
        channel.file(UNREPAIRED, path)
        os.unlink(path)
    done_to_it = {
        "grafted": told["versions"],
        "places": dict(_places(told["grafted"], root)),
        "unlocated": told["unlocated"],
        "excluded": excluded,
        "search": told["search"],
    }
    return only_wheel(folder, "auditwheel"), {"repaired": True, "repair": done_to_it}


def _is_among(patterns: Iterable[str], soname: str) -> bool:
    return any(fnmatch(soname, pattern) for pattern in patterns)


def _auditwheel(
    job: Mapping[str, Any], policy: str, wheel: str, root: str, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Have *wheel* repaired for *policy*; what auditwheel prints is logged too."""
    arguments = [
        *("repair", "--plat", policy, "--strip", "--wheel-dir", os.path.join(root, "repaired")),
        *excluding(job["exclude"]),
        wheel,
    ]
    path = os.pathsep.join([str(job["tools"]["path"]), variables["PATH"]])
    folder = os.path.join(root, "repair")
    done = run_auditwheel(job, arguments, {**variables, "PATH": path, FOLDER: folder})
    sys.stderr.write(done.stdout)
    return done


def excluding(sonames: Iterable[str]) -> list[str]:
    """The arguments that keep auditwheel from copying libraries; they may be patterns."""
    return [part for soname in sonames for part in ("--exclude", soname)]


def run_auditwheel(
    job: Mapping[str, Any], arguments: Sequence[str], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run auditwheel with *arguments*; its output, errors included, is in the result's stdout."""
    return subprocess.run(
        [job["tools"]["python"], "-I", PROGRAM, *arguments],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def only_wheel(folder: str, who: str) -> str:
    """The one wheel in *folder*. What a backend says it made is not believed: only what lies there.

    Raises JobError(``build``) for none, several, or one that is no regular file.
    """
    names = [name for name in os.listdir(folder) if name.endswith(".whl")]
    if len(names) != 1:
        raise JobError("build", f"{who} left {len(names)} wheels instead of one")
    path = os.path.join(folder, names[0])
    mode = os.lstat(path).st_mode
    if not stat.S_ISREG(mode) or mode & (stat.S_ISUID | stat.S_ISGID):
        raise JobError("build", f"{who} left {names[0]}, which is no regular file")
    return path


def _pack(wheel: str, grafted: Mapping[str, str], root: str) -> str:
    """An archive of *wheel* and of those *grafted* that the image lacks: they were in *root*.

    There they will be again, so that the wheel's files find them in the same way.
    """
    members = {f"{AS_BUILT}/{os.path.basename(wheel)}": wheel}
    for soname, place in _places(grafted, root):
        members[place] = os.path.realpath(grafted[soname])
    packed = os.path.join(root, UNREPAIRED)
    write_tar(packed, members)
    return packed


def _places(grafted: Mapping[str, str], root: str) -> Iterator[tuple[str, str]]:
    """The sonames of those *grafted* that are in *root*, and where they are found there."""
    top = os.path.realpath(root)
    for soname, path in grafted.items():
        real = os.path.realpath(path)
        if _is_below(top, real):
            place = os.path.abspath(path)  # a link of the builder may lead here from outside
            folder = os.path.dirname(place if _is_below(top, place) else real)
            yield soname, os.path.relpath(os.path.join(folder, soname), top)


def _make_room(root: str, used: Iterable[str]) -> None:
    """Remove the source, and what was compiled in it, unless a library in it is *used*.

    It may be in memory, as all that is written yet is.
    """
    source = os.path.realpath(os.path.join(root, "source"))
    if not any(_is_below(source, os.path.realpath(path)) for path in used):
        shutil.rmtree(source, ignore_errors=True)


def _is_below(folder: str, path: str) -> bool:
    return os.path.commonpath([folder, path]) == folder


def write_tar(path: str, members: Mapping[str, str]) -> None:
    """Write an archive of the files *members*, by their names in it; the same for the same."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(members):
            entry = tarfile.TarInfo(name)
            entry.size = os.stat(members[name]).st_size
            with open(members[name], "rb") as file:
                archive.addfile(entry, file)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("auditwheel: error: ") if lines else ""
