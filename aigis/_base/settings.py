"""What the operator decides: one frozen object, built once from `aigis.toml` and the environment variables."""

from __future__ import annotations

import dataclasses
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aigis._base.errors import SettingsError
from aigis._base.home import Home, find_home
from aigis._base.names import nearest

TYPE_TABLES = ("core", "internal", "external")
"""Tables of `aigis.toml` that list plugins as `name = "source"`."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an entry point hands down; no other module reads environment variables or `aigis.toml`."""

    home: Home
    host: str
    """This host's name: AIGIS_HOST, `[aigis] host`, else the machine's name."""
    redis_url: str | None = None
    """AIGIS_REDIS or `[aigis] redis`; None means the embedded server."""
    workers: int = 1
    """Core workers on this host."""
    threads: int = 8
    """Calls a core worker runs at the same time."""
    deadline: float = 300.0
    """Seconds a call may take where neither the caller nor the plugin says otherwise."""
    import_timeout: float = 60.0
    """Seconds the import of a core plugin may take."""
    sources: tuple[tuple[str, str], ...] = ()
    """(plugin name, source) from the tables `[core]`, `[internal]`, `[external]`, in that order."""
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Tables `[plugins.NAME]`: manifest keys, `allow_taint` and `index`."""


_AIGIS_KEYS: dict[str, tuple[type, ...]] = {
    "host": (str,),
    "redis": (str,),
    "workers": (int,),
    "threads": (int,),
    "deadline": (int, float),
    "import_timeout": (int, float),
}


def read_settings(environ: Mapping[str, str], directory: Path) -> Settings:
    """Find the home and build its settings.

    Raises HomeNotFound, or SettingsError naming the file, the key, its value and the remedy.
    """
    home = find_home(environ, directory)
    document = _read_document(home.settings_file)
    own = _own_table(document.get("aigis", {}), home.settings_file)
    settings = Settings(
        home=home,
        host=environ.get("AIGIS_HOST") or own.pop("host", "") or socket.gethostname().split(".")[0] or "localhost",
        redis_url=environ.get("AIGIS_REDIS") or own.pop("redis", None),
        sources=_sources(document, home.settings_file),
        overrides=_overrides(document.get("plugins", {}), home.settings_file),
    )
    own.pop("redis", None)
    own.pop("host", None)
    return dataclasses.replace(settings, **own)


def _read_document(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not readable as TOML: {error}; correct that line") from error


def _own_table(table: object, file: Path) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: 'aigis' is {table!r}; write it as a table, [aigis]")
    for key, value in table.items():
        kinds = _AIGIS_KEYS.get(key)
        if kinds is None:
            near = nearest(key, _AIGIS_KEYS)
            hint = f"; did you mean {near!r}?" if near else f"; known keys: {', '.join(_AIGIS_KEYS)}"
            raise SettingsError(f"{file}: [aigis] has no key {key!r}{hint}")
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise SettingsError(f"{file}: [aigis] {key} = {value!r} is not of type {kinds[0].__name__}")
        if isinstance(value, (int, float)) and not value >= (0 if key == "workers" else 1):  # nan is no more than 1
            raise SettingsError(f"{file}: [aigis] {key} = {value!r} is too small")
    return dict(table)


def _sources(document: Mapping[str, Any], file: Path) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for table_name in TYPE_TABLES:
        table = document.get(table_name, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: {table_name!r} is {table!r}; write it as a table, [{table_name}]")
        for name, source in table.items():
            if not isinstance(source, str) or not source:
                raise SettingsError(f"{file}: [{table_name}] {name} = {source!r}: give a path or a git URL as a string")
            if name in found:
                raise SettingsError(f"{file}: plugin {name!r} is listed twice; remove one")
            found[name] = source
    return tuple(found.items())


def _overrides(table: object, file: Path) -> dict[str, dict[str, Any]]:
    if not isinstance(table, dict) or not all(isinstance(value, dict) for value in table.values()):
        raise SettingsError(f"{file}: 'plugins' must hold one table per plugin, such as [plugins.feeds]")
    return table
