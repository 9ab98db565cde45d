"""Single containers of the `docker` engine: what they are given, and how their end is told."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from wheelhouse.engine import MIB, ContainerSpec, Exit, Limits
from wheelhouse.engine.docker import DockerEngine
from wheelhouse.engine.docker_connect import connect
from wheelhouse.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.containers

RUNTIME = "WHEELHOUSE_TEST_RUNTIME_IMAGE"


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    made = DockerEngine(connect(), images=None)  # type: ignore[arg-type]  # it only starts
    yield made
    made.close()


def spec(*argv: str, image: str = "") -> ContainerSpec:
    limits = Limits(memory=64 * MIB, deadline=60)
    return ContainerSpec(
        image=image or os.environ[RUNTIME], argv=argv, purpose="a test", limits=limits
    )


def run(engine: DockerEngine, *argv: str) -> tuple[bytes, Exit]:
    """What a container printed, and how it ended."""
    with engine.start(spec(*argv)) as container:
        out = b"".join(data for _, data in container.read())
        return out, container.wait()


def test_the_proxies_of_the_user_stay_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies = {"default": {"httpProxy": "http://me:a-secret@proxy.example:3128"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine = DockerEngine(connect(), images=None)  # type: ignore[arg-type]
    try:
        said, ended = run(engine, "env")
    finally:
        engine.close()
    assert ended == Exit(status=0)
    assert b"proxy" not in said.lower()
    assert b"a-secret" not in said


@pytest.mark.parametrize("status", [0, 1, 77])
def test_the_status_of_a_container_is_told(engine: DockerEngine, status: int) -> None:
    assert run(engine, "sh", "-c", f"exit {status}") == (b"", Exit(status=status))


def test_the_want_of_memory_is_told(engine: DockerEngine) -> None:
    _, ended = run(engine, "/usr/bin/python3.11", "-c", "b'x' * (1 << 30)")
    assert ended.out_of_memory


def test_a_killed_container_did_not_want_for_memory(engine: DockerEngine) -> None:
    with engine.start(spec("sleep", "60")) as container:
        alarm = threading.Timer(0.3, container.kill)
        alarm.start()
        assert list(container.read()) == []
        ended = container.wait()
    assert ended.status == 137
    assert not ended.out_of_memory


def test_what_cannot_be_started_leaves_nothing(engine: DockerEngine) -> None:
    with pytest.raises(EngineError, match="cannot start a container"):
        engine.start(spec("/no/such/program"))
    with pytest.raises(EngineError, match="is gone from the engine"):
        engine.start(spec("true", image="sha256:" + "0" * 64))


def test_a_container_may_be_ended_after_its_engine(engine: DockerEngine) -> None:
    container = engine.start(spec("sleep", "60"))
    engine.close()
    container.end()
