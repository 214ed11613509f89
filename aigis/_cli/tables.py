"""What people see of a status document: tables no wider than their terminal, sentences below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from aigis._base.messages import HostStatus, PluginStatus, WorkerStatus
from aigis._cli import units
from aigis._cli.document import Document, told, without_name
from aigis._cli.lines import clean

STATE_STYLES = {
    "preparing": "cyan",
    "waiting": "yellow",
    "starting": "cyan",
    "running": "green",
    "backoff": "yellow",
    "stopping": "magenta",
    "stopped": "dim",
    "failed": "bold red",
    "disabled": "dim",
    "up": "green",
    "down": "dim",
}
QUIET = "dim"


def state_text(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, STATE_STYLES.get(state, ""))


def status_view(document: Document) -> RenderableType:
    """Return the whole picture: hosts, workers, plugins, and why some do not run."""
    several_hosts = len(document.hosts) > 1
    parts: list[RenderableType] = [host_line(host) for host in document.hosts]
    if document.notice:
        parts.append(Text(document.notice, "yellow"))
    if document.workers:
        parts += ["", workers_table(document.workers, with_host=several_hosts)]
    if document.plugins:
        parts += ["", plugins_table(document.plugins, with_host=several_hosts)]
    else:
        parts += ["", Text("No plugins: put a plugin folder into plugins/ or name one in aigis.toml.", QUIET)]
    notes = list(_notes(document))
    return Group(*parts, *(["", *notes] if notes else []))


def host_line(host: HostStatus) -> Text:
    """Return one host in a line: its name, state, supervisor and Redis."""
    parts = [Text("AIGIS on "), Text(host.name, "bold"), Text(" is "), state_text(host.state)]
    facts = [
        f"supervisor {host.pid}" if host.pid else "",
        f"Redis: {host.redis}" if host.redis and not host.redis.lower().startswith("redis") else host.redis,
        f"AIGIS {host.version}" if host.version else "",
    ]
    return Text.assemble(*parts, *(Text(f" · {fact}", QUIET) for fact in facts if fact))


def workers_table(workers: Sequence[WorkerStatus], *, with_host: bool = False) -> Table:
    """Return the core workers, one a row."""
    table = _table(*(["host"] if with_host else []), numbers=("up", "cpu", "memory", "restarts"), first="worker")
    table.add_column("serves", overflow="ellipsis", no_wrap=True)
    for row in workers:
        table.add_row(
            *([row.name, row.host] if with_host else [row.name]),
            state_text(row.state),
            *_numbers(row),
            Text(_serves(row), QUIET),
        )
    return table


def _serves(row: WorkerStatus) -> str:
    threads = f" · {units.several(row.concurrency, 'thread')}" if row.concurrency else ""
    return units.several(len(row.plugins), "plugin") + threads


def plugins_table(plugins: Sequence[PluginStatus], *, with_host: bool = False) -> Table:
    """Return the plugins, one a row, in load order."""
    table = _table(
        "type", *(["host"] if with_host else []), numbers=("up", "cpu", "memory", "restarts"), first="plugin"
    )
    for row in plugins:
        where = [row.host or units.NOTHING] if with_host else []
        table.add_row(row.name, Text(row.type, QUIET), *where, state_text(row.state), *_numbers(row))
    return table


def _table(*columns: str, numbers: Sequence[str], first: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True, overflow="ellipsis", min_width=12)
    for name in (*columns, "state"):
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _numbers(row: WorkerStatus | PluginStatus) -> list[Text]:
    restarts = Text(str(row.restarts), "yellow" if row.restarts else QUIET)
    shown = (units.duration(row.uptime_s), units.percent(row.cpu_percent), units.size(row.rss_bytes))
    return [*(Text(text, QUIET if text == units.NOTHING else "") for text in shown), restarts]


def _notes(document: Document) -> Iterable[RenderableType]:
    """Yield a sentence for everything that has a reason to be told, then the count of notices."""
    rows: Sequence[WorkerStatus | PluginStatus] = (*document.workers, *document.plugins)
    for row in rows:
        if row.reason:
            yield _note(row.name, row.state, row.reason)
    noticed = [plugin.name for plugin in document.plugins if plugin.notices]
    if noticed:
        yield Text(f"Notices for {units.listed(noticed)}: `status NAME` shows them.", QUIET)


def _note(name: str, state: str, reason: str) -> RenderableType:
    return _hanging(Text.assemble(Text(name, STATE_STYLES.get(state, "")), " ", clean(told(name, state, reason))))


def _hanging(text: Text) -> RenderableType:
    """Return text whose further lines are indented, whatever the width."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    table.add_row(Text("•", QUIET), text)
    return table


def detail_view(document: Document, facts: Sequence[tuple[str, str]] = ()) -> RenderableType:
    """Return one plugin or worker with all that is known; `facts` are further (label, text)."""
    rows: Sequence[PluginStatus | WorkerStatus] = (*document.plugins, *document.workers)
    row = rows[0]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=QUIET, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in [*_known(row), *facts]:
        grid.add_row(label, text)
    notices = [_hanging(Text(clean(notice))) for notice in row.notices] if isinstance(row, PluginStatus) else []
    below = ["", Text("Notices:"), *notices] if notices else []
    head = Text.assemble(Text(row.name, "bold"), " is ", state_text(row.state))
    notice = [Text(document.notice, "yellow")] if document.notice else []
    return Group(head, *notice, Padding(grid, (0, 0, 0, 2)), *below)


def _known(row: PluginStatus | WorkerStatus) -> list[tuple[str, str | Text]]:
    facts = {
        "type": row.type if isinstance(row, PluginStatus) else "core worker",
        "reason": clean(without_name(row.reason, row.name)),
        "host": row.host or "",
        "pid": str(row.pid or ""),
        "up": units.duration(row.uptime_s),
        "cpu": units.percent(row.cpu_percent),
        "memory": units.size(row.rss_bytes),
        "restarts": str(row.restarts or ""),
        "serves": ", ".join(row.plugins) if isinstance(row, WorkerStatus) else "",
        "threads": str(row.concurrency or "") if isinstance(row, WorkerStatus) else "",
    }
    return [(label, text) for label, text in facts.items() if text not in ("", units.NOTHING)]
