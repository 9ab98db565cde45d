"""Progress as plain lines, for logs and CI: no control characters, nothing rewritten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from wheelhouse.events import (
    Event,
    LockCompared,
    Notice,
    PhaseStarted,
    StepFinished,
    StepStarted,
    TargetFinished,
)
from wheelhouse.reporting.background import BackgroundReporter, Tail
from wheelhouse.reporting.lines import Sink, short_path, to_text
from wheelhouse.reporting.summary import summary
from wheelhouse.reporting.wording import (
    NOTEWORTHY,
    doing,
    ending,
    how_far,
    is_build,
    is_download,
    subject,
    tally,
)
from wheelhouse.text import (
    counted,
    human_duration,
    human_size,
    neutralize,
    sanitize,
    sanitize_lines,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from wheelhouse.reporting.state import RunningStep, TargetState

#: A step that ends sooner than this is told by its ending alone.
_ANNOUNCE_AFTER = 0.3

#: Seconds after which a step that tells how far it is says so, and again.
_PROGRESS = 10.0

#: Downloads that are named where all are told together.
_NAMED = 2

#: Bytes at the end of a log in which its last lines are looked for.
_LOG_END = 1 << 16

_Key = tuple[str | None, str]


class PlainReporter(BackgroundReporter):
    """One line for each event that means something.

    :param stream: where the lines go.
    :param table: whether the table of targets is the end.
    :param heartbeat: seconds after which a step that still runs says so, and again.
    """

    tail_length: ClassVar[int] = 15

    def __init__(self, stream: TextIO, *, table: bool = True, heartbeat: float = 30.0) -> None:
        super().__init__()
        self._table = table
        self._sink = Sink(stream)
        self._heartbeat = heartbeat
        self._pending: list[str] = []
        # When each running step was last spoken of; steps not yet announced are missing.
        self._spoken: dict[_Key, float] = {}
        self._downloads: dict[str | None, float] = {}

    def tell(self, event: Event, at: float, tail: Tail) -> None:
        """Turn *event* into lines."""
        match event:
            case PhaseStarted():
                steps = f", {counted(event.total, 'step')}" if event.total else ""
                self._say(event.target, f"phase {sanitize(event.phase)}{steps}")
            case StepFinished():
                self._step_finished(event, tail)
            case Notice():
                self._notice(event)
            case LockCompared(changed=True):
                self._say(event.target, sanitize(f"{event.path.name}: {event.summary}"))
            case TargetFinished():
                self._target_finished(event)
            case StepStarted():
                self._spoken.pop((event.target, event.step), None)

    def tick(self, now: float) -> None:
        """Announce steps, tell of those that run long, and write."""
        for target in self.run.targets.values():
            self._tell_downloads(target, now)
            together = target.transfers is not None and target.transfers.is_worth_telling
            for step in target.running.values():
                told = together and step.progress is not None
                self._tell_running((target.name, step.name), step, now, told=told)
        self._write()

    def finish(self, now: float, error: BaseException | None) -> None:
        """The table of all targets."""
        table = [to_text(each) for each in summary(self.run, now, None)] if self._table else []
        self._pending += ["", *table] if table else []
        self._write()

    def _write(self) -> None:
        self._sink.write_lines(neutralize(each) for each in self._pending)
        self._pending.clear()

    def _say(self, target: str | None, text: str) -> None:
        self._pending.append(f"[{sanitize(target or 'wheelhouse')}] {text}")

    def _tell_downloads(self, target: TargetState, now: float) -> None:
        """How far all are, from time to time; the longest of them stand for the others."""
        transfers = target.transfers
        if transfers is None or not transfers.is_worth_telling:
            return
        spoken = self._downloads.setdefault(target.name, now)
        if now - spoken < _PROGRESS:
            return
        self._downloads[target.name] = now
        fetching = [step for step in target.running.values() if step.progress]
        fetching.sort(key=lambda step: step.started)
        names = [f"{subject(each.name)} {how_far(each)}" for each in fetching[:_NAMED]]
        more = [f"{len(fetching) - _NAMED} more"] if len(fetching) > _NAMED else []
        now_at = f"; {', '.join([*names, *more])}" if names else ""
        self._say(target.name, f"downloading: {transfers.told(now)}{now_at}")

    def _tell_running(self, key: _Key, step: RunningStep, now: float, *, told: bool) -> None:
        """Tell that *step* runs, unless that is *told* with all downloads."""
        spoken = self._spoken.get(key)
        age = now - step.started
        far = how_far(step)
        pause = min(self._heartbeat, _PROGRESS) if far else self._heartbeat
        if spoken is None and not is_download(step.name, step.phase):
            if age >= _ANNOUNCE_AFTER:
                self._spoken[key] = step.started
                self._say(key[0], doing(step.name, step.phase))
        elif now - (step.started if spoken is None else spoken) >= pause:
            self._spoken[key] = now
            if told:
                return
            how = ", ".join(filter(None, [human_duration(age), far]))
            self._say(key[0], f"still {doing(step.name, step.phase)}, {how}")

    def _step_finished(self, event: StepFinished, tail: Tail) -> None:
        announced = self._spoken.pop((event.target, event.step), None) is not None
        if event.outcome == "failed":
            self._step_failed(event, tail)
        elif event.outcome == "skipped" or announced or _noteworthy(event):
            self._say(event.target, f"{subject(event.step)} {ending(event)}")

    def _step_failed(self, event: StepFinished, tail: Tail) -> None:
        how = ending(event).removeprefix("failed ")
        self._say(event.target, f"FAILED {subject(event.step)} {how}")
        for each in _last_lines(event.log, self.tail_length) or tail:
            self._say(event.target, f"  | {sanitize(each)}")
        if event.log:
            self._say(event.target, f"  log: {short_path(event.log)}")

    def _notice(self, event: Notice) -> None:
        first, *rest = sanitize_lines(event.message)
        self._say(event.target, f"note: {first}")
        for each in rest:
            self._say(event.target, f"  {each}")
        if event.hint:
            self._say(event.target, f"  hint: {' '.join(sanitize_lines(event.hint))}")

    def _target_finished(self, event: TargetFinished) -> None:
        facts = [tally(self.run.targets[event.target].final_counts)]
        if event.wheels:
            facts = [counted(event.wheels, "wheel"), human_size(event.size), *facts]
        if event.message:
            facts.append(sanitize(event.message))
        where = f" → {short_path(event.path)}" if event.path else ""
        told = " · ".join(fact for fact in facts if fact)
        word = "FAILED" if event.outcome == "failed" else event.outcome
        text = f"{word} in {human_duration(event.seconds)}{': ' if told else ''}{told}{where}"
        self._say(event.target, text)


def _last_lines(log: Path | None, count: int) -> list[str]:
    """The last *count* lines of *log*; none if it cannot be read.

    What a step shows while it runs are samples, of all attempts at it.
    """
    if log is None:
        return []
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_END))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [each for each in text.splitlines() if each.strip()][-count:]


def _noteworthy(event: StepFinished) -> bool:
    """Builds, and whatever else took its time; the rest is only counted."""
    if event.outcome != "done" or is_download(event.step, event.phase):
        return False
    return is_build(event.step, event.phase) or event.seconds >= NOTEWORTHY
