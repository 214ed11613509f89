"""The log stream: where the records of every host are kept, and how they are read.

An entry holds a chunk of records of one host, so that a burst costs few commands. The stream of a host is capped in
bytes; Redis only knows a cap in entries, hence the measuring from time to time.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Iterator, Optional, Sequence, cast

import redis
import redis.asyncio

from aigis._base.messages import Record
from aigis._wire import keys
from aigis._wire.bus import translated, unavailable, url_of

CHUNK_RECORDS = 256
CHUNK_BYTES = 64 * 1024
STREAM_BYTES = 256 * 1024 * 1024
"""Redis memory one host's records may take."""
MEASURE_EVERY = 4 * 1024 * 1024
"""Bytes written between two looks at the stream's size."""
PAGE = 200
FOLLOW_BLOCK_MS = 1000

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Filter:
    """Which records are wanted; None means any."""

    plugin: Optional[str] = None
    level: Optional[str] = None
    """This level and worse."""
    call: Optional[str] = None
    host: Optional[str] = None

    def matches(self, record: Record) -> bool:
        """Whether a record is wanted."""
        if self.plugin is not None and record.plugin != self.plugin:
            return False
        if self.host is not None and record.host != self.host:
            return False
        if self.call is not None and record.fields.get("call") != self.call:
            return False
        return self.level is None or _severity(record.level) >= _severity(self.level)


def _severity(level: str) -> int:
    name = {"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEBUG", "TRACE": "DEBUG", "NOTICE": "INFO"}.get(
        level, level
    )
    return LEVELS.index(name) if name in LEVELS else 1


def chunks(records: Sequence[Record]) -> Iterator[bytes]:
    """Yield the records as the contents of stream entries, one JSON object a line."""
    lines: list[bytes] = []
    size = 0
    for record in records:
        line = json.dumps(record.to_dict(), separators=(",", ":"), default=str).encode()
        if lines and (size + len(line) > CHUNK_BYTES or len(lines) >= CHUNK_RECORDS):
            yield b"\n".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield b"\n".join(lines)


class StreamWriter:
    """Appends one host's records to its stream and keeps the stream within its size."""

    def __init__(self, client: redis.asyncio.Redis, host: str, *, limit: int = STREAM_BYTES) -> None:
        self._client = client
        self._host = host
        self._key = keys.records(host)
        self._limit = limit
        self._written = 0

    async def append(self, records: Sequence[Record]) -> None:
        """Append records in one round trip; raises BusUnavailable, and then it is unknown whether they were stored."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.sadd(keys.RECORD_HOSTS, self._host)
        for chunk in chunks(records):
            pipeline.xadd(self._key, {b"records": chunk})
            self._written += len(chunk)
        await self._run(pipeline.execute())
        if self._written >= min(MEASURE_EVERY, self._limit // 4):
            self._written = 0
            await self._trim()

    async def _trim(self) -> None:
        size = await self._run(cast("Awaitable[Any]", self._client.memory_usage(self._key, samples=20)))
        if size and size > self._limit:
            length = await self._run(cast("Awaitable[Any]", self._client.xlen(self._key)))
            # A tenth below the limit, so that not every look ends in a cut.
            keep = max(1, int(length * self._limit / size * 0.9))
            await self._run(cast("Awaitable[Any]", self._client.xtrim(self._key, maxlen=keep, approximate=False)))

    async def _run(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except (redis.exceptions.RedisError, OSError) as error:
            raise unavailable(url_of(self._client), error) from error


def read(client: redis.Redis, wanted: Filter, count: int) -> list[Record]:
    """Return the newest `count` wanted records (0: all that are kept), newest last; raises BusUnavailable."""
    with translated(url_of(client)):
        found: list[Record] = []
        for host in _hosts(client, wanted):
            found += _newest(client, keys.records(host), wanted, count)
    found.sort(key=lambda record: record.ts)
    return found[-count:] if count else found


def _hosts(client: redis.Redis, wanted: Filter) -> list[str]:
    hosts = [name.decode() for name in cast("set[bytes]", client.smembers(keys.RECORD_HOSTS))]
    return [host for host in sorted(hosts) if wanted.host in (None, host)]


def _newest(client: redis.Redis, key: str, wanted: Filter, count: int) -> list[Record]:
    found: list[Record] = []
    before = "+"
    while not count or len(found) < count:
        page = cast("list[Any]", client.xrevrange(key, max=before, count=PAGE))
        for _, entry in page:
            matching = [record for record in _records(entry) if wanted.matches(record)]
            found.extend(reversed(matching))
        if len(page) < PAGE:
            break
        before = "(" + page[-1][0].decode()
    return list(reversed(found[:count] if count else found))


def _records(entry: dict[bytes, bytes]) -> list[Record]:
    return [Record.from_json(line) for line in entry.get(b"records", b"").splitlines()]


def end(client: redis.Redis) -> dict[str, str]:
    """Return the last entry's id of every host's stream: from there `follow` shows what comes after now."""
    ids: dict[str, str] = {}
    with translated(url_of(client)):
        for name in _hosts(client, Filter()):
            newest = cast("list[Any]", client.xrevrange(keys.records(name), count=1))
            ids[name] = newest[0][0].decode() if newest else "0"
    return ids


def follow(
    client: redis.Redis, wanted: Filter, *, after: Optional[dict[str, str]] = None
) -> Iterator[Optional[Record]]:
    """Yield wanted records as they come, and None at least once a second so that the caller can look elsewhere.

    `after` is `end`'s answer of an earlier moment; None starts now. Raises BusUnavailable when Redis is lost.
    """
    ids = dict(end(client) if after is None else after)
    while True:
        with translated(url_of(client)):
            for host in _hosts(client, wanted):
                ids.setdefault(host, "0")
            answer: Any = _read_on(client, ids)
        for key, entries in answer:
            host = key.decode().removeprefix(keys.records(""))
            for entry_id, entry in entries:
                ids[host] = entry_id.decode()
                yield from (record for record in _records(entry) if wanted.matches(record))
        yield None


def _read_on(client: redis.Redis, ids: dict[str, str]) -> Any:
    if not ids:
        time.sleep(FOLLOW_BLOCK_MS / 1000)
        return []
    streams = {keys.records(host): entry_id for host, entry_id in ids.items()}
    answer: Any = client.xread(streams, count=PAGE, block=FOLLOW_BLOCK_MS)  # type: ignore[arg-type]
    if isinstance(answer, dict):  # RESP3
        return [(key, entries[0] if len(entries) == 1 else entries) for key, entries in answer.items()]
    return answer or []
