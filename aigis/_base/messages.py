"""What crosses a process: frozen dataclasses that know their JSON form."""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, TypeVar

PROTOCOL = 1
"""Number of the wire protocol: in every key and message. Another number is refused, never guessed at."""

M = TypeVar("M", bound="Message")


@dataclass(frozen=True)
class Message:
    """Base of all messages: a flat record of JSON values."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """Return the compact JSON form, all ASCII: a path or docstring may hold what has no UTF-8 form."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @classmethod
    def from_dict(cls: type[M], values: Mapping[str, Any]) -> M:
        """Build the message from `to_dict`'s form; unknown fields are dropped."""
        known = _field_names(cls)  # type: ignore[arg-type]  # a class is hashable
        return cls(**{name: value for name, value in values.items() if name in known})

    @classmethod
    def from_json(cls: type[M], text: str | bytes) -> M:
        """Build the message from `to_json`'s form."""
        return cls.from_dict(json.loads(text))


@functools.cache
def _field_names(cls: type[Message]) -> frozenset[str]:
    return frozenset(f.name for f in dataclasses.fields(cls))


@dataclass(frozen=True)
class PlannedPlugin(Message):
    """One plugin with an AIGIS.core, as the processes that load it need to know it."""

    name: str
    version: str
    """Content version of the runtime folder (the bundle's hash)."""
    type: str
    root: str
    """Absolute path of the runtime folder."""
    entrypoint: str
    """Absolute path of the import root of the plugin's own modules."""
    branches: tuple[str, ...] = ()
    """Dotted names reserved before the plugin's code runs."""
    single: bool = False
    timeout: Optional[float] = None
    """Deadline of its calls in seconds where the caller states none."""
    may_taint: bool = False
    """Whether threads, children and event loops left behind by its import are allowed."""
    enabled: bool = True
    """False: its skills are withdrawn (PluginDisabled)."""

    @property
    def hybrid(self) -> bool:
        """Whether the skills belong to a plugin that also runs as a process of its own."""
        return self.type != "core"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PlannedPlugin:
        """Build the message; JSON has lists where this has tuples."""
        return super().from_dict({**values, "branches": tuple(values.get("branches", ()))})


