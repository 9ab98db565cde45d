"""Each project comes from one index, whatever the others have."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lockingfactory
import pytest
from lockingfactory import sha, target
from packaging.utils import canonicalize_name

from flakyindex import JSON, QUICK, Answer, FlakyIndex
from wheelhouse.config import PackageSettings
from wheelhouse.errors import ConfigError, FetchError
from wheelhouse.fetch import Client
from wheelhouse.locking import indexes as routing
from wheelhouse.locking.indexes import Indexes, is_below, same
from wheelhouse.settings import IndexSettings
from wheelhouse.torchindex import backends, index_of, objection, torch_packages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.locking.index import ProjectPage

ACME, FLASK, TORCH = (canonicalize_name(name) for name in ("acme", "flask", "torch"))


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyIndex]:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with FlakyIndex() as running:
        has(running, "acme", "1.0")
        yield running


@pytest.fixture
def public(private: FlakyIndex) -> Iterator[FlakyIndex]:
    """It has an impostor of acme, of a higher version."""
    with FlakyIndex() as running:
        has(running, "acme", "99.0")
        has(running, "flask", "3.0")
        yield running


def has(index: FlakyIndex, name: str, version: str) -> None:
    filename = f"{name}-{version}-py3-none-any.whl"
    hashes = {"sha256": sha(filename)}
    index.page(name, [{"filename": filename, "url": f"/{filename}", "hashes": hashes}])


def corp(private: FlakyIndex, **more: Any) -> IndexSettings:
    return IndexSettings(**{"name": "corp", "url": private.url("/simple"), **more})


def project(
    tmp_path: Path,
    public: FlakyIndex | None,
    *indexes: IndexSettings,
    packages: Mapping[str, PackageSettings] | None = None,
) -> Project:
    default = IndexSettings(name="default", url=public.url("/simple")) if public else None
    made = lockingfactory.project(tmp_path, packages)
    return replace(made, default_index=default, indexes=indexes)


def look(
    where: Project,
    name: str,
    *,
    remembered: Mapping[str, str] | None = None,
    bound: Mapping[str, str] | None = None,
    backend: str = "",
) -> ProjectPage | None:
    seen = Indexes(Client(patience=QUICK), where).seen_by(
        replace(target(), torch_backend=backend),
        remembered={canonicalize_name(key): url for key, url in (remembered or {}).items()},
        bound={canonicalize_name(key): url for key, url in (bound or {}).items()},
    )
    return seen.project(canonicalize_name(name))


def versions(page: ProjectPage | None) -> list[str]:
    return [each.filename.split("-")[1] for each in page.files] if page else []


# --- which index ------------------------------------------------------------------------------


def test_a_name_that_a_private_index_has_is_never_told_to_the_public_one(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    where = project(tmp_path, public, corp(private))
    page = look(where, "acme")
    assert page is not None
    assert (versions(page), page.index) == (["1.0"], private.url("/simple"))
    assert public.asked == []


def test_what_no_private_index_has_is_the_default_indexs(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    where = project(tmp_path, public, corp(private))
    page = look(where, "flask")
    assert page is not None
    assert (versions(page), page.index) == (["3.0"], public.url("/simple"))
    assert private.count("/simple/flask/") == 1
    assert look(where, "nowhere") is None


def test_an_index_with_patterns_is_asked_for_what_matches_only(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    where = project(tmp_path, public, corp(private, packages=("acme*",)))
    assert versions(look(where, "acme")) == ["1.0"]
    assert versions(look(where, "flask")) == ["3.0"]
    assert [each.path for each in private.asked] == ["/simple/acme/"]
    assert [each.path for each in public.asked] == ["/simple/flask/"]


def test_a_default_index_with_patterns_is_asked_for_the_rest_too(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    where = project(tmp_path, None, IndexSettings(name="other", url=public.url("/simple")))
    where = replace(where, default_index=corp(private, packages=("acme",)))
    page = look(where, "acme")
    assert page is not None
    assert (versions(page), page.index) == (["1.0"], private.url("/simple"))
    assert public.asked == []
    assert look(where, "nobody-has-it") is None
    assert private.asked[-1].path == "/simple/nobody-has-it/"


def test_private_indexes_are_asked_in_their_order(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    with FlakyIndex() as second:
        has(second, "acme", "2.0")
        team = IndexSettings(name="team", url=second.url("/simple"))
        assert versions(look(project(tmp_path, public, corp(private), team), "acme")) == ["1.0"]
        assert versions(look(project(tmp_path, public, team, corp(private)), "acme")) == ["2.0"]


def test_what_is_said_first_counts(tmp_path: Path, private: FlakyIndex, public: FlakyIndex) -> None:
    """A package's settings, then patterns, then a lock among the inputs, then the present lock."""
    with FlakyIndex() as second, FlakyIndex() as third:
        has(second, "acme", "2.0")
        has(third, "acme", "3.0")
        team = IndexSettings(name="team", url=second.url("/simple"))
        tools = IndexSettings(name="tools", url=third.url("/simple"))
        all_of_them = (corp(private), team, tools)
        lock, old = {"acme": second.url("/simple/")}, {"acme": third.url("/simple")}

        def chosen(where: Project, **more: Any) -> list[str]:
            return versions(look(where, "acme", **more))

        where = project(tmp_path, public, *all_of_them)
        assert chosen(where, remembered=old) == ["3.0"]
        assert chosen(where, remembered=old, bound=lock) == ["2.0"]
        patterned = project(tmp_path, public, team, corp(private, packages=("ac?e",)), tools)
        assert chosen(patterned, remembered=old, bound=lock) == ["1.0"]
        for index, version in (("tools", "3.0"), ("default", "99.0")):
            settings = {"acme": PackageSettings(index=index)}
            bound = project(
                tmp_path, public, corp(private, packages=("acme",)), team, tools, packages=settings
            )
            assert chosen(bound, remembered=old, bound=lock) == [version]


