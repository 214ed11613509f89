"""What a foreground `up` shows: a live table with log lines above it, or one line per change without a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aigis._base.errors import AigisError
from aigis._base.messages import Record
from aigis._cli import session, terminal
from aigis._cli.document import Document, changes
from aigis._cli.lines import LineWriter
from aigis._cli.status import read_document

if TYPE_CHECKING:
    from rich.live import Live

    from aigis._cli.up import Upkeep

REFRESH = 0.5
"""Seconds between two looks at the status."""
GLANCES = 10
"""Looks at whether the supervisor still runs within that time: its view shall not outlive it."""
AT_ONCE = 500
"""Log lines printed together: each printing draws the table anew."""


def watch(upkeep: Upkeep) -> None:
    """Show the host until its supervisor ends."""
    if sys.stdout.isatty():
        _watch_terminal(upkeep)
    else:
        watch_plain(lambda: read_document(upkeep.settings), upkeep.ended)


def watch_plain(
    look: Callable[[], Document],
    ended: Callable[[], bool],
    *,
    say: Callable[[str], None] = terminal.say,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Print the state, then one line for each change, until `ended`."""
    shown = Document()
    while True:
        last = ended()
        document = look()
        for line in changes(shown, document):
            say(line)
        shown = document
        if last:
            return
        for _ in range(GLANCES):
            if ended():
                break
            sleep(REFRESH / GLANCES)


def _watch_terminal(upkeep: Upkeep) -> None:
    from rich.live import Live

    from aigis._cli.tables import status_view
    from aigis._cli.tail import Tail
    from aigis._wire.stream import Filter

    tail = Tail(lambda: session.bus(upkeep.settings), Filter())
    with Live(console=terminal.console(), refresh_per_second=4, transient=True) as live:
        printer = _Above(live)
        printer.add(_begin(tail, upkeep))
        looked = 0.0
        for record in tail.follow(upkeep.ended):
            printer.add([record] if record is not None else [])
            if record is None or printer.full:
                printer.print()
            if time.monotonic() - looked > REFRESH:
                live.update(status_view(read_document(upkeep.settings)))
                looked = time.monotonic()
                if upkeep.ended():
                    return


def _begin(tail: Any, upkeep: Upkeep) -> Sequence[Record]:
    """Return what the supervisor has printed since this `up` started it; nothing when it ran before."""
    try:
        records: Sequence[Record] = tail.newest(AT_ONCE)
    except AigisError:
        return []
    launched = upkeep.launched
    return [record for record in records if launched is not None and record.ts >= launched.at]


class _Above:
    """Collects log lines and prints them above the table, many at a time."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._writer = LineWriter(colour=terminal.colours(), width=live.console.width)
        self._lines: list[str] = []

    @property
    def full(self) -> bool:
        """Whether enough lines have come together."""
        return len(self._lines) >= AT_ONCE

    def add(self, records: Sequence[Record]) -> None:
        """Take in records."""
        for record in records:
            self._lines += self._writer.lines(record)

    def print(self) -> None:
        """Print what has come together."""
        from rich.text import Text

        if self._lines:
            self._live.console.print(Text.from_ansi("\n".join(self._lines)), soft_wrap=True)
            self._lines = []
