"""Code that runs inside containers: standard library only, Python 3.9 and later.

The package is sent into a container over its standard input (see
:mod:`wheelhouse.engine.session`), so images need not be made anew when it changes.
Process 1 runs :func:`wheelhouse.agent.main.main`; nothing here may import the rest of wheelhouse.
"""
