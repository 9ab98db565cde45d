"""Building one wheel: from recipe to record, and every way in which it can go wrong."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import FakeContainer, FakeEngine, file_frame, frame
from lockingfactory import locked, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.building.build import build_wheel, known_build
from wheelhouse.building.durations import EMULATION, Pace
from wheelhouse.building.recipe import EARLIEST, Recipe, Supply
from wheelhouse.building.runner import TAIL, Failure, Runner, tail
from wheelhouse.engine import Exit, Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.engine.jobs import Job
from wheelhouse.errors import (
    BuildError,
    EngineError,
    InterruptedRunError,
    SeveralErrors,
    WheelhouseError,
)
from wheelhouse.events import Event, StepOutput
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.leftovers import NAMES
from wheelhouse.locking.model import BuildRequirement, LockedBuild, LockedPackage
from wheelhouse.plan import Step
from wheelhouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.engine import Pipe
    from wheelhouse.plan import Built

SDIST = b"an sdist"
TOOL = b"a wheel of setuptools"
NAME = canonicalize_name("demo")
WHEEL_NAME = "demo-1.0-py3-none-any.whl"
SECONDS = {"prepare": 1.0, "build": 2.5}


class Remembering:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def setuptools() -> BuildRequirement:
    return BuildRequirement(
        name=canonicalize_name("setuptools"),
        version=Version("80.1"),
        file=locked("setuptools-80.1-py3-none-any.whl", sha256=sha(TOOL)),
    )


def recipe(**more: Any) -> Recipe:
    return Recipe(
        **{
            "sdist": locked("demo-1.0.tar.gz", sha256=sha(SDIST)),
            "image": "sha256:builder",
            "python": "/usr/bin/python3",
            "tool_python": "/opt/tools/bin/python",
            "tool_path": "/opt/tools/bin",
            "environment": (setuptools(),),
            **more,
        }
    )


def a_step(key: str = "c" * 64) -> Step:
    made = recipe()
    build = LockedBuild(static=(), dynamic=(), environment=made.environment)
    package = LockedPackage(name=NAME, version=Version("1.0"), build=build)
    return Step(
        action="build", package=package, file=made.sdist, reason="why", recipe=made, key=key
    )


def wheel(members: dict[str, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo.py", b"")
        for name, content in (members or {}).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def result(*files: tuple[str, bytes], **more: Any) -> FakeContainer:
    message = {"type": "result", "seconds": SECONDS, "repaired": False, **more}
    script: list[tuple[Pipe, bytes]] = [("stderr", b"building\n")]
    script += [("stdout", file_frame(name, body)) for name, body in files]
    return FakeContainer([*script, ("stdout", frame(message))])


def failed(stage: str, message: str, log: bytes = b"", **more: Any) -> FakeContainer:
    answer = {"type": "failed", "stage": stage, "message": message, **more}
    return FakeContainer([("stderr", log), ("stdout", frame(answer))])


class Workshop:
    """A store with what the recipe needs, and a runner on containers that say what they must."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.store.add([SDIST])
        self.store.add([TOOL])
        self.reporter = Remembering()
        self.cancellation = Cancellation()
        self.fetcher = Fetcher(Client(), self.store, self.cancellation.check)

    def runner(self, *containers: FakeContainer) -> Runner:
        self.engine = FakeEngine(*containers)
        return Runner(self.engine, self.store, Limits(), self.reporter, self.cancellation)

    def build(self, *containers: FakeContainer, step: Step | None = None) -> Built:
        return build_wheel(
            step or a_step(),
            target(),
            runner=self.runner(*containers),
            fetcher=self.fetcher,
        )

    def leftovers(self) -> list[Path]:
        return list((self.store.root / "tmp").iterdir())


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "store")


# --- a build that succeeds --------------------------------------------------------------------


def test_a_build_is_kept_with_its_record(shop: Workshop) -> None:
    data = wheel()
    built = shop.build(result((WHEEL_NAME, data)))
    assert (built.filename, built.sha256) == (WHEEL_NAME, sha(data))
    assert shop.store.verified(built.sha256)
    assert known_build(shop.store, "c" * 64) == built
    assert built.facts["seconds"] == SECONDS
    assert (built.facts["repaired"], built.facts["grafted"]) == (False, [])
    assert shop.leftovers() == []
    assert expected(shop) == 3.5


