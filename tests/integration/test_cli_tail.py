"""Reading the log stream on: against a real Redis, also over its restart."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aigis._base.errors import BusUnavailable
from aigis._base.home import Home
from aigis._base.messages import Record
from aigis._cli.tail import Tail
from aigis._host.redis_binary import find_server
from aigis._wire.bus import connect, connect_async, redis_now
from aigis._wire.stream import Filter, StreamWriter


class Server:
    """A Redis in a folder of its own that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = find_server(Home(folder), search_path=os.environ.get("PATH")).program
        self.url = f"unix://{folder}/redis.sock"
        self.start()

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", "redis.sock", "--appendonly", "yes", "--appendfsync", "always"]
        self._process = subprocess.Popen(
            [str(self._program), *options], cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                redis_now(connect(self.url))
                return
            except BusUnavailable:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    # Not pytest's own folder: its path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="aigis-") as folder:
        server = Server(Path(folder))
        yield server
        server.kill()


NUMBERS = count(1)


def write(server: Server, plugin: str, *messages: str) -> None:
    async def append() -> None:
        client = connect_async(server.url)
        records = [Record(float(next(NUMBERS)), "nova", plugin, "stdout", "INFO", message) for message in messages]
        await StreamWriter(client, "nova").append(records)
        await client.aclose()

    asyncio.run(append())


def next_messages(following: Iterator[Record | None], number: int) -> list[str]:
    found: list[str] = []
    while len(found) < number:
        record = next(following)
        if record is not None:
            found.append(record.message)
    return found


def test_what_comes_after_the_newest_records_follows_without_any_shown_twice(server: Server) -> None:
    write(server, "feeds", "a", "b")
    write(server, "dice", "x")
    tail = Tail(lambda: connect(server.url), Filter(plugin="feeds"))
    assert [record.message for record in tail.newest(1)] == ["b"]
    following = tail.follow(lambda: False)
    write(server, "feeds", "c")
    write(server, "dice", "y")
    write(server, "feeds", "d", "e")
    assert next_messages(following, 3) == ["c", "d", "e"]


def test_a_record_that_comes_while_we_ask_where_the_stream_ends_is_shown_once(server: Server) -> None:
    write(server, "feeds", "a")
    clients: list[Any] = []

    def connect_slowly() -> Any:
        client: Any = connect(server.url)
        if not clients:
            # Between the look at the end and the reading of the newest.
            read, calls = client.smembers, count()

            def smembers(key: str) -> Any:
                if next(calls) == 1:
                    write(server, "feeds", "b")
                return read(key)

            client.smembers = smembers
        clients.append(client)
        return client

    tail = Tail(connect_slowly, Filter())
    assert [record.message for record in tail.newest(10)] == ["a", "b"]
    following = tail.follow(lambda: False)
    write(server, "feeds", "c")
    assert next_messages(following, 1) == ["c"]


def test_a_restart_of_redis_loses_and_repeats_nothing(server: Server) -> None:
    write(server, "feeds", "a")
    tail = Tail(lambda: connect(server.url), Filter(), sleep=lambda _seconds: None)
    tail.newest(10)
    following = tail.follow(lambda: False)
    write(server, "feeds", "b")
    assert next_messages(following, 1) == ["b"]
    server.kill()
    assert next(following) is None
    server.start()
    write(server, "feeds", "c", "d")
    assert next_messages(following, 2) == ["c", "d"]
    write(server, "feeds", "e")
    assert next_messages(following, 1) == ["e"]


def test_following_ends_when_redis_is_lost_and_nothing_will_come(server: Server) -> None:
    tail = Tail(lambda: connect(server.url), Filter())
    tail.newest(10)
    server.kill()
    assert [record for record in tail.follow(lambda: True) if record] == []
