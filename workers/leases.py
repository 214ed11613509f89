"""Which worker of the cluster serves a SINGLE plugin: a key that ends by itself when its holder does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis

from aigis._wire import keys
from aigis._wire.bus import translated, url_of

LEASE_MS = 10_000
MARGIN = 1.0
"""Seconds before its end from which on a lease does not count any more."""
RENEW_EVERY = 2.0

# Only the holder may renew or give up: its lease may have ended and another's begun meanwhile.
_RENEW = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"


class Leases:
    """The leases of one worker process."""

    def __init__(self, client: redis.Redis, holder: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`holder` must be this process's alone: a restarted worker is another holder."""
        self._client = client
        self._holder = holder
        self._monotonic = monotonic
        self._good_until: dict[str, float] = {}

    def take(self, plugin: str) -> bool:
        """Take or keep the lease of a plugin; False when another worker has it. Raises BusUnavailable."""
        # From before the question: the answer may take its time while the lease runs.
        asked = self._monotonic()
        with translated(url_of(self._client)):
            taken = bool(
                self._client.set(keys.single(plugin), self._holder, nx=True, px=LEASE_MS)
                or self._script(_RENEW, plugin, LEASE_MS)
            )
        self._good_until[plugin] = asked + LEASE_MS / 1000 - MARGIN if taken else 0.0
        return taken

    def holds(self, plugin: str) -> bool:
        """Whether the lease is certain to be ours at this moment; asks nobody."""
        return self._monotonic() < self._good_until.get(plugin, 0.0)

    def release(self, plugin: str) -> None:
        """Give the lease up, where it is still ours. Raises BusUnavailable."""
        self._good_until.pop(plugin, None)
        with translated(url_of(self._client)):
            self._script(_RELEASE, plugin)

    def _script(self, script: str, plugin: str, *arguments: Any) -> Any:
        return self._client.eval(script, 1, keys.single(plugin), self._holder, *arguments)
