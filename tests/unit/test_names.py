"""Names of plugins and skills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.names import nearest, plugin_name_problem, skill_path_problem


@pytest.mark.parametrize("name", ["dnd", "mad-bot", "7zip", "a", "x" * 63, "snake_case"])
def test_a_short_lower_case_name_fits_a_plugin(name: str) -> None:
    assert plugin_name_problem(name) is None


@pytest.mark.parametrize("name", ["", "Dnd", "-dnd", "_dnd", "a.b", "a/b", "../a", "a b", "x" * 64, "ä", "dnd\n"])
def test_another_plugin_name_is_refused_with_its_value(name: str) -> None:
    problem = plugin_name_problem(name)
    assert problem is not None
    assert repr(name) in problem


@pytest.mark.parametrize("path", ["roll", "dnd.roll", "dnd.tables.Monster", "dnd._private", "x.calls", "cleanup"])
def test_a_dotted_name_fits_a_skill(path: str) -> None:
    assert skill_path_problem(path) is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "not a dotted name"),
        (7, "not a dotted name"),
        (None, "not a dotted name"),
        ("dnd.", "no Python identifier"),
        ("dnd..roll", "no Python identifier"),
        ("dnd-utils.roll", "'dnd-utils' is no Python identifier"),
        ("dnd.class", "'class' is no Python identifier"),
        ("dnd.würfeln", "outside ASCII"),
        ("_dnd.roll", "may not start with '_'"),
        ("Dnd.roll", "a capital"),
        ("calls.now", "belongs to AIGIS"),
        ("cleanup.all", "belongs to AIGIS"),
    ],
)
def test_another_skill_name_is_refused_with_the_reason(path: object, said: str) -> None:
    problem = skill_path_problem(path)
    assert problem is not None
    assert said in problem


@given(st.text())
def test_every_accepted_skill_name_is_an_attribute_chain(path: str) -> None:
    if skill_path_problem(path) is None:
        compile(path, "name", "eval")


def test_the_nearest_name_is_found_and_a_far_one_is_not() -> None:
    assert nearest("RESTRAT", ["RESTART", "RETRIES"]) == "RESTART"
    assert nearest("COLOUR", ["RESTART", "RETRIES"]) is None
