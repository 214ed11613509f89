"""The other ways to call a skill: `aigis.calls.value("x.Y")` reads a value anywhere, the same line in every process."""

from aigis import _proxy


def value(path: str) -> object:
    """Return the object at a dotted path, uncalled.

    `path` is written without `aigis.` in front, such as `"dice.SIDES"`. Raises SkillNotFound for a path that does not
    exist and NotPicklable for an object that cannot travel.
    """
    return _proxy.call(path, value_only=True)
