"""What of a build's inputs has changed, in words, and which build it is compared with."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import images, interpreter, locked, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.building.changes import Earlier, changes, in_short, rows
from wheelhouse.building.history import BUILD, last_build, remember_build
from wheelhouse.cli.explaintext import explain_data, explain_lines  # noqa: TID251  (tested here)
from wheelhouse.locking.model import Lock, LockedBuild, LockedPackage, RefusedFile
from wheelhouse.plan import Built, Plan, Planned, Step
from wheelhouse.reporting.lines import to_text
from wheelhouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

HASH, OTHER = "a" * 64, "b" * 64
NAME = canonicalize_name("demo")

BEFORE: dict[str, Any] = {
    "kind": "build",
    "sdist": f"demo-1.0.tar.gz sha256:{HASH}",
    "subdirectory": "",
    "build requirements": {"setuptools": f"80.9.0 sha256:{HASH}", "tool": f"1 build:{HASH}"},
    "system packages": ["libpq-dev"],
    "variables": {"CFLAGS": "-g0"},
    "config settings": {"a": ["1", "2"]},
    "cibuildwheel": {},
    "search": [],
    "regenerate": False,
    "toolkit": {"nvcc": f"13.1 sha256:{HASH}", "cccl": f"13.1 sha256:{HASH}"},
    "image": f"sha256:{HASH}",
}


def told(**now: Any) -> list[str]:
    after = {**BEFORE, **{name.replace("_", " "): value for name, value in now.items()}}
    return [str(each) for each in changes(BEFORE, json.loads(json.dumps(after)))]


def test_nothing_differs_where_nothing_does() -> None:
    assert not told()
    assert not told(config_settings={"a": ("1", "2")})


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"sdist": f"demo-1.1.tar.gz sha256:{OTHER}"}, ["sdist demo-1.0.tar.gz → demo-1.1.tar.gz"]),
        (
            {"sdist": f"demo-1.0.tar.gz sha256:{OTHER}"},
            ["sdist demo-1.0.tar.gz is another file: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb"],
        ),
        (
            {"build_requirements": {"setuptools": f"81.0.0 sha256:{OTHER}"}},
            ["setuptools 80.9.0 → 81.0.0", "build requirement tool 1 is gone"],
        ),
        (
            {
                "build_requirements": {
                    "setuptools": f"80.9.0 sha256:{OTHER}",
                    "tool": f"1 build:{OTHER}",
                    "wheel": f"0.45 sha256:{HASH}",
                }
            },
            [
                "setuptools 80.9.0 is another file: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb",
                "tool 1 is built otherwise",
                "build requirement wheel 0.45 is new",
            ],
        ),
        (
            {"toolkit": {"nvcc": f"13.2 sha256:{OTHER}", "nvvm": f"13.2 sha256:{HASH}"}},
            [
                "CUDA toolkit's nvcc 13.1 → 13.2",
                "CUDA toolkit's cccl 13.1 is gone",
                "CUDA toolkit's nvvm 13.2 is new",
            ],
        ),
        (
            {"toolkit": {"nvcc": f"13.1 sha256:{OTHER}", "cccl": f"13.1 sha256:{HASH}"}},
            ["CUDA toolkit's nvcc 13.1 is another file: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb"],
        ),
        (
            {"system_packages": ["libssl-dev"]},
            ["system package libpq-dev is gone", "system package libssl-dev is new"],
        ),
        ({"variables": {"CFLAGS": "-O3"}}, ["CFLAGS -g0 → -O3"]),
        ({"variables": {"CC": "clang", "CFLAGS": "-g0"}}, ["CC was set to clang"]),
        ({"variables": {}}, ["CFLAGS is no longer set to -g0"]),
        ({"variables": {"CFLAGS": ""}}, ["CFLAGS -g0 → (empty)"]),
        ({"config_settings": {}}, ['config setting a is gone: ["1", "2"]']),
        ({"config_settings": {"a": "1"}}, ['config setting a ["1", "2"] → 1']),
        ({"regenerate": True}, ["C code generated again no → yes"]),
        ({"subdirectory": "inner"}, ["folder in the sdist is new: inner"]),
        ({"cibuildwheel": {"network": True}}, ["cibuildwheel network is new: true"]),
        ({"image": f"sha256:{OTHER}"}, ["builder image sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb"]),
        ({"what_comes_next": 5}, ["what comes next is new: 5"]),
    ],
)
def test_each_change_has_its_words(now: dict[str, Any], words: list[str]) -> None:
    assert told(**now) == words


def test_another_order_alone_is_told_too() -> None:
    more = {**BEFORE, "search": ["a", "b"]}
    (change,) = changes(more, {**BEFORE, "search": ["b", "a"]})
    assert str(change) == 'search for ["a", "b"] → ["b", "a"]'


@pytest.mark.parametrize("junk", [{}, {"sdist": 5, "variables": [1, {}]}, {"image": None}, BEFORE])
def test_whatever_an_earlier_record_has_is_compared(junk: dict[str, Any]) -> None:
    for one, other in ((junk, BEFORE), (BEFORE, junk)):
        found = changes(one, other)
        assert bool(found) == (junk is not BEFORE)
        assert all(str(each) for each in found)


def test_a_plan_names_the_first_two() -> None:
    now = {**BEFORE, "variables": {"A": "1", "B": "2", "CFLAGS": "-g0"}, "image": f"sha256:{OTHER}"}
    found = changes(BEFORE, now)
    assert in_short(found) == "A was set to 1, B was set to 2 and 1 more"
    assert in_short(found[:1]) == "A was set to 1"


def test_rows_are_all_that_says_something() -> None:
    assert list(rows({**BEFORE, "pure": True})) == [
        ("sdist", f"demo-1.0.tar.gz sha256:{HASH}"),
        ("build requirements", f"setuptools 80.9.0 sha256:{HASH}"),
        ("", f"tool 1 build:{HASH}"),
        ("system packages", "libpq-dev"),
        ("environment variables", "CFLAGS=-g0"),
        ("config settings", 'a ["1", "2"]'),
        ("CUDA toolkit's wheels", f"nvcc 13.1 sha256:{HASH}"),
        ("", f"cccl 13.1 sha256:{HASH}"),
        ("may be without its extension", "yes"),
        ("builder image", f"sha256:{HASH}"),
    ]


# --- which build it is compared with --------------------------------------------------------------


def record(store: Store, key: str, version: str, place: str) -> None:
    inputs = {"variables": {"KEY": key[:1]}}
    store.write_record(BUILD, key, {"version": version, "place": place, "inputs": inputs})


def test_the_most_alike_of_the_last_builds_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    here, there = target().place, replace(target(), python="3.12").place
    one, two = Version("1"), Version("2")

    def found(version: Version, place: Any) -> str | None:
        last = last_build(store, NAME, version, place)
        return last.key[:1] if last else None

    assert found(one, here) is None
    for letter, version, place in (("a", one, here), ("b", two, here), ("c", one, there)):
        key = letter * 64
        record(store, key, str(version), str(place))
        remember_build(store, NAME, version, place, key)
    assert found(one, here) == "a"
    assert found(Version("3"), here) == "b"
    assert found(two, there) == "c"
    elsewhere = last_build(store, NAME, one, replace(target(), python="3.13").place)
    assert elsewhere is not None
    assert (elsewhere.key[:1], elsewhere.same_place) == ("c", False)
    assert last_build(store, canonicalize_name("other"), one, here) is None


@pytest.mark.parametrize("damage", ["not json", "[]", '{"key": 5}', '{"key": "../../x"}', "{}"])
def test_a_damaged_pointer_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    remember_build(store, NAME, Version("1"), target().place, "a" * 64)
    for path in (tmp_path / "records" / "last-build").iterdir():
        path.chmod(0o600)
        path.write_text(damage)
    assert last_build(store, NAME, Version("1"), target().place) is None


@pytest.mark.parametrize(
    "damage", [{}, {"version": 1}, {"version": "1", "place": "x", "inputs": []}]
)
def test_a_record_of_another_form_is_as_good_as_none(
    tmp_path: Path, damage: dict[str, Any]
) -> None:
    store = Store(tmp_path)
    store.write_record(BUILD, "a" * 64, damage)
    remember_build(store, NAME, Version("1"), target().place, "a" * 64)
    assert last_build(store, NAME, Version("1"), target().place) is None


# --- for a person ---------------------------------------------------------------------------------


def earlier(**more: Any) -> Earlier:
    place = str(target().place)
    made = {"key": OTHER, "version": "1.0", "place": place, "same_place": True, "inputs": BEFORE}
    return Earlier(**{**made, **more})


def a_step(**more: Any) -> Step:
    package = LockedPackage(
        name=NAME,
        version=Version("1.0"),
        sdist=locked("demo-1.0.tar.gz"),
        required_by=("requirements.txt:1", "web"),
        build=LockedBuild(static=(), dynamic=(), environment=()),
    )
    made = {
        "action": "build",
        "package": package,
        "file": locked("demo-1.0.tar.gz"),
        "reason": "no wheel on the index fits the target",
        "key": HASH,
        "inputs": {**BEFORE, "variables": {"CFLAGS": "-O3"}},
    }
    return Step(**{**made, **more})


def planned(*steps: Step, **more: Any) -> Planned:
    lock = Lock(
        target="web",
        inputs="digest",
        python="3.11.2",
        environment={},
        packages=tuple(step.package for step in steps),
    )
    return Planned(
        target=target(),
        images=images(),
        interpreter=interpreter(),
        lock=replace(lock, **more),
        plan=Plan(target="web", steps=steps),
    )


def text(found: Planned) -> str:
    return "\n".join(to_text(line) for line in explain_lines(found, ()))


def test_a_build_again_names_what_has_changed() -> None:
    step = a_step(earlier=earlier())
    assert step.past == "built again: CFLAGS -g0 → -O3"
    shown = text(planned(step))
    assert "web: demo 1.0  to be built" in shown
    assert "built again, because            CFLAGS -g0 → -O3" in shown
    assert "asked for by                    requirements.txt:1\n" in shown
    assert f"key                             {HASH}" in shown
    assert "    environment variables         CFLAGS=-O3" in shown


def test_a_first_build_and_a_lost_wheel_are_told_apart() -> None:
    assert "never, as far as this store knows" in text(planned(a_step()))
    lost = a_step(earlier=earlier(key=HASH, inputs=a_step().inputs))
    assert lost.past == "built again: its wheel is no longer in the store"
    assert "its wheel is no longer in the store" in text(planned(lost))
    foreign = a_step(earlier=earlier(same_place=False, place="Debian 13, Python 3.13, x86_64"))
    assert (foreign.past, foreign.changes) == ("", ())
    assert "not for this platform; 1.0 for Debian 13, Python 3.13" in text(planned(foreign))


def test_what_is_reused_has_no_changes() -> None:
    built = Built(filename="demo.whl", sha256=sha("x"), facts={})
    step = a_step(action="reuse", built=built)
    assert step.past == "built before from the same inputs"
    assert "built before                    from the same inputs" in text(planned(step))


def test_a_fetched_wheel_names_those_it_was_preferred_to() -> None:
    wheels = tuple(
        locked(f"demo-1.0-{tag}.whl")
        for tag in ("cp311-cp311-manylinux_2_28_x86_64", "py3-none-any")
    )
    package = replace(a_step().package, wheels=wheels)
    step = Step(action="fetch", package=package, file=wheels[0], reason="the best of 2 wheels")
    refused = RefusedFile(
        filename="demo-1.0-cp311-abi3-manylinux_2_5_x86_64.whl",
        sha256=sha("y"),
        reason="demo/a.so needs GLIBC_2.34",
        platform="glibc 2.36",
    )
    found = planned(step, refused=(refused,))
    shown = text(found)
    assert "rather than                     demo-1.0-py3-none-any.whl" in shown
    assert f"refused                         {refused.filename}: {refused.reason}" in shown
    assert "key" not in shown
    (data,) = json.loads(json.dumps(explain_data(found, ())))["packages"]
    assert data["other-files"] == ["demo-1.0-py3-none-any.whl"]
    assert data["refused-files"] == [{"file": refused.filename, "reason": refused.reason}]
    assert data["earlier"] is None


def test_what_the_server_has_is_explained() -> None:
    package = replace(a_step().package, sdist=None, provided="system:python3-demo")
    found = replace(planned(), lock=replace(planned().lock, packages=(package,)))
    assert "the distribution's package python3-demo has it" in text(found)
    assert not explain_data(found, [canonicalize_name("other")])["bypassed"]
