"""A capture of a server says the same as a probe of its image, and is a target like others."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wheelhouse
from projects import LocalIndex, ProjectSdist
from wheelhouse.building.runner import Runner
from wheelhouse.capture import read_capture
from wheelhouse.cli.workbench import open_engine
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.events import SilentReporter
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.probe import probe
from wheelhouse.store import Store
from wheelhouse.targets import Target, presets

if TYPE_CHECKING:
    from conftest import Workplace

pytestmark = pytest.mark.containers

RUNTIME = "WHEELHOUSE_TEST_RUNTIME_IMAGE"

SCRIPT = Path(wheelhouse.__file__).parent / "data" / "probe_server.py"


def captured(image: str) -> bytes:
    """What the script prints in *image*, for a user who may do nothing there."""
    argv = ["docker", "run", "--rm", "-i", "--network=none", "--read-only", "--cap-drop=ALL"]
    done = subprocess.run(
        [*argv, "--user=65534:65534", image, "python3", "-"],
        input=SCRIPT.read_bytes(),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["debian11", "debian12", "debian13"])
def test_a_capture_and_a_probe_say_the_same(name: str, tmp_path: Path) -> None:
    known = presets()[name]
    target = Target(name=name, preset=known, python=next(iter(known.pythons)))
    store, cancellation = Store(tmp_path / "store"), Cancellation()
    fetcher = Fetcher(Client(), store, cancellation.check)
    engine = open_engine("docker", store, fetcher, SilentReporter(), cancellation)
    try:
        images = engine.images(target)
        runner = Runner(engine, store, Limits(), SilentReporter(), cancellation)
        probed = probe(runner, target, images)
        (tmp_path / "web.json").write_bytes(captured(images.runtime.id))
    finally:
        engine.close()
    found = read_capture(tmp_path / "web.json")
    assert found.capture.interpreter == probed
    assert found.preset.glibcxx == known.glibcxx
    assert (found.preset.name, found.preset.libc) == (known.name, known.libc)
    assert found.preset.pythons == {target.python: known.pythons[target.python]}
    assert {"libc.so.6", "libstdc++.so.6", "libz.so.1"} <= found.capture.libraries
    assert "libpython3.so" not in found.capture.libraries


def test_a_captured_server_gets_its_wheelhouse(workplace: Workplace, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="alpha", native=True))
    (workplace.project / "requirements.txt").write_text("alpha\n")
    (workplace.project / "web.json").write_bytes(captured(os.environ[RUNTIME]))
    (workplace.project / "wheelhouse.toml").write_text(
        f'index = "{index.url}"\n[targets.web]\ncaptured = "web.json"\n'
    )
    done = workplace.run("build")
    assert done.status == 0, done.said
    told = json.loads((workplace.house("web") / "manifest.json").read_text())["target"]
    assert (told["python"], told["arch"], told["platform"]) == ("3.11", "x86_64", "debian12")
    assert told["title"] == "Debian GNU/Linux 12 (bookworm)"
