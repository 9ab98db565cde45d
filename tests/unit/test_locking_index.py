"""Reading index pages: JSON and HTML, sound, sparse, and broken."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import sha
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from flakyindex import JSON, QUICK, Answer, FlakyIndex
from wheelhouse.errors import FetchError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking.index import (
    WEAKER,
    Index,
    IndexFile,
    locked_file,
    page_from_html,
    page_from_json,
)
from wheelhouse.locking.model import LockedFile
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.locking.index import ProjectPage

NAME = canonicalize_name("demo")
URL = "https://index.example/simple/demo/"
WHEEL = "demo-1.0-py3-none-any.whl"
SHA = sha("demo")
UPLOADED = "2024-05-01T12:30:00+00:00"


def from_json(*files: dict[str, Any], **more: Any) -> ProjectPage:
    content = {"meta": {"api-version": "1.1"}, "name": "demo", "files": list(files), **more}
    return page_from_json(NAME, URL, json.dumps(content).encode())


def from_html(body: str, head: str = "", url: str = URL) -> ProjectPage:
    text = f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"
    return page_from_html(NAME, url, text.encode())


def only(page: ProjectPage) -> IndexFile:
    (file,) = page.files
    return file


# --- JSON -------------------------------------------------------------------------------------


def test_all_that_a_json_page_tells_of_a_file() -> None:
    file = only(
        from_json(
            {
                "filename": WHEEL,
                "url": f"https://files.example/ab/{WHEEL}",
                "hashes": {"sha256": SHA, "blake2b": "x"},
                "requires-python": ">=3.9,<4",
                "yanked": "broken",
                "upload-time": "2024-05-01T12:30:00.123456Z",
                "size": 1234,
                "core-metadata": {"sha256": "y"},
                "something": "new",
            }
        )
    )
    assert file == IndexFile(
        filename=WHEEL,
        url=f"https://files.example/ab/{WHEEL}",
        sha256=SHA,
        requires_python=SpecifierSet(">=3.9,<4"),
        yanked="broken",
        upload_time=datetime(2024, 5, 1, 12, 30, 0, 123456, tzinfo=UTC),
        size=1234,
        metadata=True,
    )


def test_as_little_as_a_json_page_can_tell() -> None:
    file = only(from_json({"filename": WHEEL, "url": WHEEL, "hashes": {}}))
    assert file.url == URL + WHEEL
    assert (file.sha256, file.requires_python, file.yanked) == (None, None, None)
    assert (file.upload_time, file.size, file.metadata) == (None, None, False)


@pytest.mark.parametrize(
    ("told", "meant"),
    [(False, None), (True, ""), ("", ""), ("reason", "reason"), (None, None)],
)
def test_yanked_in_json(told: object, meant: str | None) -> None:
    assert only(from_json({"filename": WHEEL, "url": WHEEL, "yanked": told})).yanked == meant


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ({"core-metadata": True}, True),
        ({"dist-info-metadata": {"sha256": "x"}}, True),
        ({"core-metadata": False, "dist-info-metadata": True}, False),
        ({"core-metadata": {}}, False),
        ({}, False),
    ],
)
def test_metadata_beside_a_wheel_in_json(keys: dict[str, Any], meant: bool) -> None:
    assert only(from_json({"filename": WHEEL, "url": WHEEL, **keys})).metadata is meant


@pytest.mark.parametrize(
    "told",
    ["x", SHA[:-1], "../../../../etc/passwd", 7, None, ["x"], f"{SHA}\n"],
)
def test_what_is_no_hash_is_none(told: object) -> None:
    page = from_json({"filename": WHEEL, "url": WHEEL, "hashes": {"sha256": told}})
    assert only(page).sha256 is None


def test_a_hash_in_capitals_is_the_same_hash() -> None:
    hashes = {"sha256": SHA.upper()}
    assert only(from_json({"filename": WHEEL, "url": WHEEL, "hashes": hashes})).sha256 == SHA
    assert only(from_html(f'<a href="{WHEEL}#sha256={SHA.upper()}">x</a>')).sha256 == SHA


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"files": 7}',
        b'{"files": [7]}',
        b'{"files": [{}]}',
        b'{"files": [{"filename": "a"}]}',
        b'{"files": [{"filename": 7, "url": "a"}]}',
        b'{"files": [{"filename": "a", "url": 7}]}',
        b'{"files": [{"filename": "a", "url": "http://[broken"}]}',
        b'{"files": [{"filename": "a", "url": "a", "hashes": 7}]}',
        b'{"files": [{"filename": "a", "url": "a", "requires-python": 7}]}',
        b'{"files": [{"filename": "a", "url": "a", "upload-time": 7}]}',
        b'{"files": [], "project-status": "gone"}',
        b'{"files": [], "project-status": {"status": 7}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"<html>",
    ],
)
def test_a_broken_json_page_is_told(content: bytes) -> None:
    with pytest.raises(FetchError, match=r"index\.example/simple/demo/ is no valid index page"):
        page_from_json(NAME, "https://me:pw@index.example/simple/demo/", content)


@pytest.mark.parametrize("size", ["12", -1, 1.5, True, None])
def test_a_strange_size_is_unknown(size: object) -> None:
    assert only(from_json({"filename": WHEEL, "url": WHEEL, "size": size})).size is None


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({}, "active"),
        ({"project-status": {"status": "quarantined", "reason": "malware"}}, "quarantined"),
        ({"project-status": {}}, "active"),
        ({"project-status": None}, "active"),
    ],
)
def test_a_projects_status_in_json(told: dict[str, Any], meant: str) -> None:
    assert from_json(**told).status == meant


# --- HTML -------------------------------------------------------------------------------------


def test_all_that_an_html_page_tells_of_a_file() -> None:
    anchor = (
        f'<a href="../../files/ab/{WHEEL}#sha256={SHA}" data-requires-python="&gt;=3.9,&lt;4"'
        ' data-yanked="a &quot;reason&quot;" data-core-metadata="sha256=x"'
        f' data-upload-time="2024-05-01T12:30:00Z">{WHEEL}</a><br/>'
    )
    assert only(from_html(anchor)) == IndexFile(
        filename=WHEEL,
        url=f"https://index.example/files/ab/{WHEEL}",
        sha256=SHA,
        requires_python=SpecifierSet(">=3.9,<4"),
        yanked='a "reason"',
        upload_time=datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
        size=None,
        metadata=True,
    )


def test_as_little_as_an_html_page_can_tell() -> None:
    file = only(from_html(f'<a href="{WHEEL}">anything</a>'))
    assert (file.filename, file.url, file.sha256) == (WHEEL, URL + WHEEL, None)
    assert (file.yanked, file.metadata, file.upload_time) == (None, False, None)


def test_yanked_without_a_reason_in_html() -> None:
    assert only(from_html(f'<a href="{WHEEL}" data-yanked>x</a>')).yanked == ""


@pytest.mark.parametrize(
    ("base", "meant"),
    [
        ('<base href="https://cdn.example/x/">', "https://cdn.example/x/"),
        ('<base href="../">', "https://index.example/simple/"),
        ('<base target="_top">', URL),
        ("", URL),
    ],
)
def test_links_are_relative_to_the_base(base: str, meant: str) -> None:
    assert only(from_html(f'<a href="{WHEEL}">x</a>', base)).url == meant + WHEEL


def test_a_name_in_an_address_is_decoded() -> None:
    file = only(from_html('<a href="demo-1.0%2Bcu118-py3-none-any.whl?token=x">x</a>'))
    assert file.filename == "demo-1.0+cu118-py3-none-any.whl"
    assert file.url.endswith("%2Bcu118-py3-none-any.whl?token=x")


def test_of_several_hashes_the_sha256_is_taken() -> None:
    assert only(from_html(f'<a href="{WHEEL}#md5=aa">x</a>')).sha256 is None
    assert only(from_html(f'<a href="{WHEEL}#sha256={SHA}&egg=x">x</a>')).sha256 == SHA


@pytest.mark.parametrize(
    ("attribute", "meant"),
    [
        ('data-core-metadata="true"', True),
        ('data-core-metadata="false"', False),
        ('data-dist-info-metadata="sha256=x"', True),
        ("data-core-metadata", True),
        ('data-core-metadata="false" data-dist-info-metadata="true"', False),
    ],
)
def test_metadata_beside_a_wheel_in_html(attribute: str, meant: bool) -> None:
    assert only(from_html(f'<a href="{WHEEL}" {attribute}>x</a>')).metadata is meant


def test_other_links_are_not_files() -> None:
    page = from_html(f'<a href="../">up</a><a>no</a><a href="x.exe">x</a><a href="{WHEEL}">x</a>')
    assert [file.filename for file in page.files] == [WHEEL]


@pytest.mark.parametrize("place", ["file:///srv/", "FILE:///srv/", "dir:/srv/", "git+file:///srv/"])
def test_a_server_leads_to_nothing_of_this_machine(place: str) -> None:
    link = place + WHEEL
    good = {"filename": WHEEL, "url": WHEEL, "hashes": {}}
    assert only(from_json(good, {**good, "url": link})).url == URL + WHEEL
    assert only(from_html(f'<a href="{link}">x</a><a href="{WHEEL}">x</a>')).url == URL + WHEEL


def test_a_base_of_this_machine_is_none() -> None:
    absolute = f"https://files.example/{WHEEL}"
    body = f'<a href="{WHEEL}">x</a><a href="{absolute}">x</a>'
    assert only(from_html(body, head='<base href="file:///srv/">')).url == absolute


def test_links_that_are_none_harm_no_other() -> None:
    page = from_html(f'<a href="http://[broken/{WHEEL}">x</a><a href="{WHEEL}">x</a>')
    assert page.files[-1].url == URL + WHEEL


def test_an_address_in_an_address_is_no_address() -> None:
    file = only(from_html(f'<a href="{WHEEL}?from=https://elsewhere.example/">x</a>'))
    assert file.url == f"{URL}{WHEEL}?from=https://elsewhere.example/"


def test_a_broken_base_is_told() -> None:
    with pytest.raises(FetchError, match="no valid index page"):
        from_html(f'<a href="{WHEEL}">x</a>', '<base href="http://[broken/">')


def test_a_page_without_files_is_a_project_without_files() -> None:
    assert from_html("<h1>Links for demo</h1>").files == ()


@pytest.mark.parametrize(
    "body",
    [
        '<form action="/login"><input name="user"></form>',
        '<a href="/login">Please log in</a>',
        '<script>location = "/login"</script>',
        '<meta http-equiv="Refresh" content="0; url=/login">',
        '<img src="hotel.png">Welcome',
    ],
)
def test_a_login_page_is_no_index_page(body: str) -> None:
    with pytest.raises(FetchError, match="no index page") as told:
        from_html(body)
    assert "login page" in str(told.value.hint)


@pytest.mark.parametrize("content", [b"", b"   ", b"\0\0", b"<!---->", b"\xff\xfe"])
def test_an_empty_or_broken_html_page_breaks_nothing(content: bytes) -> None:
    try:
        assert page_from_html(NAME, URL, content).files == ()
    except FetchError as error:
        assert "no valid index page" in error.message


def test_a_projects_status_in_html() -> None:
    head = '<meta name="pypi:project-status" content="quarantined">'
    assert from_html("", head).status == "quarantined"


# --- fields in either form --------------------------------------------------------------------


@pytest.mark.parametrize("nonsense", [">=3.*", "python 3", "3.6"])
def test_nonsense_about_pythons_is_ignored(nonsense: str) -> None:
    page = from_json({"filename": WHEEL, "url": WHEEL, "requires-python": nonsense})
    assert only(page).requires_python is None


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2024-05-01T12:30:00+02:00", datetime(2024, 5, 1, 10, 30, tzinfo=UTC)),
        ("2024-05-01T12:30:00", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2024-05-01 12:30:00Z", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_of_the_world(told: str, meant: datetime | None) -> None:
    """All with a zone, so that they can be compared."""
    page = from_json({"filename": WHEEL, "url": WHEEL, "upload-time": told})
    assert only(page).upload_time == meant
    html = from_html(f'<a href="{WHEEL}" data-upload-time="{told}">x</a>')
    assert only(html).upload_time == meant


def test_credentials_of_the_index_do_not_get_into_files_addresses() -> None:
    url = "https://me:pw@index.example/simple/demo/"
    file = {"filename": WHEEL, "url": f"../../{WHEEL}"}
    content = json.dumps({"files": [file]}).encode()
    assert only(page_from_json(NAME, url, content)).url == f"https://index.example/{WHEEL}"
    page = from_html(f'<a href="../../{WHEEL}">x</a>', url=url)
    assert only(page).url == f"https://index.example/{WHEEL}"


# --- files without a SHA-256 ------------------------------------------------------------------

DATA = b"an old file"


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(Client(patience=QUICK), Store(tmp_path / "store"), lambda: None)


@pytest.mark.parametrize("kind", WEAKER)
def test_a_hash_that_is_weaker_is_checked_and_a_better_one_taken(
    server: FlakyIndex, fetcher: Fetcher, kind: str
) -> None:
    url = server.on(f"/files/{WHEEL}", Answer(body=DATA))
    digest = hashlib.new(kind, DATA).hexdigest()
    for page in (
        from_html(f'<a href="{url}#{kind}={digest.upper()}&egg=x">x</a>'),
        from_json({"filename": WHEEL, "url": url, "hashes": {kind: digest}}),
    ):
        file = only(page)
        assert (file.sha256, file.other_hashes) == (None, ((kind, digest),))
        locked = locked_file(file, fetcher)
        assert locked.sha256 == sha(DATA)
        assert fetcher.fetch(locked.url, locked.sha256).read_bytes() == DATA
    assert server.count(f"/files/{WHEEL}") == 1


@pytest.mark.parametrize("kind", WEAKER)
def test_a_file_that_does_not_have_its_weaker_hash_is_refused(
    server: FlakyIndex, fetcher: Fetcher, kind: str
) -> None:
    url = server.on(f"/files/{WHEEL}", Answer(body=b"another file"))
    digest = hashlib.new(kind, DATA).hexdigest()
    with pytest.raises(FetchError, match=f"does not have the {kind} that its index tells"):
        locked_file(only(from_html(f'<a href="{url}#{kind}={digest}">x</a>')), fetcher)


def test_a_file_without_any_hash_is_what_it_is_at_first(
    server: FlakyIndex, fetcher: Fetcher
) -> None:
    url = server.on(f"/files/{WHEEL}", Answer(body=DATA), Answer(body=b"another file"))
    file = only(from_html(f'<a href="{url}">x</a>'))
    assert [locked_file(file, fetcher).sha256 for _ in range(2)] == [sha(DATA)] * 2


def test_a_file_with_a_hash_is_locked_unseen(fetcher: Fetcher) -> None:
    file = only(from_html(f'<a href="{WHEEL}#sha256={SHA}" data-upload-time="{UPLOADED}">x</a>'))
    assert locked_file(file, fetcher) == LockedFile(
        filename=WHEEL, url=URL + WHEEL, sha256=SHA, upload_time=datetime.fromisoformat(UPLOADED)
    )


@pytest.mark.parametrize(
    "told", [{"md5": "x"}, {"md5": 7}, {"crc32": "00000000"}, {"sha512": "a" * 64}, {"": ""}]
)
def test_what_is_no_weaker_hash(told: dict[str, Any]) -> None:
    assert only(from_json({"filename": WHEEL, "url": WHEEL, "hashes": told})).other_hashes == ()


# --- what a page must not bring along ---------------------------------------------------------


@pytest.mark.parametrize("link", ["https://me:pw@files.example/{}", "//me:pw@files.example/{}"])
def test_credentials_of_a_link_are_dropped(link: str) -> None:
    href = link.format(WHEEL)
    pages = from_html(f'<a href="{href}">x</a>'), from_json({"filename": WHEEL, "url": href})
    assert [only(page).url for page in pages] == [f"https://files.example/{WHEEL}"] * 2


def test_whether_a_page_tells_times() -> None:
    old, new = {"filename": WHEEL, "url": WHEEL}, {"upload-time": UPLOADED}
    assert from_json(old, old | new).has_times
    assert not from_json(old).has_times


# --- the index --------------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyIndex]:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with FlakyIndex() as running:
        yield running


def index_at(server: FlakyIndex) -> Index:
    return Index(Client(patience=QUICK), server.url("/simple"))


def test_a_page_is_asked_for_as_json_or_html(server: FlakyIndex) -> None:
    server.page("demo", [{"filename": WHEEL, "url": f"/files/{WHEEL}"}])
    page = index_at(server).project(NAME)
    assert page is not None
    assert only(page).url == server.url(f"/files/{WHEEL}")
    assert "application/vnd.pypi.simple.v1+json" in server.asked[0].headers["Accept"]
    assert "text/html" in server.asked[0].headers["Accept"]


@pytest.mark.parametrize(
    "kind", ["text/html", "text/html; charset=utf-8", "application/vnd.pypi.simple.v1+html"]
)
def test_an_index_that_has_html_only(server: FlakyIndex, kind: str) -> None:
    body = f'<a href="{WHEEL}">x</a>'.encode()
    server.on("/simple/demo/", Answer(kind=kind, body=body))
    page = index_at(server).project(NAME)
    assert page is not None
    assert only(page).url == server.url(f"/simple/demo/{WHEEL}")


def test_a_page_that_moved_is_relative_to_its_new_place(server: FlakyIndex) -> None:
    body = json.dumps({"files": [{"filename": WHEEL, "url": WHEEL}]}).encode()
    server.on("/other/demo/", Answer(kind="application/json", body=body))
    server.on("/simple/demo/", Answer(status=301, headers={"Location": "/other/demo/"}))
    page = index_at(server).project(NAME)
    assert page is not None
    assert only(page).url == server.url(f"/other/demo/{WHEEL}")


def test_a_project_that_is_not_there_is_none(server: FlakyIndex) -> None:
    assert index_at(server).project(NAME) is None


@pytest.mark.parametrize("kind", ["image/png", "", "text/plain"])
def test_an_answer_that_is_no_page(server: FlakyIndex, kind: str) -> None:
    server.on("/simple/demo/", Answer(kind=kind, body=b"x"))
    with pytest.raises(FetchError, match="is no index page: its type is"):
        index_at(server).project(NAME)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_index_that_refuses_is_not_taken_for_an_empty_one(
    server: FlakyIndex, status: int
) -> None:
    server.on("/simple/demo/", Answer(status=status))
    with pytest.raises(FetchError, match=f"answers {status} for demo"):
        index_at(server).project(NAME)


def test_a_page_that_breaks_off_is_tried_again_then_told(server: FlakyIndex) -> None:
    body = json.dumps({"files": [{"filename": WHEEL, "url": WHEEL}]}).encode()
    whole, broken = Answer(kind=JSON, body=body), Answer(kind=JSON, body=body, cut=10)
    server.on("/simple/demo/", broken, whole)
    page = index_at(server).project(NAME)
    assert page is not None
    assert only(page).filename == WHEEL
    server.on("/simple/demo/", broken)
    with pytest.raises(FetchError, match="broke off: 10 of 90 bytes came; tried 6 times"):
        index_at(server).project(NAME)


def test_a_page_is_read_once_however_many_ask(server: FlakyIndex) -> None:
    body = json.dumps({"files": []}).encode()
    server.on("/simple/demo/", Answer(kind=JSON, body=body, hang=0.05))
    index = index_at(server)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(index.project(NAME))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(page) for page in found}) == 1
    assert server.count("/simple/demo/") == 1


def test_a_failure_is_told_to_all_who_ask(server: FlakyIndex) -> None:
    server.on("/simple/demo/", Answer(status=403))
    index = index_at(server)
    for _ in range(2):
        with pytest.raises(FetchError, match="answers 403 for demo: the index does not let you in"):
            index.project(NAME)
