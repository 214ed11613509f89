"""What the supervisor knows of one plugin of its home, from the declaration to the ready runtime folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aigis._plugin.environment import Environment
from aigis._plugin.manifest import Manifest, PluginType
from aigis._plugin.prepare import Prepared


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One plugin in load order; replaced as a whole when it is prepared anew."""

    name: str
    type: str = ""
    """As in its manifest; '' while that is not known."""
    phase: str = "preparing"
    """'preparing', 'ready' or 'failed'."""
    reason: str = ""
    """Why it failed."""
    notices: tuple[str, ...] = ()
    prepared: Prepared | None = None
    """There when the phase is 'ready'."""
    environment: Environment | None = None
    """Whose Python it runs on and whose programs are first on PATH; for core plugins that of the workers."""

    @property
    def manifest(self) -> Manifest | None:
        """Return the manifest at the runtime folder, when the plugin is ready."""
        return self.prepared.manifest if self.prepared is not None else None

    @property
    def is_process(self) -> bool:
        """Whether it runs as a process of its own."""
        return self.manifest is not None and self.manifest.type is not PluginType.CORE

    @property
    def has_core(self) -> bool:
        """Whether core workers load skills of it."""
        return self.manifest is not None and self.manifest.has_core


@dataclass(frozen=True)
class Wish:
    """What the operator wants of one plugin; the default is that it runs."""

    enabled: bool = True
    stopped: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Wish:
        """Build the wish from its stored form."""
        return cls(enabled=bool(values.get("enabled", True)), stopped=bool(values.get("stopped", False)))

    @property
    def on(self) -> bool:
        """Whether it shall run or serve."""
        return self.enabled and not self.stopped
