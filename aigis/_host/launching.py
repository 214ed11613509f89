"""How each kind of child is launched: arguments, environment variables, directory."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from aigis._base.errors import PluginError
from aigis._base.settings import Settings
from aigis._host.child import LaunchSpec
from aigis._host.plugins import Plugin
from aigis._plugin.environment import Environment
from aigis._plugin.manifest import Manifest, PluginType

WORKER_GRACE = 15.0
"""Seconds a worker has to finish what it holds."""


def plugin_spec(plugin: Plugin, settings: Settings, environ: Mapping[str, str]) -> LaunchSpec:
    """Return how to launch an internal or external plugin that is ready."""
    manifest = plugin.manifest
    if manifest is None or manifest.launch is None:
        raise PluginError(f"plugin {plugin.name!r} has no LAUNCH; write one in its AIGIS.config")
    internal = manifest.type is not PluginType.EXTERNAL
    env = _internal_env(settings, environ) if internal else _without_own(environ)
    if internal:
        env["AIGIS_PLUGIN"] = plugin.name
    env = _with_programs({**env, **manifest.env}, plugin.environment)
    return LaunchSpec(
        name=plugin.name,
        argv=_argv(manifest, plugin.environment),
        env=env,
        cwd=_directory(manifest, settings),
        grace=manifest.grace,
        log_pipe=internal and isinstance(manifest.launch, str),
    )


def _directory(manifest: Manifest, settings: Settings) -> Path:
    """Return where the process starts: `python -m` imports from there first, before `_launch` enters the plugin."""
    return settings.home.state if isinstance(manifest.launch, str) else manifest.entrypoint


def worker_spec(number: int, settings: Settings, environment: Environment, environ: Mapping[str, str]) -> LaunchSpec:
    """Return how to launch a core worker; its name as a child is `aigis.worker-N`."""
    env = {**_internal_env(settings, environ), "AIGIS_WORKER": f"worker-{number}"}
    return LaunchSpec(
        name=worker_name(number),
        argv=(str(environment.python), "-P", "-m", "workers"),
        env=_with_programs(env, environment),
        cwd=settings.home.state,
        grace=WORKER_GRACE,
        log_pipe=True,
    )


def worker_name(number: int) -> str:
    """Return the name a worker has as a child and in the log."""
    return f"aigis.worker-{number}"


def _argv(manifest: Manifest, environment: Environment | None) -> tuple[str, ...]:
    if isinstance(manifest.launch, tuple):
        return manifest.launch
    python = str(environment.python) if environment else sys.executable
    details = {
        "plugin": manifest.name,
        "type": manifest.type.value,
        "root": str(manifest.root),
        "entrypoint": str(manifest.entrypoint),
        "launch": manifest.launch,
        "args": list(manifest.args),
        "kwargs": dict(manifest.kwargs),
    }
    return (python, "-m", "aigis._launch", json.dumps(details))


def _internal_env(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Where the home is; key and Redis are found in its files."""
    env = {**_without_own(environ), "AIGIS_HOME": str(settings.home.root), "AIGIS_HOST": settings.host}
    if "AIGIS_KEY" in environ:
        env["AIGIS_KEY"] = str(settings.home.key_file)
    return env


def _without_own(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("AIGIS_")}


def _with_programs(env: Mapping[str, str], environment: Environment | None) -> dict[str, str]:
    if environment is None:
        return dict(env)
    return {**env, "PATH": os.pathsep.join([str(environment.bin), env.get("PATH", os.defpath)])}
