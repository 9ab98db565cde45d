"""Ways to tamper with a signed wheelhouse: each changes one thing, as cleverly as it says."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from housefactory import Package, make_house
from signingkeys import make_key
from wheelhouse.sealing import sign
from wheelhouse.signing import load_signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUMS, PROVENANCE = "SHA256SUMS", "provenance.intoto.jsonl"
ONE, TWO = "wheels/one-1.0-py3-none-any.whl", "wheels/two-1.0+cpu-py3-none-any.whl"
PACKAGES = (Package(name="one", requires=["two"]), Package(name="two", version="1.0+cpu"))

#: Who is to find a damage: who has only the hashes, who has the statements, who has the key.
HASHES, STATEMENTS, KEY = "hashes", "statements", "key"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A signed wheelhouse.

    :ivar public: the key that it is signed with.
    """

    path: Path
    private: Path
    public: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """One way.

    :ivar name: what is done.
    :ivar file: what has to be named.
    :ivar do: does it to the wheelhouse in a folder.
    :ivar finder: what it takes to find it.
    """

    name: str
    file: str
    do: Callable[[Signed], None]
    finder: str = HASHES


def make_signed(folder: Path) -> Signed:
    """A new wheelhouse of two wheels in *folder*, signed with a new key beside it."""
    private, public = make_key(folder)
    house = make_house(folder, PACKAGES)
    sign(house.path, load_signer(private))
    return Signed(path=house.path, private=private, public=public)


