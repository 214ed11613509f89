"""Which plugins this worker serves: reads the plan, loads and unloads, opens and closes their queues, tells of it.

One thread of its own does the loading, so that calls of plugins already loaded go on meanwhile; everything that touches
Celery's consumer is handed to the consumer's own thread.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery
from celery.app.trace import build_tracer
from celery.worker import state as celery_state

from aigis._base.errors import BusUnavailable
from aigis._base.messages import LoadReport, Plan, PlannedPlugin, WorkerNews
from aigis._plugin.loader import LocalPlugins
from aigis._wire.keys import call_queue
from workers.leases import RENEW_EVERY, Leases
from workers.skill_task import SkillTask

_LOGGER = logging.getLogger("aigis.worker")
LOOK_EVERY = 2.0
"""Seconds between two looks at the plan and the leases; a signal from the supervisor comes sooner."""
PATIENCE = 5
"""Failures in a row to follow the plan after which the worker ends itself."""
DRAIN_SECONDS = 10.0
"""How long calls that have started may go on when their plugin is withdrawn."""

MakeTask = Callable[[str, PlannedPlugin], SkillTask]


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What the roster acts on."""

    app: Celery
    local: LocalPlugins
    leases: Leases
    make_task: MakeTask
    """Registers the task of one skill path of a plugin."""
    tell: Callable[[WorkerNews], None]
    """Tells the supervisor; raises BusUnavailable."""
    end_worker: Callable[[str], None]
    """Ends this worker in order, for the reason given."""


