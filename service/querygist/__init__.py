"""Querygist: what this document says about this query, in real time."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("querygist")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
