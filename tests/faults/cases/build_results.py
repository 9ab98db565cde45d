"""Group 6: build backends that leave something else than the wheel that is wanted.

Each is run for real, all in one run: a build that fails stops no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.case import Case
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from faults.world import World

#: What each does, once its wheel *f* lies in the folder *d*, and what is said of it.
RESULTS: dict[str, tuple[str, str]] = {
    "outside": (
        "os.rename(d + '/' + f, d + '/../../' + f)\n    return '../../' + f",
        "left 0 wheels instead of one",
    ),
    "absent": ("os.remove(d + '/' + f)", "left 0 wheels instead of one"),
    "two": (
        "import shutil\n    shutil.copy(d + '/' + f, d + '/x-' + f)",
        "left 2 wheels instead of one",
    ),
    "link": (
        "os.rename(d + '/' + f, d + '/../' + f)\n    os.symlink('../' + f, d + '/' + f)",
        "which is no regular file",
    ),
    "linked-secret": (
        "os.remove(d + '/' + f)\n    os.symlink('/etc/passwd', d + '/' + f)",
        "which is no regular file",
    ),
    "pipe": ("os.remove(d + '/' + f)\n    os.mkfifo(d + '/' + f)", "which is no regular file"),
    "folder": ("os.remove(d + '/' + f)\n    os.mkdir(d + '/' + f)", "which is no regular file"),
    "socket": (
        "import socket\n    os.remove(d + '/' + f)\n    os.chdir(d); socket.socket(1).bind(f)",
        "which is no regular file",
    ),
    "setuid": ("os.chmod(d + '/' + f, 0o4755)", "which is no regular file"),
    "sparse": ("os.truncate(d + '/' + f, 10 << 40)", "more than the limit"),
    "another": (
        "os.rename(d + '/' + f, d + '/other-1.0-py3-none-any.whl')",
        "other-1.0-py3-none-any.whl is not a sound wheel",
    ),
    "another-version": (
        "os.rename(d + '/' + f, d + '/' + f.replace('1.0', '2.0'))",
        "another_version-2.0-py3-none-any.whl is not a sound wheel",
    ),
    "newline": ("os.rename(d + '/' + f, d + '/a\\n' + f)", "it sent a file by the name"),
    "escape": ("os.rename(d + '/' + f, d + '/\\x1b[2J' + f)", "it sent a file by the name"),
    "not-utf8": (
        "os.rename(os.fsencode(d + '/' + f), os.fsencode(d) + b'/\\xff' + os.fsencode(f))",
        "it sent a file by the name",
    ),
    "trailing": (
        "open(d + '/' + f, 'ab').write(b'more')",
        "trailing-1.0-py3-none-any.whl is not a sound wheel",
    ),
    "cut": (
        "os.truncate(d + '/' + f, 300)",
        "cut-1.0-py3-none-any.whl is not a sound wheel",
    ),
    "text": (
        "open(d + '/' + f, 'w').write('wheel')",
        "text-1.0-py3-none-any.whl is not a sound wheel",
    ),
    "old-tag": (
        "os.rename(d + '/' + f, d + '/' + f.replace('py3', 'cp39'))",
        "WHEEL has the tags py3-none-any; its file name says cp39-none-any",
    ),
    "native-tag": (
        "os.rename(d + '/' + f, d + '/' + f.replace('py3-none-any', 'cp311-cp311-linux_x86_64'))",
        "native-tag 1.0 cannot be built: its C extension was left out",
    ),
}

#: Backends that end before they leave anything.
ENDS: dict[str, tuple[str, str]] = {
    "exits": ("sys.exit(3)", "the build backend ended with exit status 3"),
    "dies": ("os.kill(os.getpid(), 9)", "the build backend was killed by signal 9"),
    "kills-all": ("os.system('kill -9 -1')", "kills-all 1.0 cannot be built"),
}


def _sdists() -> list[ProjectSdist]:
    return [
        *(
            ProjectSdist(name=name, extra=f"def after_build(d, f):\n    {code}\n")
            for name, (code, _) in RESULTS.items()
        ),
        *(
            ProjectSdist(name=name, extra=f"def before_build(d):\n    {code}\n")
            for name, (code, _) in ENDS.items()
        ),
    ]


def _bad_results(world: World) -> None:
    with serving(LocalIndex()) as index:
        sdists = _sdists()
        index.add(ProjectSdist(name="good"), *sdists)
        names = ["good", *(each.name for each in sdists)]
        world.configure("".join(f"{name}==1.0\n" for name in names), index=index.url)
        world.plant()
        done = world.build()
    assert done.status in {4, 5}, done.said
    said = " ".join(done.said.split())
    wrong = {
        name: words
        for name, (_, words) in {**RESULTS, **ENDS}.items()
        if words not in said or f"{name} built" in said
    }
    assert not wrong, (wrong, done.said)
    assert "good built" in said
    world.figures.add("bad build results refused", len(RESULTS) + len(ENDS))


CASES = [
    Case(group=6, name="backends that leave what is no wheel", attempt=_bad_results, everyday=True)
]
