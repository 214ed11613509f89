"""The manifest: what a plugin's folder declares about the plugin, read and never executed."""

from __future__ import annotations

import dataclasses
import enum
import os
import platform
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from aigis._base.names import nearest, plugin_name_problem
from aigis._plugin.config_file import Given, parse_config
from aigis._plugin.keys import ALIASES, FUTURE_KEYS, OVERRIDE_RULES, RULES, UnfitError, read_value
from aigis._plugin.launch import program_problem, target_problem
from aigis._plugin.problem import CONFIG_FILE, CORE_FILE, SETTINGS_FILE, Problem
from aigis._plugin.python_file import read_bytes
from aigis._plugin.skills_list import SkillsList, read_skills
from aigis._version import __version__

__all__ = [
    "Given",
    "Manifest",
    "PluginType",
    "Problem",
    "missing_system_requirements",
    "parse_config",
    "read_manifest",
    "read_skills",
    "read_type",
]

CONFIG_LIMIT = 256 * 1024
"""Bytes an AIGIS.config may have."""

CORE_LIMIT = 4 * 1024 * 1024
"""Bytes an AIGIS.core may have."""


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
            launch=_filled(template, root),
            requirements_file=self.requirements_file and root / self.requirements_file.relative_to(self.root),
            secrets={name: str(root / Path(target).relative_to(self.root)) for name, target in self.secrets.items()},
        )


def read_manifest(
    folder: Path, name: str, overrides: Mapping[str, Any] = {}, *, python: str | None = None
) -> tuple[Manifest | None, tuple[Problem, ...]]:
    """Read the manifest of the plugin `name` in `folder`, and all problems of it at once.

    The manifest is None when any problem is fatal. `overrides` is the table `[plugins.NAME]` of aigis.toml: its values
    replace those of AIGIS.config. `python` is the version core plugins will run on; default: the running one. Runs
    nothing of the plugin and never raises for what it holds.
    """
    sheet = _Sheet(Path(os.path.abspath(folder)), name)
    sheet.check_name()
    sheet.take_config()
    sheet.take_overrides(overrides)
    sheet.read_types()
    sheet.take_core()
    sheet.check(python or _running_python())
    return sheet.manifest(), tuple(sheet.problems)


def read_type(folder: Path, overrides: Mapping[str, Any] = {}) -> PluginType | None:
    """Return the type of a plugin whose manifest may be broken elsewhere, or None when that cannot be told."""
    sheet = _Sheet(Path(os.path.abspath(folder)), "")
    sheet.take_config()
    sheet.take_overrides(overrides)
    sheet.read_types()
    return sheet.type


def missing_system_requirements(
    manifest: Manifest, which: Callable[[str], str | None] = shutil.which
) -> tuple[str, ...]:
    """Return the executables of SYSTEM_REQUIREMENTS that are not on this host, but for those uv makes moot."""
    return tuple(name for name in manifest.system_requirements if not _is_moot(name) and which(name) is None)


def _is_moot(executable: str) -> bool:
    """Whether the environment that uv builds brings it, whatever the host has."""
    return re.fullmatch(r"(pip|python)[\d.]*", executable) is not None


def _running_python() -> str:
    # Without the `+` of a build between releases, which is no version for `packaging`.
    return platform.python_version().rstrip("+")


def _filled(launch: str | tuple[str, ...] | None, root: Path) -> str | tuple[str, ...] | None:
    if isinstance(launch, tuple):
        return tuple(_fill(item, root) for item in launch)
    return None if launch is None else _fill(launch, root)


def _fill(text: str, root: Path) -> str:
    # Not str.format: braces are ordinary characters in paths and arguments, and format reaches attributes.
    return text.replace("{root}", str(root))


def _within(root: Path, text: str) -> Path | None:
    """Return the path a text means, counted from `root`, or None when it leaves `root` by dots or by links."""
    path = Path(os.path.normpath(root / _fill(text, root)))
    real = Path(os.path.realpath(path))
    if path.is_relative_to(root) and real.is_relative_to(os.path.realpath(root)):
        return path
    return None


