"""Reaching the engine, before any work: or what is wrong with it, in one line, and the fix."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
from docker import auth
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import InvalidVersion
from docker.utils import kwargs_from_env
from docker.utils.config import find_config_file

from wheelhouse.engine.docker_container import UNREACHABLE
from wheelhouse.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINIMUM_API = (1, 40)

#: The context of the `docker` command that is none, and where it leads.
DEFAULT = "default"
USUAL = "unix:///var/run/docker.sock"

#: Seconds that an engine has to say its version.
CONTACT = 15

#: What the SDK raises of settings that are not in the form that it expects.
MALFORMED = (ValueError, TypeError, AttributeError, LookupError)

_MEANINGS = (
    ("Permission denied", "permission denied"),
    ("PermissionError", "permission denied"),
    ("No such file", "no socket there"),
    ("FileNotFoundError", "no socket there"),
    ("Connection refused", "nobody listens there"),
    ("ConnectionRefusedError", "nobody listens there"),
    ("Read timed out", f"no answer within {CONTACT} s"),
    ("Name or service not known", "no machine has this name"),
    ("Temporary failure in name resolution", "no machine has this name"),
    ("Expecting value", "what answers is no container engine"),
    ('key "ApiVersion" is missing', "what answers is no container engine"),
)


def connect(timeout: int = 60) -> docker.APIClient:
    """A client for the daemon that the `docker` command would use, or for Podman's socket.

    Tried in this order: ``DOCKER_HOST``, the CLI's current context, then the usual sockets.

    :param timeout: seconds that the daemon may take for an answer.
    :raises EngineError: none answers, or it is not allowed, or it is too old; or the settings of
        the `docker` command cannot be read.
    """
    _check_settings()
    problems: list[str] = []
    for where, settings in _candidates():
        try:
            client = docker.APIClient(version="auto", timeout=CONTACT, **settings())
        except InvalidVersion as error:
            raise _too_old(str(error)) from error
        except (*UNREACHABLE, *MALFORMED) as error:
            problems.append(f"{where}: {_explained(error)}")
            continue
        if _version(client) < MINIMUM_API:
            raise _too_old(client.api_version)
        client.timeout = timeout
        return client
    raise _no_engine(problems)


def _version(client: docker.APIClient) -> tuple[int, ...]:
    return tuple(int(part) for part in client.api_version.split(".") if part.isdigit())


def _too_old(version: str) -> EngineError:
    return EngineError(
        f"the container engine is too old for wheelhouse (its API: {version})",
        hint="upgrade to Docker 19.03 or later, or Podman 4 or later",
    )


def _candidates() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Where an engine may be, in words, and how the client is told."""
    if named := os.environ.get("DOCKER_HOST"):
        yield f"DOCKER_HOST={named}", lambda: dict(kwargs_from_env())
        return  # who names an engine wants that one or none
    context = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if context != DEFAULT:
        yield f"the context {context} of the `docker` command", partial(_of_context, context)
        return
    yield USUAL, dict
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for path in (f"{runtime}/podman/podman.sock", "/run/podman/podman.sock"):
        if Path(path).exists():
            yield f"unix://{path}", partial(dict, base_url=f"unix://{path}")


def _of_context(name: str) -> dict[str, Any]:
    if ContextAPI.get_context(name) is None:
        raise ValueError("there is none of this name")
    settings = ContextAPI.kwargs_from_context(name)
    return {key: value for key, value in settings.items() if value is not None}


def _explained(error: BaseException) -> str:
    text = str(error)
    for known, meaning in _MEANINGS:
        if known in text:
            return meaning
    return text if isinstance(error, UNREACHABLE) else f"it cannot be understood ({text})"


def _no_engine(problems: list[str]) -> EngineError:
    told = "; ".join(dict.fromkeys(problems))
    if "paramiko" in told:
        hint = "pip install 'wheelhouse[ssh]'"
    elif "permission denied" in told:
        hint = "add yourself to the `docker` group (`sudo usermod -aG docker $USER`), log in anew"
    elif "of the `docker` command" in told:
        hint = "start it; or choose another by `docker context use`, or in DOCKER_CONTEXT"
    elif "DOCKER_HOST=" in told:
        hint = (
            "start it; or correct DOCKER_HOST, such as to unix:///var/run/docker.sock or "
            "tcp://HOST:2376; or unset it"
        )
    else:
        hint = (
            "start one (`sudo systemctl start docker`), install one "
            "(`sudo apt-get install docker.io`), set DOCKER_HOST, or use `--engine local`"
        )
    return EngineError(f"no container engine answers ({told})", hint=hint)


def _check_settings() -> None:
    """Raise EngineError if the file with the settings of the `docker` command is damaged.

    It says which engine is meant and who signs in to registries, and the SDK reads it in any case:
    some damage it would pass over, going to another engine, and of some it would break. Nothing of
    the file's content is told, which may be a password.
    """
    found = find_config_file()
    path = Path(str(found))
    if found is None or path.name == ".dockercfg":  # the old form, which the SDK passes over
        return
    try:
        settings = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _damaged(path, error.strerror or "it is no file") from error
    except json.JSONDecodeError as error:
        raise _damaged(path, f"it is not JSON (line {error.lineno})") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON in UTF-8") from error
    if wrong := _wrong_type(settings):
        raise _damaged(path, wrong)
    try:
        auth.load_config(config_dict=dict(settings))
    except (*UNREACHABLE, *MALFORMED) as error:
        raise _damaged(path, "`auths` has an entry that cannot be understood") from error


def _wrong_type(settings: object) -> str:
    """What of *settings* is of another type than it must be; empty if nothing is."""
    if not isinstance(settings, dict):
        return "it is no table of settings"
    for key in ("auths", "credHelpers", "HttpHeaders", "proxies"):
        if not isinstance(settings.get(key) or {}, dict):
            return f"`{key}` is no table"
    for key in ("credsStore", "currentContext"):
        if not isinstance(settings.get(key) or "", str):
            return f"`{key}` is no string"
    if not all(isinstance(each, dict) for each in (settings.get("proxies") or {}).values()):
        return "`proxies` has an entry that is no table"
    return ""


def _damaged(path: Path, why: str) -> EngineError:
    return EngineError(
        f"the settings of the `docker` command, {path}, cannot be read: {why}",
        hint="correct the file, or move it away and sign in anew (`docker login`); or name another "
        "folder for it in DOCKER_CONFIG",
    )
