"""The version of AIGIS, read by the build and by `status`."""

__version__ = "0.1.0"
