"""Builds proven, offline-installable wheelhouses for the platforms you deploy to."""

__version__ = "0.1.0"
