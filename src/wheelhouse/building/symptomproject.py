"""Symptoms of an sdist: what it does not declare, does not have, or says wrongly of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse.building.answers import built_against, other_system, requiring
from wheelhouse.building.symptoms import Diagnosis, Rank, Symptom, first_group, quoted

if TYPE_CHECKING:
    from wheelhouse.building.symptoms import Log

#: Modules that builds import, and their distributions, where the names are not the same.
_DISTRIBUTIONS = {
    "Cython": "cython",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cython": "cython",
    "git": "gitpython",
    "google.protobuf": "protobuf",
    "grpc_tools": "grpcio-tools",
    "hatch_vcs": "hatch-vcs",
    "hatchling": "hatchling",
    "mako": "mako",
    "mesonbuild": "meson",
    "mesonpy": "meson-python",
    "mypyc": "mypy",
    "pdm.backend": "pdm-backend",
    "pdm.pep517": "pdm-pep517",
    "pkg_resources": "setuptools<82",
    "poetry.core": "poetry-core",
    "poetry.masonry": "poetry-core",
    "ptr": "pytest-runner",
    "skbuild": "scikit-build",
    "sphinx": "sphinx",
    "yaml": "pyyaml",
}

#: Modules whose distributions have their names.
_BUILD_TOOLS = frozenset(
    [
        "babel",
        "cffi",
        "cmake",
        "cppy",
        "d2to1",
        "docutils",
        "dunamai",
        "expandvars",
        "extension_helpers",
        "flit_core",
        "flit_scm",
        "incremental",
        "jinja2",
        "maturin",
        "meson",
        "mpi4py",
        "nanobind",
        "ninja",
        "numpy",
        "oldest_supported_numpy",
        "packaging",
        "pbr",
        "pip",
        "pkgconfig",
        "ply",
        "poetry",
        "poetry_core",
        "poetry_dynamic_versioning",
        "psutil",
        "py_build_cmake",
        "pybind11",
        "pycparser",
        "pyparsing",
        "pythran",
        "requests",
        "scikit_build_core",
        "scipy",
        "semantic_version",
        "setuptools",
        "setuptools_dso",
        "setuptools_git",
        "setuptools_rust",
        "setuptools_scm",
        "setuptools_scm_git_archive",
        "sip",
        "six",
        "toml",
        "tomli",
        "vcversioner",
        "versioneer",
        "versioningit",
        "wheel",
        "whey",
    ]
)

#: Modules that nobody gives a build but to build against them: large, with a C or C++ of their own.
_TO_BUILD_AGAINST = {"cupy", "jax", "jaxlib", "mxnet", "paddle", "pyarrow", "tensorflow", "torch"}

_OF_OTHER_SYSTEMS = {"_winreg", "msvcrt", "win32api", "winreg", "winsound"}


def _no_module(match: re.Match[str], log: Log) -> Diagnosis | None:
    module = match.group(1)
    top = module.partition(".")[0]
    if top in _TO_BUILD_AGAINST:
        return built_against(log.package, top, f"it imports {module}")
    if top in _OF_OTHER_SYSTEMS:
        return other_system(log.package, f"its build imports {module}")
    if re.sub(r"[-_.]+", "-", top).lower() == log.package:
        return Diagnosis(
            kind="imports-itself",
            cause=f"its build imports {module}, which is the package that it is to build",
            hint=f"pin another version of {log.package}: this one does not build on its own",
            dated=True,
        )
    requirement = distribution(module)
    if requirement is not None:
        cause = f"its build imports {module}, which its build requirements do not name"
        return requiring("undeclared-import", log.package, cause, requirement)
    return Diagnosis(
        kind="unknown-import",
        cause=f"its build imports {module}, which its build requirements do not name",
        hint=f"name the distribution that has it in `[packages.{log.package}] build-requires`; or, "
        f"if that is a requirement of {log.package} itself, in `build-against`",
        imports=(module,),
    )


def distribution(module: str) -> str | None:
    """The requirement that has *module*, where builds are known to import it.

    Only of known ones: whose distribution another module's name is on an index, nobody knows.
    """
    for name in (".".join(module.split(".")[:2]), module.partition(".")[0]):
        if known := _DISTRIBUTIONS.get(name):
            return known
        if name in _BUILD_TOOLS:
            return name.replace("_", "-")
    return None


def _said_requirements(match: re.Match[str], log: Log) -> Diagnosis | None:
    """A setup.py's own words for what it imports: ``Cython>=0.22 and NumPy are required.``"""
    known = [
        (name, distribution(name) or distribution(name.lower())) for name in match.groups() if name
    ]
    requirements = [requirement for _, requirement in known if requirement]
    if not requirements:
        return None
    cause = (
        f"its build needs {' and '.join(requirements)}, which its build requirements do not name"
    )
    return requiring("undeclared-import", log.package, cause, *requirements)


