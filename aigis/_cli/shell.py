"""The verb `shell`: Python with `aigis` ready."""

from __future__ import annotations

import ast
import code
import sys
import traceback
from collections.abc import Sequence
from rlcompleter import Completer
from types import TracebackType
from typing import Any

import aigis
from aigis import _proxy
from aigis._base.errors import AigisError
from aigis._cli import session
from aigis._cli.exits import DONE, FAILED

EXAMPLES = 3


def run() -> int:
    """Open a prompt in a terminal; run what stdin holds otherwise."""
    settings, _ = session.settings_or_problem()
    names: dict[str, Any] = {"__name__": "__console__", "__doc__": None, "aigis": aigis}
    if not sys.stdin.isatty():
        return run_source(sys.stdin.read(), names)
    _complete(names)
    console = code.InteractiveConsole(names)
    console.interact(banner=banner(str(settings.home.root), _paths()), exitmsg="")
    return DONE


def run_source(source: str, names: dict[str, Any]) -> int:
    """Run statements like a prompt does: the value of an expression is shown."""
    try:
        for statement in ast.parse(source, "<stdin>").body:
            exec(compile(ast.Interactive([statement]), "<stdin>", "single"), names)  # noqa: S102 - that is its purpose
    except Exception as error:
        traceback.print_exception(type(error), error, _own_frames(error))
        return FAILED
    return DONE


def _own_frames(error: Exception) -> TracebackType | None:
    """Return the frames of the script: ours come first; below a failed call come those of AIGIS, which help nobody."""
    trace = error.__traceback__.tb_next if error.__traceback__ else None
    if trace is not None and isinstance(error, AigisError):
        trace.tb_next = None
    return trace


def banner(home: str, paths: Sequence[str] | str) -> str:
    """Return the greeting: where this is, and what could be called (or why nothing can)."""
    version = ".".join(map(str, sys.version_info[:3]))
    if isinstance(paths, str):
        state = paths
    elif paths:
        more = ", …" if len(paths) > EXAMPLES else ""
        state = f"{len(paths)} skills: {', '.join(f'aigis.{path}' for path in paths[:EXAMPLES])}{more}"
    else:
        state = "no skills yet; `invoke skills` lists them"
    return f"AIGIS in {home}, Python {version}\n{state}\nTab completes, Ctrl-D leaves."


def _paths() -> list[str] | str:
    """Return the skills that can be called now, or why there are none."""
    from aigis._wire.catalog import read_catalog

    try:
        settings, _ = session.settings_or_problem()
        session.require_running(settings)
        entries = read_catalog(session.bus(settings)).entries.values()
    except AigisError as error:
        return str(error)
    return sorted(skill.path for entry in entries if entry.state == "ready" for skill in entry.skills)


def _complete(names: dict[str, Any]) -> None:
    try:
        import readline
    except ImportError:
        return
    readline.set_completer(SkillCompleter(names).complete)
    readline.parse_and_bind("tab: complete")


class SkillCompleter(Completer):
    """Completes names as Python's own prompt does, and below `aigis` the names of skills without touching them."""

    def attr_matches(self, text: str) -> list[str]:
        """Return what `text`, a dotted name, may become."""
        expression, _, begin = text.rpartition(".")
        if expression.partition(".")[0] != "aigis":
            return super().attr_matches(text)
        below = expression.partition(".")[2]
        found = _proxy.names(below) if below else dir(aigis)
        return [f"{expression}.{name}" for name in found if name.startswith(begin)]
