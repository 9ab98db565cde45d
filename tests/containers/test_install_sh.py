"""``install.sh``, run by the shells that servers have, with this machine's Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import venv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from housefactory import Package, make_house, this_target
from wheelhouse.locking.model import SystemRequirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.house import House

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
PACKAGES = (Package(name="one", requires=["two"]), Package(name="two", version="1.0+cpu"))


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    command = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return command


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path, PACKAGES, name="a house")


def install(
    house: House,
    cwd: Path,
    *options: str,
    shell: Sequence[str] = ("sh",),
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the installer with this Python, unless *options* name another."""
    if not any(option.startswith("--python") for option in options):
        options = (*options, "--python", sys.executable)
    return subprocess.run(
        [*shell, str(house.path / "install.sh"), *options],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
    )


def value_of(python: Path, module: str, *, path: Path | None = None) -> str:
    """What ``module.VALUE`` is for an interpreter."""
    code = f"import {module}; print({module}.VALUE)"
    env = {"PYTHONPATH": str(path)} if path else {}
    done = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- it installs ---------------------------------------------------------------------------------


def test_into_a_new_venv(house: House, tmp_path: Path, shell: list[str]) -> None:
    work = tmp_path / "elsewhere"
    work.mkdir()
    done = install(house, work, shell=shell)
    assert done.returncode == 0, done.stderr
    assert value_of(work / ".venv/bin/python", "one") == "1"
    assert names(work) == [".venv"]
    assert not (work / ".venv/.wheelhouse-installing").exists()


def test_into_a_target(house: House, tmp_path: Path, shell: list[str]) -> None:
    done = install(house, tmp_path, "--target=the site/x/", shell=shell)
    assert done.returncode == 0, done.stderr
    assert value_of(Path(sys.executable), "two", path=tmp_path / "the site/x") == "1"
    assert names(tmp_path / "the site") == ["x"]


def test_a_path_with_everything_in_it(tmp_path: Path, shell: list[str]) -> None:
    house = make_house(tmp_path, PACKAGES, name="it's a $HOUSE; ünï %s\\n&")
    done = install(house, tmp_path, "--venv", "the 'venv' \"$x\"", shell=shell)
    assert done.returncode == 0, done.stderr
    assert value_of(tmp_path / "the 'venv' \"$x\"/bin/python", "one") == "1"


def test_nothing_ambient_has_an_effect(house: House, tmp_path: Path) -> None:
    for name in ("platform.py", "hashlib.py", "pip.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the current folder')")
    config = tmp_path / "pip.conf"
    config.write_text("[global]\ntarget = /nowhere\nrequire-virtualenv = true\nno-index = false\n")
    ambient = {
        "PIP_CONFIG_FILE": str(config),
        "PIP_TARGET": "/nowhere",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_FIND_LINKS": "http://127.0.0.1:9/",
        "PIP_NO_BINARY": ":all:",
        "PIP_CONSTRAINT": "/nowhere",
        "PIP_REQUIRE_HASHES": "0",
        "PIP_PYTHON": "/nothing/python",  # --isolated does not keep pip from general options
        "PIP_VERSION": "1",
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": "/nowhere",
        "CDPATH": "/",
        "VIRTUAL_ENV": "/nowhere",
    }
    done = install(house, tmp_path, env=ambient)
    assert done.returncode == 0, done.stderr
    assert value_of(tmp_path / ".venv/bin/python", "one") == "1"


def test_into_a_venv_that_is_there(house: House, tmp_path: Path) -> None:
    venv.create(tmp_path / "there", with_pip=True)
    python = tmp_path / "there/bin/python"
    assert install(house, tmp_path, "--venv", "there", "--python", "ignored").returncode == 0
    assert value_of(python, "one") == "1"
    changed = (Package(name="one", files={"one.py": b"VALUE = 2\n"}), PACKAGES[1])
    other = make_house(tmp_path, changed, name="other")
    done = install(other, tmp_path, "--venv", "there")
    assert done.returncode == 0, done.stderr
    assert value_of(python, "one") == "2"  # same version, other contents


