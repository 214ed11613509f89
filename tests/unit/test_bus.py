"""The door to Redis, as far as it needs none."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from aigis._base.errors import BusUnavailable, NotRunning
from aigis._base.home import Home
from aigis._wire.bus import BusClock, connect, read_url, translated, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://box:6379/0", "redis://box:6379/0"),
        ("redis://:secret@box:6379/0", "redis://***@box:6379/0"),
        ("rediss://user:secret@box/0", "rediss://***@box/0"),
        ("unix://:secret@/tmp/a%20b.sock", "unix://***@/tmp/a%20b.sock"),
        ("unix:///tmp/r.sock", "unix:///tmp/r.sock"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.exceptions.ConnectionError("gone"), "cannot be reached: gone"),
        (redis.exceptions.TimeoutError(), "cannot be reached: TimeoutError"),
        (OSError("no such file"), "cannot be reached: no such file"),
        (redis.exceptions.ResponseError("OOM"), "refuses: OOM"),
        (redis.exceptions.AuthenticationError("wrong password"), "wrong password"),
    ],
)
def test_every_error_of_redis_becomes_ours(error: Exception, said: str) -> None:
    with (
        pytest.raises(BusUnavailable, match=f"Redis at 'redis://.*@box' .*{said}") as caught,
        translated("redis://:secret@box"),
    ):
        raise error
    assert "secret" not in str(caught.value)


def test_our_own_refusals_pass_unchanged() -> None:
    with pytest.raises(NotRunning), translated("redis://box"):
        raise NotRunning


def test_no_command_is_ever_sent_twice() -> None:
    retry = connect("redis://box").connection_pool.connection_kwargs["retry"]
    assert retry.get_retries() == 0


def test_redis_time_goes_on_without_asking() -> None:
    now = 100.0
    clock = BusClock(5000.0, monotonic=lambda: now)
    now += 7.5
    assert clock.now() == 5007.5


def test_the_url_lies_in_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(NotRunning, match=f"AIGIS is not running in '{tmp_path}'; start it with `invoke up` there"):
        read_url(home)
    home.hidden.mkdir()
    home.bus_file.write_text("redis://box:6379/0\n")
    assert read_url(home) == "redis://box:6379/0"


@pytest.mark.parametrize("content", [b"gopher://x", b"\xff\xfe", b""])
def test_a_damaged_bus_file_is_told_with_what_mends_it(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path)
    home.hidden.mkdir()
    home.bus_file.write_bytes(content)
    with pytest.raises(BusUnavailable, match=r"holds no Redis URL .*`invoke down` and `invoke up` write it anew"):
        read_url(home)
