"""What core workers have told: which plugins they serve, which failed to load, which taint a process."""

from __future__ import annotations

from collections.abc import Iterable

from aigis._base.messages import CatalogEntry, LoadReport, PlannedPlugin, WorkerNews
from aigis._host.suspects import Suspects


class CoreLife:
    """The workers' reports by worker, for the plugins of the plan in force."""

    def __init__(self) -> None:
        self._news: dict[str, WorkerNews] = {}
        self._served: dict[str, LoadReport] = {}
        self.tainting: dict[tuple[str, str], str] = {}
        """(plugin, planned version) → reason; these are left out of the plan."""
        self.suspects = Suspects()

    def hear(self, news: WorkerNews, *, alive: bool = True) -> bool:
        """Take in what a worker tells; True when it will end itself because a load tainted it.

        Of a worker that is not `alive` any more only the taints are worth knowing.
        """
        tainted = [report for report in news.reports if report.status == "tainted"]
        self.tainting.update({(report.plugin, report.version): report.reason for report in tainted})
        if alive:
            self._take_in(news)
        return bool(tainted)

    def _take_in(self, news: WorkerNews) -> None:
        self._news[worker_key(news.worker)] = news
        if news.settled:
            self.suspects.settled()
        self._served.update({report.plugin: report for report in news.reports if report.status == "ready"})

    def lose(self, worker: str) -> None:
        """Forget what a worker that is gone told."""
        self._news.pop(worker, None)

    def forget_taint(self, name: str) -> None:
        """Let a plugin that tainted a process be tried again."""
        self.tainting = {key: reason for key, reason in self.tainting.items() if key[0] != name}

    def news_of(self, worker: str) -> WorkerNews | None:
        """Return the newest news of a worker that lives, or None."""
        return self._news.get(worker)

    def serving(self, worker: str) -> tuple[str, ...]:
        """Return the plugins a worker serves."""
        news = self._news.get(worker)
        return news.serving if news else ()

    def settled(self, workers: Iterable[str], generation: int) -> bool:
        """Whether each of these workers has tried every plugin of that plan."""
        told = [self._news.get(worker) for worker in workers]
        return all(news is not None and news.settled and news.generation >= generation for news in told)

    def state(self, planned: PlannedPlugin) -> tuple[str, str]:
        """Return 'running', 'failed' or 'starting' for a planned plugin, and the reason of a failure."""
        tainted = self.tainting.get((planned.name, planned.version))
        if tainted is not None:
            return "failed", tainted
        reports = self._reports(planned)
        if any(report.status == "ready" and planned.name in serving for report, serving in reports):
            return "running", ""
        failed = next((report for report, _ in reports if report.status == "failed"), None)
        if failed is not None and not any(report.status == "ready" for report, _ in reports):
            return "failed", failed.reason
        return "starting", ""

    def notices(self, planned: PlannedPlugin) -> tuple[str, ...]:
        """Return what workers noticed while loading it."""
        found = [notice for report, _ in self._reports(planned) for notice in report.notices]
        return tuple(dict.fromkeys(found))

    def entry(self, planned: PlannedPlugin, order: int, *, workers_wanted: int, off: str = "") -> CatalogEntry:
        """Return the catalog's entry of a planned plugin; `off` says why it is withdrawn, if it is."""
        report = self._served.get(planned.name)
        known = report if report is not None and report.version == planned.version else None
        state, reason = self._catalog_state(planned, known is not None, workers_wanted)
        return CatalogEntry(
            plugin=planned.name,
            type=planned.type,
            state="disabled" if off else state,
            order=order,
            version=planned.version,
            reason=off or reason,
            branches=planned.branches,
            skills=known.skills if known and state != "failed" else (),
            single=planned.single,
            timeout=planned.timeout,
        )

    def _catalog_state(self, planned: PlannedPlugin, known: bool, workers_wanted: int) -> tuple[str, str]:
        state, reason = self.state(planned)
        if state == "failed":
            return "failed", reason
        if workers_wanted == 0:
            return "unserved", ""
        # While its workers start again a plugin's calls wait, and its skills stay known.
        return ("ready" if known else "loading"), ""

    def _reports(self, planned: PlannedPlugin) -> list[tuple[LoadReport, tuple[str, ...]]]:
        return [
            (report, news.serving)
            for news in self._news.values()
            for report in news.reports
            if report.plugin == planned.name and report.version == planned.version
        ]


def worker_key(name: str) -> str:
    """Return a worker's name as a child from any form of it: 'worker-1', 'worker-1@host'."""
    return f"aigis.{name.split('@', maxsplit=1)[0].removeprefix('aigis.')}"


def failed_entry(name: str, kind: str, order: int, reason: str, branches: tuple[str, ...]) -> CatalogEntry:
    """Return the entry of a plugin that never came as far as a plan: its names stay its own, calls say why."""
    return CatalogEntry(plugin=name, type=kind, state="failed", order=order, reason=reason, branches=branches)
