"""What comes from outside and is wrong: messages, settings, places, disks."""

from __future__ import annotations

import base64
import itertools
import json
import os
import pickle
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.acceptance.console import Console
from tests.acceptance.driver import PROGRAMS, Running, System, home, settled
from tests.stage import eventually

CELERY = str(PROGRAMS / "celery")
QUEUE = "aigis:1:aigis.call.things"
SHUTDOWN: dict[str, Any] = {
    "method": "shutdown",
    "arguments": {},
    "destination": None,
    "pattern": None,
    "matcher": None,
}
"""What would end every worker if it were obeyed."""


class Canary:
    """What makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self._file,)


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """Mount something over `place` for the time of a block; skips where that is not allowed."""
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", *options, str(place)], capture_output=True, check=False).returncode
    ):
        pytest.skip("mounting a file system takes root here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module", autouse=True)
def unreachable() -> Iterator[Running]:
    """An `up` that is given a Redis where nobody listens: begun now, since it waits for it for a while."""
    with home() as system:
        system.environ["AIGIS_REDIS"] = "redis://:pass%20word@127.0.0.1:1/0"
        yield system.begin("up", "--detach")


# Messages.


def sniffed(calls: System, action: Callable[[], object], begin: str) -> tuple[str, dict[str, Any]]:
    """Return where a true message goes, and what it is: the first command beginning so while `action` runs."""
    with calls.redis() as client, client.monitor() as monitor:
        sender = threading.Thread(target=action)
        sender.start()
        command = next(seen["command"] for seen in monitor.listen() if seen["command"].startswith(begin))
        sender.join()
    head, _, message = command.partition("{")
    return head.split()[1], json.loads("{" + message)


def altered(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message with one bit of its sealed body turned."""
    body = bytearray(base64.b64decode(message["body"]))
    body[len(body) // 2] ^= 1
    return {**message, "body": base64.b64encode(bytes(body)).decode()}


def forged(message: dict[str, Any], canary: Path, content_type: str) -> dict[str, Any]:
    """Return the message with a canary as its body, unsigned."""
    poison = base64.b64encode(pickle.dumps(((Canary(canary),), {}, {}))).decode()
    return {**message, "body": poison, "content-type": content_type}


def refusals(calls: System) -> list[str]:
    records = calls.records("--level", "WARNING")
    return [r["message"] for r in records if r["plugin"].startswith("aigis.worker") and "refused" in r["message"]]


def test_forged_calls_are_refused_before_they_are_unpickled(calls: System, stranger: Console, tmp_path: Path) -> None:
    workers, canary, told = calls.status()["workers"], tmp_path / "canary", len(refusals(calls))
    queue, message = sniffed(calls, lambda: stranger.value("aigis.things.echo('sniffed')"), f"LPUSH {QUEUE}")
    bad = [
        altered(message),
        forged(message, canary, message["content-type"]),
        forged(message, canary, "application/x-python-serialize"),
        {"body": "?"},
    ]
    with calls.redis() as client:
        for each in bad:
            client.lpush(queue, json.dumps(each))
        client.lpush(queue, b"\xff no JSON")
        eventually(lambda: client.llen(queue) == 0)
    settled(lambda: len(refusals(calls)) - told, len(bad) + 1)
    assert not canary.exists()
    assert stranger.value("aigis.things.check('ada')") is True
    assert [row["pid"] for row in calls.status()["workers"]] == [row["pid"] for row in workers]


def test_forged_remote_control_is_refused(calls: System, stranger: Console, tmp_path: Path) -> None:
    workers, canary, told = calls.status()["workers"], tmp_path / "canary", len(refusals(calls))
    ping = ("inspect", "ping", "-d", f"worker-1@{calls.host()['name']}")
    channel, message = sniffed(calls, lambda: calls.run(CELERY, "-A", "workers", *ping), "PUBLISH")
    plain = {
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "body": base64.b64encode(json.dumps(SHUTDOWN).encode()).decode(),
    }
    bad = [altered(message), forged(message, canary, "application/x-python-serialize"), {**message, **plain}]
    with calls.redis() as client:
        assert [client.publish(channel, json.dumps(each)) for each in bad] == [len(workers)] * len(bad)
    settled(lambda: len(refusals(calls)) - told, len(bad) * len(workers))
    assert not canary.exists()
    assert stranger.value("aigis.things.check('ada')") is True
    assert [row["pid"] for row in calls.status()["workers"]] == [row["pid"] for row in workers]


def test_forged_commands_are_refused(calls: System) -> None:
    before = calls.host()
    with calls.redis() as client:
        client.lpush(f"aigis:1:inbox:{before['name']}", b"\0" * 32 + b'{"kind": "command"}', b"x")
        eventually(lambda: client.llen(f"aigis:1:inbox:{before['name']}") == 0)
    settled(lambda: sum("not signed" in text for text in calls.messages("aigis.supervisor")), 2)
    assert calls.host() == before


# Settings and places.


@pytest.fixture(scope="module")
def quiet() -> Iterator[System]:
    """A home in which nothing ever runs."""
    with home() as system:
        yield system


def test_a_place_without_a_home_says_how_to_make_one(tmp_path: Path) -> None:
    system = System(tmp_path)
    for words in (("up", "--detach"), ("call", "x")):
        assert "make one with `touch aigis.toml`" in system.aigis(*words, code=2).err


def test_a_home_that_is_down_says_so(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.settings("")
    assert system.aigis("status", "--json").out.count('"state": "down"') == 1
    assert "nothing was running" in system.aigis("down").out
    assert "start it with `invoke up`" in system.call("x", code=2)
    code = "import aigis\ntry: aigis.x.y()\nexcept aigis.NotRunning as error: print(error)"
    assert system.python(code) == f"AIGIS is not running in '{tmp_path}'; start it with `invoke up` there"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[aigis]\nworkers =\n", ("aigis.toml", "line 2")),
        ("[aigis]\nworkrs = 2\n", ("'workrs'", "did you mean 'workers'?")),
        ("[aigis]\nworkers = 'two'\n", ("workers", "'two'")),
        ("[aigis]\nredis = 'http://nobody'\n", ("'http://nobody'", "redis://")),
    ],
)
def test_wrong_settings_are_told_and_nothing_starts(quiet: System, text: str, told: tuple[str, ...]) -> None:
    quiet.settings(text)
    said = quiet.aigis("up", "--detach", code=2).err
    assert [words for words in told if words not in said] == []
    assert quiet.processes() == []


