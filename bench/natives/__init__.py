"""What share of native packages becomes a proven wheelhouse without a person.

Two lists of requirements, each built for several targets by `wheelhouse build` with a configuration
that says nothing about the package:

- `current.txt`: the newest versions of packages that have no wheel for the targets, of many kinds:
  C, C++, Fortran, Rust; setuptools, meson, CMake, autotools, SWIG; with all sorts of libraries.
- `old.txt`: sdists of 2018 to 2022, pinned, which need build requirements of another age.

    make natives                                                       # everything: hours
    make natives NATIVES="--list current --target debian12"
    make natives NATIVES="--list old --only pyyaml,markupsafe"

Each package is a project of its own in a new folder, one after another, so that no result depends
on another's. They share one store, empty at the start, so that no build is taken from elsewhere.
Images that earlier runs made remain in the engine.

A table comes out, the share of each list and target, and a folder below `bench/results` with
`natives.json` (all errors as wheelhouse told them), the logs of failed builds, and the locks of
proven ones: what was learned is in them.

`lists.py` reads the lists (their form is described there), `trial.py` runs wheelhouse on one
package, `report.py` makes the tables.
"""
