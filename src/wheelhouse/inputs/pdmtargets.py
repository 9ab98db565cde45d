"""The targets of a `pdm.lock`: what it was made for. Pure.

Spec: https://pdm-project.org/en/stable/usage/lock-targets/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockentries import fits_python
from wheelhouse.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How PDM's platforms begin, and what Python calls these systems.
_SYSTEMS = {
    "linux": "linux",
    "manylinux": "linux",
    "musllinux": "linux",
    "alpine": "linux",
    "windows": "win32",
    "macos": "darwin",
}
#: What it means where no architecture is named.
_USUAL = {"linux": "x86_64", "alpine": "x86_64", "windows": "amd64", "macos": "arm64"}
_SAME = {"amd64": "x86_64", "arm64": "aarch64"}
_PLATFORM = re.compile(r"(?P<system>[a-z]+)(?:_\d+_\d+)?(?:_(?P<machine>[a-z]\w*))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class PdmTarget:
    """One of them.

    :ivar python: alternatives, any of which will do.
    :ivar platform: such as ``manylinux_2_17_x86_64``; empty for any.
    :ivar implementation: such as ``cpython``; empty for any.
    """

    python: tuple[SpecifierSet, ...]
    platform: str = ""
    implementation: str = ""

    def __str__(self) -> str:
        python = " or ".join(
            f"Python {each}" if str(each) else "any Python" for each in self.python
        )
        return ", ".join(part for part in (python, self.platform, self.implementation) if part)

    def allows(self, environment: Mapping[str, str]) -> bool:
        """Whether it includes the target with the marker *environment*.

        Which C library that has, its markers do not say, and PDM takes a newer one only as worth
        a warning: the tags of the locked files decide that.
        """
        return (
            any(fits_python(each, environment) for each in self.python)
            and self.implementation in ("", environment["implementation_name"])
            and self._allows_platform(environment)
        )

    def _allows_platform(self, environment: Mapping[str, str]) -> bool:
        match = _PLATFORM.fullmatch(self.platform)
        if match is None:
            return not self.platform
        machine = match["machine"] or _USUAL.get(match["system"], "")
        own = environment["platform_machine"].lower()
        return _SYSTEMS.get(match["system"]) == environment["sys_platform"] and (
            _SAME.get(machine, machine) == _SAME.get(own, own)
        )


def read_target(data: Mapping[str, Any]) -> PdmTarget:
    """The target in the lock's table *data*. Raises Unusable."""
    said = str(data.get("requires_python", ""))
    try:
        python = tuple(
            SpecifierSet("" if each.strip() == "*" else each.strip()) for each in said.split("||")
        )
    except InvalidSpecifier as error:
        raise Unusable(f"has a target whose requires_python is none: {quoted(said)}") from error
    return PdmTarget(
        python=python,
        platform=str(data.get("platform", "")).lower(),
        implementation=str(data.get("implementation", "")).lower(),
    )
