"""The positional words of a verb are found before pyinvoke parses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._cli.exits import UsageError
from aigis._cli.words import CommandLine, Flags, find_words, pieces

FLAGS = Flags(frozenset({"--args", "-n"}), frozenset({"--json", "-j"}), frozenset({"--echo", "-e"}))


def test_words_are_what_is_neither_a_flag_nor_the_value_of_one() -> None:
    assert find_words(["a", "--json", "b", "--args", "--json", "-n", "-5", "c"], FLAGS) == ["a", "b", "c"]


def test_a_flag_may_carry_its_value_within() -> None:
    assert find_words(["--args=[1]", "-n5", "-n=5", "a"], FLAGS) == ["a"]


def test_negative_numbers_and_a_single_dash_are_words() -> None:
    words = ["-3", "-3.5", "-.5", "-1e5", "-Infinity", "-"]
    assert find_words(words, FLAGS) == words


def test_nothing_after_a_call_for_help_counts() -> None:
    assert find_words(["a", "--help", "b"], FLAGS) == ["a"]


@pytest.mark.parametrize(("flag", "near"), [("--jsn", "'--json'"), ("--arg", "'--args'")])
def test_an_unknown_flag_is_refused_with_the_nearest_one(flag: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {near}"):
        find_words(["a", flag, "b"], FLAGS)


@given(st.lists(st.text().filter(lambda word: not word.startswith("-"))))
def test_words_without_a_dash_come_back_as_they_were_typed(words: list[str]) -> None:
    assert find_words(words, FLAGS) == words


@pytest.mark.parametrize(
    ("word", "count"), [("", 1), ("a", 1), ("-", 1), ("-3", 1), ("-35", 2), ("-3.5", 3), ("-3=4", 2)]
)
def test_the_pieces_are_those_pyinvoke_makes(word: str, count: int) -> None:
    assert pieces(word) == count


def test_a_command_line_has_a_verb_its_tokens_and_what_follows_the_dashes() -> None:
    line = CommandLine.of(["invoke", "--echo", "-T", "5", "call", "a.b", "call", "--", "-x"])
    assert line == CommandLine("call", ("a.b", "call"), ("-x",))
    assert CommandLine.of(["invoke"]) == CommandLine()
    assert CommandLine.of(["aigis", "--help", "call"]) == CommandLine()
