"""The restart policy: what follows when a child ends, decided from its history alone.

          start                   1 s up
(stopped) ─────► starting ──────────────► running
    ▲               │ ended                  │ ended
    │               ▼                        ▼
    │            decide(policy, history) ◄───┘
    │  exit 0, no RESTART │ restarts left │ none left
    └─────────────────────┤               └──► failed
                          ▼
                       backoff ──(delay over)──► starting
"""

from __future__ import annotations

import random as random_module
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FIRST_DELAY = 0.5
"""Seconds before the first restart in a row; each further one waits twice as long."""
LONGEST_DELAY = 30.0
JITTER = 0.25
"""Delays vary by this part up and down, so that children that fell together do not rise together."""
UP_AFTER = 1.0
"""Seconds after which a child counts as up."""
HEALTHY_AFTER = 30.0
"""Seconds after which a run is healthy: its end begins a new row."""
REMEMBERED = 64
"""Ends of own children that are kept; the delay has long stopped growing there."""


@dataclass(frozen=True)
class RestartPolicy:
    """How often a child is started again by itself."""

    limit: int | None = None
    """Restarts in a row; None and 0: none."""
    always: bool = False
    """True for AIGIS's own children: they are never given up."""


@dataclass(frozen=True)
class End:
    """How one run of a child ended."""

    up_for: float
    """Seconds from start to end."""
    code: int | None = None
    """Exit code, or minus the number of the signal; None when it could not be started or its code is not known."""
    error: str = ""
    """Why it could not be started at all."""

    @property
    def never_up(self) -> bool:
        """Whether the run ended before the child counted as up."""
        return bool(self.error) or self.up_for < UP_AFTER

    def __str__(self) -> str:
        if self.error:
            return f"could not be started: {self.error}"
        return f"{'ended at once: ' if self.never_up else ''}{how(self.code)} after {seconds(self.up_for)}"


@dataclass(frozen=True)
class Restart:
    """Start it again at that moment of the clock."""

    at: float
    reason: str


@dataclass(frozen=True)
class GiveUp:
    """Leave it ended; `state` is 'stopped' or 'failed'."""

    state: str
    reason: str


Action = Restart | GiveUp


def decide(
    policy: RestartPolicy,
    history: Sequence[End],
    now: float,
    random: Callable[[], float] = random_module.random,
) -> Action:
    """Say what follows the newest of the ends in `history` (at least one; oldest first).

    The history begins at the last start by hand, so that those never count. `random` returns numbers from 0 to 1.
    """
    last = history[-1]
    row = ends_in_a_row(history)
    if policy.always or row <= (policy.limit or 0):
        return Restart(now + delay(row, random()), str(last))
    if not policy.limit:
        return GiveUp("stopped" if last.code == 0 else "failed", str(last))
    restarts = f"{policy.limit} restart{'s' if policy.limit > 1 else ''} in a row"
    return GiveUp("failed", f"{last}, after {restarts}")


def ends_in_a_row(history: Sequence[End]) -> int:
    """Count the ends since the last healthy run; the end of that run is the first of them."""
    row = 0
    for end in reversed(history):
        row += 1
        if end.up_for >= HEALTHY_AFTER:
            break
    return row


def delay(row: int, chance: float) -> float:
    """Return the seconds before the restart that follows the `row`-th end, `chance` from 0 to 1 being the jitter."""
    plain = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(row - 1, REMEMBERED))
    return plain * (1 - JITTER + 2 * JITTER * chance)


def seconds(duration: float) -> str:
    """Write a duration for people: 0.2 s, 12 s."""
    return f"{duration:.1f} s" if duration < 10 else f"{duration:.0f} s"


def how(code: int | None) -> str:
    """Say in words how a process ended, by its exit code or minus the number of the signal."""
    if code is None:
        return "ended in an unknown way"
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