def test_what_is_known_is_not_built_again(shop: Workshop) -> None:
    first = shop.build(result((WHEEL_NAME, wheel())))
    again = shop.build(FakeContainer([], Exit(status=1)))
    assert again == first
    assert shop.engine.started == []


def test_two_runs_at_once_build_once(shop: Workshop) -> None:
    data, go = wheel(), threading.Event()
    slow = result((WHEEL_NAME, data))
    slow.before = lambda _: wait_for(go)
    runner = shop.runner(slow)
    found: list[Built] = []

    def build() -> None:
        found.append(build_wheel(a_step(), target(), runner=runner, fetcher=shop.fetcher))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert len(shop.engine.started) == 1


def wait_for(event: threading.Event) -> None:
    assert event.wait(5)


def test_a_build_whose_wheel_was_lost_is_unknown(shop: Workshop) -> None:
    built = shop.build(result((WHEEL_NAME, wheel())))
    shop.store.blob(built.sha256).unlink()
    assert known_build(shop.store, "c" * 64) is None


@pytest.mark.parametrize("damage", [{}, {"sha256": "../x", "filename": "a", "facts": {}}])
def test_a_record_of_another_form_is_unknown(shop: Workshop, damage: dict[str, Any]) -> None:
    shop.store.write_record("build", "key", damage)
    assert known_build(shop.store, "key") is None


def test_the_grafted_libraries_are_told(shop: Workshop) -> None:
    sbom = {
        "metadata": {"component": {"name": "demo"}},
        "components": [
            {"name": "demo", "version": "1.0"},
            {"name": "libpq5", "version": "15.8"},
            {"name": "libssl3"},
        ],
    }
    member = {"demo-1.0.dist-info/sboms/auditwheel.cdx.json": json.dumps(sbom).encode()}
    built = shop.build(result((WHEEL_NAME, wheel(member)), repaired=True))
    assert built.facts["grafted"] == ["libpq5 15.8", "libssl3"]
    assert built.facts["repaired"] is True


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"components": 7}', b'{"components": ["x"]}', b"\xff", b"[" * 100_000],
)
def test_a_strange_list_of_grafted_libraries_harms_nothing(shop: Workshop, content: bytes) -> None:
    member = {"demo-1.0.dist-info/sboms/auditwheel.cdx.json": content}
    assert shop.build(result((WHEEL_NAME, wheel(member)))).facts["grafted"] == []


def test_a_huge_list_of_grafted_libraries_is_not_read(shop: Workshop) -> None:
    member = {
        "demo-1.0.dist-info/sboms/auditwheel.cdx.json": b'{"components": [{"name": "x"}]}'
        + b" " * (64 << 20)
    }
    assert shop.build(result((WHEEL_NAME, wheel(member)))).facts["grafted"] == []


def test_no_zip_at_all_is_for_the_check_to_tell(shop: Workshop) -> None:
    assert shop.build(result((WHEEL_NAME, b"no zip"))).facts["grafted"] == []


# --- what goes in -----------------------------------------------------------------------------


def test_what_a_container_gets(tmp_path: Path) -> None:
    made = recipe(env={"CFLAGS": "-O1"}, config_settings={"a": ("1", "2")})
    tool = Supply(
        name=setuptools().name,
        version=setuptools().version,
        filename=setuptools().file.filename,
        sha256=sha(TOOL),
        path=tmp_path / "tool",
    )
    job = made.job("build", tmp_path / "sdist", [tool], policy="manylinux_2_36_x86_64")
    assert [each.name for each in job.inputs] == [
        "sdist/demo-1.0.tar.gz",
        "requires/setuptools-80.1-py3-none-any.whl",
    ]
    assert job.parameters["requirements"] == [f"setuptools==80.1 --hash=sha256:{sha(TOOL)}"]
    assert job.parameters["env"]["CFLAGS"] == "-O1"
    assert job.parameters["policy"] == "manylinux_2_36_x86_64"
    assert json.dumps(job.parameters)


