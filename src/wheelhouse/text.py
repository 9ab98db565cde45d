"""Text for people: output of untrusted builds made safe to show, sizes and durations in words.

A build prints what it likes: escape sequences that rewrite the screen or its title, commands
that a CI system obeys, characters that reverse the reading order, a hundred megabytes without a
line end. :func:`sanitize` is the one gate between that and a terminal or a log.

Pure; imports the standard library only.
"""

from __future__ import annotations

import math
import re
from unicodedata import combining, east_asian_width

#: The most characters that :func:`sanitize` lets through.
LINE_LIMIT = 2000

#: How much of a longer line is looked at at all. Escapes take room, hence more than the limit.
_LOOKED_AT = 32 * LINE_LIMIT

_REPLACEMENT = "\ufffd"

# ECMA-48: command strings (OSC, DCS, SOS, PM, APC) up to their terminator, control sequences,
# then every other escape. Each also has a one-character form between U+0080 and U+009F. The body
# of a string excludes what may open another, so that a line of openers takes linear time. A
# string without an end loses its opener only: a terminal would swallow all that follows, and
# with it the compiler's message.
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])"
    r"(?:[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c))?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
_BREAKS = re.compile("[\n\v\f\x85\u2028\u2029]")
# Controls, and characters that are invisible or change the order of others.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")

# GitHub obeys `::name::` at the start of a line, after white space; GitHub, Azure and TeamCity
# obey `##[name]`, `##vso[…]` and `##teamcity[…]` anywhere in it.
_COMMAND_AT_START = re.compile(r"^(\s*):(?=:)")
_COMMAND_ANYWHERE = re.compile(r"#(?=#[\w.-]*\[)")

# A password may have a slash in it, so all up to the last @ goes.
_USER = re.compile(r"//[^\s'\"<>]*@")
_QUERY = re.compile(r"(://[^\s'\"<>?#]*)[?#][^\s'\"<>]*")

_KILO = 1000
_MINUTE = 60
_HOUR = 3600


def sanitize(line: bytes | str) -> str:
    """*line* of a build's output, safe for a terminal and for a CI system's log.

    Without escape sequences, control and invisible characters; only what follows the last
    carriage return; invalid UTF-8 replaced; CI commands broken up; tabs expanded; at most
    :data:`LINE_LIMIT` characters. It takes the same short time for a line of any length.
    The result is plain text: whoever prints it must not read markup into it.
    """
    text, cut = _last_part(line)
    text = _ESCAPES.sub("", text)
    text = _BREAKS.sub(" ", text)
    text = _UNSEEN.sub("", text)
    text = _SURROGATES.sub(_REPLACEMENT, text)
    text = neutralize(text.expandtabs(8)).rstrip()
    if len(text) > LINE_LIMIT:
        text, cut = text[: LINE_LIMIT - 1], True
    return text[: LINE_LIMIT - 1].rstrip(_REPLACEMENT) + "…" if cut else text


def _last_part(line: bytes | str) -> tuple[str, bool]:
    """What a terminal would still show of *line*, decoded, and whether more of it was left out."""
    if isinstance(line, bytes):
        line = line.rstrip(b"\r\n")
        start = line.rfind(b"\r") + 1
        text = line[start : start + _LOOKED_AT].decode("utf-8", "replace")
    else:
        line = line.rstrip("\r\n")
        start = line.rfind("\r") + 1
        text = line[start : start + _LOOKED_AT]
    return text, len(line) - start > _LOOKED_AT


def neutralize(line: str) -> str:
    """*line* with commands to CI systems broken up by a space, so that none obeys them."""
    return _COMMAND_ANYWHERE.sub("# ", _COMMAND_AT_START.sub(r"\1: ", line))


def without_credentials(text: str) -> str:
    """*text* without what may be a password in its URLs: users, queries, fragments.

    Made for what nobody has looked at: it takes away rather too much than too little.
    """
    return _QUERY.sub(r"\1?***", _USER.sub("//***@", text))


def sanitize_lines(text: str) -> list[str]:
    """Each line of *text* sanitized; at least one."""
    return [sanitize(line) for line in text.split("\n")]


def human_size(size: int) -> str:
    """*size*, in bytes, in decimal units: ``999 B``, ``1.2 MB``, ``12 MB``."""
    amount = float(max(size, 0))
    if round(amount) < _KILO:
        return f"{amount:.0f} B"
    for unit in ("kB", "MB", "GB"):
        amount /= _KILO
        if round(amount) < _KILO:
            return _short(amount, unit)
    return _short(amount / _KILO, "TB")


def exact_size(size: int) -> str:
    """*size*, in bytes, as a limit is written in `wheelhouse.toml`: ``512MiB``, ``4GiB``."""
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size and not size % (1 << bits):
            return f"{size >> bits}{unit}"
    return f"{size}B"


def human_duration(seconds: float) -> str:
    """*seconds* in words: ``0.4 s``, ``12 s``, ``1 min 05 s``, ``2 h 03 min``."""
    if not math.isfinite(seconds) or seconds < 0:
        seconds = 0.0
    if round(seconds) < _MINUTE:
        return _short(seconds, "s")
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes // _MINUTE} h {minutes % _MINUTE:02} min"


def clock(seconds: float) -> str:
    """*seconds* as a running clock shows them: ``0:07``, ``12:05``, ``1:02:03``."""
    whole = int(max(seconds, 0))
    minutes, rest = divmod(whole, _MINUTE)
    if whole < _HOUR:
        return f"{minutes}:{rest:02}"
    return f"{minutes // _MINUTE}:{minutes % _MINUTE:02}:{rest:02}"


def _short(amount: float, unit: str) -> str:
    """*amount* with one decimal below ten, none above."""
    text = f"{amount:.1f}"
    return f"{text} {unit}" if len(text) == len("9.9") else f"{amount:.0f} {unit}"


def cell_width(text: str) -> int:
    """The columns of a terminal that *text* takes."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if combining(char):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """*text* in at most *width* columns of a terminal; ends in *ellipsis* where it was cut."""
    if cell_width(text) <= width:
        return text
    room = width - cell_width(ellipsis)
    if room < 0:
        return ""
    end = 0
    for char in text:
        room -= _char_width(char)
        if room < 0:
            break
        end += 1
    return text[:end].rstrip() + ellipsis


def counted(number: int, noun: str) -> str:
    """``1 wheel``, ``2 wheels``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
