"""One scheduler for all targets of a run: lanes of threads, and a graph without barriers.

A *lane* is a kind of work with a limit of its own: containers want CPUs, downloads want
connections. Within a lane the costliest task starts first, since a long build that starts last is
what everybody then waits for. A task can wait for others; if one of these fails, it is not
started, and its future says for whose sake. Everything else goes on.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from wheelhouse.errors import InterruptedRunError, as_error, raise_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from wheelhouse.errors import WheelhouseError

T = TypeVar("T")
LaneName = Literal["containers", "downloads"]


class NotStartedError(Exception):
    """A task was not started, because *cause*, on which it depends, failed."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(order=True, slots=True)
class _Task:
    priority: float
    number: int
    run: Callable[[], Any] = field(compare=False)
    future: Future[Any] = field(compare=False)


class _Lane:
    def __init__(self, name: str, width: int) -> None:
        self._tasks: list[_Task] = []
        self._ready = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(width)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, task: _Task) -> None:
        with self._ready:
            if self._closed:
                _refuse(task.future, InterruptedRunError("stopped"))
                return
            heapq.heappush(self._tasks, task)
            self._ready.notify()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                task.future.set_result(task.run())
            except BaseException as error:  # it belongs to who waits
                task.future.set_exception(error)

    def _next(self) -> _Task | None:
        with self._ready:
            while not self._tasks and not self._closed:
                self._ready.wait()
            return heapq.heappop(self._tasks) if self._tasks else None

    def close(self) -> None:
        """Start nothing more."""
        with self._ready:
            self._closed = True
            left, self._tasks = self._tasks, []
            self._ready.notify_all()
        for task in left:
            _refuse(task.future, InterruptedRunError("stopped"))

    def join(self) -> None:
        """Wait for what runs."""
        for thread in self._threads:
            thread.join()


def _refuse(future: Future[Any], error: BaseException) -> None:
    """End *future* with *error*, unless it was cancelled."""
    if future.set_running_or_notify_cancel():
        future.set_exception(error)


def gather(futures: Iterable[Future[T]]) -> list[T]:
    """The results of *futures*, in their order, once all are over.

    :raises WheelhouseError: everything that failed, all at once.
    :raises InterruptedRunError: the run is being stopped; at once.
    """
    done: list[T] = []
    errors: list[WheelhouseError] = []
    for future in futures:
        try:
            done.append(future.result())
        except NotStartedError:
            continue  # its cause is among the errors
        except InterruptedRunError:
            raise
        except Exception as error:
            errors.append(as_error(error))
    raise_all(errors)
    return done


class Scheduler:
    """A context manager; at its end, what has not started never will.

    :param containers: jobs in containers at once.
    :param downloads: transfers at once.
    """

    def __init__(self, containers: int, downloads: int = 16) -> None:
        self._numbers = itertools.count()
        self._lanes: dict[LaneName, _Lane] = {
            "containers": _Lane("container", containers),
            "downloads": _Lane("download", downloads),
        }

    def __enter__(self) -> Scheduler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for lane in self._lanes.values():
            lane.close()
        for lane in self._lanes.values():
            lane.join()

    def submit(
        self,
        lane: LaneName,
        run: Callable[[], T],
        *,
        cost: float = 0.0,
        after: Iterable[Future[Any]] = (),
    ) -> Future[T]:
        """Run *run* in *lane* once all of *after* are done.

        :param cost: expected effort in any one unit; the highest goes first.
        :returns: a future that raises what *run* raises, or NotStartedError.
        """
        future: Future[T] = Future()
        task = _Task(-cost, next(self._numbers), run, future)
        _Gate(list(after), task, self._lanes[lane])
        return future


class _Gate:
    """Lets a task into its lane when all that it waits for is done."""

    def __init__(self, after: list[Future[Any]], task: _Task, lane: _Lane) -> None:
        self._waiting = len(after) + 1
        self._lock = threading.Lock()
        self._task = task
        self._lane = lane
        for future in after:
            future.add_done_callback(self._done)
        self._open_if_last()

    def _done(self, future: Future[Any]) -> None:
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self._open_if_last()
            return
        with self._lock:
            first = not self._task.future.done()
            if first:
                cause = error.cause if isinstance(error, NotStartedError) else error
                _refuse(self._task.future, NotStartedError(cause))

    def _open_if_last(self) -> None:
        with self._lock:
            self._waiting -= 1
            ready = self._waiting == 0
        if ready:
            self._lane.put(self._task)
