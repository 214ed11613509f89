"""Ending a supervisor: asking it, waiting for all its children, and no longer being polite when it does not answer."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from aigis._base.home import Home
from aigis._cli.units import listed
from aigis._host.ledger import Ledger
from aigis._host.leftovers import patience
from aigis._host.processes import Identity, is_alive, send_signal

KILL_PATIENCE = 10.0
"""Seconds it has after a second SIGTERM, at which it kills its children."""
PAUSE = 0.05


def living_children(home: Home) -> list[str]:
    """Return the names of this home's children that run, as the records on disk tell."""
    records = Ledger(home).read()
    return [record.name for record in records if record.identity is not None and is_alive(record.identity)]


def end_supervisor(
    home: Home,
    supervisor: Identity,
    tell: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Stop a supervisor and, through it, its children; returns when it is gone.

    Ctrl-C while waiting makes it kill what does not stop.
    """
    for number, seconds in (
        (signal.SIGTERM, patience(home)),
        (signal.SIGTERM, KILL_PATIENCE),
        (signal.SIGKILL, KILL_PATIENCE),
    ):
        send_signal(supervisor, number)
        send_signal(supervisor, signal.SIGCONT)
        deadline = clock() + seconds
        try:
            while is_alive(supervisor):
                if clock() > deadline:
                    break
                tell(_still(living_children(home)))
                sleep(PAUSE)
            else:
                return
        except KeyboardInterrupt:
            tell("no longer waiting: what has not stopped is killed")


def _still(names: list[str]) -> str:
    return f"stopping {listed(names)}" if names else "stopping the supervisor"