def test_into_the_wheelhouse_s_own_folder_and_again(house: House) -> None:
    """What is installed there is nothing that was added to the wheelhouse."""
    for options in ((), ("--check",), ("--check", "--venv", "another")):
        done = install(house, house.path, *options)
        assert done.returncode == 0, done.stderr
    (house.path / "stray").touch()
    assert "is not its own: stray" in install(house, house.path, "--check").stderr


def base_python(folder: Path, **distributions: str) -> Path:
    """A Python that is not a virtual environment's, and has *distributions* by itself."""
    library = Path(f"lib/python{sys.version_info.major}.{sys.version_info.minor}")
    own = folder / library / "site-packages"
    own.mkdir(parents=True)
    for each in (Path(sys.base_prefix) / library).iterdir():
        if each.name != "site-packages":
            (folder / library / each.name).symlink_to(each)
    for name, version in distributions.items():
        (own / f"{name}.py").write_text("VALUE = 0\n")
        info = own / f"{name}-{version}.dist-info"
        info.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(text)
        (info / "RECORD").write_text(f"{name}.py,,\n{info.name}/METADATA,,\n")
    (folder / "bin").mkdir()
    python = folder / "bin" / library.name
    shutil.copy(os.path.realpath(sys.executable), python)
    return python


def test_what_the_machine_has_by_itself_does_not_stand_for_the_wheelhouse_s(tmp_path: Path) -> None:
    """Of what bypasses the wheelhouse it does: however it writes the version."""
    house = edited(make_house(tmp_path, PACKAGES), bypassed="baked=2.1.5")
    python = base_python(tmp_path / "base", one="1.0", baked="2.01.5")
    done = install(house, tmp_path, f"--python={python}")
    assert done.returncode == 0, done.stderr
    assert value_of(tmp_path / ".venv/bin/python", "one") == "1"
    assert value_of(tmp_path / ".venv/bin/python", "baked") == "0"
    other = edited(house, bypassed="baked=2.1.6")
    refused = install(other, tmp_path, f"--python={python}", "--check")
    assert "baked 2.1.6 is to be here already, and 2.01.5 is" in refused.stderr


def test_packages_that_do_not_fit_together_are_told(tmp_path: Path) -> None:
    house = make_house(tmp_path, [Package(name="one", requires=["two>=2"]), Package(name="two")])
    done = install(house, tmp_path)
    assert done.returncode == 4
    assert "has requirement two>=2, but you have two 1.0" in done.stderr


def test_compiles_unless_told_not_to(house: House, tmp_path: Path) -> None:
    for options, compiled in (((), True), (("--no-compile",), False)):
        folder = tmp_path / f"site {compiled}"
        assert install(house, tmp_path, *options, "--target", str(folder)).returncode == 0
        assert (folder / "one/__pycache__").exists() is compiled


@pytest.mark.parametrize("pip", ["20.3", "21.3.1", "22.3.1", "24.2", "26.1", "26.3"])
@pytest.mark.index
def test_with_any_pip(house: House, tmp_path: Path, pip: str) -> None:
    venv.create(tmp_path / "v", with_pip=True)
    python = str(tmp_path / "v/bin/python")
    env = {k: v for k, v in os.environ.items() if k != "PIP_FIND_LINKS"}
    subprocess.run([python, "-m", "pip", "install", "-q", f"pip=={pip}"], check=True, env=env)
    done = install(house, tmp_path, "--venv", "v")
    assert done.returncode == 0, done.stderr
    assert value_of(Path(python), "one") == "1"
    if pip >= "26":
        command = [python, "-I", "-m", "pip", "--isolated", "install", "--force-reinstall"]
        command += ["--no-index", "-r", str(house.path / "pylock.toml")]
        subprocess.run(command, check=True, cwd=tmp_path, env={"PIP_CONFIG_FILE": os.devnull})


# -- it looks before it touches ------------------------------------------------------------------


