"""Whether what LAUNCH names exists, as far as the plugin's folder can tell.

Unknown is not wrong: what requirements may bring, or PATH may hold, is found out at the start.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import re
import sys
from pathlib import Path

from aigis._base.names import nearest
from aigis._plugin.bindings import bindable
from aigis._plugin.problem import Problem
from aigis._plugin.python_file import parse, read_bytes

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MODULE_LIMIT = 4 * 1024 * 1024
_IN_ROOT = "only the plugin's own folder is copied to where it runs; name a file in '{root}'"


def program_problem(argv: tuple[str, ...], root: Path, entrypoint: Path) -> str | None:
    """Say why the program of an argument list cannot be started, or None.

    Names without a slash belong to PATH, and paths outside the plugin to the host: neither is looked at.
    """
    program = argv[0]
    path = Path(os.path.normpath(entrypoint / program))
    if "/" not in program:
        if not os.path.isfile(path):
            return None
        return (
            f"{program!r} is looked for on PATH, not in the plugin: write './{program}' to start the plugin's own file"
        )
    if not path.is_relative_to(root):
        return None if os.path.isabs(program) else f"{program!r} lies outside the plugin: {_IN_ROOT}"
    if not os.path.isfile(path):
        return f"{program!r} is no file: correct the path, which counts from ENTRYPOINT"
    if not os.access(path, os.X_OK):
        return f"{program!r} is not executable: run `chmod +x` on it"
    return None


def target_problem(target: str, root: Path, entrypoint: Path, *, elsewhere: bool) -> str | None:
    """Say why the Python target of an internal plugin cannot be launched, or None.

    `elsewhere` tells that modules may also come from outside the plugin's folder.
    """
    if target.endswith(".py"):
        return _script_problem(target, root, Path(os.path.normpath(entrypoint / target)))
    module, colon, function = target.partition(":")
    if not _MODULE.fullmatch(module) or (colon and not _MODULE.fullmatch(function)):
        return (
            f"{target!r} is neither 'module', 'module:function' nor the path of a .py file: name the one to launch, or "
            "write a list to start a program"
        )
    return _module_problem(module, function or "launch", entrypoint, elsewhere=elsewhere)


def _script_problem(target: str, root: Path, path: Path) -> str | None:
    if not path.is_relative_to(root):
        return f"{target!r} lies outside the plugin: {_IN_ROOT}"
    return None if os.path.isfile(path) else f"{target!r} is no file: correct the path, which counts from ENTRYPOINT"


def _module_problem(module: str, function: str, entrypoint: Path, *, elsewhere: bool) -> str | None:
    source = find_source(module, entrypoint)
    if source is not None:
        return _function_problem(module, function, source)
    first = module.partition(".")[0]
    own = _modules_in(entrypoint)
    if _is_compiled(module, entrypoint) or (first not in own and (elsewhere or first in sys.stdlib_module_names)):
        return None
    if first in own and not os.path.isfile(entrypoint / first / "__init__.py") and elsewhere:
        return None  # a namespace package may have another part among the requirements
    near = nearest(first, own - {first})
    remedy = f"did you mean {near!r}?" if near else "put it there, or name the module to launch"
    return f"there is no module {module!r} in ENTRYPOINT; {remedy}"


def find_source(module: str, entrypoint: Path) -> Path | None:
    """Return the file that holds the code of a plugin's own module, or None."""
    base = entrypoint.joinpath(*module.split("."))
    # The order of Python's own finder: a package hides a module of the same name.
    candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"))
    return next((path for path in candidates if os.path.isfile(path)), None)


def _is_compiled(module: str, entrypoint: Path) -> bool:
    base = entrypoint.joinpath(*module.split("."))
    suffixes = (*importlib.machinery.EXTENSION_SUFFIXES, *importlib.machinery.BYTECODE_SUFFIXES)
    return any(os.path.isfile(base.with_name(base.name + suffix)) for suffix in suffixes)


def _modules_in(folder: Path) -> set[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return set()
    modules = (name.partition(".")[0] for name in names if "." not in name or name.endswith((".py", ".pyc", ".so")))
    return {name for name in modules if name.isidentifier()}


def _function_problem(module: str, function: str, source: Path) -> str | None:
    content = read_bytes(source, source.name, _MODULE_LIMIT)
    tree = content if isinstance(content, Problem) else parse(content, source.name)
    if not isinstance(tree, ast.Module):
        return None  # the plugin's Python may be newer than ours
    known = bindable(tree)
    first = function.partition(".")[0]
    if known is None or first in known:
        return None
    near = nearest(first, known)
    remedy = f"did you mean '{module}:{near}'?" if near else f"define it, or write '{module}:function' in LAUNCH"
    return f"the module {module!r} has no {first!r}; {remedy}"
