"""Kinds of locks, each with the tool that makes it and installs from it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import uv

from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench.locks.places import Place
    from bench.locks.shapes import Shape

_UV = uv.find_uv_bin()

#: Poetry asks the public index in a form that mirrors often lack; as an index of its own, not.
_SOURCE = '[[tool.poetry.source]]\nname = "simple"\nurl = "https://pypi.org/simple/"\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """Where tools are kept, by place, and caches.

    :ivar folder: outside of every project.
    """

    folder: Path

    def env(self, place: Place) -> dict[str, str]:
        """The variables of all tools: no configuration of this user's, caches of their own."""
        home = self.folder / place.name / "home"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "HOME": str(home),
            "UV_CACHE_DIR": str(self.folder / "uv-cache"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_LINK_MODE": "copy",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PDM_CHECK_UPDATE": "0",
            "PDM_IGNORE_SAVED_PYTHON": "1",
            "PIPENV_VERBOSITY": "-1",
            "POETRY_INSTALLER_NO_BINARY": "",
            "KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    def tool(self, place: Place, name: str, *requirements: str) -> Path:
        """The folder with the programs of a tool, installed if it is not yet."""
        venv = self.folder / place.name / name
        programs = venv / "bin"
        if not (venv / "complete").exists():
            shutil.rmtree(venv, ignore_errors=True)
            self.venv(place, venv)
            argv = [_UV, "pip", "install", "--python", str(programs / "python"), *requirements]
            place.run(argv, self.folder, self.env(place))
            (venv / "complete").touch()
        return programs

    def venv(self, place: Place, path: Path) -> None:
        """Make an empty virtual environment with the place's own Python."""
        argv = [_UV, "venv", "--no-config", "--python", place.python, str(path)]
        place.run(argv, self.folder, self.env(place))


class Kind(Protocol):
    """A kind of lock."""

    @property
    def name(self) -> str:
        """For the command line."""

    @property
    def file(self) -> str:
        """The lock's name."""

    def suits(self, shape: Shape) -> bool:
        """Whether the tool can have such a project."""

    def lock(self, shape: Shape, folder: Path, shop: Workshop, place: Place) -> None:
        """Make the project, and lock it."""

    def install(self, shape: Shape, folder: Path, venv: Path, shop: Workshop, place: Place) -> None:
        """Let the tool install from the lock into the empty *venv*."""

    def input(self, shape: Shape, folder: Path) -> InputFile:
        """The lock as wheelhouse is to read it."""


def _options(name: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (name, value)]


def _input(shape: Shape, path: Path, *, project: bool | None = None) -> InputFile:
    return InputFile(
        path=path, extras=shape.wanted_extras, groups=shape.wanted_groups, project=project
    )


def _chosen(shape: Shape) -> list[str]:
    """uv's options for what is wanted."""
    groups = _options("--group", shape.wanted_groups)
    return ["--no-default-groups", *_options("--extra", shape.wanted_extras), *groups]


@dataclass(frozen=True, kw_only=True, slots=True)
class Uv:
    """`uv lock`, `uv sync`."""

    name: str = "uv.lock"
    file: str = "uv.lock"

    def suits(self, shape: Shape) -> bool:
        """See :class:`Kind`."""
        return True

    def lock(self, shape: Shape, folder: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        shape.write(folder)
        place.run([_UV, "lock", "--python", place.python], folder, shop.env(place))

    def install(self, shape: Shape, folder: Path, venv: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        argv = [_UV, "sync", "--frozen", "--no-editable", "--python", place.python]
        env = {**shop.env(place), "UV_PROJECT_ENVIRONMENT": str(venv)}
        place.run([*argv, *_chosen(shape)], folder, env)

    def input(self, shape: Shape, folder: Path) -> InputFile:
        """See :class:`Kind`."""
        return _input(shape, folder / self.file)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What `uv export` writes of a lock, which has only what is wanted in it.

    :ivar format: of uv's.
    :ivar pip: whether pip installs it, as strictly as it can; else uv does.
    """

    name: str
    file: str
    format: str
    pip: bool = False

    def suits(self, shape: Shape) -> bool:
        """See :class:`Kind`. A folder has no hash, so a hashed file has no project in it."""
        return True

    def lock(self, shape: Shape, folder: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        Uv().lock(shape, folder, shop, place)
        argv = [_UV, "export", "--frozen", "--no-editable", "--format", self.format]
        argv += [*_chosen(shape), "--output-file", self.file]
        argv += ["--no-emit-project"] if self.pip else []
        place.run(argv, folder, shop.env(place))

    def install(self, shape: Shape, folder: Path, venv: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        shop.venv(place, venv)
        python = str(venv / "bin" / "python")
        if self.pip:
            argv = [str(shop.tool(place, "pip", "pip") / "pip"), "--python", python, "install"]
            argv += ["--require-hashes", "--requirement", self.file]
        else:
            argv = [_UV, "pip", "install", "--python", python, "--requirements", self.file]
        place.run(argv, folder, shop.env(place))

    def input(self, shape: Shape, folder: Path) -> InputFile:
        """See :class:`Kind`."""
        return InputFile(path=folder / self.file)


@dataclass(frozen=True, kw_only=True, slots=True)
class Poetry:
    """`poetry lock`, `poetry install`.

    :ivar version: of Poetry, in `pip`'s words.
    """

    name: str
    version: str
    file: str = "poetry.lock"

    @property
    def _series(self) -> str:
        return self.version[:3]

    def suits(self, shape: Shape) -> bool:
        """See :class:`Kind`. 1.1 has one group, and fails at two versions of a project."""
        groups = {*shape.groups, *shape.wanted_groups}
        return self._series != "1.1" or (groups <= {"dev"} and not shape.splits)

    def _program(self, shop: Workshop, place: Place) -> str:
        requirement = f"poetry=={self.version}"
        return str(shop.tool(place, f"poetry-{self._series}", requirement) / "poetry")

    def lock(self, shape: Shape, folder: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        if self._series == "2":
            mode = "" if shape.application else "[tool.poetry]\npackage-mode = false\n"
            shape.write(folder, mode + _SOURCE)
        else:
            primary = "default = true" if self._series == "1.1" else 'priority = "primary"'
            shape.write_for_poetry_1(folder, f"{_SOURCE}{primary}\n")
        program = self._program(shop, place)
        place.run([program, "lock", "--no-interaction"], folder, self._env(folder, shop, place))

    def _env(self, venv: Path, shop: Workshop, place: Place) -> dict[str, str]:
        return {**shop.env(place), "VIRTUAL_ENV": str(venv)}

    def install(self, shape: Shape, folder: Path, venv: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        shop.venv(place, venv)
        argv = [self._program(shop, place), "install", "--no-interaction"]
        argv += _options("--extras", shape.wanted_extras)
        if self._series == "1.1":
            argv += [] if shape.wanted_groups else ["--no-dev"]
        else:
            argv += ["--only", ",".join(["main", *shape.wanted_groups])]
        argv += [] if shape.application else ["--no-root"]
        pip = [_UV, "pip", "{}", "--python", str(venv / "bin" / "python"), "pip"]
        with_pip = self._series == "1.1"  # it takes an environment without pip for a broken one
        if with_pip:
            place.run([part.format("install") for part in pip], folder, shop.env(place))
        place.run(argv, folder, self._env(venv, shop, place))
        if with_pip:
            place.run([part.format("uninstall") for part in pip], folder, shop.env(place))

    def input(self, shape: Shape, folder: Path) -> InputFile:
        """See :class:`Kind`. Before 1.8, Poetry always installs the project, if not told."""
        project = None if shape.application or self._series == "2" else False
        return _input(shape, folder / self.file, project=project)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pdm:
    """`pdm lock`, `pdm sync`.

    :ivar requirement: of PDM, in `pip`'s words.
    :ivar options: of `pdm lock`.
    :ivar settings: of PDM, as environment variables.
    """

    name: str
    requirement: str
    options: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    file: str = "pdm.lock"
    old: bool = False

    def suits(self, shape: Shape) -> bool:
        """See :class:`Kind`. PDM has two versions of a project only in locks of several targets."""
        return not shape.splits or not (self.old or self.options or self.settings)

    def _program(self, shop: Workshop, place: Place) -> str:
        name = "pdm-old" if self.old else "pdm"
        return str(shop.tool(place, name, self.requirement) / "pdm")

    def lock(self, shape: Shape, folder: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        more = "" if shape.application else "[tool.pdm]\ndistribution = false\n"
        shape.write(
            folder, more, groups="tool.pdm.dev-dependencies" if self.old else "dependency-groups"
        )
        argv = [self._program(shop, place), "lock", "--group", ":all", *self.options]
        env = {**self._env(shop, place), "VIRTUAL_ENV": str(folder / "nowhere")}
        if not shape.splits:
            place.run(argv, folder, env)
            return
        place.run([*argv, "--python", "==3.11.*", "--platform", "linux"], folder, env)
        place.run([*argv, "--append", "--python", "==3.13.*", "--platform", "linux"], folder, env)

    def _env(self, shop: Workshop, place: Place) -> dict[str, str]:
        return {**shop.env(place), **dict(self.settings)}

    def install(self, shape: Shape, folder: Path, venv: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        shop.venv(place, venv)
        argv = [self._program(shop, place), "sync", "--no-editable"]
        argv += _options("--group", (*shape.wanted_extras, *shape.wanted_groups))
        argv += [] if shape.wanted_groups else ["--prod"]
        place.run(argv, folder, {**self._env(shop, place), "VIRTUAL_ENV": str(venv)})

    def input(self, shape: Shape, folder: Path) -> InputFile:
        """See :class:`Kind`. A `pylock.toml` does not know of the project that it is of."""
        project = shape.application if self.file == "pylock.toml" else None
        return _input(shape, folder / self.file, project=project)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipenv:
    """`pipenv lock`, `pipenv sync`."""

    name: str = "Pipfile.lock"
    file: str = "Pipfile.lock"

    def suits(self, shape: Shape) -> bool:
        """See :class:`Kind`. A Pipfile has one line for each project."""
        return not shape.splits

    def _program(self, shop: Workshop, place: Place) -> str:
        return str(shop.tool(place, "pipenv", "pipenv") / "pipenv")

    def lock(self, shape: Shape, folder: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        shape.write(folder)
        shape.write_pipfile(folder)
        venv = folder / "locking"
        shop.venv(place, venv)
        env = {**shop.env(place), "VIRTUAL_ENV": str(venv)}
        place.run([self._program(shop, place), "lock"], folder, env)
        shutil.rmtree(venv)

    def install(self, shape: Shape, folder: Path, venv: Path, shop: Workshop, place: Place) -> None:
        """See :class:`Kind`."""
        shop.venv(place, venv)
        categories = [
            "packages",
            *("dev-packages" if g == "dev" else g for g in shape.wanted_groups),
        ]
        argv = [self._program(shop, place), "sync", "--categories", " ".join(categories)]
        place.run(argv, folder, {**shop.env(place), "VIRTUAL_ENV": str(venv)})

    def input(self, shape: Shape, folder: Path) -> InputFile:
        """See :class:`Kind`. It has no extras."""
        return InputFile(path=folder / self.file, groups=shape.wanted_groups)


KINDS: dict[str, Kind] = {
    each.name: each
    for each in (
        Uv(),
        Exported(name="pylock.toml", file="pylock.toml", format="pylock.toml"),
        Exported(
            name="requirements.txt", file="requirements.txt", format="requirements.txt", pip=True
        ),
        Poetry(name="poetry.lock 2.1", version="2.*"),
        Poetry(name="poetry.lock 2.0", version="1.8.*"),
        Poetry(name="poetry.lock 1.1", version="1.1.*"),
        Pdm(name="pdm.lock 4.5", requirement="pdm[locked]>=2.29"),
        Pdm(
            name="pdm.lock 4.5, no metadata",
            requirement="pdm[locked]>=2.29",
            options=("--strategy", "no_inherit_metadata,static_urls"),
        ),
        Pdm(name="pdm.lock 4.4", requirement="pdm==2.12.*", old=True),
        Pdm(
            name="pylock.toml of PDM",
            requirement="pdm[locked]>=2.29",
            settings=(("PDM_LOCK_FORMAT", "pylock"),),
            file="pylock.toml",
        ),
        Pipenv(),
    )
}
