"""What is told of the host: the status document, the catalog's entries, the declared plugins."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

from aigis._base.messages import CatalogEntry, HostStatus, PluginStatus, WorkerStatus
from aigis._host.children import Children, Kept
from aigis._host.core import failed_entry
from aigis._host.desired import elsewhere
from aigis._host.plugins import Plugin
from aigis._host.publisher import Publication
from aigis._host.reconcile import RUNNING
from aigis._host.state import HostState, Stage
from aigis._host.usage import Usage
from aigis._version import __version__

AT_REST = frozenset({"running", "failed", "stopped", "disabled", "waiting", "backoff"})
"""States in which `up --detach` no longer waits for a plugin."""
WORKER_PREFIX = "aigis.worker-"


class Reporter:
    """Looks at the state and the children and writes down what others are to know."""

    def __init__(self, state: HostState, children: Children) -> None:
        self._state = state
        self._children = children
        self.usage: Mapping[int, Usage] = {}
        """Leader → what its tree took at the last look."""
        self.down = False
        """True once everything has stopped."""

    def publication(self) -> Publication:
        """Return all that is published, as it is now."""
        return Publication(
            status=self.status(),
            catalog=self.catalog(),
            declared=self.declared(),
            catalog_complete=self._state.began,
        )

    def status(self) -> HostStatus:
        """Return the status document."""
        state = self._state
        stopping = "down" if self.down else "stopping"
        return HostStatus(
            name=state.settings.host,
            state="up" if state.stage is Stage.RUNNING else stopping,
            pid=os.getpid(),
            redis=f"{state.server}, {'embedded' if state.redis else 'given'}" if state.bus_up else "not reachable",
            version=__version__,
            settled=self.settled(),
            workers=tuple(self._worker(kept) for kept in self.workers()),
            plugins=tuple(self._plugin(plugin) for plugin in state.plugins.values()),
        )

    def settled(self) -> bool:
        """Whether everything wanted here has come to rest."""
        state = self._state
        if not state.began or state.preparations or not state.names_reserved or not state.bus_up:
            return False
        if any(self.state_of(plugin)[0] not in AT_REST for plugin in state.plugins.values()):
            return False
        return self.workers_settled()

    def workers_settled(self) -> bool:
        """Whether the wanted workers, and no others, run and know the plan in force, or have given up for now."""
        kept = {k.name: k for k in self.workers()}
        if len(kept) != self._state.workers or any(k.state == "stopping" for k in kept.values()):
            return False
        told = [name for name, k in kept.items() if k.state != "backoff"]
        return self._state.core.settled(told, self._state.plan.generation)

    def workers(self) -> list[Kept]:
        """Return the core workers that are known as children, by number."""
        found = (kept for name, kept in self._children.kept.items() if name.startswith(WORKER_PREFIX))
        return sorted(found, key=lambda kept: (len(kept.name), kept.name))

    def state_of(self, plugin: Plugin) -> tuple[str, str]:
        """Return the state of a plugin and the reason for it."""
        state, wish = self._state, self._state.wish(plugin.name)
        kept = self._children.kept.get(plugin.name)
        if kept is not None and kept.state == "stopping":
            return "stopping", ""
        if not wish.enabled:
            return "disabled", ""
        if plugin.phase != "ready" or plugin.manifest is None:
            return plugin.phase, plugin.reason
        if wish.stopped:
            return "stopped", "by the operator"
        other = elsewhere(plugin.manifest, state.settings)
        if other:
            return "waiting", f"for host {other!r}"
        if not state.began:
            return "preparing", ""
        if plugin.is_process:
            return (kept.state, _shown_reason(kept)) if kept is not None else ("starting", "")
        return self._core_state(plugin)

    def catalog(self) -> list[CatalogEntry]:
        """Return the catalog's entries of this host's plugins."""
        return [
            entry for order, plugin in enumerate(self._state.plugins.values()) for entry in self._entry(plugin, order)
        ]

    def declared(self) -> dict[str, dict[str, Any]]:
        """Return what is declared on this host."""
        return {
            plugin.name: {"type": plugin.type, "runs_on": _runs_on(plugin, self._state.settings.host)}
            for plugin in self._state.plugins.values()
        }

    def _core_state(self, plugin: Plugin) -> tuple[str, str]:
        planned = self._state.plan.find(plugin.name)
        if planned is None:
            return "failed", self._taint(plugin.name)
        if self._state.workers == 0:
            return "waiting", "for a worker; `invoke scale 1` starts one"
        found, reason = self._state.core.state(planned)
        if found == "starting":
            reason = next((f"{k.name}: {k.reason}" for k in self.workers() if k.state == "backoff"), "")
            # Nobody will load it before the worker's next start: `up` need not wait for that.
            return ("backoff" if reason and not self._state.core.suspects.open else found), reason
        return found, reason

    def _taint(self, name: str) -> str:
        return next((reason for (plugin, _), reason in self._state.core.tainting.items() if plugin == name), "")

    def _entry(self, plugin: Plugin, order: int) -> Iterable[CatalogEntry]:
        planned = self._state.plan.find(plugin.name)
        if planned is not None and plugin.phase == "ready":
            yield self._state.core.entry(planned, order, workers_wanted=self._state.workers, off=self._off(plugin.name))
        elif plugin.has_core and plugin.manifest is not None:
            reason = plugin.reason or self._taint(plugin.name)
            yield failed_entry(plugin.name, plugin.type, order, reason, plugin.manifest.branches)

    def _off(self, name: str) -> str:
        wish = self._state.wish(name)
        if not wish.enabled:
            return f"disabled by the operator; `invoke enable {name}` brings it back"
        return f"stopped by the operator; `invoke start {name}` brings it back" if wish.stopped else ""

    def _plugin(self, plugin: Plugin) -> PluginStatus:
        state, reason = self.state_of(plugin)
        kept = self._children.kept.get(plugin.name)
        row = PluginStatus(
            name=plugin.name, type=plugin.type, state=state, reason=reason, notices=self._notices(plugin)
        )
        return row if not plugin.is_process else _with_process(row, self._state.settings.host, *self._process(kept))

    def _notices(self, plugin: Plugin) -> tuple[str, ...]:
        planned = self._state.plan.find(plugin.name)
        if planned is None:
            taint = self._taint(plugin.name) if plugin.is_process else ""
            return (*plugin.notices, f"its skills are not served: {taint}") if taint else plugin.notices
        found, reason = self._state.core.state(planned)
        unserved = (f"its skills are not served: {reason}",) if plugin.is_process and found == "failed" else ()
        return (*plugin.notices, *self._state.core.notices(planned), *unserved)

    def _worker(self, kept: Kept) -> WorkerStatus:
        pid, uptime, restarts, usage = self._process(kept)
        name = kept.name.removeprefix("aigis.")
        return WorkerStatus(
            name=name,
            host=self._state.settings.host,
            state=self._worker_state(kept),
            pid=pid,
            plugins=self._state.core.serving(kept.name),
            concurrency=self._state.settings.threads,
            uptime_s=uptime,
            restarts=restarts,
            cpu_percent=usage.cpu_percent if usage else None,
            rss_bytes=usage.rss_bytes if usage else None,
            reason=_shown_reason(kept),
        )

    def _worker_state(self, kept: Kept) -> str:
        if kept.state not in RUNNING:
            return kept.state
        # It tells something as soon as it serves; until then its process is there, but no worker.
        return "starting" if self._state.core.news_of(kept.name) is None else "running"

    def _process(self, kept: Kept | None) -> tuple[int | None, float | None, int, Usage | None]:
        if kept is None:
            return None, None, 0, None
        uptime = self._children.uptime(kept)
        shown = round(uptime, 1) if uptime is not None else None
        return kept.pid, shown, kept.restarts, self.usage.get(kept.pid or 0)


def _with_process(
    row: PluginStatus, host: str, pid: int | None, uptime: float | None, restarts: int, usage: Usage | None
) -> PluginStatus:
    row = dataclasses.replace(row, host=host, pid=pid, uptime_s=uptime, restarts=restarts)
    if usage is None or pid is None:
        return row
    return dataclasses.replace(row, cpu_percent=usage.cpu_percent, rss_bytes=usage.rss_bytes)


def _shown_reason(kept: Kept) -> str:
    """Return why it last ended, as long as that matters."""
    return "" if kept.state in RUNNING else kept.reason


def _runs_on(plugin: Plugin, here: str) -> str:
    if plugin.manifest is None or plugin.manifest.host == "localhost":
        return here
    return plugin.manifest.host
