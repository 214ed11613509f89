"""What the operator does to a system that runs; each test leaves it as it was."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.acceptance.console import Console, at_socket
from tests.acceptance.driver import FIXTURES, System, home, settled
from tests.stage import eventually

DICE = """
import os
import time

WORD = "{word}"


def word():
    return WORD


def place():
    return os.getpid()


def say(text, log):
    log.error(text)
"""
CLOCK = """
import time


def launch():
    print("{word}")
    time.sleep(1000)
"""
CALLS = 2000


def write(system: System, word: str) -> None:
    """Write the sources of two plugins whose code says `word`."""
    skills = [f"dice.{name}" for name in ("WORD", "word", "place", "say")]
    system.plugin("dice", "core", f"import dice\nSKILLS = {skills}\n", {"dice.py": DICE.format(word=word)})
    system.plugin("clock", "internal", files={"clock.py": CLOCK.format(word=word)}, LAUNCH="clock", RESTART=3)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Return a running system with a core plugin, a program, and an internal-local plugin that runs code."""
    with home() as system:
        write(system, "old")
        shutil.copytree(FIXTURES / "agent", system.root / "plugins" / "near")
        place = system.root / "near.sock"
        system.settings(f"[plugins.near]\nPLUGIN_TYPE = 'internal-local'\nKWARGS = {{place = '{place}'}}\n")
        system.up()
        yield system


@pytest.fixture
def near(system: System) -> Iterator[Console]:
    """Return the internal-local plugin; a reload may have started it anew."""
    console = eventually(lambda: reached(system))
    assert console is not None
    yield console
    console.close()


def reached(system: System) -> Console | None:
    try:
        return at_socket(system.root / "near.sock")
    except OSError:
        return None


@pytest.fixture
def stranger(system: System) -> Iterator[Console]:
    console = system.console()
    yield console
    console.close()


def pid(system: System, name: str) -> Any:
    return system.row(name)["pid"]


def pids(system: System) -> dict[str, Any]:
    return {name: row["pid"] for name, row in system.rows().items()}


def states(system: System) -> dict[str, str]:
    """Return the states of the two plugins that tests stop."""
    found = system.states()
    return {name: found[name] for name in ("clock", "dice")}


def outcome(console: Console) -> Any:
    """Return what a call gives, or the name of the error it ends with."""
    code = "try:\n    got = aigis.dice.word()\nexcept aigis.CallError as error:\n    got = type(error).__name__\ngot"
    return console.value(code)


def test_a_program_is_stopped_started_and_restarted(system: System) -> None:
    first = pid(system, "clock")
    system.aigis("stop", "clock")
    stopped = system.row("clock")
    assert (stopped["state"], stopped["pid"]) == ("stopped", None)
    system.aigis("start", "clock")
    second = pid(system, "clock")
    system.aigis("restart", "clock")
    third = system.row("clock")
    assert len({first, second, third["pid"], None}) == 4
    assert (third["state"], third["restarts"]) == ("running", 0)


def test_the_skills_of_a_core_plugin_are_withdrawn_and_served_again(system: System, stranger: Console) -> None:
    system.aigis("stop", "dice")
    refusal = stranger.error("aigis.dice.word()")
    assert refusal.kind == "PluginDisabled"
    assert "invoke start dice" in refusal.text
    system.aigis("start", "dice")
    assert stranger.value("aigis.dice.word()") == "old"


def test_a_disabled_plugin_is_refused_everywhere(system: System, stranger: Console, near: Console) -> None:
    assert near.value("aigis.dice.word()") == "old"
    system.aigis("disable", "dice")
    assert stranger.error("aigis.dice.word()").kind == "PluginDisabled"
    settled(lambda: outcome(near), "PluginDisabled", 1.5)
    assert "invoke enable dice" in system.aigis("start", "dice", code=2).err
    system.aigis("enable", "dice")
    assert [console.value("aigis.dice.word()") for console in (stranger, near)] == ["old", "old"]


def test_disable_outlives_up_and_down_and_stop_does_not(system: System) -> None:
    system.aigis("stop", "clock")
    system.aigis("disable", "dice")
    system.up()
    assert states(system) == {"clock": "running", "dice": "disabled"}
    system.aigis("stop", "clock")
    system.down()
    system.up()
    assert states(system) == {"clock": "running", "dice": "disabled"}
    system.aigis("enable", "dice")
    assert system.call("dice.word") == "old"


