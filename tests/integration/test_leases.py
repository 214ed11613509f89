"""Which of several workers serves a SINGLE plugin, in a real Redis."""

from __future__ import annotations

import pytest

from aigis._base.errors import BusUnavailable
from aigis._wire import keys
from aigis._wire.bus import connect
from workers.leases import LEASE_MS, Leases


def test_one_of_two_has_a_lease_and_keeps_it(redis_url: str) -> None:
    first, second = (Leases(connect(redis_url), name) for name in ("first", "second"))
    assert [first.take("dice"), second.take("dice"), first.take("dice")] == [True, False, True]
    assert second.take("feeds")


def test_only_its_holder_gives_a_lease_up(redis_url: str) -> None:
    first, second = (Leases(connect(redis_url), name) for name in ("first", "second"))
    assert first.take("dice")
    second.release("dice")
    assert not second.take("dice")
    first.release("dice")
    assert second.take("dice")


def test_a_lease_ends_by_itself_unless_it_is_kept(redis_url: str) -> None:
    client = connect(redis_url)
    first, second = Leases(client, "first"), Leases(client, "second")
    assert first.take("dice")
    client.pexpire(keys.single("dice"), 100)
    assert first.take("dice")
    assert LEASE_MS - 1000 < client.pttl(keys.single("dice")) <= LEASE_MS
    client.delete(keys.single("dice"))
    assert second.take("dice")
    assert not first.take("dice")


def test_a_lost_redis_is_told() -> None:
    lost = Leases(connect("unix:///no/such.sock"), "first")
    with pytest.raises(BusUnavailable):
        lost.take("dice")
    with pytest.raises(BusUnavailable):
        lost.release("dice")
