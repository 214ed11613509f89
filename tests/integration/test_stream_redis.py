"""The log stream in a real Redis: what is appended is read, filtered and followed; what is too much goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import redis

from aigis._base.errors import BusUnavailable
from aigis._base.messages import Record
from aigis._wire import keys, stream
from aigis._wire.bus import connect, connect_async
from aigis._wire.stream import PAGE, Filter, StreamWriter, follow, read


def record(number: int, host: str = "box", **changes: Any) -> Record:
    fields = {"plugin": "dice", "stream": "log", "level": "INFO", "message": f"line {number}", **changes}
    return Record(ts=float(number), host=host, **fields)


def append(url: str, *batches: Sequence[Record], host: str = "box", **options: Any) -> None:
    async def write() -> None:
        async with connect_async(url) as client:
            writer = StreamWriter(client, host, **options)
            for batch in batches:
                await writer.append(batch)

    asyncio.run(write())


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return connect(redis_url)


def test_what_is_appended_is_read_in_order(redis_url: str, client: redis.Redis) -> None:
    records = [record(number, fields={"call": "c1", "n": {"six": [6]}}) for number in range(600)]
    append(redis_url, records[:1], records[1:])
    assert read(client, Filter(), 0) == records


@pytest.mark.parametrize("count", [1, 7, PAGE, 3 * PAGE])
def test_the_newest_are_read_and_counted_after_the_filter(redis_url: str, client: redis.Redis, count: int) -> None:
    records = [record(number, plugin=("dice", "feeds")[number % 2]) for number in range(5 * PAGE)]
    append(redis_url, *([each] for each in records))
    assert read(client, Filter(plugin="feeds"), count) == [each for each in records if each.plugin == "feeds"][-count:]


def test_hosts_are_merged_by_time(redis_url: str, client: redis.Redis) -> None:
    append(redis_url, [record(1), record(4)])
    append(redis_url, [record(2, "other"), record(3, "other")], host="other")
    assert [each.ts for each in read(client, Filter(), 0)] == [1, 2, 3, 4]
    assert [each.ts for each in read(client, Filter(), 2)] == [3, 4]
    assert [each.ts for each in read(client, Filter(host="other"), 0)] == [2, 3]


def test_each_filter_finds_exactly_its_records(redis_url: str, client: redis.Redis) -> None:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    records = [
        record(number, level=levels[number % 4], plugin=f"p{number % 3}", fields={"call": f"c{number % 5}"})
        for number in range(60)
    ]
    append(redis_url, records[:30], records[30:])
    for wanted in (Filter(plugin="p1"), Filter(level="WARNING"), Filter(call="c2"), Filter("p1", "INFO", "c2", "box")):
        found = read(client, wanted, 0)
        assert found == [each for each in records if wanted.matches(each)]
        assert found
    assert read(client, Filter(plugin="p9"), 0) == []


def test_a_stream_is_capped_in_bytes_and_keeps_the_newest(redis_url: str, client: redis.Redis) -> None:
    limit = 256 * 1024
    batches = [[record(number, message=f"{number} " + "x" * 1000)] for number in range(1500)]
    append(redis_url, *batches, limit=limit)
    kept = read(client, Filter(), 0)
    assert (client.memory_usage(keys.records("box"), samples=0) or 0) < limit * 1.3
    assert [each.ts for each in kept] == list(range(1500 - len(kept), 1500))
    assert len(kept) > limit / 1100 / 2


def test_an_empty_log_is_read_as_nothing(client: redis.Redis) -> None:
    assert read(client, Filter(), 0) == read(client, Filter(), 5) == []


def shown(records: Iterator[Record | None], count: int) -> list[Record]:
    found: list[Record] = []
    while len(found) < count:
        each = next(records)
        if each is not None:
            found.append(each)
    return found


@pytest.mark.parametrize("count", [1, 2, PAGE + 50], ids=["one", "two", "more than a page"])
def test_a_follower_sees_what_comes_after_it_began(redis_url: str, client: redis.Redis, count: int) -> None:
    append(redis_url, [record(0)])
    following = follow(client, Filter(), after=stream.end(client))
    records = [record(number) for number in range(1, count + 1)]
    append(redis_url, *([each] for each in records))
    assert shown(following, count) == records
    append(redis_url, [record(1000)])
    assert shown(following, 1) == [record(1000)]


def test_a_follower_sees_hosts_that_come_later(redis_url: str, client: redis.Redis) -> None:
    following = follow(client, Filter(), after=stream.end(client))
    append(redis_url, [record(1, "new")], host="new")
    append(redis_url, [record(2, "hosts")], host="hosts")
    assert {each.host for each in shown(following, 2)} == {"new", "hosts"}


def test_a_follower_filters(redis_url: str, client: redis.Redis) -> None:
    following = follow(client, Filter(plugin="feeds", host="box"), after=stream.end(client))
    append(redis_url, [record(1, "other", plugin="feeds")], host="other")
    append(redis_url, [record(2), record(3, plugin="feeds")])
    assert shown(following, 1) == [record(3, plugin="feeds")]


def test_a_follower_gives_its_reader_a_moment_each_second(redis_url: str, client: redis.Redis) -> None:
    append(redis_url, [record(0)])
    assert next(follow(client, Filter())) is None


def test_a_lost_redis_is_told() -> None:
    nowhere = "unix:///no/such.sock"
    with pytest.raises(BusUnavailable):
        read(connect(nowhere), Filter(), 0)
    with pytest.raises(BusUnavailable):
        next(follow(connect(nowhere), Filter()))
    with pytest.raises(BusUnavailable):
        append(nowhere, [record(1)])
