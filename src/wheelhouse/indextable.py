"""`[indexes.NAME]`: an index beside the default one, and what comes from it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from wheelhouse.filevalues import Line, Missing, Refusal, Table
from wheelhouse.indexvalues import FindLinks, IndexLocation, ProjectPattern

_EITHER = (
    'write url = "https://…/simple" for an index, or find-links = "…" for a folder or a page with '
    "files"
)


def _one_of_two(schema: dict[str, Any]) -> None:
    keys = schema["properties"]
    schema["properties"] = {"url": keys["url"], **keys}  # the model has it second, for its checks
    schema["oneOf"] = [{"required": ["url"]}, {"required": ["find-links"]}]


class IndexTable(Table):
    """An index, or a folder or page with files, that is asked before the default index."""

    model_config = ConfigDict(title="[indexes.NAME]", json_schema_extra=_one_of_two)

    find_links: FindLinks | None = Field(
        default=None,
        description="Instead: a folder with wheels and sdists, or the address of a page with links "
        "to them.",
    )
    url: IndexLocation | None = Field(
        default=None,
        description="The address of its simple API, without credentials, such as "
        '"https://pypi.example.com/simple"; or file:///… for a mirror on this machine.',
        validate_default=True,
    )
    packages: list[ProjectPattern] = Field(
        default=[],
        description='Patterns of names, such as "corp-*": projects that come from here, and from '
        "nowhere else.",
    )
    username: Line | None = Field(
        default=None,
        description="The name to sign in with. The password is in the environment, a netrc file or "
        "a keyring, and never here.",
    )

    @field_validator("url")
    @classmethod
    def _check_one(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "find_links" not in info.data:
            return value  # that is wrong, which is told
        other = info.data["find_links"]
        if value is None and other is None:
            raise Missing(_EITHER)
        if value is not None and other is not None:
            raise Refusal("is given, and find-links too", hint=f"keep one of the two: {_EITHER}")
        return value
