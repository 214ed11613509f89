"""What supervisors publish in Redis: declared plugins, the operator's wishes, catalog entries and status."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast

import redis
import redis.asyncio

from aigis._base.messages import CatalogEntry, HostStatus
from aigis._wire import keys
from aigis._wire.bus import translated, unavailable, url_of

LEASE_SECONDS = 10
"""Without a new status for so long a host counts as down."""


class Directory:
    """A supervisor's access to what all hosts share; every method raises BusUnavailable when Redis is lost."""

    def __init__(self, client: redis.asyncio.Redis, host: str) -> None:
        self._client = client
        self._host = host

    async def declare(self, plugins: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Declare this host's plugins, withdrawing those it no longer has; return name → host of those it may not.

        A plugin belongs to the host that declared it first.
        """
        known = {name.decode(): json.loads(text) for name, text in (await self._all(keys.DECLARED)).items()}
        foreign = {
            name: known[name]["host"] for name in plugins if known.get(name, {}).get("host", self._host) != self._host
        }
        withdrawn = [name for name, entry in known.items() if entry["host"] == self._host and name not in plugins]
        pipeline = self._client.pipeline(transaction=True)
        for name in withdrawn:
            pipeline.hdel(keys.DECLARED, name)
        for name, document in plugins.items():
            if name not in foreign:
                pipeline.hset(keys.DECLARED, name, json.dumps({**document, "host": self._host}))
        await self._run(pipeline.execute())
        return foreign

    async def operator(self) -> dict[str, dict[str, Any]]:
        """Return the operator's layer: plugin name, or `workers@HOST`, → what was asked for."""
        return {name.decode(): json.loads(text) for name, text in (await self._all(keys.OPERATOR)).items()}

    async def set_operator(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Keep what the operator asked for, or forget it (None)."""
        if value is None:
            await self._run(cast("Awaitable[Any]", self._client.hdel(keys.OPERATOR, key)))
        else:
            await self._run(cast("Awaitable[Any]", self._client.hset(keys.OPERATOR, key, json.dumps(dict(value)))))

    async def publish_catalog(self, entries: Sequence[CatalogEntry]) -> None:
        """Replace this host's entries; the generation rises only when something changed."""
        stored = {name.decode(): CatalogEntry.from_json(text) for name, text in (await self._all(keys.CATALOG)).items()}
        mine = {entry.plugin: dataclasses.replace(entry, hosts=(self._host,)) for entry in entries}
        gone = [name for name, entry in stored.items() if entry.hosts == (self._host,) and name not in mine]
        changed = [entry for name, entry in mine.items() if stored.get(name) != CatalogEntry.from_json(entry.to_json())]
        if not gone and not changed:
            return
        pipeline = self._client.pipeline(transaction=True)
        for name in gone:
            pipeline.hdel(keys.CATALOG, name)
        for entry in changed:
            pipeline.hset(keys.CATALOG, entry.plugin, entry.to_json())
        pipeline.incr(keys.CATALOG_GENERATION)
        await self._run(pipeline.execute())

    async def publish_status(self, status: HostStatus) -> None:
        """Publish this host's status document and renew its lease."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hset(keys.STATUS, self._host, status.to_json())
        pipeline.set(keys.lease(self._host), str(status.pid), ex=LEASE_SECONDS)
        await self._run(pipeline.execute())

    async def _all(self, key: str) -> dict[bytes, bytes]:
        return cast("dict[bytes, bytes]", await self._run(cast("Awaitable[Any]", self._client.hgetall(key))))

    async def _run(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except (redis.exceptions.RedisError, OSError) as error:
            raise unavailable(url_of(self._client), error) from error


def read_statuses(client: redis.Redis) -> list[HostStatus]:
    """Return every host's status document by name; a host whose lease has ended is 'down'."""
    with translated(url_of(client)):
        documents = cast("dict[bytes, bytes]", client.hgetall(keys.STATUS))
        statuses = [HostStatus.from_json(text) for _, text in sorted(documents.items())]
        alive = {status.name for status in statuses if client.exists(keys.lease(status.name))}
    return [status if status.name in alive else dataclasses.replace(status, state="down") for status in statuses]
