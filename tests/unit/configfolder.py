"""A folder with a `wheelhouse.toml` in it, and all that is said about that."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from wheelhouse.config import load_project
from wheelhouse.errors import ConfigError, SeveralErrors

if TYPE_CHECKING:
    from pathlib import Path

TARGET = '[targets.web]\nplatform = "debian12"\npython = "3.11"\n'

#: What a server with Amazon Linux 2023 says of itself.
FACTS: dict[str, Any] = {
    "format": 1,
    "python": {
        "abi": "cpython-311-x86_64-linux-gnu",
        "free_threaded": False,
        "bits": 64,
        "executable": "/usr/bin/python3.11",
        "pip": "22.3.1",
    },
    "environment": {
        "implementation_name": "cpython",
        "implementation_version": "3.11.14",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": "3.11.14",
        "python_version": "3.11",
        "sys_platform": "linux",
    },
    "libc": "glibc 2.34",
    "libstdcxx": {"glibcxx": "3.4.29", "cxxabi": "1.3.13"},
    "os_release": {"id": "amzn", "version_id": "2023", "pretty_name": "Amazon Linux 2023"},
    "libraries": ["libc.so.6", "libm.so.6", "libstdc++.so.6"],
}
SERVER = json.dumps(FACTS)


class Folder:
    """A project's folder, which is also the current one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "wheelhouse.toml"
        (path / "requirements.txt").write_text("idna\n")

    def write(self, content: str | bytes) -> Path:
        self.file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.file

    def errors(self, content: str | bytes) -> list[ConfigError]:
        """All errors of a file with *content*, which must have some."""
        self.write(content)
        with pytest.raises((ConfigError, SeveralErrors)) as caught:
            load_project(self.file)
        found = caught.value.errors if isinstance(caught.value, SeveralErrors) else [caught.value]
        assert all(type(error) is ConfigError for error in found)
        assert all("\n" not in error.message for error in found)
        return [error for error in found if isinstance(error, ConfigError)]

    def messages(self, content: str | bytes) -> list[str]:
        return [error.message for error in self.errors(content)]


def parsed(content: str | bytes) -> dict[str, Any] | None:
    try:
        return tomllib.loads(content if isinstance(content, str) else content.decode())
    except ValueError:
        return None
