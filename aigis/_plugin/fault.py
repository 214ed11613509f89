"""Tells in one sentence what went wrong in a plugin's code, and at which of its lines."""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Optional

from aigis._base.messages import PlannedPlugin
from aigis._plugin.namespace import unmangled

_LONGEST = 300


def reason_of(plugin: PlannedPlugin, error: BaseException) -> str:
    """Return the sentence: plugin, exception, place in the plugin's files, remedy."""
    place = place_of(plugin.root, error)
    where = f" ({place[0]}, line {place[1]})" if place else ""
    return f"{plugin.name}: {type(error).__name__}: {_text(plugin, error)}{where}; {_remedy(plugin, error)}"


def place_of(root: str, error: BaseException) -> Optional[tuple[str, int]]:
    """Return file (relative to the plugin's folder) and line of the innermost of the plugin's lines involved."""
    folder = os.path.abspath(root) + os.sep
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno or 0))
    own = [(file[len(folder) :], line) for file, line in lines if file.startswith(folder)]
    return own[-1] if own else None


def own_traceback(root: str, error: BaseException) -> Optional[TracebackType]:
    """Return the exception's traceback from the plugin's first line on, without the host's way to it."""
    folder = os.path.abspath(root) + os.sep
    current = error.__traceback__
    while current is not None and not current.tb_frame.f_code.co_filename.startswith(folder):
        current = current.tb_next
    return current


def _text(plugin: PlannedPlugin, error: BaseException) -> str:
    try:
        # A SyntaxError's own text repeats file and line.
        text = (error.msg if isinstance(error, SyntaxError) else str(error)) or "no message"
    except Exception:
        text = "its message cannot be shown"
    text = unmangled(" ".join(text.split()), plugin.name)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _remedy(plugin: PlannedPlugin, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        head = error.name.partition(".")[0]
        if os.path.isdir(os.path.join(plugin.entrypoint, head)):
            return f"add it below {head!r}, or correct the import"
        return f"list the package that has {head!r} in the plugin's requirements file, or put it into ENTRYPOINT"
    if isinstance(error, SyntaxError):
        return "correct that line"
    if isinstance(error, SystemExit):
        return "an AIGIS.core may not end its process"
    return "the traceback is in the plugin's log"
