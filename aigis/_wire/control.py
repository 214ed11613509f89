"""Commands to a supervisor and news from its workers: signed JSON in one list per host."""

from __future__ import annotations

import json
import logging
import time
import uuid
from dataclasses import replace
from typing import Any, Awaitable, Union, cast

import redis
import redis.asyncio

from aigis._base.errors import MessageRejected, NotRunning
from aigis._base.messages import PROTOCOL, Command, CommandReply, WorkerNews
from aigis._wire import keys
from aigis._wire.bus import redis_now, translated, unavailable, url_of
from aigis._wire.signing import Signer

LABEL = "control"
BLOCK = 5
"""Seconds one wait of the supervisor lasts."""
REPLY_LIFE = 60
"""Seconds a reply nobody fetched is kept."""
NEWS_LIFE = 60.0
"""Seconds after which news nobody read is worthless: the worker tells them again."""

_LOGGER = logging.getLogger("aigis.control")
_KINDS: dict[str, Any] = {"command": Command, "news": WorkerNews}


def ask(client: redis.Redis, key: bytes, host: str, command: Command, *, timeout: float = 30.0) -> CommandReply:
    """Give a supervisor a command and wait for its reply.

    `timeout` is in seconds. Raises NotRunning when no supervisor answers in time, BusUnavailable without Redis.
    """
    signer = Signer(key, LABEL)
    command = replace(command, id=uuid.uuid4().hex, deadline=redis_now(client) + timeout)
    place = keys.command_reply(command.id)
    with translated(url_of(client)):
        client.lpush(keys.inbox(host), _seal(signer, "command", command, command.deadline))
        popped = _wait(client, place, timeout)
    if popped is None:
        raise NotRunning(
            f"the supervisor of host {host!r} did not answer {command.verb!r} within {timeout:.0f} s; "
            "`invoke status` tells whether it runs"
        )
    kind, reply = _open(signer, popped)
    if kind != "reply":
        raise MessageRejected(f"host {host!r} answered with {kind!r}; upgrade AIGIS on the older side")
    answer = CommandReply.from_dict(reply)
    if answer.id != command.id:
        raise MessageRejected(f"what host {host!r} answered belongs to another command; ask again")
    return answer


def _wait(client: redis.Redis, place: str, timeout: float) -> bytes | None:
    """Wait in steps shorter than the socket's own timeout, which would else end the connection."""
    until = time.monotonic() + timeout
    while (left := until - time.monotonic()) > 0:
        popped: Any = client.brpop([place], timeout=max(0.01, min(1.0, left)))
        if popped is not None:
            return cast("bytes", popped[1])
    return None


def tell(client: redis.Redis, key: bytes, host: str, news: WorkerNews) -> None:
    """Tell a supervisor what happened in a worker; raises BusUnavailable."""
    expiry = redis_now(client) + NEWS_LIFE
    with translated(url_of(client)):
        client.lpush(keys.inbox(host), _seal(Signer(key, LABEL), "news", news, expiry))


class Inbox:
    """A supervisor's end: what it is told and asked, one at a time, oldest first."""

    def __init__(self, client: redis.asyncio.Redis, key: bytes, host: str) -> None:
        """`client` must not give up a reply before BLOCK seconds have passed."""
        self._client = client
        self._signer = Signer(key, LABEL)
        self._key = keys.inbox(host)

    async def receive(self) -> Union[Command, WorkerNews]:
        """Wait for the next message; whatever is forged, altered or late is logged in one line and passed over.

        Raises BusUnavailable when Redis is lost.
        """
        while True:
            blob = await self._pop()
            if blob is None:
                continue
            try:
                return await self._admit(blob)
            except (MessageRejected, ValueError, TypeError, KeyError) as error:
                _LOGGER.warning("message to the supervisor refused: %s", error, extra={"action": "refuse"})

    async def reply(self, command: Command, reply: CommandReply) -> None:
        """Answer a command; raises BusUnavailable."""
        place = keys.command_reply(command.id)
        pipeline: Any = self._client.pipeline(transaction=True)
        pipeline.lpush(place, _seal(self._signer, "reply", reply, 0.0)).expire(place, REPLY_LIFE)
        try:
            await pipeline.execute()
        except (redis.exceptions.RedisError, OSError) as error:
            raise unavailable(url_of(self._client), error) from error

    async def _pop(self) -> bytes | None:
        try:
            popped = await cast("Awaitable[Any]", self._client.brpop([self._key], timeout=BLOCK))
        except (redis.exceptions.RedisError, OSError) as error:
            raise unavailable(url_of(self._client), error) from error
        return None if popped is None else popped[1]

    async def _admit(self, blob: bytes) -> Union[Command, WorkerNews]:
        kind, values = _open(self._signer, blob)
        if kind not in _KINDS:
            raise MessageRejected(f"a supervisor does not take {kind!r}")
        seconds, micros = await self._time()
        if seconds + micros / 1e6 > values["expiry"]:
            raise MessageRejected(f"{kind} came after its expiry and is not obeyed")
        message: Union[Command, WorkerNews] = _KINDS[kind].from_dict(values)
        return message

    async def _time(self) -> tuple[int, int]:
        try:
            return cast("tuple[int, int]", await cast("Awaitable[Any]", self._client.time()))
        except (redis.exceptions.RedisError, OSError) as error:
            raise unavailable(url_of(self._client), error) from error


def _seal(signer: Signer, kind: str, message: Command | WorkerNews | CommandReply, expiry: float) -> bytes:
    values = {"protocol": PROTOCOL, "kind": kind, "expiry": expiry, "message": message.to_dict()}
    return signer.sign(json.dumps(values).encode())


def _open(signer: Signer, blob: bytes) -> tuple[str, dict[str, Any]]:
    values = json.loads(signer.verify(blob))
    if values["protocol"] != PROTOCOL:
        raise MessageRejected(
            f"it speaks protocol {values['protocol']}, this process {PROTOCOL}: upgrade the older side"
        )
    return values["kind"], {**values["message"], "expiry": values["expiry"]}
