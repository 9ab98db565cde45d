"""The network that a container does not have: hearing what is asked of it.

A container's one name server is this process, on its own loopback. It knows no name, and tells the
other end which ones were asked for, and which addresses (:mod:`.asking`): so that who reads of a
failure learns what the build wanted, whichever program it was and whatever that says.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from .asking import MARK, PLACE

if TYPE_CHECKING:
    from .channel import Channel

#: How many places are told of.
MOST = 16

#: Bytes of a question to a name server before the name, and the flags of "there is no such name":
#: a response, recursion available, NXDOMAIN (RFC 1035, 4.1.1).
HEADER = 12
NO_SUCH_NAME = b"\x81\x83"

DATAGRAM = 4096


def listen(channel: Channel) -> None:
    """Answer questions from now on, and send a ``wanted`` message for each new place.

    Does nothing where another name server is in charge, as on the local engine.
    """
    hearing = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        hearing.bind(PLACE)
    except OSError:
        hearing.close()
        return
    threading.Thread(target=_serve, args=(hearing, channel), daemon=True).start()


def _serve(hearing: socket.socket, channel: Channel) -> None:
    own = {socket.gethostname().lower(), "localhost", ""}
    told: set[str] = set()
    while True:
        with contextlib.suppress(OSError):
            data, asker = hearing.recvfrom(DATAGRAM)
            place = wanted(data)
            if place.lower() not in own | told and len(told) < MOST:
                told.add(place.lower())
                channel.message({"type": "wanted", "place": place})
            # Not before: who has its answer may fail, and end the job, at once.
            if not data.startswith(MARK) and len(data) > HEADER:
                hearing.sendto(answer(data), asker)


def wanted(data: bytes) -> str:
    """The place that a datagram is about; empty if it has none."""
    if data.startswith(MARK):
        return data[len(MARK) :].decode("utf-8", "replace")
    labels, at = [], HEADER
    while at < len(data) and 0 < (length := data[at]) < 64:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels)


def answer(question: bytes) -> bytes:
    """That there is no such name: the question's identifier and the question itself, repeated."""
    counts = b"\0\1" + bytes(6)  # one question, and nothing else
    end = HEADER
    while end < len(question) and 0 < (length := question[end]) < 64:
        end += 1 + length
    return question[:2] + NO_SUCH_NAME + counts + question[HEADER : end + 5]
