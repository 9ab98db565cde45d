"""The grammar of requirements files: from text to lines, from a line to what stands in it. Pure.

It is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/), whose rules are
those of its own parser: what is an option is what its `optparse` takes, abbreviations included.
"""

from __future__ import annotations

import codecs
import re
import shlex
from dataclasses import dataclass, field
from optparse import OptionParser, OptionValueError
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from wheelhouse.inputs.addresses import Unusable, redacted
from wheelhouse.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from optparse import Option

_COMMENT = re.compile(r"(^|\s)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_URL = re.compile(r"://(\S+)")

#: Four-byte marks first: that of UTF-16 is how that of UTF-32 begins.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: Words of a variable's name that say that its value is a secret.
_SECRETS = frozenset(
    {"APIKEY", "AUTH", "CREDENTIAL", "CREDENTIALS", "KEY", "PASS", "PASSWD", "PASSWORD"}
    | {"PAT", "PW", "PWD", "SECRET", "TOKEN"}
)

#: Options of older pips, and what to do instead.
_OUTDATED = {
    "--install-option": "pip has dropped it: use --config-settings, if the backend has such a one",
    "--no-use-wheel": "pip has dropped it: use --no-binary :all:",
    "--allow-external": "pip has dropped it: remove it",
    "--allow-unverified": "pip has dropped it: remove it",
    "--allow-all-external": "pip has dropped it: remove it",
    "--process-dependency-links": "pip has dropped it: remove it",
    "--always-unzip": "pip has dropped it: remove it",
    "-Z": "pip has dropped it: remove it",
}

#: Options that belong to one requirement, by the name of their value.
OF_REQUIREMENTS = {
    "hashes": "--hash",
    "config_settings": "--config-settings",
    "global_options": "--global-option",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line, its continuations joined, without comments.

    :ivar number: of the first line of the file that belongs to it.
    :ivar raw: as it is written; the only form for messages.
    :ivar text: with the values of variables in their places.
    :ivar variables: the names of these.
    """

    number: int
    raw: str
    text: str = field(repr=False)
    variables: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """It, for a message."""
        return quoted(redacted(self.raw))

    @property
    def told(self) -> str:
        """All that it says but users and passwords; not for messages."""
        return redacted(self.text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What stands in a line: a requirement with options of its own, or options for all.

    :ivar requirement: empty in a line of options.
    :ivar options: those that are given, by their name with underscores.
    :ivar formats: `--no-binary` and `--only-binary`, as ``sdist`` or ``wheel`` with the value.
    """

    requirement: str = field(default="", repr=False)
    editable: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    formats: tuple[tuple[Literal["wheel", "sdist"], str], ...] = ()


def decode(content: bytes) -> str:
    """The text of a requirements file.

    It is UTF-8, unless a mark at its start or a declaration in one of its first two lines says
    something else (https://peps.python.org/pep-0263/).

    :raises Unusable: it is not what it is said to be.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decoded(content[len(mark) :], encoding)
    for line in content.split(b"\n")[:2]:
        if line.startswith(b"#") and (match := _CODING.search(line)):
            return _decoded(content, match[1].decode("ascii"))
    return _decoded(content, "utf-8")


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError:
        raise Unusable(
            f"is said to be in an encoding that there is not: {quoted(encoding)}",
            "save it as UTF-8, without that line",
        ) from None
    except ValueError as error:
        name = "UTF-8" if encoding == "utf-8" else f"in the encoding {quoted(encoding)}"
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        told = f"is not {name} (byte 0x{content[start]:02x} in line {line})"
        raise Unusable(told, "save it as UTF-8") from None


def read_lines(text: str, environment: Mapping[str, str]) -> Iterator[Line]:
    """The lines of *text*; variables are taken from *environment*, if they have a value there."""
    for number, joined in _joined(text):
        raw = _COMMENT.sub("", joined).strip()
        if raw:
            names = tuple(dict.fromkeys(_VARIABLE.findall(raw)))
            filled = _VARIABLE.sub(lambda found: environment.get(found[1]) or found[0], raw)
            yield Line(number=number, raw=raw, text=filled, variables=names)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that continue them. A comment continues none, and is continued by none."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if parts else number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        yield first, "".join([*parts, f" {line}" if comment else line])
        parts = []
    if parts:
        yield first, "".join(parts)


def check_variables(line: Line, environment: Mapping[str, str]) -> None:
    """Find out whether the variables in *line* may be used. Raises Unusable."""
    for name in line.variables:
        if not environment.get(name):
            raise Unusable(
                f"takes in the environment variable {name}, which is not set",
                f"set {name}, or write its value into the line if it is no secret",
            )
    for url in _URL.findall(line.raw):
        rest = re.split(r"[/?#]", url, maxsplit=1)
        for name in _VARIABLE.findall(rest[1]) if len(rest) > 1 else []:
            refuse_secret(name)


def refuse_secret(name: str) -> None:
    """Refuse the variable *name* in a URL's path if its words say that it is a secret.

    :raises Unusable: they do.
    """
    if _SECRETS & set(name.upper().split("_")):
        raise Unusable(
            f"takes in {name} where locks would show it",
            "put it where a user and password belong: https://USER:PASSWORD@host/…",
        )


def parse(line: Line) -> Parsed:
    """What stands in *line*. Raises Unusable if pip would not take it, or ignore a part of it."""
    requirement, words = _apart(line)
    if not words:  # most lines; a parser of options takes longer than all the rest
        return Parsed(requirement=requirement)
    parser = _parser()
    try:
        values, more = parser.parse_args(words)
    except _NoOptionError as error:
        told = "" if line.variables else f": {redacted(str(error))}"
        raise Unusable(f"cannot be read{told}", _outdated(words)) from None
    options = {key: value for key, value in vars(values).items() if value}
    formats = tuple(options.pop("formats", ()))
    editables = options.pop("editables", [])
    if more:
        raise Unusable("cannot be read: something behind its options is no option")
    if len(editables) + bool(requirement) > 1:
        raise Unusable("names several requirements", "give each a line of its own")
    if len(options.get("requirements", ())) + len(options.get("constraints", ())) > 1:
        raise Unusable("includes several files", "give each a line of its own")
    editable = bool(editables)
    requirement = editables[0] if editable else requirement
    _check_places(options, requirement, several=bool(formats))
    return Parsed(requirement=requirement, editable=editable, options=options, formats=formats)


def _check_places(options: Mapping[str, Any], requirement: str, *, several: bool) -> None:
    """Refuse what pip would ignore: options of requirements elsewhere, and the reverse."""
    if requirement:
        others = options.keys() - OF_REQUIREMENTS.keys()
        if others or several:
            raise Unusable(
                "has an option that is for the whole file behind a requirement",
                "give the option a line of its own",
            )
        return
    for key, option in OF_REQUIREMENTS.items():
        if key in options:
            raise Unusable(
                f"has {option}, but no requirement",
                "write it behind the requirement that it belongs to; \\ at the end of a line "
                "continues it",
            )


def _apart(line: Line) -> tuple[str, list[str]]:
    """The requirement of *line*, and the words of its options: what follows the first of them."""
    words = line.text.split(" ")
    start = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    try:
        return " ".join(words[:start]).strip(), shlex.split(" ".join(words[start:]))
    except ValueError:
        raise Unusable("cannot be read: a quote in it is not closed") from None


def _outdated(words: list[str]) -> str:
    found = (_OUTDATED.get(word.partition("=")[0]) for word in words)
    return next(
        (hint for hint in found if hint),
        "see https://pip.pypa.io/en/stable/reference/requirements-file-format/ for what it may say",
    )


#: What may be given several times, by the name of its value.
_LISTS = {
    "extra_index_urls": ("--extra-index-url",),
    "constraints": ("-c", "--constraint"),
    "requirements": ("-r", "--requirement"),
    "editables": ("-e", "--editable"),
    "find_links": ("-f", "--find-links"),
    "trusted_hosts": ("--trusted-host",),
    "features": ("--use-feature",),
    "all_releases": ("--all-releases",),
    "only_final": ("--only-final",),
    "hashes": ("--hash",),
    "config_settings": ("-C", "--config-settings", "--config-setting"),
    "global_options": ("--global-option",),
}
_SWITCHES = {
    "no_index": ("--no-index",),
    "prefer_binary": ("--prefer-binary",),
    "require_hashes": ("--require-hashes",),
    "pre": ("--pre",),
}


class _NoOptionError(Exception):
    pass


class _Parser(OptionParser):
    """Raises errors, where its base would end the program."""

    def error(self, msg: str) -> NoReturn:
        raise _NoOptionError(msg)


def _parser() -> _Parser:
    """A parser of options; a new one for each line, as it collects values."""
    parser = _Parser(add_help_option=False)
    for key, names in _LISTS.items():
        parser.add_option(*names, dest=key, action="append")
    for key, names in _SWITCHES.items():
        parser.add_option(*names, dest=key, action="store_true")
    parser.add_option("-i", "--index-url", "--pypi-url", dest="index_url")
    for name, only in (("--no-binary", "sdist"), ("--only-binary", "wheel")):
        parser.add_option(
            name, action="callback", callback=_add_format, callback_args=(only,), type="string"
        )
    return parser


def _add_format(option: Option, name: str, value: str, parser: OptionParser, only: str, /) -> None:
    """Keep the order of the two: each takes from the other."""
    del option
    if value.startswith("-"):
        raise OptionValueError(f"{name} option requires 1 argument")
    assert parser.values is not None  # it is called by parse_args
    parser.values.ensure_value("formats", []).append((only, value))
