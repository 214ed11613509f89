"""First code of the process in which `check --load` tries a plugin: loads it, writes the report, and is gone.

It is run as a file, with the Python of the plugin's environment, and imports nothing of the command line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aigis import _proxy
from aigis._base.home import write_private
from aigis._base.messages import Plan
from aigis._plugin.loader import LocalPlugins, NotLocal
from aigis._wire.remote import outside_runtime


class TrialRuntime:
    """What `aigis.` is while the plugin loads: its own skills, and those of the AIGIS that runs here, if one does."""

    def __init__(self, local: LocalPlugins) -> None:
        self._local = local
        self._remote = outside_runtime(_proxy.Path)

    def attribute(self, path: str) -> object:
        """Return the object or path."""
        try:
            return self._local.attribute(path)
        except NotLocal:
            return self._remote.attribute(path)

    def invoke(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any) -> Any:
        """Call a skill elsewhere."""
        return self._remote.invoke(path, args, kwargs, **options)

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names below a path."""
        return self._local.names(prefix)


def main(plan_file: str, report_file: str) -> None:
    """Load the only plugin of the plan."""
    plan = Plan.from_json(Path(plan_file).read_bytes())
    local = LocalPlugins(plugins=plan.plugins)
    _proxy.install(TrialRuntime(local))
    report = local.load(plan.plugins[0].name)
    local.unload_all()
    write_private(Path(report_file), report.to_json().encode())
    sys.stdout.flush()
    # Threads the plugin has left behind would keep an ordinary end waiting.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:3])
