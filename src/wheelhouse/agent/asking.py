"""Noticing which addresses the Python programs of a build want to reach.

There is no network, so they reach none; but their own words for that seldom say which it was. This
file is copied into build environments, where a ``.pth`` file has every Python of the build begin
with :func:`listen`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would cost each Python of a build some milliseconds
    from typing import Any

#: What this module is called in a build environment.
NAME = "_wheelhouse_asking"

#: Where the agent hears, as a name server too; and how what is no question to that begins.
PLACE = ("127.0.0.1", 53)
MARK = b"wheelhouse wants "

#: What Python says it is about to do, with the address as the second argument.
EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


def listen() -> None:
    """Have this process tell the agent of each address on a network that it wants to reach."""
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in EVENTS:
        return
    address = arguments[1]
    if isinstance(address, tuple) and len(address) > 1 and not _is_near(str(address[0])):
        _tell(f"{address[0]}:{address[1]}")


def _is_near(host: str) -> bool:
    return host.startswith(("127.", "::1", "localhost")) or host in ("", "0.0.0.0", "::")


def _tell(place: str) -> None:
    import _socket  # which the program that asks has imported already

    try:
        messenger = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
        messenger.sendto(MARK + place[:300].encode("utf-8", "replace"), PLACE)
        messenger.close()
    except OSError:
        pass  # nobody hears; the build's own words will have to do


def install(site_packages: str) -> None:
    """Have every Python of the environment that has *site_packages* begin with :func:`listen`."""
    with open(__file__, encoding="utf-8") as own:
        source = own.read()
    for name, text in (
        (f"{NAME}.py", source),
        (f"{NAME}.pth", f"import {NAME}; {NAME}.listen()\n"),
    ):
        with open(os.path.join(site_packages, name), "w", encoding="utf-8") as file:
            file.write(text)
