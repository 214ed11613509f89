"""Everything a supervisor knows of its host, and what follows from it; only the supervisor's loop changes it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aigis._base.messages import Plan
from aigis._base.settings import Settings
from aigis._host.core import CoreLife
from aigis._host.desired import desired_plan, runs_here, wanted_plugin, wanted_workers
from aigis._host.plugins import Plugin, Wish
from aigis._host.reconcile import Wanted
from aigis._plugin.environment import Environment


class Stage(enum.IntEnum):
    """How far the orderly end has come."""

    RUNNING = 0
    PLUGINS_END = 1
    WORKERS_END = 2
    ALL_ENDS = 3


@dataclass
class HostState:
    """One host: what is declared, what the operator wishes, what was prepared, how Redis is."""

    settings: Settings
    environ: Mapping[str, str]
    """The environment variables children inherit."""
    asked_workers: int | None = None
    """Count of `up --workers N`; it replaces the setting."""
    scaled_workers: int | None = None
    """Count of `scale N`; it wins."""
    plugins: dict[str, Plugin] = field(default_factory=dict)
    """In load order."""
    wishes: dict[str, Wish] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    """Restarts by hand of plugins that are processes."""
    reloads: dict[str, int] = field(default_factory=dict)
    """Reloads by hand of plugins with skills."""
    core: CoreLife = field(default_factory=CoreLife)
    core_environment: Environment | None = None
    plan: Plan = field(default_factory=Plan)
    redis: Wanted | None = None
    """The embedded server; None when a URL is given."""
    server: str = ""
    """What Redis says it is."""
    bus_up: bool = False
    wishes_known: bool = False
    """Whether the operator's layer was read, hence Redis has answered once."""
    prepared: bool = False
    """Whether all plugins were prepared once."""
    preparations: int = 0
    """Preparations under way."""
    withdrawn: frozenset[str] = frozenset()
    """Plugins whose skills the published catalog shows as withdrawn: enabled again, their processes wait for the next,
    for at their start they may call their own skills."""
    names_reserved: bool = False
    """Whether the catalog has been published: before, no internal plugin starts."""
    stage: Stage = Stage.RUNNING

    @property
    def workers(self) -> int:
        """How many core workers are wanted."""
        counts = (self.scaled_workers, self.asked_workers, self.settings.workers)
        return next(count for count in counts if count is not None)

    @property
    def began(self) -> bool:
        """Whether workers and plugins may start."""
        return self.wishes_known and self.prepared

    @property
    def scale_key(self) -> str:
        """Name of the operator's wish for the count of workers."""
        return f"workers@{self.settings.host}"

    def take_operator(self, layer: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in what the operator wished for in earlier times."""
        count = layer.get(self.scale_key, {}).get("count")
        if self.asked_workers is None and isinstance(count, int):
            self.scaled_workers = count
        self.wishes = {name: Wish.of(values) for name, values in layer.items() if "@" not in name}
        self.wishes_known = True

    def wish(self, name: str) -> Wish:
        """Return what the operator wants of a plugin."""
        return self.wishes.get(name, Wish())

    def next_plan(self) -> Plan:
        """Return the plan that should be in force: the one that is, or its successor."""
        plan = desired_plan(
            list(self.plugins.values()),
            self.wishes,
            self.reloads,
            self.core.tainting,
            generation=self.plan.generation + 1,
            settings=self.settings,
        )
        return plan if plan.plugins != self.plan.plugins or not self.plan.generation else self.plan

    def desired(self) -> dict[str, Wanted]:
        """Return the children that should run, in start order."""
        wanted: dict[str, Wanted] = {}
        if self.redis is not None and self.stage < Stage.ALL_ENDS:
            wanted[self.redis.spec.name] = self.redis
        if not self.began or self.core_environment is None or self.stage >= Stage.WORKERS_END:
            return wanted
        wanted.update(wanted_workers(self.workers, self.settings, self.core_environment, self.environ))
        if self.names_reserved and self.stage is Stage.RUNNING:
            wanted.update(self._desired_plugins())
        return wanted

    def _desired_plugins(self) -> dict[str, Wanted]:
        return {
            name: wanted_plugin(plugin, self.epochs.get(name, 0), self.settings, self.environ)
            for name, plugin in self.plugins.items()
            if runs_here(plugin, self.wish(name), self.settings) and name not in self.withdrawn
        }
