"""The embedded Redis starts in any home, privately, and keeps what it is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aigis._base.errors import BusUnavailable, SettingsError
from aigis._base.home import Home
from aigis._host.child import start
from aigis._host.ledger import Ledger
from aigis._host.redis_binary import find_server
from aigis._host.redis_server import prepare_embedded, remove_runtime_folder, wait_until_answers, write_bus
from aigis._wire.bus import connect, read_url


def while_it_runs(home: Home, look: Callable[[Any], object]) -> None:
    """Start the server of a home, let `look` use a client of it, stop the server."""

    async def story() -> None:
        embedded = prepare_embedded(home, find_server(home), os.environ)
        child = start(embedded.spec, Ledger(home))
        try:
            await wait_until_answers(embedded.url, limit=20, alive=lambda: child.alive)
            write_bus(home, embedded.url)
            with connect(read_url(home)) as client:
                look(client)
        finally:
            child.stop()
            await child.gone()
            remove_runtime_folder(home)

    asyncio.run(story())


@pytest.mark.parametrize("name", ["plain", "with space", "per%20cent", "#hash", "quote\"'s", "back\\slash", "ünï"])
def test_any_home_path_will_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    home = Home(tmp_path / name)
    home.hidden.mkdir()
    while_it_runs(home, lambda client: client.set("a", 1))
    assert (home.redis / "appendonly.aof").exists() or (home.redis / "appendonlydir").exists()
    while_it_runs(home, lambda client: _must_be(client.get("a"), b"1"))


def test_only_its_owner_can_reach_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.hidden.mkdir()

    def look(client: Any) -> None:
        socket = Path(client.connection_pool.connection_kwargs["path"])
        modes = [p.stat().st_mode & 0o777 for p in (socket, socket.parent, home.bus_file, home.redis / "redis.conf")]
        _must_be(modes, [0o600, 0o700, 0o600, 0o600])

    while_it_runs(home, look)


def test_data_of_a_newer_server_is_not_touched(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.redis.mkdir(parents=True)
    (home.redis / "version").write_text("redis 99.0.0\n")
    with pytest.raises(SettingsError, match=r"99\.0"):
        prepare_embedded(home, find_server(home), os.environ)


def test_a_server_that_is_not_there_is_waited_for_no_longer_than_agreed(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/nobody.sock"
    with pytest.raises(BusUnavailable):
        asyncio.run(wait_until_answers(url, limit=0.1))
    with pytest.raises(BusUnavailable):
        asyncio.run(wait_until_answers(url, limit=60, alive=lambda: False))


def _must_be(found: object, expected: object) -> None:
    assert found == expected


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\xfe", b"short", b"a" * 48 + b"\nport 1", b"not hex at all, but long enough to be one"]
)
def test_a_damaged_password_or_version_is_written_anew(tmp_path: Path, damage: bytes) -> None:
    home = Home(tmp_path)
    while_it_runs(home, lambda client: client.set("a", 1))
    (home.redis / "password").write_bytes(damage)
    (home.redis / "version").write_bytes(b"\xff")
    while_it_runs(home, lambda client: _must_be(client.get("a"), b"1"))
    assert (home.redis / "version").read_text() == f"{find_server(home)}\n"
