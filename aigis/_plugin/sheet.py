"""A manifest in the making: what was given for each key, its typed value, and the problems found on the way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aigis._base.names import nearest
from aigis._plugin.config_file import UNREAD, Given, parse_config
from aigis._plugin.keys import ALIASES, OVERRIDE_RULES, RULES, UnfitError, read_value
from aigis._plugin.model import PluginType
from aigis._plugin.problem import CONFIG_FILE, SETTINGS_FILE, Problem
from aigis._plugin.python_file import read_bytes

CONFIG_LIMIT = 256 * 1024
"""Bytes an AIGIS.config may have."""


class Sheet:
    """Filled by `read_sheet`, judged by `aigis._plugin.rules`; only `problems` grows afterwards."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.problems: list[Problem] = []
        self.readable = True
        """False when there is no file or no syntax tree: then nothing else is worth saying."""
        self.given: dict[str, Given] = {}
        """Every known key by our spelling."""
        self.values: dict[str, Any] = {}
        """Typed values by key; a key whose value does not fit is absent."""

    @property
    def type(self) -> PluginType | None:
        """The plugin's type, or None when it is missing or unknown."""
        found = self.values.get("PLUGIN_TYPE")
        return None if found is None else PluginType(found)

    def report(self, key: str, message: str, *, fatal: bool = True) -> None:
        """Add a problem at the place where `key` was given."""
        place = self.given.get(key, Given(None, CONFIG_FILE, None))
        where = f"[plugins.{self.name}] " if place.file == SETTINGS_FILE else ""
        self.problems.append(Problem(place.file, place.line, where + message, fatal))

    def lacks(self, key: str) -> bool:
        """Whether nobody gave the key a value, not even one that does not fit."""
        return key not in self.given or self.given[key].value is None


def read_sheet(root: Path, name: str, overrides: Mapping[str, Any]) -> Sheet:
    """Read AIGIS.config, lay the operator's values over it, and give each value its type."""
    sheet = Sheet(root, name)
    _take_config(sheet)
    _take_overrides(sheet, overrides)
    _read_types(sheet)
    return sheet


def _take_config(sheet: Sheet) -> None:
    content = _config_bytes(sheet.root)
    given, problems = ({}, (content,)) if isinstance(content, Problem) else parse_config(content)
    sheet.problems.extend(problems)
    sheet.readable = bool(given) or not problems
    for written, value in given.items():
        _take(sheet, written, value)


def _config_bytes(root: Path) -> bytes | Problem:
    if not os.path.isdir(root):
        return Problem(CONFIG_FILE, None, f"{str(root)!r} is no folder: give the folder of a plugin")
    if not os.path.lexists(root / CONFIG_FILE):
        remedy = "create it with at least PLUGIN_TYPE and ENTRYPOINT"
        return Problem(CONFIG_FILE, None, f"{str(root)!r} is no plugin: it has no {CONFIG_FILE}; {remedy}")
    return read_bytes(root / CONFIG_FILE, CONFIG_FILE, CONFIG_LIMIT)


def _take(sheet: Sheet, written: str, value: Given) -> None:
    key = ALIASES.get(written, written)
    if key not in RULES:
        message = f"unknown key {written!r}: {_hint(nearest(written.upper(), (*RULES, *ALIASES)))}"
        sheet.problems.append(Problem(value.file, value.line, message, fatal=False))
    elif key in sheet.given:
        line = sheet.given[key].line
        message = f"{written!r} is {key!r} in another spelling, which line {line} gives already: remove one"
        sheet.problems.append(Problem(value.file, value.line, message))
    else:
        sheet.given[key] = value


def _take_overrides(sheet: Sheet, overrides: Mapping[str, Any]) -> None:
    for written, value in overrides.items():
        key = ALIASES.get(written, written)
        if key in OVERRIDE_RULES:
            sheet.given[key] = Given(value, SETTINGS_FILE, None)
            continue
        near = nearest(written.upper(), RULES) or nearest(written.lower(), OVERRIDE_RULES)
        message = f"[plugins.{sheet.name}] has the unknown key {written!r}: {_hint(near)}"
        sheet.problems.append(Problem(SETTINGS_FILE, None, message, fatal=False))


def _hint(near: str | None) -> str:
    return f"did you mean {near!r}?" if near else "it has no effect, remove it"


def _read_types(sheet: Sheet) -> None:
    for key, given in sheet.given.items():
        if given.value is None or given.value is UNREAD:
            continue  # `KEY = None` says that the key is not given
        try:
            sheet.values[key] = read_value(key, given.value, OVERRIDE_RULES)
        except UnfitError as error:
            sheet.report(key, str(error))
