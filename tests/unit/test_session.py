"""One job in one container: what goes in, what may come out, and how it may end."""

from __future__ import annotations

import io
import itertools
import json
import random
import subprocess
import sys
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import RESULT, FakeContainer, FakeEngine, file_frame, frame

from wheelhouse.agent.init import ABANDONED, CONTAINER_FULL, MACHINE_FULL
from wheelhouse.engine import ContainerSpec, Exit, Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.engine.frames import FrameReader, JobDiedError, ProtocolError
from wheelhouse.engine.jobs import BOOTSTRAP, Input, Job, agent_digest, pack
from wheelhouse.engine.session import JobFailedError, LineListener, Reply, run_job
from wheelhouse.errors import InterruptedRunError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.engine import Pipe

SOON = 5.0


# --- reading frames ---------------------------------------------------------------------------


def reader(folder: Path, limit: int = 1 << 20) -> FrameReader:
    return FrameReader(folder, max_bytes=limit)


def feed(frames: FrameReader, chunks: list[bytes]) -> list[dict[str, Any]]:
    try:
        return [message for chunk in chunks for message in frames.feed(chunk)]
    finally:
        frames.close()


def test_frames_survive_any_chunking(tmp_path: Path) -> None:
    chance = random.Random(7)
    for case in range(60):
        folder = tmp_path / str(case)
        folder.mkdir()
        bodies = {
            f"file-{number}": chance.randbytes(chance.choice([0, 1, 5, 3000]))
            for number in range(4)
        }
        phases = [{"type": "phase", "phase": f"p{number}", "size": 0} for number in range(3)]
        parts = [file_frame(name, body) for name, body in bodies.items()]
        parts += [frame(phase) for phase in phases]
        chance.shuffle(parts)
        stream = b"".join([*parts, RESULT, b"whatever follows"])
        cuts = sorted(
            chance.sample(range(len(stream)), min(chance.choice([0, 3, 40]), len(stream)))
        )
        chunks = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
        frames = reader(folder)
        messages = feed(frames, chunks)
        assert sorted(each["phase"] for each in messages[:-1]) == ["p0", "p1", "p2"]
        assert frames.answer == messages[-1] == {"type": "result", "value": 1, "size": 0}
        assert {name: path.read_bytes() for name, path in frames.files.items()} == bodies


def test_byte_by_byte(tmp_path: Path) -> None:
    stream = file_frame("a.whl", b"body") + RESULT
    frames = reader(tmp_path)
    feed(frames, [bytes([byte]) for byte in stream])
    assert frames.answer is not None
    assert frames.files["a.whl"].read_bytes() == b"body"


def test_nothing_after_the_answer_is_read(tmp_path: Path) -> None:
    frames = reader(tmp_path)
    feed(frames, [RESULT + file_frame("late", b"x"), file_frame("later", b"x")])
    assert frames.files == {}
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_breaks_off_is_no_answer(tmp_path: Path) -> None:
    frames = reader(tmp_path)
    assert feed(frames, [file_frame("a.whl", b"bo", size=4)]) == []
    assert frames.answer is None


def test_many_small_messages_in_one_chunk_take_linear_time(tmp_path: Path) -> None:
    frames = reader(tmp_path)
    started = time.monotonic()
    feed(frames, [frame({"type": "x"}) * 40_000])
    assert time.monotonic() - started < 2


