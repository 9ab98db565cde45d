"""From a checked `wheelhouse.toml` to a :class:`~wheelhouse.config.Project`. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.config import PackageSettings, Project
from wheelhouse.cuda import Cuda
from wheelhouse.engine import Limits
from wheelhouse.settings import (
    DEFAULT_INDEX,
    AuditSettings,
    IgnoredAdvisory,
    IndexSettings,
    InputFile,
)
from wheelhouse.targets import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wheelhouse.audittable import AuditTable
    from wheelhouse.indextable import IndexTable
    from wheelhouse.platformtable import Platforms
    from wheelhouse.projectfile import InputTable, PackageTable, ProjectFile
    from wheelhouse.projectpaths import Captured, Found
    from wheelhouse.targettable import TargetTable


def make_project(file: ProjectFile, path: Path, found: Found, platforms: Platforms) -> Project:
    """The project of the checked *file*, which lies at *path*.

    :param found: what its paths lead to.
    :param platforms: those that its targets name.
    """
    assert found.output is not None  # or there would be an issue
    captured = found.captured
    indexes = {
        name: _index(name, table, found.folders.get(name)) for name, table in file.indexes.items()
    }
    own = indexes.pop(file.index, None)
    default = own or IndexSettings(name=DEFAULT_INDEX, url=file.index)
    return Project(
        root=path.parent,
        file=path,
        requirements=tuple(map(_input, file.requirements, found.requirements)),
        captures=tuple(dict.fromkeys(each.file for each in captured.values())),
        output=found.output,
        default_index=default,
        indexes=tuple(indexes.values()),
        exclude_newer=file.exclude_newer,
        targets={
            name: _target(name, table, platforms, captured.get(name))
            for name, table in file.targets.items()
        },
        packages={
            canonicalize_name(name): _package(table, default.name)
            for name, table in file.packages.items()
        },
        limits=replace(Limits(), **file.limits.model_dump(exclude_unset=True)),
        jobs=file.jobs,
        auto_system=file.auto_system,
        auto_requires=file.auto_requires,
        undeclared_libraries=file.undeclared_libraries,
        audit=_audit(file.audit),
    )


def _audit(table: AuditTable) -> AuditSettings:
    return AuditSettings(
        sources=tuple(table.sources),
        ignored=tuple(
            IgnoredAdvisory(
                id=each.id,
                reason=each.reason,
                until=each.until,
                package=None if each.package is None else canonicalize_name(each.package),
            )
            for each in table.ignore
        ),
        mirrors=tuple(table.mirrors),
        max_age=table.max_age,
    )


def _input(entry: str | InputTable, path: Path) -> InputFile:
    if isinstance(entry, str):
        return InputFile(path=path)
    return InputFile(
        path=path,
        extras=_names(entry.extras),
        groups=_names(entry.groups),
        project=entry.project,
    )


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({canonicalize_name(name) for name in names}))


def _index(name: str, table: IndexTable, folder: Path | None) -> IndexSettings:
    """*folder* is where its files are, if they are on this machine."""
    return IndexSettings(
        name=name,
        url=table.url or (folder.as_uri() if folder else str(table.find_links)),
        flat=table.url is None,
        packages=tuple(table.packages),
        username=table.username or "",
    )


def _target(
    name: str, table: TargetTable, platforms: Platforms, captured: Captured | None
) -> Target:
    if captured is not None:
        said = captured.target
        target = Target(
            name=name,
            preset=said.preset,
            python=said.python,
            arch=said.arch,
            captured=said.capture,
        )
    else:
        assert table.python is not None  # or there would be an issue
        assert table.arch is not None
        preset = platforms[table.platform or ""]
        assert preset is not None
        target = Target(name=name, preset=preset, python=table.python, arch=table.arch)
    target = replace(
        target,
        runtime_system=table.runtime_system,
        torch_backend=table.torch_backend or "",
        provided={canonicalize_name(name): way for name, way in table.provided.items()},
        cuda=_cuda(table),
    )
    builder = platforms[table.builder] if table.builder else None
    return target if builder in (None, target.preset) else replace(target, builder=builder)


def _cuda(table: TargetTable) -> Cuda | None:
    if table.cuda is None:
        return None
    return Cuda(
        version=Version(table.cuda),
        arches=_sorted(table.cuda_arch or []),
        libraries=_sorted(table.cuda_libraries),
    )


def _package(table: PackageTable, default: str) -> PackageSettings:
    """*default* is the name of the default index."""
    return PackageSettings(
        source=table.source,
        system=_by_family(table.system),
        env=table.env,
        config_settings={
            key: tuple(value) if isinstance(value, list) else value
            for key, value in table.config_settings.items()
        },
        allow_pure=table.allow_pure,
        allow_pth=table.allow_pth,
        skip_imports=tuple(table.skip_imports),
        builder=table.builder,
        network=table.network,
        requires=_sorted(table.requires),
        build_requires=_sorted(table.build_requires),
        build_against=tuple(sorted({canonicalize_name(name) for name in table.build_against})),
        runtime_system=_by_family(table.runtime_system),
        system_libraries=_sorted(table.system_libraries),
        index=default if table.index == DEFAULT_INDEX else table.index,
        bypass=table.bypass,
        cuda=table.cuda,
    )


def _by_family(
    packages: Sequence[str] | Mapping[Any, Sequence[str]],
) -> tuple[str, ...] | Mapping[str, tuple[str, ...]]:
    if isinstance(packages, dict):
        return {family: _sorted(names) for family, names in sorted(packages.items())}
    return _sorted(list(packages))


def _sorted(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