class Roster:
    """The plugins of one worker process."""

    def __init__(self, doors: Doors, plan_file: Path, worker: str, import_timeout: float) -> None:
        self._doors = doors
        self._plan_file = plan_file
        self._worker = worker
        self._import_timeout = import_timeout
        self._consumer: Any = None
        self._wake = threading.Event()
        self._stopping = False
        self._plan = Plan()
        self._plan_stamp: tuple[int, int] | None = None
        self._overdue: dict[str, LoadReport] = {}
        """Of imports that never came to an end."""
        self._serving: dict[str, list[str]] = {}
        self._single: frozenset[str] = frozenset()
        self._lost: set[str] = set()
        """SINGLE plugins whose lease another worker has."""
        self._closed = threading.Event()
        self._failures = 0
        self._settled = False
        self._untold = True
        self._thread = threading.Thread(target=self._keep, name="aigis-roster", daemon=True)
        # Apart, since an import or a drain may take longer than a lease lasts.
        self._lease_thread = threading.Thread(target=self._keep_leases, name="aigis-leases", daemon=True)

    def start(self, consumer: Any) -> None:
        """Begin to load and serve; called once the consumer takes messages."""
        self._consumer = consumer
        self._thread.start()
        self._lease_thread.start()

    def look_again(self) -> None:
        """Read the plan now; safe to call from a signal handler."""
        self._wake.set()

    def tell_again(self) -> None:
        """Tell the supervisor everything once more: Redis, and with it the news, may be a new one."""
        self._untold = True
        self._wake.set()

    def stop(self) -> None:
        """Serve nothing new; called when the worker begins its orderly stop."""
        self._stopping = True
        self._wake.set()

    def close(self) -> None:
        """Unload everything, last loaded first, and give the leases up; called when the last call has ended."""
        self._closed.set()
        if self._overdue:
            return  # an import hangs and would keep us waiting as well
        self._doors.local.unload_all()
        for plugin in self._plan.plugins:
            if plugin.single:
                try:
                    self._doors.leases.release(plugin.name)
                except BusUnavailable:
                    return

    def holds(self, plugin: str) -> bool:
        """Whether this worker serves a plugin now; of a SINGLE one, only while its lease is certain."""
        return plugin in self._serving and (plugin not in self._single or self._doors.leases.holds(plugin))

    def is_single(self, plugin: str) -> bool:
        """Whether a plugin runs one call at a time."""
        return plugin in self._single

    def _keep(self) -> None:
        while not self._stopping:
            try:
                self._read_plan()
                self._tell()  # that loading begins: should it end this process, the supervisor knows by what
                self._follow_leases()
                self._load_missing()
                self._tell()
            except BusUnavailable as error:
                _LOGGER.warning("the supervisor could not be told: %s", error)
                self._untold = True
            except BaseException:  # a plugin may have broken what this process imports: only a new one helps then
                _LOGGER.exception("the plan could not be followed")
                self._failures += 1
                if self._failures >= PATIENCE:
                    self._doors.end_worker("its plugins have broken this process: it could not follow the plan")
                    return
            else:
                self._failures = 0
            self._wake.wait(LOOK_EVERY)
            self._wake.clear()

    def _read_plan(self) -> None:
        try:
            found = os.stat(self._plan_file)
        except FileNotFoundError:
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._plan_stamp:
            return
        plan = Plan.from_json(self._plan_file.read_bytes())
        self._plan_stamp = stamp
        for name in self._doors.local.update(plan.plugins).unload:
            self._withdraw(name)
        self._plan = plan
        self._single = frozenset(each.name for each in plan.plugins if each.single)
        self._settled = False
        self._untold = True

    def _follow_leases(self) -> None:
        """Withdraw SINGLE plugins that another worker serves. What became free is taken when loading."""
        for name in [name for name in self._lost if name in self._serving]:
            _LOGGER.warning("another worker serves plugin %r now", name)
            self._withdraw(name)
        self._lost.clear()

    def _keep_leases(self) -> None:
        while not self._closed.wait(RENEW_EVERY):
            for name in self._single & set(self._serving):
                try:
                    kept = self._doors.leases.take(name)
                except BusUnavailable:
                    continue  # until it is certain again, its calls are not run (see `holds`)
                if not kept:
                    self._lost.add(name)
                    self._wake.set()

    def _load_missing(self) -> None:
        for plugin in self._plan.plugins:
            if self._stopping:
                return
            if not plugin.enabled or plugin.name in self._serving:
                continue
            if any(report.plugin == plugin.name and report.status != "ready" for report in self._reports()):
                continue  # it failed as it is: only a new version is worth another try
            if plugin.single and not self._doors.leases.take(plugin.name):
                continue
            self._load(plugin)
        if not self._settled:
            self._settled = True
            self._untold = True

    def _load(self, plugin: PlannedPlugin) -> None:
        overdue = threading.Timer(self._import_timeout, self._give_up, (plugin,))
        overdue.daemon = True
        overdue.name = f"aigis-import-limit-{plugin.name}"
        overdue.start()
        try:
            report = self._doors.local.load(plugin.name)
        finally:
            overdue.cancel()
        self._untold = True
        if report.status == "ready":
            self._serve(plugin, [skill.path for skill in report.skills])
            self._withdraw_clashing()
        elif report.status == "tainted":
            self._doors.end_worker(report.reason)
        self._tell()

    def _withdraw_clashing(self) -> None:
        """Close the queues of plugins that turned out to hold a name of one before them in load order."""
        failed = {report.plugin for report in self._reports() if report.status != "ready"}
        for name in failed & set(self._serving):
            self._close_queue(name)

    def _reports(self) -> list[LoadReport]:
        return [*(r for r in self._doors.local.reports() if r.plugin not in self._overdue), *self._overdue.values()]

    def _give_up(self, plugin: PlannedPlugin) -> None:
        reason = (
            f"plugin {plugin.name!r}: its import did not end within {self._import_timeout:.0f} s; move slow work out "
            "of AIGIS.core's top level into its skills"
        )
        self._overdue[plugin.name] = LoadReport(
            plugin=plugin.name, version=plugin.version, status="tainted", reason=reason, phase="import"
        )
        self._untold = True
        try:
            self._tell()
        except BusUnavailable:
            _LOGGER.warning("the supervisor could not be told of the import that hangs")
        self._doors.end_worker(reason)

    def _serve(self, plugin: PlannedPlugin, paths: list[str]) -> None:
        tasks = [self._doors.make_task(path, plugin) for path in paths]
        done = threading.Event()

        def open_queue() -> None:
            for task in tasks:
                self._consumer.strategies[task.name] = task.start_strategy(self._doors.app, self._consumer)
                task.__trace__ = build_tracer(
                    task.name, task, self._doors.app.loader, self._consumer.hostname, app=self._doors.app
                )
            self._consumer.add_task_queue(call_queue(plugin.name))
            done.set()

        self._on_consumer(open_queue, done)
        self._serving[plugin.name] = [task.name for task in tasks]

    def _withdraw(self, name: str) -> None:
        """Close a plugin's queue, let its calls end, unload it."""
        self._close_queue(name)
        self._doors.local.unload(name)
        self._untold = True

    def _close_queue(self, name: str) -> None:
        names = self._serving.pop(name, None)
        if names is None:
            return
        done = threading.Event()

        def close_queue() -> None:
            self._consumer.cancel_task_queue(call_queue(name))
            done.set()

        self._on_consumer(close_queue, done)
        if not self._drain(name):
            return  # what is still to start stays registered: it is answered with what the plugin is by then
        for task in names:
            self._consumer.strategies.pop(task, None)
            self._doors.app.tasks.pop(task, None)

    def _on_consumer(self, act: Callable[[], None], done: threading.Event) -> None:
        self._consumer.call_soon(act)
        if not done.wait(DRAIN_SECONDS):
            _LOGGER.warning("the consumer is slow to take a change of its queues")
            done.wait()

    @staticmethod
    @staticmethod
    def _drain(plugin: str) -> bool:
        """Wait until no call of a plugin is left in this worker; False when some still run after DRAIN_SECONDS."""
        until = time.monotonic() + DRAIN_SECONDS
        while any(getattr(request.task, "plugin", None) == plugin for request in set(celery_state.reserved_requests)):
            if time.monotonic() > until:
                _LOGGER.warning("calls of plugin %r run after %.0f s; it is unloaded under them", plugin, DRAIN_SECONDS)
                return False
            time.sleep(0.02)
        return True

    def _tell(self) -> None:
        if not self._untold:
            return
        self._untold = False
        try:
            self._doors.tell(
                WorkerNews(
                    worker=self._worker,
                    pid=os.getpid(),
                    generation=self._plan.generation,
                    reports=tuple(self._reports()),
                    serving=tuple(self._serving),
                    settled=self._settled,
                )
            )
        except BusUnavailable:
            self._untold = True
            raise
