"""Locks for tests of what is told of them: small, and made of nothing but data."""

from __future__ import annotations

from typing import Any

from lockingfactory import sha
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.locking.model import (
    BuildRequirement,
    Lock,
    LockedBuild,
    LockedFile,
    LockedPackage,
)


def file(name: str, content: str = "") -> LockedFile:
    """A file, of which *content* stands for its hash."""
    return LockedFile(
        filename=name, url=f"https://files.example/{name}", sha256=sha(content or name)
    )


def package(name: str, version: str = "1.0", *required_by: str, **more: Any) -> LockedPackage:
    """A package with one wheel."""
    given = {"wheels": (file(f"{name}-{version}-py3-none-any.whl"),), **more}
    return LockedPackage(
        name=canonicalize_name(name),
        version=Version(version),
        required_by=required_by or ("requirements.txt:1",),
        **given,
    )


def lock(*packages: LockedPackage, **more: Any) -> Lock:
    """The lock of the target web."""
    given = {"inputs": "", "python": "3.11.2", "environment": {}, **more}
    return Lock(target="web", packages=packages, **given)


def build(*environment: str, **more: Any) -> LockedBuild:
    """A build in an *environment* of such as ``cython-3.0``, which asks for setuptools."""
    pairs = [each.split("-") for each in environment]
    return LockedBuild(
        static=("setuptools",),
        dynamic=(),
        environment=tuple(
            BuildRequirement(
                name=canonicalize_name(name),
                version=Version(version),
                file=file(f"{name}-{version}-py3-none-any.whl"),
            )
            for name, version in pairs
        ),
        **more,
    )


def built(name: str, made: LockedBuild) -> LockedPackage:
    """A package that has no wheel."""
    return package(name, wheels=(), sdist=file(f"{name}-1.0.tar.gz"), build=made)