@pytest.mark.parametrize(
    ("uploaded", "epoch"),
    [
        (None, EARLIEST),
        (datetime(1970, 1, 1, tzinfo=UTC), EARLIEST),
        (datetime(2024, 5, 1, tzinfo=UTC), 1714521600),
        (datetime(2200, 1, 1, tzinfo=UTC), 4354819198),
    ],
)
def test_the_time_of_a_build_fits_into_an_archive(uploaded: datetime | None, epoch: int) -> None:
    made = recipe(sdist=locked("demo-1.0.tar.gz", upload_time=uploaded))
    moment = int(made.variables()["SOURCE_DATE_EPOCH"])
    assert moment == epoch
    date = datetime.fromtimestamp(moment, UTC).timetuple()[:6]
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr(zipfile.ZipInfo("x", date), b"")


def test_the_sdist_and_the_requirements_are_sent(shop: Workshop) -> None:
    container = result((WHEEL_NAME, wheel()))
    container.before = wait_until_fed
    shop.build(container)
    with tarfile.open(fileobj=io.BytesIO(bytes(container.fed))) as tar:
        names = tar.getnames()
    assert names[0] == "job.json"
    assert names[-2:] == ["sdist/demo-1.0.tar.gz", "requires/setuptools-80.1-py3-none-any.whl"]


def wait_until_fed(container: FakeContainer) -> None:
    for _ in range(2000):
        if container.fed.endswith(bytes(tarfile.RECORDSIZE)):
            return
        threading.Event().wait(0.001)


# --- a build that fails -----------------------------------------------------------------------


def refused(shop: Workshop, container: FakeContainer) -> BuildError:
    with pytest.raises(BuildError) as told:
        shop.build(container)
    assert told.value.log is not None
    assert told.value.log.is_file()
    assert shop.leftovers() == []
    assert known_build(shop.store, "c" * 64) is None
    return told.value


def test_a_failed_build_names_package_cause_and_log(shop: Workshop) -> None:
    log = b"demo.c:1:10: fatal error: ffi.h: No such file or directory\n"
    error = refused(shop, failed("build", "the backend failed", log))
    assert error.message == "demo 1.0 cannot be built: the header ffi.h is missing in the builder"
    assert error.log is not None
    assert error.log.read_bytes() == log


def test_a_compiler_killed_for_memory_is_not_called_an_error_of_the_code(shop: Workshop) -> None:
    log = b"gcc: fatal error: Killed signal terminated program cc1plus\n"
    reached = {"memory": "container"}
    error = refused(shop, failed("build", "the backend failed", log, reached=reached))
    assert "out of memory" in error.message


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "0 files instead of one wheel"),
        ([("a.whl", b"x"), ("b.whl", b"y")], "2 files instead of one wheel"),
    ],
)
def test_one_wheel_and_nothing_else(
    shop: Workshop, files: list[tuple[str, bytes]], words: str
) -> None:
    assert words in refused(shop, result(*files)).message


@pytest.mark.parametrize("more", [{"seconds": 7}, {"seconds": {"x": "y"}}, {"seconds": None}])
def test_strange_facts_harm_nothing(shop: Workshop, more: dict[str, Any]) -> None:
    assert shop.build(result((WHEEL_NAME, wheel()), **more)).facts["seconds"] == {}


def test_a_container_that_dies_is_explained(shop: Workshop) -> None:
    error = refused(shop, FakeContainer([("stderr", b"x\n")], Exit(status=137, out_of_memory=True)))
    assert "out of memory" in error.message


def test_an_engine_that_stops_is_no_failed_build(shop: Workshop) -> None:
    with pytest.raises(EngineError, match="engine stopped") as told:
        shop.build(FakeContainer([("stderr", b"error: x\n")], Exit(status=None)))
    assert told.value.log is not None


def test_a_stopped_run_is_no_failed_build(shop: Workshop) -> None:
    with pytest.raises(InterruptedRunError):
        shop.build(FakeContainer([], before=lambda _: shop.cancellation.cancel()))
    assert shop.leftovers() == []


def test_a_stopped_run_does_not_wait_for_another_that_builds_the_same(shop: Workshop) -> None:
    with shop.store.lock("build-" + "c" * 32):
        timer = threading.Timer(0.05, shop.cancellation.cancel)
        timer.start()
        with pytest.raises(InterruptedRunError):
            shop.build(result((WHEEL_NAME, wheel())))


