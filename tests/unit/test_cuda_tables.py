"""The tables that know NVIDIA's projects: each knows what the others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from wheelhouse import cuda
from wheelhouse.alignment.frameworks import UNNUMBERED, parts, renumbered
from wheelhouse.alignment.statements import is_part, own_statement
from wheelhouse.weights import NVIDIA

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

LIBRARIES = [library for name in sorted(cuda.sonames()) if (library := cuda.library(name))]

#: By major version and name, the projects that have libraries of CUDA's.
PROJECTS = sorted({each for library in LIBRARIES for each in library.projects.items()})


def stem(major: int, project: str) -> str:
    return project.removesuffix(f"-cu{major}")


@pytest.mark.parametrize(("major", "project"), PROJECTS)
def test_who_has_a_library_is_a_part_of_cuda(major: int, project: NormalizedName) -> None:
    assert is_part(project)
    assert project.startswith(NVIDIA)
    numbered = project != stem(major, project)
    assert numbered == (major < UNNUMBERED or stem(major, project) in parts().suffixed)
    if numbered:
        made = own_statement(project, Version("1.0"))
        assert made is not None
        assert made.cuda.major == major
    else:
        assert project in parts().unnumbered


@pytest.mark.parametrize(("major", "project"), PROJECTS)
def test_who_has_it_for_another_cuda_is_known(major: int, project: str) -> None:
    for other, name in PROJECTS:
        if other != major and stem(other, name) == stem(major, project):
            assert renumbered(project, other) == name


def test_every_part_that_is_a_library_is_known_by_its_soname() -> None:
    known = parts()
    stems = {stem(*each) for each in PROJECTS}
    assert known.suffixed | known.majors | known.others.keys() <= stems
    assert known.compilers <= stems
    assert known.overlapping <= known.suffixed
