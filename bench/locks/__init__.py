"""Whether wheelhouse reads other tools' locks as those tools do. See :mod:`bench.locks.__main__`."""