HOSTILE = {
    "a huge length": b"\xff\xff\xff\xff",
    "no JSON": frame(b"not json"),
    "no UTF-8": frame(b'{"type": "\xff\xfe"}'),
    "an empty header": frame(b""),
    "a list": frame([1]),
    "no type": frame({"size": 0}),
    "a type that is a list": frame({"type": ["file"]}),
    "nested without end": frame(b"[" * 100_000),
    "a huge number": frame(b'{"type": "file", "name": "a", "size": ' + b"9" * 10_000 + b"}"),
    "a file without name": frame({"type": "file", "size": 1}),
    "a file without size": frame({"type": "file", "name": "a"}),
    "a negative size": file_frame("a", b"", size=-1),
    "a fraction": file_frame("a", b"", size=1.5),
    "a size that is true": file_frame("a", b"x", size=True),
    "a path": file_frame("../a", b"x"),
    "an absolute path": file_frame("/etc/passwd", b"x"),
    "a folder's name": file_frame("..", b"x"),
    "no name": file_frame("", b"x"),
    "NUL": file_frame("a\0b", b"x"),
    "a line break": file_frame("a\nb", b"x"),
    "an escape": file_frame("\x1b[2Ja", b"x"),
    "a lone surrogate": file_frame("\ud800", b"x"),
    "a name too long for a disk": file_frame("a" * 256, b"x"),
    "a name too long in bytes": file_frame("ü" * 200, b"x"),
    "a name that is a number": file_frame(7, b"x"),
    "the same name twice": file_frame("a", b"x") * 2,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_frames_are_refused(tmp_path: Path, case: str) -> None:
    with pytest.raises(ProtocolError):
        feed(reader(tmp_path), [HOSTILE[case]])
    assert not (tmp_path.parent / "a").exists()


@pytest.mark.parametrize(
    "chunks",
    [[file_frame("a", b"", size=101)], [file_frame("a", b"x" * 60), file_frame("b", b"x" * 60)]],
)
def test_more_than_the_limit_is_refused_before_it_is_written(
    tmp_path: Path, chunks: list[bytes]
) -> None:
    with pytest.raises(JobDiedError, match="more than the limit") as told:
        feed(reader(tmp_path, limit=100), chunks)
    assert told.value.cause == "output"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100


def test_damaged_streams_raise_nothing_else(tmp_path: Path) -> None:
    chance = random.Random(11)
    sound = file_frame("a.whl", b"body") + frame({"type": "phase", "phase": "x"}) + RESULT
    for case in range(400):
        folder = tmp_path / str(case)
        folder.mkdir()
        stream = bytearray(sound)
        for _ in range(chance.choice([1, 2, 8])):
            stream[chance.randrange(len(stream))] = chance.randrange(256)
        try:
            feed(reader(folder), [bytes(stream)])
        except JobDiedError:
            continue


# --- what goes in -----------------------------------------------------------------------------


def read_back(job: Job) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(pack(job)))) as tar:
        for member in tar:
            assert (member.isfile(), member.mode) == (True, 0o644)
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    return found


def test_what_is_packed_can_be_unpacked(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"0123456789" * 250_000)
    name = "requires/" + "long-" * 40 + "ü.whl"
    job = Job(
        kind="build",
        parameters={"text": "ü", "list": [1]},
        inputs=[
            Input(name="sdist/demo.tar.gz", source=big),
            Input(name=name, source=b"memory"),
            Input(name="empty", source=b""),
            Input(name="block", source=bytes(512)),
        ],
    )
    found = read_back(job)
    assert json.loads(found.pop("job.json")) == {"kind": "build", "text": "ü", "list": [1]}
    assert found["sdist/demo.tar.gz"] == big.read_bytes()
    assert found[name] == b"memory"
    assert found["empty"] == b""
    assert found["block"] == bytes(512)
    assert "agent/wheelhouse_agent/main.py" in found


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 << 20))
    blocks = pack(Job(kind="build", parameters={}, inputs=[Input(name="x", source=path)]))
    taken = 0
    with pytest.raises(StorageError, match="shrank"):
        for block in blocks:
            taken += len(block)
            if taken > 1 << 20:
                path.write_bytes(b"")


def test_the_agent_takes_the_job_and_answers(tmp_path: Path) -> None:
    """The two sides of the protocol, through real pipes."""
    root = tmp_path / "root"
    root.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", BOOTSTRAP, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    frames = reader(tmp_path)
    with process:
        for block in pack(Job(kind="no-such-kind", parameters={})):
            process.stdin.write(block)
        process.stdin.flush()
        feed(frames, [process.stdout.read()])
    assert frames.answer is not None
    assert (frames.answer["type"], frames.answer["stage"]) == ("failed", "job")


