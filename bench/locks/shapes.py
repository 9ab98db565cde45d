"""Projects such as people have, each in the words of every tool."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A project.

    :ivar extras: of the project; :ivar groups: of dependencies, by name.
    :ivar wanted_extras: those that are installed; :ivar wanted_groups: the same of groups.
    :ivar application: whether the project itself is installed.
    :ivar splits: whether it wants different versions for different Pythons.
    """

    name: str
    dependencies: tuple[str, ...]
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wanted_extras: tuple[str, ...] = ()
    wanted_groups: tuple[str, ...] = ()
    application: bool = False
    splits: bool = False

    def write(self, folder: Path, more: str = "", groups: str = "dependency-groups") -> None:
        """Write its `pyproject.toml` with the standard tables, and *more*; and its package.

        :param groups: the table that dependency groups are in.
        """
        lines = [
            "[project]",
            f'name = "{self.name}"',
            'version = "1.2.0"',
            'requires-python = ">=3.11,<4"',
            f"dependencies = {json.dumps(self.dependencies)}",
            "[project.optional-dependencies]",
            *(f"{name} = {json.dumps(own)}" for name, own in self.extras.items()),
            f"[{groups}]",
            *(f"{name} = {json.dumps(own)}" for name, own in self.groups.items()),
            _build("hatchling", "hatchling.build") if self.application else "",
        ]
        self._finish(folder, "\n".join(lines) + f"\n{more}")

    def write_for_poetry_1(self, folder: Path, source: str = "") -> None:
        """Write its `pyproject.toml` with Poetry's own tables, the only ones that 1.x knows."""
        optional = [line for own in self.extras.values() for line in own]
        lines = [
            "[tool.poetry]",
            f'name = "{self.name}"\nversion = "1.2.0"\ndescription = ""\nauthors = []',
            f"packages = [{{ include = '{self.module}' }}]",
            "[tool.poetry.dependencies]",
            'python = "^3.11"',
            *_poetry(self.dependencies),
            *_poetry(optional, optional=True),
            "[tool.poetry.extras]",
            *(f"{name} = {json.dumps(_names(own))}" for name, own in self.extras.items()),
        ]
        for name, own in self.groups.items():
            table = "dev-dependencies" if name == "dev" else f"group.{name}.dependencies"
            lines += [f"[tool.poetry.{table}]", *_poetry(own)]
        lines.append(_build("poetry-core", "poetry.core.masonry.api"))
        self._finish(folder, "\n".join(lines) + f"\n{source}")

    def write_pipfile(self, folder: Path) -> None:
        """Write its `Pipfile`, which has no extras, and the project as one of its dependencies."""
        lines = ["[[source]]", 'url = "https://pypi.org/simple"', 'name = "pypi"', "[packages]"]
        lines += _poetry(self.dependencies, loose=True)
        if self.application:
            lines.append(f'{self.name} = {{ path = ".", editable = true }}')
        for name, own in self.groups.items():
            lines += ["[dev-packages]" if name == "dev" else f"[{name}]", *_poetry(own)]
        (folder / "Pipfile").write_text("\n".join(lines) + "\n")

    @property
    def module(self) -> str:
        """The name of its package for `import`."""
        return self.name.replace("-", "_")

    def _finish(self, folder: Path, text: str) -> None:
        (folder / "pyproject.toml").write_text(text + "\n")
        (folder / "README.md").touch()
        (folder / self.module).mkdir(exist_ok=True)
        (folder / self.module / "__init__.py").touch()


def _build(requirement: str, backend: str) -> str:
    return f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "{backend}"'


def _names(lines: Iterable[str]) -> list[str]:
    return [Requirement(line).name for line in lines]


def _poetry(lines: Iterable[str], *, optional: bool = False, loose: bool = False) -> list[str]:
    """Dependencies as Poetry has them, and Pipenv, too, one line for each name."""
    tables: dict[str, list[str]] = {}
    for requirement in map(Requirement, lines):
        # Pipenv fails at a version of what is for another platform.
        specifier = "*" if loose and requirement.marker else requirement.specifier or "*"
        parts = [f'version = "{specifier}"']
        if requirement.extras:
            parts.append(f"extras = {json.dumps(sorted(requirement.extras))}")
        if requirement.marker:
            parts.append(f"markers = {json.dumps(str(requirement.marker))}")
        if optional:
            parts.append("optional = true")
        tables.setdefault(requirement.name, []).append("{ " + ", ".join(parts) + " }")
    return [
        f"{name} = {each[0]}" if len(each) == 1 else f"{name} = [{', '.join(each)}]"
        for name, each in tables.items()
    ]


SHAPES = {
    each.name: each
    for each in (
        Shape(
            name="web-shop",
            dependencies=("django>=4.2,<5.3", "celery[redis]>=5.4", "psycopg2-binary>=2.9"),
            extras={"mail": ("aiosmtplib>=3",), "s3": ("boto3>=1.34",)},
            groups={"dev": ("pytest>=8",)},
            wanted_extras=("mail",),
            application=True,
        ),
        Shape(
            name="website",
            dependencies=(
                "flask>=3",
                "requests[socks]>=2.31",
                "colorama>=0.4; sys_platform == 'win32'",
                "importlib-metadata>=7; python_version < '3.12'",
            ),
            extras={"db": ("sqlalchemy>=2",)},
            groups={"dev": ("pytest>=8",)},
            wanted_extras=("db",),
            wanted_groups=("dev",),
            application=True,
        ),
        Shape(
            name="service",
            dependencies=("fastapi[standard]>=0.110", "sqlalchemy>=2", "pydantic-settings>=2"),
            groups={"dev": ("pytest>=8",), "worker": ("arq>=0.25",)},
            wanted_groups=("worker",),
        ),
        Shape(
            name="science",
            dependencies=(
                "numpy>=1.26,<2; python_version < '3.12'",
                "numpy>=2.1; python_version >= '3.12'",
                "pandas>=2.2",
                "scipy>=1.12",
            ),
            splits=True,
        ),
        Shape(
            name="everywhere",
            dependencies=(
                "colorama>=0.4; sys_platform == 'win32'",
                "pywin32>=300; platform_system == 'Windows'",
                "uvloop>=0.19; sys_platform != 'win32' and implementation_name == 'cpython'",
                "typing-extensions>=4.10; python_version < '3.13'",
                "pyobjc-core>=10; sys_platform == 'darwin'",
                "click>=8",
                "tqdm>=4.66",
                "uvicorn[standard]>=0.29",
            ),
            extras={"cli": ("rich>=13",)},
            groups={"dev": ("pytest>=8",), "docs": ("mkdocs>=1.5",)},
            wanted_extras=("cli",),
            wanted_groups=("dev",),
            application=True,
        ),
    )
}
