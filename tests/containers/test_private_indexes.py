"""Private indexes as companies run them, with passwords; and a public one with impostors."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import secrets
import subprocess
import tarfile
import threading
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import Finished, Workplace
from packaging.utils import canonicalize_name

from housefactory import Package, wheel_bytes
from indexservers import devpi, gate, pypiserver, servers
from projects import LocalIndex, ProjectSdist, serving, write_project
from wheelhouse.credentials import Credentials
from wheelhouse.engine.docker import LABEL
from wheelhouse.engine.docker_connect import connect
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.index import Index, locked_file
from wheelhouse.settings import IndexSettings
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from indexservers import Gate

pytestmark = [pytest.mark.containers, pytest.mark.index]

CORE = "acme_core-1.0-py3-none-any.whl"
OWN = ("acme-core", "acme-native", "acme-tools")

#: Looks for the passwords, which it has backwards, in all that a build can see.
SEARCH = """
def before_build(directory):
    import glob
    wanted = [text[::-1].encode() for text in {backwards!r}]
    places = [os.path.join(top, name) for root in ("/build", "/tmp", "/run", "/etc", "/opt")
        for top, _, names in os.walk(root) for name in names]
    places += glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")
    looked = 0
    for place in places:
        try:
            with open(place, "rb") as file:
                data = file.read()
        except OSError:
            continue
        looked += 1
        for text in wanted:
            if text in data:
                raise SystemExit("a password is in " + place)
    if looked < 100:
        raise SystemExit("too little to look at: %d" % looked)
    print("no password in %d files" % looked)
"""


@dataclass(frozen=True)
class Company:
    """Two private indexes and the public one, each behind a gate, and the passwords of two."""

    corp: Gate
    tools: Gate
    public: Gate
    passwords: tuple[str, str]
    netrc: Path

    def forget(self) -> None:
        for each in (self.corp, self.tools, self.public):
            each.asked.clear()

    def run(self, workplace: Workplace, *arguments: str, **variables: str) -> Finished:
        """The command, with what it needs to sign in."""
        known = {
            "WHEELHOUSE_INDEX_CORP_USERNAME": "corp",
            "WHEELHOUSE_INDEX_CORP_PASSWORD": self.passwords[0],
            "NETRC": str(self.netrc),
        }
        return workplace.run(*arguments, "--plain", timeout=300, **{**known, **variables})

    def configure(self, project: Path) -> None:
        (project / "requirements.txt").write_text("acme-core\nacme-native\nleaf\n")
        (project / "wheelhouse.toml").write_text(
            f'index = "{self.public.base}/simple"\n'
            f'[indexes.corp]\nurl = "{self.corp.base}/simple"\n'
            f'[indexes.tools]\nurl = "{self.tools.base}/corp/stable/+simple"\n'
            '[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'
        )


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    root = tmp_path_factory.mktemp("company")
    passwords = secrets.token_hex(16), secrets.token_hex(16)
    search = SEARCH.format(backwards=[each[::-1] for each in passwords])
    core = Package(name="acme-core", version="1.0", requires=("acme-tools>=1",))
    native = ProjectSdist(name="acme-native", native=True, extra=search)
    corp = {
        CORE: wheel_bytes(core),
        native.filename: native.content(),
    }
    tools = ProjectSdist(name="acme-tools", extra=search)
    public = LocalIndex()
    public.add(ProjectSdist(name="leaf"))
    public.add(*(ProjectSdist(name=name, version="99.0") for name in OWN))
    with contextlib.ExitStack() as stack:
        at = stack.enter_context
        shown = at(gate(at(serving(public)).url))
        # what it lacks it sends to the public index for, as it does if nobody says otherwise
        fallback = ("--fallback-url", f"{shown.base}/simple/")
        private = at(pypiserver(root / "corp", corp, *fallback, password=passwords[0]))
        other = at(devpi(root / "tools", {tools.filename: tools.content()}, password=passwords[1]))
        netrc = root / "netrc"
        netrc.write_text(f"machine localhost login corp password {passwords[1]}\n")
        yield Company(
            corp=at(gate(private.url)),
            tools=at(gate(other.url, host="localhost")),
            public=shown,
            passwords=passwords,
            netrc=netrc,
        )


@pytest.fixture(scope="module")
def watched(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A project of the company, built under the eyes of who looks for its passwords."""
    workplace = Workplace(tmp_path_factory.mktemp("work"))
    company.configure(workplace.project)
    with Watch() as watch:
        done = company.run(workplace, "build")
    assert done.status == 0, done.said
    yield Watched(workplace, watch, done.said)


