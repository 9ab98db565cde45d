"""Who needs whom in a lock: trees, and the ways from a line of a file to a package."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lockfactory import build, file, lock, package
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.cli.graphtext import (  # noqa: TID251  (it is what is tested)
    tree_data,
    tree_lines,
    why_data,
    why_lines,
)
from wheelhouse.inputs.model import Direct
from wheelhouse.locking.graph import Graph, build_uses, built_with
from wheelhouse.locking.model import BuildRequirement, Lock, LockedBuild
from wheelhouse.reporting.lines import to_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import NormalizedName

    from wheelhouse.reporting.lines import Line

FILE = "requirements.txt"


def n(name: str) -> NormalizedName:
    return canonicalize_name(name)


def text(lines: Iterable[Line]) -> list[str]:
    return [to_text(each).rstrip() for each in lines]


def web() -> Lock:
    """Flask and what it needs, and click asked for by itself, further up."""
    return lock(
        package("blinker", "1.9", "flask"),
        package("click", "8.1", f"{FILE}:2", "flask"),
        package("flask", "3.0", f"{FILE}:10", requires=("blinker>=1.9", "click>=8.1", "werkzeug")),
        package("markupsafe", "3.0", "werkzeug"),
        package("werkzeug", "3.1", "flask", requires=("MarkupSafe>=2.1.1",)),
        requested=("Flask[async]>=3", "click<9"),
    )


# --- trees -------------------------------------------------------------------------------------


def test_the_tree_has_the_lines_in_their_order() -> None:
    assert text(tree_lines(Graph(web()))) == [
        "web  5 packages",
        "click 8.1  <9  requirements.txt:2",
        "flask 3.0  [async]>=3  requirements.txt:10",
        "├── blinker 1.9  >=1.9",
        "├── click 8.1  >=8.1",
        "└── werkzeug 3.1",
        "    └── markupsafe 3.0  >=2.1.1",
    ]


def test_a_tree_of_some_depth() -> None:
    assert text(tree_lines(Graph(web()), depth=0)) == [
        "web  5 packages",
        "click 8.1  <9  requirements.txt:2",
        "flask 3.0  [async]>=3  requirements.txt:10",
    ]
    assert text(tree_lines(Graph(web()), depth=1))[-1] == "└── werkzeug 3.1"


def test_the_tree_the_other_way_round() -> None:
    assert text(tree_lines(Graph(web()), of=n("click"))) == [
        "web  5 packages",
        "click 8.1",
        "├── flask 3.0  click>=8.1",
        "│   └── requirements.txt:10  Flask[async]>=3",
        "└── requirements.txt:2  click<9",
    ]


def test_what_is_shown_already_is_not_shown_again() -> None:
    shared = lock(
        package("a", "1", f"{FILE}:1"),
        package("b", "1", f"{FILE}:2"),
        package("common", "1", "a", "b"),
        package("deep", "1", "common"),
    )
    assert text(tree_lines(Graph(shared))) == [
        "web  4 packages",
        "a 1  requirements.txt:1",
        "└── common 1",
        "    └── deep 1",
        "b 1  requirements.txt:2",
        "└── common 1  (*)",
        "(*) is shown in full further up",
    ]
    assert text(tree_lines(Graph(shared), of=n("deep")))[2:] == [
        "└── common 1",
        "    ├── a 1",
        "    │   └── requirements.txt:1  a",
        "    └── b 1",
        "        └── requirements.txt:2  b",
    ]


def test_a_circle_ends() -> None:
    circle = lock(package("a", "1", f"{FILE}:1", "b"), package("b", "1", "a"))
    graph = Graph(circle)
    assert text(tree_lines(graph))[1:4] == [
        "a 1  requirements.txt:1",
        "└── b 1",
        "    └── a 1  (*)",
    ]
    assert text(tree_lines(graph, of=n("b")))[-2] == "    └── requirements.txt:1  a"
    assert [len(each.needs) for each in graph.chains(n("b"))] == [2]


def test_a_lock_that_asks_for_everything_is_shown_as_what_nobody_needs() -> None:
    pinned = lock(
        package("a", "1", "uv.lock"),
        package("b", "1", "uv.lock", "a"),
        package("c", "1", "uv.lock", "d"),
        package("d", "1", "uv.lock", "c"),
    )
    graph = Graph(pinned)
    assert graph.roots == ("a", "c")
    assert text(why_lines([graph], n("b")))[1:] == ["  uv.lock asks for a", "    a 1 needs b"]


def test_every_package_is_in_the_tree() -> None:
    """Whatever asks for it, and however often."""
    names = [f"p{number}" for number in range(40)]
    packages = [
        package(name, "1", *(names[at // 2], names[(at * 7) % 40], "poetry.lock"))
        for at, name in enumerate(names)
    ]
    graph = Graph(lock(*packages))
    shown = {each.strip("│├└─ ").partition(" ")[0] for each in text(tree_lines(graph))}
    assert set(names) <= shown
    assert sorted(tree_data(graph)["packages"]) == sorted(names)


def test_what_is_out_of_the_ordinary_is_marked() -> None:
    made = lock(
        package("a", "1", f"{FILE}:1", wheels=(), sdist=file("a-1.tar.gz"), build=build()),
        package("b", "1", f"{FILE}:2", yanked="broken", index="https://corp.example/simple/"),
        package("c", "1", f"{FILE}:3", direct=Direct(location="dir:.")),
        package("d", "1", f"{FILE}:4", wheels=(), index="https://pypi.org/simple"),
    )
    lines = text(tree_lines(Graph(made), bypassed={"d"}, index="https://pypi.org/simple/"))
    assert lines[1:] == [
        "a 1  requirements.txt:1  built",
        "b 1  requirements.txt:2  yanked  from https://corp.example/simple",
        "c 1  requirements.txt:3  from dir:.",
        "d 1  requirements.txt:4  not in the wheelhouse",
    ]


def test_a_tree_as_json() -> None:
    data = json.loads(json.dumps(tree_data(Graph(web()), depth=1)))
    assert data["roots"] == ["click", "flask"]
    assert sorted(data["packages"]) == ["blinker", "click", "flask", "werkzeug"]
    assert data["packages"]["flask"] == {
        "version": "3.0",
        "asked_for_by": ["requirements.txt:10"],
        "required_by": [],
        "needs": {"blinker": "blinker>=1.9", "click": "click>=8.1", "werkzeug": "werkzeug"},
        "built": False,
        "yanked": None,
        "origin": None,
    }
    inverted = tree_data(Graph(web()), of=n("markupsafe"))
    assert sorted(inverted["packages"]) == ["flask", "markupsafe", "werkzeug"]


# --- why ---------------------------------------------------------------------------------------


def test_why_tells_each_way_the_shortest_first() -> None:
    assert text(why_lines([Graph(web())], n("click"))) == [
        "click 8.1  for web",
        "  requirements.txt:2 asks for click<9",
        "  requirements.txt:10 asks for Flask[async]>=3",
        "    flask 3.0 needs click>=8.1",
    ]
    assert text(why_lines([Graph(web())], n("markupsafe")))[1:] == [
        "  requirements.txt:10 asks for Flask[async]>=3",
        "    flask 3.0 needs werkzeug",
        "      werkzeug 3.1 needs MarkupSafe>=2.1.1",
    ]


def test_of_several_ways_from_a_line_all_shortest_are_told() -> None:
    diamond = lock(
        package("a", "1", f"{FILE}:1"),
        package("b", "1", "a"),
        package("c", "1", "a"),
        package("d", "1", "b", "c", "e"),
        package("e", "1", "b"),
    )
    found = [[each.package.name for each in way.needs] for way in Graph(diamond).chains(n("d"))]
    assert found == [["a", "b", "d"], ["a", "c", "d"]]


def test_a_person_is_not_told_hundreds_of_ways() -> None:
    lines = [f"{FILE}:{number}" for number in range(1, 200)]
    many = Graph(lock(package("a", "1", *lines)))
    told = text(why_lines([many], n("a")))
    assert len(told) == 22
    assert told[-1] == "  … and more ways; --json tells them"
    assert len(why_data(many, n("a"))["chains"]) == 199


def test_targets_for_which_it_is_alike_are_told_together() -> None:
    same, other = replace(web(), target="same"), replace(web(), target="without", packages=())
    newer = replace(
        web(), target="newer", packages=(*web().packages[:1], package("click", "9", f"{FILE}:2"))
    )
    graphs = [Graph(each) for each in (web(), newer, same, other)]
    assert text(why_lines(graphs, n("click"))) == [
        "click 8.1  for web, same",
        "  requirements.txt:2 asks for click<9",
        "  requirements.txt:10 asks for Flask[async]>=3",
        "    flask 3.0 needs click>=8.1",
        "",
        "click 9  for newer",
        "  requirements.txt:2 asks for click<9",
        "click is not locked for without",
    ]


def with_builds() -> Lock:
    """Two packages that are built; a build requirement of one of them is built, too."""
    cython = BuildRequirement(
        name=n("cython"), version=Version("3.0"), file=file("cython-3.0.tar.gz"), build=_nested()
    )
    first = build("setuptools-80.1", "wheel-0.45")
    second = replace(build(), static=("Cython>=3",), environment=(cython,))

    def made(name: str, of: LockedBuild, *lines: str, **more: Any) -> Any:
        return package(name, "1", *lines, wheels=(), sdist=file(f"{name}.tar.gz"), build=of, **more)

    return lock(
        made("one", first, f"{FILE}:1"),
        made("two", second, f"{FILE}:2"),
        package("wheel", "0.46", f"{FILE}:3"),
    )


def _nested() -> LockedBuild:
    return replace(build("setuptools-79"), static=(), dynamic=("setuptools>=79",))


def test_why_tells_of_builds() -> None:
    graph = Graph(with_builds())
    assert text(why_lines([graph], n("setuptools"))) == [
        "setuptools 79, 80.1  only a build requirement  for web",
        "  one 1 is built with setuptools (80.1)",
        "  cython 3.0 is built with setuptools>=79 (79), which the build of two 1 takes",
    ]
    assert text(why_lines([graph], n("wheel"))) == [
        "wheel 0.46  for web",
        "  requirements.txt:3 asks for wheel",
        "  also a build requirement",
        "  one 1 has it among its build requirements, for another of them",
    ]
    assert built_with(graph.lock) == {"setuptools", "wheel", "cython"}
    assert [use.through for use in build_uses(graph.lock, n("setuptools"))] == [
        (),
        ("cython 3.0",),
    ]


def test_why_as_json() -> None:
    data = json.loads(json.dumps(why_data(Graph(web()), n("blinker"))))
    assert data == {
        "target": "web",
        "version": "1.9",
        "chains": [
            {
                "origin": "requirements.txt:10",
                "path": [
                    {"name": "flask", "version": "3.0", "requirement": "Flask[async]>=3"},
                    {"name": "blinker", "version": "1.9", "requirement": "blinker>=1.9"},
                ],
            }
        ],
        "builds": [],
    }
    (use,) = why_data(Graph(with_builds()), n("cython"))["builds"]
    assert use == {"package": "two", "through": [], "requirement": "Cython>=3", "version": "3.0"}
    assert why_data(Graph(web()), n("setuptools"))["version"] is None
