"""The same files, read by pip's own parser: what it takes, we take, in the same sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from inputfiles import MAIN, write
from packaging.utils import canonicalize_name
from pip._internal.exceptions import PipError
from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.format_control import FormatControl
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import parse_requirements

from wheelhouse.errors import WheelhouseError
from wheelhouse.inputs.formats import with_format
from wheelhouse.inputs.requirementsfile import read_requirements_file
from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.inputs.model import Asked, Requirements

# Of libraries that pip brings along.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHA = "a" * 64

#: Each a file of one or more lines; the files and folders that they name are in FILES.
TEXTS = [
    "flask",
    "Flask == 3.0",
    "flask>=2,<4 # comment",
    "flask#not-a-comment",
    "flask[a,b]~=3.0 ; python_version < '4'",
    "flask ; sys_platform == 'linux' or extra == 'x'",
    "zope.interface===1.0",
    "flask \\\n  >=2 \\\n  ,<4\nclick",
    "flask \\\n# comment\nclick",
    "# comment \\\nflask",
    "flask \\ \nclick",
    "flask>=2,\\\n<4",
    "flask \\",
    "\\\nflask",
    "a\n\n\n\x0cb\u2028c",
    "flask\r\nclick\r\n",
    "${NAME}==${VERSION}",
    "${NAME}==1 # ${UNSET}",
    "$NAME ${name}",
    f"flask==3.0 --hash=sha256:{SHA} --hash=sha256:{'b' * 64}",
    f"flask==3.0 \\\n    --hash=sha256:{SHA} \\\n    --hash sha512:{'c' * 128}",
    f"flask==3.0    --hash=sha256:{SHA}    # comment",
    'flask -C a=b --config-settings "c=d e" --config-settings=--x=y -C a=2',
    "-r other.txt",
    "-rother.txt",
    "--requirement=other.txt",
    "--req other.txt",
    "-r sub/nested.txt",
    "-c other.txt",
    "--constraint sub/nested.txt",
    "-c sub/constraints.txt",
    "-r 'with space.txt'",
    "-r with\\ space.txt",
    "-i https://x.example/simple\nflask",
    "--index-url=https://x.example/simple\n-i https://x.example/simple",
    "--pypi-url https://x.example/simple",
    "--extra-index-url https://x.example/a --extra-index-url=https://x.example/b",
    "-i https://x.example/simple --extra-index-url https://x.example/b --pre --prefer-binary",
    "--no-index\n-f https://x.example/links.html",
    "--find-links=wheels",
    "-f sub",
    "--require-hashes",
    "--use-feature=fast-deps",
    "--prefer-binary",
    "--no-binary flask,Click\n--only-binary click",
    "--only-binary=:all:\n--no-binary flask",
    "--no-binary flask\n--only-binary :all:",
    "--only-binary a,:all:,:none:,b",
    "--no-binary :all: --only-binary a --no-binary :none:",
    "./app",
    "./app[x,y]",
    "app/ ; python_version < '4'",
    "-e app",
    "-e ./app[x]",
    "./wheels/demo-1.0-py3-none-any.whl",
    "wheels/demo-1.0-py3-none-any.whl[x] ; python_version > '3'",
    "demo @ https://x.example/demo-1.0.tar.gz",
    "demo[x]@https://x.example/demo-1.0.tar.gz ; python_version > '3'",
    f"https://x.example/demo-1.0.tar.gz#sha256={SHA}",
    f"https://x.example/demo-1.0.tar.gz#egg=demo --hash=sha256:{'b' * 64}",
    "https://x.example/demo-1.0-py3-none-any.whl ; python_version > '3'",
    "git+https://x.example/demo.git@v1#egg=demo&subdirectory=src",
    "git+ssh://git@x.example/demo.git",
    "-e git+https://x.example/demo.git@main#egg=demo",
    "demo @ git+https://x.example/demo.git@main",
    # what neither of us takes
    "flask==3.0 click",
    "flask[",
    "flask = 3",
    "--what-is-this",
    "--no",
    "--index-url",
    "-r missing.txt",
    "-r 'open",
    "./nowhere",
    "-e nowhere",
    "-e flask==3",
    "flask -C nothing",
    "flask ; nonsense",
    "https://x.example/nonsense.whl",
    "-c unnamed.txt",
]

FILES = {
    "other.txt": "click<9\n",
    "with space.txt": "spaced\n",
    "unnamed.txt": "https://x.example/1.zip\n",
    "sub/nested.txt": "nested==1\n-r ../other.txt\n-c constraints.txt\n",
    "sub/constraints.txt": "limited<2\n-r ../other.txt\n",
    "app/setup.py": "",
    "wheels/demo-1.0-py3-none-any.whl": "",
}


def of_pip(path: Path) -> dict[str, Any]:
    """What pip's parser makes of the file at *path*, as far as we know of it."""
    session = PipSession()
    finder = PackageFinder.create(
        link_collector=LinkCollector(session, SearchScope.create([], [], no_index=False)),
        selection_prefs=SelectionPreferences(allow_yanked=False),
    )
    lines = [
        (each, install_req_from_parsed_requirement(each))
        for each in parse_requirements(str(path), session, finder=finder)
    ]
    for parsed, requirement in lines:
        if parsed.constraint and (requirement.editable or not requirement.name):
            raise PipError("no constraint")  # its resolver would say so
    scope = finder.search_scope
    return {
        "asked": _once(
            [
                _of_pip(parsed, requirement, path.parent)
                for parsed, requirement in lines
                if not parsed.constraint
            ]
        ),
        "constraints": _once(
            [
                _of_pip(parsed, requirement, path.parent)
                for parsed, requirement in lines
                if parsed.constraint
            ]
        ),
        "indexes": scope.index_urls,
        "flat": [_place(each, path.parent) for each in scope.find_links],
        "closed": scope.no_index,
        "formats": finder.format_control,
    }


