"""The commands people type: one invoke collection behind `invoke` and the program `aigis`."""

from aigis._cli.program import main
from aigis._cli.verbs import namespace

__all__ = ["main", "namespace"]
