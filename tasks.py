"""What `invoke` offers in a checkout: the verbs of AIGIS."""

from aigis._cli import namespace

__all__ = ["namespace"]
