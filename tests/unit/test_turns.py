"""A SINGLE plugin runs one call at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from aigis._base.errors import SkillTimeout
from tests.stage import eventually
from workers.turns import Turns


class Runs:
    """Counts what runs at the same time."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._running = threading.Lock()
        self.done = 0
        self.order: list[int] = []

    def run(self, number: int) -> None:
        assert self._running.acquire(blocking=False), "two at once"
        self.done += 1
        self.order.append(number)
        self._running.release()

    def run_submitted(self, number: int) -> None:
        with self._turns.held("dice"):
            self.run(number)
        self._turns.done("dice")


def test_what_is_submitted_runs_one_after_the_other_in_order() -> None:
    turns, started = Turns(), []
    for number in range(3):
        turns.submit("dice", lambda number=number: started.append(number))  # type: ignore[misc]
    assert started == [0]
    turns.done("dice")
    assert started == [0, 1]
    turns.done("dice")
    turns.done("dice")
    turns.submit("dice", lambda: started.append(3))
    assert started == [0, 1, 2, 3]


def test_plugins_do_not_wait_for_each_other() -> None:
    turns, started = Turns(), []
    turns.submit("dice", lambda: started.append("dice"))
    turns.submit("feeds", lambda: started.append("feeds"))
    with turns.held("cards", 0):
        assert started == ["dice", "feeds"]


def test_threads_of_both_kinds_never_run_at_once() -> None:
    turns = Turns()
    runs = Runs(turns)

    def submit(pool: ThreadPoolExecutor, number: int) -> None:
        def start() -> None:
            pool.submit(runs.run_submitted, number)

        turns.submit("dice", start)

    def hold(number: int) -> None:
        with turns.held("dice", 10):
            runs.run(number)

    with ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(4) as holders:
        held = [holders.submit(hold, number) for number in range(100)]
        for number in range(100, 200):
            submit(pool, number)
        for future in held:
            future.result()
        eventually(lambda: runs.done == 200)
    assert [number for number in runs.order if number >= 100] == list(range(100, 200))


def test_threads_that_wait_for_the_turn_never_keep_the_one_that_has_it_next_from_a_thread() -> None:
    turns = Turns()
    runs = Runs(turns)

    def hold(number: int) -> None:
        turns.submit("dice", lambda: pool.submit(runs.run_submitted, number + 100))  # type: ignore[arg-type]
        with turns.held("dice", 5):
            runs.run(number)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(hold, number) for number in range(20)]:
            future.result()
        eventually(lambda: runs.done == 40)


def test_a_turn_that_does_not_come_in_time_ends_as_not_started() -> None:
    turns = Turns()
    with turns.held("dice", 0):
        with pytest.raises(SkillTimeout, match="plugin 'dice' is SINGLE and was busy until the deadline") as caught:
            turns.held("dice", 0.02).__enter__()
        assert caught.value.__dict__["started"] == "no"
        with turns.held("feeds", 0):
            pass
    with turns.held("dice", 0):
        pass


def test_a_turn_is_given_back_by_what_fails_in_it() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="six"), turns.held("dice", 0):
        raise ValueError("six")
    with turns.held("dice", 0):
        pass


def test_once_closed_nothing_more_is_started() -> None:
    turns, started = Turns(), []
    for number in range(3):
        turns.submit("dice", lambda number=number: started.append(number))  # type: ignore[misc]
    turns.close()
    turns.done("dice")
    turns.submit("dice", lambda: started.append(3))
    turns.submit("feeds", lambda: started.append(4))
    assert started == [0]
