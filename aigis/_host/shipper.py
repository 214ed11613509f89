"""The shipper: records out of the pump's buffer into the stream, in batches, through every absence of Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aigis._base.errors import BusUnavailable
from aigis._base.messages import Record
from aigis._host.pump import HIGH_WATER, Buffer
from aigis._wire.stream import StreamWriter

BATCH_RECORDS = 500
BATCH_BYTES = 1024 * 1024
GATHER = 0.05
"""Seconds records are gathered before they are sent."""
PAUSES = (0.1, 2.0)
"""First and longest pause before Redis is tried again."""


class Shipper:
    """Sends what the buffer holds to the stream; a batch whose fate is unknown is sent again rather than lost."""

    def __init__(
        self, buffer: Buffer, writer: StreamWriter, host: str, *, now: Callable[[], float] = time.time
    ) -> None:
        self._buffer = buffer
        self._writer = writer
        self._host = host
        self._now = now
        self._away = False
        self._task = asyncio.get_running_loop().create_task(self._run(), name="shipper")

    @property
    def congested(self) -> bool:
        """Whether children should wait: records pile up although Redis takes them."""
        return not self._away and self._buffer.bytes > HIGH_WATER

    async def close(self, limit: float = 5.0) -> None:
        """Send what is left, for at most `limit` seconds, and end."""
        deadline = time.monotonic() + limit
        while len(self._buffer) and not self._away and time.monotonic() < deadline:  # noqa: ASYNC110 - a last wait, bounded
            await asyncio.sleep(0.01)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = PAUSES[0]
        while True:
            await self._buffer.filled.wait()
            if len(self._buffer) < BATCH_RECORDS:
                await asyncio.sleep(GATHER)
            try:
                await self._send()
            except BusUnavailable:
                self._away = True
                await asyncio.sleep(pause)
                pause = min(PAUSES[1], pause * 2)
            else:
                self._away = False
                pause = PAUSES[0]

    async def _send(self) -> None:
        self._tell_dropped()
        batch = self._buffer.take(BATCH_RECORDS, BATCH_BYTES)
        await self._writer.append(batch)
        self._buffer.done()

    def _tell_dropped(self) -> None:
        dropped = self._buffer.count_dropped()
        if dropped:
            message = f"{dropped} records were dropped here while Redis was away"
            fields = {"action": "drop", "dropped": dropped}
            self._buffer.add(Record(self._now(), self._host, "aigis.supervisor", "log", "WARNING", message, fields))
