"""`wheelhouse.toml`: what is read from a right one, and all that is said about a wrong one."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from configfolder import SERVER, TARGET, Folder, parsed
from packaging.utils import canonicalize_name

from wheelhouse.config import MINIMAL, PackageSettings, find_project, json_schema, load_project
from wheelhouse.engine import GIB, MIB, Limits
from wheelhouse.errors import ConfigError, SeveralErrors
from wheelhouse.filevalues import RESERVED_VARIABLES
from wheelhouse.targets import OCI_ARCHITECTURES, Target, presets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelhouse.config import Project

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)


# --- right files ----------------------------------------------------------------------------


def paths_of(project: Project) -> list[Path]:
    return [each.path for each in project.requirements]


def test_minimal_file(folder: Folder) -> None:
    project = load_project(folder.write(MINIMAL))
    root = folder.path.resolve()
    assert project.root == root
    assert project.file == root / "wheelhouse.toml"
    assert paths_of(project) == [root / "requirements.txt"]
    assert project.output == root / "dist"
    assert project.index == "https://pypi.org/simple"
    assert project.targets == {
        "web": Target(name="web", preset=presets()["debian12"], python="3.11", arch="x86_64")
    }
    assert project.packages == {}
    assert project.limits == Limits()
    assert project.jobs is None
    assert project.auto_system
    assert not project.auto_requires
    assert project.targets["web"].runtime_system


def test_defaults_are_those_of_the_minimal_file(folder: Folder) -> None:
    assert load_project(folder.write(TARGET)) == load_project(folder.write(MINIMAL))


def test_everything_said(folder: Folder) -> None:
    (folder.path / "more reqs").mkdir()
    (folder.path / "more reqs" / "ünïcode.in").write_text("")
    project = load_project(
        folder.write(
            """
            requirements = ["requirements.txt", "more reqs/ünïcode.in"]
            output = "../houses of mine"
            index = "http://127.0.0.1:8080/root/pypi/+simple/"
            jobs = 3
            auto-system = false
            auto-requires = true
            targets.b = { platform = "debian13", python = "3.13", arch = "aarch64" }
            targets.A_1-x = { platform = "debian12", python = "3.11", runtime-system = false }
            [packages."Foo.Bar_baz"]
            source = "sdist"
            system = ["libz-dev", "libpq-dev", "libz-dev", "g++"]
            runtime-system = ["tdsodbc", "graphviz"]
            requires = ["Setuptools < 82", "six[x] ; python_version >= '3.12'", "six"]
            build-requires = ["numpy", "cython<3,>=0.29", "numpy"]
            build-against = ["torch", "NumPy", "Torch"]
            env = { CFLAGS = "-g0", X = "", PYTHON = "x" }
            config-settings = { one = "1", "--many" = ["a", "b"], none = [] }
            allow-pure = true
            skip-imports = ["foo", "_bar.gui._x", "*"]
            [limits]
            memory = 1073741824
            processes = 64
            cpus = 1
            deadline = "1h30m5s"
            output = "1.5MiB"
            result = "2GB"
            """
        )
    )
    root = folder.path.resolve()
    assert paths_of(project) == [root / "requirements.txt", root / "more reqs" / "ünïcode.in"]
    assert project.output == root.parent / "houses of mine"
    assert project.index == "http://127.0.0.1:8080/root/pypi/+simple"
    assert project.jobs == 3
    assert not project.auto_system
    assert project.auto_requires
    assert list(project.targets) == ["b", "A_1-x"]
    assert project.targets["b"].arch == "aarch64"
    assert project.targets["b"].runtime_system
    assert not project.targets["A_1-x"].runtime_system
    expected = PackageSettings(
        source="sdist",
        system=("g++", "libpq-dev", "libz-dev"),
        runtime_system=("graphviz", "tdsodbc"),
        requires=("Setuptools<82", "six", "six[x]; python_version >= '3.12'"),
        build_requires=("cython<3,>=0.29", "numpy"),
        build_against=(canonicalize_name("numpy"), canonicalize_name("torch")),
        env={"CFLAGS": "-g0", "X": "", "PYTHON": "x"},
        config_settings={"one": "1", "--many": ("a", "b"), "none": ()},
        allow_pure=True,
        skip_imports=("foo", "_bar.gui._x", "*"),
    )
    assert dict(project.packages) == {"foo-bar-baz": expected}
    assert project.settings("FOO.bar-BAZ") == expected
    assert project.settings("other") == PackageSettings()
    assert project.limits == Limits(
        memory=GIB,
        processes=64,
        cpus=1.0,
        deadline=5405.0,
        output=3 * MIB // 2,
        result=2 * 10**9,
    )
    assert isinstance(project.limits.cpus, float)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [('"45s"', 45), ('"90m"', 5400), ('"2h"', 7200), ('"1m1s"', 61), ("90", 90), ("1.5", 1.5)],
)
def test_durations(folder: Folder, text: str, seconds: float) -> None:
    project = load_project(folder.write(f"{TARGET}[limits]\ndeadline = {text}\n"))
    assert project.limits.deadline == seconds


def test_other_limits_keep_their_defaults(folder: Folder) -> None:
    project = load_project(folder.write(f'{TARGET}[limits]\nmemory = "64MiB"\n'))
    assert project.limits == Limits(memory=64 * MIB)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends(folder: Folder, encoding: str, line_end: str) -> None:
    folder.write((MINIMAL + "# ü\n").replace("\n", line_end).encode(encoding))
    assert list(load_project(folder.file).targets) == ["web"]


def test_relative_path_and_link_to_the_project(folder: Folder, tmp_path: Path) -> None:
    expected = load_project(folder.write(MINIMAL))
    assert load_project(Path("wheelhouse.toml")) == expected
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert load_project(tmp_path / "link" / "wheelhouse.toml") == expected


def test_links_inside_the_project_are_followed(folder: Folder) -> None:
    (folder.path / "link.txt").symlink_to("requirements.txt")
    project = load_project(folder.write('requirements = ["link.txt"]\n' + TARGET))
    assert paths_of(project) == [folder.path.resolve() / "requirements.txt"]


def test_any_name_of_the_file(folder: Folder) -> None:
    other = folder.path / "staging.toml"
    other.write_text(MINIMAL)
    assert load_project(other).file == folder.path.resolve() / "staging.toml"


def test_a_right_file_costs_no_parser_of_positions(folder: Folder) -> None:
    folder.write(MINIMAL)
    code = (
        "import sys; from pathlib import Path; from wheelhouse.config import load_project\n"
        "assert 'pydantic' not in sys.modules\n"
        "load_project(Path('wheelhouse.toml'))\n"
        "print([m for m in ('tree_sitter', 'difflib', 'requests') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder.path
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# --- wrong files ----------------------------------------------------------------------------

# The text, and each message without the file's name. `TARGET` is three lines long.
FAULTS: dict[str, tuple[str | bytes, list[str]]] = {
    "no target": ("jobs = 1\n", ["1: targets: no target is declared"]),
    "empty file": ("", ["1: targets: no target is declared"]),
    "empty targets": ("jobs = 1\ntargets = {}\n", ["2: targets: no target is declared"]),
    "only a table of targets": ("\n[targets]\n", ["2: targets: no target is declared"]),
    "target is a string": (
        'targets.web = "debian12"\n',
        ["1: targets.web: must be a table, not a string"],
    ),
    "targets is a list of tables": (
        "[[targets]]\n",
        ["1: targets: must be a table, not a list"],
    ),
    "missing keys": (
        "\n[targets.web]\n",
        ["2: targets.web.platform: missing", "2: targets.web.python: missing"],
    ),
    "misspelt key": (
        '[targets.web]\nplatfrom = "debian12"\npython = "3.11"\n',
        ['2: targets.web.platfrom: unknown key; did you mean "platform"?'],
    ),
    "misspelt table": (
        TARGET.replace("targets", "target"),
        ['1: target: unknown key; did you mean "targets"?'],
    ),
    "snake case": (
        TARGET + "[packages.x]\nallow_pure = true\n",
        ['5: packages.x.allow_pure: unknown key; did you mean "allow-pure"?'],
    ),
    "key that is like nothing": (
        TARGET + "\n[zzz]\n",
        ["5: zzz: unknown key"],
    ),
    "key under the wrong table": (
        TARGET + 'jobs = 2\nsystem = []\nmemory = "1GiB"\n',
        [
            (
                "4: targets.web.jobs: unknown key; it belongs at the top of the file, before the "
                "first [table]"
            ),
            "5: targets.web.system: unknown key; it belongs under [packages.NAME]",
            "6: targets.web.memory: unknown key; it belongs under [limits]",
        ],
    ),
    "target's key at the top": (
        'platform = "debian12"\n' + TARGET,
        ["1: platform: unknown key; it belongs under [targets.NAME]"],
    ),
    "quoted and control characters in a key": (
        TARGET + '"a b\\n\\u001b[1m" = 1\n',
        ['4: targets.web."a b\\n\\x1b[1m": unknown key'],
    ),
    "key that looks like a mark of pydantic's": (
        '"[key]" = 1\n' + TARGET,
        ['1: "[key]": unknown key'],
    ),
    "bad name of a target": (
        TARGET.replace("web", '"a b"'),
        [
            (
                '1: targets."a b": a target\'s name begins with a letter or digit and has only '
                "letters, digits, - and _"
            )
        ],
    ),
    "path as name of a target": (
        TARGET.replace("web", '"../x"'),
        [
            (
                '1: targets."../x": a target\'s name begins with a letter or digit and has only '
                "letters, digits, - and _"
            )
        ],
    ),
    "dot in the name of a target": (
        TARGET.replace("web", '"py3.11"'),
        [
            (
                '1: targets."py3.11": a target\'s name begins with a letter or digit and has only '
                "letters, digits, - and _"
            )
        ],
    ),
    "long name of a target": (
        TARGET.replace("web", "a" * 65),
        [f"1: targets.{'a' * 65}: a target's name has at most 64 characters"],
    ),
    "targets differ in case": (
        TARGET + TARGET.replace("web", "Web"),
        ["4: targets.Web: differs only in case from targets.web"],
    ),
    "unknown platform": (
        TARGET.replace("debian12", "debain12"),
        ['2: targets.web.platform: unknown platform "debain12"; did you mean "debian12"?'],
    ),
    "platform like none": (
        TARGET.replace("debian12", "windows"),
        ['2: targets.web.platform: unknown platform "windows"'],
    ),
    "Python that the platform has not": (
        TARGET.replace("3.11", "3.13"),
        ["3: targets.web.python: Debian 12 (bookworm) has no Python 3.13, but 3.11"],
    ),
    "Python with its patch level": (
        TARGET.replace("3.11", "3.11.2"),
        ['3: targets.web.python: "3.11.2" is not a Python version of the form MAJOR.MINOR'],
    ),
    "Python as a float": (
        TARGET.replace('"3.11"', "3.11"),
        ["3: targets.web.python: must be a string, not a float"],
    ),
    "Python as a date": (
        TARGET.replace('"3.11"', "2026-01-01"),
        ["3: targets.web.python: must be a string, not a date or time"],
    ),
    "engine's name of an architecture": (
        TARGET + 'arch = "amd64"\n',
        ['4: targets.web.arch: unknown architecture "amd64"; did you mean "x86_64"?'],
    ),
    "misspelt architecture": (
        TARGET + 'arch = "aarch46"\n',
        ['4: targets.web.arch: unknown architecture "aarch46"; did you mean "aarch64"?'],
    ),
    "requirements as a string": (
        'requirements = "requirements.txt"\n' + TARGET,
        ["1: requirements: must be a list, not a string"],
    ),
    "no requirements": (
        "requirements = []\n" + TARGET,
        ["1: requirements: must name at least one file"],
    ),
    "requirements that are no strings": (
        'requirements = [\n  "requirements.txt",\n  3,\n  true,\n  ["x"],\n]\n' + TARGET,
        [
            "3: requirements[1]: must be a string, not an integer",
            "4: requirements[2]: must be a string, not a boolean",
            "5: requirements[3]: must be a string, not a list",
        ],
    ),
    "empty, home and line break in requirements": (
        'requirements = ["", "~/x", "a\\nb"]\n' + TARGET,
        [
            "1: requirements[0]: must not be empty",
            '1: requirements[1]: "~/x" begins with "~", which is not expanded',
            '1: requirements[2]: "a\\nb" has a line break or another control character in it',
        ],
    ),
    "requirements listed twice": (
        'requirements = ["requirements.txt", "./requirements.txt"]\n' + TARGET,
        ['1: requirements[1]: "./requirements.txt" is listed twice'],
    ),
    "output is empty": ('output = ""\n' + TARGET, ["1: output: must not be empty"]),
    "output has a line break": (
        'output = "di\\nst"\n' + TARGET,
        ['1: output: "di\\nst" has a line break or another control character in it'],
    ),
    "output is a list": ("output = []\n" + TARGET, ["1: output: must be a string, not a list"]),
    "output below a file": (
        'output = "requirements.txt/dist"\n' + TARGET,
        ['1: output: "requirements.txt/dist" cannot be a folder: requirements.txt is a file'],
    ),
    "output is a file": (
        'output = "requirements.txt"\n' + TARGET,
        ['1: output: "requirements.txt" cannot be a folder: it is a file'],
    ),
    "index with credentials": (
        'index = "https://me:hunter2@example.org/simple"\n' + TARGET,
        ["1: index: has a user name or a password in it"],
    ),
    "index with a token": (
        'index = "https://hunter2@example.org/simple"\n' + TARGET,
        ["1: index: has a user name or a password in it"],
    ),
    "index with credentials, but no scheme that is known": (
        'index = "ftp://me:hunter2@example.org/simple"\n' + TARGET,
        ["1: index: has a user name or a password in it"],
    ),
    "index with a query": (
        'index = "https://example.org/simple?token=hunter2"\n' + TARGET,
        ['1: index: must not have a "?" or "#" part'],
    ),
    "index is a folder": (
        'index = "/srv/wheels"\n' + TARGET,
        ["1: index: must be the http or https URL of a package index, or the name of one"],
    ),
    "index without a host": (
        'index = "https:///simple"\n' + TARGET,
        ["1: index: must be the http or https URL of a package index, or the name of one"],
    ),
    "index with a bad port": (
        'index = "https://example.org:port/simple"\n' + TARGET,
        ["1: index: is not a valid URL"],
    ),
    "index with a bad address": (
        'index = "https://[::1/simple"\n' + TARGET,
        ["1: index: is not a valid URL"],
    ),
    "index with a space": (
        'index = "https://example.org/a b"\n' + TARGET,
        ["1: index: has a space or a control character in it"],
    ),
    "jobs": ("jobs = 0\n" + TARGET, ["1: jobs: must be at least 1"]),
    "many jobs": ("jobs = 1025\n" + TARGET, ["1: jobs: must be at most 1024"]),
    "jobs in quotes": ('jobs = "4"\n' + TARGET, ["1: jobs: must be an integer, not a string"]),
    "jobs as a boolean": ("jobs = true\n" + TARGET, ["1: jobs: must be an integer, not a boolean"]),
    "automatic things in quotes": (
        'auto-system = "no"\nauto-requires = 1\n' + TARGET,
        [
            "1: auto-system: must be true or false, not a string",
            "2: auto-requires: must be true or false, not an integer",
        ],
    ),
    "automatic things of one package": (
        TARGET + "[packages.x]\nauto-system = false\n",
        [
            (
                "5: packages.x.auto-system: unknown key; it belongs at the top of the file, "
                "before the first [table]"
            )
        ],
    ),
    "system packages of a target": (
        TARGET + 'runtime-system = ["graphviz"]\n',
        ["4: targets.web.runtime-system: must be true or false, not a list"],
    ),
    "package twice": (
        TARGET + "[packages.foo-bar]\n[packages.Foo_Bar]\n[packages.'FOO.BAR']\n",
        [
            "5: packages.Foo_Bar: is the same package as packages.foo-bar",
            '6: packages."FOO.BAR": is the same package as packages.foo-bar',
        ],
    ),
    "bad name of a package": (
        TARGET + '[packages."foo[extra]"]\n',
        ['4: packages."foo[extra]": is not a valid name of a Python package'],
    ),
    "source": (
        TARGET + '[packages.x]\nsource = "whel"\n',
        ['5: packages.x.source: "whel" is not one of its values; did you mean "wheel"?'],
    ),
    "source of another type": (
        TARGET + "[packages.x]\nsource = true\n",
        ["5: packages.x.source: must be a string, not a boolean"],
    ),
    "system": (
        TARGET + '[packages.x]\nsystem = ["-o=x", "libpq-dev=1", "libpq-dev", ""]\n',
        [
            '5: packages.x.system[0]: "-o=x" is not a valid name of a system package',
            '5: packages.x.system[1]: "libpq-dev=1" is not a valid name of a system package',
            '5: packages.x.system[3]: "" is not a valid name of a system package',
        ],
    ),
    "system packages of the server": (
        TARGET + '[packages.x]\nruntime-system = ["-o=x", "graphviz", 3]\n[packages.y]\n'
        'runtime-system = "graphviz"\n[packages.z]\nruntime-system = true\n',
        [
            '5: packages.x.runtime-system[0]: "-o=x" is not a valid name of a system package',
            "5: packages.x.runtime-system[2]: must be a string, not an integer",
            "7: packages.y.runtime-system: must be a list, not a string",
            "9: packages.z.runtime-system: must be a list, not a boolean",
        ],
    ),
    "system packages of the server by family": (
        TARGET + '[packages.x.runtime-system]\ndebain = ["graphviz"]\nalpine = ["a b"]\n',
        [
            '5: packages.x.runtime-system.debain: unknown family "debain"; did you mean "debian"?',
            '6: packages.x.runtime-system.alpine[0]: "a b" is not a valid name of a system package',
        ],
    ),
    "requirements of packages": (
        TARGET + '[packages.x]\nrequires = ["setuptools<<82", "", "y @ https://z.org/y.whl", 3]\n'
        'build-requires = ["-r more.txt", "cython"]\n',
        [
            '5: packages.x.requires[0]: "setuptools<<82" is not a requirement',
            '5: packages.x.requires[1]: "" is not a requirement',
            '5: packages.x.requires[2]: "y @ https://z.org/y.whl" names a file',
            "5: packages.x.requires[3]: must be a string, not an integer",
            '6: packages.x.build-requires[0]: "-r more.txt" is not a requirement',
        ],
    ),
    "versions that are none": (
        TARGET + '[packages.x]\nrequires = ["setuptools<new"]\nbuild-requires = ["y; foo"]\n',
        [
            '5: packages.x.requires[0]: "setuptools<new" is not a requirement',
            '6: packages.x.build-requires[0]: "y; foo" is not a requirement',
        ],
    ),
    "requirements of packages as a string": (
        TARGET + '[packages.x]\nrequires = "a"\nbuild-requires = "b"\nbuild-against = "c"\n',
        [
            "5: packages.x.requires: must be a list, not a string",
            "6: packages.x.build-requires: must be a list, not a string",
            "7: packages.x.build-against: must be a list, not a string",
        ],
    ),
    "versions of what is built against": (
        TARGET + '[packages.x]\nbuild-against = ["torch", "torch<3"]\n',
        ["5: packages.x.build-against[1]: is not a valid name of a Python package"],
    ),
    "package that needs itself": (
        TARGET + '[packages.Foo_Bar]\nrequires = ["a", "foo.bar [b] >=1"]\n'
        'build-against = ["foo-bar"]\nbuild-requires = ["foo-bar<2", "foo-bar-baz"]\n',
        [
            "5: packages.Foo_Bar.requires[1]: is the package itself",
            "6: packages.Foo_Bar.build-against[0]: is the package itself",
        ],
    ),
    "environment values": (
        TARGET + '[packages.x.env]\nA = 1\nB = true\nC = ["x"]\nD = "\\u0000"\nE = "fine"\n',
        [
            "5: packages.x.env.A: must be a string, not an integer",
            "6: packages.x.env.B: must be a string, not a boolean",
            "7: packages.x.env.C: must be a string, not a list",
            (
                "8: packages.x.env.D: has a NUL character in it, which an environment variable "
                "cannot have"
            ),
        ],
    ),
    "environment names": (
        TARGET + '[packages.x]\nenv = { "A B" = "", "" = "", "A=B" = "" }\n',
        [
            '5: packages.x.env."": is not a valid name of an environment variable',
            '5: packages.x.env."A B": is not a valid name of an environment variable',
            '5: packages.x.env."A=B": is not a valid name of an environment variable',
        ],
    ),
    "config settings": (
        TARGET + '[packages.x.config-settings]\na = 1\nb = ["x", 2]\nc = { d = "e" }\n',
        [
            (
                "5: packages.x.config-settings.a: must be a string or a list of strings, not an "
                "integer"
            ),
            (
                "6: packages.x.config-settings.b: must be a list of strings, but has an "
                "integer in it"
            ),
            "7: packages.x.config-settings.c: must be a string or a list of strings, not a table",
        ],
    ),
    "boolean in quotes": (
        TARGET + '[packages.x]\nallow-pure = "true"\n',
        ["5: packages.x.allow-pure: must be true or false, not a string"],
    ),
    "boolean as a number": (
        TARGET + "[packages.x]\nallow-pure = 1\n",
        ["5: packages.x.allow-pure: must be true or false, not an integer"],
    ),
    "builder of a package": (
        TARGET + '[packages.x]\nbuilder = "nobody"\n[packages.y]\nnetwork = true\n',
        [
            '5: packages.x.builder: "nobody" is not one of its values',
            "7: packages.y.network: builds have no network",
        ],
    ),
    "modules": (
        TARGET + '[packages.x]\nskip-imports = ["a..b", "c-d", "e"]\n',
        [
            '5: packages.x.skip-imports[0]: "a..b" is not the name of a module',
            '5: packages.x.skip-imports[1]: "c-d" is not the name of a module',
        ],
    ),
    "limits is a number": ("limits = 1\n" + TARGET, ["1: limits: must be a table, not an integer"]),
    "sizes": (
        TARGET + '[limits]\nmemory = "4G"\noutput = "much"\nresult = 1.5\n',
        [
            '5: limits.memory: "4G" is not a size; did you mean "4GiB"?',
            '6: limits.output: "much" is not a size',
            "7: limits.result: must be a size, not a float",
        ],
    ),
    "size without its unit": (
        TARGET + "[limits]\nmemory = 4\n",
        ["5: limits.memory: must be at least 64MiB"],
    ),
    "size as a boolean, and a huge one": (
        TARGET + f'[limits]\nmemory = true\noutput = "{"9" * 30}TiB"\n',
        [
            "5: limits.memory: must be a size, not a boolean",
            "6: limits.output: must be at most 1024TiB",
        ],
    ),
    "deadline": (
        TARGET + '[limits]\ndeadline = "1 hour"\n',
        ['5: limits.deadline: must be a duration, not "1 hour"'],
    ),
    "no deadline": (
        TARGET + '[limits]\ndeadline = ""\n',
        ['5: limits.deadline: must be a duration, not ""'],
    ),
    "deadline as a boolean": (
        TARGET + "[limits]\ndeadline = true\n",
        ["5: limits.deadline: must be a duration, not a boolean"],
    ),
    "deadline out of range": (
        TARGET + '[limits]\ndeadline = "31000h"\n',
        ["5: limits.deadline: must be at least a second and at most 30 days"],
    ),
    "numbers out of range": (
        TARGET + "[limits]\nprocesses = 3\ncpus = 0\ndeadline = nan\n",
        [
            "5: limits.processes: must be at least 16",
            "6: limits.cpus: must be more than 0",
            "7: limits.deadline: must be at least a second and at most 30 days",
        ],
    ),
    "infinite CPUs": (
        TARGET + "[limits]\ncpus = inf\nprocesses = 4194305\n",
        ["5: limits.cpus: must be a finite number", "6: limits.processes: must be at most 4194304"],
    ),
    "key given twice": (
        TARGET + 'python = "3.11"\narch = "x86_64"\n[targets.web]\n',
        [
            "4: targets.web.python: given twice; it first stands in line 3",
            "6: targets.web: given twice; it first stands in line 1",
        ],
    ),
    "key of an inline table": (
        "targets = {}\n" + TARGET,
        [
            "2:13: not valid TOML: cannot declare ('targets', 'web') twice",
        ],
    ),
    "invalid TOML": (
        "jobs = \n" + TARGET,
        ["1:8: not valid TOML: invalid value"],
    ),
    "invalid at its end": (
        "jobs = 1\nx =",
        ["2: not valid TOML: invalid value"],
    ),
    "null byte": (
        b"jobs = 1\0\n",
        ["1:9: not valid TOML: expected newline or end of document after a statement"],
    ),
    "UTF-16": (MINIMAL.encode("utf-16"), ["1: is UTF-16, but TOML is UTF-8"]),
    "Latin-1": (b"jobs = 1\n# \xe9\n", ["2: is not UTF-8 (byte 0xe9)"]),
}


@pytest.mark.parametrize(("content", "messages"), FAULTS.values(), ids=FAULTS)
def test_faults(folder: Folder, content: str | bytes, messages: list[str]) -> None:
    assert folder.messages(content) == [f"wheelhouse.toml:{message}" for message in messages]


def test_mistakes_of_all_kinds_are_told_at_once(folder: Folder) -> None:
    messages = folder.messages(
        """\
