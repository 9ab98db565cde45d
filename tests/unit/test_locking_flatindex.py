"""Files without a package index: folders, pages of links, and indexes on a disk."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import lockingfactory
import pytest
from lockingfactory import NoBuilder, interpreter, metadata, sha, tar_bytes, target, wheel_bytes
from packaging.utils import canonicalize_name

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.credentials import Credentials
from wheelhouse.errors import FetchError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.flatindex import place_of
from wheelhouse.locking.index import locked_file
from wheelhouse.locking.indexes import Indexes
from wheelhouse.locking.metadata import MetadataSource
from wheelhouse.locking.resolver import resolve
from wheelhouse.locking.view import Policy, View
from wheelhouse.settings import IndexSettings
from wheelhouse.sources import Elsewhere
from wheelhouse.store import Store

if TYPE_CHECKING:
    from wheelhouse.locking.index import IndexFile

WHEEL = wheel_bytes("demo", "1.0", metadata("demo", "1.0", ["needed>=2"]))
NEEDED = wheel_bytes("needed", "2.0+local.1", metadata("needed", "2.0+local.1"))
SDIST = tar_bytes({"my_app-1.0/PKG-INFO": metadata("my-app", "1.0", ["demo"], level="2.2")})
FILES = {
    "demo-1.0-py3-none-any.whl": WHEEL,
    "needed-2.0+local.1-py3-none-any.whl": NEEDED,
    "my_app-1.0.tar.gz": SDIST,
    "My.App-0.9.tar.gz": b"older",
    "README.txt": b"no file of a project",
    "nonsense.tar.gz": b"neither",
}


class NoNetwork(Client):
    """A client that must not be needed."""

    def page(self, url: str, **_: object) -> NoReturn:
        """Fail."""
        raise AssertionError(f"{url} was asked for")

    def get(self, url: str, **_: object) -> NoReturn:
        """Fail."""
        raise AssertionError(f"{url} was asked for")


def fill(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def fill_index(root: Path) -> Path:
    """The layout of PEP 503: a folder for each project, one of which has a page."""
    for folder, names in {
        "demo": ["demo-1.0-py3-none-any.whl"],
        "My.App": ["my_app-1.0.tar.gz", "My.App-0.9.tar.gz", "demo-1.0-py3-none-any.whl"],
    }.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).write_bytes(FILES[name])
    files = root.parent / "the files"
    files.mkdir()
    name = "needed-2.0+local.1-py3-none-any.whl"
    (files / name).write_bytes(NEEDED)
    (root / "needed").mkdir()
    link = f"../../the%20files/needed-2.0%2Blocal.1-py3-none-any.whl#sha256={sha(NEEDED)}"
    page = f'<a href="{link}" data-core-metadata="true" data-requires-python=">=3">needed</a>'
    (root / "needed" / "index.html").write_text(page)
    return root


def files(
    url: str, name: str, *, flat: bool = True, root: Path = Path("/project")
) -> tuple[IndexFile, ...] | None:
    settings = IndexSettings(name="corp", url=url, flat=flat)
    page = place_of(settings, NoNetwork(), root).project(canonicalize_name(name))
    assert page is None or page.index == url
    return page.files if page else None


# --- a folder ---------------------------------------------------------------------------------


def test_the_files_of_a_folder_by_their_project(tmp_path: Path) -> None:
    folder = fill(tmp_path / "some wheels")
    found = files(folder.as_uri(), "my-app")
    assert found is not None
    assert [each.filename for each in found] == ["My.App-0.9.tar.gz", "my_app-1.0.tar.gz"]
    file = found[1]
    assert file.url == f"file:{folder}/my_app-1.0.tar.gz"
    assert (file.sha256, file.size, file.metadata) == (sha(SDIST), len(SDIST), False)
    assert files(folder.as_uri(), "readme") is None
    assert files(folder.as_uri(), "nonsense") is None


def test_a_folder_in_the_project_is_told_relative_to_it(tmp_path: Path) -> None:
    folder = fill(tmp_path / "vendor" / "wheels")
    found = files(folder.as_uri(), "needed", root=tmp_path)
    assert found is not None
    assert found[0].url == "file:vendor/wheels/needed-2.0+local.1-py3-none-any.whl"


def test_folders_within_a_folder_are_not_looked_into(tmp_path: Path) -> None:
    fill(tmp_path / "wheels" / "more")
    (tmp_path / "wheels" / "demo-2.0-py3-none-any.whl").mkdir()
    assert files((tmp_path / "wheels").as_uri(), "demo") is None


@pytest.mark.parametrize("flat", [True, False])
def test_a_folder_that_is_not_there(tmp_path: Path, flat: bool) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(FetchError, match=r"corp \(file://.*/gone\) is not there") as told:
        files(gone.as_uri(), "demo", flat=flat)
    assert "mount" in str(told.value.hint)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()
    with pytest.raises(FetchError, match="cannot be read: Not a directory"):
        files(place.as_uri(), "demo")


# --- pages of links ---------------------------------------------------------------------------


def test_a_page_of_links_on_this_machine(tmp_path: Path) -> None:
    fill(tmp_path / "wheels")
    away = f"https://host.example/demo-2.0-py3-none-any.whl#sha256={sha('2')}"
    links = f'<a href="wheels/demo-1.0-py3-none-any.whl">1</a><a href="{away}">2</a>'
    (tmp_path / "links.html").write_text(links)
    found = files((tmp_path / "links.html").as_uri(), "demo", root=tmp_path)
    assert found is not None
    assert [(each.url, each.sha256) for each in found] == [
        ("file:wheels/demo-1.0-py3-none-any.whl", sha(WHEEL)),
        ("https://host.example/demo-2.0-py3-none-any.whl", sha("2")),
    ]
    with pytest.raises(FetchError, match="is not there"):
        files((tmp_path / "gone.html").as_uri(), "demo")


def test_a_link_to_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "links.html").write_text('<a href="demo-1.0-py3-none-any.whl">1</a>')
    with pytest.raises(FetchError, match=r"demo-1\.0-py3-none-any\.whl is not there"):
        files((tmp_path / "links.html").as_uri(), "demo")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FlakyIndex:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return FlakyIndex()


def test_a_page_of_links_elsewhere(tmp_path: Path, server: FlakyIndex) -> None:
    """As web servers list a folder: with links to sort it by, and without hashes."""
    listing = (
        '<a href="?C=N;O=D">Name</a> <a href="/">Parent Directory</a>'
        '<a href="demo-1.0-py3-none-any.whl">demo</a> <a href="other-1.0.tar.gz">other</a>'
    )
    with server:
        url = server.on("/wheels/", Answer(kind="text/html;charset=UTF-8", body=listing.encode()))
        server.on("/wheels/demo-1.0-py3-none-any.whl", Answer(body=WHEEL))
        client = Client(patience=QUICK)
        # IndexSettings have no slash at the end; servers send from there to where there is one
        server.on("/wheels", Answer(status=301, headers={"Location": "/wheels/"}))
        place = place_of(IndexSettings(name="corp", url=url[:-1], flat=True), client, tmp_path)
        page = place.project(canonicalize_name("demo"))
        assert page is not None
        assert place.project(canonicalize_name("nothing")) is None
        assert server.count("/wheels/") == 1
        store = Store(tmp_path / "store")
        locked = locked_file(page.files[0], Fetcher(client, store, lambda: None))
        assert (locked.url, locked.sha256) == (f"{url}demo-1.0-py3-none-any.whl", sha(WHEEL))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(status=404), r"corp \(http.*\) is not there"),
        (Answer(status=403), "status 403"),
        (Answer(kind="application/json", body=b"{}"), "is no index page: its type is"),
        (Answer(kind="text/html", body=b"<form></form>"), "answers with a page that is no index"),
    ],
)
def test_what_is_no_page_of_links(server: FlakyIndex, answer: Answer, said: str) -> None:
    with server:
        settings = IndexSettings(name="corp", url=server.on("/links", answer), flat=True)
        place = place_of(settings, Client(patience=QUICK), Path("/project"))
        with pytest.raises(FetchError, match=said):
            place.project(canonicalize_name("demo"))


# --- an index on a disk -----------------------------------------------------------------------


def test_an_index_on_a_disk(tmp_path: Path) -> None:
    url = fill_index(tmp_path / "simple").as_uri()
    demo, app = files(url, "demo", flat=False), files(url, "my-app", flat=False)
    assert demo is not None
    assert app is not None
    assert [each.filename for each in app] == ["My.App-0.9.tar.gz", "my_app-1.0.tar.gz"]
    assert demo[0].url == f"file:{tmp_path}/simple/demo/demo-1.0-py3-none-any.whl"
    assert files(url, "nothing", flat=False) is None


def test_a_page_of_an_index_on_a_disk(tmp_path: Path) -> None:
    found = files(fill_index(tmp_path / "simple").as_uri(), "needed", flat=False)
    assert found is not None
    (file,) = found
    assert file.url == f"file:{tmp_path}/the files/needed-2.0+local.1-py3-none-any.whl"
    assert (file.sha256, file.metadata) == (sha(NEEDED), False)
    assert str(file.requires_python) == ">=3"


# --- without any network ----------------------------------------------------------------------


@pytest.mark.parametrize("flat", [True, False])
def test_all_is_resolved_and_fetched_without_a_network(tmp_path: Path, flat: bool) -> None:
    place = fill(tmp_path / "files") if flat else fill_index(tmp_path / "simple")
    store = Store(tmp_path / "store")
    elsewhere = Elsewhere(
        tmp_path,
        lambda: None,
        Credentials(),
        workspace=store.workspace,
        tell=pytest.fail,
    )
    fetcher = Fetcher(NoNetwork(), store, lambda: None, elsewhere=elsewhere)
    project = lockingfactory.project(tmp_path)
    default = IndexSettings(name="default", url=place.as_uri(), flat=flat)
    shelves = Indexes(fetcher.client, replace(project, default_index=default))
    pages = shelves.seen_by(target(), remembered={}, bound={})
    policy = Policy(source=lambda _: "any", hashes=lambda _: ())
    view = View(pages, interpreter(), MetadataSource(fetcher, NoBuilder()), policy)
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    pins = resolve(view, interpreter(), ["my-app>=1"], folder=folder)
    chosen = {pin.name: view.release(pin.name, pin.version).files("any")[0] for pin in pins}
    shutil.rmtree(folder)
    assert {name: file.filename for name, file in chosen.items()} == {
        "demo": "demo-1.0-py3-none-any.whl",
        "my-app": "my_app-1.0.tar.gz",
        "needed": "needed-2.0+local.1-py3-none-any.whl",
    }
    for file in chosen.values():
        locked = locked_file(file, fetcher)
        assert fetcher.fetch(locked.url, locked.sha256).read_bytes() == FILES[file.filename]
