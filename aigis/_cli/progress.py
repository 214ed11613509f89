"""Saying what takes so long: nothing in the first second, then a line for each new thing."""

from __future__ import annotations

import time
from collections.abc import Callable

from aigis._cli import terminal

QUIET = 1.0
"""Seconds in which nothing is said."""


class Progress:
    """Tells people, on stderr, what a command is waiting for."""

    def __init__(
        self, say: Callable[[str], None] = terminal.warn, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._begin = clock()
        self._said = ""

    def tell(self, text: str) -> None:
        """Say what is being waited for, unless it was said last or everything is quick."""
        if text and text != self._said and self._clock() - self._begin >= QUIET:
            self._said = text
            self._say(text)
