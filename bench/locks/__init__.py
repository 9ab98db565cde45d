"""Whether wheelhouse reads other tools' locks as those tools do. See `__main__.py`."""
