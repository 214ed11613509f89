"""The verb `down`: everything of this home ends, whoever still answers."""

from __future__ import annotations

import os
import time
from pathlib import Path

from aigis._base.errors import AigisError
from aigis._base.home import Home, find_home
from aigis._cli import terminal
from aigis._cli.ending import end_supervisor, living_children
from aigis._cli.exits import DONE, FAILED
from aigis._cli.progress import Progress
from aigis._cli.units import several
from aigis._host.leftovers import Cleared, stop_leftovers
from aigis._host.lock import SupervisorLock, holder

LOCK_PATIENCE = 5.0
"""Seconds a killed supervisor may take until the system has taken its lock away."""
PAUSE = 0.05


def run() -> int:
    """Stop the supervisor, then what it has left behind."""
    home = find_home(os.environ, Path.cwd())
    if not home.hidden.is_dir():
        return _told(home, 0, Cleared())
    progress = Progress()
    stopped: set[str] = set()
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        running = holder(home)
        if running is not None:
            stopped.update(["the supervisor", *living_children(home)])
            end_supervisor(home, running, progress.tell)
            deadline = time.monotonic() + LOCK_PATIENCE
        try:
            cleared = _clear(home)
        except AigisError:
            # Either the lock is not quite free yet, or another `up` was quicker than we: that one is meant, too.
            if holder(home) is None and time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return _told(home, len(stopped | set(cleared.stopped)), cleared)


def _clear(home: Home) -> Cleared:
    with SupervisorLock(home):
        return stop_leftovers(home)


def _told(home: Home, stopped: int, cleared: Cleared) -> int:
    if cleared.survivors:
        terminal.warn(f"aigis: not even SIGKILL ended {', '.join(cleared.survivors)}; look at them with `ps`")
        return FAILED
    if stopped:
        terminal.say(f"AIGIS in {str(home.root)!r} is down: {several(stopped, 'process', 'processes')} stopped")
    else:
        terminal.say(f"nothing was running in {str(home.root)!r}")
    return DONE
