"""`pylock.TARGET.toml`: a lock as PEP 751 has it, and back.

The specification: https://packaging.python.org/en/latest/specifications/pylock-toml/. What it has
no field for stands under ``[tool.wheelhouse]`` and ``[packages.tool.wheelhouse]``, what nothing
is known of is left out.
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
from wheelhouse.locking.buildtable import (
    build_fields,
    locked_build,
    locked_requirement,
    requirement_fields,
)
from wheelhouse.locking.directtable import direct_fields, locked_direct, standard_source
from wheelhouse.locking.lockvalues import (
    moment,
    requirement,
    sound,
    system_package,
    text,
    texts,
)
from wheelhouse.locking.model import (
    AddedRequirement,
    Lock,
    LockedFile,
    LockedPackage,
    RefusedFile,
    SystemRequirement,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
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
        packages=[_package(package) for package in lock.packages if package.files],
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
    if lock.before is not None:
        own["exclude-newer"] = lock.before
    if lock.sources:
        own["sources"] = dict(sorted(lock.sources.items()))
    if lock.refused:
        own["refused"] = [_refused_fields(file) for file in lock.refused]
    if lock.system:
        needed = sorted(lock.system, key=lambda each: (each.platform, each.package))
        own["system"] = [_system_fields(each) for each in needed]
    if without_files := [each for each in lock.packages if not each.files]:
        own["provided"] = [_provided_fields(each) for each in without_files]
    if lock.toolkit:
        own["toolkit"] = [requirement_fields(each) for each in lock.toolkit]
    if lock.added:
        added = sorted(lock.added, key=lambda each: (each.package, each.requirement))
        own["added"] = [_added_fields(each) for each in added]
    return own


def _refused_fields(file: RefusedFile) -> dict[str, Any]:
    return {
        "name": file.filename,
        "hashes": {"sha256": file.sha256},
        "reason": file.reason,
        "platform": file.platform,
    }


def _system_fields(needed: SystemRequirement) -> dict[str, Any]:
    fields = {
        "package": needed.package,
        "platform": needed.platform,
        "libraries": list(needed.libraries),
        "programs": list(needed.programs),
        "required-by": list(needed.required_by),
    }
    return {name: value for name, value in fields.items() if value}


def _provided_fields(package: LockedPackage) -> dict[str, Any]:
    """A package that the server has: nobody fetches those, so PEP 751 has no entries for them."""
    own = _own(package)
    return {"name": str(package.name), "version": str(package.version), **own}


def _added_fields(added: AddedRequirement) -> dict[str, Any]:
    fields = {
        "package": str(added.package),
        "requirement": added.requirement,
        "module": added.module,
        "library": added.library,
    }
    return {name: value for name, value in fields.items() if value}


#: What reading data of any other form raises.
_OF_ANOTHER_FORM = (
    *(PylockValidationError, LookupError, TypeError),
    *(ValueError, AttributeError, RecursionError),
)


def load_lock(path: Path) -> Lock | None:
    """The lock in *path*, or None if there is no such file.

    :raises LockError: it is no lock of ours, or was damaged.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # no TOML, no UTF-8, or a number of 4301 digits
        raise _unreadable(path, str(error)) from error
    except RecursionError as error:
        raise _unreadable(path, "its values are nested too deeply") from error
    try:
        return _lock(Pylock.from_dict(data))
    except _OF_ANOTHER_FORM as error:
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
        target=text(own["target"]),
        inputs=text(own["inputs"]),
        python=text(own["python"]),
        environment={text(name): text(value) for name, value in own["environment"].items()},
        packages=_packages(pylock, own.get("provided", [])),
        requested=texts(own["requested"]),
        refused=tuple(_refused_file(each) for each in own.get("refused", [])),
        system=tuple(_system_requirement(each) for each in own.get("system", [])),
        toolkit=tuple(map(locked_requirement, own.get("toolkit", []))),
        added=tuple(_added_requirement(each) for each in own.get("added", [])),
        sources={text(name): text(value) for name, value in own.get("sources", {}).items()},
        before=moment(own.get("exclude-newer")),
    )


