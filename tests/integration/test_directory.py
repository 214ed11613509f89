"""What supervisors publish, and what others read of it, in a real Redis."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
import redis

from aigis._base.errors import BusUnavailable
from aigis._base.messages import CatalogEntry, HostStatus, PluginStatus, Skill, WorkerStatus
from aigis._wire import keys
from aigis._wire.bus import connect, connect_async
from aigis._wire.catalog import read_catalog
from aigis._wire.directory import LEASE_SECONDS, Directory, read_statuses

T = TypeVar("T")
DICE = CatalogEntry("dice", "core", "ready", skills=(Skill("dnd.roll", "function"),), branches=("dnd",))
FEEDS = CatalogEntry("feeds", "core", "loading", branches=("feeds",))
STATUS = HostStatus(
    "box", "up", 6, plugins=(PluginStatus("dice", "core", "running"),), workers=(WorkerStatus("w", "box", "running"),)
)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return connect(redis_url)


class Host:
    """A supervisor's directory, one call at a time."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name

    def does(self, act: Callable[[Directory], Awaitable[T]]) -> T:
        async def run() -> T:
            async with connect_async(self._url) as client:
                return await act(Directory(client, self._name))

        return asyncio.run(run())

    def publishes(self, *entries: CatalogEntry) -> None:
        self.does(lambda directory: directory.publish_catalog(entries))


@pytest.fixture
def box(redis_url: str) -> Host:
    return Host(redis_url, "box")


@pytest.fixture
def other(redis_url: str) -> Host:
    return Host(redis_url, "other")


def test_a_catalog_is_read_as_it_was_published(client: redis.Redis, box: Host) -> None:
    assert read_catalog(client).entries == {}
    box.publishes(DICE, FEEDS)
    found = read_catalog(client)
    assert dict(found.entries) == {
        "dice": dataclasses.replace(DICE, hosts=("box",)),
        "feeds": dataclasses.replace(FEEDS, hosts=("box",)),
    }
    assert found.generation == 1


def test_the_generation_rises_only_with_a_change(client: redis.Redis, box: Host) -> None:
    steps: list[tuple[tuple[CatalogEntry, ...], int]] = [
        ((DICE, FEEDS), 1),
        ((FEEDS, DICE), 1),
        ((DICE, dataclasses.replace(FEEDS, state="ready")), 2),
        ((DICE,), 3),
        ((), 4),
        ((), 4),
    ]
    for entries, generation in steps:
        box.publishes(*entries)
        assert read_catalog(client).generation == generation
        assert set(read_catalog(client).entries) == {entry.plugin for entry in entries}


def test_a_host_leaves_the_entries_of_others_alone(client: redis.Redis, box: Host, other: Host) -> None:
    box.publishes(DICE)
    other.publishes(FEEDS)
    box.publishes()
    assert set(read_catalog(client).entries) == {"feeds"}


def test_a_plugin_belongs_to_the_host_that_declared_it_first(box: Host, other: Host) -> None:
    documents: dict[str, dict[str, Any]] = {"dice": {"type": "core"}}
    assert box.does(lambda directory: directory.declare(documents)) == {}
    assert other.does(lambda directory: directory.declare({**documents, "feeds": {}})) == {"dice": "box"}
    assert box.does(lambda directory: directory.declare(documents)) == {}
    assert box.does(lambda directory: directory.declare({})) == {}
    assert other.does(lambda directory: directory.declare(documents)) == {}
    assert box.does(lambda directory: directory.declare(documents)) == {"dice": "other"}


def test_what_the_operator_asked_for_is_kept_until_it_is_forgotten(box: Host, other: Host) -> None:
    box.does(lambda directory: directory.set_operator("dice", {"enabled": False}))
    box.does(lambda directory: directory.set_operator("workers@box", {"count": 3}))
    assert other.does(Directory.operator) == {"dice": {"enabled": False}, "workers@box": {"count": 3}}
    other.does(lambda directory: directory.set_operator("dice", None))
    assert box.does(Directory.operator) == {"workers@box": {"count": 3}}


def test_a_status_is_read_as_it_was_published(client: redis.Redis, box: Host, other: Host) -> None:
    other.does(lambda directory: directory.publish_status(dataclasses.replace(STATUS, name="other")))
    box.does(lambda directory: directory.publish_status(STATUS))
    assert read_statuses(client) == [STATUS, dataclasses.replace(STATUS, name="other")]


def test_a_host_whose_lease_ended_is_down_with_all_that_was_known(client: redis.Redis, box: Host) -> None:
    box.does(lambda directory: directory.publish_status(STATUS))
    assert 0 < int(client.ttl(keys.lease("box"))) <= LEASE_SECONDS
    client.delete(keys.lease("box"))
    assert read_statuses(client) == [dataclasses.replace(STATUS, state="down")]


def test_a_lost_redis_is_told() -> None:
    lost = Host("unix:///no/such.sock", "box")
    acts: list[Callable[[Directory], Awaitable[Any]]] = [
        Directory.operator,
        lambda directory: directory.declare({}),
        lambda directory: directory.set_operator("dice", None),
        lambda directory: directory.publish_catalog([DICE]),
        lambda directory: directory.publish_status(STATUS),
    ]
    for act in acts:
        with pytest.raises(BusUnavailable, match=r"/no/such\.sock' cannot be reached"):
            lost.does(act)
    for read in (read_catalog, read_statuses):
        with pytest.raises(BusUnavailable):
            read(connect("unix:///no/such.sock"))
