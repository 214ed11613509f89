"""Which plugins a home declares, and where their files come from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aigis._base.home import Home
from aigis._base.names import nearest, plugin_name_problem
from aigis._base.settings import Settings

BUNDLED = "bundled:"
"""Prefix of a source that ships with AIGIS."""

_URL = re.compile(r"(git\+)?[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One plugin this home declares; whether its files are any good shows later."""

    name: str
    source: Path | str
    """An absolute folder, or the address of a git repository as text."""
    declared_by: str
    """Where it was declared, for messages: a file or a folder."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """The table `[plugins.NAME]`."""
    problem: str | None = None
    """Why it cannot be prepared at all, or None."""
    notices: tuple[str, ...] = ()


def discover(settings: Settings) -> tuple[Declared, ...]:
    """Return the plugins of `aigis.toml` in its order, then those of the folders in `plugins/` by name.

    Never raises for bad content: a declaration that makes no sense carries its `problem`. Of two with the same name
    the first wins, with a notice naming the other.
    """
    found: dict[str, Declared] = {}
    for declared in (*_listed(settings), *_folders(settings)):
        first = found.get(declared.name)
        found[declared.name] = declared if first is None else _keep_first(first, declared)
    return tuple(found.values())


def bundled_folder(name: str) -> Path | None:
    """Return the folder of a plugin that ships with AIGIS: in the package, or in the checkout beside it."""
    return next((folder / name for folder in _bundled_shelves() if _is_plugin(folder / name)), None)


def _listed(settings: Settings) -> Iterator[Declared]:
    for name, source in settings.sources:
        where, problem = _resolve(source, settings.home)
        yield Declared(
            name=name,
            source=where,
            declared_by=str(settings.home.settings_file),
            overrides=settings.overrides.get(name, {}),
            problem=plugin_name_problem(name) or problem,
        )


def _folders(settings: Settings) -> Iterator[Declared]:
    for folder in _plugins_in(settings.home.plugins):
        yield Declared(
            name=folder.name,
            source=folder,
            declared_by=str(folder),
            overrides=settings.overrides.get(folder.name, {}),
            problem=plugin_name_problem(folder.name),
        )


def _resolve(source: str, home: Home) -> tuple[Path | str, str | None]:
    if source.startswith(BUNDLED):
        return _resolve_bundled(source)
    folder = home.root / os.path.expanduser(source)
    if _URL.match(source) or (source.endswith(".git") and not folder.is_dir()):
        return source, None
    return Path(os.path.normpath(folder)), None


def _resolve_bundled(source: str) -> tuple[Path | str, str | None]:
    name = source.removeprefix(BUNDLED)
    folder = None if plugin_name_problem(name) else bundled_folder(name)
    if folder is not None:
        return folder, None
    known = sorted(plugin.name for shelf in _bundled_shelves() for plugin in _plugins_in(shelf))
    near = nearest(name, known)
    hint = f"did you mean {BUNDLED + near!r}?" if near else f"bundled are: {', '.join(known) or 'none'}"
    return source, f"source {source!r}: no plugin {name!r} comes with AIGIS; {hint}"


def _bundled_shelves() -> tuple[Path, Path]:
    package = Path(os.path.abspath(__file__)).parent.parent
    return package / "_bundled", package.parent / "plugins"


def _plugins_in(shelf: Path) -> list[Path]:
    if not shelf.is_dir():
        return []
    return sorted((folder for folder in shelf.iterdir() if _is_plugin(folder)), key=lambda folder: folder.name)


def _is_plugin(folder: Path) -> bool:
    return not folder.name.startswith(".") and (folder / "AIGIS").is_dir()


def _keep_first(first: Declared, second: Declared) -> Declared:
    if _same_folder(first.source, second.source):
        return first
    notice = (
        f"plugin {first.name!r} is declared twice: {str(first.source)!r} ({first.declared_by}) runs, "
        f"{str(second.source)!r} is ignored; rename or remove one"
    )
    return replace(first, notices=(*first.notices, notice))


def _same_folder(one: Path | str, other: Path | str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
