"""Words of a command line as values, and values as one line of text."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from aigis._cli.exits import UsageError

EXACT = (type(None), bool, int, str)


def parse_word(word: str) -> Any:
    """Return what a word stands for: the value of its JSON, else the word itself.

    Numbers JSON does not know, such as 007 and NaN, and those a float cannot hold, stay words.
    """
    try:
        return json.loads(word, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return word


def parse_list(text: str, option: str) -> list[Any]:
    """Return the JSON list given with `option`, or raise UsageError."""
    value = _parse(text, option)
    if not isinstance(value, list):
        raise UsageError(f"{option} is {text!r}: give a JSON list, such as {option} '[1, \"two\"]'")
    return value


def parse_object(text: str, option: str) -> dict[str, Any]:
    """Return the JSON object given with `option`, or raise UsageError."""
    value = _parse(text, option)
    if not isinstance(value, dict):
        raise UsageError(f"{option} is {text!r}: give a JSON object, such as {option} '{{\"limit\": 3}}'")
    return value


def _parse(text: str, option: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option} is {text!r}, which is not JSON: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large")
    return value


def show_value(value: Any) -> str:
    """Return a value as one line of JSON when JSON holds it exactly, else as Python shows it."""
    try:
        exact = _is_exact(value)
    except RecursionError:
        exact = False
    if not exact:
        return repr(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if _encodable(text) else json.dumps(value)


def _is_exact(value: Any) -> bool:
    """Tell whether reading the JSON gives the same value again (a tuple may come back as a list)."""
    kind = type(value)
    if kind in EXACT:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind in (list, tuple):
        return all(map(_is_exact, value))
    if kind is dict:
        return all(type(key) is str and _is_exact(item) for key, item in value.items())
    return False


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