def _no_wheel_command(match: re.Match[str], log: Log) -> Diagnosis | None:
    cause = "its setup.py knows no command bdist_wheel, which the distribution wheel has"
    return requiring("no-bdist-wheel", log.package, cause, "wheel")


def _pip_internals(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="pip-internals",
        cause="its setup.py uses pip's own insides, which change with each of its releases",
        hint=f"pin a newer {log.package}",
        dated=True,
    )


def _version(match: re.Match[str], log: Log) -> Diagnosis | None:
    variable = (
        "PBR_VERSION" if "Versioning for" in match.group() else "SETUPTOOLS_SCM_PRETEND_VERSION"
    )
    return Diagnosis(
        kind="version-from-git",
        cause="its build takes its version from git, and its sdist does not have it either",
        hint=f"set {variable} to its version under `[packages.{log.package}.env]`",
    )


def _backend_config(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="backend-config",
        cause=f"its build backend refuses its pyproject.toml: {quoted(first_group(match), 200)}",
        hint=f"give its build the backend of its time, or pin another version of {log.package}",
        dated=True,
    )


def _setup_argument(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="setup-argument",
        cause=f"setuptools refuses what its setup.py says: {quoted(match.group(1), 200)}",
        hint=f"give its build the setuptools of its time, or pin a newer {log.package}",
        dated=True,
    )


def _killed(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="backend-killed",
        cause=f"a program of its build crashed: the build backend {match.group()}",
        hint=f"pin another version of {log.package}; if the log ends in the midst of compiling, "
        "raise `memory` under [limits]",
        dated=True,
    )


def _incomplete(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="incomplete-sdist",
        cause=f"its build needs {first_group(match)}, which its sdist does not have",
        hint=f"pin another version of {log.package}, or tell the project's maintainers",
    )


def _encoding(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="encoding",
        cause=f"its build reads a file of its own in the wrong encoding:"
        f" {quoted(match.group(), 120)}",
        hint=f"pin another version of {log.package}, or tell the project's maintainers",
    )


def _nothing_built(match: re.Match[str], log: Log) -> Diagnosis | None:
    return Diagnosis(
        kind="empty-setup",
        cause="its setup.py ends without building anything",
        hint=f"the lines above say why, if any do; else pin another version of {log.package}",
        dated=True,
    )


def _other_system(match: re.Match[str], log: Log) -> Diagnosis | None:
    return other_system(log.package, quoted(match.group()))


def _exception(match: re.Match[str], log: Log) -> Diagnosis | None:
    """Any exception: what its traceback ends in."""
    return Diagnosis(
        kind="script-error",
        cause=f"its build stops with {quoted(match.group(), 200)}",
        hint=f"pin a newer {log.package}: this one does not get on with today's Python or build "
        "tools",
        dated=True,
    )


def _words(match: re.Match[str], log: Log) -> Diagnosis | None:
    """The last words of a script that says why it stops, in words of its own."""
    return Diagnosis(
        kind="script-stops",
        cause=f"its build stops and says: {quoted(match.group(1), 200)}",
        hint="do what it says; a package of the distribution is added by "
        f"`[packages.{log.package}] system`",
        dated=True,
    )


