"""Which module-level variables of a Python file hold state that functions may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_CONTAINERS = frozenset(
    {"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter", "Queue", "SimpleQueue"}
)
_CHANGING = frozenset(
    {
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "put",
        "remove",
    }
    | {"setdefault", "sort", "update"}
)


def mutable_state(tree: ast.Module) -> list[tuple[str, int]]:
    """Return name and line of each variable that functions rebind (`global`) or that holds a mutable container.

    A container with content under a NAME IN CAPITALS is a constant, unless something in the file changes it.
    """
    changed = set(_changed_names(tree))
    found = []
    for name, value in _module_variables(tree):
        mutable = _is_container(value) and not (name.isupper() and _has_content(value))
        if name != "SKILLS" and not name.startswith("__") and (mutable or name in changed):
            found.append((name, value.lineno))
    return list({name: (name, line) for name, line in reversed(found)}.values())[::-1]


def _module_variables(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _changed_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Global(names=names):
                yield from names
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in _CHANGING:
                yield name


def _is_container(value: ast.expr) -> bool:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _CONTAINERS
    return False


def _has_content(value: ast.expr) -> bool:
    match value:
        case ast.List(elts=items) | ast.Set(elts=items) | ast.Dict(values=items) | ast.Call(args=items):
            return bool(items)
    return True