def test_a_failure_is_not_remembered(shop: Workshop) -> None:
    refused(shop, failed("build", "no luck"))
    assert shop.build(result((WHEEL_NAME, wheel()))).filename == WHEEL_NAME


# --- the runner -------------------------------------------------------------------------------


def run(shop: Workshop, container: FakeContainer, step: str = "demo") -> Path:
    with shop.store.workspace() as results:
        _, log = shop.runner(container).run(
            Job(kind="build", parameters={}),
            image="i",
            argv=("x",),
            target="web",
            step=step,
            results=results,
        )
    return log


def test_lines_are_shown_without_what_a_terminal_would_obey(shop: Workshop) -> None:
    script: list[tuple[Pipe, bytes]] = [("stderr", b"\x1b]0;title\x07::set-env name=x::y\r\n")]
    log = run(shop, FakeContainer([*script, *result().script]))
    shown = [event for event in shop.reporter.events if isinstance(event, StepOutput)]
    assert shown[0].line.strip() == ": :set-env name=x::y"
    assert log.read_bytes().startswith(b"\x1b]0;")  # the log itself is whole


def test_a_step_of_any_name_has_a_log(shop: Workshop) -> None:
    log = run(shop, result(), "metadata ../../é\n" + "x" * 300)
    assert log.parent == shop.store.logs
    assert NAMES["logs"].fullmatch(log.name), "or it is never removed"
    assert log.name.isascii()


def test_a_failure_has_the_end_of_its_log(shop: Workshop) -> None:
    noise = b"x" * 99 + b"\n"
    container = failed("build", "why", noise * 2000 + b"\xff the end")
    with pytest.raises(Failure, match="why") as told:
        run(shop, container)
    assert len(told.value.tail) <= TAIL
    assert told.value.tail.endswith("\ufffd the end")
    assert told.value.log.stat().st_size == 200_009


def test_an_empty_log_has_an_empty_end(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert tail(tmp_path / "log") == ""


def test_an_error_in_the_block_names_the_log(shop: Workshop) -> None:
    with (
        pytest.raises(WheelhouseError, match="mine") as told,
        shop.runner(result()).listening("web", "demo") as (_, path),
    ):
        raise WheelhouseError("mine")
    assert told.value.log == path


def test_each_of_several_errors_names_the_log(shop: Workshop) -> None:
    several = SeveralErrors([WheelhouseError("one"), WheelhouseError("two")])
    with (
        pytest.raises(SeveralErrors),
        shop.runner(result()).listening("web", "demo") as (_, path),
    ):
        raise several
    assert [each.log for each in several.errors] == [path, path]


# --- what a build will cost -------------------------------------------------------------------


def test_the_cost_is_guessed_from_the_size_until_it_is_known(shop: Workshop) -> None:
    assert expected(shop) == len(SDIST) / 200_000
    assert expected(shop, size=400_000) == 2.0
    assert expected(shop, sha256=sha("not there")) == 0.0


def test_emulation_costs_a_multiple_until_it_is_known(shop: Workshop) -> None:
    assert expected(shop, emulated=True, size=400_000) == 2.0 * EMULATION
    Pace(store=shop.store, emulated=False).remember(NAME, 5.0)
    assert expected(shop, emulated=True) == 5.0 * EMULATION
    Pace(store=shop.store, emulated=True).remember(NAME, 44.0)
    assert expected(shop, emulated=True) == 44.0
    assert expected(shop) == 5.0


@pytest.mark.parametrize(("arch", "emulated"), [("x86_64", False), ("aarch64", True)])
def test_what_the_engine_does_not_run_itself_is_emulated(
    shop: Workshop, arch: str, emulated: bool
) -> None:
    pace = Pace.of(shop.runner(result()).engine, shop.store, replace(target(), arch=arch))
    assert pace.emulated == emulated


def expected(shop: Workshop, *, emulated: bool = False, **file: Any) -> float:
    sdist = replace(a_step().file, **file)
    return Pace(store=shop.store, emulated=emulated).expected(NAME, sdist)
