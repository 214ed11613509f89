"""What `aigis` is inside a core worker: the object itself where this worker has it, else a call to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aigis._base.context import CURRENT_CALL, CallContext
from aigis._plugin.loader import LocalPlugins, NotLocal
from aigis._wire.remote import RemoteRuntime
from workers.turns import Turns

NO_DEADLINE = 300.0


class WorkerRuntime:
    """Local first (DESIGN D7). A SINGLE plugin's skills are always called through its turn, also from here."""

    def __init__(
        self,
        local: LocalPlugins,
        remote: RemoteRuntime,
        turns: Turns,
        holds: Callable[[str], bool],
        now: Callable[[], float],
    ) -> None:
        """`holds` tells whether this worker is the one that serves a SINGLE plugin; `now` is Redis' time."""
        self._local = local
        self._remote = remote
        self._turns = turns
        self._holds = holds
        self._now = now

    def attribute(self, path: str) -> object:
        """Return what `aigis.<path>` is here."""
        try:
            return self._local.attribute(path)
        except NotLocal:
            return self._remote.attribute(path)

    def invoke(self, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], **options: Any) -> Any:
        """Call the skill at `path` where it is: here, or in another worker."""
        found = self._local.find(path)
        if found is None or (found.plugin.single and not self._holds(found.plugin.name)):
            return self._remote.invoke(path, args, kwargs, **options)
        plugin = found.plugin
        if options.get("value_only"):
            return self._local.resolve(path)
        if not plugin.single:
            return self._local.call_skill(path, args, dict(kwargs))
        return self._in_turn(plugin.name, path, args, kwargs)

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names directly below `prefix`, of the whole cluster."""
        return self._remote.names(prefix)

    def _in_turn(self, plugin: str, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        current = CURRENT_CALL.get() or CallContext(plugin=plugin)
        if plugin in current.single:
            # Its own nested call: waiting for its own turn would never end.
            return self._local.call_skill(path, args, dict(kwargs))
        with self._turns.held(plugin, min(current.deadline - self._now(), NO_DEADLINE)):
            token = CURRENT_CALL.set(replace(current, single=current.single | {plugin}))
            try:
                return self._local.call_skill(path, args, dict(kwargs))
            finally:
                CURRENT_CALL.reset(token)
