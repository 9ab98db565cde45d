"""Group 30: a wheelhouse that was edited is refused by `verify`, `verify.py` and `install.sh`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import wheelhouse
from damage import DAMAGES, HASHES, KEY, make_signed
from faults.case import Case
from faults.world import refused, succeeded
from projects import LocalIndex, ProjectSdist, serving
from signingkeys import make_key

if TYPE_CHECKING:
    from damage import Damage, Signed
    from faults.world import Finished, World

#: One that came another way than the wheelhouse.
SCRIPT = Path(wheelhouse.__file__).parent / "data" / "verify.py"

#: Seconds that a look at so small a wheelhouse may take.
PATIENCE = 60

#: Each has its own way past the others.
EVERYDAY = {
    "verify.py is edited",
    ".hidden is added",
    "manifest.json is a link to the same",
    "a wheel and its hash are edited",
    "all but the signature is forged",
}


def _tampered(damage: Damage) -> Case:
    def attempt(world: World) -> None:
        house = make_signed(world.root / "somewhere")
        damage.do(house)
        key = str(house.public)
        # A wheelhouse without its list of hashes is none, which is another status.
        status = 5 if (house.path / "SHA256SUMS").exists() else 7
        refused(world.run("verify", str(house.path), "--key", key), status, damage.file)
        _refused_by([sys.executable, "-I", str(SCRIPT), str(house.path), "--key", key], damage)
        if damage.finder == HASHES:
            _refused_by(_installer(house, world), damage)
        if damage.finder != KEY:
            refused(world.run("verify", str(house.path)), status, damage.file)
        world.figures.add("edited wheelhouses refused")

    name = f"in a wheelhouse {damage.name}"
    everyday = damage.name in EVERYDAY
    return Case(group=30, name=name, attempt=attempt, engine=False, everyday=everyday)


def _installer(house: Signed, world: World) -> list[str]:
    command = ["sh", str(house.path / "install.sh"), "--python", sys.executable]
    return [*command, "--venv", str(world.root / "venv")]


def _refused_by(command: list[str], damage: Damage) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    said = done.stdout + done.stderr
    assert done.returncode == 1, f"{command} ended with {done.returncode}: {said}"
    assert damage.file in said, said
    assert "Traceback" not in said, said


# -- keys and who may see them -------------------------------------------------------------------

PASSPHRASE = "planted-as-a-passphrase-90e3"

#: A backend that tells its environment, and whether it finds the key's file.
NOSY = """
def before_build(directory):
    print(sorted(os.environ.items()))
    for top, _, names in os.walk("/"):
        if top.startswith(("/proc", "/sys")):
            continue
        for name in names:
            if name.endswith((".key", ".pub")):
                print("found", os.path.join(top, name))
"""


def _signed_build(world: World) -> None:
    private, public = make_key(world.root / "keys", "signing", passphrase=PASSPHRASE)
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="nosy", extra=NOSY))
        world.configure("nosy==1.0\n", index=index.url)
        done = succeeded(_build_with(world, private))
        assert "nothing changed" in succeeded(_build_with(world, private)).said
    succeeded(world.run("verify", str(world.house), "--key", str(public)))
    body = private.read_text().splitlines()[1]
    places = [path for folder in (world.store, world.dist) for path in folder.rglob("*")]
    for path in (each for each in places if each.is_file()):
        content = path.read_bytes()
        for secret in (PASSPHRASE, body, str(private)):
            assert secret.encode() not in content, f"{secret} is in {path}"
    assert not any(secret in done.said for secret in (PASSPHRASE, body))
    assert "found /" not in done.said, done.said


def _build_with(world: World, key: Path, passphrase: str = PASSPHRASE, *options: str) -> Finished:
    return world.build(
        *options, WHEELHOUSE_SIGN_KEY=str(key), WHEELHOUSE_SIGN_PASSPHRASE=passphrase
    )


def _unusable_keys(world: World) -> None:
    world.configure("anything\n", index="http://127.0.0.1:9/simple")
    private, public = make_key(world.root / "keys", passphrase=PASSPHRASE)
    text = world.root / "text"
    text.write_text("this is no key")
    before = hashlib.sha256(private.read_bytes()).hexdigest()
    said = {
        str(world.root / "none"): "there is no private key",
        str(text): "is no private key in PEM form",
        str(public): "is a public key",
        str(private): "there is no passphrase",
    }
    for path, message in said.items():
        refused(world.build("--sign-key", path), 2, message)
    done = refused(_build_with(world, private, f"not {PASSPHRASE}"), 2, "does not open")
    assert PASSPHRASE not in done.said
    refused(_build_with(world, private, PASSPHRASE, "--engine", "local"), 2, "runs as you")
    assert hashlib.sha256(private.read_bytes()).hexdigest() == before
    assert not world.dist.exists()


def _signed_later(world: World) -> None:
    """A build without the key replaces a signed wheelhouse, and says so."""
    private, public = make_key(world.root / "keys")
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="quiet"))
        world.configure("quiet==1.0\n", index=index.url)
        succeeded(world.build())
        succeeded(world.run("sign", str(world.house), "--key", str(private)))
        succeeded(world.run("verify", str(world.house), "--key", str(public)))
        done = succeeded(world.build())
    assert "the wheelhouse before was signed, and this one is not" in done.said
    refused(world.run("verify", str(world.house), "--key", str(public)), 5, "is not signed")


CASES = [
    *map(_tampered, DAMAGES),
    Case(
        group=30,
        name="a key is nowhere but in its file",
        attempt=_signed_build,
        everyday=True,
    ),
    Case(
        group=30, name="a key cannot be used", attempt=_unusable_keys, engine=False, everyday=True
    ),
    Case(group=30, name="a signed wheelhouse is built anew", attempt=_signed_later),
]
