"""Celery's Redis transport with one rule changed: what was fetched is given back only in an orderly stop.

When a connection breaks, kombu gives fetched messages back to their queue while the threads pool still holds them, and
runs them a second time (46 of 60 in a measured case). A call must never run twice.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

SCHEME = "aigis"


class Channel(kombu_redis.Channel):
    """Keeps what it fetched when it closes, until `do_restore` is switched on in the worker's orderly stop."""

    do_restore = False
    on_connected: Any = None
    """Called with a redis-py client whenever the worker has a new connection."""
    from_transport_options: Any = (*kombu_redis.Channel.from_transport_options, "on_connected")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        if self.on_connected is not None:
            self.on_connected(self.client)


class Transport(kombu_redis.Transport):
    """The transport behind URLs of the scheme `aigis`."""

    Channel = Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"


def give_back_on_close() -> None:
    """Let channels give back what was fetched and not started; called once, when an orderly stop begins."""
    Channel.do_restore = True


def broker_url(redis_url: str) -> str:
    """Return a Redis URL as kombu wants it, naming our transport.

    Raises ValueError for a URL that is neither `redis://` nor `unix://`.
    """
    for prefix, ours in (("unix://", f"{SCHEME}+socket://"), ("redis://", f"{SCHEME}://")):
        if redis_url.startswith(prefix):
            return ours + redis_url.removeprefix(prefix)
    raise ValueError(f"the Redis URL begins with {redis_url.partition('://')[0]!r}; use redis:// or unix://")
