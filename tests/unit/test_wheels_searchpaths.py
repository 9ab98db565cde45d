from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfactory import FAST, binary, cpython311, debian12, wheel
from wheelhouse.wheels.check import check_wheel
from wheelhouse.wheels.searchpaths import folder_meant, is_roundabout, leads_out

if TYPE_CHECKING:
    from wheelhouse.wheels.findings import Finding, Origin

TARGET, PYTHON = debian12(), cpython311()

DATA = "demo-1.0.data"


def found(entry: str, origin: Origin, member: str = FAST, tag: str = "runpath") -> list[Finding]:
    each = wheel(binary(member, **{tag: (entry,)}))
    return list(check_wheel(each, TARGET, PYTHON, {}, origin=origin))


@pytest.mark.parametrize(
    ("entry", "member", "folder"),
    [
        ("$ORIGIN", FAST, "demo"),
        ("$ORIGIN/", FAST, "demo"),
        ("${ORIGIN}/lib", FAST, "demo/lib"),
        ("$ORIGIN/..", FAST, ""),
        ("$ORIGIN/../nvidia/cu13//lib/.", FAST, "nvidia/cu13/lib"),
        ("$ORIGIN/../..", FAST, ".."),
        ("$ORIGIN/../../site-packages/nvidia", FAST, "../site-packages/nvidia"),
        ("$ORIGIN/../other", f"{DATA}/platlib/{FAST}", "other"),
        ("$ORIGIN/../other", f"{DATA}/purelib/{FAST}", "other"),
        ("$ORIGIN/../lib", f"{DATA}/scripts/demo", None),
        ("$ORIGIN/../lib", f"{DATA}/data/lib/libdemo.so", None),
        ("$ORIGINAL/lib", FAST, None),
        ("$ORIGIN../lib", FAST, None),
        ("lib/$ORIGIN", FAST, None),
        ("/usr/lib", FAST, None),
        ("", FAST, None),
    ],
)
def test_where_an_entry_leads(entry: str, member: str, folder: str | None) -> None:
    assert folder_meant(entry, member) == folder
    assert leads_out(entry, member) == (folder is not None and folder.startswith(".."))


def test_folders_that_only_begin_with_dots_are_no_parents() -> None:
    assert not leads_out("$ORIGIN/../..hidden", FAST)


def test_roundabout_ways() -> None:
    assert is_roundabout("$ORIGIN/there/../../nvidia")
    assert is_roundabout("$ORIGIN/../there/./..")
    assert not is_roundabout("$ORIGIN/../../nvidia/..x/lib")


@pytest.mark.parametrize("tag", ["rpath", "runpath"])
@pytest.mark.parametrize(
    ("entry", "fetched", "built"),
    [
        ("$ORIGIN/../demo.libs", None, None),
        ("${ORIGIN}", None, None),
        ("$ORIGIN/../nvidia/cu13/lib", None, None),
        ("$ORIGIN/../../nvidia/cu13/lib", None, "error"),
        ("${ORIGIN}/x/../../../lib", None, "error"),
        ("$ORIGIN/$LIB", None, None),
        ("/usr/lib64", None, None),
        ("/usr/$LIB", None, None),
        ("/usr/${LIB}/x", None, None),
        ("/usr/$PLATFORM", None, "error"),
        ("//usr/lib", None, None),
        ("/build/demo/lib", None, "error"),
        ("/usr/local/cuda/lib64", None, "error"),
        ("/home/me/lib", None, "error"),
        ("/tmp/x/../lib", "error", "error"),
        ("/opt/x/../../tmp/lib", "error", "error"),
        ("//tmp/lib", "error", "error"),
        ("/tmpfoo", None, "error"),
        ("", "warning", "error"),
        ("demo.libs", "warning", "error"),
        ("$ORIGIN../lib", "warning", "error"),
    ],
)
def test_search_paths(entry: str, tag: str, fetched: str | None, built: str | None) -> None:
    for origin, level in (("fetched", fetched), ("built", built)):
        of_it = [(f.rule, f.level) for f in found(entry, origin, tag=tag)]  # type: ignore[arg-type]
        assert of_it == ([("search-path", level)] if level else [])


def test_both_kinds_of_search_path_are_looked_at() -> None:
    each = wheel(binary(rpath=("/build/a",), runpath=("/build/b",)))
    messages = [f.message for f in check_wheel(each, TARGET, PYTHON, {}, origin="built")]
    assert [("/build/a" in m, "/build/b" in m) for m in messages] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("/work/build/lib", "looks for libraries in /work/build/lib, which leads to the machine"),
        ("$ORIGIN/../../lib", "in $ORIGIN/../../lib, which leads out of site-packages, to nothing"),
        ("", "in the current folder, which is not part of the wheel"),
        ("lib", "in lib, seen from the current folder"),
        ("/tmp/lib", "in /tmp/lib, where anyone may put them"),
    ],
)
def test_reasons(entry: str, reason: str) -> None:
    (finding,) = found(entry, "built")
    assert reason in finding.message
    assert finding.hint
    assert "Build it without that RPATH" in finding.hint


def test_programs_are_not_judged_by_where_site_packages_is() -> None:
    assert found("$ORIGIN/../../lib", "built", f"{DATA}/scripts/demo") == []
    assert [f.level for f in found("/build/lib", "built", f"{DATA}/scripts/demo")] == ["error"]
