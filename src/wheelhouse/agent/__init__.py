"""Code that runs inside containers, apart from the rest of wheelhouse.

The jobs ``probe`` and ``prove`` run on the target's own Python, 3.9 or later, and need the standard
library (``probe`` also `packaging`, which is sent along). ``build`` and ``metadata`` run on the
toolbox's Python, which has `packaging` and `pyproject-hooks`.

The package is sent into a container over its standard input (see
:mod:`wheelhouse.engine.session`), so images need not be made anew when it changes.
Process 1 runs :func:`wheelhouse.agent.main.main`; nothing here may import the rest of wheelhouse.
"""
