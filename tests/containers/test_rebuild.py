"""Wheels are built again, otherwise: what is the same passes, and what differs is named."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

from projects import ProjectSdist, write_project

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

    from projects import LocalIndex

#: What a build should not take into a wheel, and what this program keeps the same for it.
TAKES_EVERYTHING = """
def before_build(directory):
    import locale, platform, stat, tempfile, time, uuid
    names = [os.path.basename(tempfile.mkdtemp()) for _ in range(2)]
    for name in ("zebra", "apple", "mango"):
        open(os.path.join(os.environ["TMPDIR"], name), "w").close()
    same = [
        names, os.listdir(os.environ["TMPDIR"]), os.getcwd(), time.tzname, os.environ["LC_ALL"],
        oct(stat.S_IMODE(os.stat(os.path.join(os.environ["TMPDIR"], "apple")).st_mode)),
        hash("text"), os.environ["SOURCE_DATE_EPOCH"], os.environ["HOME"],
    ]
    others = {OTHERS}
    with open("module.py", "w") as file:
        file.write("SAME = %r\\n" % (same,))
        for name, value in sorted(others.items()):
            file.write("%s = %r\\n" % (name, value))
"""
OTHERS = """{
    "CLOCK": int(time.time()) // 86400, "CPUS": os.cpu_count(), "HOST": platform.node(),
    "JOBS": os.environ["MAX_JOBS"], "USER": os.getuid(),
}"""


def test_what_differs_is_named_and_nothing_is_changed(
    workplace: Workplace, index: LocalIndex
) -> None:
    index.add(
        ProjectSdist(name="native", native=True),
        ProjectSdist(name="steady", extra=TAKES_EVERYTHING.replace("{OTHERS}", "{}")),
        ProjectSdist(name="takes", extra=TAKES_EVERYTHING.replace("{OTHERS}", OTHERS)),
    )
    write_project(workplace.project, index, "native==1.0\nsteady==1.0\ntakes==1.0\n")
    too_early = workplace.run("rebuild", "--check")
    assert too_early.status == 3, too_early.said  # there is no lock yet
    assert workplace.run("build").status == 0
    blobs = workplace.blobs()

    done = workplace.run("rebuild", "--check", "--json", "--keep", "pairs")
    assert done.status == 9, done.said
    assert "error[reproducibility]: 1 of 3 wheels did not come out the same: takes 1.0" in done.err
    told = json.loads(done.out)
    assert (told["identical"], told["of"]) == (2, 3)
    native, steady, takes = told["targets"][0]["wheels"]
    assert native["identical"], native
    assert steady["identical"], steady
    everything = "user", "host name", "time zone", "locale", "umask", "clock", "CPU count"
    assert set(native["varied"]) == set(everything)
    (difference,) = takes["differences"]
    assert difference["member"] == "takes/__init__.py"
    pair = [
        next((workplace.project / "pairs" / "d12" / when).iterdir()) for when in ("before", "after")
    ]
    lines = [changed_lines(path) for path in pair]
    names = {line.partition(" = ")[0] for line in lines[0] ^ lines[1]}
    assert names == {"CLOCK", "CPUS", "HOST", "JOBS", "USER"}
    assert workplace.blobs() == blobs

    same = workplace.run("rebuild", "--check", "native", "--plain")
    assert same.status == 0, same.said
    assert "1 of 1 identical" in same.out
    unknown = workplace.run("rebuild", "--check", "nativ")
    assert unknown.status == 2
    assert 'did you mean "native"?' in unknown.err


def changed_lines(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.read("takes/__init__.py").decode().splitlines())