requirements = ["requirement.txt", 3, "../x.txt", "/etc/passwd"]
output = "."
index = "https://me:hunter2@x.org/simple"
jobs = 0
[targets.web]
platfrom = "debian12"
python = 3.11
[targets."a.b"]
platform = "debain12"
python = "3.11.1"
arch = "arm64"
[targets.c]
platform = "debian12"
python = "2.7"
[packages.Foo_Bar]
source = "whel"
env = { CFLAGS = "-g0", N = 1, PATH = "x" }
[packages.foo-bar]
allow_pure = "true"
system = "libpq-dev"
[limits]
memory = "4G"
deadline = "soon"
cpus = nan
processes = 3
"""
    )
    lines = [int(message.split(":")[1]) for message in messages]
    expected = [1, 1, 1, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 14, 16, 17, 17, 18, 19, 20]
    assert lines == [*expected, 22, 23, 24, 25]
    assert not any("hunter2" in message for message in messages)


def test_exit_status(folder: Folder) -> None:
    folder.write("jobs = 0\n")
    with pytest.raises(SeveralErrors) as caught:
        load_project(folder.file)
    assert caught.value.status == 2
    assert {error.code for error in caught.value.errors} == {"config"}


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("", 'add a table such as [targets.web] with platform = "debian12" and python = "3.11"'),
        (
            TARGET.replace("debian12", "windows"),
            "`wheelhouse targets` lists the platforms known beforehand",
        ),
        (TARGET.replace("3.11", "3.11.2"), 'write "3.11"'),
        (TARGET.replace("3.11", "2.6"), 'write it as "3.11"'),
        (TARGET.replace("3.11", "3.0"), "no platform has Python 3.0"),
        (TARGET.replace('"3.11"', "3"), 'write it in quotes: "3"'),
        (TARGET.replace('"3.11"', "3.10"), "write it in quotes"),  # "3.1" would be wrong
        (
            TARGET + "x = 1\n",
            (
                "the keys here are captured, platform, python, arch, builder, runtime-system, "
                "cuda, cuda-arch, cuda-libraries, torch-backend, provided"
            ),
        ),
        ('requirements = "a.txt"\n' + TARGET, 'write ["a.txt"]'),
        ('jobs = "4"\n' + TARGET, "write 4 without quotes"),
        ('requirements = ["requirement.txt"]\n' + TARGET, 'did you mean "requirements.txt"?'),
        (
            'index = "https://a:b@example.org/"\n' + TARGET,
            (
                "take them out, and put them in your netrc file (~/.netrc, or the file that NETRC "
                "names), a keyring, or the environment"
            ),
        ),
        (
            TARGET + '[packages.x]\nrequires = ["./y.whl"]\n',
            'write a name, and versions on the index, such as "setuptools<82"',
        ),
        (
            TARGET + '[packages.x]\nrequires = ["x[more]"]\n',
            "ask for its versions and extras in the requirements file",
        ),
        (
            TARGET + '[packages.x]\nbuild-against = ["torch==2.9"]\n',
            "write its name alone, without versions and extras",
        ),
        (TARGET + '[packages.x]\nbuild-against = ["x"]\n', "leave it out"),
        (TARGET + '[packages.x]\nruntime-system = "y"\n', 'write ["y"]'),
        (
            TARGET + "[limits]\nmemory = 4\n",
            'a bare number counts bytes; write "4GiB" for gibibytes',
        ),
        (
            TARGET + "[packages.x.env]\nDEBUG = true\n",
            'write it in quotes: "true", or whatever its reader expects',
        ),
    ],
)
def test_hints(folder: Folder, content: str, hint: str) -> None:
    [error] = folder.errors(content)
    assert error.hint == hint


def test_platforms_with_the_python_that_was_asked_for(folder: Folder) -> None:
    [error] = folder.errors(TARGET.replace("3.11", "3.13"))
    assert error.hint is not None
    assert "debian13" in error.hint


@pytest.mark.parametrize(
    "name", [*sorted(RESERVED_VARIABLES), "PYTHONPATH", "PIP_X", "UV_CACHE_DIR"]
)
def test_variables_of_the_build_environment(folder: Folder, name: str) -> None:
    [message] = folder.messages(f'{TARGET}[packages.x]\nenv.{name} = "x"\n')
    assert message.startswith(f"wheelhouse.toml:5: packages.x.env.{name}: may not be set")


def test_nothing_in_a_message_can_move_the_terminal_or_the_ci(folder: Folder) -> None:
    [message] = folder.messages(TARGET.replace("debian12", "\\u001b[2J\\r##vso[x]\\u202e"))
    assert message.isprintable()
    assert "##vso[" not in message


def test_values_that_go_on_are_cut(folder: Folder) -> None:
    [message] = folder.messages(TARGET.replace("debian12", "x" * 10_000))
    assert len(message) < 200


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a = " + "{ a = " * 50_000,
        "jobs = " + "9" * 5000,
        "jobs = 0x" + "f" * 5000,
        "limits.cpus = 0x" + "f" * 5000,
        "limits.deadline = 0x" + "f" * 5000,
        "limits.memory = 0x" + "f" * 5000,
        "output = 0x" + "f" * 5000,
        "limits.deadline = '" + "9" * 5000 + "h'",
        "output = '" + "x" * 5000 + "'",
        "requirements = ['" + "x" * 5000 + "']",
        "requirements = ['" + "x/" * 5000 + "']",
    ],
    ids=range(12),
)
def test_monstrous_values(folder: Folder, text: str) -> None:
    for error in folder.errors(f"{text}\n{TARGET}"):
        assert len(error.message) < 500


def test_damaged_files_give_a_project_or_config_errors(folder: Folder) -> None:
    example = next(iter(blocks("toml", containing="config-settings")))
    chance = random.Random(7)
    for _ in range(150):
        start = chance.randrange(len(example))
        end = start + chance.randrange(8)
        folder.write(
            example[:start] + chance.choice(["", "[", '"', "=", "0", "\n"]) + example[end:]
        )
        try:
            load_project(folder.file)
        except SeveralErrors as errors:
            assert all(type(error) is ConfigError for error in errors.errors)
        except ConfigError as error:
            assert error.message.startswith("wheelhouse.toml:")


# --- paths ----------------------------------------------------------------------------------


def requirements(value: str) -> str:
    return f'\nrequirements = ["{value}"]\n{TARGET}'


def test_missing_default_requirements(folder: Folder) -> None:
    (folder.path / "requirements.txt").unlink()
    [error] = folder.errors(TARGET)
    root = folder.path.resolve()
    assert error.message == (
        f'wheelhouse.toml:1: requirements[0]: there is no file "requirements.txt" in {root}'
    )
    assert error.hint == 'write it, or name yours: requirements = ["…"]'


@pytest.mark.parametrize("value", ["../outside.txt", "/etc/hostname", "link.txt", "away/x.txt"])
def test_requirements_outside_the_project(folder: Folder, value: str) -> None:
    (folder.path / "link.txt").symlink_to("/etc/hostname")
    (folder.path / "away").symlink_to("/etc")
    [message] = folder.messages(requirements(value))
    assert message == (
        f'wheelhouse.toml:2: requirements[0]: "{value}" is outside the project\'s folder, '
        f"{folder.path.resolve()}"
    )


def make_folder(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (make_folder, '"x" is a folder, not a file'),
        (make_fifo, '"x" is not a regular file'),
        (make_loop, 'cannot read "x": Too many levels of symbolic links'),
        (make_dangling, 'there is no file "x" in'),
    ],
)
def test_requirements_that_are_no_files(
    folder: Folder, make: Callable[[Path], None], problem: str
) -> None:
    make(folder.path / "x")
    [message] = folder.messages(requirements("x"))
    assert message.startswith(f"wheelhouse.toml:2: requirements[0]: {problem}")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (".", "is the project's own folder"),
        ("sub/..", "is the project's own folder"),
        ("link", "is the project's own folder"),
        ("..", "contains the project's own folder"),
        ("/", "contains the project's own folder"),
    ],
)
def test_output_that_would_replace_the_project(folder: Folder, value: str, problem: str) -> None:
    (folder.path / "link").symlink_to(folder.path)
    [message] = folder.messages(f'output = "{value}"\n{TARGET}')
    assert message == f'wheelhouse.toml:1: output: "{value}" {problem}, {folder.path.resolve()}'


@pytest.fixture
def unprivileged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's folder in which this process, as a plain user, may not write."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        path = Path(name).resolve()
        Folder(path).write(TARGET)
        (path / "secret").mkdir(mode=0)
        (path / "secret.toml").touch(mode=0)
        path.chmod(0o555)
        monkeypatch.chdir(path)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield path
        finally:
            os.seteuid(user)
            path.chmod(0o755)


def test_output_without_permission(unprivileged: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_project(Path("wheelhouse.toml"))
    assert caught.value.message == (
        f'wheelhouse.toml:1: output: "dist" cannot be written: no permission to write in '
        f"{unprivileged}"
    )


@pytest.mark.usefixtures("unprivileged")
def test_files_without_permission() -> None:
    with pytest.raises(ConfigError, match=r"^cannot read secret\.toml: Permission denied$"):
        load_project(Path("secret.toml"))
    with pytest.raises(ConfigError, match=r"^cannot read secret/x\.toml: Permission denied$"):
        load_project(Path("secret/x.toml"))


def test_find_project_above_a_folder_without_permission(unprivileged: Path) -> None:
    assert find_project(Path("secret")) == unprivileged / "wheelhouse.toml"


@pytest.mark.parametrize("name", ["line\nbreak", "tab\t", "bytes\udcff"])
def test_folder_that_cannot_be_worked_in(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    file = Folder(folder).write(MINIMAL)
    with pytest.raises(ConfigError) as caught:
        load_project(file)
    assert caught.value.message.isprintable()
    assert caught.value.message.endswith("a line break or control character in a path")


@pytest.mark.parametrize("name", ["with space", "ünïcödé", "日本", "emoji 👩‍🔬", "quote\"'$(x)"])
def test_folder_with_any_other_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    project = load_project(Folder(folder).write(MINIMAL))
    assert paths_of(project) == [folder.resolve() / "requirements.txt"]


# --- finding it -----------------------------------------------------------------------------


def test_find_project_here_and_above(folder: Folder) -> None:
    file = folder.write(MINIMAL).resolve()
    below = folder.path / "a" / "b"
    below.mkdir(parents=True)
    assert find_project(folder.path) == find_project(below) == find_project(Path("a")) == file
    (folder.path / "a" / "wheelhouse.toml").mkdir()  # a folder of that name is none
    assert find_project(below) == file


def hint_loads(folder: Folder, error: ConfigError) -> bool:
    """Whether the file that the hint proposes is a good one."""
    assert error.hint is not None
    _, _, proposed = error.hint.partition("\n")
    return load_project(folder.write(proposed)).requirements != ()


def test_no_project(folder: Folder) -> None:
    with pytest.raises(ConfigError) as caught:
        find_project(folder.path)
    assert caught.value.message == (
        f"there is no wheelhouse.toml in {folder.path.resolve()} or a folder above it"
    )
    assert hint_loads(folder, caught.value)


def test_no_file(folder: Folder) -> None:
    with pytest.raises(ConfigError) as caught:
        load_project(folder.file)
    assert caught.value.message == "there is no file wheelhouse.toml"
    assert hint_loads(folder, caught.value)


def test_no_folder(folder: Folder) -> None:
    with pytest.raises(ConfigError) as caught:
        load_project(folder.path / "nowhere" / "wheelhouse.toml")
    assert caught.value.hint == "check the path"


def test_project_is_a_folder(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=r"is not a file$"):
        load_project(folder.path)


def test_project_is_a_fifo(folder: Folder) -> None:
    os.mkfifo(folder.file)
    with pytest.raises(ConfigError, match=r"^wheelhouse\.toml is not a file$"):
        load_project(folder.file)


def test_messages_name_files_elsewhere_in_full(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    [message] = folder.messages("jobs = 0\n" + TARGET)
    assert message.startswith(f"{str(folder.file).removeprefix('/')}:1: jobs")
    monkeypatch.chdir("/usr")
    [message] = folder.messages("jobs = 0\n" + TARGET)
    assert message.startswith(f"{folder.file}:1: jobs")


# --- the schema -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


def tables(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The schema's objects with their keys, by the heading they have in the documentation."""
    return {"The top of the file": schema} | {
        f"`{each['title']}`": each for each in schema["$defs"].values()
    }


