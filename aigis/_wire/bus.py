"""The door to Redis: connections that never send a command twice."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Any, Iterator, Optional
from urllib.parse import urlsplit, urlunsplit

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from aigis._base.errors import BusUnavailable, NotRunning
from aigis._base.home import Home

# redis-py repeats a command whose reply was lost up to ten times unless told otherwise: that would run a call twice.
NO_RETRY = Retry(NoBackoff(), 0)
CONNECT_TIMEOUT = 3.0
SCHEMES = ("redis://", "rediss://", "unix://")
MAX_CONNECTIONS = 64
"""Of one client. A process may have more threads than that: they wait for a connection, they do not fail."""
POOL_WAIT = 5.0
"""Seconds a thread waits for a connection."""


def connect(url: str, *, timeout: Optional[float] = 5.0) -> redis.Redis:
    """Return a client for `url`; `timeout` bounds each reply in seconds, None is for commands that block."""
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=MAX_CONNECTIONS, timeout=POOL_WAIT, retry=NO_RETRY, **_socket_options(url, timeout)
    )
    return redis.Redis.from_pool(pool)


def connect_async(url: str, *, timeout: Optional[float] = 5.0) -> redis.asyncio.Redis:
    """Return an asyncio client for `url`, with the meaning of `connect`."""
    from redis.asyncio.retry import Retry as AsyncRetry

    return redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0), **_socket_options(url, timeout))


def _socket_options(url: str, timeout: Optional[float]) -> dict[str, Any]:
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": CONNECT_TIMEOUT}
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    return options


def read_url(home: Home) -> str:
    """Return the Redis URL of this home.

    Raises NotRunning when AIGIS is down there, BusUnavailable when the file is damaged.
    """
    try:
        url = home.bus_file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise not_running(home) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(home, error) from error
    if not url.startswith(SCHEMES):
        raise _damaged(home, "it begins with none of redis://, rediss://, unix://")
    return url


def _damaged(home: Home, why: object) -> BusUnavailable:
    return BusUnavailable(
        f"{str(home.bus_file)!r} holds no Redis URL ({why}): `invoke down` and `invoke up` write it anew"
    )


def not_running(home: Home) -> NotRunning:
    """Return the error of a process that finds no AIGIS in its home."""
    return NotRunning(f"AIGIS is not running in {str(home.root)!r}; start it with `invoke up` there")


def without_password(url: str) -> str:
    """Return `url` fit to be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"***@{place}"))


def unavailable(url: str, error: Exception) -> BusUnavailable:
    """Return the error for a Redis that cannot be reached or refuses."""
    if isinstance(error, redis.exceptions.ResponseError):
        return BusUnavailable(f"Redis at {without_password(url)!r} refuses: {error}; see `invoke status` and its log")
    return BusUnavailable(
        f"Redis at {without_password(url)!r} cannot be reached: {str(error) or type(error).__name__}; is AIGIS up? "
        "`invoke status` tells, `invoke up` starts it"
    )


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn redis-py's errors into BusUnavailable: no caller outside this layer meets them."""
    try:
        yield
    except (redis.exceptions.RedisError, OSError) as error:
        if isinstance(error, BusUnavailable):
            raise
        raise unavailable(url, error) from error


def url_of(client: Any) -> str:
    """Return where a client connects to, without the password, for error messages."""
    options = client.connection_pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host')}:{options.get('port')}")


class BusClock:
    """Redis' time, told without asking it each time: deadlines never depend on a host's wall clock."""

    def __init__(self, redis_time: float, *, monotonic: Any = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = redis_time - monotonic()

    def now(self) -> float:
        """Return Redis' time in seconds."""
        return float(self._monotonic() + self._offset)


def redis_now(client: redis.Redis) -> float:
    """Ask Redis for its time in seconds."""
    with translated(url_of(client)):
        seconds, micros = client.time()
    return float(seconds) + float(micros) / 1e6


def response(connection: Any) -> Any:
    """Read one response of a bare connection; an error Redis answered is a value, a broken connection is raised."""
    try:
        return connection.read_response()
    except redis.exceptions.ResponseError as error:
        return error


def send_all(client: redis.Redis, *commands: tuple[Any, ...]) -> list[Any]:
    """Send commands in one write and return what Redis answers to each, errors as values.

    The same as a pipeline without a transaction, at a third of its cost: this is the way of every reply.
    """
    connection: Any = client.connection_pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return [response(connection) for _ in commands]
    except BaseException:
        connection.disconnect()
        raise
    finally:
        client.connection_pool.release(connection)