def refused(
    house: House, tmp_path: Path, *options: str, shell: Sequence[str] = ("sh",)
) -> tuple[str, int]:
    """What it says, and how many problems it tells; nothing else must happen."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    before = sorted(work.rglob("*"))
    done = install(house, work, *options, shell=shell)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("Nothing was changed.\n")
    assert sorted(work.rglob("*")) == before
    assert done.stderr.count("    -> ") == done.stderr.count("  * ")
    return done.stderr, done.stderr.count("  * ")


def edited(house: House, **values: str) -> House:
    """The wheelhouse with facts of its ``install.sh`` changed, and its hash with it."""
    script = house.path / "install.sh"
    lines = script.read_text().splitlines(keepends=True)
    for name, value in values.items():
        (at,) = (n for n, line in enumerate(lines) if line.startswith(f"{name}="))
        lines[at] = f"{name}='{value}'\n"
    script.write_text("".join(lines))
    sums = house.path / "SHA256SUMS"
    kept = [line for line in sums.read_text().splitlines() if "install.sh" not in line]
    own = f"{hashlib.sha256(script.read_bytes()).hexdigest()}  install.sh"
    sums.write_text("\n".join([*kept, own, ""]))
    return house


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"version": "3.7"}, "the wheels are for 3.7"),
        ({"implementation": "PyPy"}, "is CPython; the wheels are for PyPy"),
        ({"free_threaded": "yes"}, "the wheels are for a free-threaded Python"),
        ({"arch": "s390x"}, "the wheels are for s390x"),
        ({"libc": "glibc 2.99"}, "the wheels need glibc 2.99 or later"),
        ({"libc": "musl 1.2"}, "the wheels need musl"),
        ({"libraries": "libc.so.6 libnothing.so.7"}, "not on this machine: libnothing.so.7"),
    ],
)
def test_a_machine_that_does_not_fit(
    house: House, tmp_path: Path, shell: list[str], facts: dict[str, str], told: str
) -> None:
    said, count = refused(edited(house, **facts), tmp_path, shell=shell)
    assert told in said
    assert count == 1


def test_libc_of_an_older_machine_is_enough(house: House, tmp_path: Path) -> None:
    assert install(edited(house, libc="glibc 2.5"), tmp_path, "--check").returncode == 0


def test_all_problems_at_once(house: House, tmp_path: Path, shell: list[str]) -> None:
    edited(house, arch="s390x", libc="musl 1.2", libraries="libnothing.so.7")
    wheels = house.path / "wheels"
    (wheels / "one-1.0-py3-none-any.whl").unlink()
    (wheels / "extra.whl").write_text("")
    (house.path / "requirements.txt").write_text("")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/full").mkdir()
    (tmp_path / "work/full/thesis.tex").write_text("precious")
    said, count = refused(house, tmp_path, "--venv", "full", shell=shell)
    assert count == 7
    assert "1 file of the wheelhouse is missing: wheels/one-1.0-py3-none-any.whl" in said
    assert "1 file of the wheelhouse is changed: requirements.txt" in said
    assert "1 file of the wheelhouse is not its own: wheels/extra.whl" in said
    assert "full is not empty, and no virtual environment" in said


def test_what_of_the_system_is_not_there(tmp_path: Path, shell: list[str]) -> None:
    """Each with the package that has it, as far as that is known."""
    package = Package(
        name="one",
        system_libraries=("libc.so.6", "libgone.so.1", "libnobodys.so.2"),
        system_programs=("sh", "no-such-program"),
    )
    system = [
        SystemRequirement(package="libgone1", platform="debian12", libraries=("libgone.so.1",)),
        SystemRequirement(package="no-such", platform="debian12", programs=("no-such-program",)),
    ]
    house = make_house(tmp_path, [package], system=system)
    said, count = refused(house, tmp_path, shell=shell)
    lines = [line.strip() for line in said.splitlines()]
    assert lines[1:] == [
        "* not on this machine: libgone.so.1, no-such-program",
        "-> sudo apt-get install libgone1 no-such",
        "* not on this machine: libnobodys.so.2",
        "-> install the distribution's package that has it",
        "Nothing was changed.",
    ]
    assert count == 2
    without = ["--without=libgone.so.1", "--without", "libnobodys.so.2"]
    said, count = refused(house, tmp_path, *without, shell=shell)
    assert "no-such-program" in said
    assert count == 1
    done = install(house, tmp_path, *without, "--without=no-such-program", "--check", shell=shell)
    assert done.returncode == 0, done.stderr


#: What each package manager says, to `name` and to any other.
MANAGERS = {
    "apt": (
        "dpkg-query",
        "printf installed",
        'echo "dpkg-query: no packages found matching $4" >&2',
    ),
    "dnf": ("rpm", "echo name-1.0", 'echo "no package provides $3"'),
    "apk": ("apk", "echo name", ":"),
}


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_package_that_is_known_by_its_name(
    house: House, tmp_path: Path, shell: list[str], manager: str
) -> None:
    command, there, gone = MANAGERS[manager]
    programs = tmp_path / "programs"
    programs.mkdir()
    script = f'for last; do :; done\n[ "$last" = name ] && {{ {there}; exit 0; }}\n{gone}\nexit 1\n'
    (programs / command).write_text(f"#!/bin/sh\n{script}")
    (programs / command).chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    edited(house, stated="name other", manager=manager)
    done = install(house, tmp_path, "--check", shell=shell, env=env)
    assert "not on this machine: other" in done.stderr
    assert done.returncode == 1
    done = install(house, tmp_path, "--check", "--without=other", shell=shell, env=env)
    assert done.returncode == 0, done.stderr


def test_where_no_package_manager_answers_nobody_is_kept_from_installing(
    house: House, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "rpm").write_text("#!/bin/sh\necho 'error: cannot open the database' >&2\nexit 1\n")
    (programs / "rpm").chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    edited(house, stated="other", manager="dnf")
    assert install(house, tmp_path, "--check", env=env).returncode == 0
    (programs / "rpm").unlink()
    assert install(house, tmp_path, "--check", env=env).returncode == 0


def test_a_house_without_its_sums(house: House, tmp_path: Path) -> None:
    (house.path / "SHA256SUMS").unlink()
    said, count = refused(house, tmp_path)
    assert "has no readable SHA256SUMS" in said
    assert count == 1


def test_an_ordinary_python_is_not_taken_for_a_free_threaded_one(
    house: House, tmp_path: Path, shell: list[str]
) -> None:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    edited(house, version=f"{own}t", free_threaded="yes", python_path=sys.executable)
    script = str(house.path / "install.sh")
    done = subprocess.run([*shell, script, "--check"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"there is no Python {own}t" in done.stderr
    said, count = refused(house, tmp_path, shell=shell)
    assert "the wheels are for a free-threaded Python, and " in said
    assert count == 1


def test_a_python_that_is_not_there(house: House, tmp_path: Path, shell: list[str]) -> None:
    said, _ = refused(house, tmp_path, "--python", "python9.9", shell=shell)
    assert "there is no python9.9" in said


def test_no_python_of_that_version(tmp_path: Path, shell: list[str]) -> None:
    house = make_house(tmp_path, PACKAGES, replace(this_target(), python="3.11"))
    edited(house, version="3.99", python_path="/usr/bin/python3.99")
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [*shell, str(house.path / "install.sh")], cwd=work, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "there is no Python 3.99" in done.stderr
    assert "sudo apt-get install" in done.stderr
    assert names(work) == []


def test_a_python_that_does_not_run(house: House, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    said, _ = refused(house, tmp_path, "--python", str(broken))
    assert "does not run" in said


def test_a_python_without_ensurepip(house: House, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    site = tmp_path / "site"
    site.mkdir()
    (site / "ensurepip.py").write_text("raise ImportError('no', name='ensurepip')")
    # As Debian without python3-venv, whatever options the installer starts it with.
    code = f"import sys; sys.path.insert(0, {str(site)!r}); exec(sys.stdin.read())"
    wrapper.write_text(
        f'#!/bin/sh\nshift 3\nexec {sys.executable} -c "{code}" "$@"\n',
    )
    wrapper.chmod(0o755)
    said, count = refused(house, tmp_path, "--python", str(wrapper))
    assert "cannot make virtual environments (ensurepip is missing)" in said
    assert count == 1


def test_a_place_that_may_not_be_written(house: House, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    place = tmp_path / "closed"
    place.mkdir(mode=0o555)
    said, _ = refused(house, tmp_path, "--venv", str(place / "v"))
    assert "you may not write to" in said


def test_a_target_that_is_a_file(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said, _ = refused(house, tmp_path, "--target", str(tmp_path / "file"))
    assert "is not a folder" in said


@pytest.mark.parametrize(
    "options",
    [["--nonsense"], ["--venv"], ["--venv", "a", "--target", "b"], ["--python="], ["--without"]],
)
def test_wrong_usage(house: House, tmp_path: Path, shell: list[str], options: list[str]) -> None:
    done = subprocess.run(
        [*shell, str(house.path / "install.sh"), *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "install.sh --help" in done.stderr


def test_check_changes_nothing(house: House, tmp_path: Path, shell: list[str]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    done = install(house, work, "--check", shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(work) == []


# -- stopped halfway -----------------------------------------------------------------------------


def many() -> list[Package]:
    """Packages that take pip a while, each importing to the same value."""
    modules = {f"m{number}.py": b"VALUE = 3\n" * 50 for number in range(100)}
    packages = [
        Package(name=name, files={f"{name}/{file}": code for file, code in modules.items()})
        for name in (f"p{number}" for number in range(8))
    ]
    return [*packages, *PACKAGES]


@pytest.mark.parametrize(
    ("there", "moment"),
    [
        (False, ".wheelhouse-installing"),
        (False, "pyvenv.cfg"),
        (False, "lib/*/site-packages/pip/_vendor"),
        (False, "lib/*/site-packages/p3/m50.py"),
        (True, ".wheelhouse-installing"),
        (True, "lib/*/site-packages/p3/m50.py"),
        (True, "lib/*/site-packages/p6*.dist-info/METADATA"),
    ],
)
def test_killed_and_run_again(tmp_path: Path, moment: str, there: bool) -> None:
    house = make_house(tmp_path, many())
    if there:
        venv.create(tmp_path / ".venv", with_pip=True)
        (tmp_path / ".venv/own").write_text("precious")
    command = ["sh", str(house.path / "install.sh"), "--python", sys.executable]
    with subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not list(tmp_path.glob(f".venv/{moment}")):
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = install(house, tmp_path)
    assert done.returncode == 0, done.stderr
    python = tmp_path / ".venv/bin/python"
    assert {value_of(python, f"p{number}.m99") for number in range(8)} == {"3"}
    assert (tmp_path / ".venv/own").exists() is there


def test_stopped_as_it_marked_a_venv_that_is_there(house: House, tmp_path: Path) -> None:
    """Between making the mark and writing it: what was there before is kept."""
    venv.create(tmp_path / ".venv", with_pip=True)
    (tmp_path / ".venv/own").write_text("precious")
    (tmp_path / ".venv/.wheelhouse-installing").touch()
    done = install(house, tmp_path)
    assert done.returncode == 0, done.stderr
    assert value_of(tmp_path / ".venv/bin/python", "one") == "1"
    assert (tmp_path / ".venv/own").read_text() == "precious"


def test_a_target_stopped_halfway(house: House, tmp_path: Path) -> None:
    partial = tmp_path / ".site.wheelhouse-installing"
    partial.mkdir()
    (partial / "half").write_text("")
    assert install(house, tmp_path, "--target", "site").returncode == 0
    assert "half" not in names(tmp_path / "site")
    assert not partial.exists()


def test_the_file_is_executable(house: House) -> None:
    assert stat.S_IMODE((house.path / "install.sh").stat().st_mode) == 0o755
