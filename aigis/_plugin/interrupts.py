"""Tells a real SIGINT from a KeyboardInterrupt that foreign code raises."""

from __future__ import annotations

import contextlib
import signal
import threading
from types import FrameType
from typing import Callable, Iterator, Optional


@contextlib.contextmanager
def noting_interrupts() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether a SIGINT has arrived; its handler is called as before.

    Only the main thread receives signals: elsewhere the answer is always no.
    """
    happened: list[int] = []
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield lambda: False
        return
    passed_on = previous

    def note(number: int, frame: Optional[FrameType]) -> None:
        happened.append(number)
        passed_on(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(happened)
    finally:
        # A handler that the foreign code has set meanwhile stays.
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, previous)
