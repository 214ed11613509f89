"""The tree of the skills loaded in this process, as it is at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Iterator, Mapping, NamedTuple, Optional

from aigis._plugin.loaded import LoadedPlugin


class Spot(NamedTuple):
    """Where a path leads: a listed skill of a loaded plugin, and the names below it."""

    loaded: LoadedPlugin
    leaf: str
    rest: tuple[str, ...]


@dataclass(frozen=True)
class SkillTree:
    """The listed skills, and the branches: the dotted names above these and above what unloaded plugins reserved."""

    leaves: Mapping[str, LoadedPlugin]
    branches: frozenset[str]

    @classmethod
    def of(cls, loaded: Iterable[LoadedPlugin], reserved: Iterable[str]) -> SkillTree:
        """Build the tree of these plugins and reserved names."""
        leaves = {path: each for each in loaded for path in each.leaves}
        return cls(leaves, frozenset(above for path in (*leaves, *reserved) for above in _all_above(path)))

    def find(self, path: str) -> Optional[Spot]:
        """Return where a path leads, by the longest listed name that is the path or lies above it, or None."""
        leaves = self.leaves
        if path in leaves:
            return Spot(leaves[path], path, ())
        for leaf in _all_above(path):
            if leaf in leaves:
                return Spot(leaves[leaf], leaf, tuple(path[len(leaf) + 1 :].split(".")))
        return None


def names_below(prefix: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names directly below a dotted name, sorted; '' stands above all."""
    start = f"{prefix}." if prefix else ""
    return tuple(sorted({path[len(start) :].partition(".")[0] for path in paths if path.startswith(start)}))


def _all_above(path: str) -> Iterator[str]:
    above = path.rpartition(".")[0]
    while above:
        yield above
        above = above.rpartition(".")[0]
