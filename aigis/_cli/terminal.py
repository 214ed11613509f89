"""Where output goes: how wide it may be, whether it may have colours, and what happens when nobody reads it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_WIDTH = 100
"""Columns of what is written to a file or a pipe."""


def colours(stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether `stream` (default: stdout) is a terminal that wants colours."""
    stream = stream or sys.stdout
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def width(stream: TextIO | None = None) -> int | None:
    """Return the columns of the terminal behind `stream` (default: stdout), None when there is none."""
    stream = stream or sys.stdout
    return shutil.get_terminal_size().columns if stream.isatty() else None


def console(stream: TextIO | None = None) -> Console:
    """Return a console on `stream` (default: stdout): as wide as the terminal, else 100 columns and plain."""
    from rich.console import Console

    stream = stream or sys.stdout
    columns = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=columns, no_color=not colours(stream), highlight=False, markup=False, emoji=False)


def show(view: RenderableType) -> None:
    """Print tables and text to stdout, without the blanks that would pad lines in a file."""
    target = console()
    if target.is_terminal:
        target.print(view)
        return
    with target.capture() as captured:
        target.print(view)
    for line in captured.get().splitlines():
        say(line.rstrip())


def say(text: str) -> None:
    """Print one line at once; a character the stream cannot show is replaced."""
    write(sys.stdout, text)


def warn(text: str) -> None:
    """Print one line to stderr at once."""
    write(sys.stderr, text)


def write(stream: TextIO, text: str) -> None:
    """Write one line to `stream` and flush it."""
    try:
        stream.write(f"{text}\n")
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def nobody_reads() -> None:
    """Point a stdout whose reader has gone to nowhere, so that Python's end does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
