"""The order plugins load in, and who keeps a name that two of them want."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aigis._plugin.model import Manifest, PluginType
from aigis._plugin.skills_list import clash

_RANKS: Mapping[PluginType, int] = {
    PluginType.CORE: 0,
    PluginType.INTERNAL_LOCAL: 1,
    PluginType.INTERNAL_REMOTE: 1,
    PluginType.EXTERNAL: 2,
}


def load_order(plugins: Sequence[Manifest], declared: Sequence[str]) -> tuple[list[Manifest], dict[str, str]]:
    """Return the plugins that can load, in load order, and for each of the others the reason.

    Core plugins come first, then internal, then external ones; within a type those of `declared` (the names as
    `aigis.toml` lists them) and then the others by name; a plugin with DEPENDENCIES waits until these have had their
    turn. The order of `plugins` plays no part; their names are distinct.

    A dependency that is missing, has failed or is part of a circle fails the plugin. So does a skill that a plugin
    before it has: the first keeps the name, the later one fails as a whole. Only literal SKILLS lists are compared
    here; what a computed list adds below its branch is decided in the same way when it is loaded.
    """
    known = {plugin.name for plugin in plugins}
    ordered: list[Manifest] = []
    failed: dict[str, str] = {}
    owners: dict[str, str] = {}
    for plugin, circle in _turns(_base_order(plugins, declared)):
        reason = circle or _dependency_fault(plugin, known, failed, declared) or _name_fault(plugin, owners)
        if reason:
            failed[plugin.name] = reason
            continue
        ordered.append(plugin)
        owners.update(dict.fromkeys(plugin.skills or (), plugin.name))
    return ordered, failed


def _base_order(plugins: Iterable[Manifest], declared: Sequence[str]) -> list[Manifest]:
    places = {name: place for place, name in reversed(list(enumerate(declared)))}
    return sorted(plugins, key=lambda plugin: (_RANKS[plugin.type], places.get(plugin.name, len(places)), plugin.name))


def _turns(waiting: list[Manifest]) -> Iterable[tuple[Manifest, str | None]]:
    """Yield each plugin after its dependencies; one that is part of a circle comes with that circle's description."""
    while waiting:
        names = {plugin.name for plugin in waiting}
        ready = next((plugin for plugin in waiting if names.isdisjoint(plugin.dependencies)), None)
        if ready:
            waiting.remove(ready)
            yield ready, None
            continue
        circle = _find_circle({plugin.name: plugin for plugin in waiting}, waiting[0])
        round_trip = " → ".join(repr(plugin.name) for plugin in (*circle, circle[0]))
        for plugin in circle:
            waiting.remove(plugin)
            yield plugin, f"DEPENDENCIES form a circle, {round_trip}: remove one of them"


def _find_circle(waiting: Mapping[str, Manifest], start: Manifest) -> list[Manifest]:
    """Walk along dependencies, each of which waits for another, until one comes twice."""
    walk = [start]
    while True:
        following = next(waiting[name] for name in walk[-1].dependencies if name in waiting)
        if following in walk:
            return walk[walk.index(following) :]
        walk.append(following)


def _dependency_fault(
    plugin: Manifest, known: set[str], failed: Mapping[str, str], declared: Sequence[str]
) -> str | None:
    for name in plugin.dependencies:
        if name in failed:
            return f"needs the plugin {name!r} (DEPENDENCIES), which fails: {failed[name]}"
        if name not in known:
            fault = "cannot be prepared: repair it" if name in declared else "does not exist: add it"
            return f"needs the plugin {name!r} (DEPENDENCIES), which {fault}, or remove it from DEPENDENCIES"
    return None


def _name_fault(plugin: Manifest, owners: Mapping[str, str]) -> str | None:
    for skill in plugin.skills or ():
        for taken, owner in owners.items():
            if clash(skill, taken):
                other = "" if skill == taken else f" as {taken!r}"
                return (
                    f"skill {skill!r} belongs to the plugin {owner!r}{other}, which comes first in load order: rename "
                    f"the skill of {plugin.name!r}, or disable one of the two"
                )
    return None
