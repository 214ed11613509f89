"""What the catalog is told of a skill."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import logging
import sys
import types
from pathlib import Path
from typing import Any, Callable

import pytest

from aigis._plugin.describe import describe, kind_of
from aigis._plugin.namespace import Namespaces


class Failure(Exception):
    """It failed."""


class Worse(Failure, ValueError):
    pass


class Machine:
    """Turns.

    Longer text.
    """

    speed = 3
    Jam = Failure

    class Stuck(Exception):
        pass

    def __init__(self, logger: logging.Logger) -> None:
        self.own = 1
        self.Fault = Worse

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")

    @property
    def watched(self) -> Any:
        raise AssertionError("computed")

    def turn(self) -> None:
        pass

    def _hidden(self) -> None:
        pass


class Colour(enum.Enum):
    RED = 1


NOTHING = object()


def skill(path: str, logger: Any, /, sides: int = 6, *rest: int, seed: Any = NOTHING, **more: Any) -> None:
    """Roll
    a die.

    Returns nothing.
    """


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (skill, "function"),
        (len, "function"),
        (Machine.turn, "function"),
        (functools.partial(skill), "function"),
        (functools.lru_cache(skill), "function"),
        (Machine, "class"),
        (Colour, "class"),
        (Failure, "exception"),
        (logging, "module"),
        pytest.param(Machine(logging.getLogger()), "object", id="machine"),
        (logging.getLogger(), "object"),
        (Colour.RED, "value"),
        (3, "value"),
        (None, "value"),
        ([1], "value"),
        (dt.date(2026, 1, 1), "value"),
        (Path("/"), "value"),
    ],
)
def test_the_kind_of_an_object_is_told(value: object, kind: str) -> None:
    assert kind_of(value) == kind


def test_a_signature_is_told_as_data() -> None:
    described = describe("dice.roll", skill)
    assert described.signature == (
        {"name": "path", "kind": "positional_only"},
        {"name": "logger", "kind": "positional_only"},
        {"name": "sides", "kind": "positional_or_keyword", "default": "6"},
        {"name": "rest", "kind": "var_positional"},
        {"name": "seed", "kind": "keyword_only", "default": "<object object>"},
        {"name": "more", "kind": "var_keyword"},
    )
    assert described.doc == "Roll a die."


def test_the_filled_in_logger_is_left_out_and_what_follows_it_goes_by_keyword() -> None:
    def roll(count: int, logger: Any, sides: int = 6) -> None:
        pass

    assert describe("dice.roll", roll).signature == (
        {"name": "count", "kind": "positional_or_keyword"},
        {"name": "sides", "kind": "keyword_only", "default": "6"},
    )


def test_a_builtin_without_a_signature_has_none() -> None:
    assert describe("x.iter", iter).signature is None


def test_a_class_is_told_with_its_members_and_exceptions() -> None:
    described = describe("m.Machine", Machine)
    assert described.signature == ()
    assert described.doc == "Turns."
    assert described.members == ("Jam", "Stuck", "speed", "turn", "watched")
    assert set(described.exceptions) == {"Jam", "Stuck"}


def test_an_object_is_told_without_asking_it() -> None:
    described = describe("machine", Machine(logging.getLogger()))
    assert described.members == ("Fault", "Jam", "Stuck", "own", "speed", "turn", "watched")
    assert set(described.exceptions) == {"Fault", "Jam", "Stuck"}
    assert (described.kind, described.signature) == ("object", None)


def test_an_exception_names_itself_and_its_bases_nearest_first() -> None:
    name = __name__
    assert describe("x.Worse", Worse).exceptions == {
        "": (f"{name}:Worse", f"{name}:Failure", "builtins:ValueError", "builtins:Exception", "builtins:BaseException")
    }


def test_a_value_has_neither_doc_nor_members() -> None:
    described = describe("x.N", 3)
    assert (described.kind, described.doc, described.members, described.signature) == ("value", "", (), None)


def test_a_module_is_told_by_its_all(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("some", "First.\n\nSecond.")
    vars(module).update(b=1, a=2, c=3, __all__=["b", "a"])
    described = describe("some", module)
    assert (described.members, described.doc, described.kind) == (("a", "b"), "First.", "module")


def test_a_module_of_a_plugin_shows_what_is_the_plugins_own(build: Callable[..., Path]) -> None:
    source = """
        import os, json
        from collections import OrderedDict
        from src.ratings import ratings, RatingError
        from src import ratings as module
        LIMIT = 3
        _secret = 4
        class Search:
            class Empty(Exception): pass
        search = Search()
        def find(): pass
    """
    ratings = "class ratings:\n    SAFE = 's'\nclass RatingError(Exception): pass"
    root = build("", "import boorunator", {"boorunator.py": source, "src/ratings.py": ratings})
    namespaces = Namespaces()
    namespaces.add("dice", str(root), str(root))
    described = describe("boorunator", namespaces.load_core("dice").boorunator)
    namespaces.remove("dice")
    assert described.members == ("LIMIT", "RatingError", "Search", "find", "module", "ratings", "search")
    assert set(described.exceptions) == {"RatingError", "Search.Empty", "search.Empty", "module.RatingError"}


def test_what_refers_to_itself_comes_to_an_end() -> None:
    module = types.ModuleType("some")
    vars(module).update(itself=module, Failure=Failure, machine=Machine(logging.getLogger()), sys=sys)
    module.Failure.__module__ = "some"
    exceptions = describe("some", module).exceptions
    module.Failure.__module__ = __name__
    assert set(exceptions) == {"Failure"}
