"""Words of a command line become values, values become one line."""

from __future__ import annotations

import enum
import json
import math
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._cli.exits import UsageError
from aigis._cli.values import parse_list, parse_object, parse_word, show_value

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Colour(enum.IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


def refuse(_constant: str) -> NoReturn:
    raise ValueError


@given(JSON_VALUES)
def test_any_json_typed_as_a_word_is_its_value(value: Any) -> None:
    assert parse_word(json.dumps(value)) == value


@given(JSON_VALUES)
def test_what_call_prints_for_json_values_can_be_typed_again(value: Any) -> None:
    line = show_value(value)
    assert "\n" not in line
    assert parse_word(line) == value


@given(st.text())
def test_a_word_that_is_no_json_stays_itself(word: str) -> None:
    try:
        json.loads(word, parse_constant=refuse)
    except ValueError:
        assert parse_word(word) == word


@pytest.mark.parametrize(
    "word", ["007", "-007", "NaN", "Infinity", "-Infinity", "[NaN]", "1e999", "abc", "", "a.b", "'x'"]
)
def test_what_looks_like_a_value_but_is_no_json_is_a_string(word: str) -> None:
    assert parse_word(word) == word


@pytest.mark.parametrize("word", ["9" * 5000, "[" * 100_000])
def test_json_that_python_refuses_is_a_string(word: str) -> None:
    assert parse_word(word) == word


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "null"),
        (True, "true"),
        ((1, ("a",)), '[1, ["a"]]'),
        ({"größe": 1.5}, '{"größe": 1.5}'),
        ("two\nlines", '"two\\nlines"'),
        ("\ud800", '"\\ud800"'),
        ({1: 2}, "{1: 2}"),
        ({1, 2}, "{1, 2}"),
        (b"x", "b'x'"),
        (math.nan, "nan"),
        ([math.inf], "[inf]"),
        (Colour.RED, "<Colour.RED: 1>"),
        (Point(1, 2), "Point(x=1, y=2)"),
    ],
)
def test_a_value_is_json_only_where_json_holds_it_exactly(value: object, line: str) -> None:
    assert show_value(value) == line


def test_a_value_that_holds_itself_is_shown_as_python_shows_it() -> None:
    value: list[Any] = []
    value.append(value)
    assert show_value(value) == "[[...]]"


def test_args_and_kwargs_have_to_be_of_their_kind() -> None:
    assert parse_list("[1, null]", "--args") == [1, None]
    assert parse_object('{"a": []}', "--kwargs") == {"a": []}
    for parse, text in ((parse_list, "{}"), (parse_object, "[]"), (parse_list, "[NaN]"), (parse_object, "{")):
        with pytest.raises(UsageError, match="--option is"):
            parse(text, "--option")
