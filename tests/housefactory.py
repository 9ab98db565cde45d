"""Wheelhouses of small generated wheels, for tests."""

from __future__ import annotations

import base64
import hashlib
import io
import platform
import sys
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.tags import sys_tags

from wheelhouse.contents import HouseContents, HouseWheel
from wheelhouse.engine import Image, Limits, TargetImages
from wheelhouse.house import House, assemble
from wheelhouse.manifest import FetchedStory, WheelFacts
from wheelhouse.targets import Interpreter, Libc, Place, Target, presets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wheelhouse.locking.model import SystemRequirement
    from wheelhouse.manifest import BuiltStory

DEBIAN12 = Place(preset=presets()["debian12"], python="3.11", arch=platform.machine())
IMAGES = TargetImages(
    builder=Image(id="sha256:" + "b" * 64, name="builder:1", origin="local"),
    runtime=Image(id="sha256:" + "a" * 64, name="runtime:1", origin="local"),
    builder_python="/usr/bin/python3.11",
    runtime_python="/usr/bin/python3.11",
    tool_python="/opt/tools/bin/python",
    tool_path="/opt/tools/bin",
    build_place=DEBIAN12,
    place=DEBIAN12,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A distribution to make a wheel of.

    :ivar files: what is in it, relative to site-packages.
    """

    name: str
    version: str = "1.0"
    files: Mapping[str, bytes] = field(default_factory=dict)
    requires: Sequence[str] = ()
    modules: tuple[str, ...] | None = None
    extensions: tuple[str, ...] = ()
    tag: str = "py3-none-any"
    skip_imports: tuple[str, ...] = ()
    system_libraries: tuple[str, ...] = ()
    system_programs: tuple[str, ...] = ()

    @property
    def contents(self) -> Mapping[str, bytes]:
        """Its files; one module by its own name unless it says otherwise."""
        return self.files or {f"{self.name.replace('-', '_')}/__init__.py": b"VALUE = 1\n"}


def wheel_bytes(package: Package) -> bytes:
    """The wheel of *package*: the same bytes every time."""
    stem = f"{package.name.replace('-', '_')}-{package.version}.dist-info"
    metadata = [f"Name: {package.name}", f"Version: {package.version}"]
    metadata += [f"Requires-Dist: {line}" for line in package.requires]
    members = dict(package.contents)
    members[f"{stem}/METADATA"] = "\n".join(["Metadata-Version: 2.1", *metadata, ""]).encode()
    members[f"{stem}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {package.tag}\n"
    ).encode()
    rows = [f"{name},sha256={_record_hash(data)},{len(data)}" for name, data in members.items()]
    members[f"{stem}/RECORD"] = "\n".join([*rows, f"{stem}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def house_wheel(
    package: Package, folder: Path, story: FetchedStory | BuiltStory | None = None
) -> HouseWheel:
    """The wheel of *package* as a file in *folder*, which has the name of its hash."""
    data = wheel_bytes(package)
    sha256 = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / sha256
    path.write_bytes(data)
    filename = f"{package.name.replace('-', '_')}-{package.version}-{package.tag}.whl"
    facts = WheelFacts(
        filename=filename,
        name=package.name,
        version=package.version,
        sha256=sha256,
        size=len(data),
        requires_python=">=3.9",
        tags=(package.tag,),
        modules=package.modules
        if package.modules is not None
        else tuple(name.partition("/")[0].removesuffix(".py") for name in package.contents),
        extension_modules=package.extensions,
        required_by=("requirements.txt",),
        skip_imports=package.skip_imports,
        system_libraries=package.system_libraries,
        system_programs=package.system_programs,
        story=story
        or FetchedStory(url=f"https://user:secret@index/{filename}?token=t", sha256=sha256),
    )
    return HouseWheel(path=path, facts=facts)


def debian12(name: str = "web", python: str = "3.11") -> Target:
    """Debian 12 with a Python; which one is up to the test."""
    return Target(name=name, preset=presets()["debian12"], python=python, arch=platform.machine())


def this_interpreter() -> Interpreter:
    """The Python that runs the tests, as a probe would tell."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Interpreter(
        environment={
            "python_full_version": version,
            "python_version": f"{sys.version_info[0]}.{sys.version_info[1]}",
            "platform_python_implementation": platform.python_implementation(),
        },
        tags=tuple(sys_tags()),
        libc=Libc.parse("glibc 2.36"),
        pip=None,
    )


def this_target() -> Target:
    """A target that the Python which runs the tests fits."""
    return debian12(python=f"{sys.version_info[0]}.{sys.version_info[1]}")


def make_contents(
    folder: Path,
    packages: Sequence[Package],
    target: Target | None = None,
    system: Sequence[SystemRequirement] = (),
) -> HouseContents:
    """Contents with the wheels of *packages*, which are stored in *folder*.

    :param system: what the server is to have for them.
    """
    return HouseContents(
        target=target or this_target(),
        interpreter=this_interpreter(),
        wheels=tuple(house_wheel(package, folder / "store") for package in packages),
        images=IMAGES,
        lock_sha256="c" * 64,
        requirements=("demo",),
        version="0.1.0",
        limits=Limits(),
        system=tuple(system),
    )


def make_house(
    folder: Path,
    packages: Sequence[Package],
    target: Target | None = None,
    name: str = "house",
    system: Sequence[SystemRequirement] = (),
) -> House:
    """A whole wheelhouse in the subfolder *name* of *folder*."""
    path = folder / name
    path.mkdir()
    return assemble(make_contents(folder, packages, target, system), path)
