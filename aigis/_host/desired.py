"""What should be on this host: the plan for those who load core plugins, and the processes to keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from aigis._base.errors import PluginError
from aigis._base.messages import Plan
from aigis._base.settings import Settings
from aigis._host.launching import plugin_spec, worker_name, worker_spec
from aigis._host.plugins import Plugin, Wish
from aigis._host.reconcile import Wanted
from aigis._host.restart import RestartPolicy
from aigis._plugin.environment import Environment
from aigis._plugin.manifest import Manifest, PluginType
from aigis._plugin.plan import make_plan

OWN_POLICY = RestartPolicy(always=True)


def desired_plan(
    plugins: Sequence[Plugin],
    wishes: Mapping[str, Wish],
    reloads: Mapping[str, int],
    tainting: Mapping[tuple[str, str], str],
    *,
    generation: int,
    settings: Settings,
) -> Plan:
    """Return the plan: every ready plugin with skills, but for those that tainted a process.

    `reloads` counts the reloads the operator asked for: one without a change of the files must load anew all the same,
    so it shows in the version.
    """
    ready = [plugin.prepared for plugin in plugins if plugin.prepared is not None and plugin.phase == "ready"]
    off = {plugin.name for plugin in plugins if not wishes.get(plugin.name, Wish()).on}
    plan = make_plan(ready, generation=generation, host=settings.host, deadline=settings.deadline, disabled=off)
    versions = {p.name: f"{p.version}.{reloads[p.name]}" if reloads.get(p.name) else p.version for p in plan.plugins}
    planned = (dataclasses.replace(p, version=versions[p.name]) for p in plan.plugins)
    return dataclasses.replace(plan, plugins=tuple(p for p in planned if (p.name, p.version) not in tainting))


def elsewhere(manifest: Manifest, settings: Settings) -> str:
    """Return the name of the other host where a plugin belongs, '' when it is this one."""
    return "" if manifest.host in ("localhost", settings.host) else manifest.host


def runs_here(plugin: Plugin, wish: Wish, settings: Settings) -> bool:
    """Whether a plugin should run as a process on this host."""
    manifest = plugin.manifest
    if plugin.phase != "ready" or manifest is None or not plugin.is_process:
        return False
    return wish.on and not elsewhere(manifest, settings)


def wanted_plugin(plugin: Plugin, epoch: int, settings: Settings, environ: Mapping[str, str]) -> Wanted:
    """Return how a plugin's process should run."""
    if plugin.manifest is None:
        raise PluginError(f"plugin {plugin.name!r} is not prepared")
    return Wanted(plugin_spec(plugin, settings, environ), RestartPolicy(plugin.manifest.restart), epoch)


def wanted_workers(
    count: int, settings: Settings, environment: Environment, environ: Mapping[str, str]
) -> dict[str, Wanted]:
    """Return the core workers that should run."""
    numbers = range(1, count + 1)
    return {worker_name(n): Wanted(worker_spec(n, settings, environment, environ), OWN_POLICY) for n in numbers}


def local_users(plugins: Sequence[Plugin]) -> list[str]:
    """Return the plugins whose processes may hold a copy of a core plugin."""
    return [p.name for p in plugins if p.manifest is not None and p.manifest.type is PluginType.INTERNAL_LOCAL]
