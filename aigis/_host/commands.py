"""The operator's commands: what each changes of the wanted state, and when it counts as done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aigis._base.errors import AigisError
from aigis._base.messages import Command
from aigis._base.names import nearest
from aigis._base.settings import Settings
from aigis._host.desired import local_users
from aigis._host.plugins import Plugin, Wish
from aigis._host.state import HostState

PATIENCE = 25.0
"""Seconds until a command is answered although what it asked for is still under way."""
UNDER_WAY = ("preparing", "starting", "stopping")


class Effects(Protocol):
    """What a command may set in motion beside changing the state."""

    def prepare(self, only: str = "") -> None:
        """Prepare the plugins anew; take over all, or only the named one."""

    def keep_wish(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Have the operator's wish stored."""

    def state_of(self, plugin: Plugin) -> tuple[str, str]:
        """Return a plugin's state and the reason for it."""

    def workers_settled(self) -> bool:
        """Whether the wanted workers run and know the plan in force."""


@dataclass(frozen=True)
class Outcome:
    """What obeying a command has led to."""

    ok: bool
    message: str
    """Answer, unless `plugin` names one whose state is the answer."""
    done: Callable[[], bool] = lambda: True
    """Whether it may be answered now."""
    plugin: str = ""


class Commander:
    """Obeys commands by changing the wanted state; reconciling does the rest."""

    def __init__(self, state: HostState, effects: Effects, read_settings: Callable[[], Settings]) -> None:
        self._state = state
        self._effects = effects
        self._read_settings = read_settings
        self._verbs: dict[str, Callable[[Plugin], Outcome]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "reload": self._reload,
            "enable": self._enable,
            "disable": self._disable,
        }

    def obey(self, command: Command) -> Outcome:
        """Obey one command."""
        if command.verb == "apply":
            return self._apply(command.number)
        if command.verb == "scale":
            return self._scale(command.number)
        obey = self._verbs.get(command.verb)
        if obey is None:
            return Outcome(False, f"this supervisor does not know the command {command.verb!r}; upgrade it")
        plugin = self._state.plugins.get(command.plugin)
        return obey(plugin) if plugin is not None else Outcome(False, self._unknown(command.plugin))

    def answer(self, outcome: Outcome) -> tuple[bool, str]:
        """Return what to reply to a command that is done, or that has taken all the patience there is."""
        plugin = self._state.plugins.get(outcome.plugin)
        if plugin is None:
            return outcome.ok, outcome.message
        state, reason = self._effects.state_of(plugin)
        return state not in ("failed", "backoff"), f"{plugin.name} is {state}{': ' if reason else ''}{reason}"

    def _unknown(self, name: str) -> str:
        if name.removeprefix("aigis.").startswith("worker-"):
            return f"{name!r} is a worker, not a plugin: `invoke scale N` says how many there are"
        near = nearest(name, self._state.plugins)
        known = f"did you mean {near!r}?" if near else f"there are: {', '.join(self._state.plugins) or 'none'}"
        return f"no plugin {name!r} is declared in {str(self._state.settings.home.root)!r}; {known}"

    def _apply(self, workers: int) -> Outcome:
        try:
            new = self._read_settings()
        except AigisError as error:
            return Outcome(False, str(error))
        old = self._state.settings
        notices = self._without_effect(old, new, workers)
        # Where this host's Redis is and what it is called is decided once, at its start.
        self._state.settings = dataclasses.replace(new, home=old.home, host=old.host, redis_url=old.redis_url)
        self.forget_stops()
        if workers >= 0:
            self._state.asked_workers, self._state.scaled_workers = workers, None
            self._effects.keep_wish(self._state.scale_key, None)
        self._retry_failed()
        self._effects.prepare()
        return Outcome(True, "; ".join(notices))

    def _without_effect(self, old: Settings, new: Settings, workers: int) -> list[str]:
        """Name the settings that changed and are not followed now, with what it takes."""
        notices = [
            f"{name} changed in aigis.toml or the environment: that takes `invoke down` and `invoke up`"
            for name, before, after in (("redis", old.redis_url, new.redis_url), ("host", old.host, new.host))
            if before != after
        ]
        if old.threads != new.threads:
            notices.append("threads changed in aigis.toml: workers started from now on have them")
        scaled = self._state.scaled_workers
        if workers < 0 and scaled is not None and scaled != new.workers:
            notices.append(
                f"{new.workers} workers are set, but `invoke scale {scaled}` holds; "
                f"`invoke up --workers {new.workers}` ends that"
            )
        return notices

    def forget_stops(self) -> None:
        """End what `stop` lasts for: it holds until the next `up`."""
        for name, wish in list(self._state.wishes.items()):
            if wish.stopped:
                self._wish(name, dataclasses.replace(wish, stopped=False))

    def _retry_failed(self) -> None:
        for plugin in self._state.plugins.values():
            if plugin.is_process and plugin.phase == "ready" and self._effects.state_of(plugin)[0] == "failed":
                self._again(plugin.name)

    def _start(self, plugin: Plugin) -> Outcome:
        if not self._state.wish(plugin.name).enabled:
            return Outcome(False, f"{plugin.name} is disabled; `invoke enable {plugin.name}` lets it start")
        self._wish(plugin.name, Wish())
        if plugin.phase == "failed":
            self._effects.prepare(plugin.name)
        elif self._effects.state_of(plugin)[0] in ("failed", "stopped", "backoff"):
            self.reloaded(plugin.name)
        return self._when_settled(plugin.name)

    def _stop(self, plugin: Plugin) -> Outcome:
        self._wish(plugin.name, dataclasses.replace(self._state.wish(plugin.name), stopped=True))
        return self._when_settled(plugin.name)

    def _restart(self, plugin: Plugin) -> Outcome:
        if not plugin.is_process or plugin.phase == "failed":
            return self._reload(plugin)
        if not self._state.wish(plugin.name).enabled:
            return self._start(plugin)
        self._wish(plugin.name, Wish())
        self._again(plugin.name)
        return self._when_settled(plugin.name)

    def _reload(self, plugin: Plugin) -> Outcome:
        if not self._state.wish(plugin.name).enabled:
            return self._start(plugin)
        self._wish(plugin.name, Wish())
        self._effects.prepare(plugin.name)
        return self._when_settled(plugin.name)

    def reloaded(self, name: str) -> None:
        """Have a plugin that was prepared anew by command loaded and started again, and whoever may hold a copy."""
        plugin = self._state.plugins.get(name)
        if plugin is None:
            return
        if plugin.has_core:
            self._load_again(plugin)
        if plugin.is_process:
            self._again(name)

    def _load_again(self, plugin: Plugin) -> None:
        self._state.reloads[plugin.name] = self._state.reloads.get(plugin.name, 0) + 1
        self._state.core.forget_taint(plugin.name)
        for user in local_users(list(self._state.plugins.values())):
            if user != plugin.name:
                self._again(user)

    def _enable(self, plugin: Plugin) -> Outcome:
        self._wish(plugin.name, dataclasses.replace(self._state.wish(plugin.name), enabled=True))
        return self._when_settled(plugin.name)

    def _disable(self, plugin: Plugin) -> Outcome:
        self._wish(plugin.name, dataclasses.replace(self._state.wish(plugin.name), enabled=False))
        return self._when_settled(plugin.name)

    def _scale(self, number: int) -> Outcome:
        if number < 0:
            return Outcome(False, f"{number} workers are not possible; give 0 or more")
        self._state.scaled_workers = number
        self._effects.keep_wish(self._state.scale_key, {"count": number})
        message = f"{number} worker{'' if number == 1 else 's'} wanted on this host"
        return Outcome(True, message, self._effects.workers_settled)

    def _wish(self, name: str, wish: Wish) -> None:
        self._state.wishes[name] = wish
        self._effects.keep_wish(name, None if wish == Wish() else dataclasses.asdict(wish))

    def _again(self, name: str) -> None:
        self._state.epochs[name] = self._state.epochs.get(name, 0) + 1

    def _when_settled(self, name: str) -> Outcome:
        return Outcome(True, "", lambda: not self._is_under_way(name), name)

    def _is_under_way(self, name: str) -> bool:
        plugin = self._state.plugins.get(name)
        if plugin is None:
            return False
        if self._state.preparations > 0 or (plugin.has_core and not self._effects.workers_settled()):
            return True
        return self._effects.state_of(plugin)[0] in UNDER_WAY
