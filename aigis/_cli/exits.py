"""What a command ends with: an exit code for scripts and one sentence for people.

0    done
1    the called skill raised an error, or `check` found problems
2    refused: wrong usage, no home, not running, no such skill or plugin
3    up: the host runs, but some plugin failed
4    a call was lost or its deadline passed
130  Ctrl-C
"""

from __future__ import annotations

from aigis._base.errors import AigisError, ReplyError, SkillTimeout, WorkerLost

DONE = 0
FAILED = 1
REFUSED = 2
PLUGIN_FAILED = 3
LOST = 4
INTERRUPTED = 130


class UsageError(AigisError):
    """The command was typed in a way it cannot obey."""


def exit_code(error: BaseException) -> int:
    """Return the exit code of a command that ends with `error`."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, (SkillTimeout, WorkerLost, ReplyError)):
        return LOST
    return REFUSED


def sentence(error: BaseException) -> str:
    """Return what people read of `error`."""
    text = str(error).strip() or type(error).__name__
    return f"aigis: {text}"