def test_a_lock_may_name_an_index_that_nobody_has_declared(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    where = project(tmp_path, public)
    url = private.url("/simple")
    page = look(where, "acme", bound={"acme": url})
    assert page is not None
    assert (versions(page), page.index) == (["1.0"], url)
    assert public.asked == []


def test_a_lock_may_have_a_project_from_a_folder_of_files(
    tmp_path: Path, public: FlakyIndex
) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "acme-3.0-py3-none-any.whl").write_bytes(b"a wheel")
    where = project(tmp_path, public)
    page = look(where, "acme", bound={"acme": (tmp_path / "links").as_uri()})
    assert versions(page) == ["3.0"]
    assert public.asked == []


def test_an_index_that_is_no_longer_declared_is_not_remembered(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    where = project(tmp_path, public)
    assert versions(look(where, "acme", remembered={"acme": private.url("/simple")})) == ["99.0"]
    assert private.asked == []


def test_without_a_default_index_there_is_nothing_else(tmp_path: Path, private: FlakyIndex) -> None:
    where = project(tmp_path, None, corp(private))
    assert versions(look(where, "acme")) == ["1.0"]
    assert look(where, "flask") is None


def test_a_setting_for_an_index_that_there_is_not(tmp_path: Path, private: FlakyIndex) -> None:
    settings = {"acme": PackageSettings(index="default")}
    where = project(tmp_path, None, corp(private), packages=settings)
    with pytest.raises(ConfigError, match="the index default, which there is not"):
        look(where, "acme")


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_an_index_that_does_not_answer_might_have_it(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex, status: int
) -> None:
    private.on("/simple/acme/", Answer(status=status))
    with pytest.raises(FetchError) as told:
        look(project(tmp_path, public, corp(private)), "acme")
    assert f"corp ({private.url('/simple')}) answers {status} for acme" in told.value.message
    assert told.value.hint
    assert public.asked == []


def test_where_credentials_can_come_from_is_told(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    private.on("/simple/acme/", Answer(status=401))
    where = project(tmp_path, public, corp(private))
    client = Client(patience=QUICK)
    client.credentials.add(where.known_indexes)
    seen = Indexes(client, where).seen_by(target(), remembered={}, bound={})
    with pytest.raises(FetchError, match="wants credentials, or other ones") as told:
        seen.project(ACME)
    assert "WHEELHOUSE_INDEX_CORP_PASSWORD" in str(told.value.hint)


def test_an_index_that_is_not_there_might_have_it(tmp_path: Path, public: FlakyIndex) -> None:
    with FlakyIndex() as gone:
        away = corp(gone)
    with pytest.raises(FetchError, match="cannot be reached"):
        look(project(tmp_path, public, away), "acme")
    assert public.asked == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("settings", r"as `\[packages.acme\] index` says"),
        ("pattern", "as `packages` of corp says"),
        ("lock", "as the lock that asks for it says"),
        ("remembered", "as the present lock has it from there"),
    ],
)
def test_what_is_bound_to_an_index_that_lacks_it_is_not_taken_from_elsewhere(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex, how: str, said: str
) -> None:
    private.on("/simple/acme/", Answer(status=404))
    url = {"acme": private.url("/simple")}
    own = corp(private, packages=("acme",)) if how == "pattern" else corp(private)
    settings = {"acme": PackageSettings(index="corp")} if how == "settings" else {}
    where = project(tmp_path, public, own, packages=settings)
    with pytest.raises(FetchError, match=said) as told:
        look(
            where,
            "acme",
            remembered=url if how == "remembered" else {},
            bound=url if how == "lock" else {},
        )
    assert "acme is to come from corp (http" in told.value.message
    assert "it is not taken from elsewhere" in told.value.message
    assert "`[packages.acme] index`" in str(told.value.hint)
    assert public.asked == []


