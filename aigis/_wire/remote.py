"""The runtime of a process that holds no core: every skill is a path, every path may be called."""

from __future__ import annotations

import os
from pathlib import Path as FilePath
from typing import Any, Callable, Mapping, Optional, Sequence

from aigis._base.errors import BusUnavailable, HomeNotFound, SkillNotFound
from aigis._base.home import find_home
from aigis._wire.exceptions import EXCEPTION_CLASSES
from aigis._wire.invoker import RemoteInvoker, Sender


class RemoteRuntime:
    """Skills by the catalog, calls by the invoker; `make_path` builds the object that stands for a path."""

    def __init__(self, invoker: RemoteInvoker, make_path: Callable[[str], object]) -> None:
        self._invoker = invoker
        self._make_path = make_path

    def attribute(self, path: str) -> object:
        """Return the exception class at `path`, else the path.

        A first segment nobody has raises SkillNotFound; what lies deeper is known for certain only where it runs.
        """
        try:
            catalog = self._invoker.catalog()
            if "." not in path and not catalog.knows(path):
                catalog = self._invoker.fresh_catalog()
                if not catalog.knows(path):
                    raise catalog.refusal(path) or SkillNotFound(f"no skill aigis.{path}")
            lineage = catalog.exception(path)
        except SkillNotFound:
            raise
        except (BusUnavailable, HomeNotFound):
            # Attributes never fail for want of Redis; the call will say what is wrong.
            return self._make_path(path)
        return self._make_path(path) if lineage is None else EXCEPTION_CLASSES.find(lineage)

    def invoke(self, path: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], **options: Any) -> Any:
        """Call the skill at `path` (see RemoteInvoker.invoke)."""
        return self._invoker.invoke(path, args, kwargs, **options)

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names directly below `prefix`; raises BusUnavailable."""
        return self._invoker.fresh_catalog().children(prefix)


def outside_runtime(make_path: Callable[[str], object], environ: Optional[Mapping[str, str]] = None) -> RemoteRuntime:
    """Return the runtime of a process AIGIS did not prepare: its home is looked up at the first call."""
    variables = os.environ if environ is None else environ
    sender = Sender(
        host=variables.get("AIGIS_HOST", ""),
        plugin=variables.get("AIGIS_PLUGIN", ""),
        role="internal-remote" if variables.get("AIGIS_PLUGIN") else "python",
    )
    return RemoteRuntime(RemoteInvoker(_Whereabouts(variables), sender), make_path)


class _Whereabouts:
    """Finds Redis and the key: AIGIS_REDIS, else the home's `.aigis/bus`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self) -> tuple[str, bytes]:
        from aigis._wire.bus import read_url
        from aigis._wire.signing import read_key

        home = find_home(self._environ, FilePath.cwd())
        url = self._environ.get("AIGIS_REDIS") or read_url(home)
        return url, read_key(home.key_file)
