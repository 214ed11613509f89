"""The restart policy, as a table of named histories."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._host.restart import (
    FIRST_DELAY,
    HEALTHY_AFTER,
    JITTER,
    LONGEST_DELAY,
    End,
    GiveUp,
    Restart,
    RestartPolicy,
    decide,
    delay,
    ends_in_a_row,
)

CRASH = End(5.0, 3)
AT_ONCE = End(0.2, 3)
DONE = End(5.0, 0)
KILLED = End(12.0, -9)
HEALTHY = End(HEALTHY_AFTER, 1)
MISSING = End(0.0, error="there is no program 'x'")
OWN = RestartPolicy(always=True)


@pytest.mark.parametrize(
    ("story", "policy", "history", "state"),
    [
        ("without RESTART exit 0 is the end", RestartPolicy(), [DONE], "stopped"),
        ("without RESTART a crash is a failure", RestartPolicy(), [CRASH], "failed"),
        ("without RESTART a signal is a failure", RestartPolicy(), [KILLED], "failed"),
        ("RESTART = 0 is no RESTART", RestartPolicy(0), [DONE], "stopped"),
        ("what cannot be started fails", RestartPolicy(), [MISSING], "failed"),
        ("the first restart of one", RestartPolicy(1), [CRASH], "restart"),
        ("the second end of one restart", RestartPolicy(1), [CRASH, CRASH], "failed"),
        ("restarts follow exit 0, too", RestartPolicy(1), [DONE], "restart"),
        ("and exit 0 uses them up", RestartPolicy(1), [DONE, DONE], "failed"),
        ("three of three", RestartPolicy(3), [CRASH] * 3, "restart"),
        ("the fourth end of three restarts", RestartPolicy(3), [CRASH] * 4, "failed"),
        ("a healthy run begins a new row", RestartPolicy(1), [CRASH, HEALTHY], "restart"),
        ("and its end counts", RestartPolicy(1), [CRASH, HEALTHY, CRASH], "failed"),
        ("own children are never given up", OWN, [CRASH] * 1000, "restart"),
        ("not even when they cannot be started", OWN, [MISSING] * 9, "restart"),
    ],
)
def test_history_decides(story: str, policy: RestartPolicy, history: list[End], state: str) -> None:
    action = decide(policy, history, now=100.0)
    assert (action.state if isinstance(action, GiveUp) else "restart") == state, story


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (AT_ONCE, "ended at once: exited with code 3 after 0.2 s"),
        (End(12.4, 1), "exited with code 1 after 12 s"),
        (KILLED, "killed by SIGKILL after 12 s"),
        (MISSING, "could not be started: there is no program 'x'"),
        (End(3.0, None), "ended in an unknown way after 3.0 s"),
        (End(3.0, -63), "killed by signal 63 after 3.0 s"),
    ],
)
def test_the_reason_says_how_it_ended(end: End, text: str) -> None:
    assert str(end) == text


def test_giving_up_says_how_often_it_was_tried() -> None:
    action = decide(RestartPolicy(2), [CRASH] * 3, now=0.0)
    assert action == GiveUp("failed", "exited with code 3 after 5.0 s, after 2 restarts in a row")


def test_the_delay_doubles_up_to_its_limit() -> None:
    delays = [decide(OWN, [CRASH] * row, now=100.0, random=lambda: 0.5) for row in range(1, 9)]
    assert [action.at - 100.0 for action in delays if isinstance(action, Restart)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


@given(row=st.integers(1, 10**9), chance=st.floats(0, 1))
def test_every_delay_lies_within_its_bounds(row: int, chance: float) -> None:
    assert FIRST_DELAY * (1 - JITTER) <= delay(row, chance) <= LONGEST_DELAY * (1 + JITTER)


ENDS = st.builds(End, st.floats(0, 2 * HEALTHY_AFTER), st.sampled_from([0, 1, -9, None]))


@given(limit=st.integers(1, 5), history=st.lists(ENDS, min_size=1, max_size=12))
def test_a_plugin_is_started_again_exactly_while_its_row_is_within_the_limit(limit: int, history: list[End]) -> None:
    action = decide(RestartPolicy(limit), history, now=0.0)
    assert isinstance(action, Restart) == (ends_in_a_row(history) <= limit)


@given(history=st.lists(ENDS, min_size=1, max_size=12))
def test_what_was_before_a_healthy_run_plays_no_part(history: list[End]) -> None:
    assert ends_in_a_row([CRASH, CRASH, HEALTHY, *history]) == ends_in_a_row([HEALTHY, *history])
