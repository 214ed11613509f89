"""The pump: children's pipes are read fairly, their lines become records, the records wait in bounded memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aigis._base.messages import Record
from aigis._host.child import Child, Output
from aigis._host.lines import Line, LineSplitter
from aigis._host.records import Origin, read_line

READ_BYTES = 64 * 1024
"""Bytes one source may give in one turn."""
IDLE_FLUSH = 0.2
"""Seconds after which an unfinished line is shown."""
STRAGGLER_LIMIT = 0.5
"""Seconds without a byte after which the pipes of an ended child are closed: somebody else may hold them open."""
HIGH_WATER = 8 * 1024 * 1024
"""Bytes of waiting records above which reading rests while Redis takes records: the children wait, nothing is lost."""
MOST_BYTES = 32 * 1024 * 1024
"""Bytes of records kept while Redis is away; then the oldest are dropped and counted."""
LAST_WORDS = 160
"""Characters of a child's last line that go into the reason of its end."""
_OVERHEAD = 400
"""Bytes a record takes beside its text, roughly."""


class Buffer:
    """Records on their way to the stream, oldest first, bounded in bytes."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._records: deque[tuple[Record, int]] = deque()
        self._most_bytes = most_bytes
        self._taken = 0
        self.bytes = 0
        self.dropped = 0
        """Records dropped since the count was last taken."""
        self.filled = asyncio.Event()
        self._last_words: dict[str, str] = {}

    def add(self, record: Record) -> None:
        """Append a record; drops the oldest that are not just being sent when there is no room."""
        size = _OVERHEAD + len(record.message) + sum(len(str(value)) for value in record.fields.values())
        self._records.append((record, size))
        if last := record.message.strip().rpartition("\n")[2]:
            self._last_words[record.plugin] = last[:LAST_WORDS]
        self.bytes += size
        self.filled.set()
        while self.bytes > self._most_bytes and len(self._records) > self._taken + 1:
            self._drop()

    def take(self, count: int, limit: int) -> list[Record]:
        """Return up to `count` of the oldest records, at most `limit` bytes unless one alone is larger."""
        batch: list[Record] = []
        size = 0
        for record, cost in self._records:
            if batch and (len(batch) >= count or size + cost > limit):
                break
            batch.append(record)
            size += cost
        self._taken = len(batch)
        return batch

    def done(self) -> None:
        """Forget the records taken last: they are stored."""
        for _ in range(self._taken):
            self.bytes -= self._records.popleft()[1]
        self._taken = 0
        if not self._records:
            self.filled.clear()

    def count_dropped(self) -> int:
        """Return how many records were dropped since the last question."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    def last_words(self, plugin: str) -> str:
        """Return the last line of one plugin that was not empty, for an error message."""
        return self._last_words.get(plugin, "")

    def forget_words(self, plugin: str) -> None:
        """Forget the last line: a new run begins."""
        self._last_words.pop(plugin, None)

    def __len__(self) -> int:
        return len(self._records)

    def _drop(self) -> None:
        # What is being sent must stay where `done` looks for it.
        position = self._taken
        self.bytes -= self._records[position][1]
        del self._records[position]
        self.dropped += 1


@dataclass(eq=False)
class _Source:
    """One pipe of one child."""

    origin: Origin
    descriptor: int
    splitter: LineSplitter = field(default_factory=LineSplitter)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    last_byte: float = 0.0
    flush_timer: asyncio.TimerHandle | None = None


class Pump:
    """Reads all children's pipes in turns and puts records into a buffer.

    `congested` tells whether reading should rest because Redis takes records more slowly than children write.
    """

    def __init__(
        self,
        buffer: Buffer,
        host: str,
        *,
        congested: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._buffer = buffer
        self._host = host
        self._congested = congested
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Queue[_Source] = asyncio.Queue()
        self._task = self._loop.create_task(self._turns(), name="pump")

    def attach(self, child: Child) -> list[_Source]:
        """Begin to read a child's pipes; the descriptors belong to the pump from here on."""
        self._buffer.forget_words(child.name)
        return [self._open(child.name, output) for output in child.outputs]

    def last_words(self, name: str) -> str:
        """Return the last line of a child's present run that was not empty."""
        return self._buffer.last_words(name)

    async def drained(self, sources: Iterable[_Source]) -> None:
        """Wait until all that an ended child wrote has been read; pipes that others hold open are then closed."""
        for source in sources:
            await self._drained(source)

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _open(self, child: str, output: Output) -> _Source:
        source = _Source(Origin(self._host, child, output.stream), output.descriptor, last_byte=self._loop.time())
        self._listen(source)
        return source

    def _listen(self, source: _Source) -> None:
        self._loop.add_reader(source.descriptor, self._on_ready, source)

    def _on_ready(self, source: _Source) -> None:
        # Each source stands in line at most once, so that a flood takes turns with all others.
        self._loop.remove_reader(source.descriptor)
        # More has come: its line is not idle, however long reading rests.
        _cancel_flush(source)
        self._ready.put_nowait(source)

    async def _turns(self) -> None:
        """Read one source after another, leaving the loop at least as much time as reading takes."""
        while True:
            source = await self._ready.get()
            while self._congested():  # noqa: ASYNC110 - it ends by many small steps of another's
                await asyncio.sleep(0.01)
            began = self._loop.time()
            if not source.ended.is_set():
                self._read(source)
            await asyncio.sleep(self._loop.time() - began)

    def _read(self, source: _Source) -> None:
        try:
            data = os.read(source.descriptor, READ_BYTES)
        except BlockingIOError:
            self._flush_later(source)
            self._listen(source)
            return
        except OSError:
            data = b""
        if not data:
            self._close(source)
            return
        source.last_byte = self._loop.time()
        self._put(source, source.splitter.feed(data))
        self._flush_later(source)
        self._listen(source)

    def _flush_later(self, source: _Source) -> None:
        _cancel_flush(source)
        if source.splitter.pending:
            source.flush_timer = self._loop.call_later(IDLE_FLUSH, self._flush, source)

    def _flush(self, source: _Source) -> None:
        source.flush_timer = None
        if not source.ended.is_set():
            self._put(source, source.splitter.flush())

    def _close(self, source: _Source) -> None:
        if source.ended.is_set():
            return
        source.ended.set()
        self._loop.remove_reader(source.descriptor)
        os.close(source.descriptor)
        self._put(source, source.splitter.flush(ended=True))

    async def _drained(self, source: _Source) -> None:
        source.last_byte = max(source.last_byte, self._loop.time())
        while not source.ended.is_set():
            try:
                async with asyncio.timeout(STRAGGLER_LIMIT / 5):
                    await source.ended.wait()
            except TimeoutError:
                quiet = self._loop.time() - source.last_byte
                if quiet > STRAGGLER_LIMIT and not self._congested():
                    self._close(source)

    def _put(self, source: _Source, lines: Iterable[Line]) -> None:
        now = self._now()
        for line in lines:
            self._buffer.add(read_line(line, source.origin, now))


def _cancel_flush(source: _Source) -> None:
    if source.flush_timer is not None:
        source.flush_timer.cancel()
        source.flush_timer = None
