"""Numbers as people read them: durations, sizes, shares."""

from __future__ import annotations

NOTHING = "-"
"""Stands where there is no number."""


def duration(seconds: float | None) -> str:
    """Return a span of time in its two largest units: `5d 3h`, `2h 13m`, `3m 20s`, `12s`."""
    if seconds is None:
        return NOTHING
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
        if len(parts) == 2:
            break
    return " ".join(part for place, part in enumerate(parts) if place == 0 or not part.startswith("0"))


def size(count: int | None) -> str:
    """Return a number of bytes in a unit that keeps it short: `43 MiB`, `1.2 GiB`."""
    if count is None:
        return NOTHING
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1024
        units.pop(0)
    digits = 1 if value < 9.95 and units[0] not in ("B", "KiB") else 0
    return f"{value:.{digits}f} {units[0]}"


def percent(value: float | None) -> str:
    """Return a share of one processor: `0.4%`, `97%`."""
    if value is None:
        return NOTHING
    return f"{value:.1f}%" if value < 9.95 else f"{value:.0f}%"


def several(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 skill`, `3 skills`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(names: list[str]) -> str:
    """Return names as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
