"""`pylock.TARGET.toml`: a lock as PEP 751 has it, and back.

The specification: https://packaging.python.org/en/latest/specifications/pylock-toml/. What it has
no field for stands under ``[tool.wheelhouse]`` and ``[packages.tool.wheelhouse]``.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.errors import LockError
from wheelhouse.locking.model import (
    BuildRequirement,
    Lock,
    LockedBuild,
    LockedFile,
    LockedPackage,
    RefusedFile,
    is_file_name,
)

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
        tool={"wheelhouse": _own_tables(lock)},
    )
    pylock.validate()
    header = f"# Locked by wheelhouse for {lock.target}. `wheelhouse lock` renews it.\n"
    return header + tomli_w.dumps(dict(pylock.to_dict()))


def _own_tables(lock: Lock) -> dict[str, Any]:
    own: dict[str, Any] = {
        "format": FORMAT,
        "target": lock.target,
        "inputs": lock.inputs,
        "python": lock.python,
        "requested": list(lock.requested),
        "environment": dict(sorted(lock.environment.items())),
    }
    if lock.refused:
        own["refused"] = [_refused_fields(file) for file in lock.refused]
    return own


def _refused_fields(file: RefusedFile) -> dict[str, Any]:
    return {
        "name": file.filename,
        "hashes": {"sha256": file.sha256},
        "reason": file.reason,
        "platform": file.platform,
    }


def load_lock(path: Path) -> Lock | None:
    """The lock in *path*, or None if there is no such file.

    :raises LockError: it is no lock of ours, or was damaged.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    try:
        return _lock(Pylock.from_dict(data))
    except (PylockValidationError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def _unreadable(path: Path, why: str) -> LockError:
    return LockError(
        f"{path.name} is no lock that wheelhouse can read: {why}",
        hint=f"remove it and run `wheelhouse lock`, or restore it: `git checkout {path.name}`",
    )


def _lock(pylock: Pylock) -> Lock:
    own = (pylock.tool or {}).get("wheelhouse")
    if own is None:
        raise ValueError(f"it was made by another tool ({pylock.created_by})")
    if own["format"] != FORMAT:
        raise ValueError(f"its format is {own['format']}, this version reads {FORMAT}")
    return Lock(
        target=_text(own["target"]),
        inputs=_text(own["inputs"]),
        python=_text(own["python"]),
        environment={_text(name): _text(value) for name, value in own["environment"].items()},
        packages=tuple(_locked_package(package) for package in pylock.packages),
        requested=_texts(own["requested"]),
        refused=tuple(_refused_file(each) for each in own.get("refused", [])),
    )


def _refused_file(own: Mapping[str, Any]) -> RefusedFile:
    return RefusedFile(
        filename=_text(own["name"]),
        sha256=_text(own["hashes"]["sha256"]),
        reason=_text(own["reason"]),
        platform=_text(own["platform"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r} is no list")
    return tuple(_text(value) for value in values)


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
    fields = {
        "name": wheel.filename,
        "upload-time": wheel.upload_time,
        "url": wheel.url,
        "size": wheel.size,
        "hashes": {"sha256": wheel.sha256},
    }
    return {
        "name": str(requirement.name),
        "version": str(requirement.version),
        "wheel": {name: value for name, value in fields.items() if value is not None},
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
        required_by=_texts(own["required-by"]),
        build=_locked_build(own["build"]) if "build" in own else None,
        yanked=_text(own["yanked"]) if "yanked" in own else None,
    )


def _locked_file(file: PackageWheel | PackageSdist) -> LockedFile:
    if file.url is None:
        raise ValueError(f"{file.name} has no url")
    return _sound(
        LockedFile(
            filename=file.filename,
            url=file.url,
            sha256=file.hashes["sha256"],
            size=file.size,
            upload_time=file.upload_time,
        )
    )


def _sound(file: LockedFile) -> LockedFile:
    """*file*, of which neither name nor hash can lead out of a folder. Raises ValueError."""
    if not is_file_name(file.filename):
        raise ValueError(f"{file.filename!r} is no name of a file")
    if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        raise ValueError(f"{file.filename}: {file.sha256!r} is no SHA-256")
    return file


def _locked_build(own: Mapping[str, Any]) -> LockedBuild:
    return LockedBuild(
        static=_texts(own["requires"]),
        dynamic=_texts(own["requires-dynamic"]),
        system=_texts(own["system"]),
        environment=tuple(_locked_requirement(each) for each in own["environment"]),
    )


def _locked_requirement(own: Mapping[str, Any]) -> BuildRequirement:
    wheel = own["wheel"]
    return BuildRequirement(
        name=canonicalize_name(own["name"]),
        version=Version(own["version"]),
        wheel=_sound(
            LockedFile(
                filename=_text(wheel["name"]),
                url=_text(wheel["url"]),
                sha256=_text(wheel["hashes"]["sha256"]),
                size=wheel.get("size"),
                upload_time=wheel.get("upload-time"),
            )
        ),
    )
