"""Group 13: what a build finds around it: nothing of the user's, and no way out."""

from __future__ import annotations

import json
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from faults import inside
from faults.case import Case
from faults.world import SECRETS, succeeded
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.engine.docker import LABEL, OWNER
from wheelhouse.engine.docker_connect import connect

if TYPE_CHECKING:
    import subprocess

    from faults.world import World

NOBODY = 65534

#: Where a build may write, all of it in memory and within its limit.
WRITABLE = ["/build", "/dev/mqueue", "/dev/shm", "/tmp"]


def _look_around(world: World) -> None:
    with serving(LocalIndex()) as index:
        port = index.url.rpartition(":")[2].partition("/")[0]
        look = Path(inside.__file__).read_text("utf-8")
        index.add(ProjectSdist(name="spy", extra=f"{look}\nPORT = {port}\n"))
        world.configure("spy==1.0\n", index=index.url)
        process = world.start("build", "--plain")
        told = inspected(process)
        succeeded(world.ended(process))
    _tells_no_secret(world, told)
    found = _found(world)
    readable = found.pop("readable")
    assert not [name for name, secret in SECRETS.items() if secret in readable]
    _has_no_network(found)
    _has_no_rights(found)
    _has_no_place(found)
    assert found["orphans"] and found["survives"] and not found["core"], found


def inspected(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What the engine says of the first container of *process* while it runs."""
    with closing(connect()) as client:
        while process.poll() is None:
            for each in client.containers(filters={"label": LABEL}):
                if each["Labels"].get(OWNER, "").split(":")[1:2] == [str(process.pid)]:
                    with suppress(NotFound):
                        found: dict[str, Any] = client.inspect_container(each["Id"])
                        return found
            time.sleep(0.05)
    raise AssertionError("there was no container")


def _tells_no_secret(world: World, told: dict[str, Any]) -> None:
    world.figures.add("places searched for secrets")
    for name, secret in SECRETS.items():
        assert secret not in json.dumps(told), f"the secret of {name} is in `docker inspect`"
    host = told["HostConfig"]
    assert host["NetworkMode"] == "none", host
    assert host["Binds"] is None and not told["Mounts"], told["Mounts"]
    assert host["Memory"] == host["MemorySwap"] > 0, host
    assert host["PidsLimit"] == 512, host
    assert host["IpcMode"] == "private" and host["LogConfig"]["Type"] == "none", host
    assert not host["Privileged"] and host["ReadonlyRootfs"], host


def _found(world: World) -> dict[str, Any]:
    for log in world.store.glob("logs/*"):
        for line in log.read_text("utf-8", "replace").splitlines():
            if line.startswith("FOUND "):
                found: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
                return found
    raise AssertionError("the build did not look around")


def _has_no_network(found: dict[str, Any]) -> None:
    assert found["interfaces"] == ["lo"], found["interfaces"]
    assert found["reached"] == [], found["reached"]
    assert found["sockets"] == [], found["sockets"]


def _has_no_rights(found: dict[str, Any]) -> None:
    assert set(found["uid"]) == {NOBODY}, found["uid"]
    assert set(found["capabilities"].values()) == {0}, found["capabilities"]
    assert (found["no new privileges"], found["seccomp"]) == ("1", "2"), found
    assert found["calls"] == [], found["calls"]
    assert found["setuid programs"], "the image has some, so that it means something:"
    assert found["su"] == "", found["su"]
    assert found["process 1"] == [], found["process 1"]


def _has_no_place(found: dict[str, Any]) -> None:
    assert found["writable folders"] == WRITABLE, found["writable folders"]
    assert found["writable kernel files"] == [], found["writable kernel files"]
    assert "ro" in found["root"], found["root"]
    assert "noexec" not in found["build"], found["build"]
    assert {"nosuid", "nodev"} <= set(found["build"]), found["build"]
    assert found["files"] == [], found["files"]
    assert found["devices"] == [], found["devices"]
    assert len(found["processes"]) < 20, "only its own"


CASES = [Case(group=13, name="a build looks around", attempt=_look_around, everyday=True)]