def test_an_index_that_sends_elsewhere_does_not_have_it(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    """As pypiserver and GitLab do with what they lack, and pip obeys."""
    away = Answer(status=303, headers={"Location": public.url("/simple/acme/")})
    private.on("/simple/acme/", away)
    private.on("/simple/flask/", replace(away, headers={"Location": public.url("/simple/flask/")}))
    where = project(tmp_path, public, corp(private))
    page = look(where, "flask")
    assert page is not None
    assert page.index == public.url("/simple")
    with pytest.raises(FetchError, match="the present lock has it from there, but it is not there"):
        look(where, "acme", remembered={"acme": private.url("/simple")})
    assert public.count("/simple/flask/") == 1
    assert public.count("/simple/acme/") == 0


def test_an_index_may_move(tmp_path: Path, private: FlakyIndex, public: FlakyIndex) -> None:
    with FlakyIndex() as new:
        has(new, "acme", "1.1")
        location = new.url("/simple/acme/")
        private.on("/simple/acme/", Answer(status=308, headers={"Location": location}))
        assert versions(look(project(tmp_path, public, corp(private)), "acme")) == ["1.1"]


# --- one object for all -----------------------------------------------------------------------


def test_pages_are_read_once_for_all_targets_and_threads(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex
) -> None:
    private.on("/simple/flask/", Answer(status=404, hang=0.02))
    page = Answer(kind=JSON, body=b'{"files": []}', hang=0.02)
    public.on("/simple/flask/", page)
    shelves = Indexes(Client(patience=QUICK), project(tmp_path, public, corp(private)))
    found: list[ProjectPage | None] = []

    def ask(name: str) -> None:
        seen = shelves.seen_by(
            target(name),
            remembered={},
            bound={ACME: private.url("/simple/").replace("http", "HTTP")},
        )
        found.extend([seen.project(FLASK), seen.project(ACME)])

    threads = [threading.Thread(target=ask, args=[f"t{number}"]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(page) for page in found}) == 2
    assert (private.count("/simple/flask/"), private.count("/simple/acme/")) == (1, 1)
    assert public.count("/simple/flask/") == 1


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("https://corp.example/simple", "https://corp.example/simple/", True),
        ("https://corp.example/simple", "HTTPS://Corp.Example:443/simple", True),
        ("https://corp.example/a/simple", "https://corp.example//a//simple//", True),
        ("https://corp.example/simple", "https://me:pw@corp.example/simple", True),
        ("https://pypi.org/simple", "https://pypi.python.org/simple/", True),
        ("https://corp.example/simple", "http://corp.example/simple", False),
        ("https://corp.example/simple", "https://corp.example:8443/simple", False),
        ("https://corp.example/simple", "https://corp.example/Simple", False),
        ("file:///srv/index", "file:///srv/index/", True),
    ],
)
def test_spellings_of_an_index(one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal


def test_what_is_below_an_index() -> None:
    assert is_below("https://corp.example/simple/x/", "https://corp.example/simple")
    assert not is_below("https://corp.example/simpler/x/", "https://corp.example/simple")


# --- PyTorch ----------------------------------------------------------------------------------


@pytest.fixture
def pytorch(monkeypatch: pytest.MonkeyPatch, private: FlakyIndex) -> Iterator[FlakyIndex]:
    """Its index for cu128, in the very form of the real one."""
    with FlakyIndex() as running:
        name = "torch-2.7.0%2Bcu128-cp311-cp311-manylinux_2_28_x86_64.whl"
        body = (
            "<!DOCTYPE html>\n<html>\n  <body>\n    <h1>Links for torch</h1>\n"
            f'    <a href="/whl/cu128/{name}#sha256={sha(name)}" data-dist-info-metadata='
            f'"sha256={sha("m")}" data-core-metadata="sha256={sha("m")}">'
            "torch-2.7.0+cu128-cp311-cp311-manylinux_2_28_x86_64.whl</a><br/>\n"
            "  </body>\n</html>\n<!--TIMESTAMP 1745000000-->"
        )
        running.on("/whl/cu128/torch/", Answer(kind="text/html", body=body.encode()))
        monkeypatch.setattr(routing, "index_of", lambda backend: running.url(f"/whl/{backend}"))
        yield running


def test_pytorchs_own_come_from_its_index(
    tmp_path: Path, public: FlakyIndex, pytorch: FlakyIndex
) -> None:
    has(public, "torch", "2.9")
    where = project(tmp_path, public)
    page = look(where, "torch", backend="cu128")
    assert page is not None
    (file,) = page.files
    assert file.filename == "torch-2.7.0+cu128-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert file.url.startswith(pytorch.url("/whl/cu128/torch-2.7.0%2Bcu128-cp311"))
    assert file.sha256 is not None
    assert file.metadata
    assert page.index == pytorch.url("/whl/cu128")
    assert versions(look(where, "flask", backend="cu128")) == ["3.0"]
    assert versions(look(where, "torch")) == ["2.9"]


def test_pytorchs_index_lacks_what_it_lacks(
    tmp_path: Path, public: FlakyIndex, pytorch: FlakyIndex
) -> None:
    has(public, "torchvision", "0.22")
    where = project(tmp_path, public)
    with pytest.raises(FetchError, match=r'as `torch-backend = "cu128"` of web says'):
        look(where, "torchvision", backend="cu128")
    own = {"torchvision": PackageSettings(index="default")}
    where = project(tmp_path, public, packages=own)
    assert versions(look(where, "torchvision", backend="cu128")) == ["0.22"]


def test_a_mirror_of_pytorchs_index(
    tmp_path: Path, private: FlakyIndex, public: FlakyIndex, pytorch: FlakyIndex
) -> None:
    page = Answer(kind=JSON, body=b'{"files": []}')
    private.on("/pytorch/whl/cu128/torch/", page)
    mirror = corp(private, url=private.url("/pytorch/whl/cu128"), packages=("nothing",))
    found = look(project(tmp_path, public, mirror), "torch", backend="cu128")
    assert found is not None
    assert found.index == mirror.url
    has(private, "torch", "2.8")
    everything = corp(private, packages=("torch*",))
    assert versions(look(project(tmp_path, public, everything), "torch", backend="cu128")) == [
        "2.8"
    ]
    assert pytorch.asked == []


def test_backends() -> None:
    assert index_of("cu128") == "https://download.pytorch.org/whl/cu128"
    assert {"torch", "torchvision", "torchaudio"} <= torch_packages()
    assert not {"numpy", "triton", "nvidia-cublas-cu12"} & torch_packages()
    assert [name for name in (*backends(), "cu140", "rocm8.0.1") if objection(name)] == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("cuda128", 'did you mean "cu128"?'),
        ("cu12.8", 'did you mean "cu128"?'),
        ("rocm", "did you mean"),
        ("CPU", 'did you mean "cpu"?'),
        ("../evil", '"cpu", "cu128", "rocm6.4" and "xpu" are some'),
        ("", "are some"),
    ],
)
def test_what_is_no_backend(wrong: str, said: str) -> None:
    told = objection(wrong)
    assert told is not None
    assert "is no backend of PyTorch" in told
    assert said in told
