"""Decides who keeps a name that several plugins expose: the first in load order."""

from __future__ import annotations

from typing import Iterable, Mapping, Optional, Sequence

from aigis._base.messages import PlannedPlugin
from aigis._plugin.exposed import is_below


def find_clash(
    plugin: PlannedPlugin,
    names: Iterable[str],
    before: Sequence[PlannedPlugin],
    known: Mapping[str, Iterable[str]],
) -> Optional[str]:
    """Say which plugin before this one in load order has one of its names, or None.

    `known` holds the skills of the loaded plugins. Of the others only the reserved branches count, and what lies below
    such a branch is decided when its plugin is loaded.
    """
    for other in before:
        loaded = other.name in known
        taken = tuple(known[other.name] if loaded else other.branches)
        for name in names:
            for each in taken:
                if name == each or is_below(each, name) or (loaded and is_below(name, each)):
                    return _say(plugin.name, name, other.name, each)
    return None


def _say(plugin: str, name: str, other: str, taken: str) -> str:
    whole = "" if name == taken else f" as {taken!r}"
    return (
        f"skill {name!r} belongs to the plugin {other!r}{whole}, which comes first in load order: rename the skill of "
        f"{plugin!r}, or disable one of the two"
    )
