"""The machine this runs on, held against a wheelhouse: what its loader would load from where.

Everything else takes the target for granted and never asks where it runs; this is the exception,
for ``wheelhouse doctor --target`` on a server.
"""

from __future__ import annotations
