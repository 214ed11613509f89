"""The publisher: what the supervisor wants others to know goes to Redis, together and not too often."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aigis._base.errors import BusUnavailable
from aigis._base.messages import CatalogEntry, Command, CommandReply, HostStatus
from aigis._host.events import BusAnswered, BusLost, CatalogPublished, Event
from aigis._wire.control import Inbox
from aigis._wire.directory import Directory

DEBOUNCE = 0.1
"""Seconds changes are gathered before they are published."""
REFRESH = 2.0
"""Seconds after which the status is published although nothing changed; it renews the host's lease too."""
PAUSES = (0.1, 2.0)

_LOGGER = logging.getLogger("aigis.supervisor")


@dataclass(frozen=True)
class Publication:
    """All that is published, as it is at one moment."""

    status: HostStatus
    catalog: Sequence[CatalogEntry]
    declared: Mapping[str, Mapping[str, Any]]
    catalog_complete: bool
    """Whether the catalog may replace the one in Redis: not before all plugins were prepared once."""


@dataclass
class Publisher:
    """Publishes what `compose` returns; sends replies to commands once what they changed is published.

    It is also the one who notices that Redis is gone or back.
    """

    directory: Directory
    inbox: Inbox
    compose: Callable[[], Publication]
    post: Callable[[Event], None]
    ask_server: Callable[[], Any]
    """Coroutine function: what the server says it is; raises BusUnavailable."""
    _dirty: asyncio.Event = field(default_factory=asyncio.Event)
    _wishes: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    _replies: list[tuple[Command, CommandReply]] = field(default_factory=list)
    _last: Publication | None = None
    _up: bool = True

    def changed(self) -> None:
        """Publish soon."""
        self._dirty.set()

    def keep_wish(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Have the operator's wish stored."""
        self._wishes[key] = value
        self._dirty.set()

    def answer(self, command: Command, ok: bool, message: str) -> None:
        """Reply to a command after the next publication."""
        self._replies.append((command, CommandReply(command.id, ok, message)))
        self._dirty.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        pause = PAUSES[0]
        while True:
            try:
                await self.flush()
                if not self._up:
                    self._up = True
                    self.post(BusAnswered(await self.ask_server()))
                pause = PAUSES[0]
            except BusUnavailable as error:
                self._lost(error)
                await asyncio.sleep(pause)
                pause = min(PAUSES[1], pause * 2)
                continue
            await self._something_new()

    async def flush(self) -> None:
        """Publish now what has changed; raises BusUnavailable."""
        self._dirty.clear()
        for key in list(self._wishes):
            await self.directory.set_operator(key, self._wishes[key])
            del self._wishes[key]
        replies, news = list(self._replies), self.compose()
        await self._publish(news)
        for command, reply in replies:
            await self.inbox.reply(command, reply)
            self._replies.remove((command, reply))

    async def _publish(self, news: Publication) -> None:
        last = self._last
        if news.catalog_complete and (last is None or not last.catalog_complete or last.declared != news.declared):
            foreign = await self.directory.declare(news.declared)
            for name, host in foreign.items():
                _LOGGER.error("plugin %r is declared by host %r already; remove one", name, host)
        if news.catalog_complete and (last is None or not last.catalog_complete or last.catalog != news.catalog):
            await self.directory.publish_catalog(news.catalog)
            self.post(CatalogPublished(frozenset(e.plugin for e in news.catalog if e.state == "disabled")))
        await self.directory.publish_status(dataclasses.replace(news.status, ts=time.time()))
        self._last = news

    def _lost(self, error: BusUnavailable) -> None:
        self._last = None  # whatever answers next may know nothing of us
        if self._up:
            self._up = False
            self.post(BusLost(str(error)))

    async def _something_new(self) -> None:
        # Not wait_for, which on Python 3.11 loses a cancellation that comes together with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFRESH):
                await self._dirty.wait()
        if self._dirty.is_set():
            await asyncio.sleep(DEBOUNCE)
