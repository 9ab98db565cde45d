"""PyTorch's own indexes, one for each kind of accelerator: `data/torch.toml`. Pure."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import NormalizedName

from wheelhouse.wording import did_you_mean, listed, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence


def index_of(backend: str) -> str:
    """The URL of PyTorch's index for *backend*, such as ``cu128``."""
    return str(_table()["url"]) + backend


def is_mirror(url: str, backend: str) -> bool:
    """Whether an index at *url* mirrors PyTorch's for *backend*, by how its path ends."""
    return urlsplit(url).path.rstrip("/").endswith(f"/whl/{backend}")


@cache
def torch_packages() -> frozenset[NormalizedName]:
    """The projects that there is a build of for each backend."""
    return frozenset(NormalizedName(name) for name in _table()["packages"])


@cache
def backends() -> Sequence[str]:
    """Backends that there are. There may be others of the same form; see :func:`objection`."""
    return tuple(_table()["backends"])


def pattern() -> str:
    """The regular expression of their form."""
    return f"^({_table()['pattern']})$"


def objection(backend: str) -> str | None:
    """What is wrong with *backend* as a name of one, in a sentence; None if nothing is."""
    if re.fullmatch(_table()["pattern"], backend):
        return None
    examples = listed([quoted(name) for name in ("cpu", "cu128", "rocm6.4", "xpu")])
    near = did_you_mean(backend, list(backends())) or f"; {examples} are some"
    return f"{quoted(backend)} is no backend of PyTorch{near}"


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("wheelhouse").joinpath("data/torch.toml").read_text("utf-8"))
