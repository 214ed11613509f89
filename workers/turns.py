"""Whose turn it is: a SINGLE plugin runs one call at a time, and what waits for it holds no thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aigis._base.errors import SkillTimeout

Start = Callable[[], None]


class Turns:
    """One turn per SINGLE plugin of this worker.

    Of the calls that came by the queue one at a time is handed to the pool. It takes the turn when it has got a thread,
    not before: until then calls from other plugins of this worker, which occupy threads already, go first.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._changed = threading.Condition()
        self._handed: set[str] = set()
        self._waiting: dict[str, deque[Start]] = {}
        self._taken: set[str] = set()
        self._monotonic = monotonic
        self._closed = False

    def close(self) -> None:
        """Start nothing more: what waits here goes back to its queue in the worker's orderly stop."""
        # Without the lock: it is called by a signal handler, which may have interrupted its holder.
        self._closed = True

    def submit(self, plugin: str, start: Start) -> None:
        """Call `start` now, or when those submitted before it are done."""
        with self._changed:
            if plugin in self._handed or self._closed:
                self._waiting.setdefault(plugin, deque()).append(start)
                return
            self._handed.add(plugin)
        start()

    def done(self, plugin: str) -> None:
        """Tell that what `submit` started has ended; starts the next."""
        with self._changed:
            waiting = self._waiting.get(plugin)
            start = waiting.popleft() if waiting and not self._closed else None
            if start is None:
                self._handed.discard(plugin)
        if start is not None:
            start()

    @contextmanager
    def held(self, plugin: str, seconds: float = float("inf")) -> Iterator[None]:
        """Hold the turn in this thread.

        Raises SkillTimeout when the turn has not come within `seconds`.
        """
        until = self._monotonic() + seconds
        with self._changed:
            while plugin in self._taken:
                left = until - self._monotonic()
                if left <= 0:
                    raise SkillTimeout(
                        f"plugin {plugin!r} is SINGLE and was busy until the deadline; the call was not started",
                        started="no",
                    )
                self._changed.wait(min(left, 1.0))
            self._taken.add(plugin)
        try:
            yield
        finally:
            with self._changed:
                self._taken.discard(plugin)
                self._changed.notify_all()
