"""The steps that make a declared plugin ready to run; each fails with a PluginError that says in which `phase`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from aigis._base.errors import PluginError
from aigis._base.settings import Settings
from aigis._plugin import secrets, sources
from aigis._plugin.discover import Declared
from aigis._plugin.environment import Builder, Environment, Recipe, own_environment, own_packages
from aigis._plugin.installer import BuildFailed
from aigis._plugin.manifest import Manifest, PluginType, missing_system_requirements, read_manifest
from aigis._plugin.requirements import Needs, own_pins, proxy_pins, read_needs, uses_python


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plugin whose files, manifest and secrets are in place."""

    name: str
    version: str
    manifest: Manifest
    """Of the runtime folder."""
    needs: Needs
    notices: tuple[str, ...] = ()


def prepare(declared: Declared, settings: Settings, *, path: str) -> Prepared:
    """Bring the plugin's files, secrets and DATA folders into its runtime folder, and make that version current.

    `path` is the PATH its system requirements are looked for on. Raises PluginError with the attribute `phase`:
    'source', 'manifest', 'system', 'secrets' or 'requirements'. Safe to run for several plugins at once.
    """
    manifest, notices = _read(declared)
    _check_system(manifest, path)
    folder = sources.fetch(declared, settings.home)
    manifest = manifest.at(folder.path)
    sources.link_data(folder.path, manifest.name, manifest.data, settings.home)
    secrets.place(manifest, settings.home.secrets / manifest.name, data=settings.home.data / manifest.name)
    needs = read_needs(manifest, settings.home.environments)
    sources.settle(folder)
    return Prepared(
        name=manifest.name,
        version=folder.version,
        manifest=manifest,
        needs=needs,
        notices=(*declared.notices, *notices, *folder.notices, *needs.notices),
    )


def prepare_core_environment(
    plugins: Sequence[Prepared], builder: Builder, *, pins: Sequence[str] | None = None
) -> tuple[Environment, dict[str, str]]:
    """Return the environment of the core workers and internal-local plugins, and which plugins are left out and why.

    `plugins` are all plugins in load order; those that do not run there are passed over. `pins` default to AIGIS's own
    versions. Raises BuildStopped.
    """
    sharing = [plugin for plugin in plugins if uses_core(plugin.manifest)]
    environment, left_out = builder.ensure_core(
        [plugin.needs for plugin in sharing],
        own_pins() if pins is None and any(_has_needs(plugin) for plugin in sharing) else pins or (),
        own_packages("aigis", "workers"),
    )
    for plugin in sharing:
        if plugin.name not in left_out:
            try:
                builder.run_command(plugin.needs, environment)
            except PluginError as error:
                left_out[plugin.name] = str(error)
    return environment, left_out


def prepare_environment(plugin: Prepared, core: Environment, builder: Builder) -> Environment | None:
    """Return the environment of the plugin's own process; None for a program that needs none.

    Raises PluginError (phase 'environment' or 'requirements') with the installer's last lines, and BuildStopped.
    """
    if plugin.manifest.type in {PluginType.CORE, PluginType.INTERNAL_LOCAL}:
        return core
    environment = _own(plugin, builder)
    builder.run_command(plugin.needs, environment)
    return environment


def uses_core(manifest: Manifest) -> bool:
    """Return whether code of the plugin runs in the core environment."""
    return manifest.has_core or manifest.type in {PluginType.CORE, PluginType.INTERNAL_LOCAL}


def own_recipe(plugin: Prepared) -> Recipe | None:
    """Return what the plugin's own environment is made from; None when it needs none."""
    manifest, needs = plugin.manifest, plugin.needs
    internal = manifest.type is PluginType.INTERNAL_REMOTE
    if not needs.lines and not uses_python(manifest.launch) and not (internal and needs.command):
        return None
    fits = manifest.python is None or SpecifierSet(manifest.python).contains(_running(), prereleases=True)
    lines: Mapping[str, Sequence[str]] = {plugin.name: needs.lines}
    return Recipe(
        python=sys.executable if fits else manifest.python or "",
        lines={"aigis": proxy_pins(fits), **lines} if internal else lines,
        packages=own_packages("aigis") if internal else {},
    )


def _read(declared: Declared) -> tuple[Manifest, tuple[str, ...]]:
    manifest, problems = read_manifest(sources.locate(declared), declared.name, declared.overrides)
    if manifest is None:
        raise PluginError("\n".join(str(problem) for problem in problems if problem.fatal), phase="manifest")
    return manifest, tuple(str(problem) for problem in problems)


def _check_system(manifest: Manifest, path: str) -> None:
    missing = missing_system_requirements(manifest, which=lambda program: shutil.which(program, path=path))
    if missing:
        raise PluginError(
            f"plugin {manifest.name!r} needs on this host: {', '.join(missing)}; install "
            f"{'it' if len(missing) == 1 else 'them'}, or correct SYSTEM_REQUIREMENTS",
            phase="system",
        )


def _own(plugin: Prepared, builder: Builder) -> Environment | None:
    recipe = own_recipe(plugin)
    if recipe is None:
        return own_environment() if plugin.manifest.type is PluginType.INTERNAL_REMOTE else None
    try:
        return builder.ensure(recipe)
    except BuildFailed as error:
        raise PluginError(f"environment of plugin {plugin.name!r}: {error}", phase="environment") from error


def _has_needs(plugin: Prepared) -> bool:
    return bool(plugin.needs.lines or plugin.needs.command)


def _running() -> str:
    return ".".join(map(str, sys.version_info[:3]))
