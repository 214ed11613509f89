"""The log stream read on and on, over losses of Redis, no record shown twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from aigis._base.errors import BusUnavailable
from aigis._base.messages import Record
from aigis._wire import stream
from aigis._wire.stream import Filter

OVERLAP = 2000
"""Records kept for comparing: what came while we asked where the stream ends is read twice."""
PAUSE = 0.5
"""Seconds between two attempts to reach a Redis that is away."""


class Tail:
    """The newest records, then those that come.

    `connect` returns a client, or raises BusUnavailable.
    """

    def __init__(
        self, connect: Callable[[], Any], wanted: Filter, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._connect = connect
        self._wanted = wanted
        self._sleep = sleep
        self._ends: dict[str, str] = {}
        self._shown: list[Record] = []
        self._last = 0.0

    def newest(self, count: int) -> list[Record]:
        """Return the newest `count` records (0: all), newest last, and remember where to go on."""
        client = self._connect()
        self._ends = stream.end(client)
        records = stream.read(client, self._wanted, count)
        self._shown = records[-OVERLAP:]
        self._last = records[-1].ts if records else self._last
        return records

    def follow(self, ended: Callable[[], bool]) -> Iterator[Record | None]:
        """Yield what comes after `newest`, and None at least once a second.

        When Redis is lost it is tried again until `ended` says that nothing will come any more.
        """
        while True:
            try:
                yield from self._go_on()
            except BusUnavailable:
                if ended():
                    return
                yield None
                self._sleep(PAUSE)
                yield from self._catch_up()

    def _go_on(self) -> Iterator[Record | None]:
        for record in stream.follow(self._connect(), self._wanted, after=self._ends):
            if record is None:
                self._shown = []
            elif record in self._shown:
                self._shown.remove(record)
                continue
            else:
                self._last = max(self._last, record.ts)
            yield record

    def _catch_up(self) -> Iterator[Record | None]:
        last = self._last
        try:
            yield from (record for record in self.newest(OVERLAP) if record.ts > last)
        except BusUnavailable:
            yield None
