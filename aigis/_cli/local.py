"""What can be told of this host without Redis: by its lock, the records of its children, and the plugins on disk."""

from __future__ import annotations

from collections.abc import Mapping

from aigis._base.messages import HostStatus, PluginStatus, WorkerStatus
from aigis._base.settings import Settings
from aigis._host.ledger import ChildRecord, Ledger
from aigis._host.lock import holder
from aigis._host.processes import is_alive
from aigis._host.redis_server import OWN_NAME as REDIS
from aigis._plugin.discover import Declared, discover
from aigis._plugin.manifest import PluginType, read_type
from aigis._version import __version__

OWN = "aigis."
"""Before the names of AIGIS' own children."""


def local_status(settings: Settings, redis: str = "") -> HostStatus:
    """Return this host as its disk and process table show it; `redis` is what is known of Redis."""
    running = holder(settings.home)
    alive = {r.name: r for r in Ledger(settings.home).read() if r.identity is not None and is_alive(r.identity)}
    rows = [_plugin(declared, settings.host, alive, up=running is not None) for declared in discover(settings)]
    return HostStatus(
        name=settings.host,
        state="up" if running else "down",
        pid=running.pid if running else None,
        redis=redis or ("running" if REDIS in alive else "not running"),
        version=running.version if running else __version__,
        workers=tuple(_worker(settings.host, record) for name, record in alive.items() if _is_worker(name)),
        plugins=tuple(sorted(rows, key=_place)),
    )


def _place(row: PluginStatus) -> int:
    """Return where plugins of this type come in load order."""
    return next((place for place, kind in enumerate(("core", "internal", "external")) if row.type.startswith(kind)), 3)


def _is_worker(name: str) -> bool:
    return name.startswith(f"{OWN}worker-")


def _worker(host: str, record: ChildRecord) -> WorkerStatus:
    return WorkerStatus(name=record.name.removeprefix(OWN), host=host, state="running", pid=record.pid)


def _plugin(declared: Declared, host: str, alive: Mapping[str, ChildRecord], *, up: bool) -> PluginStatus:
    kind = read_type(declared.source, declared.overrides) if not isinstance(declared.source, str) else None
    record = alive.get(declared.name)
    state, reason = _state(declared, kind, record, up=up)
    return PluginStatus(
        name=declared.name,
        type=kind.value if kind else "",
        state=state,
        host=host if record else None,
        pid=record.pid if record else None,
        reason=reason,
        notices=declared.notices,
    )


def _state(declared: Declared, kind: PluginType | None, record: ChildRecord | None, *, up: bool) -> tuple[str, str]:
    if record is not None:
        return "running", ""
    if declared.problem:
        return "failed", declared.problem
    if up and kind is PluginType.CORE:
        # Whether a worker serves it is told by Redis alone.
        return "waiting", "for Redis"
    return "stopped", ""
