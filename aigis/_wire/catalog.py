"""The catalog: which skills exist, where, with which signature, and which plugin's queue takes a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Iterable, Mapping, Optional

from aigis._base.errors import NoWorker, PluginDisabled, Refused, SkillNotFound
from aigis._base.messages import CatalogEntry, Skill
from aigis._base.names import nearest
from aigis._wire import keys


@dataclass(frozen=True)
class Target:
    """Where a path leads."""

    entry: CatalogEntry
    skill: Optional[Skill]
    """None while the plugin is loading and its skills are not known yet."""
    rest: str
    """What of the path lies below the skill, '' when nothing does."""


@dataclass(frozen=True)
class Catalog:
    """What was known of all plugins at one generation; never changed, only replaced."""

    generation: int = -1
    entries: Mapping[str, CatalogEntry] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        leaves = {}
        for entry in sorted(self.entries.values(), key=lambda entry: -entry.order):
            leaves.update({skill.path: (entry, skill) for skill in entry.skills})
        branches = [branch for entry in self.entries.values() for branch in entry.branches]
        exceptions = {
            f"{path}.{below}" if below else path: lineage
            for path, (_, skill) in leaves.items()
            for below, lineage in skill.exceptions.items()
        }
        object.__setattr__(self, "_leaves", leaves)
        object.__setattr__(self, "_first_segments", {path.split(".", 1)[0] for path in (*leaves, *branches)})
        object.__setattr__(self, "_exceptions", exceptions)

    @property
    def leaves(self) -> Mapping[str, tuple[CatalogEntry, Skill]]:
        """Every skill by its path."""
        found: Mapping[str, tuple[CatalogEntry, Skill]] = self._leaves  # type: ignore[attr-defined]
        return found

    def find(self, path: str) -> Optional[Target]:
        """Return where `path` leads, or None when no plugin has or reserves it."""
        for end, head in _heads(path):
            found = self.leaves.get(head)
            if found is not None:
                return Target(*found, rest=path[end + 1 :])
        for entry in sorted(self.entries.values(), key=lambda entry: entry.order):
            if not entry.skills and any(_covers(branch, path) for branch in entry.branches):
                return Target(entry, None, "")
        return None

    def refusal(self, path: str) -> Optional[Refused]:
        """Return why a call of `path` must not be sent, or None when it may (or may have to wait)."""
        target = self.find(path)
        if target is None:
            return SkillNotFound(self._not_found(path), path=path)
        entry = target.entry
        if entry.state == "disabled":
            why = entry.reason or f"disabled; `invoke enable {entry.plugin}` brings it back"
            return PluginDisabled(f"aigis.{path}: plugin {entry.plugin!r} is {why}")
        if entry.state == "failed":
            return NoWorker(f"aigis.{path}: plugin {entry.plugin!r} failed: {entry.reason or 'see its log'}")
        if entry.state == "unserved":
            why = entry.reason or "no core worker is wanted; `invoke scale 1` starts one"
            return NoWorker(f"aigis.{path}: no worker serves plugin {entry.plugin!r}: {why}")
        return None

    def children(self, prefix: str) -> list[str]:
        """Return the names directly below `prefix` ('' for the top), for `dir()` and completion."""
        names = set()
        for path, (entry, skill) in self.leaves.items():
            if entry.state == "disabled":
                continue
            names.update(_next_segment(prefix, path))
            if path == prefix:
                names.update(skill.members)
        for entry in self.entries.values():
            if not entry.skills and entry.state != "disabled":
                for branch in entry.branches:
                    names.update(_next_segment(prefix, branch))
        return sorted(names)

    def knows(self, name: str) -> bool:
        """Whether some skill or reserved branch starts with this first segment."""
        return name in self._first_segments  # type: ignore[attr-defined]

    def exception(self, path: str) -> Optional[tuple[str, ...]]:
        """Return the lineage of the exception class at `path`, or None when there is none."""
        found: Optional[tuple[str, ...]] = self._exceptions.get(path)  # type: ignore[attr-defined]
        return found

    def _not_found(self, path: str) -> str:
        below = self.children(path)
        if below:
            return f"aigis.{path} is no skill; below it are {', '.join(below)}"
        near = self._near(path)
        if near is not None:
            return f"no skill aigis.{path}; did you mean aigis.{near}?"
        failed = ", ".join(repr(entry.plugin) for entry in self.entries.values() if entry.state == "failed")
        why = f"; of the plugins, {failed} failed, see `invoke status`" if failed else ""
        return f"no skill aigis.{path}; `invoke skills` lists what there is, `invoke up` takes new plugins in{why}"

    def _near(self, path: str) -> Optional[str]:
        """Return the known name most like the first segment of `path` that is unknown, with what stands before it."""
        known_part = ""
        for segment in path.split("."):
            names = self.children(known_part)
            whole = f"{known_part}.{segment}" if known_part else segment
            if segment not in names:
                near = nearest(segment, names)
                return None if near is None else whole[: len(whole) - len(segment)] + near
            known_part = whole
        return None


def _heads(path: str) -> Iterable[tuple[int, str]]:
    """Yield the path and its heads, longest first, with where each ends."""
    end = len(path)
    while end > 0:
        yield end, path[:end]
        end = path.rfind(".", 0, end)


def _covers(branch: str, path: str) -> bool:
    return path == branch or path.startswith(branch + ".")


def _next_segment(prefix: str, path: str) -> list[str]:
    if not prefix:
        return [path.split(".", 1)[0]]
    return [path[len(prefix) + 1 :].split(".", 1)[0]] if path.startswith(prefix + ".") else []


def read_catalog(client: Any) -> Catalog:
    """Read the catalog; generation and entries are of one moment."""
    from aigis._wire.bus import translated, url_of

    with translated(url_of(client)):
        generation, entries = (
            client.pipeline(transaction=True).get(keys.CATALOG_GENERATION).hgetall(keys.CATALOG).execute()
        )
    return Catalog(
        int(generation or 0),
        MappingProxyType({name.decode(): CatalogEntry.from_json(text) for name, text in entries.items()}),
    )
