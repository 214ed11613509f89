"""The SKILLS list of an AIGIS.core, read without running it.

A list of plain strings is known exactly, name by name. Of a computed one only the *branches* are: what stands before
the last dot of the texts in it (`"dnd." + name` gives `dnd`), or those texts themselves when none has a dot.
Exact names of two plugins can be compared before either runs; what a computed list adds below its branch is known at
loading, and there the plugin that is first in load order keeps the name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aigis._base.names import nearest, skill_path_problem
from aigis._plugin.bindings import bindable
from aigis._plugin.problem import CORE_FILE, Problem
from aigis._plugin.python_file import parse, unparsed

HOOK = "cleanup"
"""May stand in SKILLS, and is no skill."""


@dataclass(frozen=True)
class SkillsList:
    """What the text of an AIGIS.core tells of its skills.

    `names` are the skills when the list is literal, else None. `branches` are the dotted names to reserve before the
    plugin's code runs: the names themselves where they are known.
    """

    names: tuple[str, ...] | None
    branches: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def clash(one: str, other: str) -> bool:
    """Whether two plugins cannot both have these skills: they are equal, or one lies below the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def read_skills(text: bytes, file: str = CORE_FILE) -> SkillsList:
    """Read the module-level SKILLS of an AIGIS.core; never raises, never runs it."""
    tree = parse(text, file)
    if isinstance(tree, Problem):
        return SkillsList(None, (), (tree,))
    pieces = list(_pieces(tree))
    if not pieces:
        return _without_list(tree, file)
    problems = [_no_list(piece, file) for piece in pieces if not piece.computed and _is_no_list(piece.node)]
    if problems:
        return SkillsList(None, (), tuple(problems))
    constants = _exact(pieces)
    if constants is None:
        return SkillsList(None, tuple(_branches(pieces)))
    return _check_names(constants, bindable(tree), file)


def _without_list(tree: ast.Module, file: str) -> SkillsList:
    if bindable(tree) is None:  # `from names import *` may bring it
        return SkillsList(None, ())
    remedy = "list the names to expose, such as SKILLS = ['dice.roll']"
    return SkillsList(None, (), (Problem(file, None, f"'SKILLS' is missing: {remedy}"),))


# Which parts of the file make the list.


@dataclass(frozen=True)
class _Piece:
    """A part of the list; `computed` when it holds under a condition, or takes away as well as adds."""

    node: ast.AST
    computed: bool = False


_ADDING = {"append", "extend"}
_CHANGING = _ADDING | {"insert", "remove", "pop", "clear"}


def _pieces(tree: ast.Module) -> Iterator[_Piece]:
    pieces: list[_Piece] = []
    for statement in tree.body:
        if _binds(statement):
            pieces = []
        pieces.extend(_pieces_of(statement))
    yield from pieces


def _is_skills(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Name) and node.id == "SKILLS"


def _binds(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=targets):
            return any(_is_skills(target) for target in targets)
        case ast.AnnAssign(target=target, value=ast.expr()):
            return _is_skills(target)
    return False


def _pieces_of(statement: ast.stmt) -> Iterator[_Piece]:
    match statement:
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) if _binds(statement):
            yield _Piece(value)
        case ast.AugAssign(target=target, op=ast.Add(), value=value) if _is_skills(target):
            yield _Piece(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=method), args=[argument], keywords=[])) if (
            _is_skills(owner) and method in _ADDING
        ):
            yield _Piece(argument if method == "extend" else _list_of(argument))
        case _:
            yield from (_Piece(node, computed=True) for node in _touching(statement))


def _list_of(node: ast.expr) -> ast.List:
    return ast.copy_location(ast.List(elts=[node], ctx=ast.Load()), node)


