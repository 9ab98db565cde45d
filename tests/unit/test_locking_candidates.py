"""Which files of a project a target may use, and in which order."""

from __future__ import annotations

import pytest
from lockingfactory import index_file, interpreter, page, sha
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from wheelhouse.locking.candidates import Release, TagRanks, releases

V1 = Version("1.0")


def names(release: Release) -> list[str]:
    return [file.filename.removeprefix("demo-1.0-").removesuffix(".whl") for file in release.wheels]


def one(*filenames: str, arch: str = "x86_64", libc: str = "glibc 2.36") -> Release:
    found = releases(page("demo", *filenames), interpreter(arch=arch, libc=libc))
    assert list(found) == [V1]
    return found[V1]


def wheels(*tags: str) -> list[str]:
    return [f"demo-1.0-{tag}.whl" for tag in tags]


def test_wheels_are_sorted_best_first_whatever_the_pages_order() -> None:
    best_first = [
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-abi3-manylinux_2_17_x86_64",
        "cp38-abi3-manylinux_2_17_x86_64",
        "cp311-none-any",
        "py3-none-any",
    ]
    for order in (best_first, best_first[::-1], best_first[3:] + best_first[:3]):
        assert names(one(*wheels(*order))) == best_first


@pytest.mark.parametrize(
    ("libc", "arch", "expected"),
    [
        ("glibc 2.36", "x86_64", ["cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"]),
        ("glibc 2.36", "aarch64", ["cp311-cp311-manylinux_2_17_aarch64"]),
        ("musl 1.2", "x86_64", ["cp311-cp311-musllinux_1_2_x86_64"]),
    ],
)
def test_the_platform_decides(libc: str, arch: str, expected: list[str]) -> None:
    release = one(
        *wheels(
            "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp311-cp311-manylinux_2_17_aarch64",
            "cp311-cp311-musllinux_1_2_x86_64",
            "cp311-cp311-win_amd64",
            "cp311-cp311-macosx_11_0_arm64",
        ),
        arch=arch,
        libc=libc,
    )
    assert names(release) == expected
    assert len(release.others) == 5 - len(release.wheels)


@pytest.mark.parametrize(
    "tag",
    [
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
        "cp311-cp311d-manylinux_2_17_x86_64",
        "cp311-cp311t-manylinux_2_17_x86_64",
        "pp311-pypy311_pp73-manylinux_2_17_x86_64",
        "py2-none-any",
        "cp311-cp311-manylinux_2_40_x86_64",
    ],
)
def test_what_does_not_fit_is_kept_apart(tag: str) -> None:
    release = one(*wheels(tag))
    assert release.wheels == ()
    assert len(release.others) == 1
    assert not release.usable("any")


def test_of_equal_wheels_the_highest_build_number_is_best() -> None:
    found = one(*wheels("2-py3-none-any", "10-py3-none-any", "py3-none-any", "1b-py3-none-any"))
    assert names(found) == ["10-py3-none-any", "2-py3-none-any", "1b-py3-none-any", "py3-none-any"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_tar_is_preferred_to_a_zip(order: int) -> None:
    release = one(*["demo-1.0.zip", "demo-1.0.tar.gz"][::order])
    assert release.sdist is not None
    assert release.sdist.filename == "demo-1.0.tar.gz"


def test_a_zip_serves_where_there_is_no_tar() -> None:
    release = one("demo-1.0.zip")
    assert release.sdist is not None
    assert release.usable("sdist")


def test_what_each_source_allows() -> None:
    both = one("demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl")
    assert both.sdist is not None
    assert both.files("wheel") == both.wheels
    assert both.files("sdist") == (both.sdist,)
    assert both.files("any") == (*both.wheels, both.sdist)
    bare = one("demo-1.0.tar.gz", *wheels("cp312-cp312-win_amd64"))
    assert (bare.usable("any"), bare.usable("wheel"), bare.usable("sdist")) == (True, False, True)


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-cp311-cp311-linux_x86_64-x86_64_v3-extra.whl",
        "demo-1.0.whl",
        "demo-x.y-py3-none-any.whl",
        "demo-1.0.tar.bz2",
        "demo-1.0.egg",
        "demo-1.0.exe",
        "demo-nonsense.tar.gz",
        "demo.tar.gz",
        "other-1.0-py3-none-any.whl",
        "other-1.0.tar.gz",
        "demo-extra-1.0.tar.gz",
        "README.txt",
        "",
    ],
)
def test_files_of_no_use_are_passed_over(filename: str) -> None:
    assert releases(page("demo", filename), interpreter()) == {}


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-1/../../../x-py3-none-any.whl",
        "demo-1.0-1\n-py3-none-any.whl",
        "../demo-1.0-py3-none-any.whl",
        "../demo-1.0.tar.gz",
        "x/demo-1.0.tar.gz",
        "demo-1.0\0.tar.gz",
        "demo-1.0 .tar.gz",
        "demo-1.0\\.tar.gz",
        " demo-1.0.tar.gz",
        "demo-1.0\n.tar.gz",
    ],
)
def test_a_name_that_is_a_path_or_worse_is_no_file(filename: str) -> None:
    """It becomes a path in containers and in the wheelhouse."""
    assert releases(page("demo", filename), interpreter()) == {}


