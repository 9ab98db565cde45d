"""Group 7: builds that leave out their C extension, and end as if nothing were wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import refused, succeeded
from projects import NATIVE, LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from faults.world import World

#: The compiler that never compiles; and what each of these does with it.
BROKEN = """
    [packages.{name}]
    source = "sdist"
    [packages.{name}.env]
    CC = "/bin/false"
"""

#: Packages of the index whose extension is optional, by what their authors say.
OPTIONAL = ("markupsafe==3.0.2", "pyyaml==6.0.2", "simplejson==3.20.1", "wrapt==1.17.2")

#: What has them built without; PyYAML has a module, too, that only tells that it is not there.
PURE = "allow-pure = true"
ALLOWED = {"pyyaml": f'{PURE}\n    skip-imports = ["_yaml"]'}

LEFT_OUT = "extension was left out"

#: What stands where the extension should.
EMPTY = "def compile_extension():\n    open('_native.so', 'w').close()\n"


def _real(requirement: str) -> Case:
    name = requirement.partition("=")[0]

    def attempt(world: World) -> None:
        broken = BROKEN.format(name=name)
        world.configure(f"{requirement}\n", more=broken)
        refused(world.build(), 4, f"{name} ", LEFT_OUT, f"[packages.{name}] allow-pure = true")
        pure = broken.replace('"sdist"', f'"sdist"\n    {ALLOWED.get(name, PURE)}')
        world.configure(f"{requirement}\n", more=pure)
        succeeded(world.build())

    return Case(group=7, name=f"{requirement} without a compiler", attempt=attempt, index=True)


def _generated(world: World) -> None:
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="evil", native=True, extra=EMPTY))
        world.configure("evil==1.0\n", index=index.url)
        refused(world.build(), 4, LEFT_OUT, "[packages.evil] allow-pure = true")


#: Two, of which the second is optional and does not compile; its wheel names the platform.
SETUP = """
from setuptools import Extension, setup
setup(
    name="half",
    version="1.0",
    py_modules=["half"],
    ext_modules=[
        Extension("_whole", ["_whole.c"]),
        Extension("_lost", ["_lost.c"], optional=True),
    ],
)
"""


def _half(world: World) -> None:
    """One of two extensions is missing; its build requirement comes from the index."""
    files = {
        "pyproject.toml": "[build-system]\nrequires = ['setuptools']\n",
        "setup.py": SETUP,
        "half.py": "",
        "_whole.c": NATIVE.replace("_native", "_whole"),
        "_lost.c": "#error no\n",
    }
    folder = world.project / "half"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    world.configure("./half\n")
    refused(world.build(), 4, "half 1.0 cannot be built", LEFT_OUT, "(_lost)")


CASES = [
    Case(group=7, name="one of two extensions", attempt=_half, index=True),
    Case(group=7, name="nothing but an empty file", attempt=_generated, everyday=True),
    *map(_real, OPTIONAL),
]
