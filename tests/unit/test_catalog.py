"""Where a path leads, which calls are refused, and what is told of a wrong name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aigis._base.errors import NoWorker, PluginDisabled, Refused, SkillNotFound
from aigis._base.messages import CatalogEntry, Skill
from aigis._wire.catalog import Catalog


def entry(plugin: str, *paths: str, state: str = "ready", **fields: Any) -> CatalogEntry:
    skills = fields.pop("skills", tuple(Skill(path, "function") for path in paths))
    return CatalogEntry(plugin, "core", state, skills=skills, **fields)


def catalog(*entries: CatalogEntry) -> Catalog:
    return Catalog(1, {each.plugin: each for each in entries})


DICE = entry("dice", "dnd.roll", "dnd.sheet", "luck")
SHEET = entry("sheets", "dnd.sheet.print")
LOADING = entry("feeds", state="loading", branches=("feeds", "dnd.news"))


@pytest.mark.parametrize(
    ("path", "plugin", "skill", "rest"),
    [
        ("dnd.roll", "dice", "dnd.roll", ""),
        ("dnd.roll.deep.er", "dice", "dnd.roll", "deep.er"),
        ("dnd.sheet", "dice", "dnd.sheet", ""),
        ("dnd.sheet.print.x", "sheets", "dnd.sheet.print", "x"),
        ("dnd.sheet.printer", "dice", "dnd.sheet", "printer"),
        ("feeds.anything", "feeds", None, ""),
        ("dnd.news.today", "feeds", None, ""),
    ],
)
def test_the_longest_skill_that_is_a_head_of_the_path_has_it(
    path: str, plugin: str, skill: str | None, rest: str
) -> None:
    target = catalog(DICE, SHEET, LOADING).find(path)
    assert target is not None
    found = target.skill.path if target.skill else None
    assert (target.entry.plugin, found, target.rest) == (plugin, skill, rest)


@pytest.mark.parametrize("path", ["dnd", "dn", "dnd.rol", "dnd.rolls", "other", "feedsx", "dnd.newsx"])
def test_a_path_nobody_has_leads_nowhere(path: str) -> None:
    assert catalog(DICE, SHEET, LOADING).find(path) is None


def test_a_name_two_plugins_have_belongs_to_the_first_in_load_order() -> None:
    for entries in (
        [entry("a", "x", order=2), entry("b", "x", order=1)],
        [entry("b", "x", order=1), entry("a", "x", order=2)],
    ):
        target = catalog(*entries).find("x")
        assert target is not None
        assert target.entry.plugin == "b"


segments = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)


@given(paths=st.sets(segments, max_size=6), path=segments)
@settings(max_examples=50)
def test_find_agrees_with_the_definition(paths: set[str], path: str) -> None:
    heads = [known for known in paths if path == known or path.startswith(known + ".")]
    target = catalog(entry("p", *paths)).find(path)
    assert (target.skill.path if target and target.skill else None) == max(heads, key=len, default=None)


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("disabled", PluginDisabled, "plugin 'dice' is no such file"),  # the reason says whether disabled or stopped
        ("failed", NoWorker, "plugin 'dice' failed: no such file"),
        ("unserved", NoWorker, "no worker serves plugin 'dice': no such file"),
    ],
)
def test_a_state_in_which_nothing_answers_refuses(state: str, error: type[Refused], said: str) -> None:
    refusal = catalog(entry("dice", "dnd.roll", state=state, reason="no such file")).refusal("dnd.roll")
    assert type(refusal) is error
    assert said in str(refusal)
    assert str(refusal).startswith("aigis.dnd.roll: ")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("disabled", "plugin 'dice' is disabled; `invoke enable dice`"),
        ("failed", "see its log"),
        ("unserved", "`invoke scale 1` starts one"),
    ],
)
def test_a_refusal_without_a_reason_says_where_to_look(state: str, said: str) -> None:
    assert said in str(catalog(entry("dice", "dnd.roll", state=state)).refusal("dnd.roll"))


def test_what_is_ready_or_still_loading_is_not_refused() -> None:
    both = catalog(DICE, LOADING)
    assert both.refusal("dnd.roll") is both.refusal("feeds.read") is None


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("dnd.rol", "aigis.dnd.roll"),
        ("dmd.roll", "aigis.dnd"),
        ("dnd.sheet.prnt", "aigis.dnd.sheet.print"),
        ("luk", "aigis.luck"),
        ("fees.read", "aigis.feeds"),
    ],
)
def test_a_wrong_name_is_answered_with_the_near_one(path: str, near: str) -> None:
    only_print = entry("sheets", "dnd.sheet.print")
    dice = entry("dice", "dnd.roll", "luck")
    refusal = catalog(dice, only_print, LOADING).refusal(path)
    assert isinstance(refusal, SkillNotFound)
    assert str(refusal) == f"no skill aigis.{path}; did you mean {near}?"
    assert refusal.__dict__["path"] == path


def test_a_name_like_none_is_sent_to_the_list() -> None:
    assert str(catalog(DICE).refusal("zzz")).startswith("no skill aigis.zzz; `invoke skills` lists what there is")


def test_a_name_like_none_may_be_that_of_a_plugin_that_failed() -> None:
    assert "'sheets' failed" in str(catalog(DICE, entry("sheets", state="failed")).refusal("zzz"))


def test_a_branch_that_is_no_skill_tells_what_is_below_it() -> None:
    assert str(catalog(DICE).refusal("dnd")) == "aigis.dnd is no skill; below it are roll, sheet"


def test_children_are_the_names_directly_below() -> None:
    module = entry("mods", skills=(Skill("mods.util", "module", members=("clean", "PI")),))
    off = entry("off", "dnd.hidden", state="disabled")
    whole = catalog(DICE, SHEET, LOADING, module, off)
    assert whole.children("") == ["dnd", "feeds", "luck", "mods"]
    assert whole.children("dnd") == ["news", "roll", "sheet"]
    assert whole.children("dnd.sheet") == ["print"]
    assert whole.children("mods.util") == ["PI", "clean"]
    assert whole.children("luck") == whole.children("dn") == []


def test_it_knows_first_segments_of_skills_and_of_reserved_branches() -> None:
    whole = catalog(DICE, LOADING, entry("off", "hidden.x", state="disabled"))
    assert [whole.knows(name) for name in ("dnd", "feeds", "hidden", "roll", "")] == [True, True, True, False, False]


def test_exception_classes_are_found_at_and_below_skills() -> None:
    lineage = ("aigis_plugins.lingo.x:Bad", "builtins:ValueError")
    skills = (
        Skill("lingo", "module", exceptions={"Bad": lineage}),
        Skill("Worse", "exception", exceptions={"": lineage}),
    )
    whole = catalog(entry("lingo", skills=skills))
    assert whole.exception("lingo.Bad") == whole.exception("Worse") == lineage
    assert whole.exception("lingo") is whole.exception("lingo.Other") is None
