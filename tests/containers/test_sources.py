"""What comes from folders and repositories, built in real containers."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from projects import ProjectSdist, write_project

if TYPE_CHECKING:
    from conftest import Workplace

    from projects import LocalIndex

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from gitfactory import GitServer, commit, git, repository, serving

pytestmark = pytest.mark.containers

PASSWORD = "a-password-of-the-git-server"

SCM = """
[build-system]
requires = ["setuptools", "setuptools-scm"]
build-backend = "setuptools.build_meta"
[project]
name = "app"
dynamic = ["version"]
[tool.setuptools]
packages = ["app"]
[tool.setuptools_scm]
"""

HATCH = """
[build-system]
requires = ["hatchling", "hatch-vcs"]
build-backend = "hatchling.build"
[project]
name = "library"
requires-python = ">=3.9"
dynamic = ["version"]
[tool.hatch.version]
source = "vcs"
raw-options = { root = ".." }
"""

TOML = '[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'


def wheels(workplace: Workplace) -> set[str]:
    return {path.name for path in workplace.house().glob("wheels/*")}


def test_versions_that_git_knows(workplace: Workplace) -> None:
    """A work tree and a repository behind a password, whose versions are their tags'."""
    served = workplace.root / "served"
    library = repository(
        served / "library",
        {"pkg/pyproject.toml": HATCH, "pkg/library/__init__.py": "", "README": "x"},
    )
    git(library, "tag", "v2.0")
    made = commit(library, {"README": "y"})
    files = {"pyproject.toml": SCM, "app/__init__.py": "import library\n", "wheelhouse.toml": TOML}
    workplace.project.rmdir()
    repository(workplace.project, files)
    git(workplace.project, "tag", "v1.5")
    (workplace.project / ".env").write_text(f"SECRET={PASSWORD}")
    with serving(GitServer(served, PASSWORD)) as server:
        netrc = workplace.root / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {PASSWORD}\n")
        (workplace.project / "requirements.txt").write_text(
            f".\nlibrary @ git+{server.url}/library/.git@main#subdirectory=pkg\n"
        )
        commit(workplace.project, {})
        first = workplace.run("build", NETRC=str(netrc))
        assert first.status == 0, first.said
        lock = (workplace.project / "pylock.d12.toml").read_text()
        again = workplace.run("build", "--again", NETRC=str(netrc))
        assert again.status == 0, again.said
    app = git(workplace.project, "rev-parse", "HEAD")
    assert wheels(workplace) == {
        f"app-1.6.dev1+g{app[:9]}-py3-none-any.whl",
        f"library-2.1.dev1+g{made[:9]}-py3-none-any.whl",
    }
    assert f'commit-id = "{made}"' in lock
    assert (workplace.project / "pylock.d12.toml").read_text() == lock
    for path in workplace.root.rglob("*"):
        if path.is_file() and path.name not in {".env", ".netrc"}:
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_recipe_in_a_subdirectory(workplace: Workplace, index: LocalIndex) -> None:
    """Its maintainers' recipe builds it, with what lies beside it at hand."""
    (workplace.root / "alpha.tar.gz").write_bytes(ProjectSdist(name="alpha", native=True).content())
    with tarfile.open(workplace.root / "alpha.tar.gz") as tar:
        tar.extractall(workplace.root / "out", filter="data")
    (workplace.project / "mono").mkdir()
    (workplace.root / "out/alpha-1.0").rename(workplace.project / "mono/alpha")
    (workplace.project / "mono/beside.txt").write_text("x")
    with (workplace.project / "mono/alpha/pyproject.toml").open("a") as file:
        file.write('[tool.cibuildwheel]\nbefore-build = "test -e /project/beside.txt"\n')
    setting = '[packages.alpha]\nbuilder = "cibuildwheel"\n'
    requirement = f"alpha @ file://{workplace.project}/mono#subdirectory=alpha\n"
    write_project(workplace.project, index, requirement, more=setting)
    done = workplace.run("build")
    assert done.status == 0, done.said
    (name,) = wheels(workplace)
    assert name.startswith("alpha-1.0-cp311-cp311-manylinux")
    (told,) = json.loads((workplace.house() / "manifest.json").read_text())["wheels"]
    assert told["story"]["kind"] == "built"
