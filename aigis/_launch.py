"""The first code in an internal plugin's process: `python -m aigis._launch JSON`.

It puts `aigis` in place, sets up logging, and hands over to what the plugin's LAUNCH names. It runs on every Python a
plugin may bring, hence the plain JSON in place of the manifest.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import logging
import os
import runpy
import signal
import sys
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from aigis._base.errors import AigisError
from aigis._base.records import RecordHandler, plugin_logger, record_writer

CANNOT_LAUNCH = 2
"""Exit code when LAUNCH names nothing that can be started."""
LOGGER_NAMES = ("log", "logger")
SIGNATURE = "launch(log, *args, **kwargs)"
OWN_LIBRARIES = ("redis", "hiredis", "cloudpickle", "pythonjsonlogger")
"""What AIGIS itself imports in a plugin's process, besides the standard library."""


class LaunchError(AigisError):
    """LAUNCH names nothing that can be started."""


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Start the plugin told by the JSON in `arguments[0]`; return when it has ended."""
    order: dict[str, Any] = json.loads(arguments[0])
    _hide_working_directory()
    logger = plugin_logger(order["plugin"])
    handler = log_to_supervisor(order["plugin"], environ)
    enter(order["entrypoint"])
    try:
        with core_in_place(order["type"], handler, environ):
            start(order["launch"], order.get("args", ()), order.get("kwargs", {}), logger)
    except LaunchError as error:
        logger.error("%s", error)
        return CANNOT_LAUNCH
    return 0


def log_to_supervisor(plugin: str, environ: Mapping[str, str]) -> RecordHandler:
    """Turn what this process logs into records of the plugin."""
    handler = RecordHandler(record_writer(environ), plugin=plugin)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    return handler


def enter(entrypoint: str) -> None:
    """Make the plugin's folder the working directory and the first place of imports, as for a script started there.

    A plugin may have modules of the same names as libraries AIGIS uses. AIGIS takes its own first; then the name is
    free for the plugin, while the library's submodules stay known, so that it goes on working.
    """
    hidden = [name for name in OWN_LIBRARIES if _has_module(entrypoint, name)]
    if hidden:
        import aigis._wire.by_value
        import aigis._wire.remote  # noqa: F401
    for name in hidden:
        sys.modules.pop(name, None)
    os.chdir(entrypoint)
    sys.path.insert(0, entrypoint)


def _hide_working_directory() -> None:
    """Take out what `python -m` put first: the plugin's folder, where AIGIS must not look for libraries of its own."""
    if sys.path[:1] in ([""], [os.getcwd()]):
        del sys.path[0]


def _has_module(folder: str, name: str) -> bool:
    return os.path.exists(os.path.join(folder, name + ".py")) or os.path.isdir(os.path.join(folder, name))


@contextlib.contextmanager
def core_in_place(plugin_type: str, handler: RecordHandler, environ: Mapping[str, str]) -> Iterator[None]:
    """Copy the core into an internal-local process, and unload it at the end. Other processes are mere callers."""
    if plugin_type != "internal-local":
        yield
        return
    from aigis._local import copy_core

    local = copy_core(environ)
    handler.plugin_of_file = local.plugin_of_file
    # The default action would end the process without a word to the plugins loaded in it.
    signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        local.unload_all()


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def start(launch: str, args: Sequence[Any], kwargs: Mapping[str, Any], logger: logging.Logger) -> None:
    """Run a module's `launch()`, a `module:function`, or a Python file."""
    if launch.endswith(".py"):
        sys.argv = [launch, *(str(value) for value in args)]
        runpy.run_path(launch, run_name="__main__")
        return
    module, _, name = launch.partition(":")
    sys.argv = [module, *(str(value) for value in args)]
    function = find_function(module, name or "launch")
    given_args, given_kwargs = fit(function, args, kwargs, logger)
    outcome = function(*given_args, **given_kwargs)
    if inspect.iscoroutine(outcome):
        import asyncio

        asyncio.run(outcome)


def find_function(module: str, name: str) -> Callable[..., Any]:
    """Import a module and return its function; raises LaunchError when there is none, and what the import raises."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise LaunchError(
            f"LAUNCH: module {module!r} has no function {name!r}; define {SIGNATURE}, or name another as "
            "'module:function'"
        )
    return found  # type: ignore[no-any-return]


def fit(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], logger: logging.Logger
) -> tuple[list[Any], dict[str, Any]]:
    """Return those of logger, ARGS and KWARGS that a launch function's signature takes.

    A parameter named `log` or `logger` gets the logger; ARGS fill the other positional ones in order. Raises
    LaunchError when a required parameter stays empty or ARGS are left over.
    """
    signature = _signature(function)
    if signature is None:
        return list(args), dict(kwargs)
    parameters = list(signature.parameters.values())
    given = _named(parameters, kwargs)
    positional, left = _positional(parameters, list(args), given, logger)
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name in LOGGER_NAMES:
            given.setdefault(parameter.name, logger)
    if left and any(p.kind is not p.KEYWORD_ONLY for p in parameters):
        raise _misfit(function, signature, f"{len(left)} of ARGS find no parameter")
    try:
        signature.bind(*positional, **given)
    except TypeError as error:
        raise _misfit(function, signature, str(error)) from None
    return positional, given


def _signature(function: Callable[..., Any]) -> Optional[inspect.Signature]:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _named(parameters: Sequence[inspect.Parameter], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(kwargs)
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {name: value for name, value in kwargs.items() if name in names}


def _positional(
    parameters: Sequence[inspect.Parameter], args: list[Any], given: dict[str, Any], logger: logging.Logger
) -> tuple[list[Any], list[Any]]:
    """Return the positional arguments, as far as they reach without a gap, and the ARGS left over."""
    positional: list[Any] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return [*positional, *args], []
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            break
        if parameter.name in LOGGER_NAMES and parameter.name not in given:
            positional.append(logger)
        elif parameter.name in given:
            positional.append(given.pop(parameter.name))
        elif args:
            positional.append(args.pop(0))
        elif parameter.default is not parameter.empty:
            positional.append(parameter.default)
        else:
            break
    return positional, args


def _misfit(function: Callable[..., Any], signature: inspect.Signature, why: str) -> LaunchError:
    name = getattr(function, "__qualname__", repr(function))
    return LaunchError(f"LAUNCH: {name}{signature} does not take ARGS and KWARGS ({why}); expected is {SIGNATURE}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
