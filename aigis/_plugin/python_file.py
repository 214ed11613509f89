"""Python files read as data: from a path to bytes to a syntax tree, never executed."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from aigis._plugin.problem import Problem


def read_bytes(path: Path, name: str, limit: int) -> bytes | Problem:
    """Return the content of a regular file of at most `limit` bytes, else the problem; `name` stands in its text."""
    if not os.path.lexists(path):
        return Problem(name, None, f"the file is missing: create {name}")
    if not os.path.isfile(path):  # also keeps us from waiting for the other end of a FIFO
        return Problem(name, None, f"{name} is no regular file: replace it with one")
    try:
        with open(path, "rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        return Problem(name, None, f"the file cannot be read ({error.strerror}): make it readable for this user")
    if len(content) > limit:
        return Problem(name, None, f"the file is longer than {limit} bytes: move what it holds elsewhere")
    return content


def parse(content: bytes, name: str) -> ast.Module | Problem:
    """Return the syntax tree of Python source, whatever the bytes are; else the problem with its line."""
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        return Problem(name, line, "a NUL character stands here: save the file as UTF-8 text")
    try:
        return ast.parse(content, filename=name)
    except SyntaxError as error:
        return Problem(name, error.lineno, f"not valid Python: {error.msg}; correct that line")
    except (RecursionError, MemoryError):
        return Problem(name, None, "the file is nested too deeply to be read: make it flatter")
    except ValueError as error:
        return Problem(name, None, f"the file cannot be read as Python: {error}; save it as UTF-8 text")


def unparsed(node: ast.AST, limit: int = 60) -> str:
    """Return the node as source text on one line, cut at `limit` characters."""
    try:
        text = " ".join(ast.unparse(node).split())
    except (RecursionError, ValueError):
        return "…"
    return text if len(text) <= limit else text[: limit - 1] + "…"
