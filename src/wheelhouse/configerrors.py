"""All that is wrong with a `wheelhouse.toml`, in its user's own terms.

Pydantic finds everything at once and says it in its own words; here each finding gets the path,
the nearest right name and the next step. Pure: data in, issues out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from wheelhouse.audittable import AuditTable, IgnoreTable
from wheelhouse.configchecks import Issue, contradictions
from wheelhouse.credentials import variables
from wheelhouse.filevalues import Missing, Refusal
from wheelhouse.indextable import IndexTable
from wheelhouse.platformtable import Platforms, PlatformTable, PythonTable
from wheelhouse.projectfile import (
    BY_FAMILY,
    LIST,
    TABLE,
    TEXT,
    InputTable,
    LimitsTable,
    PackageTable,
    ProjectFile,
)
from wheelhouse.targets import presets
from wheelhouse.targettable import TargetTable
from wheelhouse.wording import did_you_mean, in_quotes, nearest, quoted, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from wheelhouse.tomlsource import KeyPath


Explanation = tuple[str, str | None]

TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "targets": TargetTable,
    "packages": PackageTable,
    "platforms": PlatformTable,
    "indexes": IndexTable,
    "requirements": InputTable,
    "limits": LimitsTable,
    "audit": AuditTable,
}

#: Tables that the user gives no name, and where their keys belong.
UNNAMED: Final = {
    "limits": "under [limits]",
    "requirements": "in an entry of requirements",
    "audit": "under [audit]",
}

#: The key of a table that says what other keys would, which are not missing then.
SAYS_MORE: Final = {"targets": "captured", "platforms": "like", "indexes": "find-links"}


def check(data: Mapping[str, Any], platforms: Platforms) -> tuple[ProjectFile | None, list[Issue]]:
    """The parsed document *data*, checked: the project file, or None and all that is wrong.

    :param data: what `tomllib` gives.
    :param platforms: those that its targets may name.
    """
    issues = contradictions(data)
    try:
        return ProjectFile.model_validate(data, context=platforms), issues
    except ValidationError as error:
        found = error.errors(include_url=False)
    suggested = {path for each in found if (path := _suggestion(each)) is not None}
    # So is the name of a platform known already, without a word on what it is to be like.
    suggested |= {("platforms", name, "like") for name in presets()}
    for each in found:
        # A misspelt key is one mistake, though it leaves other keys missing.
        if not (_is_missing(each) and suggested & _instead_of(_path(each))):
            issues.append(_issue(each))
    return None, issues


def _is_missing(error: ErrorDetails) -> bool:
    return error["type"] == "missing" or isinstance(error.get("ctx", {}).get("error"), Missing)


def _instead_of(path: KeyPath) -> set[KeyPath]:
    """The keys that would do for the missing *path*: itself, and one that says more."""
    return {path, (*path[:-1], SAYS_MORE.get(str(path[0]), path[-1]))}


def _path(error: ErrorDetails) -> KeyPath:
    """Where *error* is. Pydantic marks some with one more part.

    A refused name of a table has one at its end; a value of two types, within.
    """
    path = error["loc"]
    marked = error["type"] == "value_error" and path[-1] == "[key]" and len(path) > 1
    path = path[:-1] if marked else path
    if path[0] == "packages" and path[3:4] in {(LIST,), (BY_FAMILY,)}:
        path = (*path[:3], *path[4:])
    if path[0] == "requirements" and path[2:3] in {(TEXT,), (TABLE,)}:
        path = (*path[:2], *path[3:])
    return path


def _issue(error: ErrorDetails) -> Issue:
    message, hint = _EXPLAIN.get(error["type"], _as_pydantic_says)(error)
    return Issue(path=_path(error), message=message, hint=hint)


def _refused(error: ErrorDetails) -> Explanation:
    refusal = error["ctx"]["error"]
    return (refusal.message, refusal.hint) if isinstance(refusal, Refusal) else (str(refusal), None)


def _table_at(path: KeyPath) -> type[BaseModel]:
    """The model of the table that holds the key *path*."""
    if path[:2] == ("audit", "ignore") and len(path) > 3:
        return IgnoreTable
    if len(path) > 4:
        return PythonTable  # the only one so deep, of a platform
    return TABLES[str(path[0])] if len(path) > 1 else ProjectFile


def keys_of(table: type[BaseModel]) -> list[str]:
    """The keys of *table* as they stand in the file."""
    return [field.alias or name for name, field in table.model_fields.items()]


def _suggestion(error: ErrorDetails) -> KeyPath | None:
    """The path that an unknown key was meant to have."""
    path = _path(error)
    if error["type"] != "extra_forbidden" or _is_secret(path):
        return None
    key = str(path[-1])
    # A platform's own keys are like those of a target, which belong elsewhere.
    if _elsewhere(key) and (path[0] != "platforms" or len(path) == 1):
        return None
    near = nearest(key, keys_of(_table_at(path)))
    return (*path[:-1], near) if near else None


def _elsewhere(key: str) -> str | None:
    """Where *key* would be right."""
    if key in keys_of(ProjectFile):
        return "at the top of the file, before the first [table]"
    for name, table in TABLES.items():
        if key in keys_of(table):
            return UNNAMED.get(name, f"under [{name}.NAME]")
    return "under [platforms.NAME.pythons.VERSION]" if key in keys_of(PythonTable) else None


#: Keys that people look for in the table of an index.
_SECRETS: Final = frozenset({"password", "token", "credentials", "secret", "auth"})


def _is_secret(path: KeyPath) -> bool:
    return path[0] == "indexes" and str(path[-1]).lower() in _SECRETS


def _unknown_key(error: ErrorDetails) -> Explanation:
    path = _path(error)
    if _is_secret(path):
        hint = (
            f"set {variables(str(path[1]))[1]} in the environment, or put it into your netrc file "
            "(~/.netrc) or a keyring"
        )
        return "does not belong into this file, which others read", hint
    message = "unknown key"
    if near := _suggestion(error):
        message += f'; did you mean "{near[-1]}"?'
    elif place := _elsewhere(str(path[-1])):
        message += f"; it belongs {place}"
    return message, f"the keys here are {', '.join(keys_of(_table_at(path)))}"


def _missing(error: ErrorDetails) -> Explanation:
    path = _path(error)
    if path == ("targets",):
        return "no target is declared", _TARGET_HINT
    if path[0] == "requirements":
        return "missing", 'name the file, such as file = "uv.lock"'
    if path[0] == "audit":
        return "missing", 'say which advisory it is and why: id = "CVE-…", reason = "…"'
    return "missing", 'write where it is there, such as path = "/usr/bin/python3.11"'


_TARGET_HINT = 'add a table such as [targets.web] with platform = "debian12" and python = "3.11"'

_WANTED: Final = {
    "string_type": "a string",
    "list_type": "a list",
    "bool_type": "true or false",
    "int_type": "an integer",
    "float_type": "a number",
    "dict_type": "a table",
    "model_type": "a table",
}


def _wrong_type(error: ErrorDetails) -> Explanation:
    wanted, value = _WANTED[error["type"]], error["input"]
    hint = _FIXES[wanted](value)
    if _path(error) == ("index",) and isinstance(value, dict):
        hint = "tables of indexes are called [indexes.NAME]; index has the address or name of one"
    return f"must be {wanted}, not {type_name(value)}", hint


def _in_brackets(value: object) -> str | None:
    return f"write [{quoted(value)}]" if isinstance(value, str) else None


def _out_of_quotes(value: object) -> str | None:
    bare = isinstance(value, str) and re.fullmatch(r"true|false|[0-9]+(\.[0-9]+)?", value)
    return f"write {value} without quotes" if bare else None


def _as_table(_value: object) -> str:
    return "write a [table] header, and its keys on lines of their own under it"


_FIXES: Final = {
    "a string": lambda value: None if isinstance(value, list | dict) else in_quotes(value),
    "a list": _in_brackets,
    "true or false": _out_of_quotes,
    "an integer": _out_of_quotes,
    "a number": _out_of_quotes,
    "a table": _as_table,
}


def _not_one_of(error: ErrorDetails) -> Explanation:
    names = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    value = error["input"]
    if not isinstance(value, str):
        return f"must be a string, not {type_name(value)}", f"write one of {', '.join(names)}"
    message = f"{quoted(value)} is not one of its values{did_you_mean(value, names)}"
    return message, f"the values are {', '.join(names)}"


def _out_of_range(error: ErrorDetails) -> Explanation:
    [(kind, bound)] = error["ctx"].items()
    words = {"gt": "more than", "ge": "at least", "le": "at most"}
    return f"must be {words[kind]} {int(bound)}", None


def _not_finite(_error: ErrorDetails) -> Explanation:
    return "must be a finite number", None


def _too_long(error: ErrorDetails) -> Explanation:
    return f"must have at most {error['ctx']['max_length']} characters", None


def _empty(error: ErrorDetails) -> Explanation:
    if _path(error) == ("targets",):
        return "no target is declared", _TARGET_HINT
    if _path(error) == ("requirements",):
        return "must name at least one file", 'write ["requirements.txt"], or leave the key out'
    return "must not be empty", None


def _as_pydantic_says(error: ErrorDetails) -> Explanation:
    return str(error["msg"]).lower(), None


_EXPLAIN: Final = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "value_error": _refused,
    "literal_error": _not_one_of,
    "greater_than": _out_of_range,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "finite_number": _not_finite,
    "too_short": _empty,
    "string_too_short": _empty,
    "string_too_long": _too_long,
    **dict.fromkeys(_WANTED, _wrong_type),
}
