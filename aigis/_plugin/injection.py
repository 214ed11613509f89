"""How a skill gets its plugin's logger: by keyword, where its signature names one, unless the caller gives it."""

from __future__ import annotations

import functools
import inspect
import logging
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class LoggerSlot:
    """The parameter of a callable that takes the plugin's logger."""

    name: str
    position: Optional[int]
    """Count of positional arguments before it; None when it can only be given by keyword."""

    def fill(self, args: Sequence[Any], kwargs: dict[str, Any], logger: logging.Logger) -> None:
        """Add the logger to the keyword arguments of a call, unless the caller gives it already."""
        if self.name not in kwargs and (self.position is None or len(args) <= self.position):
            kwargs[self.name] = logger


def logger_slot(skill: object) -> Optional[LoggerSlot]:
    """Return where a callable takes the plugin's logger, or None.

    That is a parameter `logger`, else one named `log` without a default. `**kwargs` is none, except that of a
    decorator whose decorated function names one. Exception classes take none: they must stay real classes.
    """
    if not callable(skill) or is_exception_class(skill):
        return None
    actual = signature_of(skill, follow_wrapped=False)
    slot = _named_slot(actual)
    if slot is not None or (actual is not None and not _takes_any_keyword(actual)):
        return slot
    # What stands around the function passes everything on: a decorator, functools.lru_cache.
    return _named_slot(signature_of(skill)) if hasattr_static(skill, "__wrapped__") else None


def signature_of(skill: Callable[..., Any], *, follow_wrapped: bool = True) -> Optional[inspect.Signature]:
    """Return a callable's signature, or None when it has no readable one; an object is never asked by `__getattr__`."""
    target, bound = skill, False
    if not isinstance(skill, type) and hasattr_static(type(skill), "__getattr__"):
        # inspect would ask the object itself for `__signature__`, and such an object has an answer for everything.
        target, bound = inspect.getattr_static(type(skill), "__call__"), True
    try:
        signature = inspect.signature(target, follow_wrapped=follow_wrapped)
    except Exception:
        return None
    return signature.replace(parameters=list(signature.parameters.values())[1:]) if bound else signature


def with_logger(skill: Callable[..., Any], slot: LoggerSlot, logger: logging.Logger) -> Any:
    """Return the skill for callers within this process: as before, but its logger is filled in at the call."""
    return _WithLogger(skill, slot, logger)


def is_exception_class(value: object) -> bool:
    """Whether this is a class one can raise."""
    return isinstance(value, type) and issubclass(value, BaseException)


def hasattr_static(value: object, name: str) -> bool:
    """Whether the object has this attribute; runs no code of the object."""
    missing = object()
    return inspect.getattr_static(value, name, missing) is not missing


def _named_slot(signature: Optional[inspect.Signature]) -> Optional[LoggerSlot]:
    if signature is None:
        return None
    for name in ("logger", "log"):
        parameter = signature.parameters.get(name)
        if parameter is None or parameter.kind not in _NAMED:
            continue
        if name == "logger" or parameter.default is parameter.empty:
            return LoggerSlot(name, _position(signature, parameter))
    return None


def _position(signature: inspect.Signature, parameter: inspect.Parameter) -> Optional[int]:
    positional = [each.name for each in signature.parameters.values() if each.kind in _POSITIONAL]
    return positional.index(parameter.name) if parameter.name in positional else None


def _takes_any_keyword(signature: inspect.Signature) -> bool:
    return any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())


class _WithLogger:
    """Stands for a skill and fills in its logger; attributes, isinstance, subclassing and pickling reach the skill."""

    def __init__(self, skill: Callable[..., Any], slot: LoggerSlot, logger: logging.Logger) -> None:
        # Not functools.wraps: pickle refuses a second function of the same name, whereas this one travels as the skill.
        set_own = functools.partial(object.__setattr__, self)
        set_own("_aigis_skill", skill)
        set_own("_aigis_slot", slot)
        set_own("_aigis_logger", logger)
        for name in functools.WRAPPER_ASSIGNMENTS:
            if name != "__annotations__" and hasattr_static(skill, name):
                set_own(name, getattr(skill, name))
        set_own("__wrapped__", skill)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        self._aigis_slot.fill(args, kwargs, self._aigis_logger)
        return self._aigis_skill(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_aigis_skill"), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._aigis_skill, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._aigis_skill, name)

    def __dir__(self) -> list[str]:
        return dir(self._aigis_skill)

    def __repr__(self) -> str:
        return repr(self._aigis_skill)

    def __eq__(self, other: object) -> bool:
        return bool(self._aigis_skill == (other._aigis_skill if type(other) is _WithLogger else other))

    def __hash__(self) -> int:
        return hash(self._aigis_skill)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._aigis_skill)

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._aigis_skill)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._aigis_skill,)

    def __reduce__(self) -> Any:
        return _same, (self._aigis_skill,)


def _same(skill: Any) -> Any:
    return skill
