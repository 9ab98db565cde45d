"""From what an index says to the packages that are offered.

``tests/data/index-debian12`` is an excerpt of Debian 12's own index, with whatever else has files
of the names that ``tests/data/packages-debian.txt`` asks for.
"""

from __future__ import annotations

from functools import cache

import pytest

from packagepairs import DATA, is_right, pairs
from wheelhouse.agent import find
from wheelhouse.finding.questions import Answer, Facts, question
from wheelhouse.finding.ranking import rank
from wheelhouse.finding.table import known_packages
from wheelhouse.missing import Missing


@cache
def index() -> find.Index:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find, "INDEX", str(DATA / "index-debian12"))
        return find.Index()


def offered(missing: Missing) -> tuple[str, ...]:
    answer = index().answer(question(missing).to_dict())
    return rank(missing, Answer.from_dict(answer), "x86_64")


@pytest.mark.parametrize(
    ("missing", "right"), [pytest.param(*each, id=str(each[0])) for each in pairs("debian12")]
)
def test_the_package_that_people_would_choose_comes_first(
    missing: Missing, right: frozenset[str]
) -> None:
    packages = known_packages(missing, "debian") or offered(missing)
    assert is_right(packages, right), packages


def test_the_index_alone_knows_nearly_all() -> None:
    listed = list(pairs("debian12"))
    wrong = [missing for missing, right in listed if not is_right(offered(missing), right)]
    assert len(wrong) < 0.06 * len(listed), wrong


# -- One rule at a time ---------------------------------------------------------------------


def answer(files: dict[str, str], lists: bool = True, /, **packages: Facts) -> Answer:
    """What an index says: the packages of each path, separated by spaces."""
    return Answer(
        files=tuple((path, tuple(names.split())) for path, names in files.items()),
        packages={
            name.replace("__", ".").replace("_", "-"): each for name, each in packages.items()
        },
        lists=lists,
    )


def header(name: str, files: dict[str, str], **packages: Facts) -> tuple[str, ...]:
    return rank(Missing("header", name), answer(files, **packages), "x86_64")


def test_the_compilers_own_folders_come_before_those_that_take_an_option() -> None:
    files = {"/usr/include/first/odd.h": "odd-dev", "/usr/include/odd.h": "libplain-dev"}
    assert header("odd.h", files) == ("libplain-dev", "odd-dev")
    there = {"/usr/include/x86_64-linux-gnu/odd.h": "libodd-dev"}
    assert header("odd.h", there) == ("libodd-dev",)


@pytest.mark.parametrize(
    "path",
    ["/usr/include/aarch64-linux-gnu/odd.h", "/usr/lib32/odd.h", "/usr/share/odd/include/odd.h"],
)
def test_what_no_build_reaches_is_not_it(path: str) -> None:
    assert header("odd.h", {path: "libodd-dev"}) == ()


@pytest.mark.parametrize(
    "package",
    [
        "libodd-dev-arm64-cross",
        "mingw-w64-odd-dev",
        "libodd-dbg",
        "odd-doc",
        "libodd-tests",
        "lib32odd-dev",
        "golang-odd-dev",
        "librust-odd-sys-dev",
        "libodd-ocaml-dev",
        "dietlibc-dev",
        "libnewlib-dev",
    ],
)
def test_packages_for_something_else_are_never_offered(package: str) -> None:
    assert header("odd.h", {"/usr/include/odd.h": package}) == ()


def test_a_package_to_build_with_comes_before_one_to_run() -> None:
    library = answer({"/usr/lib/x86_64-linux-gnu/libodd.so": "libodd9 libodd-dev"})
    assert rank(Missing("library", "odd"), library, "x86_64")[0] == "libodd-dev"
    soname = answer({"/usr/lib/x86_64-linux-gnu/libodd.so.9": "libodd-dev libodd9"})
    assert rank(Missing("soname", "libodd.so.9"), soname, "x86_64")[0] == "libodd9"


def test_names_alike_come_before_many_dependents_and_these_before_others() -> None:
    files = {"/usr/include/odd.h": "libaaa-dev libbbb-dev libodd-dev"}
    found = header(
        "odd.h",
        files,
        libaaa_dev=Facts(dependents=3),
        libbbb_dev=Facts(dependents=70),
        libodd_dev=Facts(dependents=1),
    )
    assert found == ("libodd-dev", "libbbb-dev", "libaaa-dev")


def test_old_names_come_last() -> None:
    files = {"/usr/include/odd.h": "libodd-dev libother-dev"}
    found = header("odd.h", files, libodd_dev=Facts(section="oldlibs"))
    assert found == ("libother-dev", "libodd-dev")


