"""Real processes are started, watched and stopped with all that belongs to them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from aigis._base.errors import PluginError
from aigis._base.home import Home
from aigis._host.child import Child, LaunchSpec, run, start
from aigis._host.ledger import Ledger
from aigis._host.processes import MARK_VARIABLE, identify, snapshot

T = TypeVar("T")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Home(tmp_path))


def spec(*argv: str, cwd: Path = Path("/"), grace: float = 10.0) -> LaunchSpec:
    return LaunchSpec(name="zoo", argv=argv, env=dict(os.environ), cwd=cwd, grace=grace)


def python(code: str, grace: float = 10.0) -> LaunchSpec:
    return spec(sys.executable, "-c", code, grace=grace)


def play(story: Callable[[], Awaitable[T]]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(30):
            return await story()

    return asyncio.run(bounded())


def words(child: Child) -> list[int]:
    """Wait for the first line of a child's stdout: numbers."""
    descriptor = child.outputs[0].descriptor
    os.set_blocking(descriptor, True)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 100)
    return [int(word) for word in line.split()]


def marked(ledger: Ledger) -> list[int]:
    return [p.pid for p in snapshot(with_marks=True).values() if ledger.is_ours(p.mark) and not p.zombie]


@pytest.mark.parametrize(("code", "expected"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9)])
def test_the_exit_code_of_a_child_is_told(ledger: Ledger, code: str, expected: int) -> None:
    async def story() -> int | None:
        child = start(spec("sh", "-c", code), ledger)
        assert await child.gone() == []
        return await child.ended

    assert play(story) == expected


def test_a_child_is_on_record_with_pid_start_time_and_mark(ledger: Ledger) -> None:
    async def story() -> None:
        child = start(python(f"import os; print(*map(ord, os.environ['{MARK_VARIABLE}'])); input()"), ledger)
        (record,) = ledger.read()
        assert record.identity == identify(child.pid)
        child.stop()
        await child.gone()
        assert (record.name, record.mark) == ("zoo", ledger.mark("zoo", child.generation))

    play(story)


def test_a_child_leads_a_session_of_its_own_and_has_no_input(ledger: Ledger) -> None:
    async def story() -> None:
        child = start(python("import os, sys; print(os.getsid(0), len(sys.stdin.read()))"), ledger)
        await child.gone()
        assert words(child) == [child.pid, 0]

    play(story)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (spec("no-such-program"), "no program 'no-such-program'"),
        (spec("/etc/passwd"), "may not be executed"),
        (spec("true", cwd=Path("/nowhere")), "'/nowhere' is no longer a directory; `invoke reload zoo` makes it anew"),
    ],
)
def test_a_child_that_cannot_start_says_why_and_leaves_no_record(ledger: Ledger, broken: LaunchSpec, text: str) -> None:
    async def story() -> None:
        open_files = len(os.listdir("/dev/fd"))
        with pytest.raises(PluginError, match=text):
            start(broken, ledger)
        assert len(os.listdir("/dev/fd")) == open_files

    play(story)
    assert ledger.read() == []


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = os.fork()
if not grandchild:
    os.setsid()
    while True: time.sleep(1)
print(os.getpid(), grandchild, flush=True)
while True: time.sleep(1)
"""


def test_who_ignores_the_stop_is_killed_after_the_grace_with_its_whole_tree(ledger: Ledger) -> None:
    async def story() -> None:
        child = start(python(STUBBORN, grace=0.5), ledger)
        _, grandchild = words(child)
        began = time.monotonic()
        child.stop()
        assert await child.gone() == []
        assert 0.4 < time.monotonic() - began < 5
        assert await child.ended == -signal.SIGKILL
        assert identify(grandchild) is None

    play(story)
    assert marked(ledger) == []


def test_a_double_fork_does_not_escape(ledger: Ledger) -> None:
    async def story() -> None:
        child = start(spec("sh", "-c", "setsid sh -c 'sleep 100 & sleep 100' & sleep 0.3"), ledger)
        assert await child.gone() == []

    play(story)
    assert marked(ledger) == []


def test_a_stopped_child_can_be_stopped(ledger: Ledger) -> None:
    async def story() -> int | None:
        child = start(spec("sleep", "100"), ledger)
        os.kill(child.pid, signal.SIGSTOP)
        child.stop()
        await child.gone()
        return await child.ended

    assert play(story) == -signal.SIGTERM


def test_an_orderly_end_within_the_grace_is_left_alone(ledger: Ledger) -> None:
    async def story() -> int | None:
        child = start(spec("sh", "-c", "trap 'sleep 0.3; exit 7' TERM; echo 1; while :; do sleep 0.05; done"), ledger)
        words(child)
        child.stop()
        await child.gone()
        return await child.ended

    assert play(story) == 7


def test_a_second_order_ends_the_grace(ledger: Ledger) -> None:
    async def story() -> None:
        child = start(python(STUBBORN, grace=60), ledger)
        words(child)
        child.stop()
        child.kill()
        assert await child.gone() == []

    play(story)
    assert marked(ledger) == []


def test_a_helper_program_runs_to_its_end() -> None:
    done = run(("sh", "-c", "echo out; exit 4"), timeout=10)
    assert (done.returncode, done.stdout) == (4, "out\n")
