"""What an executed AIGIS.core exposes: the names in its SKILLS list and the objects they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from aigis._base.names import nearest, skill_path_problem
from aigis._plugin.describe import public_names

HOOK = "cleanup"
"""A plugin's hook, which may stand in SKILLS and is no skill."""


class Unusable(Exception):
    """The plugin cannot be used; `phase` tells in which step that showed."""

    def __init__(self, phase: str, reason: str) -> None:
        super().__init__(reason)
        self.phase = phase


@dataclass(frozen=True)
class Listed:
    """The names in SKILLS, each once, in their order."""

    names: tuple[str, ...]
    notices: tuple[str, ...] = ()


def read_listed(core: Mapping[str, Any]) -> Listed:
    """Return the names listed in AIGIS.core's own global SKILLS; raises Unusable."""
    if "SKILLS" not in core:
        remedy = "list the names to expose, such as SKILLS = ['dice.roll']"
        raise Unusable("skills", f"AIGIS.core has no 'SKILLS': {remedy}")
    skills = core["SKILLS"]
    if not isinstance(skills, (list, tuple)):
        remedy = "write a list of names, such as SKILLS = ['dice.roll']"
        raise Unusable("skills", f"'SKILLS' in AIGIS.core is of type {type(skills).__name__}: {remedy}")
    for name in skills:
        problem = skill_path_problem(name)
        if problem:
            raise Unusable("skills", f"'SKILLS' in AIGIS.core: {problem}")
    names = tuple(dict.fromkeys(str(name) for name in skills if name != HOOK))
    return Listed(names, tuple(_notices(list(skills), names)))


def _notices(skills: list[str], names: tuple[str, ...]) -> list[str]:
    twice = sorted({name for name in skills if skills.count(name) > 1})
    below = [name for name in names if any(is_below(name, other) for other in names)]
    return [
        *(f"skill {name!r} is listed twice in SKILLS: remove one" for name in twice),
        *(f"skill {name!r} is listed in SKILLS, and so is what it lies below: remove one" for name in below),
        *(() if names else ("SKILLS is empty: nothing of this plugin can be called",)),
    ]


def is_below(path: str, other: str) -> bool:
    """Whether a dotted name lies below another one."""
    return path.startswith(f"{other}.")


def look_up(core: Mapping[str, Any], path: str) -> Any:
    """Return the object at an attribute path, starting from AIGIS.core's globals; raises Unusable naming the near one.

    Exceptions other than AttributeError that an attribute raises on access pass through.
    """
    first, *rest = path.split(".")
    if first not in core:
        raise Unusable("names", _unknown(path, "AIGIS.core", first, tuple(core)))
    found, above = core[first], first
    for name in rest:
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Unusable("names", _unknown(path, repr(above), name, public_names(found))) from None
        above = f"{above}.{name}"
    return found


def _unknown(path: str, holder: str, name: str, known: tuple[str, ...]) -> str:
    near: Optional[str] = nearest(name, known)
    remedy = f"did you mean {near!r}?" if near else "define it, or remove the name from SKILLS"
    return f"SKILLS names {path!r}, but {holder} has no {name!r}; {remedy}"