def test_new_code_runs_after_reload_and_not_before(system: System, stranger: Console, near: Console) -> None:
    assert near.value("aigis.dice.WORD") == "old"
    write(system, "new")
    assert stranger.value("aigis.dice.word()") == "old"
    system.aigis("reload", "dice")
    system.aigis("reload", "clock")
    assert stranger.value("aigis.dice.word()") == "new"
    assert system.messages("clock")[-1] == "new"
    settled(lambda: (console := reached(system)) is not None and console.value("aigis.dice.WORD"), "new")
    write(system, "old")
    system.aigis("reload", "dice")
    assert stranger.value("aigis.dice.word()") == "old"


def lpushes(client: redis.Redis) -> tuple[int, int]:
    """Return how many commands Redis has carried out: of the kind that sends a call, and altogether."""
    stats: dict[str, Any] = client.info("commandstats")
    totals: dict[str, Any] = client.info("stats")
    return stats["cmdstat_lpush"]["calls"], totals["total_commands_processed"]


def test_without_workers_only_copies_of_the_core_answer(system: System, stranger: Console, near: Console) -> None:
    """A12"""
    system.aigis("scale", "0")
    assert stranger.error("aigis.dice.word()").kind == "NoWorker"
    status = system.status()
    rows = {row["name"]: row for row in status["plugins"]}
    assert (status["workers"], rows["dice"]["state"]) == ([], "waiting")
    with system.redis() as client:
        before = lpushes(client)
        code = f"[aigis.dice.word() for _ in range({CALLS})] == [aigis.dice.WORD] * {CALLS}"
        assert near.value(code) is True
        after = lpushes(client)
    assert after[0] == before[0]
    assert after[1] - before[1] < CALLS / 10
    assert near.value("aigis.dice.place()") == rows["near"]["pid"]
    system.up("--workers", "1")
    assert stranger.value("aigis.dice.word()") == "old"


def test_workers_are_scaled(system: System, stranger: Console) -> None:
    system.aigis("scale", "2")
    workers = system.status()["workers"]
    assert [(row["name"], row["state"], row["plugins"]) for row in workers] == [
        ("worker-1", "running", ["dice"]), ("worker-2", "running", ["dice"]),
    ]  # fmt: skip
    system.up()
    assert len(system.status()["workers"]) == 2
    system.up("--workers", "1")
    (worker,) = system.status()["workers"]
    assert (worker["name"], worker["pid"]) == ("worker-1", stranger.value("aigis.dice.place()"))


def test_a_worker_that_is_killed_comes_back(system: System, stranger: Console) -> None:
    before = stranger.value("aigis.dice.place()")
    system.child("aigis.worker-1").kill()
    with system.redis() as client:
        # What Redis hands to a worker whose connection it has not yet seen break is lost.
        eventually(lambda: client.info("clients")["blocked_clients"] < 2)
    assert stranger.value("aigis.dice.place()") != before


def test_calls_go_on_after_redis_was_killed(system: System, stranger: Console, near: Console) -> None:
    """A35"""
    before = pids(system), stranger.value("aigis.dice.place()")
    system.child("aigis.redis").kill()
    settled(lambda: outcome(stranger), "old")
    assert (pids(system), stranger.value("aigis.dice.place()")) == before
    stranger.value("aigis.dice.say('after the crash')")
    settled(lambda: system.messages("dice")[-1], "after the crash")


def test_a_follower_sees_a_line_at_once(system: System, stranger: Console) -> None:
    """A33"""
    follower = system.begin("logs", "--follow", "--plugin", "dice", "-n", "1")
    stranger.value("aigis.dice.say('before')")
    follower.until("before")
    began = time.monotonic()
    stranger.value("aigis.dice.say('mark')")
    follower.until("mark")
    print(f"\na line reached a follower after {time.monotonic() - began:.3f} s")
    assert time.monotonic() - began < 3


def test_logs_are_filtered(system: System, stranger: Console) -> None:
    """A33"""
    stranger.value("aigis.dice.say('for the filter')")
    found = system.records("--plugin", "dice", "--level", "ERROR")
    assert {(record["plugin"], record["level"]) for record in found} == {("dice", "ERROR")}
    assert found[-1]["message"] == "for the filter"
    assert system.aigis("logs", "--plugin", "dice", "--level", "CRITICAL").out == ""


def test_a_name_nobody_has_is_answered_with_the_near_one(system: System) -> None:
    for words in (("stop", "clok"), ("status", "clok"), ("reload", "clok")):
        assert "did you mean 'clock'?" in system.aigis(*words, code=2).err
