"""Everything a reader can say about a plugin's folder: what `invoke check` prints."""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from aigis._base.names import plugin_name_problem
from aigis._plugin.launch import find_source
from aigis._plugin.manifest import Manifest, Problem, missing_system_requirements, read_manifest
from aigis._plugin.problem import CONFIG_FILE, CORE_FILE
from aigis._plugin.python_file import parse, read_bytes
from aigis._plugin.rules import CORE_LIMIT
from aigis._plugin.state import mutable_state

_NAMELESS = "plugin"


def check_folder(folder: Path, which: Callable[[str], str | None] = shutil.which) -> tuple[Problem, ...]:
    """Return the problems and notices of a plugin's folder, by file and line.

    The faults are those that keep the plugin from being prepared: the same code reads the manifest there. Nothing is
    executed or changed.
    """
    root = Path(os.path.abspath(folder))
    unnamed = plugin_name_problem(root.name) is not None
    manifest, found = read_manifest(root, _NAMELESS if unnamed else root.name)
    problems = [*found]
    if unnamed:
        problems.append(_name_notice(root.name))
    if manifest is not None:
        problems.extend(_missing_programs(manifest, which))
        problems.extend(_shared_state(manifest))
    return tuple(sorted(problems, key=lambda problem: (problem.file, problem.line or 0, problem.message)))


def _name_notice(name: str) -> Problem:
    # Only a notice: a folder elsewhere gets its name from aigis.toml.
    remedy = "list it in aigis.toml under another name, or rename the folder"
    return Problem(CONFIG_FILE, None, f"the folder's name {name!r} is no plugin name: {remedy}", fatal=False)


def _missing_programs(manifest: Manifest, which: Callable[[str], str | None]) -> Iterator[Problem]:
    # Only a notice: the plugin may be meant for another host.
    for program in missing_system_requirements(manifest, which):
        message = f"SYSTEM_REQUIREMENTS names {program!r}, which is not on PATH here: install it where the plugin runs"
        yield Problem(CONFIG_FILE, None, message, fatal=False)


def _shared_state(manifest: Manifest) -> Iterator[Problem]:
    """Warn of variables by which the halves of a hybrid might hope to talk, in AIGIS.core and what it imports."""
    core = _read_tree(manifest.root / CORE_FILE, CORE_FILE)
    if not manifest.hybrid or core is None:
        return
    trees = {CORE_FILE: core}
    for module in _imported(core):
        source = find_source(module, manifest.entrypoint)
        name = str(source.relative_to(manifest.root)) if source else ""
        tree = _read_tree(source, name) if source else None
        if tree is not None:
            trees[name] = tree
    for file, tree in trees.items():
        for name, line in mutable_state(tree):
            yield Problem(file, line, f"{name!r} {_STATE}", fatal=False)


_STATE = (
    "is module state: the skills run in core workers and share no memory with the plugin's own process, so keep state "
    "in a file or a database"
)


def _read_tree(path: Path, name: str) -> ast.Module | None:
    content = read_bytes(path, name, CORE_LIMIT)
    tree = content if isinstance(content, Problem) else parse(content, name)
    return tree if isinstance(tree, ast.Module) else None


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in aliases if alias.name != "*")
