"""Signatures of skills as Python writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aigis._base.messages import Skill

POSITIONAL_ONLY = "positional_only"
KEYWORD_ONLY = "keyword_only"
STARS = {"var_positional": "*", "var_keyword": "**"}
CALLABLE_KINDS = frozenset({"function", "class"})


def render_signature(parameters: Sequence[Mapping[str, Any]] | None) -> str:
    """Return `(source, limit=10)`; `(…)` when the signature is not known."""
    if parameters is None:
        return "(…)"
    parts: list[str] = []
    kinds = [parameter["kind"] for parameter in parameters]
    for place, parameter in enumerate(parameters):
        kind = parameter["kind"]
        if kind == KEYWORD_ONLY and not {KEYWORD_ONLY, "var_positional"} & set(kinds[:place]):
            parts.append("*")
        default = f"={parameter['default']}" if parameter.get("default") is not None else ""
        parts.append(f"{STARS.get(kind, '')}{parameter['name']}{default}")
        if kind == POSITIONAL_ONLY and kinds[place + 1 : place + 2] != [POSITIONAL_ONLY]:
            parts.append("/")
    return f"({', '.join(parts)})"


def render_skill(skill: Skill) -> str:
    """Return a skill as people write it in Python: `feeds.read(source, limit=10)`, `feeds.VERSION`."""
    return skill.path + (render_signature(skill.signature) if skill.kind in CALLABLE_KINDS else "")