PROJECT: tuple[Symptom, ...] = (
    Symptom(r"No module named '?pip[._]|cannot import name '\w{1,40}' from 'pip\b", _pip_internals),
    Symptom(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]{1,80})'?", _no_module),
    Symptom(
        r"^[ \t]{0,10}([A-Z]\w{1,20})[<>=\d. ]{0,12}(?: and ([A-Z]\w{1,20})[<>=\d. ]{0,12})? "
        r"(?:is|are|must be) "
        r"(?:required|needed|installed)",
        _said_requirements,
        Rank.CLUE,
    ),
    Symptom(
        r"(?:requires?|install|need) (numpy|NumPy|Cython|cython|pybind11|cffi) (?:to be"
        r" installed|first|before|in order)",
        _said_requirements,
        Rank.CLUE,
    ),
    Symptom(r"^install requires: '([\w-]{1,60})'", _said_requirements, Rank.CLUE),
    Symptom(r"invalid command 'bdist_wheel'", _no_wheel_command),
    Symptom(
        r"setuptools[-_]scm was unable to detect version|Versioning for this project requires"
        r" either an sdist"
        r"|[Cc]ould not determine (?:the )?version (?:from|using) (?:git|VCS|vcs)",
        _version,
        Rank.DECISIVE,
    ),
    Symptom(
        r"ValueError: invalid pyproject\.toml config: [^\n]{1,200}\n[^\n`]{0,40}([^\n]{1,200})",
        _backend_config,
    ),
    Symptom(r"poetry\.core\.[\w.]{1,100}: ([^\n]{1,200})", _backend_config),
    Symptom(r"The Poetry configuration is invalid:\n[ -]{0,9}([^\n]{1,200})", _backend_config),
    Symptom(
        r"(?:flit_core|pdm|hatchling|maturin|mesonpy|scikit_build_core)\.[\w.]{1,60}(?:Error"
        r"|Exception)?: ([^\n]{1,300})",
        _backend_config,
    ),
    Symptom(
        r"ValueError: ((?:Unable to determine which files to ship|Must specify either|Field"
        r" `project)[^\n]{1,200})",
        _backend_config,
    ),
    Symptom(r"setuptools\.errors\.InvalidConfigError: ([^\n]{1,200})", _backend_config),
    Symptom(r"^error in [\w.+ -]{1,80} setup command: ([^\n]{1,300})", _setup_argument),
    Symptom(r"No distribution was found\. Ensure that `setup\.py`", _nothing_built),
    # Files
    Symptom(r"No rule to make target ['`]([^'\n]{1,200})'", _incomplete, Rank.CLUE),
    Symptom(r"error: package directory '([^'\n]{1,200})' does not exist", _incomplete),
    Symptom(
        r"(?:cc1(?:plus)?|gcc|g\+\+|clang): (?:fatal )?error: (?!cannot)([\w./+-]{1,200}): No"
        r" such file",
        _incomplete,
    ),
    Symptom(r"Cannot find source file:\s{1,20}([\w./+-]{1,200})", _incomplete),
    Symptom(r"error: can't (?:find|copy) '([^'\n]{1,200})'", _incomplete),
    Symptom(r"^UnicodeDecodeError: [^\n]{1,160}", _encoding),
    Symptom(
        r"(?i)(?:only (?:supports?|works? on|available (?:on|for)|for)|requires) (?:Windows"
        r"|macOS|Mac OS X|OS X)\b[^\n]{0,40}",
        _other_system,
        Rank.CLUE,
    ),
    Symptom(r"was killed by signal \d{1,3}", _killed, Rank.VAGUE),
    # What nothing above knows
    Symptom(
        r"^(?:ERROR|Error|error|Fatal error|CRITICAL)(?::root)?: "
        r"(?!Command|command|subprocess)(\S[^\n]{8,300})",
        _words,
        Rank.VAGUE,
    ),
    Symptom(
        r"^(?!subprocess\.|distutils\.errors\.|setuptools\.errors\.CompileError"
        r"|Cython\.)[\w.]{1,80}(?:Error|Exception|Exit): [^\n]{1,300}",
        _exception,
        Rank.VAGUE,
    ),
)
