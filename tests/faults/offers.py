"""What misbehaving indexes offer: one small wheel, and pages that lead to it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from flakyindex import JSON, Answer, FlakyIndex
from housefactory import Package, wheel_bytes

if TYPE_CHECKING:
    from faults.world import Finished, World

#: In the environment of a command, what makes it impatient: seconds that a server may say nothing.
IMPATIENT = {"WHEELHOUSE_TIMEOUT": "1"}


def wheel(name: str = "demo", version: str = "1.0") -> bytes:
    """A wheel that works."""
    return wheel_bytes(Package(name=name, version=version))


def filename(name: str = "demo", version: str = "1.0") -> str:
    """What that wheel is called."""
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def entry(index: FlakyIndex, name: str = "demo", version: str = "1.0", **more: Any) -> Any:
    """The wheel as a page of *index* has it, with *more*."""
    content = wheel(name, version)
    return {
        "filename": filename(name, version),
        "url": index.url(f"/files/{filename(name, version)}"),
        "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
        "size": len(content),
        **more,
    }


def offer(
    index: FlakyIndex, *answers: Answer, name: str = "demo", version: str = "1.0", **more: Any
) -> str:
    """Have *index* offer the wheel, and answer with *answers* who asks for it; its path.

    :param answers: else the wheel itself.
    :param more: of its entry in the page.
    """
    path = f"/files/{filename(name, version)}"
    index.on(path, *(answers or [Answer(body=wheel(name, version), ranges=True)]))
    index.page(name, [entry(index, name, version, **more)])
    return path


def offer_with_metadata(index: FlakyIndex, *answers: Answer) -> str:
    """The same, with the metadata beside the wheel: then locking does not ask for the wheel."""
    more: dict[str, Any] = {"core-metadata": True}
    path = offer(index, *answers, **more)
    index.on(f"{path}.metadata", Answer(body=b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"))
    return path


def page(index: FlakyIndex, **more: Any) -> Answer:
    """The page of the wheel, with *more* in it."""
    content = {"meta": {"api-version": "1.1"}, "name": "demo", "files": [entry(index)], **more}
    return Answer(kind=JSON, body=json.dumps(content).encode())


def html(index: FlakyIndex, head: str = "", attributes: str = "") -> Answer:
    """The same as HTML."""
    file = entry(index)
    link = f'<a href="{file["url"]}#sha256={file["hashes"]["sha256"]}" {attributes}>demo</a>'
    body = f"<!DOCTYPE html><html><head>{head}</head><body>{link}</body></html>"
    return Answer(kind="text/html", body=body.encode())


def lock(world: World, index: FlakyIndex, **variables: str) -> Finished:
    """``wheelhouse lock`` of the wheel, from *index* alone."""
    world.configure("demo\n", index=index.url("/simple"))
    return world.run("lock", "--plain", timeout=120, **variables)
