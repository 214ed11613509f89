"""Executes the AIGIS.core of one plugin and undoes that: whatever its code does, the host goes on."""

from __future__ import annotations

import logging
import os
from typing import Callable, ContextManager, Optional, Union

from aigis._base.messages import LoadReport, PlannedPlugin
from aigis._plugin.exposed import HOOK, Unusable, look_up, read_listed
from aigis._plugin.fault import own_traceback, reason_of
from aigis._plugin.injection import logger_slot
from aigis._plugin.interrupts import noting_interrupts
from aigis._plugin.loaded import LoadedPlugin
from aigis._plugin.namespace import Namespaces
from aigis._plugin.taint import TaintWatcher

Outcome = Union[LoadedPlugin, LoadReport]
"""The loaded plugin, or the report saying why it is not."""
NameCheck = Callable[[PlannedPlugin, "tuple[str, ...]"], Optional[str]]
"""Says what is wrong with the names a plugin exposes, or None."""


class Execution:
    """Runs plugins' code at loading and unloading; see LocalPlugins for the arguments."""

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        logger_for: Callable[[str], logging.Logger],
        within: Callable[[str], ContextManager[object]],
        patience: float,
    ) -> None:
        self._namespaces = namespaces
        self._logger_for = logger_for
        self._within = within
        self._patience = patience
        self._watcher = TaintWatcher()

    def start(self, plugin: PlannedPlugin, check_names: NameCheck) -> Outcome:
        """Execute a plugin's AIGIS.core; of one that cannot be used nothing stays loaded, its `cleanup` is called.

        Only a real SIGINT passes through.
        """
        with self._watcher.watching() as watch:
            outcome = self._guarded(plugin, check_names)
            left = watch.left_behind(self._patience)
        if left:
            outcome = _allowed(outcome, left) if plugin.may_taint else _tainted(plugin, outcome, left)
        if isinstance(outcome, LoadReport):
            self.stop(plugin)
        return outcome

    def stop(self, plugin: PlannedPlugin) -> None:
        """Undo `start`: call the plugin's `cleanup` hook, when its AIGIS.core was executed, and drop its modules."""
        core = self._namespaces.core(plugin.name)
        hook = vars(core).get(HOOK) if core else None
        if callable(hook):
            self._call_hook(plugin, hook)
        self._namespaces.remove(plugin.name)

    def _guarded(self, plugin: PlannedPlugin, check_names: NameCheck) -> Outcome:
        with noting_interrupts() as interrupted:
            try:
                return self._execute(plugin, check_names)
            except Unusable as fault:
                return _failed(plugin, fault.phase, f"{plugin.name}: {fault}")
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) and interrupted():
                    self.stop(plugin)
                    raise
                return self._fault(plugin, error)

    def _execute(self, plugin: PlannedPlugin, check_names: NameCheck) -> LoadedPlugin:
        if not os.path.isfile(os.path.join(plugin.root, "AIGIS", "AIGIS.core")):
            raise Unusable("import", f"AIGIS/AIGIS.core is missing below {plugin.root!r}: write one with a SKILLS list")
        self._namespaces.add(plugin.name, plugin.root, plugin.entrypoint)
        with self._within(plugin.name):
            core = self._namespaces.load_core(plugin.name)
            listed = read_listed(vars(core))
            objects = {name: look_up(vars(core), name) for name in listed.names}
        problem = check_names(plugin, listed.names)
        if problem:
            raise Unusable("names", problem)
        return LoadedPlugin.of(plugin, core, self._logger_for(plugin.name), objects, listed.notices)

    def _fault(self, plugin: PlannedPlugin, error: BaseException) -> LoadReport:
        # Once AIGIS.core has run to its end, only looking a listed name up runs code of the plugin.
        phase = "names" if self._namespaces.core(plugin.name) else "import"
        shown = error.with_traceback(own_traceback(plugin.root, error) or error.__traceback__)
        reason = reason_of(plugin, shown)
        self._logger_for(plugin.name).error(
            "loading failed", exc_info=shown, extra={"action": "load", "phase": phase, "plugin": plugin.name}
        )
        return _failed(plugin, phase, reason)

    def _call_hook(self, plugin: PlannedPlugin, hook: Callable[..., object]) -> None:
        logger = self._logger_for(plugin.name)
        slot = logger_slot(hook)
        given: dict[str, object] = {}
        if slot:
            slot.fill((), given, logger)
        with noting_interrupts() as interrupted:
            try:
                with self._within(plugin.name):
                    hook(**given)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) and interrupted():
                    raise
                logger.exception("cleanup failed", extra={"action": "cleanup", "plugin": plugin.name})


def _failed(plugin: PlannedPlugin, phase: str, reason: str) -> LoadReport:
    return LoadReport(plugin.name, plugin.version, "failed", reason, phase)


def _tainted(plugin: PlannedPlugin, outcome: Outcome, left: tuple[str, ...]) -> LoadReport:
    also = f" (it failed as well: {outcome.reason})" if isinstance(outcome, LoadReport) else ""
    reason = (
        f"{plugin.name}: its import left {_enumerate(left)} running; start it in a function, make the plugin an "
        f"internal one, or set allow_taint = true in [plugins.{plugin.name}] of aigis.toml{also}"
    )
    return LoadReport(plugin.name, plugin.version, "tainted", reason, "taint")


def _allowed(outcome: Outcome, left: tuple[str, ...]) -> Outcome:
    if isinstance(outcome, LoadReport):
        return outcome
    notice = f"its import left {_enumerate(left)} running, as allow_taint permits"
    return LoadedPlugin(outcome.plugin, outcome.core, outcome.logger, outcome.leaves, (*outcome.notices, notice))


def _enumerate(things: tuple[str, ...]) -> str:
    return " and ".join(things) if len(things) < 3 else f"{', '.join(things[:-1])} and {things[-1]}"
