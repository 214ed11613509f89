"""Up and down, in order and not: what is told, what is left, and how it recovers."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.acceptance.driver import System, home, is_alive, noted
from tests.stage import eventually

SWEEPER = """
import os


def note(line):
    with open(os.path.join(os.environ["AIGIS_HOME"], "swept"), "a") as file:
        file.write(f"{line} {os.getpid()}\\n")


note("loaded")


def cleanup():
    note("cleaned")


sweep = os.getpid
SKILLS = ["sweep"]
"""
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(1000)\n"
)
FORKER = """
import os, sys, time


def wander(times):
    for time in range(times):
        if os.fork():
            return time == 0 or os._exit(0)
        os.setsid()
    os.chdir("/")
    with open(sys.argv[1], "a") as file:
        print(os.getpid(), file=file)
    os.execv("/bin/sleep", ["sleep", "1000"])


wander(1)
wander(2)  # its parent is gone, too
print("forked", flush=True)
time.sleep(1000)
"""


VANISHER = """
import os, sys, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1], "w") as file:
            print(os.getpid(), file=file)
        os.chdir("/")
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    os._exit(0)
time.sleep(1000)
"""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Return a home, up or down, with plugins that are hard to stop."""
    with home() as system:
        system.plugin("sweeper", "core", SWEEPER)
        python = ["python3", "-S"]
        system.plugin("stubborn", "external", files={"run.py": STUBBORN}, LAUNCH=[*python, "run.py"], GRACE=0.4)
        wandered = str(system.root / "wandered")
        system.plugin("forker", "external", files={"run.py": FORKER}, LAUNCH=[*python, "run.py", wandered], GRACE=2)
        vanished = str(system.root / "vanished")
        system.plugin("vanisher", "external", files={"run.py": VANISHER}, LAUNCH=[*python, "run.py", vanished])
        yield system


@pytest.fixture
def up(system: System) -> System:
    """Return the system when it runs."""
    if system.host()["state"] != "up":
        system.up()
    return system


@pytest.fixture
def down(system: System) -> System:
    """Return the system when nothing of it runs."""
    if system.host()["state"] == "up":
        system.down()
    return system


def supervisors(system: System) -> list[psutil.Process]:
    return [process for process in system.processes() if "aigis._host" in process.cmdline()]


def children(system: System) -> dict[str, psutil.Process]:
    """Return the children by name."""
    return {name: system.child(name) for name in ("aigis.redis", "aigis.worker-1", "stubborn", "forker")}


def wanderers(system: System) -> list[psutil.Process]:
    """Return what `forker` has sent out of its session and directory."""
    return noted(system.root / "wandered")


def test_two_ups_at_the_same_moment_make_one_supervisor(down: System) -> None:
    ups = [down.begin("up", "--detach") for _ in range(2)]
    assert [each.code() for each in ups] == [0, 0], [each.text for each in ups]
    assert len(supervisors(down)) == 1
    assert down.states() == dict.fromkeys(["sweeper", "forker", "stubborn", "vanisher"], "running")
    assert len(wanderers(down)) == 2


def test_a_view_of_what_runs_already_ends_alone(up: System) -> None:
    view = up.begin("up")
    view.until("sweeper: running")
    view.process.send_signal(signal.SIGINT)
    assert view.code() == 0
    assert "AIGIS goes on" in view.text
    assert up.host()["state"] == "up"


def test_down_leaves_nothing_and_may_be_repeated(up: System) -> None:
    """A48: cleanup is called at the end, too"""
    (vanished,) = noted(up.root / "vanished")  # neither session, directory, parent nor variables tell whose it is
    assert "is down: " in up.down().out
    assert wanderers(up) == []
    assert not is_alive(vanished)
    shutil.rmtree(up.root / "plugins" / "vanisher")  # after a crash nothing could tell whose it was
    assert "nothing was running" in up.down().out
    lines = [line.split() for line in (up.root / "swept").read_text().splitlines()]
    assert sorted(pid for event, pid in lines if event == "loaded") == sorted(
        pid for event, pid in lines if event == "cleaned"
    )


def test_a_foreground_up_tells_the_state_then_changes_and_ends_with_its_supervisor(down: System) -> None:
    view = down.begin("up")
    view.until("sweeper: running")
    view.until("forker: running")
    down.aigis("stop", "forker")
    view.until("forker: stopped by the operator")
    assert wanderers(down) == []
    down.down()
    assert view.code() == 0
    assert view.text.splitlines()[-1].endswith("has ended")
    assert all(": " in line for line in view.text.splitlines()[:-1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_foreground_up_stops_what_it_started(down: System, number: signal.Signals) -> None:
    view = down.begin("up")
    view.until("host ")
    down.note()
    view.process.send_signal(number)
    assert view.code() == 0
    assert "is down" in view.text
    down.assert_nothing_left()


def test_up_recovers_from_the_death_of_the_supervisor(up: System) -> None:
    up.note()
    before, strays = children(up), wanderers(up)
    supervisors(up)[0].kill()
    eventually(lambda: not supervisors(up))
    assert up.host()["state"] == "down"
    assert {name: state for name, state in up.states().items() if name != "sweeper"} == {
        "stubborn": "running", "forker": "running",
    }  # fmt: skip
    assert "what it started still runs" in up.aigis("status").out
    up.up()
    assert [process for process in (*before.values(), *strays) if is_alive(process)] == []
    assert all(is_alive(process) for process in children(up).values())
    assert len(wanderers(up)) == 2


def test_down_cleans_up_after_the_death_of_the_supervisor(up: System) -> None:
    up.note()
    supervisors(up)[0].kill()
    eventually(lambda: not supervisors(up))
    up.down()


def test_down_needs_neither_redis_nor_a_supervisor_that_answers(up: System) -> None:
    up.note()
    (supervisor,) = supervisors(up)
    supervisor.suspend()
    up.child("aigis.redis").kill()
    up.down()
    assert wanderers(up) == []
