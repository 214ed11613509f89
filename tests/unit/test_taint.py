"""What a load leaves running is noticed, and blamed on nobody else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator

import pytest

from aigis._plugin.taint import TaintWatcher

SLEEPER = [sys.executable, "-c", "input()"]


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """An event that holds threads of a test, and lets them go in the end."""
    event = threading.Event()
    yield event
    event.set()


def watch(work: Callable[[], object], patience: float = 0.05) -> tuple[str, ...]:
    with TaintWatcher().watching() as watched:
        work()
        return watched.left_behind(patience)


def test_nothing_is_left_behind_by_what_has_ended() -> None:
    def work() -> None:
        with ThreadPoolExecutor() as pool:
            pool.submit(len, "").result()
        subprocess.run([sys.executable, "-c", ""], check=True)
        asyncio.run(asyncio.sleep(0))

    assert watch(work, patience=2) == ()


@pytest.mark.parametrize("daemon", [True, False])
def test_a_thread_is_named(held: threading.Event, daemon: bool) -> None:
    thread = threading.Thread(target=held.wait, name="feeder", daemon=daemon)

    def work() -> None:
        thread.start()

    assert watch(work) == ("thread 'feeder'",)


def test_an_idle_pool_of_threads_is_noticed() -> None:
    pool = ThreadPoolExecutor(1, thread_name_prefix="crew")
    assert watch(lambda: pool.submit(len, "").result()) == ("thread 'crew_0'",)
    pool.shutdown()


def test_a_thread_started_by_a_blamed_thread_is_blamed(held: threading.Event) -> None:
    inner = threading.Thread(target=held.wait, name="inner")

    def start_inner() -> None:
        inner.start()

    outer = threading.Thread(target=start_inner, name="outer")

    def work() -> None:
        outer.start()
        outer.join()

    assert watch(work) == ("thread 'inner'",)


def test_a_thread_that_just_ends_gets_the_time(held: threading.Event) -> None:
    def work() -> None:
        threading.Thread(target=held.wait).start()
        threading.Timer(0.05, held.set).start()

    assert watch(work, patience=5) == ()


def test_threads_and_children_of_other_threads_are_not_blamed(held: threading.Event) -> None:
    children: list[subprocess.Popen[bytes]] = []

    def elsewhere() -> None:
        other_begins.wait()
        threading.Thread(target=held.wait).start()
        children.append(subprocess.Popen(SLEEPER, stdin=subprocess.PIPE))
        begun.set()
        held.wait()

    begun = threading.Event()
    other_begins = threading.Event()
    threading.Thread(target=elsewhere).start()

    def work() -> None:
        other_begins.set()
        begun.wait()

    assert watch(work) == ()
    children[0].communicate()


def test_aigis_own_threads_are_not_blamed(held: threading.Event) -> None:
    assert watch(lambda: threading.Thread(target=held.wait, name="aigis-replies").start()) == ()


def test_a_child_process_is_named() -> None:
    children: list[subprocess.Popen[bytes]] = []
    found = watch(lambda: children.append(subprocess.Popen(SLEEPER, stdin=subprocess.PIPE)))
    assert len(found) == 1
    assert found[0].startswith(f"child process {children[0].pid} (")
    children[0].communicate()


def test_a_child_nobody_has_waited_for_is_no_taint() -> None:
    children: list[subprocess.Popen[bytes]] = []
    assert watch(lambda: children.append(subprocess.Popen([sys.executable, "-c", ""])), patience=5) == ()
    children[0].wait()


def test_a_loop_in_a_thread_is_told_as_one() -> None:
    loop = asyncio.new_event_loop()
    running = threading.Event()
    thread = threading.Thread(target=loop.run_forever, name="ticker")

    def work() -> None:
        thread.start()
        loop.call_soon_threadsafe(running.set)
        running.wait()

    assert watch(work) == ("an event loop in thread 'ticker'",)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_an_inner_watch_takes_the_blame_from_the_outer_one(held: threading.Event) -> None:
    watcher = TaintWatcher()
    children: list[subprocess.Popen[bytes]] = []
    with watcher.watching() as outer:
        with watcher.watching() as inner:
            threading.Thread(target=held.wait, name="inner's").start()
            children.append(subprocess.Popen(SLEEPER, stdin=subprocess.PIPE))
            assert len(inner.left_behind(0)) == 2
        threading.Thread(target=held.wait, name="outer's").start()
        assert outer.left_behind(0) == ('thread "outer\'s"',)
    children[0].communicate()


def test_starting_threads_is_as_before_when_no_watch_is_open() -> None:
    before = threading.Thread.start
    watch(lambda: None)
    assert threading.Thread.start is before


def test_a_function_a_plugin_puts_around_thread_start_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    started: list[str] = []

    def instrument() -> None:
        original = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            started.append(thread.name)
            original(thread)

        monkeypatch.setattr(threading.Thread, "start", start)

    watch(instrument)
    thread = threading.Thread(target=os.getpid, name="later")
    thread.start()
    thread.join()
    assert started == ["later"]
