"""Job ``metadata``: what a build will require, and what the wheel will say about itself."""

from __future__ import annotations

import os
from importlib.metadata import distributions
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from . import environment as environments
from .errors import JobError
from .sources import unpack

if TYPE_CHECKING:
    from typing import Any

    from pyproject_hooks import BuildBackendHookCaller

    from .channel import Channel


def run(job: dict[str, Any], root: str, channel: Channel) -> dict[str, object]:
    """Return ``requires`` (the backend's own wishes), ``missing`` (those not in the environment)
    and, if nothing is missing and the job wants it, ``metadata`` (the text of METADATA).

    For a job that is ``relaxed``, whatever version is there will do.
    """
    source = unpack(
        os.path.join(root, str(job["sdist"])), os.path.join(root, "source"), job["subdirectory"]
    )
    environment = environments.create(job, root)
    hooks = environments.backend(source, environment)
    settings = job["config_settings"]
    with environments.hook("requires"):
        requires = [str(line) for line in hooks.get_requires_for_build_wheel(settings)]
    missing = _missing(
        requires, environment.site_packages, job["markers"], relaxed=bool(job["relaxed"])
    )
    metadata = None
    if job["want_metadata"] and not missing:
        metadata = _metadata(hooks, settings, os.path.join(root, "metadata"))
    return {"requires": requires, "missing": missing, "metadata": metadata}


def _missing(
    requires: list[str], site_packages: str, markers: dict[str, str], *, relaxed: bool
) -> list[str]:
    """Those of *requires* that what is installed in *site_packages* does not satisfy.

    *markers* is the target's environment: this program may run on another Python. If *relaxed*,
    versions do not count.
    """
    found = distributions(path=[site_packages])
    installed = {canonicalize_name(each.name): each.version for each in found}
    missing = []
    for line in requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise JobError(
                "requires", f"its build backend asks for {line!r}, which is no requirement"
            ) from error
        if requirement.marker is not None and not requirement.marker.evaluate(markers):
            continue
        version = installed.get(canonicalize_name(requirement.name))
        if version is None or not (
            relaxed or requirement.specifier.contains(version, prereleases=True)
        ):
            missing.append(line)
    return missing


def _metadata(hooks: BuildBackendHookCaller, settings: Any, folder: str) -> str:
    os.makedirs(folder)
    with environments.hook("metadata"):
        # Falls back to building the wheel where the backend lacks the optional hook.
        name = hooks.prepare_metadata_for_build_wheel(folder, settings)
    path = os.path.join(folder, os.path.basename(name), "METADATA")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise JobError("metadata", f"its build backend left no METADATA: {error}") from error
