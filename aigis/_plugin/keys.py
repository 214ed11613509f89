"""The keys of a manifest: which there are, and of which type each is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from aigis._base.names import nearest, plugin_name_problem
from aigis._plugin.problem import shown

PLUGIN_TYPES: Mapping[str, str] = {
    "core": "core",
    "internal-local": "internal-local",
    "internal-remote": "internal-remote",
    "internal": "internal-remote",
    "external": "external",
}
"""What PLUGIN_TYPE may say, and the type that is meant."""

ALIASES: Mapping[str, str] = {
    "REQUIREMENT_COMMAND": "REQUIREMENTS_COMMAND",
    "REQUIREMENT_FILE": "REQUIREMENTS_FILE",
}
"""The predecessor's spelling → ours."""

FUTURE_KEYS = frozenset({"PERMISSIONS", "RESOURCES", "ISOLATION", "CONFIG", "READY"})
"""Keys that later versions obey; this one keeps their value and says that it does nothing."""


class UnfitError(ValueError):
    """A value does not fit its key; the text continues the sentence `KEY = value …`."""


@dataclass(frozen=True)
class Rule:
    """What a key takes: `wanted` completes "give …", `read` returns the typed value or raises UnfitError."""

    wanted: str
    read: Callable[[Any], object]


def read_value(key: str, value: object, rules: Mapping[str, Rule]) -> object:
    """Return the typed value of a key of `rules`; raises UnfitError with the whole sentence."""
    rule = rules[key]
    try:
        return rule.read(value)
    except UnfitError as error:
        raise UnfitError(f"{key} = {shown(value)} {error}; give {rule.wanted}") from None


_KINDS: Mapping[type, str] = {
    bool: "a truth value",
    int: "a whole number",
    float: "a number",
    str: "text",
    bytes: "bytes",
    list: "a list",
    tuple: "a tuple",
    dict: "a dict",
    set: "a set",
    type(None): "None",
    type(...): "an ellipsis",
}


def kind(value: object) -> str:
    """Return the type of a literal in words."""
    return _KINDS.get(type(value), f"of type {type(value).__name__}")


def _expect(value: object, *types: type) -> Any:
    # By identity: True is an int for isinstance.
    if type(value) not in types:
        raise UnfitError(f"is {kind(value)}")
    return value


def _text(value: object) -> str:
    text: str = _expect(value, str)
    if "\0" in text:
        raise UnfitError("has a NUL character in it")
    return text


def _word(value: object) -> str:
    text = _text(value)
    if not text.strip():
        raise UnfitError("is empty")
    return text


def _host(value: object) -> str:
    text = _word(value)
    if re.search(r"[\s/:]", text):
        raise UnfitError("is no host name")
    return text


def _plugin_type(value: object) -> str:
    text = _text(value)
    if text not in PLUGIN_TYPES:
        near = nearest(text.lower(), PLUGIN_TYPES)
        raise UnfitError(f"is no type, did you mean {near!r}?" if near else "is no type")
    return PLUGIN_TYPES[text]


def _whole(value: object) -> int:
    number: int = _expect(value, int)
    if number < 0:
        raise UnfitError("is too small")
    return number


def _seconds(value: object) -> float:
    number = _expect(value, int, float)
    if not 0 < number < math.inf:
        raise UnfitError("is out of range")
    return float(number)


def _flag(value: object) -> bool:
    flag: bool = _expect(value, bool)
    return flag


def _words(value: object) -> tuple[str, ...]:
    return tuple(_inside(_word, item) for item in _expect(value, list, tuple))


def _inside(read: Callable[[object], str], item: object) -> str:
    try:
        return read(item)
    except UnfitError as error:
        raise UnfitError(f"has the entry {shown(item)}, which {error}") from None


def _argv(value: object) -> tuple[str, ...]:
    items = _expect(value, list, tuple)
    if not items:
        raise UnfitError("is empty")
    return (_inside(_word, items[0]), *(_inside(_text, item) for item in items[1:]))


def _launch(value: object) -> str | tuple[str, ...]:
    return _word(value) if type(value) is str else _argv(value)


def _plugin_names(value: object) -> tuple[str, ...]:
    names = _words(value)
    for name in names:
        if plugin_name_problem(name):
            raise UnfitError(f"has the entry {name!r}, which is no plugin name")
    return tuple(dict.fromkeys(names))


def _folders(value: object) -> tuple[str, ...]:
    folders = _words(value)
    for folder in folders:
        if folder.startswith(("/", "{root}")) or ".." in folder.split("/") or not folder.strip("./"):
            raise UnfitError(f"has the entry {folder!r}, which is no folder below the plugin's root")
    return tuple(folder.rstrip("/") for folder in folders)