def test_names_may_be_written_in_any_way() -> None:
    found = releases(
        page("My.Demo", "My_Demo-1.0-py3-none-any.whl", "my-demo-2.tar.gz"), interpreter()
    )
    assert list(found) == [V1, Version("2")]


def test_a_file_without_a_hash_exists_only_where_no_hash_is_demanded() -> None:
    content = page("demo", index_file("demo-1.0.tar.gz", sha256=None))
    assert list(releases(content, interpreter())) == [V1]
    assert releases(content, interpreter(), {sha("other")}) == {}


def test_only_files_of_allowed_hashes_exist() -> None:
    content = page("demo", "demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl", "demo-2.0.tar.gz")
    found = releases(content, interpreter(), {sha("demo-1.0.tar.gz"), sha("other")})
    assert list(found) == [V1]
    assert found[V1].wheels == ()


def test_a_refused_wheel_fits_no_longer() -> None:
    best, other = wheels("cp311-cp311-manylinux2014_x86_64", "py3-none-any")
    sdist = "demo-1.0.tar.gz"
    (release,) = releases(
        page("demo", best, other, sdist), interpreter(), refused={sha(best), sha(sdist)}
    ).values()
    assert [each.filename for each in release.wheels] == [other]
    assert [each.filename for each in release.others] == [best]
    assert release.sdist is not None, "an sdist has no tag that could be untrue"


def test_a_release_is_yanked_if_all_of_its_files_are() -> None:
    gone = index_file("demo-1.0.tar.gz", yanked="broken")
    assert releases(page("demo", gone), interpreter())[V1].yanked == "broken"
    silent = index_file("demo-1.0.tar.gz", yanked="")
    assert releases(page("demo", silent), interpreter())[V1].yanked == ""
    partly = page("demo", gone, "demo-1.0-py3-none-any.whl")
    assert releases(partly, interpreter())[V1].yanked is None
    elsewhere = page("demo", gone, "demo-1.0-cp311-cp311-win_amd64.whl")
    assert releases(elsewhere, interpreter())[V1].yanked is None


def test_a_release_says_which_pythons_it_is_for() -> None:
    old = index_file("demo-1.0.tar.gz", requires_python=SpecifierSet(">=3.8"))
    found = releases(page("demo", old, "demo-2.0.tar.gz"), interpreter())
    assert found[V1].requires_python == SpecifierSet(">=3.8")
    assert found[Version("2.0")].requires_python is None


def test_local_and_epoch_versions() -> None:
    content = page("demo", "demo-1!2.0+cu118-py3-none-any.whl")
    assert list(releases(content, interpreter())) == [Version("1!2.0+cu118")]


def test_ranks() -> None:
    tags = interpreter().tags
    ranks = TagRanks(tags)
    assert ranks.of([tags[5], tags[2]]) == 2
    assert ranks.of([]) is None
