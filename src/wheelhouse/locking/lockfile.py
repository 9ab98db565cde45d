"""`pylock.TARGET.toml`: a lock as PEP 751 has it, and back.

The specification: https://packaging.python.org/en/latest/specifications/pylock-toml/. What it has
no field for stands under ``[tool.wheelhouse]`` and ``[packages.tool.wheelhouse]``.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.errors import LockError
from wheelhouse.locking.model import BuildRequirement, Lock, LockedBuild, LockedFile, LockedPackage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Of our own tables. Another number means that this version cannot read them.
FORMAT = 1


def lock_path(root: Path, target: str) -> Path:
    """Where the lock of *target* belongs: beside `wheelhouse.toml`."""
    return root / f"pylock.{target}.toml"


def dump_lock(lock: Lock) -> str:
    """The text of a lock file."""
    import tomli_w

    environment = lock.environment
    marker = " and ".join(
        f'{name} == "{environment[name]}"'
        for name in ("implementation_name", "platform_machine", "python_version", "sys_platform")
    )
    pylock = Pylock(
        lock_version=Version("1.0"),
        environments=[Marker(marker)],
        requires_python=SpecifierSet(f"=={environment['python_version']}.*"),
        created_by="wheelhouse",
        packages=[_package(package) for package in lock.packages],
        tool={
            "wheelhouse": {
                "format": FORMAT,
                "target": lock.target,
                "inputs": lock.inputs,
                "python": lock.python,
                "requested": list(lock.requested),
                "environment": dict(sorted(environment.items())),
            }
        },
    )
    pylock.validate()
    header = f"# Locked by wheelhouse for {lock.target}. `wheelhouse lock` renews it.\n"
    return header + tomli_w.dumps(dict(pylock.to_dict()))


def load_lock(path: Path) -> Lock | None:
    """The lock in *path*, or None if there is no such file.

    :raises LockError: it is no lock of ours, or was damaged.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    try:
        return _lock(Pylock.from_dict(data))
    except (PylockValidationError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def _unreadable(path: Path, why: str) -> LockError:
    return LockError(
        f"{path.name} is no lock that wheelhouse can read: {why}",
        hint=f"remove it and run `wheelhouse lock`, or restore it: `git checkout {path.name}`",
    )


def _lock(pylock: Pylock) -> Lock:
    own = (pylock.tool or {})["wheelhouse"]
    if own["format"] != FORMAT:
        raise ValueError(f"its format is {own['format']}, this version reads {FORMAT}")
    return Lock(
        target=own["target"],
        inputs=own["inputs"],
        python=own["python"],
        environment=dict(own["environment"]),
        packages=tuple(_locked_package(package) for package in pylock.packages),
        requested=tuple(own["requested"]),
    )


def _package(package: LockedPackage) -> Package:
    sdist = package.sdist
    return Package(
        name=package.name,
        version=package.version,
        wheels=[PackageWheel(**_fields(wheel)) for wheel in package.wheels] or None,
        sdist=PackageSdist(**_fields(sdist)) if sdist else None,
        tool={"wheelhouse": _own(package)},
    )


def _fields(file: LockedFile) -> dict[str, Any]:
    return {
        "name": file.filename,
        "url": file.url,
        "size": file.size,
        "upload_time": file.upload_time,
        "hashes": {"sha256": file.sha256},
    }


def _own(package: LockedPackage) -> dict[str, Any]:
    own: dict[str, Any] = {"required-by": list(package.required_by)}
    if package.yanked is not None:
        own["yanked"] = package.yanked
    if package.build is not None:
        build = package.build
        own["build"] = {
            "requires": list(build.static),
            "requires-dynamic": list(build.dynamic),
            "system": list(build.system),
            "environment": [_build_requirement(each) for each in build.environment],
        }
    return own


def _build_requirement(requirement: BuildRequirement) -> dict[str, Any]:
    wheel = requirement.wheel
    return {
        "name": str(requirement.name),
        "version": str(requirement.version),
        "wheel": {"name": wheel.filename, "url": wheel.url, "hashes": {"sha256": wheel.sha256}},
    }


def _locked_package(package: Package) -> LockedPackage:
    own = (package.tool or {})["wheelhouse"]
    if package.version is None:
        raise ValueError(f"{package.name} has no version")
    return LockedPackage(
        name=package.name,
        version=package.version,
        wheels=tuple(_locked_file(wheel) for wheel in package.wheels or ()),
        sdist=_locked_file(package.sdist) if package.sdist else None,
        required_by=tuple(own["required-by"]),
        build=_locked_build(own["build"]) if "build" in own else None,
        yanked=own.get("yanked"),
    )


def _locked_file(file: PackageWheel | PackageSdist) -> LockedFile:
    if file.url is None:
        raise ValueError(f"{file.name} has no url")
    return LockedFile(
        filename=file.filename,
        url=file.url,
        sha256=file.hashes["sha256"],
        size=file.size,
        upload_time=file.upload_time,
    )


def _locked_build(own: Mapping[str, Any]) -> LockedBuild:
    return LockedBuild(
        static=tuple(own["requires"]),
        dynamic=tuple(own["requires-dynamic"]),
        system=tuple(own["system"]),
        environment=tuple(
            BuildRequirement(
                name=canonicalize_name(each["name"]),
                version=Version(each["version"]),
                wheel=LockedFile(
                    filename=each["wheel"]["name"],
                    url=each["wheel"]["url"],
                    sha256=each["wheel"]["hashes"]["sha256"],
                ),
            )
            for each in own["environment"]
        ),
    )
