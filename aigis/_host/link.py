"""The supervisor's link to Redis: what it publishes, what it is told, and where the records go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aigis._base.errors import BusUnavailable
from aigis._base.messages import Command
from aigis._host.events import CommandCame, Event, NewsCame
from aigis._host.publisher import Publication, Publisher
from aigis._host.pump import Buffer
from aigis._host.redis_server import ask_version
from aigis._host.shipper import Shipper
from aigis._wire.bus import connect_async
from aigis._wire.control import Inbox
from aigis._wire.directory import Directory
from aigis._wire.stream import StreamWriter

WAITING_TIMEOUT = 15.0
"""Seconds a reply may take on the connection that waits for commands: longer than one wait."""
PAUSES = (0.1, 2.0)
FAULT_PAUSE = 1.0
LAST_WORDS = 5.0
"""Seconds the last publication may take."""

_LOGGER = logging.getLogger("aigis.supervisor")


class BusLink:
    """Three connections to one Redis, each with its own errand, none of which ends for an absence of Redis."""

    def __init__(
        self,
        url: str,
        key: bytes,
        host: str,
        buffer: Buffer,
        compose: Callable[[], Publication],
        post: Callable[[Event], None],
    ) -> None:
        # A connection that waits for commands cannot be shared.
        self._clients = (connect_async(url), connect_async(url, timeout=WAITING_TIMEOUT), connect_async(url))
        self._directory = Directory(self._clients[0], host)
        self._inbox = Inbox(self._clients[1], key, host)
        self._post = post
        replies = Inbox(self._clients[0], key, host)
        self.publisher = Publisher(self._directory, replies, compose, post, lambda: ask_version(url))
        self.shipper = Shipper(buffer, StreamWriter(self._clients[2], host), host)
        self._tasks: list[asyncio.Task[None]] = []

    async def read_wishes(self) -> dict[str, dict[str, Any]]:
        """Return the operator's layer; raises BusUnavailable."""
        return await self._directory.operator()

    def start(self) -> None:
        """Begin to publish and to listen."""
        errands = {"publisher": self.publisher.run, "inbox": self._listen}
        self._tasks = [asyncio.create_task(_forever(name, run), name=name) for name, run in errands.items()]

    async def close(self) -> None:
        """Publish for the last time, send the records that are left, and close."""
        await _end(self._tasks)
        with contextlib.suppress(BusUnavailable, TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.publisher.flush()
        await self.shipper.close()
        for client in self._clients:
            await client.aclose()

    async def _listen(self) -> None:
        pause = PAUSES[0]
        while True:
            try:
                message = await self._inbox.receive()
            except BusUnavailable:
                await asyncio.sleep(pause)
                pause = min(PAUSES[1], pause * 2)
                continue
            pause = PAUSES[0]
            self._post(CommandCame(message) if isinstance(message, Command) else NewsCame(message))


async def _forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run an errand again when a fault of ours ends it: a host without it could be neither seen nor told."""
    while True:
        try:
            await run()
        except Exception:
            _LOGGER.exception("the supervisor's %s failed and begins again", name)
        await asyncio.sleep(FAULT_PAUSE)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    left = set(tasks)
    while left:
        # More than once: a library below may mistake a cancellation for its own timeout.
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1.0)
