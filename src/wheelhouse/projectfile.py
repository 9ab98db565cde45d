"""The shape of `wheelhouse.toml`: its keys, their types, and what each may say.

The models below are the one description of the file: they check it, they are its JSON Schema,
and their descriptions are what an editor shows. A check that needs more than the value itself
is a validator, so that it runs for each value that can be checked, whatever else is wrong.
Nothing here touches the disk. The types of values are in :mod:`wheelhouse.filevalues`, the larger
tables in modules of their own.

This module costs an import of pydantic, so :mod:`wheelhouse.config` imports it when it reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from wheelhouse.audittable import AuditTable
from wheelhouse.engine import GIB, MIB
from wheelhouse.filemeasures import Cutoff, Duration, size
from wheelhouse.filevalues import (
    Family,
    Module,
    PackageName,
    PartName,
    PlatformName,
    Refusal,
    RequirementLine,
    SettingValue,
    Soname,
    SystemPackage,
    Table,
    TargetName,
    TextPath,
    Variable,
    VariableValue,
)
from wheelhouse.indextable import IndexTable
from wheelhouse.indexvalues import IndexName, IndexPlace, KnownIndex
from wheelhouse.platformtable import PlatformTable
from wheelhouse.targettable import TargetTable

#: Marks that pydantic puts into the path of an error in `system`, which is one of two types.
LIST, BY_FAMILY = "[list]", "[by family]"

#: The same, of entries of `requirements`.
TEXT, TABLE = "[text]", "[table]"


def _system_form(value: object) -> str:
    return BY_FAMILY if isinstance(value, dict) else LIST


SystemPackages = Annotated[
    Annotated[list[SystemPackage], Tag(LIST)]
    | Annotated[dict[Family, list[SystemPackage]], Tag(BY_FAMILY)],
    Discriminator(_system_form),
]


class PackageTable(Table):
    """How one package is to be built; rarely needed."""

    model_config = ConfigDict(title="[packages.NAME]")

    index: KnownIndex | None = Field(
        default=None,
        description="The name of the index that it comes from, and from no other: one of "
        '[indexes], or "default".',
    )
    bypass: bool = Field(
        default=False,
        description="Leave it to another mechanism: it is locked, and everything else is chosen to "
        "fit it, but it is no part of the wheelhouse. [targets.NAME.provided] says how it comes "
        "to the server.",
    )
    source: Literal["any", "wheel", "sdist"] = Field(
        default="any",
        description='What to take from the index: "wheel" never builds it, "sdist" always does, '
        '"any" builds it where no wheel fits the target.',
    )
    system: SystemPackages = Field(
        default=[],
        description="System packages that its build needs, as the builder's distribution names "
        "them; or a table of such lists by the family of the distribution.",
    )
    runtime_system: SystemPackages = Field(
        default=[],
        description="System packages that the server must have for it, such as drivers and "
        "programs that it calls; the proof installs them. A list, or a table of lists by family.",
    )
    requires: list[RequirementLine] = Field(
        default=[],
        description="Requirements that it has and does not declare, such as "
        '"setuptools<82"; they are locked and installed with it.',
    )
    build_requires: list[RequirementLine] = Field(
        default=[],
        description="Requirements of its build that it does not declare, or limits to those it "
        'does, such as "setuptools<82" or "cython<3".',
    )
    build_against: list[PackageName] = Field(
        default=[],
        description="Packages that its build needs in the very version that is locked for the "
        'target, such as "torch".',
    )
    system_libraries: list[Soname] = Field(
        default=[],
        description="Sonames of libraries that it takes from the distribution, although another "
        'wheel, or a build requirement, has one so called, such as "libssl.so.3".',
    )
    cuda: bool | None = Field(
        default=None,
        description="Whether it has to do with CUDA, if its files do not tell: true builds it with "
        "the toolkit of a target with `cuda`; false builds it without, and lets it be of another "
        "version.",
    )
    env: dict[Variable, VariableValue] = Field(
        default={},
        description="Environment variables for its build. They are recorded: put no secret here.",
    )
    config_settings: dict[str, SettingValue] = Field(
        default={},
        description="Settings for its build backend, as `pip --config-settings` passes them.",
    )
    allow_pure: bool = Field(
        default=False,
        description="Accept a wheel without the compiled extension that its sdist has: some "
        "packages leave it out silently where it cannot be compiled.",
    )
    allow_pth: bool = Field(
        default=False,
        description="Say nothing of files in its wheel that run at every start of Python: `.pth` "
        "and the like.",
    )
    skip_imports: list[Module] = Field(
        default=[],
        description="Modules of it that the proof leaves out, with all below them; `*` is all.",
    )
    builder: Literal["wheelhouse", "cibuildwheel"] = Field(
        default="wheelhouse",
        description='What runs its build: "cibuildwheel" follows the recipe that its maintainers '
        "left in the sdist, [tool.cibuildwheel].",
    )
    network: bool = Field(
        default=False,
        description="Let the commands of that recipe use the network; only with builder = "
        '"cibuildwheel". What they fetch is checked by nobody.',
    )

    @field_validator("network")
    @classmethod
    def _check_network(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("builder") == "wheelhouse":
            raise Refusal(
                "builds have no network",
                hint='a recipe of cibuildwheel may be given one: set builder = "cibuildwheel" too',
            )
        return value


class InputTable(Table):
    """A file that says what is wanted, and which parts of it are."""

    model_config = ConfigDict(title="requirements")

    file: TextPath = Field(
        description="A pyproject.toml, or a lock: pylock.toml, uv.lock, poetry.lock, pdm.lock, "
        "Pipfile.lock."
    )
    extras: list[PartName] = Field(default=[], description="Extras of it that are wanted, too.")
    groups: list[PartName] = Field(
        default=[], description="Dependency groups of it that are wanted, too."
    )
    project: bool | None = Field(
        default=None,
        description="Whether the project that the file belongs to is wanted itself; if nothing is "
        "said, as the file's own tool does.",
    )


def _entry_form(value: object) -> str:
    return TABLE if isinstance(value, dict) else TEXT


InputEntry = Annotated[
    Annotated[TextPath, Tag(TEXT)] | Annotated[InputTable, Tag(TABLE)], Discriminator(_entry_form)
]


class LimitsTable(Table):
    """What one container may use: every build and every proof runs in one."""

    model_config = ConfigDict(title="[limits]")

    memory: Annotated[int, size("64MiB")] = Field(
        default=4 * GIB,
        description="Memory, temporary files in memory included.",
        json_schema_extra={"default": "4GiB"},
    )
    processes: int = Field(
        default=512, ge=16, le=4194304, description="Processes and threads at one time."
    )
    cpus: float = Field(
        default=2.0,
        gt=0,
        le=4096,
        allow_inf_nan=False,
        description="How many CPUs' time; fractions are allowed.",
    )
    deadline: Duration = Field(
        default=3600.0,
        description="How long it may run; it is killed then. A bare number counts seconds.",
        json_schema_extra={"default": "1h"},
    )
    output: Annotated[int, size("64KiB")] = Field(
        default=64 * MIB,
        description="How much of its log is kept.",
        json_schema_extra={"default": "64MiB"},
    )
    result: Annotated[int, size("1MiB")] = Field(
        default=8 * GIB,
        description="How large the files that it hands back may be in all.",
        json_schema_extra={"default": "8GiB"},
    )


class ProjectFile(Table):
    """A project's wheelhouse.toml."""

    model_config = ConfigDict(title="wheelhouse.toml")

    requirements: list[InputEntry] = Field(
        default=["requirements.txt"],
        min_length=1,
        description="The files that say what is wanted, relative to this file's folder and "
        "inside it: requirements files, pyproject.toml, and locks of other tools.",
    )
    output: TextPath = Field(
        default="dist",
        description="The folder for finished wheelhouses, one subfolder per target.",
    )
    index: IndexPlace = Field(
        default="https://pypi.org/simple",
        description="The package index that everything is taken from which comes from no other: "
        "its address, without credentials, or the name of one of [indexes].",
    )
    exclude_newer: Cutoff | None = Field(
        default=None,
        description="Files that came to their index later are not used: a day, a time, or an age "
        'such as "7 days".',
    )
    jobs: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="How many containers may run at one time; as many as the engine has room "
        "for, if not given.",
    )
    auto_system: bool = Field(
        default=True,
        description="Whether what a build or a proof lacks of the distribution, such as a header, "
        "a library or a program, is added, and it is tried again; if not, its package is only "
        "named.",
    )
    auto_requires: bool = Field(
        default=False,
        description="Whether a package that fails to import for want of a requirement that it "
        "does not declare gets it; if not, the requirement is only named.",
    )
    undeclared_libraries: Literal["add", "error"] = Field(
        default="add",
        description="What to do where a wheel that is built uses a shared library of another "
        'package and does not require that: "add" the requirement, or call it an "error".',
    )
    platforms: dict[PlatformName, PlatformTable] = Field(
        default={}, description="Platforms of your own, by a name of your own."
    )
    indexes: dict[IndexName, IndexTable] = Field(
        default={},
        description="Indexes that are asked before the default one, in this order: what one of "
        "them has comes from there, and from nowhere else.",
    )
    targets: dict[TargetName, TargetTable] = Field(
        min_length=1, description="The platforms to make wheelhouses for, by a name of your own."
    )
    packages: dict[PackageName, PackageTable] = Field(
        default={}, description="Settings for single packages, by name."
    )
    limits: LimitsTable = Field(
        default_factory=LimitsTable, description="What one container may use."
    )
    audit: AuditTable = Field(
        default_factory=AuditTable,
        description="How the locked set is compared with known vulnerabilities.",
    )


# --- the schema -----------------------------------------------------------------------------


class _Schema(GenerateJsonSchema):
    """Plain draft 2020-12, without what TOML cannot say: it has no null."""

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", "") is None:
            del made["default"]
        return made

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            made["additionalProperties"] = False  # a name that does not match is refused
        return made


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `wheelhouse.toml`."""
    schema = ProjectFile.model_json_schema(schema_generator=_Schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