class _Sheet:
    """One manifest being read: what was given, what it means, and the problems found on the way."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.problems: list[Problem] = []
        self.given: dict[str, Given] = {}
        self.values: dict[str, Any] = {}
        """Typed values by key; a key whose value does not fit is absent."""
        self.paths: dict[str, Path] = {}
        self.secrets: dict[str, str] = {}
        self.has_core = False
        self.skills = SkillsList(None, ())

    @property
    def type(self) -> PluginType | None:
        found = self.values.get("PLUGIN_TYPE")
        return None if found is None else PluginType(found)

    def report(self, key: str, message: str, *, fatal: bool = True) -> None:
        """Add a problem at the place where `key` was given."""
        given = self.given.get(key)
        self.problems.append(
            Problem(given.file if given else CONFIG_FILE, given.line if given else None, message, fatal)
        )

    # Taking in.

    def check_name(self) -> None:
        wrong = plugin_name_problem(self.name)
        if wrong:
            self.problems.append(
                Problem(CONFIG_FILE, None, f"{wrong}; rename the plugin's folder, or its entry in aigis.toml")
            )

    def take_config(self) -> None:
        content = self._config_bytes()
        if isinstance(content, Problem):
            self.problems.append(content)
            return
        given, problems = parse_config(content)
        self.problems.extend(problems)
        for key, value in given.items():
            self._take(key, value)

    def _config_bytes(self) -> bytes | Problem:
        if not os.path.isdir(self.root):
            return Problem(CONFIG_FILE, None, f"{str(self.root)!r} is no folder: give the folder of a plugin")
        if not os.path.lexists(self.root / CONFIG_FILE):
            remedy = "create it with at least PLUGIN_TYPE and ENTRYPOINT"
            return Problem(CONFIG_FILE, None, f"{str(self.root)!r} is no plugin: it has no {CONFIG_FILE}; {remedy}")
        return read_bytes(self.root / CONFIG_FILE, CONFIG_FILE, CONFIG_LIMIT)

    def _take(self, written: str, value: Given) -> None:
        key = ALIASES.get(written, written)
        if key not in RULES:
            near = nearest(written.upper(), (*RULES, *ALIASES))
            hint = f"did you mean {near!r}?" if near else "it has no effect, remove it"
            self.problems.append(Problem(value.file, value.line, f"unknown key {written!r}: {hint}", fatal=False))
        elif key in self.given:
            first = self.given[key].line
            both = " and ".join(repr(name) for name in (*(old for old, new in ALIASES.items() if new == key), key))
            self.problems.append(
                Problem(value.file, value.line, f"{both} are one key, first given in line {first}: remove one")
            )
        else:
            self.given[key] = value

    def take_overrides(self, overrides: Mapping[str, Any]) -> None:
        for written, value in overrides.items():
            key = ALIASES.get(written, written)
            if key in OVERRIDE_RULES:
                self.given[key] = Given(value, SETTINGS_FILE, None)
                continue
            near = nearest(written.upper(), RULES) or nearest(written.lower(), OVERRIDE_RULES)
            hint = f"did you mean {near!r}?" if near else "it has no effect, remove it"
            message = f"[plugins.{self.name}] has the unknown key {written!r}: {hint}"
            self.problems.append(Problem(SETTINGS_FILE, None, message, fatal=False))

    def read_types(self) -> None:
        for key, given in self.given.items():
            if given.value is None:
                continue  # `KEY = None` says that the key is not given
            try:
                self.values[key] = read_value(key, given.value, OVERRIDE_RULES)
            except UnfitError as error:
                where = f"[plugins.{self.name}] " if given.file == SETTINGS_FILE else ""
                self.report(key, f"{where}{error}")

    def take_core(self) -> None:
        exists = os.path.lexists(self.root / CORE_FILE)
        if self.type is PluginType.EXTERNAL:
            if exists:
                remedy = "remove it, or make the plugin internal"
                self.problems.append(
                    Problem(CORE_FILE, None, f"an external plugin has no skills, so the file is ignored: {remedy}", False)
                )
            return
        if exists:
            content = read_bytes(self.root / CORE_FILE, CORE_FILE, CORE_LIMIT)
            self.has_core = True
            self.skills = SkillsList(None, (), (content,)) if isinstance(content, Problem) else read_skills(content)
            self.problems.extend(self.skills.problems)
        elif self.type is PluginType.CORE:
            remedy = "create it with a list SKILLS, or choose another PLUGIN_TYPE"
            self.problems.append(Problem(CORE_FILE, None, f"a core plugin needs the file {CORE_FILE}: {remedy}"))

    # Judging.

    def check(self, python: str) -> None:
        if CONFIG_FILE in {problem.file for problem in self.problems if problem.fatal} and not self.given:
            return  # nothing could be read, so nothing else is worth saying
        self._check_required()
        self._check_paths()
        self._check_launch()
        self._check_versions(python)
        self._check_dependencies()
        self._check_effect()

    def _check_required(self) -> None:
        for key, example in (("PLUGIN_TYPE", "'core'"), ("ENTRYPOINT", "'{root}'")):
            self._require(key, f"write {key} = {example}, for example")
        if self.type is PluginType.EXTERNAL:
            self._require("LAUNCH", "write LAUNCH = ['./run'], for example")
        elif self.type is not None and self.type.internal:
            self._require("LAUNCH", "name the module that has launch(), such as LAUNCH = 'main'")

    def _require(self, key: str, remedy: str) -> None:
        if key not in self.given or self.given[key].value is None:
            self.report(key, f"{key!r} is missing: {remedy}")

    def _check_paths(self) -> None:
        for key, exists, what in (
            ("ENTRYPOINT", os.path.isdir, "folder"),
            ("REQUIREMENTS_FILE", os.path.isfile, "file"),
        ):
            if key in self.values:
                self._check_path(key, exists, what)
        for name, target in self.values.get("SECRETS", {}).items():
            self._check_secret(name, target)

    def _check_path(self, key: str, exists: Callable[[Path], bool], what: str) -> None:
        text = self.values[key]
        path = _within(self.root, text)
        if path is None:
            self.report(key, f"{key} = {text!r} lies outside the plugin: name a {what} in {{root}}")
        elif not exists(path):
            self.report(key, f"{key} = {text!r} is no {what}: create it, or correct the path")
        else:
            self.paths[key] = path

    def _check_secret(self, name: str, target: str) -> None:
        path = _within(self.root, target)
        if path is None:
            self.report("SECRETS", f"SECRETS: {name!r} would go to {target!r}, outside the plugin: name a folder in {{root}}")
        elif os.path.lexists(path) and not os.path.isdir(path):
            self.report("SECRETS", f"SECRETS: {name!r} would go to {target!r}, which is a file: name a folder")
        else:
            self.secrets[name] = str(path)

    def _check_launch(self) -> None:
        launch = _filled(self.values.get("LAUNCH"), self.root)
        if launch is None or self.type is None or self.type is PluginType.CORE:
            return
        if self.type is PluginType.EXTERNAL and isinstance(launch, str):
            remedy = f"such as LAUNCH = {self.values['LAUNCH'].split()!r}"
            self.report("LAUNCH", f"LAUNCH = {launch!r} is text: an external plugin takes an argument list, {remedy}")
            return
        entrypoint = self.paths.get("ENTRYPOINT")
        if entrypoint is None:
            return
        wrong = self._launch_problem(launch, entrypoint)
        if wrong:
            self.report("LAUNCH", f"LAUNCH = {self.values['LAUNCH']!r}: {wrong}")

    def _launch_problem(self, launch: str | tuple[str, ...], entrypoint: Path) -> str | None:
        builds = "REQUIREMENTS_COMMAND" in self.values
        if isinstance(launch, str):
            elsewhere = builds or "REQUIREMENTS_FILE" in self.values or "PYTHONPATH" in self.values.get("ENV", {})
            return target_problem(launch, entrypoint, elsewhere=elsewhere)
        # What is not there yet may be what the command installs into the folder.
        return None if builds else program_problem(launch, self.root, entrypoint)

    def _check_versions(self, python: str) -> None:
        wanted = self.values.get("PYTHON")
        if wanted is not None and not SpecifierSet(wanted).contains(python, prereleases=True):
            self._report_python(wanted, python)
        wanted = self.values.get("AIGIS_VERSION")
        if wanted is not None and not SpecifierSet(wanted).contains(Version(__version__).base_version, prereleases=True):
            self.report(
                "AIGIS_VERSION", f"AIGIS_VERSION = {wanted!r}, but this is AIGIS {__version__}: install one that fits"
            )

    def _report_python(self, wanted: str, python: str) -> None:
        if self.type in {PluginType.CORE, PluginType.INTERNAL_LOCAL}:
            remedy = "make it internal-remote or external, which bring a Python of their own, or start AIGIS with another"
            self.report("PYTHON", f"PYTHON = {wanted!r}, but core plugins run on Python {python} here: {remedy}")
        elif self.has_core:
            message = f"PYTHON = {wanted!r}, but its AIGIS.core runs on Python {python} here: keep that file working there"
            self.report("PYTHON", message, fatal=False)

    def _check_dependencies(self) -> None:
        if self.name in self.values.get("DEPENDENCIES", ()):
            self.report("DEPENDENCIES", f"DEPENDENCIES names the plugin {self.name!r} itself: remove it")

    def _check_effect(self) -> None:
        """Say of each key that does nothing for this plugin."""
        core, kind = self.type is PluginType.CORE, self.values.get("PLUGIN_TYPE")
        idle = {key: core for key in ("LAUNCH", "ARGS", "KWARGS", "RESTART", "GRACE", "ENV")}
        idle["ARGS"] = idle["KWARGS"] = core or not isinstance(self.values.get("LAUNCH", ""), str)
        idle["HOST"] = core or (self.type is PluginType.INTERNAL_LOCAL and self.values.get("HOST") != "localhost")
        idle["SINGLE"] = idle["TIMEOUT"] = idle["RETRIES"] = self.type is not None and not (core or self.has_core)
        for key in (key for key in self.values if idle.get(key)):
            self.report(key, f"{key} has no effect on this {kind} plugin: remove it", fatal=False)
        for key in (key for key in self.values if key in FUTURE_KEYS):
            self.report(key, f"{key} has no effect in this version of AIGIS ({__version__})", fatal=False)
        for name in filter(_is_moot, self.values.get("SYSTEM_REQUIREMENTS", ())):
            message = f"SYSTEM_REQUIREMENTS names {name!r}, which is not looked for: AIGIS installs without it"
            self.report("SYSTEM_REQUIREMENTS", message, fatal=False)

    def manifest(self) -> Manifest | None:
        if any(problem.fatal for problem in self.problems) or self.type is None:
            return None
        launch = None if self.type is PluginType.CORE else self.values.get("LAUNCH")
        runs_elsewhere = self.type in {PluginType.INTERNAL_REMOTE, PluginType.EXTERNAL}
        return Manifest(
            name=self.name,
            root=self.root,
            type=self.type,
            host=self.values.get("HOST", "localhost") if runs_elsewhere else "localhost",
            entrypoint=self.paths["ENTRYPOINT"],
            launch=_filled(launch, self.root),
            launch_template=launch,
            requirements_file=self.paths.get("REQUIREMENTS_FILE"),
            secrets=self.secrets,
            future={key: self.values[key] for key in sorted(FUTURE_KEYS & self.values.keys())},
            has_core=self.has_core,
            skills=self.skills.names,
            branches=self.skills.branches,
            **{field: self.values[key] for key, field in _PLAIN_FIELDS.items() if key in self.values},
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
