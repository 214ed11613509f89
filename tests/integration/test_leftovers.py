"""What a killed supervisor leaves is found and stopped, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aigis._base.errors import AigisError
from aigis._base.home import Home
from aigis._host.ledger import Ledger
from aigis._host.leftovers import Cleared, stop_leftovers
from aigis._host.lock import SupervisorLock, holder
from aigis._host.processes import Identity, identify, snapshot
from tests.stage import eventually

Spawn = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Return a function that runs code in a Python process until the test ends."""
    running: list[subprocess.Popen[bytes]] = []

    def spawn_python(code: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        running.append(process)
        return process

    yield spawn_python
    for process in running:
        process.kill()
        process.communicate()


SUPERVISOR = """
import asyncio, os, sys
from pathlib import Path
from aigis._base.home import Home
from aigis._host.child import LaunchSpec, start
from aigis._host.ledger import Ledger

async def main():
    ledger = Ledger(Home(Path(sys.argv[1])))
    for name in ("tame", "stubborn"):
        trap = "trap '' TERM; " if name == "stubborn" else ""
        argv = ("sh", "-c", trap + "setsid sleep 1000 & while :; do sleep 0.05; done")
        start(LaunchSpec(name=name, argv=argv, env=dict(os.environ), cwd=Path("/"), grace=0.5), ledger)
    print("started", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


def marked(home: Home) -> list[int]:
    table = snapshot(with_marks=True)
    return [p.pid for p in table.values() if Ledger(home).is_ours(p.mark) and not p.zombie]


def test_what_a_killed_supervisor_left_is_stopped_by_name(tmp_path: Path, spawn: Spawn) -> None:
    supervisor = spawn(SUPERVISOR)
    assert supervisor.stdout is not None
    supervisor.stdout.readline()
    supervisor.kill()
    supervisor.wait()
    assert len(marked(Home(tmp_path))) >= 4
    cleared = stop_leftovers(Home(tmp_path))
    assert (cleared.stopped, cleared.survivors) == (("stubborn", "tame"), ())
    assert marked(Home(tmp_path)) == []
    assert Ledger(Home(tmp_path)).read() == []


def test_a_recycled_pid_is_left_alone(tmp_path: Path, spawn: Spawn) -> None:
    stranger = spawn("input()")
    home = Home(tmp_path)
    identity = identify(stranger.pid)
    assert identity is not None
    for other in (dataclasses.replace(identity, start_time=1.0), dataclasses.replace(identity, boot_id="before")):
        ledger = Ledger(home)
        ledger.started(dataclasses.replace(ledger.intend("zoo", 1, "sh", 1.0), boot_id=other.boot_id), other)
        assert stop_leftovers(home).stopped == ()
        assert stranger.poll() is None


def test_a_record_proves_a_child_that_dropped_its_mark(tmp_path: Path) -> None:
    unmarked = subprocess.Popen(["/usr/bin/env", "-i", "sleep", "1000"], start_new_session=True)
    eventually(lambda: not Path(f"/proc/{unmarked.pid}/environ").read_bytes())
    record_as_child(Home(tmp_path), unmarked)
    assert stop_leftovers(Home(tmp_path)).stopped == ("zoo",)
    assert unmarked.wait() == -signal.SIGTERM


def test_a_process_that_shows_to_be_no_child_is_spared_whatever_the_record_says(tmp_path: Path, spawn: Spawn) -> None:
    innocent = spawn("input()")
    record_as_child(Home(tmp_path), innocent)
    assert stop_leftovers(Home(tmp_path)) == Cleared()
    assert innocent.poll() is None
    assert Ledger(Home(tmp_path)).read() == []


def record_as_child(home: Home, process: subprocess.Popen[bytes]) -> None:
    identity = identify(process.pid)
    assert identity is not None
    ledger = Ledger(home)
    ledger.started(ledger.intend("zoo", 1, "sh", 1.0), identity)


def test_without_leftovers_nothing_happens(tmp_path: Path) -> None:
    cleared = stop_leftovers(Home(tmp_path))
    assert (cleared.stopped, cleared.survivors) == ((), ())


HOLDER = """
import sys
from pathlib import Path
from aigis._base.home import Home
from aigis._host.lock import SupervisorLock
with SupervisorLock(Home(Path(sys.argv[1]))):
    print("locked", flush=True)
    input()
"""


def test_the_second_supervisor_is_told_of_the_first(tmp_path: Path, spawn: Spawn) -> None:
    first = spawn(HOLDER)
    assert first.stdout is not None
    first.stdout.readline()
    with pytest.raises(AigisError, match=f"pid {first.pid}"), SupervisorLock(Home(tmp_path)):
        pass
    found = holder(Home(tmp_path))
    assert found is not None
    assert found.pid == first.pid


def test_a_lock_ends_with_its_holder_however_that_ends(tmp_path: Path, spawn: Spawn) -> None:
    first = spawn(HOLDER)
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.wait()
    assert holder(Home(tmp_path)) is None
    with SupervisorLock(Home(tmp_path)):
        found = holder(Home(tmp_path))
        assert found is not None
        assert found.identity == Identity(os.getpid(), found.start_time, found.boot_id)
    assert holder(Home(tmp_path)) is None


def test_a_noted_process_that_has_not_the_lock_is_nobody(tmp_path: Path, spawn: Spawn) -> None:
    innocent, home = spawn("input()"), Home(tmp_path)
    identity = identify(innocent.pid)
    home.hidden.mkdir()
    home.lock_file.write_text(json.dumps({**vars(identity), "version": "1"}))
    assert holder(home) is None


@pytest.mark.parametrize("note", ["[]", "gar\0bage", '{"pid": "1"}', "[" * 100_000])
def test_a_damaged_note_is_none(tmp_path: Path, note: str) -> None:
    home = Home(tmp_path)
    home.hidden.mkdir()
    home.lock_file.write_text(note)
    assert holder(home) is None


def test_a_lock_whose_file_is_gone_or_another_is_lost(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with SupervisorLock(home) as lock:
        assert not lock.lost()
        home.lock_file.unlink()
        assert lock.lost()
        home.lock_file.touch()
        assert lock.lost()
        shutil.rmtree(home.hidden)
        assert lock.lost()


def test_where_no_note_can_be_written_only_a_stop_goes_on(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.hidden.mkdir()
    home.lock_file.symlink_to("/dev/full")
    with SupervisorLock(home, to_stop=True):
        assert stop_leftovers(home) == Cleared()
    with pytest.raises(OSError), SupervisorLock(home):
        pass
