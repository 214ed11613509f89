"""One record as one line: for people, or as JSON for scripts."""

from __future__ import annotations

import json
import re
import textwrap
import time
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from aigis._base.messages import Record
from aigis._base.names import nearest
from aigis._cli.exits import UsageError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL", "EXCEPTION": "ERROR"}

LEVEL_WIDTH = len("CRITICAL")
NAME_WIDTH = 14
WIDEST_NAME = 24
NARROWEST = 20
"""Columns for a message below which wrapping would only make it worse."""

LONGEST_FIELD = 60
"""Characters of a field that people are shown."""

HIDDEN_FIELDS = frozenset({"call", "part", "unfinished", "lossy", "raw", "logger", "exc_info", "stack_info"})
"""Fields not shown behind a message: too long for people, or shown below it."""

ESCAPES = re.compile(
    r"""\x1b(?:
        \[[0-?]*[\ -/]*[@-~]               # colours and cursor movements
        |\][^\x07\x1b]*(?:\x07|\x1b\\)?    # titles and links
        |[PX^_][^\x1b]*(?:\x1b\\)?         # strings for the terminal
        |[\ -/]*[0-~]                      # the short ones
    )""",
    re.VERBOSE,
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

RESET = "\x1b[0m"
DIM = "\x1b[2m"
LEVEL_COLOURS = {"DEBUG": DIM, "WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}
NAME_COLOURS = tuple(f"\x1b[{code}m" for code in (36, 35, 34, 32, 96, 95, 94, 92))


def parse_level(text: str | None) -> str | None:
    """Return the level's name, or None for None; raise UsageError with the nearest one."""
    if text is None:
        return None
    name = ALIASES.get(text.upper(), text.upper())
    if name in LEVELS:
        return name
    near = nearest(name, (*LEVELS, *ALIASES))
    hint = f"; did you mean {near}?" if near else ""
    raise UsageError(f"--level is {text!r}: it is one of {', '.join(LEVELS)}{hint}")


def json_line(record: Record) -> str:
    """Return a record as one JSON object; a field of the line never hides one of the record's own."""
    own = {
        "ts": timestamp(record.ts),
        "host": record.host,
        "plugin": record.plugin,
        "stream": record.stream,
        "level": record.level,
        "message": record.message,
    }
    return json.dumps({**own, **{name: value for name, value in record.fields.items() if name not in own}})


def timestamp(seconds: float) -> str:
    """Return a moment as ISO 8601 in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


OWN_NAME = "aigis."
"""Begins the names of AIGIS' own parts, whose fields only repeat for machines what the message says."""


class LineWriter:
    """Turns records into aligned lines, remembering what alignment and day the last one had."""

    def __init__(
        self, *, colour: bool = False, width: int | None = None, zone: tzinfo | None = None, today: str | None = None
    ) -> None:
        """`width` wraps what is longer, None leaves it; `zone` is None for this host's; `today` needs no heading."""
        self._columns = width
        self._colour = colour
        self._zone = zone
        self._width = NAME_WIDTH
        self._day = today or datetime.fromtimestamp(time.time(), zone).date().isoformat()

    def lines(self, record: Record) -> list[str]:
        """Return the lines of one record: a heading when the day changes, the message, what hangs below it."""
        moment = datetime.fromtimestamp(record.ts, self._zone)
        day = moment.date().isoformat()
        heading = [] if day == self._day else [self._paint(f"── {day} ──", DIM)]
        self._day = day
        self._width = max(self._width, min(len(record.plugin), WIDEST_NAME))
        head = self._head(moment, record)
        first, *more = clean(record.message).split("\n")
        body = self._with_fields(self._wrapped(first), record)
        body += [part for text in (*more, *_stack(record.fields)) for part in self._wrapped(text)]
        indent = " " * self.indent
        return [*heading, f"{head} {body[0]}".rstrip(), *(f"{indent}{text}".rstrip() for text in body[1:])]

    def _wrapped(self, text: str) -> list[str]:
        room = self._room
        if room is None or len(text) <= room:
            return [text]
        return textwrap.wrap(text, room, replace_whitespace=False, expand_tabs=False) or [""]

    @property
    def _room(self) -> int | None:
        """Columns for a message, None when nothing is wrapped or there is next to none."""
        room = None if self._columns is None else self._columns - self.indent
        return room if room is not None and room >= NARROWEST else None

    def _with_fields(self, message: list[str], record: Record) -> list[str]:
        """Return the message's first line with the fields behind it, or below it where there is no room."""
        body = [self._tint(text, record.level) for text in message]
        fields = shown_fields(record)
        if not fields:
            return body
        if self._room is None or len(message[-1]) + 2 + len(fields) <= self._room:
            return [*body[:-1], f"{body[-1]}  {self._paint(fields, DIM)}"]
        return [*body, *(self._paint(text, DIM) for text in self._wrapped(fields))]

    @property
    def indent(self) -> int:
        """Where messages begin."""
        return len("HH:MM:SS.mmm") + 1 + LEVEL_WIDTH + 1 + self._width + 1

    def _head(self, moment: datetime, record: Record) -> str:
        clock = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
        name = clean(record.plugin)
        level = clean(record.level)
        return " ".join(
            (
                self._paint(clock, DIM),
                self._tint(f"{level:<{LEVEL_WIDTH}}", level),
                self._paint(f"{name:<{self._width}}", name_colour(name)),
            )
        )

    def _tint(self, text: str, level: str) -> str:
        return self._paint(text, LEVEL_COLOURS.get(level, ""))

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{RESET}" if self._colour and colour else text


def shown_fields(record: Record) -> str:
    """Return a record's further fields as people see them: `count=3 note="a b"`."""
    if record.plugin.startswith(OWN_NAME):
        return ""
    shown = {name: value for name, value in record.fields.items() if name not in HIDDEN_FIELDS}
    return " ".join(f"{clean(name)}={_brief(value)}" for name, value in shown.items())


def clean(text: str) -> str:
    """Return text without terminal escapes and control characters; tabs and line ends stay."""
    return CONTROLS.sub("", ESCAPES.sub("", text.replace("\r\n", "\n")))


def name_colour(name: str) -> str:
    """Return the colour of a plugin's name, the same in every command."""
    return NAME_COLOURS[zlib.crc32(name.encode()) % len(NAME_COLOURS)]


def _brief(value: Any) -> str:
    text = clean(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    if isinstance(value, str) and (" " in text or "\n" in text):
        text = json.dumps(text, ensure_ascii=False)
    if len(text) <= LONGEST_FIELD:
        return text
    # Of a path the end is what tells it from others.
    return f"…{text[1 - LONGEST_FIELD :]}" if text.startswith("/") else f"{text[: LONGEST_FIELD - 1]}…"


def _stack(fields: Mapping[str, Any]) -> list[str]:
    """Return the frames of a logged exception, line by line."""
    found = (fields.get(name) for name in ("exc_info", "stack_info"))
    return [line for text in found if isinstance(text, str) for line in clean(text).rstrip().split("\n") if line]


def parse_count(text: str | None, default: int) -> int:
    """Return the number given with -n, or raise UsageError."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"-n is {text!r}: give a number of lines, 0 for all that are kept")
    return int(text)