def _place(link: str, root: Path) -> str:
    return link if "://" in link else (root / link).as_uri()


def _of_pip(parsed: Any, found: Any, root: Path) -> tuple[Any, ...]:
    link = found.link
    url = link.url_without_fragment if link else ""
    name = canonicalize_name(found.name) if found.name and not (link and link.is_wheel) else ""
    hashes = found.hashes(trust_internet=True)._allowed
    return (
        name,
        "" if link else str(found.specifier),
        tuple(sorted(found.extras)),
        str(found.markers or ""),
        url.removeprefix(f"file://{root}/"),
        tuple(sorted(hashes.get("sha256", []))),
        (parsed.options or {}).get("config_settings", {}),
    )


def of_ours(read: Requirements) -> dict[str, Any]:
    named = [each for each in read.indexes if each.kind in ("index-url", "extra-index-url")]
    closed = any(each.kind == "no-index" for each in read.indexes)
    default = [each.url for each in named if each.kind == "index-url"][-1:]
    return {
        "asked": [*_of_ours(read, read.asked)],
        "constraints": [*_of_ours(read, read.constraints)],
        "indexes": default + [each.url for each in named if each.kind == "extra-index-url"],
        "flat": [each.url for each in read.indexes if each.kind == "find-links"],
        "closed": closed,
        "formats": FormatControl(
            {name for name, only in read.sources.items() if only == "sdist"},
            {name for name, only in read.sources.items() if only == "wheel"},
        ),
    }


def _of_ours(read: Requirements, lines: tuple[Asked, ...]) -> Iterator[tuple[Any, ...]]:
    for each in lines:
        wheel = each.direct is not None and each.direct.location.endswith(".whl")
        name = "" if each.unnamed or wheel else each.name
        url = each.direct.location if each.direct else ""
        if each.direct and each.direct.revision:
            url += f"@{each.direct.revision}"
        settings = read.config_settings.get(each.name, {})
        yield (
            name,
            str(each.requirement.specifier),
            tuple(sorted(each.requirement.extras)),
            str(each.requirement.marker or ""),
            url.removeprefix("file:").removeprefix("dir:"),
            tuple(sorted(each.hashes)),
            {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in settings.items()
            },
        )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, in which pip is run."""
    write(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAME", "flask")
    monkeypatch.setenv("name", "flask")
    monkeypatch.setenv("VERSION", "3.0")
    monkeypatch.delenv("UNSET", raising=False)
    return tmp_path.resolve()


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_means_what_it_means_to_pip(here: Path, text: str) -> None:
    write(here, {MAIN: text})
    try:
        theirs: dict[str, Any] | None = of_pip(here / MAIN)
    except (PipError, ValueError):
        theirs = None
    try:
        ours: dict[str, Any] | None = of_ours(
            read_requirements_file(here, InputFile(path=here / MAIN))
        )
    except WheelhouseError as error:
        ours = None
        told = error
    assert (ours is None) == (theirs is None), str(told if ours is None else theirs)
    assert ours == theirs


def _once(lines: list[Any]) -> list[Any]:
    """As a file that is included twice is read twice by pip."""
    return [each for at, each in enumerate(lines) if each not in lines[:at]]


@pytest.mark.parametrize(
    "options",
    [
        [("no", "a"), ("only", "a")],
        [("no", ":all:"), ("only", "a,B_c"), ("no", "a")],
        [("only", "a"), ("no", ":all:"), ("no", ":none:")],
        [("only", "a,:all:,b"), ("no", "c")],
        [("only", ":all:,:none:,b"), ("only", ":none:,d")],
        [("no", "a"), ("only", "b,:none:,c,:all:,d")],
    ],
)
def test_formats_add_up_as_in_pip(options: list[tuple[str, str]]) -> None:
    theirs = FormatControl(set(), set())
    ours: Any = {}
    for kind, value in options:
        mine, other = (
            (theirs.no_binary, theirs.only_binary)
            if kind == "no"
            else (theirs.only_binary, theirs.no_binary)
        )
        FormatControl.handle_mutual_excludes(value, mine, other)
        ours = with_format(ours, "sdist" if kind == "no" else "wheel", value)
    assert {name for name, only in ours.items() if only == "sdist"} == theirs.no_binary
    assert {name for name, only in ours.items() if only == "wheel"} == theirs.only_binary
