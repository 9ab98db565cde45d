"""The picture of a running run, the table at its end, and the lines both are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wheelhouse.events import (
    DownloadsStarted,
    Event,
    How,
    Outcome,
    PhaseStarted,
    StepFinished,
    StepProgress,
    StepStarted,
    TargetFinished,
)
from wheelhouse.reporting.frame import frame
from wheelhouse.reporting.lines import (
    Line,
    Span,
    clip_line,
    encodable,
    line,
    to_ansi,
    to_text,
    wrap_line,
)
from wheelhouse.reporting.state import RunState
from wheelhouse.reporting.summary import summary
from wheelhouse.reporting.wording import doing, ending, kind_of, subject, tally
from wheelhouse.text import cell_width


def running(*events: Event) -> RunState:
    run = RunState(started=0.0)
    for second, event in enumerate(events):
        run.apply(event, float(second))
    return run


def busy_run(targets: int, steps: int) -> RunState:
    run = RunState(started=0.0)
    for t in range(targets):
        run.apply(PhaseStarted(target=f"target{t}", phase="wheels", total=20), 0.0)
        for s in range(steps):
            step = StepStarted(target=f"target{t}", step=f"package{s} 1.{s}", phase="build")
            run.apply(step, float(s))
    return run


def finished(step: str, outcome: Outcome, phase: str = "build", detail: str = "") -> StepFinished:
    return StepFinished(
        target="deb", step=step, phase=phase, outcome=outcome, seconds=12.0, detail=detail
    )


def output(target: str | None, step: str) -> str:
    return f"compiling {step} for {target} " + "日本" * 60


def shown(run: RunState, width: int = 100, height: int = 40) -> list[str]:
    return [to_text(each) for each in frame(run, 75.0, width, height, output)]


def texts(lines: list[Line]) -> str:
    return "\n".join(map(to_text, lines))


@pytest.mark.parametrize("width", [10, 40, 80, 120, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 6, 9, 24, 50])
@pytest.mark.parametrize(("targets", "steps"), [(1, 0), (1, 1), (1, 30), (3, 8), (12, 2), (40, 0)])
def test_a_frame_never_leaves_the_terminal(
    width: int, height: int, targets: int, steps: int
) -> None:
    lines = shown(busy_run(targets, steps), width, height)
    assert 1 <= len(lines) <= height
    assert all(cell_width(each) <= width for each in lines)


def test_a_frame_shows_targets_progress_and_steps() -> None:
    run = running(
        PhaseStarted(target="deb", phase="wheels", total=4),
        finished("fetch a 1", "done"),
        finished("b 1", "done"),
        finished("c 1", "reused"),
        StepStarted(target="deb", step="lxml 6.0.2", phase="build"),
        PhaseStarted(target="gpu", phase="lock"),
    )
    head, step, other = shown(run)
    assert head.split()[:2] == ["deb", "wheels"]
    assert "3/4" in head
    assert "2 built · 1 reused" in head or "1 fetched · 1 built · 1 reused" in head
    assert head.endswith("1:15")
    assert step.startswith("  lxml 6.0.2")
    assert "1:11" in step
    assert "compiling lxml" in step
    assert other.split() == ["gpu", "lock", "1:10"]


def begun(step: str, phase: str) -> StepStarted:
    return StepStarted(target="deb", step=step, phase=phase)


#: A fetched wheel, and two that are built; one of these serves a build by another of its name.
PLANNED = (
    PhaseStarted(target="deb", phase="wheels", total=4),
    *(begun("a", "fetch"), finished("a", "done", "fetch")),
    *(begun("b", "build"), finished("b", "done", detail="for other builds")),
    *(begun("b", "build"), finished("b", "done")),
    *(begun("c", "build"), finished("c", "done")),
)


@pytest.mark.parametrize("kind", ["repair", "build"])
def test_what_is_worked_on_again_is_not_finished_meanwhile(kind: str) -> None:
    head, *_ = shown(running(*PLANNED))
    assert "4/4" in head
    assert "1 fetched · 3 built" in head
    again = (*PLANNED, begun("b", kind), begun("c", kind), finished("b", "done", kind))
    head, step = shown(running(*again))
    assert "3/4" in head
    assert "1 fetched · 3 built" in head
    assert step.split()[-1] != "b"
    head, *_ = shown(running(*again, finished("c", "failed", kind)))
    assert "4/4" in head
    assert "1 fetched · 2 built · 1 failed" in head


def test_what_a_second_plan_has_of_the_first_is_counted_once() -> None:
    first = (*PLANNED, PhaseStarted(target="deb", phase="lock"))
    second = (
        PhaseStarted(target="deb", phase="wheels", total=4),
        *(begun("a", "fetch"), finished("a", "done", "fetch")),
        *(begun("b", "fetch"), finished("b", "reused", "fetch")),
        *(begun("d", "fetch"), finished("d", "done", "fetch")),
    )
    head, *_ = shown(running(*first, *second))
    assert "3/4" in head
    assert "2 fetched · 3 built" in head
    assert "reused" not in head


@pytest.mark.parametrize(
    ("done", "total", "told"),
    [
        (412_000_000, 10**9, "412 MB of 1.0 GB"),
        (5000, None, "5.0 kB"),
        (10**9, 10**9, "checking 1.0 GB"),
    ],
)
def test_a_frame_shows_how_far_a_download_is(done: int, total: int | None, told: str) -> None:
    run = running(
        StepStarted(target="deb", step="torch", phase="fetch"),
        StepProgress(target="deb", step="torch", done=1, total=total),
        StepProgress(target="deb", step="torch", done=done, total=total),
    )
    (_, step) = [to_text(each) for each in frame(run, 9.0, 80, 9, lambda *_: "")]
    assert step.split(maxsplit=3) == ["fetching", "torch", "0:09", told]


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (120, "900 MB of 3.0 GB, 60 MB/s, 35 s left · 1 fetched"),
        (90, "900 MB of 3.0 GB, 60 MB/s, 35 s left"),
        (50, "900 MB of 3.0 GB"),
    ],
)
def test_a_frame_shows_how_far_all_downloads_are(width: int, told: str) -> None:
    run = RunState(0.0)
    steps = {"torch": 1_000_000_000, "cudnn": 1_900_000_000, "small": 100_000_000}
    begun = DownloadsStarted(
        target="gpu",
        files=3,
        size=3_000_000_000,
        unknown=0,
        sizes=steps,
        come={"cudnn": 300_000_000},
    )
    for at, event in (
        (0.0, PhaseStarted(target="gpu", phase="wheels", total=3)),
        (0.0, begun),
        (0.0, StepStarted(target="gpu", step="torch", phase="fetch")),
        (0.0, StepProgress(target="gpu", step="torch", done=1, total=None)),
        (4.0, StepProgress(target="gpu", step="torch", done=500_000_000, total=1_000_000_000)),
        (5.0, StepFinished(target="gpu", step="small", phase="fetch", outcome="done", seconds=1.0)),
    ):
        run.apply(event, at)
    head = to_text(frame(run, 12.0, width, 9, lambda *_: "")[0])
    assert f"  {told}  " in head
    assert head.endswith("0:12")
    assert cell_width(head) <= width


def downloads(**sizes: int) -> DownloadsStarted:
    return DownloadsStarted(
        target="gpu", files=len(sizes), size=sum(sizes.values()), unknown=0, sizes=sizes, come={}
    )


def coming(step: str, done: int) -> tuple[Event, Event]:
    return (
        StepStarted(target="gpu", step=step, phase="download"),
        StepProgress(target="gpu", step=step, done=done, total=None),
    )


def gone_on(*events: Event) -> str:
    run = running(*events)
    transfers = run.target("gpu", 0.0).transfers
    assert transfers is not None
    return transfers.amount


def test_downloads_that_begin_while_others_go_on_join_them() -> None:
    """A backend may be asked while wheels come: their figure goes on."""
    first, second = downloads(torch=500, cudnn=300), downloads(cudnn=300, nvcc=200)
    assert gone_on(first, *coming("torch", 100), second, *coming("nvcc", 50)) == "150 B of 1.0 kB"


def test_downloads_that_begin_once_others_are_over_count_by_themselves() -> None:
    first, second = downloads(nvcc=200), downloads(torch=500)
    assert gone_on(first, *coming("nvcc", 200), second) == "0 B of 500 B"


def test_what_does_not_fit_is_folded_and_counted() -> None:
    lines = shown(busy_run(1, 9), height=5)
    assert lines[1].startswith("  package0 1.0")
    assert lines[-1] == "  … and 6 more"
    assert "… and 8 more" in shown(busy_run(1, 9), height=2)[1]
    assert "9 running" in shown(busy_run(1, 9), height=1)[0]


def test_every_target_gets_its_share_of_lines() -> None:
    lines = shown(busy_run(2, 6), height=8)
    assert lines.count("  … and 4 more") == 2


def test_targets_that_do_not_fit_are_counted_and_finished_ones_go_first() -> None:
    run = busy_run(6, 0)
    done = TargetFinished(target="target0", outcome="done", seconds=1, counts={})
    run.apply(done, 2.0)
    lines = shown(run, height=4)
    assert [each.split()[0] for each in lines] == ["target1", "target2", "target3", "…"]
    assert lines[-1] == "… and 3 more targets"


def test_a_finished_target_says_what_it_has() -> None:
    ended = TargetFinished(
        target="deb", outcome="done", seconds=3, counts={}, wheels=1, size=12_000_000
    )
    assert shown(running(ended)) == ["deb  ✓ ready  1 wheel · 12 MB"]


def test_steps_of_no_target_and_endings_without_a_start() -> None:
    run = running(finished("x 1", "failed"), StepStarted(target=None, step="image", phase="images"))
    assert run.targets["deb"].counts == {"failed": 1}
    assert shown(run)[1].startswith("wheelhouse")


def test_what_serves_the_whole_run_is_shown_while_it_is_at_something() -> None:
    run = RunState(started=0.0)
    run.apply(PhaseStarted(target="deb", phase="lock"), 0.0)
    ended = StepFinished(target=None, step="a", phase="images", outcome="done", seconds=1)
    run.apply(StepStarted(target=None, step="a", phase="images"), 1.0)
    run.apply(ended, 2.0)
    assert [each.split()[0] for each in shown(run)] == ["deb"]
    run.apply(StepStarted(target=None, step="debian12 system (libpq-dev)", phase="images"), 70.0)
    lines = [to_text(each) for each in frame(run, 75.0, 60, 9, lambda *_: "")]
    assert lines[1].split() == ["wheelhouse", "0:05"]
    assert lines[2].split("  ")[1] == "preparing image debian12 system (libpq-dev)"


@pytest.mark.parametrize(
    ("step", "phase", "kind", "about"),
    [
        ("lxml 6.0.2", "wheels", "build", "lxml 6.0.2"),
        ("lxml 6.0.2", "build", "build", "lxml 6.0.2"),
        ("torch 2.9", "fetch", "fetch", "torch 2.9"),
        ("fetch torch 2.9", "wheels", "fetch", "torch 2.9"),
        ("fetch:torch", "wheels", "fetch", "torch"),
        ("build 1.3.0", "build", "build", "1.3.0"),
        ("imports", "prove", "prove", "imports"),
        ("nvidia-nvvm", "download", "download", "nvidia-nvvm"),
    ],
)
def test_kinds_of_steps(step: str, phase: str, kind: str, about: str) -> None:
    assert (kind_of(step, phase), subject(step)) == (kind, about)


def test_wording() -> None:
    assert doing("lxml 6", "wheels") == "building lxml 6"
    assert doing("proof", "prove") == "running the proof"
    assert ending(finished("proof", "done", "prove")) == "passed in 12 s"
    assert ending(finished("a", "done", detail="grafted libz")) == "built in 12 s · grafted libz"
    assert ending(finished("a", "failed", detail="no gcc")) == "failed after 12 s: no gcc"
    assert ending(finished("a", "skipped", detail="needs b")) == "skipped: needs b"
    assert ending(finished("a", "reused")) == "reused"
    assert ending(replace(finished("a", "done", "fetch"), how="stored")) == "stored"
    again = replace(finished("proof", "done", "prove", "it lacks libx"), how="not yet")
    assert ending(again) == "not passed yet after 12 s: it lacks libx"
    assert ending(finished("a", "failed", detail="one\ntwo")) == "failed after 12 s: one"


def table(width: int | None, *events: Event) -> str:
    return texts(summary(running(*events), 65.0, width))


DONE = TargetFinished(
    target="al2023-py311",
    outcome="done",
    seconds=65,
    counts={"fetched": 18, "built": 5},
    wheels=23,
    size=184_000_000,
    path=Path("/srv/dist/al2023-py311"),
)
FAILED = TargetFinished(
    target="gpu", outcome="failed", seconds=3, counts={"failed": 1}, message="1 of 4 failed"
)


def test_the_table_has_a_row_for_each_target() -> None:
    head, _, first, second, message = table(None, DONE, FAILED).splitlines()
    assert head.split() == [
        "target", "outcome", "wheels", "fetched", "built", "reused", "failed", "size", "time",
        "path",
    ]  # fmt: skip
    row = "al2023-py311 done 23 18 5 0 0 184 MB 1 min 05 s /srv/dist/al2023-py311"
    assert " ".join(first.split()) == row
    assert " ".join(second.split()) == "gpu failed 0 0 0 0 1 0 3.0 s"
    assert message.strip() == "1 of 4 failed"


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100])
def test_the_table_fits_and_keeps_its_facts(width: int) -> None:
    text = table(width, DONE, FAILED)
    assert all(cell_width(each) <= max(width, 28) for each in text.splitlines())
    for fact in ("al2023-py311", "done", "23", "18", "184 MB", "gpu", "failed", "/srv/dist"):
        assert fact in text


def test_a_target_that_was_stopped_says_where() -> None:
    text = table(100, PhaseStarted(target="deb", phase="prove"))
    assert "stopped" in text
    assert "stopped in phase prove" in text
    assert "wheels" not in text


def _fetching(*how: How) -> list[Event]:
    """A target whose wheels are of the index, each there in its own way."""
    events: list[Event] = [PhaseStarted(target="deb", phase="wheels", total=len(how))]
    for number, each in enumerate(how):
        events += [
            StepStarted(target="deb", step=f"p{number}", phase="fetch"),
            replace(finished(f"p{number}", "done", "fetch"), how=each),
        ]
    return events


def test_what_was_in_the_store_is_not_told_as_fetched() -> None:
    end = replace(DONE, target="deb", counts={"fetched": 3, "built": 0, "reused": 0})
    events = _fetching("stored", "", "stored")
    assert running(*events).targets["deb"].counts == {"stored": 2, "fetched": 1}
    assert tally(running(*events).targets["deb"].counts) == "1 fetched · 2 stored"
    head, _, row = table(None, *events, end).splitlines()
    assert head.split()[2:6] == ["wheels", "fetched", "stored", "built"]
    assert row.split()[2:6] == ["23", "1", "2", "0"]
    assert tally(running(*events, end).targets["deb"].final_counts) == "1 fetched · 2 stored"


def test_what_is_taken_again_after_a_proof_was_fetched_all_the_same() -> None:
    events = [*_fetching(""), *_fetching("stored")]
    assert running(*events).targets["deb"].counts == {"fetched": 1}


def test_no_targets_no_table() -> None:
    assert table(80) == ""


def test_lines_are_clipped_and_wrapped_between_spans() -> None:
    spans = line("abc ", Span("def ghi", "bad"))
    assert to_text(clip_line(spans, 7)) == "abc de…"
    assert [to_text(each) for each in wrap_line(spans, 8)] == ["abc def", "  ghi"]
    assert to_text(wrap_line(spans, 80)[0]) == "abc def ghi"
    assert to_ansi(spans) == "abc \x1b[1;31mdef ghi\x1b[0m"


def test_terminals_without_unicode() -> None:
    assert encodable("✓ 5 … → é", "ascii") == "+ 5 ... -> \\xe9"
    narrow = encodable("✓ 5 … 日本", "ascii", same_width=True)
    assert narrow == "+ 5 ~ ??"
    assert encodable("é", "latin-1") == "é"
    assert encodable("é", "no-such-encoding") == "\\xe9"


def test_a_step_with_a_long_name_is_told_apart_on_a_common_terminal() -> None:
    step = StepStarted(target=None, step="image portable python (3.13)", phase="images")
    shown = [to_text(each) for each in frame(running(step), 1.0, 100, 20, output)]
    assert any("preparing image portable python (3.13)" in each for each in shown)
