"""The rules for names of plugins and skills."""

from __future__ import annotations

import difflib
import keyword
import re
from typing import Iterable, Optional

PLUGIN_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
RESERVED_SEGMENTS = frozenset({"calls", "cleanup"})
"""First segments no skill may have: `aigis.calls` is AIGIS's own, `cleanup` is a plugin's hook."""


def plugin_name_problem(name: str) -> Optional[str]:
    """Say what is wrong with a plugin's name, or None."""
    if PLUGIN_NAME.fullmatch(name):
        return None
    return (
        f"plugin name {name!r} is not allowed: use lower-case letters, digits, '-' and '_', starting with a letter "
        "or digit, 63 characters at most"
    )


def skill_path_problem(path: object) -> Optional[str]:
    """Say what is wrong with the dotted name of a skill, or None."""
    if not isinstance(path, str) or not path:
        return f"skill {path!r} is not a dotted name: write it as a string such as 'dice.roll'"
    segments = path.split(".")
    for segment in segments:
        if not segment.isidentifier() or keyword.iskeyword(segment):
            return f"skill {path!r} is not a dotted name: {segment!r} is no Python identifier"
        if not segment.isascii():
            return f"skill {path!r}: {segment!r} has characters outside ASCII; rename it"
    first = segments[0]
    if first.startswith("_") or first[0].isupper():
        return f"skill {path!r}: the first segment may not start with '_' or a capital (those names belong to AIGIS)"
    if first in RESERVED_SEGMENTS and path != "cleanup":
        return f"skill {path!r}: the name {first!r} belongs to AIGIS; choose another first segment"
    return None


def nearest(name: str, known: Iterable[str]) -> Optional[str]:
    """Return the known name most like `name`, or None when none is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


PRIVATE_MODULES = "aigis_plugins."
"""Before the true module names of core plugins' own modules, so that two plugins may both have a `src`."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that names the known name most like `name`; empty when none is close."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""
