"""Lines into records: what a line of a child's output says, and what it may say."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from aigis._base.messages import Record
from aigis._host.lines import Line

PROTECTED = ("ts", "host", "plugin", "stream")
"""What no line of a plugin may say of itself; its own fields of these names are kept as `own_ts` and so on."""
STREAMS = ("stdout", "stderr", "log")
_DEFAULT_LEVELS = {"stdout": "INFO", "stderr": "WARNING", "log": "INFO"}
_LEVELS = {
    "TRACE": "DEBUG", "DEBUG": "DEBUG", "INFO": "INFO", "NOTICE": "INFO", "WARN": "WARNING", "WARNING": "WARNING",
    "ERR": "ERROR", "ERROR": "ERROR", "CRIT": "CRITICAL", "CRITICAL": "CRITICAL", "FATAL": "CRITICAL",
}  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where a line comes from."""

    host: str
    child: str
    stream: str
    """The pipe: 'stdout', 'stderr' or 'log'."""

    @property
    def trusted(self) -> bool:
        """Whether AIGIS's own code writes there: only it may name the plugin and the stream."""
        return self.stream == "log"


def read_line(line: Line, origin: Origin, now: float) -> Record:
    """Return the record of one line; whatever the bytes are, it has a JSON form and loses nothing.

    A line that is one JSON object gives fields, level and message; bytes that are no UTF-8 are shown with backslashes
    (field `lossy`) and kept in field `raw` as base64.
    """
    text, fields = _decode(line.data)
    if line.part:
        fields["part"] = line.part
    if line.unfinished:
        fields["unfinished"] = True
    said = _parse(text) if not fields else None
    if said is None:
        return _record(origin, now, text=text, fields=fields)
    return _structured(said, text, origin, now)


def _decode(data: bytes) -> tuple[str, dict[str, Any]]:
    try:
        return data.decode(), {}
    except UnicodeDecodeError:
        raw = base64.b64encode(data).decode("ascii")
        return data.decode("utf-8", "backslashreplace"), {"lossy": True, "raw": raw}


def _parse(text: str) -> dict[str, Any] | None:
    """Return the object a line consists of, or None for any other text and for what could not be written again."""
    if not text.startswith("{") or not text.rstrip().endswith("}"):
        return None
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # lone surrogates have no UTF-8 form
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _structured(said: dict[str, Any], text: str, origin: Origin, now: float) -> Record:
    plugin, stream = origin.child, origin.stream
    if origin.trusted:
        plugin = _text(said.pop("plugin", None)) or plugin
        wanted = said.pop("stream", None)
        stream = wanted if wanted in STREAMS else stream
    level = _level(said, stream)
    message = said.pop("message", None)
    fields = {f"own_{name}" if name in PROTECTED else name: value for name, value in said.items()}
    return Record(
        ts=now,
        host=origin.host,
        plugin=plugin,
        stream=stream,
        level=level,
        message=text if message is None else _text(message),
        fields=fields,
    )


def _record(origin: Origin, now: float, *, text: str, fields: Mapping[str, Any]) -> Record:
    return Record(
        ts=now,
        host=origin.host,
        plugin=origin.child,
        stream=origin.stream,
        level=_DEFAULT_LEVELS[origin.stream],
        message=text,
        fields=dict(fields),
    )


def _level(said: dict[str, Any], stream: str) -> str:
    """Take the level out of what was said; one that nobody knows stays there under `own_level`."""
    if "level" not in said:
        return _DEFAULT_LEVELS[stream]
    own = said.pop("level")
    known = _LEVELS.get(own.strip().upper()) if isinstance(own, str) else _of_number(own)
    if known is None:
        said["own_level"] = own
    return known or _DEFAULT_LEVELS[stream]


def _of_number(level: object) -> str | None:
    """Return the name of a level given as Python's number."""
    if not isinstance(level, int) or isinstance(level, bool):
        return None
    names = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    return names[min(4, max(0, level // 10 - 1))]


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
