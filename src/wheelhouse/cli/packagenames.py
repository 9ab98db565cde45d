"""Names of packages on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import InvalidName, canonicalize_name

from wheelhouse.errors import ConfigError, raise_all
from wheelhouse.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from packaging.utils import NormalizedName


def package_name(text: str) -> NormalizedName:
    """*text* as the name of a package, normalized. Raises ConfigError."""
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName as error:
        raise ConfigError(
            f"{quoted(text)} is no name of a package", hint="give its name alone, without a version"
        ) from error


def check_names(
    names: Iterable[NormalizedName],
    known: Collection[NormalizedName],
    what: str,
    hint: str,
) -> None:
    """Raise ConfigError for all of *names* that are not among *known*.

    :param what: these are not, to stand behind their name: "is not built for web".
    """
    raise_all(
        [
            ConfigError(f"{name} {what}{did_you_mean(name, sorted(known))}", hint=hint)
            for name in names
            if name not in known
        ]
    )