def test_schema_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "$id" not in schema
    assert schema["title"] == "wheelhouse.toml"
    assert json.loads(json.dumps(schema)) == schema


def test_every_key_is_described_and_no_other_allowed(schema: dict[str, Any]) -> None:
    for table in tables(schema).values():
        assert table["additionalProperties"] is False
        for key, value in table["properties"].items():
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", key)
            assert value["description"].endswith(".")
    assert "null" not in json.dumps(schema)


def test_schema_knows_platforms(schema: dict[str, Any]) -> None:
    target = schema["$defs"]["TargetTable"]["properties"]
    assert target["platform"]["anyOf"][0]["enum"] == list(presets())
    assert target["arch"]["enum"] == list(OCI_ARCHITECTURES)


def test_defaults_of_the_schema_are_those_of_the_program(
    folder: Folder, schema: dict[str, Any]
) -> None:
    limits = schema["$defs"]["LimitsTable"]["properties"]
    text = "".join(f"{key} = {json.dumps(value['default'])}\n" for key, value in limits.items())
    said = load_project(folder.write(f"{TARGET}[limits]\n{text}"))
    assert said == load_project(folder.write(TARGET))


# What a schema cannot say: it knows no disk, no two names that mean the same, and not which
# platforms a file has of its own.
BEYOND_SCHEMA = {
    "unknown platform",
    "platform like none",
    "requirements listed twice",
    "output below a file",
    "output is a file",
    "output has a line break",
    "index with a bad port",
    "index with a bad address",
    "index without a host",
    "targets differ in case",
    "package twice",
    "versions that are none",
    "package that needs itself",
    "deadline out of range",
}


