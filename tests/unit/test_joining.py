"""What is seen of built wheels once all of a house are there."""

from __future__ import annotations

from wheelfactory import FAST, binary, wheel
from wheelhouse.joining import as_built
from wheelhouse.plan import Built


def test_the_gate_sees_where_a_wheel_was_built_to_look() -> None:
    """Repair takes some of it out, but of those files only that it has something to do for."""
    repaired = wheel(binary(rpath=("$ORIGIN/../demo.libs",)), binary("demo/libown.so"))
    repair = {"search": {FAST: ["/opt/planted"]}}
    built = Built(filename=repaired.filename, sha256="0" * 64, facts={"repair": repair})
    first, second = as_built(repaired, built).binaries
    assert first.search == ("$ORIGIN/../demo.libs", "/opt/planted")
    assert second.search == ()
