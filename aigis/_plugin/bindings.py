"""Which names a Python file could bind, told from its text."""

from __future__ import annotations

import ast

_DYNAMIC = frozenset(
    {"__builtins__", "__dict__", "__getattr__", "eval", "exec", "globals", "locals", "modules", "setattr", "vars"}
)
"""Names by which a file may bind others that its text does not show."""


def bindable(tree: ast.Module) -> frozenset[str] | None:
    """Return every name the file could bind at module level, or None when its text cannot tell.

    Names bound inside functions are in it as well: too many names do no harm where a missing one is to be proven.
    """
    found: set[str] = set()
    for node in ast.walk(tree):
        names = _bound_by(node)
        if names is None:
            return None
        found.update(names)
    return frozenset(found)


def _bound_by(node: ast.AST) -> tuple[str, ...] | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _DYNAMIC:
            return None
        case ast.FunctionDef(name="__getattr__"):
            return None
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            names = tuple(alias.asname or alias.name.split(".")[0] for alias in aliases)
            return None if "*" in names or not _DYNAMIC.isdisjoint(names) else names
        case ast.Name(id=name, ctx=ast.Store()):
            return (name,)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return (name,)
        case ast.MatchMapping(rest=str(name)):
            return (name,)
    return ()