def test_each_kind_of_job_has_its_own_digest() -> None:
    assert len({agent_digest(kind) for kind in ("build", "metadata", "probe", "prove")}) == 4
    assert agent_digest("build") == agent_digest("build")


# --- a job's life -----------------------------------------------------------------------------


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.log = bytearray()
        self.phases: list[str] = []

    def output(self, data: bytes) -> None:
        self.log += data

    def phase(self, name: str) -> None:
        self.phases.append(name)


def run(
    container: FakeContainer,
    folder: Path,
    *,
    heard: Heard | None = None,
    cancellation: Cancellation | None = None,
    job: Job | None = None,
    **limits: Any,
) -> Reply:
    spec = ContainerSpec(image="i", argv=("x",), purpose="test", limits=Limits(**limits))
    try:
        return run_job(
            FakeEngine(container),
            spec,
            job or Job(kind="build", parameters={"a": 1}),
            results=folder,
            listener=heard or Heard(),
            cancellation=cancellation or Cancellation(),
        )
    finally:
        assert container.open == 0


def test_a_job_that_succeeds(tmp_path: Path) -> None:
    heard = Heard()
    container = FakeContainer(
        [
            ("stdout", frame({"type": "phase", "phase": "building"})),
            ("stderr", b"compiling\n"),
            ("stdout", file_frame("demo.whl", b"wheel") + RESULT[:5]),
            ("stderr", b"done\n"),
            ("stdout", RESULT[5:]),
        ]
    )
    reply = run(container, tmp_path, heard=heard)
    assert reply.message["value"] == 1
    assert reply.files["demo.whl"].read_bytes() == b"wheel"
    assert heard.phases == ["building"]
    assert heard.log == b"compiling\ndone\n"


def test_the_job_is_sent(tmp_path: Path) -> None:
    def sent(container: FakeContainer) -> None:
        until = time.monotonic() + SOON
        while b"main.py" not in container.fed and time.monotonic() < until:
            time.sleep(0.001)

    container = FakeContainer([("stdout", RESULT)], before=sent)
    run(container, tmp_path)
    assert bytes(container.fed).startswith(b"job.json\0")


@pytest.mark.parametrize(
    "phase",
    [{"type": "phase"}, {"type": "phase", "phase": None}, {"type": "news", "phase": ["x"]}],
)
def test_a_strange_phase_harms_nothing(tmp_path: Path, phase: dict[str, Any]) -> None:
    container = FakeContainer([("stdout", frame(phase)), ("stdout", RESULT)])
    assert run(container, tmp_path).message["value"] == 1


def failing(tmp_path: Path, heard: list[dict[str, Any]], **answer: object) -> JobFailedError:
    """What is told of a job that says *heard*, then *answer*."""
    frames = [frame(each) for each in (*heard, {"type": "failed", "stage": "build", **answer})]
    with pytest.raises(JobFailedError) as told:
        run(FakeContainer([("stdout", each) for each in frames]), tmp_path)
    return told.value


def test_a_job_that_fails_says_where(tmp_path: Path) -> None:
    reached = {"memory": "", "processes": False, "files": 0}
    error = failing(tmp_path, [], message="no compiler", reached=reached)
    assert (error.stage, error.message) == ("build", "no compiler")


@pytest.mark.parametrize(
    ("reached", "stage", "words"),
    [
        ({"memory": "container", "processes": True}, "memory", "ran out of memory"),
        ({"memory": "container", "files": 90 << 20}, "memory", "its files took 94 MB"),
        ({"memory": "container", "files": "90"}, "memory", "ran out of memory"),
        ({"memory": "machine"}, "machine-memory", "the machine's memory"),
        ({"memory": "", "processes": True}, "processes", "gcc failed"),
        ({"processes": "many"}, "build", "gcc failed"),
        ([1], "build", "gcc failed"),
    ],
)
def test_a_failure_beside_a_limit_is_told_as_that(
    tmp_path: Path, reached: object, stage: str, words: str
) -> None:
    error = failing(tmp_path, [], message="gcc failed", reached=reached)
    assert (error.stage, words in error.message) == (stage, True)


