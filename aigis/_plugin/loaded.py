"""A plugin that is loaded in this process: its listed skills, what lies below them, and calling either."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Mapping, Optional, Sequence

from aigis._base.errors import SkillNotFound
from aigis._base.messages import PlannedPlugin, Skill
from aigis._base.names import did_you_mean
from aigis._plugin.describe import describe, public_names
from aigis._plugin.exposed import Unusable, look_up
from aigis._plugin.injection import LoggerSlot, logger_slot, with_logger


@dataclass(frozen=True)
class Leaf:
    """A listed skill: its object as it was at loading, and where that takes the plugin's logger."""

    path: str
    object: Any
    slot: Optional[LoggerSlot]

    @property
    def lasting(self) -> bool:
        """Whether the object stands for the name for good; a plugin may bind a value's name anew at any time."""
        return callable(self.object) or isinstance(self.object, ModuleType)

    def describe(self) -> Skill:
        """Return what the catalog tells of it."""
        try:
            return describe(self.path, self.object)
        except Exception:
            # An object that cannot even be looked at statically can be called all the same.
            return Skill(self.path, "object")


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin whose skills can be used in this process."""

    plugin: PlannedPlugin
    core: ModuleType
    logger: logging.Logger
    leaves: Mapping[str, Leaf]
    notices: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        plugin: PlannedPlugin,
        core: ModuleType,
        logger: logging.Logger,
        objects: Mapping[str, object],
        notices: tuple[str, ...] = (),
    ) -> LoadedPlugin:
        """Build it from the objects its SKILLS stand for."""
        leaves = {path: Leaf(path, value, logger_slot(value)) for path, value in objects.items()}
        return cls(plugin, core, logger, leaves, notices)

    def get(self, leaf: str, rest: Sequence[str] = ()) -> Any:
        """Return the object of a listed skill, or what `rest` names below it.

        Raises SkillNotFound, naming the near one, when there is no such name or it starts with '_'.
        """
        found, path = self._object(self.leaves[leaf]), leaf
        for name in rest:
            if name.startswith("_"):
                raise SkillNotFound(f"{path}.{name!s} is private to the plugin {self.plugin.name!r}: use a public name")
            try:
                found, path = getattr(found, name), f"{path}.{name}"
            except AttributeError as error:
                hint = did_you_mean(name, public_names(found))
                raise SkillNotFound(f"skill {path!r} has no {name!r}{hint}", plugin=self.plugin.name) from error
        return found

    def _object(self, leaf: Leaf) -> Any:
        if leaf.lasting:
            return leaf.object
        try:
            return look_up(vars(self.core), leaf.path)
        except Unusable as error:
            raise SkillNotFound(f"skill {leaf.path!r} is gone: {error}", plugin=self.plugin.name) from error

    def get_local(self, leaf: str) -> Any:
        """Return what callers in this process hold of a listed skill: its object, the logger filled in at calls."""
        listed = self.leaves[leaf]
        return with_logger(listed.object, listed.slot, self.logger) if listed.slot else self.get(leaf)

    def call(self, leaf: str, rest: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call a listed skill or what `rest` names below it; a value that cannot be called is returned itself.

        Only the listed skill itself gets the logger. Raises TypeError for arguments to a value, SkillNotFound as `get`
        does, and whatever the skill raises.
        """
        skill = self.get(leaf, rest)
        if callable(skill):
            given = dict(kwargs)
            slot = self.leaves[leaf].slot
            if slot is not None and not rest:
                slot.fill(args, given, self.logger)
            return skill(*args, **given)
        if args or kwargs:
            path = ".".join((leaf, *rest))
            raise TypeError(f"{path!r} is a value, not callable: call it without arguments")
        return skill
