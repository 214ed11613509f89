"""The plan of a host: which plugins its workers load, in which order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aigis._base.messages import Plan, PlannedPlugin
from aigis._plugin.prepare import Prepared


def make_plan(
    plugins: Sequence[Prepared],
    *,
    generation: int,
    host: str,
    deadline: float | None = None,
    disabled: Collection[str] = frozenset(),
) -> Plan:
    """Return the plan for `plugins`, given in load order: those with an AIGIS.core, the disabled ones marked.

    `deadline` is that of calls, in seconds, where the plugin has no TIMEOUT.
    """
    planned = tuple(
        _planned(plugin, plugin.name not in disabled, deadline) for plugin in plugins if plugin.manifest.has_core
    )
    return Plan(generation=generation, host=host, plugins=planned)


def _planned(plugin: Prepared, enabled: bool, deadline: float | None) -> PlannedPlugin:
    manifest = plugin.manifest
    return PlannedPlugin(
        name=plugin.name,
        version=plugin.version,
        type=manifest.type.value,
        root=str(manifest.root),
        entrypoint=str(manifest.entrypoint),
        branches=manifest.branches,
        single=manifest.single,
        timeout=manifest.timeout or deadline,
        may_taint=manifest.allow_taint,
        enabled=enabled,
    )
