"""The example, from the real index, on two platforms; then away from here, to where it is deployed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Workplace

pytestmark = [pytest.mark.containers, pytest.mark.index]

EXAMPLE = Path(__file__).parents[2] / "examples" / "webapp"
TARGETS = {"debian12-py311": "debian12", "debian13-py313": "debian13"}

#: With neither network nor compiler: what the README says, word for word.
DEPLOY = """
set -eu
! command -v cc
! command -v gcc
cp -r /house "/tmp/a house"
cd "/tmp/a house"
python3 -m venv /tmp/venv
/tmp/venv/bin/pip install --quiet --no-index --find-links wheels --require-hashes -r requirements.txt
/tmp/venv/bin/python -c "import MySQLdb, psycopg2, ldap, yaml, lxml.etree, django, celery, PIL.Image"
./install.sh --venv /tmp/app
/tmp/app/bin/django-admin --version
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    subprocess.run(
        [sys.executable, "-m", "wheelhouse", "images", "bootstrap", *TARGETS.values()],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    workplace = Workplace(tmp_path_factory.mktemp("example"))
    shutil.copytree(
        EXAMPLE, workplace.project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("dist")
    )
    done = workplace.run("build", "--locked", timeout=900)
    assert done.status == 0, done.said
    return workplace


@pytest.mark.parametrize("target", TARGETS)
def test_it_installs_where_it_is_deployed(built: Workplace, target: str) -> None:
    manifest = json.loads((built.house(target) / "manifest.json").read_text())
    image = manifest["runtime"]["id"]
    command = ["docker", "run", "--rm", "--network", "none", "--user", "65534:65534"]
    command += ["--env", "HOME=/tmp", "--interactive", image, "sh", "-c"]
    archive = subprocess.run(
        ["tar", "-C", str(built.house(target).parent), "-c", target],
        capture_output=True,
        check=True,
    ).stdout
    script = f"mkdir /tmp/in && tar -C /tmp/in -x && house=/tmp/in/{target}\n" + DEPLOY.replace(
        "/house", '"$house"'
    )
    done = subprocess.run([*command, script], input=archive, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_at_least_six_are_compiled_and_each_tells_its_story(built: Workplace) -> None:
    for target in TARGETS:
        manifest = json.loads((built.house(target) / "manifest.json").read_text())
        stories = {wheel["name"]: wheel["story"] for wheel in manifest["wheels"]}
        compiled = [name for name, story in stories.items() if story.get("policy")]
        assert len(compiled) >= 6
        for name in ("mysqlclient", "psycopg2", "python-ldap"):
            assert stories[name]["system_packages"]
            assert stories[name]["grafted"]
            assert stories[name]["build_requirements"]
        pure = [n for n, s in stories.items() if s["kind"] == "built" and not s.get("policy")]
        assert {"docopt", "langdetect"} <= set(pure)


def test_nothing_depends_on_ambient_settings(built: Workplace) -> None:
    (built.root / "pip.conf").write_text("[global]\nindex-url = https://nowhere.invalid/simple\n")
    done = built.run(
        "lock",
        "--upgrade",
        "-t",
        "debian12-py311",
        PIP_CONFIG_FILE=str(built.root / "pip.conf"),
        PIP_NO_INDEX="1",
        UV_INDEX_URL="https://nowhere.invalid/simple",
        UV_OFFLINE="1",
        PYTHONPATH="",
    )
    assert done.status == 0, done.said
    before = (EXAMPLE / "pylock.debian12-py311.toml").read_text()
    after = (built.project / "pylock.debian12-py311.toml").read_text()
    assert [line for line in after.splitlines() if line.startswith("version")] == [
        line for line in before.splitlines() if line.startswith("version")
    ]
