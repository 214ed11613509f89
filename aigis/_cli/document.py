"""The status documents of all hosts as one: what `status --json` prints and the tables show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aigis._base.messages import HostStatus, PluginStatus, WorkerStatus

HOST_KEYS = ("name", "state", "pid", "redis", "version")
WORKER_KEYS = ("name", "host", "state", "pid", "plugins", "concurrency")
PLUGIN_KEYS = (
    "name", "type", "state", "host", "pid", "uptime_s", "restarts", "cpu_percent", "rss_bytes", "reason",
)  # fmt: skip

AT_REST = frozenset({"running", "failed", "stopped", "disabled", "waiting", "backoff"})
"""States in which `up --detach` waits no longer for a plugin."""


@dataclass(frozen=True)
class Document:
    """Hosts, workers and plugins of one cluster; this host's come first."""

    hosts: tuple[HostStatus, ...] = ()
    workers: tuple[WorkerStatus, ...] = ()
    plugins: tuple[PluginStatus, ...] = ()
    notice: str = ""
    """What people should know about where this comes from, such as that Redis is away."""

    @classmethod
    def of(cls, statuses: Sequence[HostStatus], here: str, notice: str = "") -> Document:
        """Join the documents of several hosts; a plugin that more than one of them tells of is told once."""
        hosts = sorted(statuses, key=lambda host: (host.name != here, host.name))
        plugins: dict[str, PluginStatus] = {}
        for host in hosts:
            for plugin in host.plugins:
                plugins.setdefault(plugin.name, plugin)
        workers = tuple(worker for host in hosts for worker in host.workers)
        return cls(tuple(hosts), workers, tuple(plugins.values()), notice)

    @property
    def names(self) -> list[str]:
        """The names `status NAME` knows."""
        return [*(plugin.name for plugin in self.plugins), *(worker.name for worker in self.workers)]

    def only(self, name: str) -> Document:
        """Return the document of one plugin or worker."""
        return replace(
            self,
            workers=tuple(worker for worker in self.workers if worker.name == name),
            plugins=tuple(plugin for plugin in self.plugins if plugin.name == name),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the document scripts rely on."""
        return {
            "hosts": [_pick(host, HOST_KEYS) for host in self.hosts],
            "workers": [_pick(worker, WORKER_KEYS) for worker in self.workers],
            "plugins": [_pick(plugin, PLUGIN_KEYS) for plugin in self.plugins],
        }


def _pick(row: HostStatus | WorkerStatus | PluginStatus, keys: Sequence[str]) -> dict[str, Any]:
    return {key: getattr(row, key) for key in keys}


def changes(before: Document, after: Document) -> list[str]:
    """Return one line for each host, worker or plugin whose state or reason is another now."""
    old = _states(before)
    new = _states(after)
    lines = [_change_line(name, state) for name, state in new.items() if old.get(name) != state]
    return [*lines, *(f"{name}: gone" for name in old if name not in new)]


def _states(document: Document) -> dict[str, tuple[str, str]]:
    rows: dict[str, tuple[str, str]] = {}
    for host in document.hosts:
        rows[f"host {host.name}"] = (host.state, "")
    for worker in document.workers:
        rows[_worker_name(document, worker)] = (worker.state, worker.reason)
    for plugin in document.plugins:
        rows[plugin.name] = (plugin.state, plugin.reason)
    return rows


def _worker_name(document: Document, worker: WorkerStatus) -> str:
    return worker.name if len(document.hosts) < 2 else f"{worker.name}@{worker.host}"


def _change_line(name: str, state: tuple[str, str]) -> str:
    return f"{name}: {told(name, *state)}"


def told(name: str, state: str, reason: str) -> str:
    """Return a state with its reason in one line: `failed: no module 'x'`, `waiting for host 'alba'`."""
    text = " ".join(without_name(reason, name).split())
    if not text:
        return state
    return f"{state} {text}" if text.startswith(("for ", "by ")) else f"{state}: {text}"


def without_name(reason: str, name: str) -> str:
    """Return a reason without the name it may begin with, where that name stands before it already."""
    return reason.removeprefix(f"{name}: ").strip()


def failures(plugins: Sequence[PluginStatus]) -> list[str]:
    """Return one sentence for each plugin that failed."""
    return [f"{row.name} {told(row.name, row.state, row.reason)}" for row in plugins if row.state == "failed"]


def unsettled(plugins: Sequence[PluginStatus]) -> list[str]:
    """Return one sentence for each plugin that waits or is in backoff."""
    how = {"waiting": "is waiting", "backoff": "is in backoff"}
    return [f"{row.name} {told(row.name, how[row.state], row.reason)}" for row in plugins if row.state in how]
