"""What reading a plugin found: one sentence with the place it speaks of."""

from __future__ import annotations

from dataclasses import dataclass

CONFIG_FILE = "AIGIS/AIGIS.config"
CORE_FILE = "AIGIS/AIGIS.core"
SETTINGS_FILE = "aigis.toml"


@dataclass(frozen=True)
class Problem:
    """A fault of a plugin, or a notice about it.

    `file` is relative to the plugin's folder, or `aigis.toml` for what the operator overrides; `line` counts from 1,
    None where no single line is at fault. `message` says what, with its value, and the remedy. A notice (`fatal` is
    False) leaves the plugin usable.
    """

    file: str
    line: int | None
    message: str
    fatal: bool = True

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


def shown(value: object, limit: int = 80) -> str:
    """Return `repr(value)`, cut at `limit` characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # integers of thousands of digits refuse to become text
        return "a value too large to show"
    return text if len(text) <= limit else text[: limit - 1] + "…"
