"""The children a supervisor keeps: each with its wish, its state and the history its restarts are decided by."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from aigis._base.errors import PluginError
from aigis._host.child import Child, LaunchSpec, start
from aigis._host.events import ChildEnded, ChildUp, Event, RetryDue
from aigis._host.ledger import Ledger
from aigis._host.processes import Process
from aigis._host.pump import Pump
from aigis._host.reconcile import RUNNING, Action, Forget, Seen, Start, Stop, Wanted
from aigis._host.restart import HEALTHY_AFTER, REMEMBERED, UP_AFTER, End, GiveUp, Restart, decide

_LOGGER = logging.getLogger("aigis.supervisor")


@dataclass
class Kept:
    """One child through all its runs."""

    name: str
    wanted: Wanted
    state: str = "starting"
    """'starting', 'running', 'backoff', 'stopping', 'stopped' or 'failed'."""
    reason: str = ""
    restarts: int = 0
    """Starts that the policy decided, not the operator."""
    child: Child | None = None
    started: float = 0.0
    """Moment of the last start, by the monotonic clock."""
    history: list[End] = field(default_factory=list)
    attempt: int = 0
    """Number of the last start, among those of all children: a delay that belongs to an older one is void."""
    dismissed: bool = False
    """True once we have asked this run to stop; its end is followed by a start if one is wanted."""
    forgiven: bool = False
    """True when the next end was announced and is no fault: it is followed by a start at once."""

    @property
    def pid(self) -> int | None:
        """Leader of the living run."""
        return self.child.pid if self.child is not None else None


class Children:
    """Starts and stops children as told, and starts them again as their policies say.

    `post` puts events into the supervisor's inbox; only the supervisor's loop may call the methods.
    """

    def __init__(
        self,
        ledger: Ledger,
        pump: Pump,
        post: Callable[[Event], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[LaunchSpec, Ledger], Child] = start,
    ) -> None:
        self.kept: dict[str, Kept] = {}
        self._ledger = ledger
        self._pump = pump
        self._post = post
        self._clock = clock
        self._start_child = start
        self._loop = asyncio.get_running_loop()
        self._lives: set[asyncio.Task[None]] = set()
        self._attempts = itertools.count(1)

    def observed(self) -> dict[str, Seen]:
        """Return what `reconcile` compares."""
        return {name: Seen(None if kept.dismissed else kept.wanted, kept.state) for name, kept in self.kept.items()}

    def perform(self, action: Action) -> None:
        """Do one thing that `reconcile` asked for."""
        match action:
            case Start(name, wanted):
                restarts = self.kept[name].restarts if name in self.kept else 0
                self.kept[name] = Kept(name, wanted, restarts=restarts)
                self._start(self.kept[name])
            case Stop(name):
                self._stop(self.kept[name])
            case Forget(name):
                del self.kept[name]

    def hear(self, event: ChildEnded | ChildUp | RetryDue) -> None:
        """Take in what happened to a child; news of an earlier run are passed over."""
        kept = self.kept.get(event.name)
        if kept is None:
            return
        if isinstance(event, RetryDue):
            if kept.state == "backoff" and kept.attempt == event.attempt:
                kept.restarts += 1
                self._start(kept)
        elif kept.child is not None and kept.child.generation == event.generation:
            if isinstance(event, ChildEnded):
                self._ended(kept, event)
            elif kept.state == "starting" and kept.child.alive:
                kept.state = "running"

    def forgive(self, name: str, pid: int | None) -> None:
        """Let the end that this run announced count as no fault."""
        kept = self.kept.get(name)
        if kept is not None and kept.pid == pid:
            kept.forgiven = True

    def signal(self, name: str, number: int) -> None:
        """Signal a child's leader."""
        kept = self.kept.get(name)
        if kept is not None and kept.child is not None:
            kept.child.send(number)

    def kill_all(self, *, spare: Collection[str] = ()) -> None:
        """End all graces, but for those of `spare`."""
        for kept in self.kept.values():
            if kept.child is not None and kept.name not in spare:
                kept.child.kill()

    def uptime(self, kept: Kept) -> float | None:
        """Return the seconds a child has been running, or None."""
        return self._clock() - kept.started if kept.state in RUNNING else None

    def pids(self) -> set[int]:
        """Return the leaders of all living runs."""
        return {kept.pid for kept in self.kept.values() if kept.pid is not None}

    def _start(self, kept: Kept) -> None:
        kept.attempt = next(self._attempts)
        kept.started = self._clock()
        kept.state, kept.forgiven = "starting", False
        try:
            child = kept.child = self._start_child(kept.wanted.spec, self._ledger)
        except PluginError as error:
            kept.child = None
            self._decide(kept, End(0.0, error=str(error)))
            return
        _LOGGER.info("%s started", kept.name, extra={"action": "start", "child": kept.name, "pid": child.pid})
        self._loop.call_later(UP_AFTER, self._post, ChildUp(kept.name, child.generation))
        life = self._loop.create_task(self._live(kept.name, child, kept.started), name=f"life of {kept.name}")
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    async def _live(self, name: str, child: Child, started: float) -> None:
        """Follow one run to its very end."""
        sources = self._pump.attach(child)
        code = await asyncio.shield(child.ended)
        up_for = self._clock() - started
        survivors = await child.gone()
        await self._pump.drained(sources)
        if not survivors:
            self._ledger.forget(name)
        self._post(ChildEnded(name, child.generation, code, up_for, _pids(survivors)))

    def _stop(self, kept: Kept) -> None:
        if kept.child is None:
            kept.state = "stopped"
            return
        kept.state, kept.dismissed = "stopping", True
        kept.child.stop()
        _LOGGER.info("%s is asked to stop", kept.name, extra={"action": "stop", "child": kept.name})

    def _ended(self, kept: Kept, event: ChildEnded) -> None:
        kept.child = None
        end = End(event.up_for, event.code)
        if event.survivors:
            pids = ", ".join(map(str, event.survivors))
            _LOGGER.error("processes of %s survive SIGKILL: %s", kept.name, pids, extra={"child": kept.name})
        if kept.state == "stopping":
            kept.state, kept.reason = "stopped", ""
            _LOGGER.info("%s stopped", kept.name, extra={"action": "stopped", "child": kept.name})
        elif kept.forgiven:
            self._start(kept)
        else:
            self._decide(kept, end)

    def _decide(self, kept: Kept, end: End) -> None:
        kept.history = [*kept.history[-REMEMBERED:], end]
        if end.up_for >= HEALTHY_AFTER:
            kept.history = [end]
        now = self._clock()
        action = decide(kept.wanted.policy, kept.history, now)
        said = self._pump.last_words(kept.name)
        kept.reason = f"{action.reason}; it said last: {said}" if said and end.code != 0 else action.reason
        match action:
            case Restart(at):
                kept.state = "backoff"
                self._loop.call_later(max(0.0, at - now), self._post, RetryDue(kept.name, kept.attempt))
            case GiveUp(state):
                kept.state = state
        level = {"stopped": logging.INFO, "failed": logging.ERROR}.get(kept.state, logging.WARNING)
        _LOGGER.log(level, "%s: %s", kept.name, kept.reason, extra={"action": kept.state, "child": kept.name})


def _pids(processes: list[Process]) -> tuple[int, ...]:
    return tuple(process.pid for process in processes)
