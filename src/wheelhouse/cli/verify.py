"""`wheelhouse verify` and `wheelhouse sign`, and the key that `wheelhouse build` signs with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelhouse.cli.options import ToldError
from wheelhouse.errors import ConfigError, WheelhouseError
from wheelhouse.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelhouse.events import Reporter
    from wheelhouse.signing import Signer
    from wheelhouse.verification import Verified

#: Where the file of the private key is looked for, and its passphrase.
KEY, PASSPHRASE = "WHEELHOUSE_SIGN_KEY", "WHEELHOUSE_SIGN_PASSPHRASE"


def sign_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the option ``--sign-key``."""
    return click.option(
        "--sign-key",
        type=click.Path(path_type=Path),
        envvar=KEY,
        metavar="FILE",
        help="Sign what is built with this private key.",
    )(command)


def open_signer(key: Path | None, engine: str, reporter: Reporter) -> Signer | None:
    """The private key in the file *key*; None if none is wanted.

    :param reporter: is told if others may read that file.
    :raises ConfigError: it cannot be used, or package code could read it.
    """
    passphrase = _take_passphrase()
    if key is None:
        return None
    if engine == "local":
        raise ConfigError(
            "with the `local` engine, package code runs as you, and could read the private key",
            hint="build without it, and sign afterwards, best elsewhere: wheelhouse sign",
        )
    from wheelhouse.events import Notice
    from wheelhouse.signing import load_signer

    signer = load_signer(key, passphrase)
    if signer.warning:
        reporter.emit(Notice(target=None, message=signer.warning))
    return signer


def _take_passphrase() -> str | None:
    """It leaves the environment: no program that is run from now on has any use for it."""
    return os.environ.pop(PASSPHRASE, None)


@click.command(short_help="Sign a finished wheelhouse.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path),
    envvar=KEY,
    metavar="FILE",
    help="The private key, in PEM form.",
)
def sign(folder: Path, key: Path) -> None:
    """Sign a finished wheelhouse: FOLDER is dist/TARGET, or a copy of it.

    It is verified before. A signed one takes its place in one step, with the same wheels.
    """
    from wheelhouse.sealing import sign_in_place
    from wheelhouse.signing import load_signer

    signer = load_signer(key, _take_passphrase())
    if signer.warning:
        click.echo(f"warning: {signer.warning}", err=True)
    house = sign_in_place(folder, signer)
    wheels = counted(len(house.manifest.wheels), "wheel")
    click.echo(f"{folder}: signed with key {signer.keyid}: {wheels}")


@click.command(short_help="Check that a wheelhouse is whole and unchanged.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The public key, in PEM form, that it has to be signed with.",
)
@click.option(
    "--attestations",
    is_flag=True,
    help="Ask the indexes, too, what their authors attest of the wheels and sdists.",
)
@click.option("--json", "as_json", is_flag=True, help="What was found, as JSON.")
def verify(folder: Path, key: Path | None, attestations: bool, as_json: bool) -> None:
    """Check that a wheelhouse is whole and unchanged: FOLDER is dist/TARGET, or a copy of it.

    With --key also that the owner of that key has signed exactly this.
    """
    told: dict[str, Any] = {}
    try:
        _verify(folder, key, attestations, told, quiet=as_json)
    except WheelhouseError as error:
        if not as_json:
            raise
        _print_with_errors(told, error)
    if as_json:
        click.echo(json.dumps({**told, "errors": []}, indent=2))


def _verify(
    folder: Path, key: Path | None, attestations: bool, told: dict[str, Any], *, quiet: bool
) -> None:
    """Verify, and print what was found unless *quiet*; *told* gets the same as data.

    :raises WheelhouseError: something is not as it must be, or cannot be found out.
    """
    from wheelhouse.cli.show import verify_text
    from wheelhouse.signing import load_public_key
    from wheelhouse.verification import examine, summary
    from wheelhouse.wholeness import refuse_problems

    found = examine(folder, load_public_key(key) if key else None)
    told |= summary(found)
    refuse_problems(folder, found.problems)
    if not quiet:
        click.echo(verify_text(found))
    if attestations:
        _verify_attestations(found, told, quiet=quiet)


def _verify_attestations(found: Verified, told: dict[str, Any], *, quiet: bool) -> None:
    from wheelhouse.attestations import look_up, refuse_bad

    assert found.house is not None
    looked_up = look_up(found.house.manifest)
    told["attestations"] = [each.to_dict() for each in looked_up]
    if not quiet:
        click.echo("\n".join(f"  {each}" for each in looked_up))
    refuse_bad(looked_up)


def _print_with_errors(told: dict[str, Any], error: WheelhouseError) -> None:
    """End with *error*'s status, and with it among what is printed."""
    from wheelhouse.errors import flatten
    from wheelhouse.reporting import exit_status
    from wheelhouse.reporting.jsonl import error_to_dict

    errors = [error_to_dict(each) for each in flatten([error])]
    click.echo(json.dumps({**told, "errors": errors}, indent=2))
    raise ToldError(exit_status(error)) from error
