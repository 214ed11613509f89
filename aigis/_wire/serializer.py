"""Values to bytes and back: pickle, with the classes of plugins by reference where the plugin is loaded.

A class that a plugin defines has a private module name (`aigis_plugins.NAME.…`). It is sent as that name *and*, beside
it, as its code: a process that has the plugin loaded takes the name, so that identity is kept; a stranger takes the
code, once, and keeps it. When the stranger sends it back, the owner finds its own class by the name again.

`loads` must only see bytes whose signature was verified.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import threading
from types import FunctionType
from typing import Any, Callable, Optional

from aigis._base.errors import NotPicklable, ReplyError
from aigis._base.names import PRIVATE_MODULES

PICKLE_PROTOCOL = 5

VersionOf = Callable[[str], Optional[str]]
"""Module name of a plugin → content version of that plugin where it is loaded here, else None."""


class Travellers:
    """The plugin classes and functions this process knows by their code alone, because the plugin is not loaded here.

    There is one per process, for class identity is a fact of the process: two copies of one class never compare equal.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._objects: dict[str, Any] = {}
        self._codes: dict[int, tuple[str, bytes]] = {}
        self._own_codes: dict[str, bytes] = {}
        self.version_of: VersionOf = lambda module: None

    def identify(self, module: str, qualname: str, version: str) -> str:
        """Return the name under which every process files this object."""
        return f"{module}:{qualname}@{version}"

    def adopt(self, module: str, qualname: str, version: str, code: bytes) -> Any:
        """Return the object for a name: the loaded plugin's own, else one adopted before, else one made from `code`."""
        own = loaded_object(module, qualname)
        if own is not None:
            return own
        identity = self.identify(module, qualname, version)
        with self._lock:
            if identity not in self._objects:
                made = self._tracked_class(identity) or self._from_code(code, module, qualname)
                self.keep(identity, made, version, code)
            return self._objects[identity]

    def keep(self, identity: str, made: Any, version: str, code: bytes) -> None:
        """File an object under its identity for as long as the process lives."""
        self._objects[identity] = made
        # By id, for a class may define its own hash; it is kept alive above, so the id is never another's.
        self._codes[id(made)] = (version, code)

    def code_of(self, made: Any) -> Optional[tuple[str, bytes]]:
        """Return version and code of an adopted object, to send it on unchanged."""
        return self._codes.get(id(made))

    def own_code(self, obj: Any, module: str, version: str) -> bytes:
        """Return an object of a loaded plugin by value, b"" when it cannot be; made once."""
        identity = self.identify(module, obj.__qualname__, version)
        with self._lock:
            if identity not in self._own_codes:
                from aigis._wire.by_value import dumps_by_value

                try:
                    self._own_codes[identity] = dumps_by_value(obj, self)
                except Exception:
                    # The name alone still serves every process that has the plugin; a stranger gets a clear error.
                    self._own_codes[identity] = b""
            return self._own_codes[identity]

    def _tracked_class(self, identity: str) -> Any:
        # A class that came inside another's code is in cloudpickle's own table already; loading it again would
        # overwrite its attributes.
        from cloudpickle import cloudpickle

        return cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(identity)  # noqa: SLF001 - the version is pinned for this

    def _from_code(self, code: bytes, module: str, qualname: str) -> Any:
        name = f"{module[len(PRIVATE_MODULES) :]}.{qualname}"
        if not code:
            raise ReplyError(f"{name!r} cannot be used where its plugin is not loaded: its code does not travel")
        try:
            return pickle.loads(code)
        except Exception as error:
            raise ReplyError(
                f"{name!r} cannot be used where its plugin is not loaded: {type(error).__name__}: {error}; install "
                "what it needs here, or have the skill return plain values"
            ) from error


TRAVELLERS = Travellers()


def adopt(module: str, qualname: str, version: str, code: bytes) -> Any:
    """Return the object a pickle names; this function's own name is part of the wire format."""
    return TRAVELLERS.adopt(module, qualname, version, code)


def loaded_object(module: str, qualname: str) -> Any:
    """Return the object of a plugin loaded in this process, or None."""
    package = ".".join(module.split(".")[:2])
    if package not in sys.modules:
        return None
    try:
        found: Any = sys.modules.get(module) or importlib.import_module(module)
        for name in qualname.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError):
        return None
    return found


class _Pickler(pickle.Pickler):
    """Pickles by C, asking only about classes and functions."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (type, FunctionType)):
            module = getattr(obj, "__module__", None)
            if isinstance(module, str) and module.startswith(PRIVATE_MODULES):
                return _reference(obj, module)
        return NotImplemented


def _reference(obj: Any, module: str) -> Any:
    known = TRAVELLERS.code_of(obj)
    if known is None:
        version = TRAVELLERS.version_of(module)
        if version is None or loaded_object(module, obj.__qualname__) is not obj:
            return NotImplemented
        known = version, TRAVELLERS.own_code(obj, module, version)
    return adopt, (module, obj.__qualname__, *known)


def dumps(value: object) -> bytes:
    """Return `value` as bytes.

    Raises NotPicklable naming the place inside the value that cannot travel.
    """
    try:
        return _dumps(value)
    except Exception as error:
        path, culprit = find_culprit(value)
        raise NotPicklable(
            f"value{path} is a {type(culprit).__module__}.{type(culprit).__qualname__} and cannot be sent to another "
            f"process ({type(error).__name__}: {error}); send plain data instead",
            path=path,
        ) from error


def _dumps(value: object) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, PICKLE_PROTOCOL).dump(value)
    return stream.getvalue()


def loads(data: bytes) -> Any:
    """Return the value in verified bytes; raises whatever rebuilding it raises."""
    return pickle.loads(data)


MAX_CULPRIT_DEPTH = 50


def find_culprit(value: object) -> tuple[str, object]:
    """Return where in `value` the first part that does not pickle lies, as `['a'][0].name`, and the part."""
    path = ""
    above: set[int] = set()
    while len(above) < MAX_CULPRIT_DEPTH:
        above.add(id(value))
        found = next(((step, part) for step, part in _parts(value) if not _can_travel(part, above)), None)
        if found is None:
            break
        path, value = path + found[0], found[1]
    return path, value


def _can_travel(part: object, above: set[int]) -> bool:
    if id(part) in above:
        return True
    try:
        _Probe(io.BytesIO(), above).dump(part)
    except Exception:
        return False
    return True


class _Probe(_Pickler):
    """Pickles a part of a value, passing over what contains it: in a circle that is in each of its parts too."""

    def __init__(self, stream: io.BytesIO, above: set[int]) -> None:
        super().__init__(stream, PICKLE_PROTOCOL)
        self._above = above

    def persistent_id(self, obj: Any) -> Any:
        return "above" if id(obj) in self._above else None


def _parts(value: object) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        keys = [(f"{{key {key!r}}}", key) for key in value]
        return keys + [(f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return [("{element}", part) for part in value]
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict) and not isinstance(value, (type, FunctionType)):
        return [(f".{name}", part) for name, part in attributes.items()]
    return []
