"""The rules by which a skill gets its plugin's logger."""

from __future__ import annotations

import functools
import inspect
import logging
import pickle
from typing import Any, Callable

import pytest

from aigis._plugin.injection import logger_slot, with_logger

LOGGER = logging.getLogger("tests.injection")


def call(skill: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    slot = logger_slot(skill)
    return with_logger(skill, slot, LOGGER)(*args, **kwargs) if slot else skill(*args, **kwargs)


class Sheet:
    """A class that wants the logger."""

    kind = "sheet"

    def __init__(self, name: str, logger: logging.Logger) -> None:
        self.name = name
        self.logger = logger

    def method(self, logger: Any = None) -> Any:
        return logger


class Caller:
    def __call__(self, x: int, *, log: Any) -> Any:
        return x, log


class Answers:
    """Has an answer for every attribute, as the predecessor's `generate`."""

    def __getattr__(self, name: str) -> Any:
        return lambda: name

    def __call__(self, *, logger: Any) -> Any:
        return logger


def forwarding(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def forward(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return forward


def supplying(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def supply(path: str) -> Any:
        return function(path, logger="its own")

    return supply


def takes(path: str, logger: Any, **kwargs: Any) -> Any:
    return path, logger, kwargs


@pytest.mark.parametrize(
    ("skill", "args", "kwargs", "result"),
    [
        (lambda logger: logger, (), {}, LOGGER),
        (lambda logger=None: logger, (), {}, LOGGER),
        (lambda log: log, (), {}, LOGGER),
        (lambda *, log: log, (), {}, LOGGER),
        (lambda log=2: log, (), {}, 2),
        (lambda x, log=2.718: (x, log), (8,), {}, (8, 2.718)),
        (lambda logger, log=1: (logger, log), (), {}, (LOGGER, 1)),
        (lambda **kwargs: kwargs, (), {}, {}),
        (lambda *logger: logger, (), {}, ()),
        (lambda **logger: logger, (), {}, {}),
        (takes, ("p",), {}, ("p", LOGGER, {})),
        (takes, ("p",), {"logger": 1}, ("p", 1, {})),
        (takes, ("p", 1), {}, ("p", 1, {})),
        (takes, ("p",), {"log": 1}, ("p", LOGGER, {"log": 1})),
        (lambda logger, sides: (logger, sides), (), {"sides": 6}, (LOGGER, 6)),
        (forwarding(takes), ("p",), {}, ("p", LOGGER, {})),
        (forwarding(takes), ("p", 1), {}, ("p", 1, {})),
        (supplying(takes), ("p",), {}, ("p", "its own", {})),
        (functools.partial(takes, "p"), (), {}, ("p", LOGGER, {})),
        (functools.lru_cache(takes), ("p",), {}, ("p", LOGGER, {})),
        (Sheet("n", LOGGER).method, (), {}, LOGGER),
        (Caller(), (3,), {}, (3, LOGGER)),
        (Answers(), (), {}, LOGGER),
    ],
)
def test_the_logger_goes_where_the_signature_names_it(
    skill: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> None:
    assert call(skill, *args, **kwargs) == result


@pytest.mark.parametrize("thing", [3, None, "text", print, int, len, ValueError, max, type, object(), {}.get])
def test_what_names_no_logger_gets_none(thing: object) -> None:
    assert logger_slot(thing) is None


def test_an_exception_class_stays_itself() -> None:
    class WithLoggerError(Exception):
        def __init__(self, logger: Any) -> None:
            super().__init__(logger)

    assert logger_slot(WithLoggerError) is None


def test_a_body_that_complains_about_logger_runs_once() -> None:
    runs = []

    def skill(logger: Any) -> None:
        runs.append(logger)
        raise TypeError("got an unexpected keyword argument 'logger'")

    with pytest.raises(TypeError, match="unexpected"):
        call(skill)
    assert runs == [LOGGER]


def local_of(skill: Callable[..., Any]) -> Any:
    slot = logger_slot(skill)
    assert slot is not None
    return with_logger(skill, slot, LOGGER)


def test_a_wrapped_function_keeps_name_doc_and_signature() -> None:
    skill = local_of(takes)
    assert (skill.__name__, skill.__doc__, skill.__module__) == ("takes", takes.__doc__, takes.__module__)
    assert inspect.signature(skill) == inspect.signature(takes)
    assert skill == takes


def test_a_wrapped_class_still_serves_isinstance_and_as_a_base() -> None:
    skill = local_of(Sheet)
    made = skill("n")

    class Mine(skill):  # type: ignore[misc, valid-type]
        pass

    assert (made.logger, skill.kind) == (LOGGER, "sheet")
    assert isinstance(made, skill)
    assert issubclass(Mine, skill)
    assert Mine.__mro__[1] is Sheet


def test_a_wrapped_skill_travels_as_the_skill_itself() -> None:
    assert pickle.loads(pickle.dumps(local_of(takes))) is takes
    assert pickle.loads(pickle.dumps(local_of(Sheet))) is Sheet


def test_attributes_set_on_a_wrapped_skill_are_the_skills() -> None:
    def skill(logger: Any) -> None:
        """Take the logger."""

    wrapped = local_of(skill)
    wrapped.calls = 3
    assert vars(skill) == {"calls": 3}
    del wrapped.calls
    assert vars(skill) == {}
