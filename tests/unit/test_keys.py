"""The names of keys in Redis never meet, whatever hosts and plugins are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from aigis._base.messages import PROTOCOL
from aigis._wire import keys

FIXED = {value for value in vars(keys).values() if isinstance(value, str) and value.startswith(keys.PREFIX)} - {
    keys.PREFIX
}
MADE: list[Callable[[str], str]] = [
    function for _, function in inspect.getmembers(keys, inspect.isfunction) if function is not keys.call_queue
]
names = st.text("abchost:-_.", max_size=12) | st.sampled_from(["hosts", "generation", "aigis.call.x"])


@given(first=names, second=names)
def test_no_name_gives_a_key_that_is_used_for_something_else(first: str, second: str) -> None:
    made = [function(name) for function in MADE for name in {first, second}]
    assert len({*made, *FIXED}) == len(made) + len(FIXED)


def test_every_key_tells_the_protocol() -> None:
    every = [*FIXED, *(function("x") for function in MADE), keys.queue_key(keys.call_queue("x"))]
    assert all(key.startswith(f"aigis:{PROTOCOL}:") for key in every)
