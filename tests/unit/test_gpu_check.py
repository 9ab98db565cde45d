"""`scripts/gpu-check`: one verdict, and an exit status of its own for each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu-check"

#: Installs a Python that loads what it should, or does not, and whose self-check ends so.
INSTALLER = """
[ "$1" = --venv ] || exit 9
mkdir -p "$2/bin"
cat >"$2/bin/python" <<'END'
#!/bin/sh
case $2 in
    -) exit {loading} ;;
    -m) exit {computing} ;;
esac
exit 9
END
chmod +x "$2/bin/python"
exit {installing}
"""


def check(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, house.name, *arguments],
        cwd=house.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("installing", "loading", "computing", "status", "words"),
    [
        (0, 0, 0, 0, "installed offline, and the GPU computes what it should"),
        (0, 0, 1, 1, "does not compute what it should (exit status 1)"),
        (0, 0, 139, 1, "does not compute what it should (exit status 139)"),
        (0, 0, 77, 77, "there is no GPU here, so nothing was computed"),
        (0, 1, 0, 1, "does not load CUDA's run time from the wheelhouse"),
        (1, 0, 0, 3, "it cannot be installed here"),
    ],
)
def test_the_last_line_is_the_verdict(
    installing: int, loading: int, computing: int, status: int, words: str, tmp_path: Path
) -> None:
    house = tmp_path / "gpu"
    house.mkdir()
    text = INSTALLER.format(installing=installing, loading=loading, computing=computing)
    (house / "install.sh").write_text(text)
    done = check(house)
    assert done.returncode == status, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("VERDICT: ")
    assert words in last


def test_where_no_wheelhouse_is_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = check(tmp_path / "gpu")
    assert done.returncode == 2
    assert done.stdout.startswith("VERDICT: there is no wheelhouse in ")
    assert "wheelhouse build" in done.stdout
    assert str(tmp_path / "gpu") in done.stdout  # where it looked, wherever it was started
