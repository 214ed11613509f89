"""The verb `call`: one skill from the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aigis._base.errors import AigisError, NotPicklable
from aigis._cli import terminal
from aigis._cli.exits import DONE, FAILED, UsageError, exit_code, sentence
from aigis._cli.values import parse_list, parse_object, parse_word, show_value

FRAME = '\n  File "'
"""How a frame begins in a traceback."""

Invoke = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]


def run(words: Sequence[str], *, args: str | None, kwargs: str | None, invoke: Invoke | None = None) -> int:
    """Call the skill and print its value; the exit code says how it ended."""
    if not words or not words[0]:
        raise UsageError("`call` takes the PATH of a skill: write `call PATH [ARGS…]`; `skills` lists the paths")
    path = words[0].removeprefix("aigis.")
    positional = (*map(parse_word, words[1:]), *(parse_list(args, "--args") if args is not None else ()))
    named = parse_object(kwargs, "--kwargs") if kwargs is not None else {}
    try:
        value = (invoke or _public_call())(path, positional, named)
    except Exception as error:
        terminal.warn(explain(error, path))
        return code_of(error)
    return _print(value, path)


def _print(value: Any, path: str) -> int:
    try:
        line = show_value(value)
    except Exception as error:
        terminal.warn(f"aigis: the value of aigis.{path} cannot be shown: {_named(error)}")
        return FAILED
    terminal.say(line)
    return DONE


def _public_call() -> Invoke:
    from aigis import _proxy

    return _proxy.call


def ran(error: BaseException) -> bool:
    """Tell whether an error comes from inside the skill: then it has frames of the other side as its cause.

    Arguments that do not fit the skill are refused with a TypeError that has none.
    """
    from aigis._wire.exceptions import RemoteTraceback

    cause = error.__cause__
    if not isinstance(cause, RemoteTraceback):
        return False
    return not isinstance(error, TypeError) or FRAME in cause.text


def code_of(error: BaseException) -> int:
    """Return the exit code of a call that ended with `error`."""
    if ran(error) or isinstance(error, NotPicklable):
        # All arguments come from JSON: what cannot be pickled is the result of a skill that ran.
        return FAILED
    return exit_code(error)


def explain(error: BaseException, path: str) -> str:
    """Return what people read of a call's error: the skill's own with its frames, a refusal in a sentence."""
    if ran(error):
        frames = str(error.__cause__).strip("\n")
        return f"aigis: aigis.{path} raised {_named(error)}\n{frames}"
    return sentence(error) if isinstance(error, AigisError) else f"aigis: aigis.{path}: {_named(error)}"


def _named(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
