"""`[indexes.NAME]`: an index beside the default one, and what comes from it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from wheelhouse.credentials import variables
from wheelhouse.filevalues import (
    IndexLocation,
    Line,
    ProjectPattern,
    Refusal,
    Table,
    TextPath,
)

#: What nobody writes into a file that others read.
SECRETS = ("password", "token", "credentials", "secret")


def _one_of_two(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": ["url"]}, {"required": ["find-links"]}]


class IndexTable(Table):
    """An index, or a folder or page with files, that is asked before the default index."""

    model_config = ConfigDict(title="[indexes.NAME]", json_schema_extra=_one_of_two)

    url: IndexLocation | None = Field(
        default=None,
        description="The address of its simple API, without credentials, such as "
        '"https://pypi.example.com/simple"; or file:///… for a mirror on this machine.',
    )
    find_links: TextPath | None = Field(
        default=None,
        description="Instead: a folder with wheels and sdists, or the address of a page with links "
        "to them.",
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

    @model_validator(mode="before")
    @classmethod
    def _check_secrets(cls, value: Any, info: ValidationInfo) -> Any:
        found = [key for key in SECRETS if isinstance(value, dict) and key in value]
        if found:
            raise Refusal(
                f"{found[0]} does not belong into this file, which others read",
                hint=f"put it into the environment ({variables('NAME')[1]}, NAME being the index's "
                "in capitals), a netrc file or a keyring",
            )
        return value

    @field_validator("find_links")
    @classmethod
    def _check_one(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "url" not in info.data:
            return value  # it is wrong, which is told
        if (value is None) == (info.data["url"] is None):
            said = "does not say where it is" if value is None else "has url, and find-links too"
            raise Refusal(
                said, hint="give one of the two: url for an index, find-links for a folder or page"
            )
        return value
