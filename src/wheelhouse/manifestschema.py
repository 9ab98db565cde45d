"""The JSON Schema of ``manifest.json``, from the types of :mod:`wheelhouse.manifest` and what their
docstrings say of each field.

It is part of the package as ``data/manifest.schema.json``; ``tests/unit/test_manifest.py`` tells
when that has to be made anew.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from wheelhouse.manifest import Manifest, adapter

if TYPE_CHECKING:
    from collections.abc import Iterator

_IVAR = re.compile(r":ivar (?P<name>\w+): (?P<text>.*?)(?=\n:ivar |\Z)", re.DOTALL)


def schema() -> dict[str, Any]:
    """The JSON Schema of ``manifest.json``, with each field's description."""
    made = adapter().json_schema(mode="serialization")
    made.update(_described(Manifest, made))
    for model in _models(Manifest):
        if model is not Manifest:
            definition = made["$defs"][model.__name__]
            definition.update(_described(model, definition))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "manifest.json of a wheelhouse",
    }


def schema_text() -> str:
    """:func:`schema` as the text of ``data/manifest.schema.json``."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


def _described(model: type, definition: dict[str, Any]) -> dict[str, Any]:
    """What *model*'s docstring says, as parts of its schema *definition*."""
    doc = inspect.getdoc(model) or ""
    summary, _, _ = doc.partition("\n\n:ivar ")
    texts = {found["name"]: " ".join(found["text"].split()) for found in _IVAR.finditer(doc)}
    properties = {
        name: {**definition["properties"][name], "description": texts[name].replace("``", "`")}
        for name in definition["properties"]
    }
    return {"description": summary, "properties": properties}


def _models(model: type) -> Iterator[type]:
    """*model* and every dataclass that its fields are made of."""
    yield model
    hints = get_type_hints(model)
    for each in fields(model):
        for inner in _dataclasses_in(hints[each.name]):
            yield from _models(inner)


def _dataclasses_in(hint: Any) -> Iterator[type]:
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for argument in get_args(hint):
        yield from _dataclasses_in(argument)
