"""`[packages.tool.wheelhouse.build]` of a lock file: what building an sdist takes. Pure.

A build requirement that has no wheel is itself built from an sdist, so its entry holds a table of
the same shape: ``[packages.tool.wheelhouse.build.environment.build]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.locking.lockvalues import (
    flag,
    moment,
    requirements,
    size,
    sound,
    system_packages,
    text,
    texts,
)
from wheelhouse.locking.model import (
    NOTHING_MORE,
    BuildRequirement,
    LockedBuild,
    LockedFile,
    Provision,
)
from wheelhouse.locking.provision import provision_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How many builds may stand in one another. Real build requirements need three or four.
DEPTH = 16


def build_fields(build: LockedBuild) -> dict[str, Any]:
    """*build* as a table."""
    fields: dict[str, Any] = {
        "requires": list(build.static),
        "requires-dynamic": list(build.dynamic),
        "system": list(build.system),
    }
    if build.cuda:
        fields["cuda"] = True
    if build.provision != NOTHING_MORE:  # above what it explains
        fields["provision"] = provision_fields(build.provision)
    fields["environment"] = [requirement_fields(each) for each in build.environment]
    return fields


def requirement_fields(requirement: BuildRequirement) -> dict[str, Any]:
    """*requirement*, of a build or of a toolkit, as a table."""
    fields: dict[str, Any] = {
        "name": str(requirement.name),
        "version": str(requirement.version),
        "wheel" if requirement.build is None else "sdist": _file_fields(requirement.file),
    }
    if requirement.index is not None:
        fields["index"] = requirement.index
    if requirement.build is not None:
        fields["build"] = build_fields(requirement.build)
    return fields


def _file_fields(file: LockedFile) -> dict[str, Any]:
    fields = {
        "name": file.filename,
        "upload-time": file.upload_time,
        "url": file.url,
        "size": file.size,
        "hashes": {"sha256": file.sha256},
    }
    return {name: value for name, value in fields.items() if value is not None}


def locked_build(own: Mapping[str, Any], depth: int = DEPTH) -> LockedBuild:
    """The build that a table says.

    :param depth: how many builds may stand in one another.
    :raises LookupError, TypeError, ValueError: it is damaged.
    """
    if depth == 0:
        raise ValueError(f"more than {DEPTH} builds stand in one another")
    return LockedBuild(
        static=texts(own["requires"]),
        dynamic=texts(own["requires-dynamic"]),
        system=system_packages(own["system"]),
        environment=tuple(locked_requirement(each, depth) for each in own["environment"]),
        provision=_provision(own["provision"]) if "provision" in own else NOTHING_MORE,
        cuda=flag(own.get("cuda", False)),
    )


def locked_requirement(own: Mapping[str, Any], depth: int = DEPTH) -> BuildRequirement:
    """The requirement that a table says. Parameters and errors are as for :func:`locked_build`."""
    is_built = "build" in own
    return BuildRequirement(
        name=canonicalize_name(own["name"]),
        version=Version(own["version"]),
        file=_locked_file(own["sdist" if is_built else "wheel"]),
        build=locked_build(own["build"], depth - 1) if is_built else None,
        index=text(own["index"]) if "index" in own else None,
    )


def _locked_file(own: Mapping[str, Any]) -> LockedFile:
    return sound(
        LockedFile(
            filename=text(own["name"]),
            url=text(own["url"]),
            sha256=text(own["hashes"]["sha256"]),
            size=size(own.get("size")),
            upload_time=moment(own.get("upload-time")),
        )
    )


def _provision(own: Mapping[str, Any]) -> Provision:
    return Provision(
        system={text(name): system_packages(each) for name, each in own.get("system", {}).items()},
        constraints=requirements(own.get("constraints", [])),
        requires=requirements(own.get("requires", [])),
        before=moment(own.get("before")),
        relaxed=flag(own.get("relaxed", False)),
        regenerate=flag(own.get("regenerate", False)),
        search=texts(own.get("search", [])),
    )
