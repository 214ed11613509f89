"""The syntax of AIGIS.config: a docstring, then one `NAME = literal` after another."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aigis._plugin.problem import CONFIG_FILE, Problem, shown
from aigis._plugin.python_file import parse, unparsed


@dataclass(frozen=True)
class Given:
    """The value somebody gave to a key, and where."""

    value: object
    file: str
    line: int | None


UNREAD = object()
"""The value of a key that was given something else than a literal."""


def parse_config(text: bytes, file: str = CONFIG_FILE) -> tuple[dict[str, Given], tuple[Problem, ...]]:
    """Return the keys of an AIGIS.config as written, and every fault of its syntax; nothing of it is executed."""
    tree = parse(text, file)
    if isinstance(tree, Problem):
        return {}, (tree,)
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    for statement in _without_docstring(tree.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=node):
                value, wrong = _literal(node)
                if name in given:
                    message = f"{name!r} is given a second time, first in line {given[name].line}: remove one"
                    problems.append(Problem(file, statement.lineno, message))
                elif wrong is not None:
                    problems.append(Problem(file, wrong.line, f"{name!r}: {wrong.reason}"))
                given.setdefault(name, Given(value, file, statement.lineno))
            case _:
                message = f"`{unparsed(statement)}` is not allowed: {_RULE}; write `NAME = literal` lines only"
                problems.append(Problem(file, statement.lineno, message))
    return given, tuple(problems)


_RULE = "AIGIS.config is read, never executed"


def _without_docstring(body: list[ast.stmt]) -> Iterable[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return body


@dataclass(frozen=True)
class _Wrong:
    reason: str
    line: int


def _literal(node: ast.expr) -> tuple[object, _Wrong | None]:
    """Return a literal's value, or UNREAD with the reason."""
    if not _is_literal(node):
        culprit = _culprit(node)
        reason = f"`{unparsed(culprit)}` is not a literal: {_RULE}; write the value itself"
        return UNREAD, _Wrong(reason, culprit.lineno)
    for constant in ast.walk(node):
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str) and not _storable(constant.value):
            reason = f"{shown(constant.value)} has a NUL or half a surrogate pair in it: remove that character"
            return UNREAD, _Wrong(reason, constant.lineno)
    return ast.literal_eval(node), None


def _storable(text: str) -> bool:
    # Neither an argument of a program nor a file name nor a JSON document can hold the others.
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _culprit(node: ast.expr) -> ast.expr:
    """Return the innermost part of a refused expression that is at fault."""
    for child in _elements(node):
        if not _is_literal(child):
            return _culprit(child)
    return node


def _elements(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            yield from elements
        case ast.Dict(keys=keys, values=values):
            yield from (key for key in keys if key is not None)
            yield from values
