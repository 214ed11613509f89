"""Comparing what should run with what is found: the difference as actions, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aigis._host.child import LaunchSpec
from aigis._host.restart import RestartPolicy


@dataclass(frozen=True)
class Wanted:
    """One child that should run, and how; anything in it that changes means another run."""

    spec: LaunchSpec
    policy: RestartPolicy
    epoch: int = 0
    """Rises with every restart the operator asks for."""


@dataclass(frozen=True)
class Seen:
    """One child that is known, and what it was started as."""

    wanted: Wanted | None
    """None once we have asked it to stop: whatever is wanted from then on, be it the same again, is another run."""
    state: str


@dataclass(frozen=True)
class Start:
    """Start a child that is not known yet, or known by an older wish and ended."""

    name: str
    wanted: Wanted


@dataclass(frozen=True)
class Stop:
    """Stop a child's run."""

    name: str


@dataclass(frozen=True)
class Forget:
    """Drop a child of which nothing runs and nothing is wanted."""

    name: str


Action = Start | Stop | Forget
RUNNING = ("starting", "running")


def reconcile(desired: Mapping[str, Wanted], observed: Mapping[str, Seen]) -> list[Action]:
    """Say what to do so that `observed` becomes `desired`; both are in start order.

    Stops come first and in reverse order. A child to be started anew is stopped now and started by the reconciliation
    that follows its end; one that backs off, failed or stopped on its own while nothing new is wanted of it is left
    to its restart policy.
    """
    stale = [name for name, seen in observed.items() if _is_stale(desired.get(name), seen)]
    stops = [_end(name, desired, observed[name]) for name in reversed(stale)]
    fresh = [name for name in desired if name not in observed or _may_replace(name, stale, observed)]
    return [action for action in stops if action is not None] + [Start(name, desired[name]) for name in fresh]


def _is_stale(wanted: Wanted | None, seen: Seen) -> bool:
    return seen.wanted is None or wanted != seen.wanted


def _end(name: str, desired: Mapping[str, Wanted], seen: Seen) -> Action | None:
    if seen.state in RUNNING:
        return Stop(name)
    if seen.state == "stopping" or name in desired:
        return None
    return Forget(name)


def _may_replace(name: str, stale: list[str], observed: Mapping[str, Seen]) -> bool:
    return name in stale and observed[name].state not in (*RUNNING, "stopping")