def test_a_result_that_a_kill_for_memory_had_a_part_in_is_none(tmp_path: Path) -> None:
    result = {"type": "result", "reached": {"memory": "container"}}
    with pytest.raises(JobFailedError, match="though it went on") as told:
        run(FakeContainer([("stdout", frame(result))]), tmp_path)
    assert told.value.stage == "memory"


def test_what_was_looked_for_on_a_network_is_told(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = [
        {"type": "wanted", "place": place} for place in ("pypi.org", "\x1b[2Jx" * 900, 7)
    ]
    first, second, third = failing(tmp_path, heard, message="x").wanted
    assert (first, third) == ("pypi.org", "7")
    assert "\x1b" not in second
    assert len(second) <= 300
    heard = [{"type": "wanted", "place": str(number)} for number in range(99)]
    assert len(failing(tmp_path, heard, message="x").wanted) < 20


def test_who_forks_without_end_is_late_for_that(tmp_path: Path) -> None:
    container = FakeContainer([("stdout", frame({"type": "crowded"}))])
    with pytest.raises(JobDiedError, match="did not end within") as told:
        run(container, tmp_path, deadline=0.05)
    assert told.value.cause == "crowded"


@pytest.mark.parametrize(
    ("exit", "cause", "words"),
    [
        (Exit(status=137, out_of_memory=True), "memory", "ran out of memory"),
        (Exit(status=CONTAINER_FULL), "memory", "ran out of memory"),
        (Exit(status=MACHINE_FULL), "machine-memory", "the machine's memory"),
        (Exit(status=137, from_outside=True), "outside", "docker kill"),
        (Exit(status=137), "killed", "status 137"),
        (Exit(status=0), "killed", "status 0"),
        (Exit(status=None), "engine", "engine stopped"),
        (Exit(status=ABANDONED), "engine", "engine stopped"),
    ],
)
def test_without_an_answer_the_end_is_explained(
    tmp_path: Path,
    exit: Exit,  # noqa: A002
    cause: str,
    words: str,
) -> None:
    container = FakeContainer([("stderr", b"..."), ("stdout", RESULT[:-1])], exit)
    with pytest.raises(JobDiedError, match=words) as told:
        run(container, tmp_path)
    assert told.value.cause == cause


def test_a_job_that_never_ends_is_ended(tmp_path: Path) -> None:
    container = FakeContainer([("stderr", b"still working\n")])
    started = time.monotonic()
    with pytest.raises(JobDiedError, match="did not end within") as told:
        run(container, tmp_path, deadline=0.05)
    assert told.value.cause == "deadline"
    assert container.killed.is_set()
    assert not container.asked
    assert time.monotonic() - started < 2


def test_an_answer_in_time_is_not_called_late(tmp_path: Path) -> None:
    container = FakeContainer([("stdout", RESULT)])
    run(container, tmp_path, deadline=0.2)
    time.sleep(0.25)
    assert not container.killed.is_set()


def test_of_an_endless_log_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    heard = Heard()
    lines: list[tuple[Pipe, bytes]] = [("stderr", b"line %04d\n" % number) for number in range(999)]
    run(FakeContainer([*lines, ("stdout", RESULT)]), tmp_path, heard=heard, output=4096)
    kept = heard.log.decode().splitlines()
    assert kept[0] == "line 0000"
    assert kept[-2] == "line 0998"
    note = "5.9 kB of this log are left out above: it has more than `output` under [limits]"
    assert kept[-1].startswith(f"wheelhouse: {note}")
    assert kept[-1].endswith("which is 4KiB")
    assert len(heard.log) < 4096 + 500


def test_a_log_within_its_limit_is_kept_as_it_is(tmp_path: Path) -> None:
    heard = Heard()
    chatter: list[tuple[Pipe, bytes]] = [("stderr", b"x" * 70), ("stderr", b"y" * 30)]
    run(FakeContainer([*chatter, ("stdout", RESULT)]), tmp_path, heard=heard, output=100)
    assert heard.log == b"x" * 70 + b"y" * 30


def test_a_hostile_answer_ends_the_job(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError):
        run(FakeContainer([("stdout", HOSTILE["a path"])]), tmp_path)
    with pytest.raises(JobDiedError, match="limit"):
        run(FakeContainer([("stdout", file_frame("a", b"", size=11))]), tmp_path, result=10)


def test_cancelling_kills_what_runs(tmp_path: Path) -> None:
    cancellation = Cancellation()
    container = FakeContainer([], before=lambda _: cancellation.cancel())
    with pytest.raises(InterruptedRunError):
        run(container, tmp_path, cancellation=cancellation)
    assert container.killed.is_set()
    assert not container.asked, "an engine may be long in telling what is known"


def test_after_cancelling_nothing_starts(tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    container = FakeContainer([("stdout", RESULT)])
    engine = FakeEngine(container)
    spec = ContainerSpec(image="i", argv=("x",), purpose="test", limits=Limits())
    job = Job(kind="build", parameters={})
    with pytest.raises(InterruptedRunError):
        run_job(engine, spec, job, results=tmp_path, listener=Heard(), cancellation=cancellation)
    assert engine.started == []


def test_a_container_that_starts_just_too_late_is_killed() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    container = FakeContainer([])
    cancellation.add(container)
    assert container.killed.is_set()


def test_what_is_over_is_not_killed(tmp_path: Path) -> None:
    cancellation = Cancellation()
    container = FakeContainer([("stdout", RESULT)])
    run(container, tmp_path, cancellation=cancellation)
    cancellation.cancel()
    assert not container.killed.is_set()


def test_an_input_that_cannot_be_read_ends_the_job_at_once(tmp_path: Path) -> None:
    missing = Input(name="sdist/x", source=tmp_path / "not-there")
    container = FakeContainer([])
    started = time.monotonic()
    with pytest.raises(StorageError, match="not-there"):
        run(container, tmp_path, job=Job(kind="build", parameters={}, inputs=[missing]))
    assert container.killed.is_set()
    assert time.monotonic() - started < 2


def test_a_container_that_ends_while_it_is_fed_is_explained(tmp_path: Path) -> None:
    container = FakeContainer([], Exit(status=1), before=FakeContainer.kill)
    with pytest.raises(JobDiedError, match="status 1"):
        run(container, tmp_path)


# --- the log ----------------------------------------------------------------------------------


def test_a_listener_keeps_everything_and_shows_the_newest_line() -> None:
    log, lines, phases = io.BytesIO(), list[bytes](), list[str]()
    listener = LineListener(log, lines.append, phases.append, interval=0)
    for data in (b"one\ntwo\n", b"\n\n", b"three\nfour"):
        listener.output(data)
    listener.phase("building")
    assert log.getvalue() == b"one\ntwo\n\n\nthree\nfour"
    assert lines == [b"two", b"four"]
    assert phases == ["building"]


def test_a_listener_does_not_show_too_often() -> None:
    lines: list[bytes] = []
    listener = LineListener(io.BytesIO(), lines.append, lambda _: None, interval=60)
    for number in range(100):
        listener.output(b"%d\n" % number)
    assert lines == [b"0"]


def test_a_log_that_lags_behind_the_answer_is_kept(tmp_path: Path) -> None:
    heard = Heard()
    container = FakeContainer([("stdout", RESULT), ("stderr", b"the last words")])
    run(container, tmp_path, heard=heard)
    assert heard.log == b"the last words"


def test_who_does_not_end_after_the_answer_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wheelhouse.engine.session.PARTING", 0.05)
    container = FakeContainer([("stdout", RESULT), ("stdout", b"more")], lingering=True)
    assert run(container, tmp_path).message["value"] == 1
    assert container.killed.is_set()


def test_a_file_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(JobDiedError, match="nobody asked for"):
        list(FrameReader(None, max_bytes=10).feed(file_frame("x.whl", b"x")))
