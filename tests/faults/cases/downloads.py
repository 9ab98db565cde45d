"""Groups 8 and 9: servers that break off, hang, drip, lie, are busy, or have another file."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from faults.case import Case
from faults.offers import IMPATIENT, entry, lock, offer, offer_with_metadata, page, wheel
from faults.world import refused, succeeded
from flakyindex import JSON, Answer, FlakyIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faults.world import World

WHEEL = wheel()
WHOLE = Answer(body=WHEEL, ranges=True)
CUT = Answer(body=WHEEL, ranges=True, cut=100)
BUSY = Answer(status=429, headers={"Retry-After": "1"})
LOGIN = Answer(kind="text/html", body=b"<html><form action='/login'>Who are you?</form></html>")

#: Longer than anybody waits here.
HANG = 60.0

PROMPTLY: Mapping[str, str] = {}


def stored(world: World) -> bytes:
    """What the store has as the wheel."""
    sha256 = hashlib.sha256(WHEEL).hexdigest()
    return (world.store / "blobs" / sha256[:2] / sha256).read_bytes()


# --- what passes --------------------------------------------------------------------------------


def _passes(name: str, *faults: Answer, pause: float = 0.0) -> Case:
    """The *faults*, one after the other, end in success; with *pause* seconds at least after each."""

    def attempt(world: World) -> None:
        world.own_store()
        with FlakyIndex() as index:
            path = offer(index, *faults, WHOLE)
            succeeded(lock(world, index))
            asked = [each for each in index.asked if each.path == path]
        assert len(asked) == len(faults) + 1, asked
        waits = [later.when - first.when for first, later in pairwise(asked)]
        assert all(wait >= pause for wait in waits), waits
        assert stored(world) == WHEEL

    return Case(group=8, name=name, attempt=attempt)


def _page_passes(world: World) -> None:
    with FlakyIndex() as index:
        offer(index)
        broken = Answer(kind=JSON, body=page(index).body, cut=20)
        index.on("/simple/demo/", Answer(status=503), broken, BUSY, page(index))
        succeeded(lock(world, index))
        assert index.count("/simple/demo/") == 4


def _killed(world: World) -> None:
    """What had come is not asked for again."""
    world.own_store()
    world.killed = True
    big = wheel("demo") + bytes(1 << 20)
    drip = Answer(body=big, ranges=True, pause=0.001)
    with FlakyIndex() as index:
        path = offer(index, drip, hashes={"sha256": hashlib.sha256(big).hexdigest()}, size=len(big))
        world.configure("demo\n", index=index.url("/simple"))
        process = world.start("lock", "--plain")
        deadline = time.monotonic() + 60
        while not [each for each in (world.store).glob("partial/*") if each.stat().st_size > 100]:
            assert time.monotonic() < deadline, "nothing came"
            time.sleep(0.02)
        process.kill()
        world.ended(process)
        (left,) = world.store.glob("partial/*")
        came = left.stat().st_size
        index.on(path, Answer(body=big, ranges=True))
        world.run("lock", "--plain")
        (_, again) = [each for each in index.asked if each.path == path]
    assert again.headers["Range"] == f"bytes={came}-"
    assert not list(world.store.glob("partial/*"))
    sha256 = hashlib.sha256(big).hexdigest()
    assert (world.store / "blobs" / sha256[:2] / sha256).read_bytes() == big


# --- what does not ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """How a server goes on misbehaving.

    :ivar answers: to who asks for the file, or for the page.
    :ivar words: what is said.
    :ivar most: of its seconds.
    """

    answers: Sequence[Answer]
    words: Sequence[str]
    of_page: bool = False
    variables: Mapping[str, str] = field(default_factory=lambda: IMPATIENT)


def _json(content: object) -> Answer:
    return Answer(kind=JSON, body=json.dumps(content).encode())


def _bomb() -> bytes:
    """A page of 300 MiB, in a few hundred kB."""
    return gzip.compress(b" " * (300 << 20), 1)


FAULTS: dict[str, Fault] = {
    "a download that always breaks off": Fault(
        answers=[Answer(body=WHEEL, cut=100)],
        words=["broke off: 100 of", "tried 6 times", "check the network"],
    ),
    "a download that hangs": Fault(
        answers=[Answer(body=WHEEL, hang=HANG)],
        words=["127.0.0.1 does not answer in time: nothing came for 1.0 s", "tried 3 times"],
    ),
    "a download that stalls": Fault(
        answers=[Answer(body=WHEEL, pause=HANG)],
        words=["127.0.0.1 does not answer in time: nothing came for 1.0 s", "tried 3 times"],
    ),
    "a download that drips": Fault(
        answers=[Answer(body=WHEEL, pause=0.1)],
        words=["in a second, for", "tried 3 times", "check the network"],
    ),
    "a page that drips": Fault(
        answers=[Answer(kind=JSON, body=b"{" + b" " * 5000, pause=0.005)],
        words=["/simple/demo/ did not arrive within 5.0 s", "WHEELHOUSE_TIMEOUT"],
        of_page=True,
    ),
    "headers that never end": Fault(
        answers=[Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 900)],
        words=["/simple/demo/ does not answer as HTTP has it (", "tried 3 times"],
        of_page=True,
    ),
    "a body that never ends": Fault(
        answers=[Answer(body=WHEEL, endless=True)],
        words=["has changed: it has more than", "find out why"],
    ),
    "a server that wants to be left alone for long": Fault(
        answers=[Answer(status=429, headers={"Retry-After": "1000000000"})],
        words=["answers with status 429 (Too Many Requests) and asks to wait 277777 h 47 min"],
        variables=PROMPTLY,
    ),
    "an index that is always out of order": Fault(
        answers=[Answer(status=503, reason="gone \x1b]0;fishing\x07")],
        words=["did not arrive within 5.0 s", "it answers with status 503 (gone"],
        of_page=True,
    ),
    "a login page in place of a page": Fault(
        answers=[LOGIN],
        words=["answers with a page that is no index page", "it may be a login page"],
        of_page=True,
    ),
    "a login page in place of a file": Fault(
        answers=[LOGIN],
        words=["has changed", "a web page comes in its place", "it may be a login page"],
    ),
    "a page that is cut short but complete": Fault(
        answers=[Answer(kind=JSON, body=b'{"meta": {"api-version": "1.1"}, "files": [{"filename"')],
        words=["is no valid index page", "try again later"],
        of_page=True,
    ),
    "a page of JSON that is none of an index": Fault(
        answers=[_json({"error": "who are you?"})],
        words=["is no valid index page"],
        of_page=True,
    ),
    "a page that is a bomb": Fault(
        answers=[Answer(kind=JSON, body=_bomb(), headers={"Content-Encoding": "gzip"})],
        words=["has more than 256 MiB"],
        of_page=True,
        variables=PROMPTLY,
    ),
    "a page in an encoding that it does not have": Fault(
        answers=[Answer(kind=JSON, body=b"{}", headers={"Content-Encoding": "gzip"})],
        words=["did not arrive within 5.0 s", "sends what cannot be decoded"],
        of_page=True,
    ),
    "broken chunks": Fault(
        answers=[Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")],
        words=["/simple/demo/ did not arrive within 5.0 s", "broke off in the middle"],
        of_page=True,
    ),
}


def _fails(name: str, fault: Fault) -> Case:
    def attempt(world: World) -> None:
        world.own_store()
        world.plant()
        with FlakyIndex() as index:
            path = offer(index, *fault.answers)
            if fault.of_page:
                index.on("/simple/demo/", *fault.answers)
            done = refused(lock(world, index, **fault.variables), 3, *fault.words)
            asked = index.count("/simple/demo/" if fault.of_page else path)
        assert 1 <= asked <= 6, asked
        assert "\x1b" not in done.said
        assert not list(world.store.glob("blobs/*/*")), "it is in the store"
        assert not list(world.project.glob("pylock*")), "there is a lock"

    return Case(group=8, name=name, attempt=attempt)


# --- another file -------------------------------------------------------------------------------


def _replaced(*answers: Answer) -> Callable[[World], int]:
    """How often the file was asked for by a build whose lock has the hash of the true one.

    The index has the metadata beside it, so that locking does not fetch the file.
    """

    def attempt(world: World) -> int:
        world.own_store()
        world.plant()
        with FlakyIndex() as index:
            path = offer_with_metadata(index)
            succeeded(lock(world, index))
            assert index.count(path) == 0
            index.on(path, *answers)
            world.build("--locked")
            return index.count(path)

    return attempt


OTHER = Answer(body=wheel(version="1.0").replace(b"VALUE", b"ELUAV"))


def _stays_replaced(world: World) -> None:
    assert _replaced(OTHER)(world) == 2
    refused(
        world.finished[-1], 3, "is not what pylock.", "its SHA-256 is", "--upgrade-package demo"
    )
    assert not list(world.store.glob("blobs/*/*"))
    assert not list(world.store.glob("partial/*"))


def _replaced_for_a_moment(world: World) -> None:
    world.replaces = True
    assert _replaced(OTHER, WHOLE)(world) == 2
    succeeded(world.finished[-1])


def _grown(world: World) -> None:
    assert _replaced(Answer(body=WHEEL + b"more"))(world) == 2
    refused(
        world.finished[-1], 3, "is not what pylock.", f"says: it has more than {len(WHEEL):,} bytes"
    )


def _two_files_at_one_address(world: World) -> None:
    """A transfer broke off, and what the server has then is another file."""
    world.own_store()
    tagged = [
        Answer(body=body, ranges=True, headers={"ETag": tag}, cut=cut)
        for body, tag, cut in ((OTHER.body, '"a"', 100), (WHEEL, '"b"', None))
    ]
    with FlakyIndex() as index:
        path = offer(index, *tagged)
        succeeded(lock(world, index))
        assert index.count(path) == 2
        assert entry(index)["url"] == index.url(path)
    assert stored(world) == WHEEL


CASES = [
    _passes("a download that breaks off once", CUT),
    _passes("a download that breaks off three times", CUT, CUT, CUT),
    _passes("429 with Retry-After", BUSY, pause=1.0),
    _passes("500 and 503", Answer(status=500), Answer(status=503)),
    _passes("a server that breaks off and knows no ranges", Answer(body=WHEEL, cut=100)),
    Case(group=8, name="a page after 503, a cut and 429", attempt=_page_passes),
    Case(group=8, name="kill -9 in the middle of a download", attempt=_killed, everyday=True),
    *(_fails(name, fault) for name, fault in FAULTS.items()),
    Case(
        group=9, name="a file replaced under the same name", attempt=_stays_replaced, everyday=True
    ),
    Case(group=9, name="a file replaced for a moment", attempt=_replaced_for_a_moment),
    Case(group=9, name="a file with more bytes", attempt=_grown),
    Case(group=9, name="two files at one address", attempt=_two_files_at_one_address),
]
