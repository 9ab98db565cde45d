"""Reading ``provenance.intoto.jsonl``, and holding it against the wheelhouse. Pure.

Each line is a statement, or an envelope around one. What is read may have been tampered with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelhouse.provenance import FILENAME, PREDICATE_TYPE, payload_digest
from wheelhouse.signing import PublicKey, SignedLine, UnsignedError, keyids, read_envelope
from wheelhouse.wholeness import HouseProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wheelhouse.manifest import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line, read.

    :ivar payload: the text of its statement.
    :ivar statement: the same as data, of a statement's form.
    :ivar signed: its envelope; None if nobody has signed it.
    """

    payload: str
    statement: dict[str, Any]
    signed: SignedLine | None

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Names and SHA-256 of what it is about."""
        return [
            (each.get("name", ""), each["digest"].get("sha256", ""))
            for each in self.statement["subject"]
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Vouched:
    """What was found.

    :ivar payloads: the statements' texts.
    :ivar keyids: of the keys that are said to have signed; empty if nobody has.
    :ivar problems: all that is not as it must be.
    """

    payloads: tuple[str, ...] = ()
    keyids: tuple[str, ...] = ()
    problems: tuple[HouseProblem, ...] = ()


def check_provenance(
    text: str, manifest: Manifest, sums: Mapping[str, str], key: PublicKey | None
) -> Vouched:
    """Hold *text*, the content of the file, against the rest of the wheelhouse.

    :param sums: the hash of every file, which has just been verified.
    :param key: what every line has to be signed with; None is satisfied with statements alone.
    """
    try:
        lines = read_lines(text)
    except ValueError as error:
        return Vouched(problems=(_problem(str(error)),))
    others = {file: sha256 for file, sha256 in sums.items() if file != FILENAME}
    problems = [*_statement_problems(lines, manifest, others), *_signature_problems(lines, key)]
    return Vouched(
        payloads=tuple(line.payload for line in lines),
        keyids=tuple(keyids(line.signed for line in lines if line.signed)),
        problems=tuple(map(_problem, problems)),
    )


def _problem(detail: str) -> HouseProblem:
    return HouseProblem(file=FILENAME, kind="contradicts", detail=detail)


# -- reading -------------------------------------------------------------------------------------


def read_lines(text: str) -> list[Line]:
    """The lines of *text*.

    :raises ValueError: one of them is no statement, in an envelope or without; the message is a
        clause that says which and why.
    """
    if not text.endswith("\n"):
        raise ValueError("is cut off: its last line has no end")
    lines: list[Line] = []
    for number, line in enumerate(text[:-1].split("\n"), 1):
        try:
            lines.append(_line(line))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"has no statement in line {number}: {error}") from error
    return lines


def _line(text: str) -> Line:
    fields = _object(text)
    signed = read_envelope(fields) if "payload" in fields else None
    payload = signed.payload if signed else text
    return Line(payload=payload, statement=_statement(_object(payload)), signed=signed)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text, object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise TypeError("it is no object")
    json.dumps(found, ensure_ascii=False).encode()  # half of a character is none
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values for one key, readers choose different ones. Raises ValueError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it has a key twice")
    return found


def _statement(fields: dict[str, Any]) -> dict[str, Any]:
    """The statement of in-toto with SLSA provenance that *fields* are; each of its own type.

    Raises ValueError.
    """
    from google.protobuf.json_format import Error, MessageToDict, ParseDict
    from in_toto_attestation.v1.statement import Statement
    from in_toto_attestation.v1.statement_pb2 import Statement as Message

    try:
        message = ParseDict(fields, Message(), ignore_unknown_fields=True)
        Statement.copy_from_pb(message).validate()
        statement: dict[str, Any] = MessageToDict(message)
    except Error as error:
        raise ValueError(f"it is no statement of in-toto: {error}") from error
    if statement["predicateType"] != PREDICATE_TYPE:
        raise ValueError("it is not about provenance")
    return statement


# -- holding it against the house ----------------------------------------------------------------


def _statement_problems(
    lines: Sequence[Line], manifest: Manifest, files: Mapping[str, str]
) -> Iterator[str]:
    """What the statements have not as the house has it: *files* are all that one vouches for."""
    wanted = [(wheel.filename, wheel.sha256) for wheel in manifest.wheels]
    if len(lines) != len(wanted) + 1:
        yield f"has {len(lines)} statements, and not {len(wanted) + 1}"
        return
    *wheels, house = lines
    for number, (line, subject) in enumerate(zip(wheels, wanted, strict=True), 1):
        if line.subjects != [subject]:
            yield f"does not tell of {subject[0]} in line {number}"
    yield from _differences(house.subjects, files)
    if _told(house) != [
        (name, payload_digest(line.payload)) for (name, _), line in zip(wanted, wheels, strict=True)
    ]:
        yield "has other statements than its last line says"


def _differences(subjects: Sequence[tuple[str, str]], files: Mapping[str, str]) -> Iterator[str]:
    """By file, what the last statement vouches for and is not there so."""
    known = dict(subjects)
    if len(known) != len(subjects):
        yield "names a file twice"
    for file in sorted(files.keys() | known.keys()):
        if file not in known:
            yield f"does not vouch for {file}"
        elif file not in files:
            yield f"vouches for {file}, which is not there"
        elif known[file] != files[file]:
            yield f"vouches for another {file}"


def _told(house: Line) -> list[tuple[str, str]]:
    """The other statements that the last one names, with their hashes."""
    try:
        told = house.statement["predicate"]["runDetails"]["byproducts"]
        return [(each["name"], each["digest"]["sha256"]) for each in told]
    except (LookupError, TypeError):
        return []


def _signature_problems(lines: Sequence[Line], key: PublicKey | None) -> Iterator[str]:
    signed = [line.signed for line in lines if line.signed is not None]
    if key is not None and not signed:
        yield f"is not signed, and must be by key {key.keyid}"
    elif 0 < len(signed) < len(lines):
        yield f"is signed in {len(signed)} of its {len(lines)} lines only"
    elif key is not None:
        yield from _wrong_signatures(signed, key)


def _wrong_signatures(lines: Sequence[SignedLine], key: PublicKey) -> Iterator[str]:
    """The first one: who signed one of them otherwise has done so with all, or tampered."""
    for number, line in enumerate(lines, 1):
        try:
            key.check(line)
        except UnsignedError as error:
            yield f"is not signed as it must be in line {number}: {error}"
            return
