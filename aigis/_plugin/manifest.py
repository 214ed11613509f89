"""Reading a plugin's manifest, from its folder to a `Manifest` or to everything that is wrong with it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aigis._plugin import rules
from aigis._plugin.config_file import parse_config
from aigis._plugin.keys import FUTURE_KEYS
from aigis._plugin.model import Manifest, PluginType, filled, missing_system_requirements
from aigis._plugin.problem import Problem
from aigis._plugin.sheet import Sheet, read_sheet
from aigis._plugin.skills_list import SkillsList, read_skills

__all__ = [
    "Manifest",
    "PluginType",
    "Problem",
    "missing_system_requirements",
    "parse_config",
    "read_manifest",
    "read_skills",
    "read_type",
]


def read_manifest(
    folder: Path, name: str, overrides: Mapping[str, Any] = {}, *, python: str | None = None
) -> tuple[Manifest | None, tuple[Problem, ...]]:
    """Read the manifest of the plugin `name` in `folder`, and report all its problems at once.

    The manifest is None when a problem is fatal. `overrides` is the table `[plugins.NAME]` of aigis.toml: its values
    replace those of AIGIS.config. `python` is the version core plugins run on; default: the running one. Nothing of
    the plugin is executed, and whatever its files hold, nothing is raised.
    """
    sheet = read_sheet(Path(os.path.abspath(folder)), name, overrides)
    rules.check_name(sheet)
    if not sheet.readable:
        return None, tuple(sheet.problems)
    rules.check_required(sheet)
    entrypoint = rules.check_path(sheet, "ENTRYPOINT", os.path.isdir, "folder")
    requirements_file = rules.check_path(sheet, "REQUIREMENTS_FILE", os.path.isfile, "file")
    secrets = rules.check_secrets(sheet)
    rules.check_launch(sheet, entrypoint)
    rules.check_versions(sheet, python or _running_python())
    rules.check_dependencies(sheet)
    rules.notice_idle_keys(sheet)
    skills = rules.read_core(sheet)
    if entrypoint is None or any(problem.fatal for problem in sheet.problems):
        return None, tuple(sheet.problems)
    manifest = _manifest(
        sheet, entrypoint=entrypoint, requirements_file=requirements_file, secrets=secrets, skills=skills
    )
    return manifest, tuple(sheet.problems)


def read_type(folder: Path, overrides: Mapping[str, Any] = {}) -> PluginType | None:
    """Return the type of a plugin whose manifest may be broken elsewhere, or None when that cannot be told."""
    return read_sheet(Path(os.path.abspath(folder)), "", overrides).type


def _running_python() -> str:
    # A build between releases ends in `+`, which is no version for `packaging`.
    return platform.python_version().rstrip("+")


def _manifest(
    sheet: Sheet,
    *,
    entrypoint: Path,
    requirements_file: Path | None,
    secrets: Mapping[str, str],
    skills: SkillsList | None,
) -> Manifest:
    plugin_type = PluginType(sheet.values["PLUGIN_TYPE"])
    launch = None if plugin_type is PluginType.CORE else sheet.values.get("LAUNCH")
    placed = plugin_type in {PluginType.INTERNAL_REMOTE, PluginType.EXTERNAL}
    return Manifest(
        name=sheet.name,
        root=sheet.root,
        type=plugin_type,
        host=sheet.values.get("HOST", "localhost") if placed else "localhost",
        entrypoint=entrypoint,
        launch=filled(launch, sheet.root),
        launch_template=launch,
        requirements_file=requirements_file,
        secrets=secrets,
        future={key: sheet.values[key] for key in sorted(FUTURE_KEYS & sheet.values.keys())},
        has_core=skills is not None,
        skills=skills.names if skills else None,
        branches=skills.branches if skills else (),
        **{field: sheet.values[key] for key, field in _PLAIN_FIELDS.items() if key in sheet.values},
    )


_PLAIN_FIELDS: Mapping[str, str] = {
    "ARGS": "args",
    "KWARGS": "kwargs",
    "RESTART": "restart",
    "RETRIES": "retries",
    "REQUIREMENTS_COMMAND": "requirements_command",
    "SYSTEM_REQUIREMENTS": "system_requirements",
    "ENV": "env",
    "TIMEOUT": "timeout",
    "GRACE": "grace",
    "SINGLE": "single",
    "DEPENDENCIES": "dependencies",
    "DATA": "data",
    "PYTHON": "python",
    "AIGIS_VERSION": "aigis_version",
    "VERSION": "version",
    "DESCRIPTION": "description",
    "AUTHOR": "author",
    "LICENSE": "license",
    "allow_taint": "allow_taint",
    "index": "index",
}
"""Keys whose typed value goes into the manifest as it is."""