def test_a_home_that_cannot_be_written_says_so() -> None:
    with home() as system, mounted(system.root, "--bind", str(system.root)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(system.root)], check=True)
        said = system.aigis("up", "--detach", code=2).err
        assert f"the home '{system.root}' cannot be written" in said
        assert "Read-only file system" in said


# A full disk.


SLOW = """
import os, time

def slow(file):
    while not os.path.exists(file):
        time.sleep(0.02)
    return "done"

quick = len
SKILLS = ["slow", "quick"]
"""


def test_calls_of_a_full_disk_name_it_and_go_on_once_there_is_room() -> None:
    with home() as system:
        hidden = system.root / ".aigis"
        hidden.mkdir()
        with mounted(hidden, "-t", "tmpfs", "-o", "size=8m", "tmpfs"), ThreadPoolExecutor(1) as pool:
            system.plugin("slow", "core", SLOW)
            system.up()
            waiting, asking, go = system.console(), system.console(), system.root / "go"
            under_way = pool.submit(waiting.value, f"aigis.slow({str(go)!r})")
            assert asking.value("aigis.quick('one')") == 3
            fill(hidden / "filler")
            with system.redis() as client:
                eventually(lambda: refuses(client))
            failure = asking.error("aigis.quick('two')")
            assert failure.kind == "BusUnavailable"
            assert "No space left on device" in failure.text
            go.touch()
            hidden.joinpath("filler").unlink()
            assert under_way.result(20) == "done"
            settled(lambda: asking.value("aigis.quick('three')"), 5)
            assert system.down().code == 0


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
        stream.writelines(itertools.repeat(bytes(65536)))


def refuses(client: redis.Redis) -> bool:
    """Write until Redis has noticed that its disk is full."""
    try:
        client.set("filler", bytes(65536))
    except redis.exceptions.ResponseError:
        return True
    return False


def test_a_redis_that_does_not_answer_is_named(unreachable: Running) -> None:
    assert unreachable.code() == 2
    assert "'redis://***@127.0.0.1:1/0', does not answer" in unreachable.text
    assert "correct the URL" in unreachable.text
