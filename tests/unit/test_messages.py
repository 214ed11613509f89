"""Messages and their JSON form."""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any, Optional, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aigis._base import messages
from aigis._base.messages import CatalogEntry, Message, Plan, PlannedPlugin, Skill

KINDS = [cls for cls in vars(messages).values() if isinstance(cls, type) and issubclass(cls, Message)]
texts = st.text(max_size=5)
json_objects = st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=2)
floats = st.floats(allow_nan=False)
BY_ANNOTATION: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    float: floats,
    Optional[float]: st.none() | floats,
    tuple[str, ...]: st.lists(texts, max_size=2).map(tuple),
    dict[str, Any]: json_objects,
    Optional[tuple[dict[str, Any], ...]]: st.none() | st.lists(json_objects, max_size=2).map(tuple),
    dict[str, tuple[str, ...]]: st.dictionaries(texts, st.lists(texts, max_size=2).map(tuple), max_size=2),
}


def anything(cls: type[Message]) -> st.SearchStrategy[Message]:
    """Return instances with any value in every field."""
    return st.builds(cls, **{name: values(kind) for name, kind in typing.get_type_hints(cls).items()})


def values(annotation: Any) -> st.SearchStrategy[Any]:
    kinds = typing.get_args(annotation)
    if kinds and isinstance(kinds[0], type) and issubclass(kinds[0], Message):
        return st.lists(anything(kinds[0]), max_size=1).map(tuple)
    return BY_ANNOTATION[annotation] if annotation in BY_ANNOTATION else st.from_type(annotation)


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.__name__)
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_message_survives_its_json(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(anything(cls))
    assert cls.from_json(message.to_json()) == message
    assert cls.from_json(message.to_json().encode()) == message


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.__name__)
def test_messages_never_change(cls: type[Message]) -> None:
    assert cast("Any", cls).__dataclass_params__.frozen


def test_unknown_fields_of_a_later_version_are_dropped() -> None:
    skill = Skill("dnd.roll", "function", members=("x",))
    entry = CatalogEntry("dnd", "core", "ready", skills=(skill,))
    later = json.loads(entry.to_json())
    later["colour"] = later["skills"][0]["weight"] = 6
    assert CatalogEntry.from_dict(later) == entry


def test_fields_an_older_version_did_not_send_take_their_defaults() -> None:
    assert CatalogEntry.from_json('{"plugin":"dnd","type":"core","state":"ready"}') == CatalogEntry(
        "dnd", "core", "ready"
    )


def test_a_message_without_a_required_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="state"):
        CatalogEntry.from_json('{"plugin":"dnd","type":"core"}')


def test_text_without_a_utf8_form_can_be_written() -> None:
    skill = Skill("dnd.roll", "function", doc="half a pair: \ud83d")
    assert Skill.from_json(skill.to_json().encode("ascii")) == skill


def test_a_plan_finds_its_plugins() -> None:
    dice = PlannedPlugin("dice", "1", "core", "/r", "/r")
    watch = dataclasses.replace(dice, name="watch", type="internal-local")
    plan = Plan(plugins=(dice, watch))
    assert (plan.find("watch"), plan.find("feeds")) == (watch, None)
    assert (dice.hybrid, watch.hybrid) == (False, True)