def _touching(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the innermost statements in a compound one that may bind or change SKILLS."""
    for node in ast.walk(statement):
        if isinstance(node, ast.stmt) and any(map(_touches, _own_parts(node))):
            yield node


def _own_parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, of one with a body only the targets in its head."""
    match statement:
        case ast.For(target=target) | ast.AsyncFor(target=target):
            yield from ast.walk(target)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            for item in items:
                yield from ast.walk(item)
        case ast.If(test=test) | ast.While(test=test):
            yield from ast.walk(test)
        case _ if not hasattr(statement, "body") and not isinstance(statement, ast.Match):
            yield from ast.walk(statement)


def _touches(node: ast.AST) -> bool:
    match node:
        case ast.Name(id="SKILLS", ctx=ast.Store() | ast.Del()):
            return True
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return _is_skills(owner)
        case ast.Attribute(value=owner, attr=attribute):
            return _is_skills(owner) and attribute in _CHANGING
        case ast.alias(name=name, asname=asname):
            return (asname or name) == "SKILLS"
    return False


# What the parts say.

_NO_LIST = (ast.Constant, ast.Dict, ast.Set, ast.DictComp, ast.SetComp, ast.JoinedStr, ast.Lambda, ast.GeneratorExp)


def _is_no_list(node: ast.AST) -> bool:
    return isinstance(node, _NO_LIST)


def _no_list(piece: _Piece, file: str) -> Problem:
    text = unparsed(piece.node)
    better = (
        f"[{text}]" if isinstance(piece.node, ast.Constant) and isinstance(piece.node.value, str) else "['dice.roll']"
    )
    line = getattr(piece.node, "lineno", None)
    return Problem(
        file, line, f"'SKILLS' is {text}, which is no list: write a list of names, such as SKILLS = {better}"
    )


def _exact(pieces: Iterable[_Piece]) -> list[ast.Constant] | None:
    """Return the constants of a literal list in order, or None when any part is computed."""
    found: list[ast.Constant] = []
    waiting = [piece.node for piece in pieces]
    if any(piece.computed for piece in pieces):
        return None
    while waiting:
        match waiting.pop(0):
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                constants = [element for element in elements if isinstance(element, ast.Constant)]
                if len(constants) < len(elements):
                    return None
                found.extend(constants)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                waiting[:0] = [left, right]
            case _:
                return None
    return found


def _branches(pieces: Iterable[_Piece]) -> list[str]:
    texts = [
        node.value
        for piece in pieces
        for node in ast.walk(piece.node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    dotted = _names(_before_last_dot(text) for text in texts if "." in text)
    return dotted or _names(text for text in texts if "." not in text)


def _before_last_dot(text: str) -> str:
    """Return the leading names of a text that may be a pattern: `dnd.{}.x` gives `dnd`."""
    names = []
    for segment in text.split(".")[:-1]:
        if not segment.isidentifier():
            break
        names.append(segment)
    return ".".join(names)


def _names(texts: Iterable[str]) -> list[str]:
    fitting = (text for text in texts if text != HOOK and skill_path_problem(text) is None)
    return list(dict.fromkeys(fitting))


def _check_names(constants: Iterable[ast.Constant], known: frozenset[str] | None, file: str) -> SkillsList:
    names: list[str] = []
    problems: list[Problem] = []
    for constant in constants:
        name = constant.value
        wrong = skill_path_problem(name)
        if wrong:
            problems.append(Problem(file, constant.lineno, wrong))
            continue
        if not isinstance(name, str) or name in names:
            problems.append(Problem(file, constant.lineno, f"skill {name!r} is listed twice: remove one", fatal=False))
            continue
        problems.extend(_undefined(name, known, Problem(file, constant.lineno, "")))
        if name != HOOK:
            names.append(name)
    return SkillsList(tuple(names), tuple(names), tuple(problems))


def _undefined(name: str, known: frozenset[str] | None, place: Problem) -> Iterator[Problem]:
    first = name.partition(".")[0]
    if known is None or first in known:
        return
    near = nearest(first, known)
    remedy = f"did you mean {near!r}?" if near else "define or import it there, or remove the skill"
    message = f"skill {name!r}: AIGIS.core has no {first!r}; {remedy}"
    yield Problem(place.file, place.line, message, fatal=name != HOOK)
