"""Connections that can be broken off from outside, whatever they hang on.

A thread that waits for a server sees neither a signal nor the clock: the time-out of a socket
begins anew with each byte. So the one who waits is woken by ending its connection, or, before there
is one, by leaving the attempt alone.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from wheelhouse.fetch.patience import LOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import PoolManager

    from wheelhouse.fetch.patience import Deadline

T = TypeVar("T")


class Wire:
    """The connections of one session, which one thread uses and any thread can cut.

    :param check: called while there is no connection yet; raises to wait for it no longer.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._lock = threading.Lock()
        self._sockets: WeakSet[Any] = WeakSet()
        self._over = False

    def adapter(self) -> HTTPAdapter:
        """What connects a session of `requests` by it; redirects apart, nothing is tried twice."""
        return _Adapter(self)

    def cut(self) -> None:
        """End all connections: whoever waits for one of them has an error, or the end, at once."""
        with self._lock:
            for each in self._sockets:
                _shut(each)

    def end(self) -> None:
        """Cut it for good: no connection will last from now on."""
        self._over = True
        self.cut()

    @contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        """Cut it when *deadline* passes within the block."""
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(deadline, done), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()

    def _watch(self, deadline: Deadline, done: threading.Event) -> None:
        while not done.wait(max(deadline.left, 0.0)):
            if deadline.passed:  # it may have been put off meanwhile
                self.cut()
                done.wait(LOOK)

    def connected(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """What *connect* gives, which nothing can end: so it is left alone if need be."""
        future: Future[socket.socket] = Future()

        def work() -> None:
            try:
                future.set_result(connect())
            except BaseException as error:  # it belongs to who waits
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        while not wait([future], timeout=LOOK).done:
            self._check()
        return future.result()

    def hold(self, found: Any) -> None:
        """Have the socket *found* cut too, as long as anybody has it."""
        with self._lock:
            self._sockets.add(found)
            if self._over:
                _shut(found)


def _shut(found: Any) -> None:
    with contextlib.suppress(OSError, TypeError):  # it is closed, or no socket but a tunnel
        # Not TLS's own way of doing so, which would let its reader go on without TLS.
        socket.socket.shutdown(found, socket.SHUT_RDWR)


class _Cuttable:
    """Mixed into a connection of urllib3: its sockets are those of a wire."""

    wire: Wire

    def connect(self) -> None:
        self._double: socket.socket | None = None
        try:
            super().connect()  # type: ignore[misc]
        finally:
            if self._double is not None:
                self._double.close()
        self.wire.hold(self.sock)  # type: ignore[attr-defined]

    def _new_conn(self) -> socket.socket:
        found = self.wire.connected(super()._new_conn)  # type: ignore[misc]
        # A handshake takes the socket apart; its double stays as long as that lasts.
        self._double = found.dup()
        self.wire.hold(self._double)
        return found


class _Adapter(HTTPAdapter):
    """Gives every pool of connections those of a wire."""

    def __init__(self, wire: Wire) -> None:
        self._pools = _pools(wire)
        super().__init__(pool_maxsize=4)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        self._furnish(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **more)
        if not str(proxy).lower().startswith("socks"):  # those connect in their own way
            self._furnish(manager)
        return manager

    def _furnish(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = self._pools


def _pools(wire: Wire) -> dict[str, Any]:
    """By scheme, pools of connections that *wire* can cut."""

    class Plain(_Cuttable, HTTPConnection):
        pass

    class Tls(_Cuttable, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    Plain.wire = Tls.wire = wire
    return {"http": PlainPool, "https": TlsPool}
