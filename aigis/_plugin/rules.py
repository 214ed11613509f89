"""The rules between a manifest's values and the world: the plugin's folder, its type, the versions at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from aigis._base.names import plugin_name_problem
from aigis._plugin.keys import FUTURE_KEYS
from aigis._plugin.launch import program_problem, target_problem
from aigis._plugin.model import PluginType, fill, filled, is_moot
from aigis._plugin.problem import CONFIG_FILE, CORE_FILE, Problem
from aigis._plugin.python_file import read_bytes
from aigis._plugin.sheet import Sheet
from aigis._plugin.skills_list import SkillsList, read_skills
from aigis._version import __version__

CORE_LIMIT = 4 * 1024 * 1024
"""Bytes an AIGIS.core may have."""


def check_name(sheet: Sheet) -> None:
    """The name suits file names, queues and tables alike."""
    wrong = plugin_name_problem(sheet.name)
    if wrong:
        message = f"{wrong}; rename the plugin's folder, or its entry in aigis.toml"
        sheet.problems.append(Problem(CONFIG_FILE, None, message))


def check_required(sheet: Sheet) -> None:
    """The keys are there without which a plugin of this type cannot run."""
    needed = {
        "PLUGIN_TYPE": "write PLUGIN_TYPE = 'core', for example",
        "ENTRYPOINT": "write ENTRYPOINT = '{root}', for example",
    }
    if sheet.type is PluginType.EXTERNAL:
        needed["LAUNCH"] = "write LAUNCH = ['./run'], for example"
    elif sheet.type is not None and sheet.type.internal:
        needed["LAUNCH"] = "name the module that has launch(), such as LAUNCH = 'main'"
    for key, remedy in needed.items():
        if sheet.lacks(key):
            sheet.report(key, f"{key!r} is missing: {remedy}")


def read_core(sheet: Sheet) -> SkillsList | None:
    """Return what AIGIS.core tells of the skills, or None for a plugin without skills."""
    exists = os.path.lexists(sheet.root / CORE_FILE)
    if sheet.type is PluginType.EXTERNAL:
        if exists:
            message = (
                "an external plugin has no skills, so this file is ignored: remove it, or make the plugin internal"
            )
            sheet.problems.append(Problem(CORE_FILE, None, message, fatal=False))
        return None
    if not exists:
        if sheet.type is PluginType.CORE:
            message = f"a core plugin needs {CORE_FILE}: create it with a list SKILLS, or choose another PLUGIN_TYPE"
            sheet.problems.append(Problem(CORE_FILE, None, message))
        return None
    content = read_bytes(sheet.root / CORE_FILE, CORE_FILE, CORE_LIMIT)
    skills = SkillsList(None, (), (content,)) if isinstance(content, Problem) else read_skills(content)
    sheet.problems.extend(skills.problems)
    return skills


def check_path(sheet: Sheet, key: str, exists: Callable[[Path], bool], what: str) -> Path | None:
    """Return the path that a key names inside the plugin, or None."""
    text = sheet.values.get(key)
    if text is None:
        return None
    path = within(sheet.root, text)
    if path is None:
        sheet.report(key, f"{key} = {text!r} lies outside the plugin: name a {what} in '{{root}}'")
    elif not exists(path):
        sheet.report(key, f"{key} = {text!r} is no {what}: create it, or correct the path")
    else:
        return path
    return None


def within(root: Path, text: str) -> Path | None:
    """Return the path a text means, counted from `root`, or None when it leaves `root` by dots or by links."""
    path = Path(os.path.normpath(root / fill(text, root)))
    inside = path.is_relative_to(root) and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    return path if inside else None


def check_secrets(sheet: Sheet) -> dict[str, str]:
    """Return file name → absolute folder for the secrets that have one in the plugin."""
    targets = {}
    for name, text in sheet.values.get("SECRETS", {}).items():
        path = within(sheet.root, text)
        if path is None:
            sheet.report(
                "SECRETS", f"SECRETS: {name!r} would go to {text!r}, outside the plugin: name a folder in '{{root}}'"
            )
        elif os.path.lexists(path) and not os.path.isdir(path):
            sheet.report("SECRETS", f"SECRETS: {name!r} would go to {text!r}, which is a file: name a folder")
        else:
            targets[name] = str(path)
    return targets


def check_launch(sheet: Sheet, entrypoint: Path | None) -> None:
    """What LAUNCH names has the form its type takes, and exists as far as can be known."""
    launch = sheet.values.get("LAUNCH")
    if launch is None or sheet.type is None or sheet.type is PluginType.CORE:
        return
    if sheet.type is PluginType.EXTERNAL and isinstance(launch, str):
        wrong: str | None = f"an external plugin takes an argument list, no shell line: write {launch.split()!r}"
    else:
        wrong = _launch_problem(sheet, launch, entrypoint) if entrypoint else None
    if wrong:
        sheet.report("LAUNCH", f"LAUNCH = {launch if isinstance(launch, str) else list(launch)!r}: {wrong}")


def _launch_problem(sheet: Sheet, launch: str | tuple[str, ...], entrypoint: Path) -> str | None:
    target = filled(launch, sheet.root)
    builds = "REQUIREMENTS_COMMAND" in sheet.values
    if isinstance(target, str):
        elsewhere = builds or "REQUIREMENTS_FILE" in sheet.values or "PYTHONPATH" in sheet.values.get("ENV", {})
        return target_problem(target, sheet.root, entrypoint, elsewhere=elsewhere)
    # What is missing now may be what the command installs into the folder.
    return None if builds or target is None else program_problem(target, sheet.root, entrypoint)


def check_versions(sheet: Sheet, python: str) -> None:
    """The plugin wants the Python and the AIGIS it will get."""
    wanted = sheet.values.get("AIGIS_VERSION")
    if wanted is not None and not _fits(__version__, wanted):
        sheet.report(
            "AIGIS_VERSION", f"AIGIS_VERSION = {wanted!r}, but this is AIGIS {__version__}: install one that fits"
        )
    wanted = sheet.values.get("PYTHON")
    if wanted is None or _fits(python, wanted):
        return
    if sheet.type in {PluginType.CORE, PluginType.INTERNAL_LOCAL}:
        remedy = "make it internal-remote or external, which may bring a Python of their own, or run AIGIS on another"
        sheet.report("PYTHON", f"PYTHON = {wanted!r}, but core plugins run on Python {python} here: {remedy}")
    elif sheet.type is PluginType.INTERNAL_REMOTE and os.path.lexists(sheet.root / CORE_FILE):
        message = f"PYTHON = {wanted!r}, but its AIGIS.core runs on Python {python} here: keep that file working there"
        sheet.report("PYTHON", message, fatal=False)


def _fits(version: str, wanted: str) -> bool:
    # A version before the release counts as the release: it is what its users test for.
    return SpecifierSet(wanted).contains(Version(version).base_version, prereleases=True)


def check_dependencies(sheet: Sheet) -> None:
    """A plugin does not wait for itself."""
    if sheet.name in sheet.values.get("DEPENDENCIES", ()):
        sheet.report("DEPENDENCIES", f"DEPENDENCIES names the plugin {sheet.name!r} itself: remove it")


def notice_idle_keys(sheet: Sheet) -> None:
    """Say of each key that does nothing for this plugin."""
    idle = _idle_keys(sheet)
    for key in sheet.values:
        if idle.get(key):
            kind = sheet.values["PLUGIN_TYPE"]
            sheet.report(key, f"{key} has no effect on this {kind} plugin: remove it", fatal=False)
        elif key in FUTURE_KEYS:
            sheet.report(key, f"{key} has no effect in this version of AIGIS ({__version__})", fatal=False)
    for name in filter(is_moot, sheet.values.get("SYSTEM_REQUIREMENTS", ())):
        message = f"SYSTEM_REQUIREMENTS names {name!r}, which is not looked for: AIGIS installs without it"
        sheet.report("SYSTEM_REQUIREMENTS", message, fatal=False)


def _idle_keys(sheet: Sheet) -> Mapping[str, bool]:
    if sheet.type is None:
        return {}
    core = sheet.type is PluginType.CORE
    unplaced = core or sheet.type is PluginType.INTERNAL_LOCAL
    no_function = core or not isinstance(sheet.values.get("LAUNCH", ""), str)
    no_skills = sheet.type is PluginType.EXTERNAL or not (core or os.path.lexists(sheet.root / CORE_FILE))
    return {
        "HOST": unplaced and sheet.values.get("HOST") != "localhost",
        **dict.fromkeys(("LAUNCH", "RESTART", "GRACE", "ENV"), core),
        **dict.fromkeys(("ARGS", "KWARGS"), no_function),
        **dict.fromkeys(("SINGLE", "TIMEOUT", "RETRIES"), no_skills),
    }
