"""Events as JSON, one object per line, for programs. ``docs/output.md`` describes each field."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from wheelhouse import __version__
from wheelhouse.errors import SeveralErrors, WheelhouseError
from wheelhouse.reporting.background import BackgroundReporter, Tail
from wheelhouse.reporting.errors import exit_status
from wheelhouse.reporting.lines import Sink
from wheelhouse.text import neutralize

if TYPE_CHECKING:
    from typing import TextIO

    from wheelhouse.events import Event, StepOutput

#: Changes when a field changes its meaning or goes; not when one is added.
FORMAT = 1

#: When this many events wait for a slow reader, lines of output are dropped, and counted.
_BACKLOG = 10_000


class JsonReporter(BackgroundReporter):
    """Writes each event as a line of JSON.

    If its block ends with an error, that is told too; ``run-finished`` is always the last line,
    so that a reader knows a whole report from a broken one.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._sink = Sink(stream)
        self._pending: list[dict[str, Any]] = [
            {"event": "run-started", "at": 0.0, "format": FORMAT, "version": __version__}
        ]
        self._dropped = 0

    def keep_output(self, event: StepOutput) -> None:
        """Pass lines on like any event, unless the reader is far behind."""
        if self.backlog < _BACKLOG:
            self.enqueue(event)
        else:
            self._dropped += 1

    def tell(self, event: Event, at: float, tail: Tail) -> None:
        """Note *event*; :meth:`tick` writes."""
        self._pending.append(event_to_dict(event, at - self.run.started))

    def tick(self, now: float) -> None:
        """Write what was noted."""
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._note(now, "output-dropped", lines=dropped)
        self._sink.write_lines(_dump(each) for each in self._pending)
        self._pending.clear()

    def finish(self, now: float, error: BaseException | None) -> None:
        """Tell *error* and the exit status."""
        if isinstance(error, WheelhouseError):
            for each in error.errors if isinstance(error, SeveralErrors) else (error,):
                self._note(now, "error", **error_to_dict(each))
        seconds = round(now - self.run.started, 3)
        self._note(now, "run-finished", status=exit_status(error), seconds=seconds)
        self.tick(now)

    def _note(self, now: float, name: str, **fields: Any) -> None:
        at = round(now - self.run.started, 3)
        self._pending.append({"event": name, "at": at, **fields})


def event_to_dict(event: Event, at: float) -> dict[str, Any]:
    """*event*, which came *at* seconds after the start, as JSON has it."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    fields = {field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)}
    target = fields.pop("target")
    return {"event": name, "at": round(at, 3), "target": target, **fields}


def error_to_dict(error: WheelhouseError) -> dict[str, Any]:
    """One error as JSON has it."""
    return {
        "code": error.code,
        "target": error.target,
        "status": error.exit_status,
        "message": error.message,
        "kind": error.kind,
        "context": dict(error.context),
        "evidence": list(error.evidence),
        "hint": error.hint,
        "fix": error.fix,
        "log": _plain(error.log),
    }


def _plain(value: object) -> object:
    """*value* in JSON's types."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, float):
        return round(value, 3)
    return value


def _dump(fields: dict[str, Any]) -> str:
    """In ASCII, so that no encoding and no terminal can change its meaning; and since a CI system
    may be reading along, no text in it is a command to that."""
    return neutralize(json.dumps(fields, ensure_ascii=True))
