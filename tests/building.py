"""Plugins written in a line, as the processes that load them find them: a folder each, and its entry in the plan."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aigis._base.messages import PlannedPlugin


class Plugins:
    """Writes plugin folders below `folder`; the version of each is told by its content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, core: str, files: Mapping[str, str] | None = None, **changes: Any) -> PlannedPlugin:
        """Write a plugin's AIGIS.core and other files; `changes` are fields of its entry in the plan.

        Its one reserved branch is its name, unless `branches` says otherwise.
        """
        contents = {"AIGIS/AIGIS.core": core, **(files or {})}
        version = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]
        root = self.folder / name / version
        for path, content in contents.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(content))
        fields = {"type": "core", "branches": (name,), **changes}
        return PlannedPlugin(name=name, version=version, root=str(root), entrypoint=str(root), **fields)