@pytest.mark.parametrize(
    ("package", "standing", "files", "chosen"),
    [
        ("libodd9.1-dev", "libodd-dev", 0, "libodd-dev"),
        ("libodd9.1-dev", "libodd-dev", 7, "libodd-dev"),
        ("libodd62-turbo-dev", "libodd-dev", 0, "libodd-dev"),
        ("libodd-pthread-dev", "libodd-dev", 0, "libodd-dev"),
        ("libodd-dev-common", "libodd-dev", 7, "libodd-dev"),
        ("libeven-dev", "default-libodd-dev", 0, "default-libodd-dev"),
        # Others that merely need it.
        ("libodd9.1-dev", "libeven-dev", 7, "libodd9.1-dev"),
        ("libodd-dev", "libodd-extra-dev", 0, "libodd-dev"),
        ("libodd9.1-dev", "odd-tools", 0, "libodd9.1-dev"),
        ("libodd9.1-dev", "librust-odd-dev", 0, "libodd9.1-dev"),
    ],
)
def test_what_stands_for_a_version_is_offered_in_its_place(
    package: str, standing: str, files: int, chosen: str
) -> None:
    told = Answer(
        files=(("/usr/include/odd.h", (package,)),),
        packages={package: Facts(files=3), standing: Facts(files=files, depends=(package,))},
    )
    assert rank(Missing("header", "odd.h"), told, "x86_64") == (chosen,)


@pytest.mark.parametrize("there", ["libodd9-dev", "libodd-dev"])
def test_what_is_installed_is_not_offered_nor_what_stands_for_it(there: str) -> None:
    told = answer(
        {"/usr/include/odd.h": "libodd9-dev", "/usr/include/x/odd.h": "libodd-x-dev"},
        libodd_dev=Facts(depends=("libodd9-dev",)),
    )
    missing = Missing("header", "odd.h")
    assert rank(missing, told, "x86_64") == ("libodd-dev", "libodd-x-dev")
    assert rank(missing, told, "x86_64", {there}) == ("libodd-x-dev",)


def test_a_name_that_many_have_in_folders_of_their_own_says_nothing() -> None:
    files = {f"/usr/include/{name}/config.h": f"lib{name}-dev" for name in ("aaa", "bbb", "ccc")}
    assert header("config.h", files) == ()
    assert header("config.h", {**files, "/usr/include/x/config.h": "libconfig-dev"}) == (
        "libconfig-dev",
    )
    deeper = {f"/usr/include/{name}/odd/config.h": f"lib{name}-dev" for name in ("aaa", "bbb")}
    assert header("odd/config.h", deeper) == ("libaaa-dev", "libbbb-dev")


def test_a_folder_that_is_only_a_link_is_found_by_its_version() -> None:
    assert header("odd/odd.h", {"/usr/include/odd-7.12/odd.h": "libodd-dev"}) == ("libodd-dev",)
    assert header("odd/odd.h", {"/usr/include/even-7.12/odd.h": "libeven-dev"}) == ()


def test_few_are_offered() -> None:
    assert len(header("odd.h", {"/usr/include/odd.h": " ".join("abcdefg")})) == 5


def test_names_that_packages_provide_count_as_files_do() -> None:
    told = Answer(names={"pkgconfig(odd)": ("odd-devel",)})
    assert rank(Missing("pkg-config", "odd"), told, "x86_64") == ("odd-devel",)


def test_names_are_guessed_only_where_no_files_are_listed() -> None:
    missing = Missing("header", "odd/odd.h")
    assert rank(missing, answer({}, False, odd_dev=Facts()), "x86_64") == ("odd-dev",)
    assert rank(missing, answer({}, True, odd_dev=Facts()), "x86_64") == ()
    program = Missing("program", "odd")
    assert rank(program, answer({}, False, odd=Facts()), "x86_64") == ()


def test_a_file_is_where_it_is_expected() -> None:
    told = answer({"/usr/lib/odd.so": "odd", "/opt/usr/lib/odd.so": "other"})
    assert rank(Missing("file", "/lib/odd.so"), told, "x86_64") == ("odd",)


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/usr/lib/x86_64-linux-gnu/cmake/Odd/OddConfig.cmake", True),
        ("/usr/share/odd/cmake/odd-config.cmake", True),
        ("/usr/lib/x86_64-linux-gnu/pkgconfig/odd.pc", True),
        ("/usr/lib/aarch64-linux-gnu/cmake/Odd/OddConfig.cmake", False),
    ],
)
def test_what_finds_a_cmake_package(path: str, *, first: bool) -> None:
    found = rank(Missing("cmake", "Odd"), answer({path: "libodd-dev"}), "x86_64")
    assert found == (("libodd-dev",) if first else ())
