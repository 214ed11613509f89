"""What `aigis` is inside an internal-local process: the core itself, copied into this process at its first use."""

from __future__ import annotations

import os
import time
from pathlib import Path as FilePath
from typing import Any, Callable, Mapping, Optional, Sequence

from aigis import _proxy
from aigis._base.home import Home, find_home
from aigis._base.messages import Plan
from aigis._base.records import plugin_logger
from aigis._plugin.loader import LocalPlugins, NotLocal

LOOK_EVERY = 0.5
"""Seconds between two looks at the plan: so long a plugin that was disabled still answers here."""


class CopiedCore:
    """Local first; SINGLE plugins and the skills of hybrids are called where they run."""

    def __init__(
        self,
        local: LocalPlugins,
        plan_file: FilePath,
        remote: Callable[[], Any],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`remote` gives the runtime for calls elsewhere; it is asked for only when there is one to make."""
        self._local = local
        self._plan_file = plan_file
        self._remote = remote
        self._monotonic = monotonic
        self._next_look = 0.0
        self._stamp: Optional[tuple[int, int]] = None

    def attribute(self, path: str) -> object:
        """Return what `aigis.<path>` is here: the object itself where the plugin may be copied."""
        self._look_in_time()
        try:
            return self._local.attribute(path)
        except NotLocal:
            return self._remote().attribute(path)

    def invoke(self, path: str, args: Sequence[Any], kwargs: Mapping[str, Any], **options: Any) -> Any:
        """Call the skill at `path` here when it is here."""
        self._look_in_time()
        try:
            found: Any = self._local.attribute(path)
        except NotLocal:
            return self._remote().invoke(path, tuple(args), kwargs, **options)
        if options.get("value_only"):
            return found
        return self._local.call_skill(path, args, kwargs)

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names directly below `prefix`."""
        return self._local.names(prefix)

    def _look_in_time(self) -> None:
        if self._monotonic() >= self._next_look:
            self.look()

    def look(self) -> None:
        """Read the plan when it has changed, and unload what it has no longer."""
        self._next_look = self._monotonic() + LOOK_EVERY
        try:
            found = os.stat(self._plan_file)
        except FileNotFoundError:
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._stamp:
            self._stamp = stamp
            plan = Plan.from_json(self._plan_file.read_bytes())
            for name in self._local.update(plan.plugins).unload:
                self._local.unload(name)


def copy_core(environ: Mapping[str, str]) -> LocalPlugins:
    """Put the core into this process; return the plugins, none of which is loaded yet."""
    home = find_home(environ, FilePath.cwd())
    local = LocalPlugins(
        plugins=(), hybrids_local=False, remote=lambda path: remote().attribute(path), logger_for=plugin_logger
    )
    remote = _Remote(environ, local)
    core = CopiedCore(local, Home(home.root).plan_file, remote)
    core.look()
    _proxy.install(core)
    return local


class _Remote:
    """The runtime for calls elsewhere, made at the first one: most internal-local processes never need Redis."""

    def __init__(self, environ: Mapping[str, str], local: LocalPlugins) -> None:
        self._environ = environ
        self._local = local
        self._runtime: Any = None

    def __call__(self) -> Any:
        if self._runtime is None:
            from aigis._wire import serializer
            from aigis._wire.remote import outside_runtime

            serializer.TRAVELLERS.version_of = self._local.version_of
            self._runtime = outside_runtime(_proxy.Path, self._environ)
        return self._runtime
