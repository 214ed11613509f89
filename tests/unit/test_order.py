"""Load order, and who keeps a name."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._plugin.model import Manifest, PluginType
from aigis._plugin.order import load_order

CORE, LOCAL, REMOTE, EXTERNAL = PluginType


def plugin(
    name: str, kind: PluginType = CORE, *, after: Iterable[str] = (), skills: Iterable[str] | None = None
) -> Manifest:
    root = Path("/plugins") / name
    return Manifest(
        name=name,
        root=root,
        entrypoint=root,
        type=kind,
        dependencies=tuple(after),
        skills=None if skills is None else tuple(skills),
    )


def names(plugins: Iterable[Manifest]) -> list[str]:
    return [item.name for item in plugins]


def test_core_comes_before_internal_before_external() -> None:
    plugins = [plugin("a", EXTERNAL), plugin("b", REMOTE), plugin("c", LOCAL), plugin("d")]
    assert names(load_order(plugins, [])[0]) == ["d", "b", "c", "a"]


def test_within_a_type_listed_plugins_come_first_and_then_the_others_by_name() -> None:
    plugins = [plugin("a"), plugin("b"), plugin("y"), plugin("z")]
    assert names(load_order(plugins, ["z", "y"])[0]) == ["z", "y", "a", "b"]


def test_a_dependency_comes_first_whatever_its_type() -> None:
    plugins = [plugin("a", after=["z", "b"]), plugin("b"), plugin("z", EXTERNAL)]
    assert names(load_order(plugins, [])[0]) == ["b", "z", "a"]


def test_a_missing_dependency_fails_the_plugin_and_what_needs_it() -> None:
    ordered, failed = load_order([plugin("a", after=["nope"]), plugin("b", after=["a"]), plugin("c")], [])
    assert names(ordered) == ["c"]
    assert "'nope'" in failed["a"]
    assert "does not exist" in failed["a"]
    assert "'a'" in failed["b"]
    assert "'nope'" in failed["b"]


def test_a_dependency_whose_manifest_is_broken_is_told_from_an_unknown_one() -> None:
    assert "cannot be prepared" in load_order([plugin("a", after=["broken"])], ["broken"])[1]["a"]


def test_a_circle_fails_its_members_by_name_and_leaves_the_others() -> None:
    plugins = [plugin("a", after=["b"]), plugin("b", after=["c"]), plugin("c", after=["b"]), plugin("d")]
    ordered, failed = load_order(plugins, [])
    assert names(ordered) == ["d"]
    assert "'b' → 'c' → 'b'" in failed["b"]
    assert "circle" in failed["c"]
    assert "'b'" in failed["a"]


@pytest.mark.parametrize(("first", "second"), [("dnd.x", "dnd.x"), ("dnd", "dnd.x"), ("dnd.x.y", "dnd.x")])
def test_the_first_keeps_a_name_and_the_later_plugin_fails_naming_both(first: str, second: str) -> None:
    plugins = [plugin("late", skills=["ok", second]), plugin("early", skills=[first])]
    ordered, failed = load_order(plugins, ["early"])
    assert names(ordered) == ["early"]
    assert repr(second) in failed["late"]
    assert "'early'" in failed["late"]
    assert "'late'" in failed["late"]


def test_two_plugins_may_share_a_branch() -> None:
    assert not load_order([plugin("a", skills=["dnd.roll"]), plugin("b", skills=["dnd.draw"])], [])[1]


def test_computed_lists_are_left_to_the_loader() -> None:
    assert not load_order([plugin("a", skills=["dnd.roll"]), plugin("b", skills=None)], [])[1]


def test_the_names_of_a_failed_plugin_are_free() -> None:
    ordered, failed = load_order([plugin("a", after=["nope"], skills=["x"]), plugin("b", skills=["x"])], [])
    assert names(ordered) == ["b"]
    assert list(failed) == ["a"]


def test_a_hundred_file_orders_of_twenty_plugins_give_one_load_order() -> None:
    dice = random.Random(7)
    kinds = list(PluginType)
    plugins = [
        plugin(f"p{number}", kinds[number % 4], after=[f"p{dice.randrange(20)}"] if number % 3 == 0 else ())
        for number in range(20)
    ]
    declared = [f"p{number}" for number in range(0, 20, 2)]
    results = {repr(load_order(dice.sample(plugins, 20), declared)) for _ in range(100)}
    assert len(results) == 1


@st.composite
def households(draw: st.DrawFn) -> list[Manifest]:
    letters = draw(st.lists(st.sampled_from("abcdefgh"), unique=True))
    some = st.lists(st.sampled_from("abcdefghi"), max_size=3)
    skill_names = st.sampled_from(["x", "y", "x.a", "x.b", "y.a"])
    return [
        plugin(
            letter,
            draw(st.sampled_from(PluginType)),
            after=draw(some),
            skills=draw(st.none() | st.lists(skill_names, max_size=2)),
        )
        for letter in letters
    ]


@given(households(), st.permutations("abcdefgh"), st.randoms())
def test_any_household_is_ordered_the_same_from_any_file_order(
    plugins: list[Manifest], declared: list[str], dice: random.Random
) -> None:
    ordered, failed = load_order(plugins, declared)
    shuffled = dice.sample(plugins, len(plugins))
    assert load_order(shuffled, declared) == (ordered, failed)
    assert sorted([*names(ordered), *failed]) == sorted(names(plugins))
    for place, item in enumerate(ordered):
        assert set(item.dependencies) <= set(names(ordered[:place]))
