"""Exceptions between processes: described as data, rebuilt as the class the catching side knows.

An exception arrives as itself where its class exists, as the skill's exception class where a plugin publishes it
(`except aigis.translation.BadLanguageError`), else as a stand-in of the same name. Its `str`, `args` and attributes are
kept, and `__cause__` is a RemoteTraceback with the frames of the other side.
"""

from __future__ import annotations

import builtins
import importlib
import re
import sys
import threading
import traceback
from typing import Any, Optional, Sequence

from aigis._base.errors import AigisError, RemoteError
from aigis._base.names import PRIVATE_MODULES
from aigis._wire import serializer

ENDINGS = (SystemExit, KeyboardInterrupt, GeneratorExit)
"""What ends a process: raised by a skill, they must not end the process that called it."""


class RemoteTraceback(Exception):
    """The frames of a remote exception; `str` shows them as Python would have printed them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n\nIn the process that ran the skill:\n{self.text.rstrip()}"


class ExceptionClasses:
    """The classes this process uses for exceptions of plugins it has not loaded: one class per name, for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._classes: dict[str, type[BaseException]] = {}

    def find(self, lineage: Sequence[str]) -> type[BaseException]:
        """Return the class named by `lineage[0]`, or a stand-in deriving from the nearest bases that exist here.

        `lineage` is the class and its bases, nearest first, each as `module:qualname`.
        """
        name = lineage[0]
        known = existing_class(name)
        if known is not None:
            return known
        with self._lock:
            if name not in self._classes:
                self._classes[name] = _stand_in(name, self._base(lineage[1:]))
            return self._classes[name]

    def _base(self, lineage: Sequence[str]) -> type[BaseException]:
        for name in lineage:
            known = existing_class(name) or self._classes.get(name)
            if known is not None:
                return known
            if name.startswith(PRIVATE_MODULES):
                # The plugin's own base class gets a stand-in too, so that catching the base catches this one.
                made = _stand_in(name, self._base(lineage[lineage.index(name) + 1 :]))
                return self._classes.setdefault(name, made)
        return Exception


EXCEPTION_CLASSES = ExceptionClasses()


def lineage_of(cls: type[BaseException]) -> tuple[str, ...]:
    """Return a class and its exception bases, nearest first, each as `module:qualname`.

    A stand-in passed on tells what it stands for: its other bases here would hide the built-in one.
    """
    own = (_StandIn, RemoteError, AigisError) if issubclass(cls, _StandIn) else ()
    return tuple(
        f"{c.__module__}:{c.__qualname__}" for c in cls.__mro__ if issubclass(c, BaseException) and c not in own
    )


def existing_class(name: str) -> Optional[type[BaseException]]:
    """Return the exception class `module:qualname` where it exists in this process, importing at most its module."""
    module, _, qualname = name.partition(":")
    if module == "builtins":
        found: Any = getattr(builtins, qualname, None)
    elif module.startswith(PRIVATE_MODULES):
        found = serializer.loaded_object(module, qualname)
    else:
        found = _imported(module, qualname)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _imported(module: str, qualname: str) -> Any:
    if module == "__main__":
        return None
    try:
        found: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception:
        return None
    return found


def _stand_in(name: str, base: type[BaseException]) -> type[BaseException]:
    module, _, qualname = name.partition(":")
    bases = (base,) if issubclass(base, RemoteError) else (_StandIn, base)
    simple = qualname.rpartition(".")[2]
    doc = f"Stands for {qualname}, whose plugin is not loaded in this process."
    return type(simple, bases, {"__module__": module, "__qualname__": qualname, "__doc__": doc})


class _StandIn(RemoteError):
    """Base of all stand-ins: shows the text the original showed."""

    def __init__(self, *args: Any) -> None:
        BaseException.__init__(self, *args)

    def __str__(self) -> str:
        text = self.__dict__.get("_aigis_text")
        return str(text) if text is not None else BaseException.__str__(self)

    def __reduce__(self) -> Any:
        return BaseException.__reduce__(self)


def describe_exception(error: BaseException, skip_frames: int = 0) -> dict[str, Any]:
    """Return an exception as data; parts that cannot travel are replaced by their repr.

    `skip_frames` leaves out that many of AIGIS's own frames at the top.
    """
    trace = error.__traceback__
    for _ in range(skip_frames):
        trace = trace.tb_next if trace is not None and trace.tb_next is not None else trace
    made_with, extra = _built_in_part(error)
    return {
        "lineage": lineage_of(type(error)),
        "made_with": tuple(_portable(value) for value in made_with),
        "args": tuple(_portable(value) for value in error.args),
        "state": {name: _portable(value) for name, value in {**extra, **vars(error)}.items()},
        "text": _text(error),
        "traceback": _as_authors_know(traceback.format_exception(type(error), error, trace)),
    }


_PRIVATE_NAME = re.compile(rf"\b{re.escape(PRIVATE_MODULES)}\w+\.(AIGIS_core\.)?")


def _as_authors_know(lines: list[str]) -> str:
    """Return a traceback with the plugin's own names for its classes in place of the private ones."""
    return _PRIVATE_NAME.sub("", "".join(lines))


def _built_in_part(error: BaseException) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what the built-in class below a plugin's class is made with: OSError, for one, keeps more than `args`."""
    built_in = _built_in_class(type(error))
    reduced: Any = built_in.__reduce__(error)
    state = reduced[2] if len(reduced) > 2 and isinstance(reduced[2], dict) else {}
    return reduced[1], state


def _built_in_class(cls: type[BaseException]) -> type[BaseException]:
    return next(c for c in cls.__mro__ if c.__module__ == "builtins" and issubclass(c, BaseException))


def _portable(value: object) -> object:
    try:
        serializer.dumps(value)
    except BaseException:  # what a plugin's class does when looked at is anybody's guess
        return _repr(value)
    return value


def _repr(value: object) -> str:
    try:
        return repr(value)
    except BaseException:  # what a plugin's class does when looked at is anybody's guess
        return f"<{type(value).__qualname__}>"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # what a plugin's class does when looked at is anybody's guess
        return f"<{type(error).__qualname__} without a readable text>"


def rebuild_exception(description: dict[str, Any]) -> BaseException:
    """Return the exception a description stands for, with the remote frames as its cause."""
    cls = EXCEPTION_CLASSES.find(description["lineage"])
    if issubclass(cls, ENDINGS):
        error: BaseException = RemoteError(f"the skill raised {cls.__name__}: {description['text']}")
    else:
        error = _instance(cls, description)
    error.__cause__ = RemoteTraceback(description["traceback"])
    return error


def _instance(cls: type[BaseException], description: dict[str, Any]) -> BaseException:
    """Build the instance without running a plugin's constructor, whose parameters may differ from `args`."""
    made_with, built_in = description["made_with"], _built_in_class(cls)
    try:
        error: BaseException = built_in.__new__(cls, *made_with)
        # The built-in's own part (errno of an OSError, start of a UnicodeError) is set by its __init__.
        built_in.__init__(error, *made_with)
    except TypeError:
        error = BaseException.__new__(cls)
    error.args = description["args"]
    for name, value in description["state"].items():
        try:
            setattr(error, name, value)
        except (AttributeError, TypeError):
            error.__dict__[name] = value
    if isinstance(error, _StandIn):
        error.__dict__["_aigis_text"] = description["text"]
    return error