def _text_map(value: object) -> dict[str, str]:
    pairs = _expect(value, dict)
    return {_inside(_word, name): _inside(_text, text) for name, text in pairs.items()}


def _secrets(value: object) -> dict[str, str]:
    targets = _text_map(value)
    for name in targets:
        if "/" in name or "\\" in name or name in {".", ".."}:
            raise UnfitError(f"has the entry {name!r}, which is a path and no file name")
    return targets


def _env(value: object) -> dict[str, str]:
    variables = _text_map(value)
    for name in variables:
        if "=" in name:
            raise UnfitError(f"has the entry {name!r}, which is no name of a variable")
    return variables


def _arguments(value: object) -> tuple[object, ...]:
    items = _expect(value, list, tuple)
    for item in items:
        _expect_json(item)
    return tuple(items)


def _keywords(value: object) -> dict[str, object]:
    pairs: dict[str, object] = _expect(value, dict)
    _expect_json(pairs)
    return pairs


def _expect_json(value: object) -> None:
    """Arguments travel to the plugin's process as JSON."""
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                raise UnfitError(f"has the key {shown(key)}, which is {kind(key)} and not text")
            _expect_json(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _expect_json(item)
    elif value is not None and type(value) not in {bool, int, float, str}:
        raise UnfitError(f"holds {shown(value)}, which is {kind(value)}")
    elif type(value) is int and value.bit_length() > 1024:
        raise UnfitError("holds a number too large to travel")


def _range(value: object) -> str:
    text = _word(value)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise UnfitError("is no range of versions") from None
    return text


def _anything(value: object) -> object:
    return value


def _index(value: object) -> str:
    if _text(value) != "plugin":
        raise UnfitError("is unknown")
    return "plugin"


_WORDS = "a list of texts, such as ['ffmpeg', 'git']"
_JSON = "numbers, texts, truth values, None, and lists and dicts of them"

RULES: Mapping[str, Rule] = {
    "PLUGIN_TYPE": Rule("'core', 'internal-local', 'internal-remote' or 'external'", _plugin_type),
    "ENTRYPOINT": Rule("a folder of the plugin, such as '{root}' or '{root}/src'", _word),
    "HOST": Rule("the name of a host, such as 'localhost'", _host),
    "LAUNCH": Rule("'module', 'module:function', or a list such as ['./run', '--fast']", _launch),
    "ARGS": Rule(f"a list of {_JSON}", _arguments),
    "KWARGS": Rule(f"a dict with texts as keys of {_JSON}", _keywords),
    "RESTART": Rule("a whole number of restarts, 0 or more, such as 3", _whole),
    "RETRIES": Rule("a whole number, 0 or more, such as 3", _whole),
    "REQUIREMENTS_COMMAND": Rule("a command as text, such as 'pip install -r'", _word),
    "REQUIREMENTS_FILE": Rule("a file of the plugin, such as '{root}/requirements.txt'", _word),
    "SYSTEM_REQUIREMENTS": Rule(_WORDS, _words),
    "SECRETS": Rule("a dict of file name and target folder, such as {'token.txt': '{root}/secrets/'}", _secrets),
    "VERSION": Rule("a text in quotes, such as '1.0'", _text),
    "DESCRIPTION": Rule("a text in quotes", _text),
    "AUTHOR": Rule("a text in quotes", _text),
    "LICENSE": Rule("a text in quotes, such as 'MIT'", _text),
    "AIGIS_VERSION": Rule("a range such as '>=0.1'", _range),
    "PYTHON": Rule("a range such as '>=3.11,<4'", _range),
    "DEPENDENCIES": Rule("a list of plugin names, such as ['feeds']", _plugin_names),
    "ENV": Rule("a dict of texts, such as {'LANG': 'C.UTF-8'}", _env),
    "TIMEOUT": Rule("a number of seconds above 0, such as 30", _seconds),
    "GRACE": Rule("a number of seconds above 0, such as 10", _seconds),
    "SINGLE": Rule("True or False", _flag),
    "DATA": Rule("a list of folders below the plugin's root, such as ['state']", _folders),
    **{key: Rule("any value", _anything) for key in sorted(FUTURE_KEYS)},
}
"""Every key of AIGIS.config by its own spelling."""

OVERRIDE_RULES: Mapping[str, Rule] = {
    **RULES,
    "allow_taint": Rule("true or false", _flag),
    "index": Rule('"plugin", or leave it out', _index),
}
"""Every key of a table `[plugins.NAME]`."""
