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
from aigis._host.leftovers import Cleared, stop_leftovers, unnoted_supervisor
from aigis._host.lock import SupervisorLock, holder
from aigis._host.processes import Identity, boot_id, identify, is_alive, look_at

VIEW_PATIENCE = 3.0
"""Seconds waited for the `up` that shows the host to notice its end."""
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
    view: Identity | None = None
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            cleared = _clear(home)
        except AigisError:
            # Only now is it certain that a supervisor runs. A note alone proves nothing: it may be of another time.
            running = _supervisor(home)
            if running is not None:
                stopped.update(["the supervisor", *living_children(home)])
                view = view or _view_of(running)
                end_supervisor(home, running, progress.tell)
                deadline = time.monotonic() + LOCK_PATIENCE
            elif time.monotonic() > deadline:
                raise
            else:
                time.sleep(PAUSE)
        else:
            _await_end(view)
            return _told(home, len(stopped | set(cleared.stopped)), cleared)


def _view_of(supervisor: Identity) -> Identity | None:
    """Return the `up` that started a supervisor and shows it, or None."""
    row = look_at(supervisor.pid)
    parent = identify(row.parent) if row is not None else None
    if parent is None:
        return None
    try:
        words = Path(f"/proc/{parent.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return parent if b"up" in words else None


def _await_end(view: Identity | None) -> None:
    """Wait a moment for the view to end by itself, so that nothing of this home is left when `down` returns."""
    until = time.monotonic() + VIEW_PATIENCE
    while view is not None and is_alive(view) and time.monotonic() < until:
        time.sleep(PAUSE)


def _supervisor(home: Home) -> Identity | None:
    """Return who holds the home's lock: by the note in it, else by its mark."""
    noted = holder(home)
    if noted is not None:
        return noted.identity
    found = unnoted_supervisor(home)
    return None if found is None else Identity(found.pid, found.start_time, boot_id())


def _clear(home: Home) -> Cleared:
    with SupervisorLock(home, to_stop=True):
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
