"""`wheelhouse export`: what it writes, what it refuses, and that pip installs from it."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

from housefactory import Package, debian12, make_contents, make_house, this_target, wheel_bytes
from wheelhouse.cli.app import run  # noqa: TID251  (it is what is tested)
from wheelhouse.contents import describe
from wheelhouse.errors import ConfigError
from wheelhouse.export import FORMATS, parse_base, requirements_urls
from wheelhouse.manifest import Bypassed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.manifest import Manifest

PACKAGES = (
    Package(name="zebra"),
    Package(name="demo-cuda", version="2.7.0+cu128", requires=["zebra", "not-in-here"]),
)
WHEELS = ["demo_cuda-2.7.0+cu128-py3-none-any.whl", "zebra-1.0-py3-none-any.whl"]
TOML = """\
requirements = ["requirements.txt"]
[targets.web]
platform = "debian12"
python = "3.11"
"""
SECOND = """\
[targets.api]
platform = "debian13"
python = "3.13"
"""
INSTALL = ("install", "--no-index", "--no-deps", "--requirement")


def manifest_of(folder: Path, *bypassed: Bypassed) -> Manifest:
    """The manifest of :data:`PACKAGES` for Debian 12."""
    return describe(replace(make_contents(folder, PACKAGES, debian12()), bypassed=bypassed))


def pins(text: str) -> list[str]:
    """The lines that are no comments."""
    return [line for line in text.splitlines() if not line.startswith("#")]


# -- where wheels lie ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "place"),
    [
        ("https://files.example.com/web", "https://files.example.com/web/a%2B1.whl"),
        ("https://files.example.com/web/", "https://files.example.com/web/a%2B1.whl"),
        ("HTTPS://files.example.com", "https://files.example.com/a%2B1.whl"),
        ("http://[::1]:8080/w", "http://[::1]:8080/w/a%2B1.whl"),
        ("https://h/a b/ü/c%20d+e/100%", "https://h/a%20b/%C3%BC/c%20d+e/100%25/a%2B1.whl"),
        ("https://h/${TOKEN}", "https://h/$%7BTOKEN%7D/a%2B1.whl"),
        ("file:///srv/w", "file:///srv/w/a%2B1.whl"),
        ("/", "file:///a%2B1.whl"),
        ("/srv/my wheels/ü+;#?%", "file:///srv/my%20wheels/%C3%BC%2B%3B%23%3F%25/a%2B1.whl"),
        ("./wheels", "./wheels/a+1.whl"),
        ("../w/", "../w/a+1.whl"),
        ("wheels", "./wheels/a+1.whl"),
        (".", "./a+1.whl"),
        ("..", "../a+1.whl"),
        (".hidden", "./.hidden/a+1.whl"),
        ("-r my wheels/ü", "./-r my wheels/ü/a+1.whl"),
    ],
)
def test_where_a_wheel_is(base: str, place: str) -> None:
    assert parse_base(base).place_of("a+1.whl") == place


@pytest.mark.parametrize(
    "base", ["https://me:hunter2@h/w", "https://hunter2@h", "file://hunter2@/"]
)
def test_a_password_is_refused_and_not_repeated(base: str) -> None:
    with pytest.raises(ConfigError, match="user name or password") as caught:
        parse_base(base)
    assert "netrc" in str(caught.value.hint)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize("base", ["https://h/w?token=hunter2", "https://h/w#hunter2"])
def test_what_no_file_name_can_follow_is_refused(base: str) -> None:
    with pytest.raises(ConfigError, match="cannot follow") as caught:
        parse_base(base)
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    "base",
    [
        *("", "https:", "https:///w", "https://a b/w", "https:h/w", "https://[h/w"),
        *("s3://bucket/w", "file:w", "file://h/w"),
        *("a;b", "a -b", "a #b", "a/${HOME}", "a\nb", "a\tb", "a\u2028b", "\udcff"),
    ],
)
def test_what_pip_cannot_read_is_refused(base: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_base(base)
    assert caught.value.hint


# -- the list for pip ----------------------------------------------------------------------------


def test_the_list_for_pip(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path)
    sums = [hashlib.sha256(wheel_bytes(package)).hexdigest() for package in reversed(PACKAGES)]
    arch = manifest.target.arch
    assert requirements_urls(manifest, parse_base("https://h/w"), "requirements.urls") == (
        f"# The wheels of web: {manifest.target.title}, Python 3.11, {arch}.\n"
        "# This installs exactly them, with the target's Python:\n"
        "#   python -m pip install --no-index --no-deps --requirement requirements.urls\n"
        f"https://h/w/demo_cuda-2.7.0%2Bcu128-py3-none-any.whl --hash=sha256:{sums[0]}\n"
        f"https://h/w/zebra-1.0-py3-none-any.whl --hash=sha256:{sums[1]}\n"
    )


def test_what_bypasses_the_wheelhouse_is_told(tmp_path: Path) -> None:
    manifest = manifest_of(
        tmp_path,
        Bypassed(name="numpy", version="2.0", way="image"),
        Bypassed(name="python-apt", version="2.6.0", way="system", package="python3-apt"),
        Bypassed(name="torch", version="2.7.0+cu128", way="wheel"),
    )
    text = requirements_urls(manifest, parse_base("https://h/w"), "r.urls")
    assert (
        "# Not in here, since something else brings it to the server:\n"
        "#   numpy==2.0 (the server's image has it)\n"
        "#   python-apt==2.6.0 (the distribution's package python3-apt brings it)\n"
        "#   torch==2.7.0+cu128 (its wheel is installed by other means)\n"
    ) in text
    assert len(pins(text)) == len(PACKAGES)


def test_the_file_s_name_stays_one_word_in_its_comment(tmp_path: Path) -> None:
    base = parse_base("https://h/w")
    text = requirements_urls(manifest_of(tmp_path), base, "a b\nhttps://evil/c.whl")
    assert len(pins(text)) == len(PACKAGES)
    assert "--requirement 'a b\\nhttps://evil/c.whl'\n" in text
    assert "--requirement ./-o.urls\n" in requirements_urls(manifest_of(tmp_path), base, "-o.urls")


def test_where_a_relative_path_begins_is_told(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path)
    said = "# ./wheels/ is looked for in the folder where that is run.\n"
    assert said in requirements_urls(manifest, parse_base("wheels"), "r.urls")
    assert "looked for" not in requirements_urls(manifest, parse_base("/wheels"), "r.urls")


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with a finished wheelhouse for its one target."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheelhouse.toml").write_text(TOML)
    (tmp_path / "requirements.txt").write_text("demo-cuda\n")
    add_house(tmp_path, "web")
    return tmp_path


def add_house(root: Path, target: str) -> None:
    (root / "dist").mkdir(exist_ok=True)
    made = replace(this_target(), name=target)
    make_house(root / "dist", PACKAGES, made, name=target)


def export(*options: str) -> int:
    return run(["export", "--to", "requirements-urls", *options])


def test_without_options(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export() == 0
    wheels = here / "dist/web/wheels"
    written = pins((here / "requirements.urls").read_text())
    places = [urlsplit(line.split()[0]) for line in written]
    assert {place.scheme for place in places} == {"file"}
    assert [unquote(place.path) for place in places] == [str(wheels / name) for name in WHEELS]
    said = f"requirements.urls is written: 2 wheels, in {wheels.as_uri()}/\n"
    assert capsys.readouterr().out == said


def test_several_targets_have_a_file_each(here: Path) -> None:
    (here / "wheelhouse.toml").write_text(TOML + SECOND)
    add_house(here, "api")
    assert export("--base", "https://h/w") == 0
    names = {path.name for path in here.glob("*.urls")}
    assert names == {"requirements.web.urls", "requirements.api.urls"}
    for name in names:
        assert f"--requirement {name}\n" in (here / name).read_text()
    for name in names:
        (here / name).unlink()
    assert export("--target", "api") == 0  # the name is the same, whatever is asked for
    assert [path.name for path in here.glob("*.urls")] == ["requirements.api.urls"]


def test_an_output_is_for_one_target(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheelhouse.toml").write_text(TOML + SECOND)
    for output in ("all.urls", "-"):
        assert export("--output", output) == 2
        assert "name one target" in capsys.readouterr().err
    assert export("--output", "one.urls", "--target", "web") == 0
    assert [path.name for path in here.glob("*.urls")] == ["one.urls"]


def test_printing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export("--base", "./wheels", "--output", "-") == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in pins(printed)] == [f"./wheels/{name}" for name in WHEELS]
    assert not list(here.glob("*.urls"))
    assert not (here / "-").exists()


def test_an_older_file_is_replaced_as_a_whole(here: Path) -> None:
    (here / "kept.urls").write_text("old\n" * 1000)
    (here / "requirements.urls").symlink_to("kept.urls")
    before = (here / "kept.urls").stat().st_ino
    assert export() == 0
    assert (here / "requirements.urls").is_symlink()
    assert len(pins((here / "kept.urls").read_text())) == len(PACKAGES)
    assert (here / "kept.urls").stat().st_ino != before
    assert not list(here.glob(".*.tmp"))


def test_a_device_stays_what_it_is(here: Path) -> None:
    command = [sys.executable, "-m", "wheelhouse", "export", "--to", "requirements-urls"]
    done = subprocess.run(
        [*command, "--output", "/dev/stdout"], cwd=here, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "zebra-1.0-py3-none-any.whl --hash=sha256:" in done.stdout
    assert Path("/dev/stdout").is_symlink()


def test_a_folder_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export("--output", "out/requirements.urls") == 7
    assert "there is no folder out\n" in capsys.readouterr().err


def test_a_wheelhouse_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheelhouse.toml").write_text(TOML + SECOND)
    assert export() == 7
    told = capsys.readouterr().err
    assert "api: there is no wheelhouse in dist/api" in told
    assert "wheelhouse build --target api" in told
    assert not list(here.glob("*.urls"))  # not that of the target which has one either


def test_a_wheelhouse_that_is_not_whole(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheels = here / "dist/web/wheels"
    (wheels / WHEELS[0]).unlink()
    with (wheels / WHEELS[1]).open("ab") as wheel:
        wheel.write(b"!")
    assert export() == 5
    told = " ".join(capsys.readouterr().err.split())
    assert f"wheels/{WHEELS[0]} is missing; wheels/{WHEELS[1]} was changed" in told
    assert "`wheelhouse verify dist/web`" in told
    assert not list(here.glob("*.urls"))


def test_a_link_is_no_wheel(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = here / "dist/web/wheels" / WHEELS[1]
    wheel.rename(here / "elsewhere.whl")
    wheel.symlink_to(here / "elsewhere.whl")
    assert export() == 5
    assert "cannot be read as what it should be" in " ".join(capsys.readouterr().err.split())


def test_a_password_reaches_neither_file_nor_terminal(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export("--base", "https://me:hunter2@h/w") == 2
    assert "hunter2" not in str(capsys.readouterr())
    assert not list(here.glob("*.urls"))


def test_every_form_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "--to", "nonsense"]) == 2
    assert all(name in capsys.readouterr().err for name in FORMATS)


# -- pip installs it -----------------------------------------------------------------------------


def pip(python: Path | str, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pip with nothing of this machine's settings, and nothing but loopback to reach."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("PIP_", "PYTHON"))
    }
    nowhere = "http://127.0.0.1:9"
    proxies = {"http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": "127.0.0.1"}
    quiet = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(
        [str(python), "-m", "pip", *arguments],
        cwd=cwd,
        env={**kept, **proxies, **quiet, "PIP_NO_CACHE_DIR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def assert_installs(python: Path | str, here: Path) -> None:
    """*python*'s pip installs exactly :data:`PACKAGES` by the present list, into a new folder."""
    site = Path(tempfile.mkdtemp(dir=here))
    done = pip(python, here, *INSTALL, "requirements.urls", "--target", str(site))
    assert done.returncode == 0, done.stderr
    found = {path.name.removesuffix(".dist-info") for path in site.glob("*.dist-info")}
    assert found == {"demo_cuda-2.7.0+cu128", "zebra-1.0"}