def test_the_schema_says_all_it_can(schema: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    assert all(validator.is_valid(parsed(FAULTS[name][0])) for name in BEYOND_SCHEMA)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(content, id=name)
        for name, (content, _) in FAULTS.items()
        if name not in BEYOND_SCHEMA and parsed(content) is not None
    ],
)
def test_schema_refuses_what_the_program_refuses(schema: dict[str, Any], content: str) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    assert not validator.is_valid(parsed(content))


# --- the documentation ----------------------------------------------------------------------


def blocks(language: str, *, containing: str = "", file: str = "configuration.md") -> list[str]:
    """The code blocks of the documentation in *language*."""
    text = DOCS.with_name(file).read_text("utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [block for block in found if containing in block]


def documented(heading: str) -> dict[str, list[str]]:
    """The cells of the first table under *heading*, by their key."""
    _, _, section = DOCS.read_text("utf-8").partition(f"\n## {heading}\n")
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", table[0], re.MULTILINE)
    return {key: cells.split(" | ") for key, cells in rows}


def test_documentation_has_every_key_with_its_default(schema: dict[str, Any]) -> None:
    for heading, table in tables(schema).items():
        rows = documented(heading)
        assert list(rows) == list(table["properties"])
        for key, value in table["properties"].items():
            if key in table.get("required", []):
                assert rows[key][1] == "required"
            elif value.get("default", {}) != {} and "$ref" not in value:
                assert rows[key][1] == f"`{json.dumps(value['default'])}`"


def test_documentation_has_every_platform() -> None:
    text = DOCS.read_text("utf-8")
    _, _, rest = text.partition("<!-- platforms: begin -->\n")
    shown = rest.partition("<!-- platforms: end -->")[0].splitlines()[2:]
    assert shown == [
        f"| `{name}` | {', '.join(preset.pythons) or 'none of its own'} | "
        f"{', '.join(f'`{arch}`' for arch in preset.arches)} |"
        for name, preset in presets().items()
    ]


def test_documentation_names_every_reserved_variable() -> None:
    text = DOCS.read_text("utf-8")
    assert all(f"`{name}`" in text for name in RESERVED_VARIABLES)


def test_examples_load(folder: Folder, schema: dict[str, Any]) -> None:
    for name in ("requirements/ops.txt", "vendor/wheels/x", "uv.lock", "pyproject.toml"):
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).touch()
    validator = jsonschema.Draft202012Validator(schema)
    examples = blocks("toml")
    (folder.path / "servers").mkdir()
    (folder.path / "servers" / "legacy.json").write_text(SERVER)
    assert len(examples) == 8
    for example in examples:
        load_project(folder.write(example))
        validator.validate(tomllib.loads(example))