def _packages(pylock: Pylock, provided: Iterable[Mapping[str, Any]]) -> tuple[LockedPackage, ...]:
    found = [
        *(_locked_package(package) for package in pylock.packages),
        *(_provided_package(own) for own in provided),
    ]
    return tuple(sorted(found, key=lambda package: package.name))


def _provided_package(own: Mapping[str, Any]) -> LockedPackage:
    return LockedPackage(
        name=canonicalize_name(text(own["name"]), validate=True),
        version=Version(text(own["version"])),
        required_by=texts(own["required-by"]),
        requires=texts(own.get("requires", [])),
        provided=text(own["provided"]),
    )


def _refused_file(own: Mapping[str, Any]) -> RefusedFile:
    return RefusedFile(
        filename=text(own["name"]),
        sha256=text(own["hashes"]["sha256"]),
        reason=text(own["reason"]),
        platform=text(own["platform"]),
    )


def _system_requirement(own: Mapping[str, Any]) -> SystemRequirement:
    return SystemRequirement(
        package=system_package(own["package"]),
        platform=text(own["platform"]),
        libraries=texts(own.get("libraries", [])),
        programs=texts(own.get("programs", [])),
        required_by=texts(own.get("required-by", [])),
    )


def _added_requirement(own: Mapping[str, Any]) -> AddedRequirement:
    if ("module" in own) == ("library" in own):
        raise ValueError("a requirement is added for a module or for a library")
    return AddedRequirement(
        package=canonicalize_name(text(own["package"]), validate=True),
        requirement=requirement(own["requirement"]),
        module=text(own.get("module", "")),
        library=text(own.get("library", "")),
    )


def _package(package: LockedPackage) -> Package:
    sdist = package.sdist
    if package.direct is not None:
        return Package(
            name=package.name,
            version=package.version,
            tool={"wheelhouse": _own(package)},
            **standard_source(package.direct, *package.files),
        )
    return Package(
        name=package.name,
        version=package.version,
        index=package.index,
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
    if package.provided:
        own["provided"] = package.provided
    if package.requires:
        own["requires"] = list(package.requires)
    if package.direct is not None:
        own["direct"] = direct_fields(package.direct, *package.files)
    if package.yanked is not None:
        own["yanked"] = package.yanked
    if package.build is not None:
        own["build"] = build_fields(package.build)
    return own


def _locked_package(package: Package) -> LockedPackage:
    own = (package.tool or {})["wheelhouse"]
    if package.version is None:
        raise ValueError(f"{package.name} has no version")
    return LockedPackage(
        name=package.name,
        version=package.version,
        **_files(package, own),
        required_by=texts(own["required-by"]),
        build=locked_build(own["build"]) if "build" in own else None,
        yanked=text(own["yanked"]) if "yanked" in own else None,
        index=package.index,
        requires=texts(own.get("requires", [])),
        provided=text(own.get("provided", "")),
    )


def _files(package: Package, own: Mapping[str, Any]) -> dict[str, Any]:
    if "direct" not in own:
        return {
            "wheels": tuple(_locked_file(wheel) for wheel in package.wheels or ()),
            "sdist": _locked_file(package.sdist) if package.sdist else None,
        }
    direct, file = locked_direct(own["direct"])
    is_wheel = file.filename.endswith(".whl")
    return {
        "direct": direct,
        "wheels": (file,) if is_wheel else (),
        "sdist": None if is_wheel else file,
    }


def _locked_file(file: PackageWheel | PackageSdist) -> LockedFile:
    if file.url is None:
        raise ValueError(f"{file.name} has no url")
    return sound(
        LockedFile(
            filename=file.filename,
            url=file.url,
            sha256=file.hashes["sha256"],
            size=file.size,
            upload_time=moment(file.upload_time),
        )
    )
