"""Which worker of the cluster serves a SINGLE plugin: a key that ends by itself when its holder does."""

from __future__ import annotations

from typing import Any

import redis

from aigis._wire import keys
from aigis._wire.bus import translated, url_of

LEASE_MS = 10_000

# Only the holder may renew or give up: its lease may have ended and another's begun meanwhile.
_RENEW = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"


class Leases:
    """The leases of one worker process; every method raises BusUnavailable when Redis is lost."""

    def __init__(self, client: redis.Redis, holder: str) -> None:
        """`holder` must be this process's alone: a restarted worker is another holder."""
        self._client = client
        self._holder = holder

    def take(self, plugin: str) -> bool:
        """Take or keep the lease of a plugin; False when another worker has it."""
        with translated(url_of(self._client)):
            if self._client.set(keys.single(plugin), self._holder, nx=True, px=LEASE_MS):
                return True
            return bool(self._script(_RENEW, plugin, LEASE_MS))

    def release(self, plugin: str) -> None:
        """Give the lease up, where it is still ours."""
        with translated(url_of(self._client)):
            self._script(_RELEASE, plugin)

    def _script(self, script: str, plugin: str, *arguments: Any) -> Any:
        return self._client.eval(script, 1, keys.single(plugin), self._holder, *arguments)
