"""Values to bytes and back; classes of a plugin in a process that does not have it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.errors import NotPicklable
from aigis._plugin.loader import LocalPlugins
from aigis._wire import serializer
from tests.building import Plugins
from tests.stranger import Stranger, stranger_process

CORE = """
    import dataclasses
    import enum

    import geometry
    from geometry import Circle, Shape

    SKILLS = ["shapes"]
    FACTOR = 2

    class Color(enum.Enum):
        RED = 1
        BLUE = 2

    @dataclasses.dataclass
    class Point:
        x: int
        color: Color = Color.RED
        def moved(self): return Point(self.x + FACTOR, self.color)

    class Plain:
        class Inner:
            def __init__(self): self.value = 1

    def helped(n): return n * FACTOR
    def double(n): return helped(n)
    def area(n): return geometry.PI * n

    class shapes:
        Color, Point, Plain, Circle, Shape = Color, Point, Plain, Circle, Shape
        double, area = double, area
"""
GEOMETRY = """
    PI = 3

    class Shape:
        def __init__(self, size): self.size = size
        def area(self): return self.size * self.size

    class Circle(Shape):
        def area(self): return PI * super().area()
"""


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Load the plugin into this process, as a core worker does, and return what it exposes."""
    plugin = Plugins(tmp_path_factory.mktemp("run")).write("shapes", CORE, {"geometry.py": GEOMETRY})
    local = LocalPlugins(plugins=[plugin], patience=0)
    assert local.load("shapes").status == "ready"
    before, serializer.TRAVELLERS.version_of = serializer.TRAVELLERS.version_of, local.version_of
    yield local.resolve("shapes")
    serializer.TRAVELLERS.version_of = before
    local.unload_all()


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    with stranger_process() as process:
        yield process


def test_an_enum_member_is_the_same_member_again_at_its_owner(shapes: Any, stranger: Stranger) -> None:
    back = stranger.run("assert value.name == 'RED'; answer = value", shapes.Color.RED)
    assert back is shapes.Color.RED


def test_a_stranger_has_one_class_whatever_it_came_in(shapes: Any, stranger: Stranger) -> None:
    stranger.run("kept['red'] = value[0]; assert value[0] is value[1]", [shapes.Color.RED, shapes.Color.RED])
    stranger.run("assert value is kept['red']", shapes.Color.RED)
    stranger.run("assert value(1) is kept['red']", shapes.Color)
    stranger.run("assert value.color is kept['red']", shapes.Point(1))


def test_a_dataclass_works_at_a_stranger_and_is_the_owners_again(shapes: Any, stranger: Stranger) -> None:
    back = stranger.run("answer = [value, value.moved()]; assert value == type(value)(1)", shapes.Point(1))
    assert back == [shapes.Point(1), shapes.Point(3)]
    assert type(back[1]) is shapes.Point


def test_a_plain_instance_comes_back_with_what_the_stranger_set(shapes: Any, stranger: Stranger) -> None:
    back = stranger.run("value.size += 1; answer = value", shapes.Shape(3))
    assert type(back) is shapes.Shape
    assert back.area() == 16


def test_a_nested_class_makes_the_round_trip(shapes: Any, stranger: Stranger) -> None:
    back = stranger.run("assert value.value == 1; answer = [value, type(value)]", shapes.Plain.Inner())
    assert type(back[0]) is back[1] is shapes.Plain.Inner


def test_a_class_works_at_a_stranger_and_is_the_owners_again(shapes: Any, stranger: Stranger) -> None:
    back = stranger.run("answer = [value, value(2), value(2).area()]", shapes.Circle)
    assert back[0] is type(back[1]) is shapes.Circle
    assert back[2] == 12


def test_bases_sent_apart_stay_the_bases_of_what_was_sent_before(shapes: Any, stranger: Stranger) -> None:
    stranger.run("kept['circle'] = value", shapes.Circle(1))
    stranger.run("assert isinstance(kept['circle'], value) and type(kept['circle']) is not value", shapes.Shape)


def test_a_function_brings_what_it_calls_and_is_the_owners_again(shapes: Any, stranger: Stranger) -> None:
    back = stranger.run("answer = [value, value(4)]", shapes.double)
    assert back[0] is shapes.double
    assert back[1] == 8


def test_code_that_needs_more_of_the_plugin_says_so(shapes: Any, stranger: Stranger) -> None:
    with pytest.raises(AssertionError, match=r"ReplyError: 'shapes\..*area' cannot be used where its plugin is not"):
        stranger.run("pass", shapes.area)


def test_what_one_stranger_sends_on_reaches_another(shapes: Any, stranger: Stranger) -> None:
    with stranger_process() as other:
        sent_on = stranger.run("answer = serializer.dumps(value)", shapes.Point(5))
        moved = other.run("answer = serializer.loads(value).moved()", sent_on)
    assert moved == shapes.Point(7)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(value=plain)
def test_plain_values_come_back_equal(value: object) -> None:
    assert serializer.loads(serializer.dumps(value)) == value


class Box:
    def __init__(self, content: object) -> None:
        self.first = 1
        self.content = content


STEPS = {
    "[1]": lambda inner: [0, inner],
    "[0]": lambda inner: (inner, 2),
    "['a']": lambda inner: {"b": 1, "a": inner},
    ".content": Box,
}


@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
def test_the_culprit_is_found_wherever_it_lies(steps: list[str]) -> None:
    value: object = threading.Lock()
    for step in reversed(steps):
        value = STEPS[step](value)
    with pytest.raises(NotPicklable) as caught:
        serializer.dumps(value)
    assert caught.value.path == "".join(steps)
    assert str(caught.value).startswith(f"value{caught.value.path} is a _thread.lock and cannot be sent")


@pytest.mark.parametrize(
    ("value", "path"),
    [({test_plain_values_come_back_equal.__get__(threading.Lock()): 1}, "{key"), ({lambda: 0}, "{element}")],
    ids=["key", "element"],
)
def test_a_culprit_without_a_place_of_its_own_is_described(value: object, path: str) -> None:
    with pytest.raises(NotPicklable) as caught:
        serializer.dumps(value)
    assert caught.value.path.startswith(path)


def test_a_culprit_in_a_circle_is_found() -> None:
    circle: list[Any] = []
    circle += [circle, [circle], threading.Lock()]
    with pytest.raises(NotPicklable) as caught:
        serializer.dumps(circle)
    assert caught.value.path == "[2]"


def test_a_value_nested_too_deep_is_refused_in_time() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(NotPicklable, match="RecursionError"):
        serializer.dumps(value)


def test_what_fails_while_it_is_read_is_a_culprit_too() -> None:
    class Broken:
        def __reduce__(self) -> Any:
            raise OSError("gone")

    with pytest.raises(NotPicklable, match=r"value\[0\] is a .*Broken and cannot .*OSError: gone"):
        serializer.dumps([Broken()])
