"""What a lock is made from, and whether that is still the same.

A lock has one digest of it all, which decides, and a short one of each part, by which a stale lock
can say what has changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from wheelhouse.settings import portable_url
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wheelhouse.config import PackageSettings, Project
    from wheelhouse.inputs.model import Requirements
    from wheelhouse.locking.model import Lock
    from wheelhouse.settings import IndexSettings
    from wheelhouse.targets import Target

#: Hexadecimal digits of a part's digest: enough to see a change, few enough to be read past.
SHORT = 16

#: What is wanted of files that have several parts.
PARTS = "requirements"


def inputs_digest(project: Project, target: Target, requirements: Requirements) -> str:
    """The digest of all that a lock is made from; a lock with another one is stale."""
    more = {**_more_of_project(project), **_more_of_target(target)}
    return digest_of(
        [
            _files(project, requirements),
            {name: _package(each) for name, each in project.packages.items()},
            _place(target),
            portable_url(project.index, project.root),
            *([more] if more else []),  # only what is set: locks outlive versions of wheelhouse
        ]
    )


def input_digests(project: Project, target: Target, requirements: Requirements) -> dict[str, str]:
    """The same in parts: a short digest of each, by what a person calls it."""
    parts: dict[str, Any] = {
        **{f"[packages.{name}]": _package(each) for name, each in project.packages.items()},
        f"[targets.{target.name}]": [_place(target), _more_of_target(target)],
        "index": portable_url(project.index, project.root),
        **_more_of_project(project),
    }
    digests = {name: digest_of(value) for name, value in parts.items()}
    files = _files(project, requirements)
    if (folder := files.pop(".", None)) is not None:
        files["the project's folder"] = folder
    found = {**files, **digests}
    return {name: digest[:SHORT] for name, digest in sorted(found.items())}


def is_fresh(
    lock: Lock | None, project: Project, target: Target, requirements: Requirements
) -> bool:
    """Whether *lock* was made for *target* from what is asked for now."""
    return (
        lock is not None
        and lock.target == target.name  # and not copied from another's
        and lock.inputs == inputs_digest(project, target, requirements)
    )


def changes(
    lock: Lock, project: Project, target: Target, requirements: Requirements
) -> tuple[str, ...]:
    """What is another now than when *lock* was made, each in a clause; nothing if that is unknown.

    Locks of earlier versions do not tell.
    """
    if lock.target != target.name:
        return (f"it was made for the target {lock.target}",)
    if not lock.sources:
        return ()
    return tuple(_changes(lock.sources, input_digests(project, target, requirements)))


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if name == PARTS and before.get(name) != now.get(name):
            # They stand on the command line as often as in the setting of this name.
            yield "the extras, groups or projects that are wanted changed"
        elif name not in before:
            yield f"{name} is new"
        elif name not in now:
            yield f"{name} is gone"
        elif before[name] != now[name]:
            yield f"{name} changed"


def cutoff(setting: datetime | timedelta | None, now: datetime) -> datetime | None:
    """The moment that *setting* stands for, in whole seconds; None: everything may be used."""
    moment = now - setting if isinstance(setting, timedelta) else setting
    return moment.astimezone(UTC).replace(microsecond=0) if moment else None


def _files(project: Project, requirements: Requirements) -> dict[str, str]:
    root = project.root.resolve()
    return {
        str(path.relative_to(root) if path.is_relative_to(root) else path): sha256
        for path, sha256 in requirements.files.items()
    }


def _package(settings: PackageSettings) -> list[object]:
    """What of *settings* a lock is made from."""
    said = {
        "requires": settings.requires,
        "build-requires": settings.build_requires,
        "build-against": settings.build_against,
        "system-libraries": settings.system_libraries,
        "index": settings.index,
        "bypass": settings.bypass,
    }
    more: dict[str, object] = {key: value for key, value in said.items() if value}
    if settings.cuda is not None:
        more["cuda"] = settings.cuda
    return [
        *(settings.source, settings.system, dict(settings.env), dict(settings.config_settings)),
        *([more] if more else []),
    ]


def _place(target: Target) -> list[object]:
    """What of *target* a lock is made from: its platform's definition, and not its name alone."""
    captured = target.captured
    return [
        *(
            [preset.name, preset.family, str(preset.libc), str(preset.glibcxx), preset.image]
            for preset in (target.preset, target.build_place.preset)
        ),
        [target.python, target.python_path, target.build_place.interpreter.path, target.arch],
        [captured.interpreter.to_dict(), sorted(captured.libraries)] if captured else [],
    ]


def _more_of_target(target: Target) -> dict[str, object]:
    cuda = target.cuda
    said = {
        "torch-backend": target.torch_backend,
        "provided": dict(target.provided),
        "cuda": [str(cuda.version), cuda.libraries] if cuda else [],
    }
    return {key: value for key, value in said.items() if value}


def _more_of_project(project: Project) -> dict[str, object]:
    """By their names in `wheelhouse.toml`, settings that not every project has."""
    default = project.default_index
    said = {
        PARTS: _chosen_parts(project),
        "indexes": [_index(each, project) for each in project.indexes],
        "default index": _index(default, project)[2:] if default else [],
        "exclude-newer": _age(project.exclude_newer),
        "source": "" if project.source == "any" else project.source,
    }
    return {key: value for key, value in said.items() if value}


def _chosen_parts(project: Project) -> dict[str, object]:
    """By file, the extras and groups that are wanted of it, if anything is said of that."""
    root = project.root
    return {
        each.path.relative_to(root).as_posix(): [each.extras, each.groups, each.project]
        for each in project.requirements
        if each.extras or each.groups or each.project is not None
    }


def _index(index: IndexSettings, project: Project) -> list[object]:
    """What of *index* says which files there are: not who signs in."""
    more = [index.flat, sorted(index.packages)] if index.flat or index.packages else []
    return [index.name, portable_url(index.url, project.root), *more]


def _age(setting: datetime | timedelta | None) -> str:
    """A moment, or an age: which moment that is, every second changes."""
    if isinstance(setting, timedelta):
        return f"{setting.total_seconds():.0f} seconds"
    return setting.astimezone(UTC).isoformat() if setting else ""
