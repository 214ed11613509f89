"""Plugin classes and functions as code, for processes that do not have the plugin (cloudpickle)."""

from __future__ import annotations

import io
from types import FunctionType
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle

from aigis._base.names import PRIVATE_MODULES

if TYPE_CHECKING:
    from aigis._wire.serializer import Travellers


def dumps_by_value(obj: Any, travellers: Travellers) -> bytes:
    """Return a class or function of a plugin as code, with everything of the plugin it refers to."""
    stream = io.BytesIO()
    _ByValuePickler(stream, travellers).dump(obj)
    return stream.getvalue()


class _ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Sends classes and functions of plugins by value, all else as cloudpickle does.

    cloudpickle offers this choice per module for the whole process only; a plugin that uses cloudpickle itself would
    notice. Hence its inner functions are called here, and its version is pinned.
    """

    def __init__(self, stream: io.BytesIO, travellers: Travellers) -> None:
        super().__init__(stream, protocol=5)
        self._travellers = travellers

    def reducer_override(self, obj: Any) -> Any:
        module = getattr(obj, "__module__", None)
        if isinstance(module, str) and module.startswith(PRIVATE_MODULES):
            if isinstance(obj, type):
                self._file(obj, module)
                return cloudpickle._dynamic_class_reduce(obj)  # noqa: SLF001
            if isinstance(obj, FunctionType):
                return self._dynamic_function_reduce(obj)
        return super().reducer_override(obj)

    def _file(self, cls: type, module: str) -> None:
        """Give the class the same tracking name in every process: its random default would make two copies of it."""
        version = self._travellers.version_of(module) or ""
        identity = self._travellers.identify(module, cls.__qualname__, version)
        with cloudpickle._DYNAMIC_CLASS_TRACKER_LOCK:  # noqa: SLF001
            cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS[cls] = identity  # noqa: SLF001
            cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[identity] = cls  # noqa: SLF001
