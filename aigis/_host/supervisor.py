"""The supervisor: one inbox, one loop, and the one place where the state of a host changes."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aigis._base.home import write_private
from aigis._base.messages import Command, WorkerNews
from aigis._base.settings import Settings
from aigis._host import events
from aigis._host.children import Children
from aigis._host.commands import PATIENCE, Commander, Outcome
from aigis._host.core import worker_key
from aigis._host.link import BusLink
from aigis._host.plugins import Plugin
from aigis._host.preparation import Preparer
from aigis._host.reconcile import reconcile
from aigis._host.redis_server import OWN_NAME as REDIS
from aigis._host.report import WORKER_PREFIX, Reporter
from aigis._host.restart import how
from aigis._host.state import HostState, Stage
from aigis._host.suspects import CONVICTED_AFTER
from aigis._plugin.environment import own_environment

RELOAD_SIGNAL = signal.SIGUSR1
"""Tells a worker that the plan changed."""

_LOGGER = logging.getLogger("aigis.supervisor")


@dataclass(frozen=True)
class _Pending:
    """A command that was obeyed and waits for its effect."""

    command: Command
    outcome: Outcome
    until: float


class Supervisor:
    """Takes events from its inbox one by one; after each it brings what is nearer to what should be."""

    def __init__(
        self,
        state: HostState,
        children: Children,
        reporter: Reporter,
        preparer: Preparer,
        inbox: asyncio.Queue[events.Event],
        read_settings: Callable[[], Settings],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self.quiet = asyncio.Event()
        """Set when the orderly end has come as far as Redis."""
        self.ended = asyncio.Event()
        """Set when no child is left."""
        self._children = children
        self._reporter = reporter
        self._preparer = preparer
        self._inbox = inbox
        self._commander = Commander(state, self, read_settings)
        self._clock = clock
        self._link: BusLink | None = None
        self._pending: list[_Pending] = []
        self._nudged: dict[int, int] = {}
        """Worker's pid → generation of the plan it was told to read."""

    async def consume(self) -> None:
        """Take events until cancelled."""
        while True:
            event = await self._inbox.get()
            try:
                self.handle(event)
            except Exception:  # a fault in one event must not leave the host without its supervisor
                _LOGGER.exception("an event could not be handled: %r", event)

    def handle(self, event: events.Event) -> None:
        """Take in one event and act on what follows."""
        match event:
            case events.ChildEnded() | events.ChildUp() | events.RetryDue():
                self._hear_child(event)
            case events.BusAnswered(server):
                self.state.bus_up, self.state.server = True, server
                _LOGGER.info("Redis answers: %s", server, extra={"action": "bus"})
            case events.BusLost(reason):
                self.state.bus_up = False
                _LOGGER.warning("Redis is away: %s", reason, extra={"action": "bus"})
            case events.PluginsPrepared():
                self._take_over(event)
            case events.PreparationFailed(reason):
                self._preparation_failed(reason)
            case events.CatalogPublished(off):
                self.state.names_reserved, self.state.withdrawn = True, off
            case events.CommandCame(command):
                self._obey(command)
            case events.NewsCame(news):
                self._hear_worker(news)
            case events.StopAsked(reason):
                self._end(reason)
            case events.Tick():
                pass
        self._bring_about()

    def begin(self, link: BusLink, operator: Mapping[str, Mapping[str, Any]]) -> None:
        """Go on with Redis; `operator` is the operator's layer found there."""
        self._link = link
        self.state.take_operator(operator)
        self._commander.forget_stops()
        if self.state.asked_workers is not None:
            self.keep_wish(self.state.scale_key, None)
        self._bring_about()

    def end_everything(self) -> None:
        """Stop what is left: Redis, and all of it when the start failed."""
        self.state.stage = Stage.ALL_ENDS
        self._bring_about()

    # What commands may set in motion.

    def prepare(self, only: str = "") -> None:
        """Prepare the plugins anew; take over all, or only the named one."""
        self.state.preparations += 1
        self._preparer.start(self.state.settings, only)

    def keep_wish(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Have the operator's wish stored."""
        if self._link is not None:
            self._link.publisher.keep_wish(key, value)

    def state_of(self, plugin: Plugin) -> tuple[str, str]:
        """Return a plugin's state and the reason for it."""
        return self._reporter.state_of(plugin)

    def workers_settled(self) -> bool:
        """Whether the wanted workers run and know the plan in force."""
        return self._reporter.workers_settled()

    # Events.

    def _hear_child(self, event: events.ChildEnded | events.ChildUp | events.RetryDue) -> None:
        if isinstance(event, events.ChildEnded):
            self._lose_worker(event)
        self._children.hear(event)

    def _lose_worker(self, event: events.ChildEnded) -> None:
        kept = self._children.kept.get(event.name)
        if not event.name.startswith(WORKER_PREFIX) or kept is None:
            return
        if kept.state != "stopping" and not kept.forgiven:
            culprit = self.state.core.suspects.died(self.state.plan, self.state.core.news_of(event.name))
            if culprit is not None:
                reason = f"loading it ends the worker: {CONVICTED_AFTER} times in a row one {how(event.code)}"
                self.state.core.tainting[culprit.name, culprit.version] = reason
                self._children.forgive(event.name, kept.pid)
                _LOGGER.error("plugin %r is left out: %s", culprit.name, reason, extra={"child": culprit.name})
        self.state.core.lose(event.name)

    def _hear_worker(self, news: WorkerNews) -> None:
        name = worker_key(news.worker)
        kept = self._children.kept.get(name)
        alive = kept is not None and kept.pid == news.pid
        if self.state.core.hear(news, alive=alive):
            self._children.forgive(name, news.pid)
        for report in news.reports:
            if report.status != "ready":
                text = "plugin %r %s in %s: %s"
                _LOGGER.error(text, report.plugin, report.status, name, report.reason, extra={"child": report.plugin})

    def _take_over(self, event: events.PluginsPrepared) -> None:
        self.state.preparations -= 1
        self.state.core_environment = event.core_environment
        prepared = {plugin.name: plugin for plugin in event.plugins}
        known, only = self.state.plugins, event.only
        self.state.plugins = {**known, only: prepared[only]} if only in prepared and only in known else prepared
        self.state.prepared = True
        for plugin in event.plugins:
            if plugin.phase == "failed" and only in ("", plugin.name):
                _LOGGER.error("%s failed: %s", plugin.name, plugin.reason, extra={"action": "fail"})
        if only:
            self._commander.reloaded(only)

    def _preparation_failed(self, reason: str) -> None:
        self.state.preparations -= 1
        if self.state.stage is not Stage.RUNNING:
            return
        _LOGGER.error("the plugins could not be prepared: %s", reason)
        if not self.state.prepared:
            failed = (dataclasses.replace(p, phase="failed", reason=reason) for p in self.state.plugins.values())
            self.state.plugins = {plugin.name: plugin for plugin in failed}
            self.state.core_environment = own_environment()
            self.state.prepared = True

    def _obey(self, command: Command) -> None:
        what = command.plugin or (command.number if command.verb == "scale" else "")
        _LOGGER.info("command: %s %s", command.verb, what, extra={"action": command.verb})
        outcome = self._commander.obey(command)
        self._pending.append(_Pending(command, outcome, self._clock() + PATIENCE))

    def _end(self, reason: str) -> None:
        if self.state.stage is Stage.RUNNING:
            _LOGGER.info("stopping everything in order: %s", reason, extra={"action": "stop"})
            self.state.stage = Stage.PLUGINS_END
        else:
            _LOGGER.warning("killing everything: %s again", reason, extra={"action": "kill"})
            self._children.kill_all(spare=() if self.state.stage is Stage.ALL_ENDS else (REDIS,))
        self._preparer.stop()

    # From what is to what should be.

    def _bring_about(self) -> None:
        self._renew_plan()
        self._reconcile()
        self._nudge_workers()
        self._answer()
        if self._link is not None:
            self._link.publisher.changed()

    def _renew_plan(self) -> None:
        if not self.state.prepared:
            return
        plan = self.state.next_plan()
        if plan is self.state.plan:
            return
        try:
            write_private(self.state.settings.home.plan_file, plan.to_json().encode())
        except OSError as error:
            _LOGGER.error("the plan cannot be written: %s; free some space or correct the permissions", error)
        else:
            self.state.plan = plan

    def _reconcile(self) -> None:
        while True:
            for action in reconcile(self.state.desired(), self._children.observed()):
                self._children.perform(action)
            if not self._next_stage():
                break

    def _next_stage(self) -> bool:
        """Go one stage further in the orderly end when nothing of this one is left."""
        alive = [name for name, kept in self._children.kept.items() if kept.child is not None]
        match self.state.stage:
            case Stage.PLUGINS_END if not any(not name.startswith("aigis.") for name in alive):
                self.state.stage = Stage.WORKERS_END
                return True
            case Stage.WORKERS_END if not any(name.startswith(WORKER_PREFIX) for name in alive):
                self.quiet.set()
            case Stage.ALL_ENDS if not alive:
                self.ended.set()
        return False

    def _nudge_workers(self) -> None:
        """Tell workers of a new plan: only those that have told something, since they know the signal."""
        generation = self.state.plan.generation
        for kept in self._reporter.workers():
            news = self.state.core.news_of(kept.name)
            if news is None or news.generation >= generation or self._nudged.get(news.pid) == generation:
                continue
            self._children.signal(kept.name, RELOAD_SIGNAL)
            self._nudged = {pid: told for pid, told in self._nudged.items() if pid in self._children.pids()}
            self._nudged[news.pid] = generation

    def _answer(self) -> None:
        if self._link is None:
            return
        now = self._clock()
        for pending in list(self._pending):
            if pending.outcome.done() or now > pending.until:
                self._link.publisher.answer(pending.command, *self._commander.answer(pending.outcome))
                self._pending.remove(pending)