def assert_refuses_another_file(python: Path | str, here: Path) -> None:
    """A wheel that has been exchanged is refused, although it could be installed."""
    changed = here / "changed"
    shutil.copytree(here / "dist/web/wheels", changed)
    other = replace(PACKAGES[0], files={"zebra/__init__.py": b"VALUE = 2\n"})
    (changed / WHEELS[1]).write_bytes(wheel_bytes(other))
    assert export("--base", "changed") == 0
    done = pip(python, here, *INSTALL, "requirements.urls", "--target", "unwanted")
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (here / "unwanted").exists()


class _Server(SimpleHTTPRequestHandler):
    """Files, for everybody, or for those who sign in as ``me`` with ``hunter2``."""

    guarded = False

    def do_GET(self) -> None:
        signed = "Basic " + base64.b64encode(b"me:hunter2").decode()
        if self.guarded and self.headers.get("Authorization") != signed:
            self.send_error(401)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


class _GuardedServer(_Server):
    guarded = True


@contextlib.contextmanager
def serving(folder: Path, kind: type[_Server] = _Server) -> Iterator[str]:
    """*folder* over HTTP on loopback; its URL."""
    handler = functools.partial(kind, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def assert_installs_from_everywhere(python: Path | str, here: Path) -> None:
    """From where the wheels are, an absolute and a relative folder with odd names, and HTTP."""
    assert export() == 0
    assert_installs(python, here)
    odd = "my  wheels, ü+%20@[1]"
    shutil.copytree(here / "dist/web/wheels", here / odd)
    with serving(here) as url:
        for base in (str(here / odd), odd, f"{url}/my  wheels, ü+%2520@[1]"):
            assert export("--base", base) == 0
            assert_installs(python, here)


def test_pip_installs_it(here: Path) -> None:
    assert_installs_from_everywhere(sys.executable, here)


def test_pip_has_the_password_from_netrc(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = here / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    with serving(here / "dist/web/wheels", _GuardedServer) as url:
        assert export("--base", url) == 0
        monkeypatch.setenv("NETRC", os.devnull)
        command = (*INSTALL, "requirements.urls", "--no-input", "--target", "unwanted")
        refused = pip(sys.executable, here, *command)
        assert refused.returncode == 1
        assert "401" in refused.stderr
        monkeypatch.setenv("NETRC", str(netrc))
        assert_installs(sys.executable, here)


def test_pip_refuses_another_file(here: Path) -> None:
    assert_refuses_another_file(sys.executable, here)


def python_with_pip(version: str) -> Path:
    """The Python of an environment with that pip, in the user's cache; made where there is none."""
    key = hashlib.sha256(f"{sys.version} {sys.executable}".encode()).hexdigest()[:8]
    cache = user_cache_path("wheelhouse-tests", ensure_exists=True)
    folder = cache / f"pip-{version}-{key}"
    python, done = folder / "bin/python", folder / "complete"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            uv = [sys.executable, "-m", "uv"]
            made = [*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)]
            subprocess.run(made, check=True)
            wanted = ["--python", str(python), f"pip=={version}"]
            subprocess.run([*uv, "pip", "install", "-q", *wanted], check=True)
            done.touch()
    return python


@pytest.mark.index
@pytest.mark.parametrize("version", ["21.3.1", "23.3.2", "26.3"])
def test_with_any_pip(here: Path, version: str) -> None:
    python = python_with_pip(version)
    assert pip(python, here, "--version").stdout.startswith(f"pip {version} ")
    assert_installs_from_everywhere(python, here)
    assert_refuses_another_file(python, here)
