"""What the options of the input files make of the project's settings. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from wheelhouse.errors import ConfigError
from wheelhouse.inputs.model import ALL
from wheelhouse.inputs.uvsources import PUBLIC
from wheelhouse.settings import DEFAULT_INDEX, IndexSettings
from wheelhouse.torchindex import torch_packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.config import PackageSettings, Project
    from wheelhouse.inputs.model import IndexOption, Requirements

#: The host of PyTorch's indexes, which have some public projects, too, a few versions of each.
TORCH = "download.pytorch.org"


def with_options(project: Project, requirements: Requirements) -> Project:
    """*project* as the options in its input files want it. What `wheelhouse.toml` says, stands.

    :raises ConfigError: it names another default index than they do.
    """
    options = requirements.indexes
    closed = any(each.kind == "no-index" for each in options)
    default = None if closed else _default(project, options)
    kinds = ["find-links"] if closed else ["find-links", "extra-index-url"]
    more = [each for kind in kinds for each in options if each.kind == kind]
    return replace(
        project,
        default_index=default,
        indexes=_indexes(project.indexes, default, more),
        source=requirements.sources.get(ALL, "any") if project.source == "any" else project.source,
        packages=_packages(project, requirements),
        credentials={
            **project.credentials,
            **requirements.credentials,
            **{each.url: each.credentials for each in options if each.credentials},
        },
    )


def _default(project: Project, options: Iterable[IndexOption]) -> IndexSettings | None:
    """The default index."""
    own = project.default_index
    option = next((each for each in options if each.kind == "index-url"), None)
    if option is None:
        return own
    if own is not None and own.url.rstrip("/") == option.url:
        return own
    if own is None or own.url.rstrip("/") not in PUBLIC:
        said = f"has index = {own.url}" if own else "has turned the default index off"
        raise ConfigError(
            f"{option.origin}: --index-url is {option.url}, but {project.file.name} {said}",
            hint=f"keep one of the two: take --index-url out, or index out of {project.file.name}",
        )
    return IndexSettings(name=DEFAULT_INDEX, url=option.url)


def _indexes(
    own: tuple[IndexSettings, ...], default: IndexSettings | None, options: Iterable[IndexOption]
) -> tuple[IndexSettings, ...]:
    """The project's *own* indexes, and those of *options* that are not among them."""
    indexes = list(own)
    for option in options:
        known = [*indexes, *([default] if default else [])]
        if option.url not in [each.url for each in known]:
            indexes.append(_index(option, {DEFAULT_INDEX, *(each.name for each in indexes)}))
    return tuple(indexes)


def _index(option: IndexOption, taken: set[str]) -> IndexSettings:
    """The index of *option*, by a name that is not *taken*."""
    parts = urlsplit(option.url)
    said = parts.hostname or unquote(parts.path).rpartition("/")[2]
    base = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-") or "index"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return IndexSettings(
        name=name,
        url=option.url,
        flat=option.kind == "find-links",
        packages=tuple(sorted(torch_packages())) if parts.hostname == TORCH else (),
    )


def _packages(
    project: Project, requirements: Requirements
) -> Mapping[NormalizedName, PackageSettings]:
    """The settings of packages, with what the files say of them where they say nothing."""
    packages = dict(project.packages)
    sources: Mapping[str, Literal["any", "wheel", "sdist"]] = requirements.sources
    everywhere = sources.get(ALL, "any")
    named = [canonicalize_name(name) for name in requirements.sources if name != ALL]
    for name in (*project.packages, *named, *requirements.config_settings):
        own = project.settings(name)
        said = sources.get(name, everywhere)
        packages[name] = replace(
            own,
            source=said if own.source == "any" else own.source,
            config_settings={
                **requirements.config_settings.get(name, {}),
                **own.config_settings,
            },
        )
    return packages
