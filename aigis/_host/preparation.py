"""Preparing a home's plugins: files, secrets, environments and load order; whoever fails says why, the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from aigis._base.errors import PluginError
from aigis._base.settings import Settings
from aigis._host.events import Event, PluginsPrepared, PreparationFailed
from aigis._host.plugins import Plugin
from aigis._plugin.discover import Declared, discover
from aigis._plugin.environment import Builder, Environment
from aigis._plugin.manifest import read_type
from aigis._plugin.order import load_order
from aigis._plugin.prepare import Prepared, prepare, prepare_core_environment, prepare_environment

_LOGGER = logging.getLogger("aigis.supervisor")
AT_ONCE = 4
"""Plugins prepared at the same time."""


def announce(settings: Settings) -> tuple[Plugin, ...]:
    """Return the declared plugins before anything is done for them: what `status` shows from the first moment."""
    return tuple(Plugin(name=declared.name, type=_type_of(declared)) for declared in discover(settings))


def prepare_all(
    settings: Settings, builder: Builder, environ: Mapping[str, str]
) -> tuple[tuple[Plugin, ...], Environment]:
    """Prepare every plugin; return them in load order, broken ones last, and the environment of the core workers.

    Blocks for as long as installers take. Raises BuildStopped when the builder is told to stop.
    """
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="prepare") as pool:
        plugins = list(pool.map(lambda d: _prepare(d, settings, environ), discover(settings)))
        plugins = _in_load_order(plugins, settings)
        core, left_out = prepare_core_environment(_prepared(plugins), builder)
        plugins = [_fail(p, left_out[p.name]) if p.name in left_out else p for p in plugins]
        plugins = list(pool.map(lambda plugin: _with_environment(plugin, core, builder), plugins))
    return tuple(sorted(plugins, key=lambda plugin: plugin.phase == "failed")), core


def _prepare(declared: Declared, settings: Settings, environ: Mapping[str, str]) -> Plugin:
    announced = Plugin(name=declared.name, type=_type_of(declared), notices=declared.notices)
    try:
        prepared = prepare(declared, settings, path=environ.get("PATH", ""))
    except PluginError as error:
        return _fail(announced, str(error))
    except Exception as error:  # whatever a foreign folder provokes must not take the others down
        return _fail(announced, f"plugin {declared.name!r} could not be prepared: {error!r}")
    return replace(
        announced, type=prepared.manifest.type.value, phase="ready", notices=prepared.notices, prepared=prepared
    )


def _in_load_order(plugins: Sequence[Plugin], settings: Settings) -> list[Plugin]:
    by_name = {plugin.name: plugin for plugin in plugins}
    manifests = [plugin.manifest for plugin in plugins if plugin.manifest is not None]
    ordered, problems = load_order(manifests, [name for name, _ in settings.sources])
    good = [by_name[manifest.name] for manifest in ordered if manifest.name not in problems]
    bad = [_fail(by_name[name], reason) for name, reason in problems.items()]
    return [*good, *bad, *(plugin for plugin in plugins if plugin.phase == "failed")]


def _with_environment(plugin: Plugin, core: Environment, builder: Builder) -> Plugin:
    if plugin.prepared is None or plugin.phase != "ready":
        return plugin
    try:
        return replace(plugin, environment=prepare_environment(plugin.prepared, core, builder))
    except PluginError as error:
        return _fail(plugin, str(error))


def _prepared(plugins: Iterable[Plugin]) -> list[Prepared]:
    return [plugin.prepared for plugin in plugins if plugin.prepared is not None and plugin.phase == "ready"]


def _fail(plugin: Plugin, reason: str) -> Plugin:
    return replace(plugin, phase="failed", reason=reason)


def _type_of(declared: Declared) -> str:
    if not isinstance(declared.source, Path) or declared.problem is not None:
        return ""
    found = read_type(declared.source, declared.overrides)
    return "" if found is None else found.value


class Preparer:
    """Prepares in a thread, one preparation after another, and posts what came of it."""

    def __init__(self, environ: Mapping[str, str], post: Callable[[Event], None]) -> None:
        self._environ = environ
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        # Not the loop's own threads: installers take minutes, and children must be stopped meanwhile.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="preparer")

    def start(self, settings: Settings, only: str = "") -> None:
        """Prepare all plugins; `only` names the one that is meant."""
        self._pool.submit(self._run, settings, only)

    def stop(self) -> None:
        """Break off what is being built."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, settings: Settings, only: str) -> None:
        builder = Builder(folder=settings.home.environments, environ=self._environ, on_progress=_tell, stop=self._stop)
        event: Event
        try:
            plugins, core = prepare_all(settings, builder, self._environ)
            event = PluginsPrepared(plugins, core, only)
        except Exception as error:  # whatever it was, the host stays up and says so
            event = PreparationFailed(str(error) or repr(error))
        with contextlib.suppress(RuntimeError):  # the loop is closed when AIGIS has stopped meanwhile
            self._loop.call_soon_threadsafe(self._post, event)


def _tell(line: str) -> None:
    # Each package installed is a line of uv's; how many there were it says as well.
    level = logging.DEBUG if line.startswith((" + ", " - ", " ~ ", "Activate with")) else logging.INFO
    _LOGGER.log(level, "%s", line, extra={"action": "build"})