def reseal(house: Path) -> None:
    """Have ``SHA256SUMS`` agree with what is there."""
    files = [path for path in house.rglob("*") if path.is_file() and path.name != SUMS]
    lines = {
        str(path.relative_to(house)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    (house / SUMS).write_text("".join(f"{lines[name]}  {name}\n" for name in sorted(lines)))


def forge(house: Path) -> None:
    """Have everything agree that holds without a key: hashes, manifest, pins, statements."""
    from wheelhouse.house import _seal
    from wheelhouse.manifest import read_manifest
    from wheelhouse.provenance import statements
    from wheelhouse.wholeness import house_sums

    reseal(house)
    others = {k: v for k, v in (house_sums(house) or {}).items() if k != PROVENANCE}
    text = "".join(f"{line}\n" for line in statements(read_manifest(house), others))
    _seal(house, others, text)


def _append(file: str, text: str = "\n") -> Callable[[Signed], None]:
    def do(house: Signed) -> None:
        with (house.path / file).open("a") as stream:
            stream.write(text)

    return do


def _remove(file: str) -> Callable[[Signed], None]:
    return lambda house: (house.path / file).unlink()


def _add(file: str) -> Callable[[Signed], None]:
    def do(house: Signed) -> None:
        (house.path / file).parent.mkdir(parents=True, exist_ok=True)
        (house.path / file).write_text("x")

    return do


def _link(file: str) -> Callable[[Signed], None]:
    """The same bytes, through a link."""

    def do(house: Signed) -> None:
        elsewhere = house.path.with_name("elsewhere")
        shutil.move(house.path / file, elsewhere)
        (house.path / file).symlink_to(elsewhere)

    return do


def _pipe(file: str) -> Callable[[Signed], None]:
    def do(house: Signed) -> None:
        (house.path / file).unlink()
        os.mkfifo(house.path / file)

    return do


def _swap(house: Signed) -> None:
    one, two, between = house.path / ONE, house.path / TWO, house.path / "between"
    one.rename(between)
    two.rename(one)
    between.rename(two)


def _resealed(change: Callable[[Signed], None]) -> Callable[[Signed], None]:
    def do(house: Signed) -> None:
        change(house)
        reseal(house.path)

    return do


def _lines(change: Callable[[list[str]], list[str]]) -> Callable[[Signed], None]:
    """Have the lines of the provenance replaced, and their hash with them."""

    def do(house: Signed) -> None:
        path = house.path / PROVENANCE
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
        reseal(house.path)

    return do


def _forged(house: Signed) -> None:
    """Another wheel, and all that can be made without the key made to agree."""
    path = house.path / ONE
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    _append(ONE)(house)
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    for file in ("manifest.json", "requirements.txt", "pylock.toml", "sbom.cdx.json"):
        text = (house.path / file).read_text().replace(before, after)
        for key in ('"size": ', "size = "):
            text = text.replace(f"{key}{size}", f"{key}{size + 1}", 1)
        (house.path / file).write_text(text)
    forge(house.path)


def _forged_and_signed(house: Signed) -> None:
    _forged(house)
    other, _ = make_key(house.path.parent / "other")
    sign(house.path, load_signer(other))


def _unsign(house: Signed) -> None:
    forge(house.path)


def _other_payload(lines: list[str]) -> list[str]:
    """Another statement within the envelope, below the signature of the old one."""
    fields = json.loads(lines[0])
    fields["payload"] = json.loads(lines[1])["payload"]
    return [f"{json.dumps(fields)}\n", *lines[1:]]


def _from_another_house(house: Signed) -> None:
    """A statement that the same key has signed, of the same wheel, made for another occasion."""
    folder = house.path.parent / "earlier"
    folder.mkdir()
    earlier = make_house(folder, PACKAGES)
    manifest = earlier.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": "0.1.0"', '"version": "0.0.9"'))
    forge(earlier.path)
    sign(earlier.path, load_signer(house.private))
    line = (earlier.path / PROVENANCE).read_text().splitlines(keepends=True)[0]
    _lines(lambda lines: [line, *lines[1:]])(house)


def _twice(house: Signed) -> None:
    path = house.path / SUMS
    first = path.read_text().splitlines(keepends=True)[0]
    path.write_text(path.read_text() + "0" * 64 + first[64:])


FILES = (
    *("install.sh", "manifest.json", PROVENANCE, "pylock.toml"),
    *("requirements.txt", "sbom.cdx.json", "verify.py", ONE),
)

DAMAGES = (
    *(Damage(name=f"{file} is edited", file=file, do=_append(file)) for file in FILES),
    *(
        Damage(name=f"{file} is missing", file=file, do=_remove(file))
        for file in (*FILES[1:], SUMS)
    ),
    *(
        Damage(name=f"{file} is added", file=file, do=_add(file))
        for file in ("wheels/extra.whl", "extra", ".hidden", "folder/extra")
    ),
    Damage(name="two wheels are swapped", file=TWO, do=_swap),
    *(
        Damage(name=f"{file} is a link to the same", file=file, do=_link(file))
        for file in (ONE, "manifest.json", "wheels", SUMS)
    ),
    *(Damage(name=f"{file} is a pipe", file=file, do=_pipe(file)) for file in (ONE, SUMS)),
    Damage(name="a file is listed twice", file=SUMS, do=_twice),
    Damage(
        name="a wheel and its hash are edited",
        file=ONE,
        do=_resealed(_append(ONE)),
        finder=STATEMENTS,
    ),
    Damage(
        name="a file and its hash are missing",
        file="sbom.cdx.json",
        do=_resealed(_remove("sbom.cdx.json")),
        finder=STATEMENTS,
    ),
    Damage(
        name="a wheel and its hash are added",
        file="wheels/extra.whl",
        do=_resealed(_add("wheels/extra.whl")),
        finder=STATEMENTS,
    ),
    Damage(
        name="the statements and their hash are missing",
        file=PROVENANCE,
        do=_resealed(_remove(PROVENANCE)),
        finder=STATEMENTS,
    ),
    *(
        Damage(name=name, file=PROVENANCE, do=_lines(change), finder=STATEMENTS)
        for name, change in {
            "a statement is left out": lambda lines: lines[1:],
            "the last statement is left out": lambda lines: lines[:-1],
            "a statement is there twice": lambda lines: [lines[0], *lines],
            "the statements are in another order": lambda lines: [lines[1], lines[0], lines[2]],
            "the statements are cut off": lambda lines: [*lines[:-1], lines[-1][:-40]],
            "the statements have no end": lambda lines: [*lines[:-1], lines[-1][:-1]],
            "a statement is nested without end": lambda lines: ["[" * 200_000 + "\n", *lines[1:]],
            "a statement is in another's envelope": _other_payload,
            "the statements are empty": lambda lines: [],
        }.items()
    ),
    Damage(
        name="a statement is of an earlier wheelhouse",
        file=PROVENANCE,
        do=_from_another_house,
        finder=STATEMENTS,
    ),
    Damage(name="all but the signature is forged", file=PROVENANCE, do=_forged, finder=KEY),
    Damage(
        name="all is forged, and signed by another key",
        file=PROVENANCE,
        do=_forged_and_signed,
        finder=KEY,
    ),
    Damage(name="the signatures are taken away", file=PROVENANCE, do=_unsign, finder=KEY),
)
