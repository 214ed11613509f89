"""What is known of a plugin before any of its code runs."""

from __future__ import annotations

import dataclasses
import enum
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


class PluginType(enum.Enum):
    """How a plugin runs."""

    CORE = "core"
    """Its skills are imported and run by core workers."""
    INTERNAL_LOCAL = "internal-local"
    """A process on the declaring host, with the core copied into it."""
    INTERNAL_REMOTE = "internal-remote"
    """A process on the host named by HOST, with the proxy in it."""
    EXTERNAL = "external"
    """Any program."""

    @property
    def internal(self) -> bool:
        """Whether the plugin is a Python process in which `import aigis` works."""
        return self in {PluginType.INTERNAL_LOCAL, PluginType.INTERNAL_REMOTE}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is known of a plugin before any of its code runs; every path is absolute."""

    name: str
    root: Path
    """The plugin's folder."""
    type: PluginType
    entrypoint: Path
    """Import root of a core plugin, working directory of the others; in `root`."""
    host: str = "localhost"
    """Where it runs; `localhost` is the host that declares it."""
    launch: str | tuple[str, ...] | None = None
    """Internal: `module`, `module:function`, path of a .py file, or argument list. External: argument list."""
    launch_template: str | tuple[str, ...] | None = field(default=None, repr=False)
    """`launch` with `{root}` as it was written; None where nothing in it depends on `root`."""
    args: tuple[object, ...] = ()
    """Positional arguments for the launched function; JSON values, as `kwargs`."""
    kwargs: Mapping[str, object] = field(default_factory=dict)
    restart: int | None = None
    """Restarts in a row; None: none, and exit 0 is `stopped`."""
    requirements_command: str | None = None
    requirements_file: Path | None = None
    system_requirements: tuple[str, ...] = ()
    """Executables that must be on PATH."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """File name in the host's store → folder in `root` to copy it to."""
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds its calls may take where the caller states none."""
    grace: float = 10.0
    """Seconds between being asked to stop and being killed."""
    single: bool = False
    """One worker of the cluster serves it, one call at a time."""
    retries: int | None = None
    """Times a failed job is tried again."""
    dependencies: tuple[str, ...] = ()
    """Plugins that come first in load order."""
    data: tuple[str, ...] = ()
    """Folders below `root`, as relative paths, which all versions share."""
    python: str | None = None
    """Range of Python versions (PEP 440)."""
    aigis_version: str | None = None
    """Range of AIGIS versions (PEP 440)."""
    version: str = ""
    description: str = ""
    author: str = ""
    license: str = ""
    future: Mapping[str, object] = field(default_factory=dict)
    """Values of keys that this version keeps and does not obey."""
    allow_taint: bool = False
    """The operator's leave to keep threads, children and loops after the import."""
    index: str | None = None
    """"plugin" when the operator lets the plugin's own index options count, else None."""
    has_core: bool = False
    """Whether it brings skills in an AIGIS.core."""
    skills: tuple[str, ...] | None = None
    """Its skills where SKILLS is a literal list; None where that is computed, or there is no AIGIS.core."""
    branches: tuple[str, ...] = ()
    """Dotted names reserved before its code runs: `skills`, or the branches of a computed list."""

    @property
    def hybrid(self) -> bool:
        """Whether it is a process of its own and has skills as well."""
        return self.has_core and self.type is not PluginType.CORE

    def at(self, folder: Path) -> Manifest:
        """Return the manifest of the same files copied to `folder`."""
        root = Path(os.path.abspath(folder))
        template = self.launch if self.launch_template is None else self.launch_template
        return dataclasses.replace(
            self,
            root=root,
            entrypoint=root / self.entrypoint.relative_to(self.root),
            launch=filled(template, root),
            requirements_file=self.requirements_file and root / self.requirements_file.relative_to(self.root),
            secrets={name: str(root / Path(target).relative_to(self.root)) for name, target in self.secrets.items()},
        )


def missing_system_requirements(
    manifest: Manifest, which: Callable[[str], str | None] = shutil.which
) -> tuple[str, ...]:
    """Return the executables of SYSTEM_REQUIREMENTS that are not on this host, but for those uv makes moot."""
    return tuple(name for name in manifest.system_requirements if not is_moot(name) and which(name) is None)


def is_moot(executable: str) -> bool:
    """Whether the environment that uv builds brings it, whatever the host has."""
    return re.fullmatch(r"(pip|python)[\d.]*", executable) is not None


def filled(launch: str | tuple[str, ...] | None, root: Path) -> str | tuple[str, ...] | None:
    """Return a LAUNCH with `{root}` replaced."""
    if isinstance(launch, tuple):
        return tuple(fill(item, root) for item in launch)
    return None if launch is None else fill(launch, root)


def fill(text: str, root: Path) -> str:
    """Return a text of the manifest with `{root}` replaced."""
    # Not str.format: braces are ordinary characters in paths and arguments, and format reaches attributes.
    return text.replace("{root}", str(root))
