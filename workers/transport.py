"""Celery's Redis transport with one rule changed: what was fetched is given back only in an orderly stop.

When a connection breaks, kombu gives fetched messages back to their queue while the threads pool still holds them, and
runs them a second time (46 of 60 in a measured case). A call must never run twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from queue import Empty
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

from workers.raw_message import UNREADABLE, RawMessage

SCHEME = "aigis"
REFUSED_PAUSE = 1.0
"""Seconds until a Redis that refuses is asked again."""
_LOGGER = logging.getLogger("aigis.worker")


class Channel(kombu_redis.Channel):
    """Keeps what it fetched when it closes, until `do_restore` is switched on in the worker's orderly stop."""

    Message = RawMessage
    do_restore = False
    on_connected: Any = None
    """Called with a redis-py client whenever the worker has a new connection; of the class, since kombu shows a
    channel's options in `celery inspect stats`, where no function may be."""

    credentials: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        if self.on_connected is not None:
            type(self).on_connected(self.client)

    def _connparams(self, *args: Any, **options: Any) -> Any:
        return {**super()._connparams(*args, **options), **self.credentials}  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except UNREADABLE as error:
            # What handles a message raises none of these: it was no JSON.
            raise _refused(error) from None
        except redis.exceptions.ResponseError as error:
            raise _wait(error) from None

    def _receive_one(self, client: Any) -> Any:
        try:
            return super()._receive_one(client)  # type: ignore[no-untyped-call]
        except RecursionError as error:  # kombu thinks of the other ways of being no JSON
            raise _refused(error) from None
        except redis.exceptions.ResponseError as error:
            raise _wait(error) from None


def _refused(error: Exception) -> Empty:
    """Tell of what is no message in one line, and return what tells kombu that nothing has come."""
    _LOGGER.warning("message refused: it is no JSON: %s", error, extra={"action": "refuse"})
    return Empty()


def _wait(error: Exception) -> Empty:
    """Pause, and return what tells kombu that nothing has come.

    With a full disk Redis refuses even to be waited for. That passes; Celery would take it for the worker's end.
    """
    _LOGGER.warning("Redis gives no calls: %s", error, extra={"action": "wait"})
    time.sleep(REFUSED_PAUSE)
    return Empty()


def _shorten(record: logging.LogRecord) -> bool:
    """Keep kombu's own line about such a message, without the traceback of its reading."""
    if str(record.msg).startswith("Cannot process event"):
        record.exc_info = None
    return True


logging.getLogger(kombu_redis.__name__).addFilter(_shorten)


class Transport(kombu_redis.Transport):
    """The transport behind URLs of the scheme `aigis`."""

    Channel = Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"


def hear_of_connections(on_connected: Callable[[Any], None]) -> None:
    """Have `on_connected` called with each new connection of this process's worker, before its first message."""
    Channel.on_connected = on_connected


def give_back_on_close() -> None:
    """Let channels give back what was fetched and not started; called once, when an orderly stop begins."""
    Channel.do_restore = True


def broker_url(redis_url: str) -> str:
    """Return a Redis URL as kombu wants it, naming our transport, without user and password.

    Raises ValueError for a URL that is neither `redis://` nor `unix://`.
    """
    parts = urlsplit(redis_url)
    scheme = {"unix": f"{SCHEME}+socket", "redis": SCHEME}.get(parts.scheme)
    if scheme is None:
        raise ValueError(f"the Redis URL begins with {parts.scheme!r}; use redis:// or unix://")
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}"


def log_in_as(redis_url: str) -> None:
    """Have this process's channels use the user and password of a Redis URL.

    They are not in the broker's URL, which Celery shows to whoever inspects a worker.
    """
    parts = urlsplit(redis_url)
    found = {"username": parts.username, "password": parts.password}
    Channel.credentials = {name: unquote(value) for name, value in found.items() if value}