@dataclass(frozen=True)
class Plan(Message):
    """The plugins to load on this host, in load order: written by the supervisor, read by its children.

    It is a private file, not a key in Redis: whoever could change it could name code to run.
    """

    generation: int = 0
    host: str = ""
    plugins: tuple[PlannedPlugin, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """Build the plan and the plugins in it."""
        plugins = tuple(PlannedPlugin.from_dict(plugin) for plugin in values.get("plugins", ()))
        return super().from_dict({**values, "plugins": plugins})

    def find(self, name: str) -> Optional[PlannedPlugin]:
        """Return the plugin of that name, or None."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)


@dataclass(frozen=True)
class Skill(Message):
    """What the catalog tells of one skill."""

    path: str
    kind: str
    """'function', 'class', 'exception', 'module', 'object' or 'value'."""
    signature: Optional[tuple[dict[str, Any], ...]] = None
    """One `{"name", "kind", "default"}` per parameter the caller may pass (the logger left out); None: not known.

    `kind` is inspect's name in lower case (`positional_or_keyword` …); `default` is the repr, absent when required.
    """
    doc: str = ""
    """First paragraph of the docstring."""
    members: tuple[str, ...] = ()
    """Public names below a module, class or object skill, as far as they can be known without running code."""
    exceptions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Exception classes at or below the skill: relative dotted name ('' for the skill itself) → names of its bases,
    nearest first, each `module:qualname`; the first entry is the class itself."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Skill:
        """Build the skill; JSON has lists where this has tuples."""
        signature = values.get("signature")
        return super().from_dict(
            {
                **values,
                "signature": None if signature is None else tuple(signature),
                "members": tuple(values.get("members", ())),
                "exceptions": {name: tuple(bases) for name, bases in values.get("exceptions", {}).items()},
            }
        )


@dataclass(frozen=True)
class CatalogEntry(Message):
    """What the catalog tells of one plugin: its names, its skills, and whether calls to it make sense."""

    plugin: str
    type: str
    state: str
    """'loading' (calls wait), 'ready', 'failed', 'disabled', or 'unserved' (no worker is wanted)."""
    order: int = 0
    version: str = ""
    reason: str = ""
    branches: tuple[str, ...] = ()
    skills: tuple[Skill, ...] = ()
    single: bool = False
    timeout: Optional[float] = None
    hosts: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CatalogEntry:
        """Build the entry and the skills in it."""
        return super().from_dict(
            {
                **values,
                "branches": tuple(values.get("branches", ())),
                "skills": tuple(Skill.from_dict(skill) for skill in values.get("skills", ())),
                "hosts": tuple(values.get("hosts", ())),
            }
        )


@dataclass(frozen=True)
class LoadReport(Message):
    """How loading one plugin ended in one worker."""

    plugin: str
    version: str
    status: str
    """'ready', 'failed' or 'tainted' (loaded code left threads, children or a loop behind, or did not return)."""
    reason: str = ""
    phase: str = ""
    """Where it failed: 'import', 'skills', 'names' or 'taint'."""
    skills: tuple[Skill, ...] = ()
    notices: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoadReport:
        """Build the report and the skills in it."""
        return super().from_dict(
            {
                **values,
                "skills": tuple(Skill.from_dict(skill) for skill in values.get("skills", ())),
                "notices": tuple(values.get("notices", ())),
            }
        )


@dataclass(frozen=True)
class Record(Message):
    """One log line with its fields."""

    ts: float
    """Seconds since the epoch, UTC, by the clock of the host that read the line."""
    host: str
    plugin: str
    stream: str
    """'stdout', 'stderr' or 'log'."""
    level: str
    message: str
    fields: dict[str, Any] = field(default_factory=dict)
    """What else the line said: fields of a JSON line, `call`, `part`, `lossy` …"""


@dataclass(frozen=True)
class Command(Message):
    """What the operator asks of a supervisor; repeating it is harmless."""

    verb: str
    """'apply', 'start', 'stop', 'restart', 'reload', 'enable', 'disable' or 'scale'."""
    plugin: str = ""
    number: int = 0
    """Of 'scale': the wanted count of workers; of 'apply': workers, or -1 to leave them."""
    id: str = ""
    deadline: float = 0.0
    """Redis' time after which the command is not obeyed any more."""


@dataclass(frozen=True)
class CommandReply(Message):
    """What a command ended in."""

    id: str
    ok: bool
    message: str = ""
    """One sentence for people."""


@dataclass(frozen=True)
class WorkerNews(Message):
    """What a worker tells its supervisor: it serves, or how loading its plugins ended."""

    worker: str
    pid: int
    generation: int = 0
    """Generation of the plan the reports answer."""
    reports: tuple[LoadReport, ...] = ()
    serving: tuple[str, ...] = ()
    """Plugins whose queues the worker consumes now."""
    settled: bool = False
    """True when every plugin of the plan has been tried."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WorkerNews:
        """Build the news and the reports in it."""
        return super().from_dict(
            {
                **values,
                "reports": tuple(LoadReport.from_dict(report) for report in values.get("reports", ())),
                "serving": tuple(values.get("serving", ())),
            }
        )


@dataclass(frozen=True)
class PluginStatus(Message):
    """One row of `status`: what people and scripts see of a plugin."""

    name: str
    type: str
    state: str
    host: Optional[str] = None
    pid: Optional[int] = None
    uptime_s: Optional[float] = None
    restarts: int = 0
    cpu_percent: Optional[float] = None
    rss_bytes: Optional[int] = None
    reason: str = ""
    notices: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PluginStatus:
        """Build the row; JSON has lists where this has tuples."""
        return super().from_dict({**values, "notices": tuple(values.get("notices", ()))})


@dataclass(frozen=True)
class WorkerStatus(Message):
    """One worker in `status`."""

    name: str
    host: str
    state: str
    pid: Optional[int] = None
    plugins: tuple[str, ...] = ()
    concurrency: int = 0
    uptime_s: Optional[float] = None
    restarts: int = 0
    cpu_percent: Optional[float] = None
    rss_bytes: Optional[int] = None
    reason: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WorkerStatus:
        """Build the row; JSON has lists where this has tuples."""
        return super().from_dict({**values, "plugins": tuple(values.get("plugins", ()))})


@dataclass(frozen=True)
class HostStatus(Message):
    """Everything one supervisor publishes about its host: the status document."""

    name: str
    state: str
    """'up', 'stopping' or 'down'."""
    pid: Optional[int] = None
    redis: str = ""
    """Server and version, and whether it is reachable."""
    version: str = ""
    ts: float = 0.0
    settled: bool = False
    """True when every plugin wanted here has come to rest (see `up --detach`)."""
    workers: tuple[WorkerStatus, ...] = ()
    plugins: tuple[PluginStatus, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HostStatus:
        """Build the document with its rows."""
        return super().from_dict(
            {
                **values,
                "workers": tuple(WorkerStatus.from_dict(row) for row in values.get("workers", ())),
                "plugins": tuple(PluginStatus.from_dict(row) for row in values.get("plugins", ())),
            }
        )


STATES = (
    "preparing",
    "waiting",
    "starting",
    "running",
    "backoff",
    "stopping",
    "stopped",
    "failed",
    "disabled",
)
"""The life of a plugin or child, as `status` names it."""