@pytest.mark.parametrize("example", blocks("toml", file="native-packages.md"))
def test_examples_of_settings_load(folder: Folder, schema: dict[str, Any], example: str) -> None:
    content = example if "[targets." in example else f"{example}\n{TARGET}"
    load_project(folder.write(content))
    jsonschema.Draft202012Validator(schema).validate(tomllib.loads(content))


@pytest.mark.parametrize("example", blocks("toml", file="indexes.md"))
def test_examples_of_indexes_load(folder: Folder, schema: dict[str, Any], example: str) -> None:
    mirror = folder.path / "mirror"
    for place in (mirror / "simple", folder.path / "vendor" / "wheels"):
        place.mkdir(parents=True)
    example = example.replace("file:///srv/mirror", mirror.as_uri())
    content = example if "[targets." in example else f"{example}\n{TARGET}"
    load_project(folder.write(content))
    jsonschema.Draft202012Validator(schema).validate(tomllib.loads(content))


def test_complete_example_has_every_key(schema: dict[str, Any]) -> None:
    [example] = blocks("toml", containing="config-settings")
    for table in tables(schema).values():
        for key in table["properties"]:
            assert re.search(rf"^(\[.*\b| +{{.*\b)?{key}\b", example, re.MULTILINE), key


def test_example_of_a_report(folder: Folder) -> None:
    [faulty] = blocks("toml faulty")
    [report] = blocks("text")
    assert folder.messages(faulty) == report.splitlines()


def test_minimal_file_is_that_of_the_documentation() -> None:
    assert blocks("toml")[0] == MINIMAL