class Watch:
    """Notes containers as they are made, and the command lines of all processes, in its block."""

    def __init__(self) -> None:
        self.containers: list[str] = []
        self.commands: set[bytes] = set()
        self.images: set[str] = set()
        self._before: set[str] = set()
        self._client = connect()
        self._done = threading.Event()

    def __enter__(self) -> Watch:
        self._before = set(self._own_images())
        self._events = self._client.events(
            decode=True, filters={"type": "container", "event": ["create", "start"]}
        )
        self._threads = [
            threading.Thread(target=target) for target in (self._see_containers, self._see_commands)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._events.close()
        for thread in self._threads:
            thread.join()
        self.images = set(self._own_images()) - self._before
        self._client.close()

    def _own_images(self) -> list[str]:
        found = subprocess.run(
            ["docker", "images", "--quiet", "--no-trunc", "--filter", f"label={LABEL}"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return found.stdout.split()

    def _see_containers(self) -> None:
        for event in self._events:
            with contextlib.suppress(Exception):  # it is gone already
                self.containers.append(json.dumps(self._client.inspect_container(event["id"])))

    def _see_commands(self) -> None:
        while not self._done.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self.commands.add((process / "cmdline").read_bytes())


@dataclass(frozen=True)
class Watched:
    """A finished build, and what was seen of it."""

    workplace: Workplace
    watch: Watch
    said: str


def forms(passwords: tuple[str, ...]) -> list[bytes]:
    """The passwords as they are, and as they are sent."""
    plain = [each.encode() for each in passwords]
    pairs = [b"corp:" + each for each in plain]
    encoded = [base64.b64encode(each).rstrip(b"=") for each in (*plain, *pairs)]
    return [*plain, *encoded]


def contents(data: bytes) -> Iterator[bytes]:
    """*data*, and what is packed in it."""
    yield data
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from contents(archive.read(name))
    elif data[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                yield from contents(file.read()) if file else ()


# --- a whole run ------------------------------------------------------------------------------


def test_private_packages_are_built_and_proven(company: Company, watched: Watched) -> None:
    manifest = json.loads((watched.workplace.house() / "manifest.json").read_text())
    found = {wheel["name"]: wheel["version"] for wheel in manifest["wheels"]}
    assert found == {**dict.fromkeys(OWN, "1.0"), "leaf": "1.0"}
    lock = tomllib.loads((watched.workplace.project / "pylock.d12.toml").read_text())
    assert {package["name"]: package["index"] for package in lock["packages"]} == {
        "acme-core": f"{company.corp.base}/simple",
        "acme-native": f"{company.corp.base}/simple",
        "acme-tools": f"{company.tools.base}/corp/stable/+simple",
        "leaf": f"{company.public.base}/simple",
    }


def test_the_public_index_hears_of_no_private_name(company: Company, watched: Watched) -> None:
    assert company.public.projects() == {"leaf"}


def test_each_index_gets_its_own_password(company: Company, watched: Watched) -> None:
    def sent(gate: Gate) -> set[str]:
        found = {said for _, said in gate.asked if said is not None}
        return {base64.b64decode(each.removeprefix("Basic ")).decode() for each in found}

    assert sent(company.corp) == {f"corp:{company.passwords[0]}"}
    assert sent(company.tools) == {f"corp:{company.passwords[1]}"}
    assert sent(company.public) == set()
    assert any("/+f/" in path for path, _ in company.tools.asked)


def test_the_passwords_are_in_no_file(company: Company, watched: Watched) -> None:
    wanted = forms(company.passwords)
    paths = [path for path in watched.workplace.root.rglob("*") if path.is_file()]
    assert len(paths) > 20
    packed = 0
    for path in paths:
        for content in contents(path.read_bytes()):
            packed += 1
            assert not [each for each in wanted if each in content], path
    assert packed > len(paths)


def test_the_passwords_are_in_nothing_that_is_said(company: Company, watched: Watched) -> None:
    assert not [each for each in forms(company.passwords) if each in watched.said.encode()]
    assert "no password in" in watched.workplace.logs()


def test_the_passwords_are_in_no_command_and_no_container(
    company: Company, watched: Watched
) -> None:
    wanted = forms(company.passwords)
    assert any(b"wheelhouse" in command for command in watched.watch.commands)
    assert len(watched.watch.containers) >= 3
    for seen in (*watched.watch.commands, *(each.encode() for each in watched.watch.containers)):
        assert not [each for each in wanted if each in seen]


def test_the_passwords_are_in_no_image(company: Company, watched: Watched) -> None:
    wanted = forms(company.passwords)
    used = {json.loads(each)["Image"] for each in watched.watch.containers}
    assert used
    for image in used | watched.watch.images:
        for command in (["history", "--no-trunc"], ["image", "inspect"]):
            said = subprocess.run(["docker", *command, image], stdout=subprocess.PIPE, check=True)
            assert not [each for each in wanted if each in said.stdout]
    for image in watched.watch.images:
        assert not _in_layers(image, wanted)


def _in_layers(image: str, wanted: list[bytes]) -> bool:
    pattern = re.compile(b"|".join(re.escape(each) for each in wanted))
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        rest = b""
        while chunk := saving.stdout.read(1 << 20):
            if pattern.search(rest + chunk):
                return True
            rest = chunk[-100:]
    return False


# --- an index that fails ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 503])
@pytest.mark.parametrize("which", ["corp", "tools"])
def test_an_index_that_fails_is_never_replaced_by_the_public_one(
    company: Company, watched: Watched, which: str, status: int
) -> None:
    lock = watched.workplace.project / "pylock.d12.toml"
    before = lock.read_bytes()
    failing: Gate = getattr(company, which)
    company.forget()
    failing.status = status
    try:
        done = company.run(watched.workplace, "lock", "--upgrade")
    finally:
        failing.status = None
    assert done.status == 3, done.said
    words = "but it is not there; it is not taken from elsewhere" if status == 404 else f"{status}"
    assert words in done.said
    assert f"{which} ({failing.base}/" in done.said
    assert lock.read_bytes() == before
    assert not company.public.projects() & set(OWN)
    assert not [each for each in forms(company.passwords) if each in done.said.encode()]


def test_a_wrong_password_is_told(company: Company, watched: Watched) -> None:
    wrong = {"WHEELHOUSE_INDEX_CORP_PASSWORD": "wr0ng-passw0rd"}
    done = company.run(watched.workplace, "lock", "--upgrade", **wrong)
    assert done.status == 3, done.said
    assert "answers 403" in done.said
    assert "WHEELHOUSE_INDEX_CORP_PASSWORD" in done.said
    assert "wr0ng-passw0rd" not in done.said


# --- no index at all --------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [True, False])
def test_a_folder_of_files_is_all_it_takes(
    workplace: Workplace, index: LocalIndex, flat: bool
) -> None:
    """There is a default index, with impostors, which nobody asks."""
    index.add(*(ProjectSdist(name=name, version="99.0") for name in OWN))
    core = Package(name="acme-core", version="1.0", requires=("acme-native",))
    native = ProjectSdist(name="acme-native", native=True)
    place = workplace.project / "vendor" if flat else workplace.root / "simple"
    for name, filename, content in (
        ("acme-core", CORE, wheel_bytes(core)),
        ("acme-native", native.filename, native.content()),
    ):
        folder = place if flat else place / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / filename).write_bytes(content)
    where = 'find-links = "vendor"' if flat else f'url = "{place.as_uri()}"'
    more = f"[indexes.vendor]\n{where}\n"
    write_project(workplace.project, index, "acme-core\n", more=more)
    done = workplace.run("build", "--plain")
    assert done.status == 0, done.said
    manifest = json.loads((workplace.house() / "manifest.json").read_text())
    found = {wheel["name"]: wheel["version"] for wheel in manifest["wheels"]}
    assert found == {"acme-core": "1.0", "acme-native": "1.0"}
    again = workplace.run("build", "--plain", "--locked")
    assert again.status == 0, again.said
    assert index.requests == []


# --- single things, with the real servers -----------------------------------------------------


@pytest.mark.parametrize("hashes", ["md5", "sha512", "off"])
def test_an_index_without_sha256_serves(tmp_path: Path, hashes: str) -> None:
    package = Package(name="acme-core", version="1.0")
    files = {CORE: wheel_bytes(package)}
    with pypiserver(tmp_path / "corp", files, password="pw", hashes=hashes) as server:
        known = Credentials([], {server.url: (server.user, server.password)})
        fetcher = Fetcher(Client(credentials=known), Store(tmp_path / "store"), lambda: None)
        page = Index(fetcher.client, server.url).project(canonicalize_name("acme-core"))
        assert page is not None
        (file,) = page.files
        assert (file.sha256, [kind for kind, _ in file.other_hashes]) == (
            None,
            [] if hashes == "off" else [hashes],
        )
        locked = locked_file(file, fetcher)
        assert fetcher.fetch(locked.url, locked.sha256).read_bytes() == files[CORE]


def test_the_password_may_be_in_a_keyring(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In `keyring` itself, with a backend that has it in memory."""
    url = f"{company.corp.base}/simple"
    (tmp_path / "memory.py").write_text(
        "from keyring.backend import KeyringBackend\n"
        "from keyring.credentials import SimpleCredential\n"
        "class Memory(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, username):\n"
        f"        if (service, username) == ({url!r}, 'corp'):\n"
        f"            return {company.passwords[0]!r}\n"
        "    def get_credential(self, service, username):\n"
        "        password = self.get_password(service, 'corp')\n"
        "        return SimpleCredential('corp', password) if password else None\n"
        "    def set_password(self, service, username, password):\n"
        "        raise NotImplementedError\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "memory.Memory")
    monkeypatch.setenv("PATH", str(servers() / "bin"))
    monkeypatch.setenv("NETRC", "/no/such/netrc")
    for username in ("", "corp"):
        corp = IndexSettings(name="corp", url=url, username=username)
        client = Client(credentials=Credentials([corp]))
        assert Index(client, url, "corp").project(canonicalize_name("acme-core")) is not None
        assert Index(client, url, "corp").project(canonicalize_name("acme-native")) is not None
