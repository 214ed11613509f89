"""How much processor and memory each child's tree takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aigis._host.processes import Process, members


@dataclass(frozen=True)
class Usage:
    """What one tree takes: processor since the last look, memory now."""

    cpu_percent: float
    rss_bytes: int


class UsageMeter:
    """Compares looks at the process table; the first look at a tree gives 0 percent."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[int, tuple[float, float]] = {}
        """Leader → (moment, processor seconds of its tree)."""

    def measure(self, table: Mapping[int, Process], leaders: Iterable[int]) -> dict[int, Usage]:
        """Return the usage of the trees of `leaders`, given the process table of this moment."""
        now = self._clock()
        result, seen = {}, {}
        for leader in leaders:
            tree = members(table, leaders={leader})
            spent = sum(process.cpu_seconds for process in tree)
            then, before = self._last.get(leader, (now, spent))
            # Processes that left the tree take their seconds with them.
            share = max(0.0, spent - before) / (now - then) if now > then else 0.0
            result[leader] = Usage(round(share * 100, 1), sum(process.rss_bytes for process in tree))
            seen[leader] = (now, spent)
        self._last = seen
        return result
