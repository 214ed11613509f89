"""Describes a loaded object as what the catalog tells of a skill, without running any of the object's code."""

from __future__ import annotations

import enum
import functools
import inspect
import re
from types import FunctionType, ModuleType
from typing import Any, Iterator, Optional

from aigis._base.messages import Skill
from aigis._plugin.injection import LoggerSlot, is_exception_class, logger_slot, signature_of
from aigis._plugin.namespace import owner

_DEPTH = 3
"""How many names below a skill exception classes are looked for."""
_LONGEST_DEFAULT = 80
_DATA = (str, bytes, bytearray, int, float, complex, tuple, list, dict, set, frozenset, type(None), enum.Enum)
_DATA_MODULES = frozenset(
    {"builtins", "collections", "datetime", "decimal", "fractions", "pathlib", "re", "types", "uuid"}
)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def describe(path: str, value: object) -> Skill:
    """Return what the catalog tells of the skill `path` whose object is `value`."""
    kind = kind_of(value)
    return Skill(
        path=path,
        kind=kind,
        signature=_signature(value) if callable(value) else None,
        doc=_first_paragraph(value, kind),
        members=public_names(value) if kind not in ("function", "value") else (),
        exceptions=dict(_exceptions(value, "", ())),
    )


def kind_of(value: object) -> str:
    """Return 'function', 'class', 'exception', 'module', 'object' or 'value'."""
    if isinstance(value, type):
        return "exception" if is_exception_class(value) else "class"
    if issubclass(type(value), ModuleType):
        return "module"
    if inspect.isroutine(value) or isinstance(value, (functools.partial, type(functools.lru_cache(len)))):
        return "function"
    plain = issubclass(type(value), _DATA) or type(value).__module__.partition(".")[0] in _DATA_MODULES
    return "value" if plain and not callable(value) else "object"


def public_names(value: object) -> tuple[str, ...]:
    """Return the public names below a module, class or object, sorted, as far as they are known without asking it."""
    if isinstance(value, ModuleType):
        return _module_names(value)
    return tuple(sorted(name for name in static_attributes(value) if not name.startswith("_")))


def static_attributes(value: object) -> dict[str, Any]:
    """Return the attributes of a class or object that are written down in it or its bases outside builtins."""
    cls = value if isinstance(value, type) else type(value)
    found: dict[str, Any] = {}
    for base in reversed(type.__dict__["__mro__"].__get__(cls)):
        if base.__module__ != "builtins":
            found.update(vars(base))
    if not isinstance(value, type):
        found.update(_instance_dict(value))
    return found


def _instance_dict(value: object) -> dict[str, Any]:
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return {name: each for name, each in own.items() if isinstance(name, str)}


def _module_names(module: ModuleType) -> tuple[str, ...]:
    listed = vars(module).get("__all__")
    if isinstance(listed, (list, tuple)):
        return tuple(sorted({name for name in listed if isinstance(name, str)}))
    public = [name for name in vars(module) if not name.startswith("_")]
    return tuple(sorted(name for name in public if _belongs(vars(module)[name], module)))


def _belongs(value: object, module: ModuleType) -> bool:
    """Whether a module's global is the plugin's own and not something it imported from elsewhere."""
    if isinstance(value, ModuleType):
        return _same_home(value.__name__, module.__name__)
    if isinstance(value, (type, FunctionType)) or inspect.isbuiltin(value):
        return _same_home(str(value.__module__), module.__name__)
    return True


def _same_home(name: str, other: str) -> bool:
    return (owner(name) or name.partition(".")[0]) == (owner(other) or other.partition(".")[0])


def _signature(value: Any) -> Optional[tuple[dict[str, Any], ...]]:
    signature = signature_of(value)
    if signature is None:
        return None
    slot = logger_slot(value)
    return tuple(
        _parameter(parameter, slot, position)
        for position, parameter in enumerate(signature.parameters.values())
        if slot is None or parameter.name != slot.name
    )


def _parameter(parameter: inspect.Parameter, slot: Optional[LoggerSlot], position: int) -> dict[str, Any]:
    kind = parameter.kind
    if slot is not None and slot.position is not None and position > slot.position:
        # A positional argument would be the logger, so what stands behind it is given by keyword.
        kind = parameter.KEYWORD_ONLY if kind is parameter.POSITIONAL_OR_KEYWORD else kind
    described: dict[str, Any] = {"name": parameter.name, "kind": kind.name.lower()}
    if parameter.default is not parameter.empty:
        described["default"] = _default(parameter.default)
    return described


def _default(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    # Addresses differ between processes, and the catalog would seem to change with each.
    text = _ADDRESS.sub("", text)
    return text if len(text) <= _LONGEST_DEFAULT else text[: _LONGEST_DEFAULT - 1] + "…"


def _first_paragraph(value: object, kind: str) -> str:
    if kind == "value":
        return ""
    holder = type(value) if kind == "object" else value
    doc = vars(holder).get("__doc__") if isinstance(holder, type) else inspect.getattr_static(holder, "__doc__", None)
    if kind == "function":
        doc = getattr(value, "__doc__", None)
    return " ".join(inspect.cleandoc(doc).split("\n\n")[0].split()) if isinstance(doc, str) else ""


def _exceptions(value: object, path: str, seen: tuple[object, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (relative path, names of class and bases) of the exception classes at and below an object."""
    if isinstance(value, type) and is_exception_class(value):
        bases = [base for base in inspect.getmro(value) if issubclass(base, BaseException)]
        yield path, tuple(f"{base.__module__}:{base.__qualname__}" for base in bases)
    if len(seen) >= _DEPTH or any(value is each for each in seen):
        return
    for name, member in _holding(value):
        if not name.startswith("_"):
            yield from _exceptions(member, f"{path}.{name}" if path else name, (*seen, value))


def _holding(value: object) -> list[tuple[str, object]]:
    """Return the named things an object holds among which exception classes may be."""
    if isinstance(value, ModuleType):
        members = list(vars(value).items())
        return [(name, each) for name, each in members if is_exception_class(each) or _is_own_holder(each, value)]
    if kind_of(value) in ("class", "exception", "object"):
        return [(name, each) for name, each in static_attributes(value).items() if isinstance(each, type)]
    return []


def _is_own_holder(value: object, module: ModuleType) -> bool:
    if isinstance(value, (type, ModuleType)):
        return _belongs(value, module)
    return kind_of(value) == "object" and _same_home(type(value).__module__, module.__name__)
