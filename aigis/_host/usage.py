"""How much processor and memory each child's tree takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from aigis._host.processes import Process


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

    def measure(self, table: Mapping[int, Process], leaders: Collection[int]) -> dict[int, Usage]:
        """Return the usage of the trees of `leaders`, given the process table of this moment."""
        now = self._clock()
        trees = _trees(table, leaders)
        spent = {leader: sum(process.cpu_seconds for process in trees[leader]) for leader in leaders}
        usage = {
            leader: Usage(self._percent(leader, now, spent[leader]), sum(p.rss_bytes for p in trees[leader]))
            for leader in leaders
        }
        self._last = {leader: (now, seconds) for leader, seconds in spent.items()}
        return usage

    def _percent(self, leader: int, now: float, spent: float) -> float:
        then, before = self._last.get(leader, (now, spent))
        # Processes that left the tree take their seconds with them.
        return round(100 * max(0.0, spent - before) / (now - then), 1) if now > then else 0.0


def _trees(table: Mapping[int, Process], leaders: Collection[int]) -> dict[int, list[Process]]:
    """Give each process to the leader it runs under, by session or descent, in one pass over the table."""
    owners: dict[int, int] = {leader: leader for leader in leaders}
    trees: dict[int, list[Process]] = defaultdict(list)
    for process in table.values():
        owner = _owner(process, table, owners)
        if owner and not process.zombie:
            trees[owner].append(process)
    return trees


def _owner(process: Process, table: Mapping[int, Process], owners: dict[int, int]) -> int:
    """Return the leader of a process, 0 for none; `owners` remembers what was found on the way."""
    way: list[int] = []
    at: Process | None = process
    while at is not None and at.pid not in owners and at.session not in owners and at.pid not in way:
        way.append(at.pid)
        at = table.get(at.parent)
    owner = 0 if at is None else owners.get(at.pid, owners.get(at.session, 0))
    owners.update(dict.fromkeys(way, owner))
    return owner
