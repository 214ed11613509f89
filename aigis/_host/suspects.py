"""Finding the plugin whose import takes its worker down with it, so that the others can be served."""

from __future__ import annotations

from collections import Counter

from aigis._base.messages import Plan, PlannedPlugin, WorkerNews

CONVICTED_AFTER = 3
"""Deaths of workers in a row while the same plugin's turn to load had come."""


class Suspects:
    """Counts deaths of workers during loading, by the plugin whose turn it was."""

    def __init__(self) -> None:
        self._deaths: Counter[tuple[str, str]] = Counter()

    @property
    def open(self) -> bool:
        """Whether somebody is suspected and not convicted yet."""
        return any(count < CONVICTED_AFTER for count in self._deaths.values())

    def settled(self) -> None:
        """Take in that a worker came to the end of its loading: nobody is suspected any more."""
        self._deaths.clear()

    def died(self, plan: Plan, last_news: WorkerNews | None) -> PlannedPlugin | None:
        """Take in a worker's unasked end; return the plugin that is to be left out from now on.

        Without news it cannot be known that loading had begun, and once settled it had ended: nobody is blamed.
        """
        if last_news is None or last_news.settled:
            self._deaths.clear()
            return None
        suspect = _next_to_load(plan, last_news)
        if suspect is None:
            self._deaths.clear()
            return None
        key = (suspect.name, suspect.version)
        self._deaths = Counter({key: self._deaths[key] + 1})
        return suspect if self._deaths[key] >= CONVICTED_AFTER else None


def _next_to_load(plan: Plan, news: WorkerNews) -> PlannedPlugin | None:
    tried = {(report.plugin, report.version) for report in news.reports}
    return next((p for p in plan.plugins if p.enabled and (p.name, p.version) not in tried), None)
