"""Records from inside a process: one JSON object a line, to the pipe the supervisor reads as this child's log.

Only this pipe may say which plugin a line belongs to; what a plugin prints cannot pose as another's.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any, Callable, Mapping, Optional

from aigis._base.context import CURRENT_CALL
from aigis._base.names import PRIVATE_MODULES

LOG_FD_VARIABLE = "AIGIS_LOG_FD"
LOGGER_PREFIX = "aigis.plugin."
"""Before the plugin's name in the name of its logger."""


class RecordWriter:
    """Writes records to a descriptor, each in one piece; gives up quietly when nobody reads any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, **fields: Any) -> None:
        """Write one record."""
        # Half a character, as from bytes that are no UTF-8, has no place in the records' JSON.
        fields = {name: _whole(value) if isinstance(value, str) else value for name, value in fields.items()}
        line = json.dumps(fields, default=str, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
        with self._lock:
            while line:
                try:
                    line = line[os.write(self._descriptor, line) :]
                except OSError:
                    return


def _whole(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def record_writer(environ: Mapping[str, str]) -> RecordWriter:
    """Return the writer of this process: the log pipe, or stderr where there is none.

    The descriptor is not passed on to children: their lines would mix with ours.
    """
    number = environ.get(LOG_FD_VARIABLE, "")
    if not number.isdigit():
        return RecordWriter(sys.stderr.fileno())
    os.set_inheritable(int(number), False)
    return RecordWriter(int(number))


class RecordHandler(logging.Handler):
    """Turns log records of the logging module into records of the plugin they belong to."""

    def __init__(
        self,
        writer: RecordWriter,
        *,
        plugin: Optional[str] = None,
        plugin_of_file: Callable[[str], Optional[str]] = lambda file: None,
    ) -> None:
        """`plugin` is whose records these are where nothing says more; None means the process's own.

        `plugin_of_file` tells whose code logs, by its file; it may be replaced once that is known.
        """
        super().__init__()
        from pythonjsonlogger.json import JsonFormatter

        self._writer = writer
        self._plugin = plugin
        self.plugin_of_file = plugin_of_file
        self._extra: Any = JsonFormatter("%(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record that cannot be formatted is reported as logging does."""
        try:
            self._writer.write(**self._fields(record))
        except Exception:
            self.handleError(record)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        call = CURRENT_CALL.get()
        fields = self._own_fields(record)
        fields.update(level=record.levelname, message=self._text(record), logger=_shown_name(record.name))
        plugin = self._owner(record)
        if plugin is not None:
            fields["plugin"] = plugin
        if call is not None and call.id:
            fields["call"] = call.id
        return fields

    def _own_fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what the caller gave by `extra=`, in a form JSON has."""
        shown: dict[str, Any] = json.loads(self._extra.format(_without_exception(record)))
        reserved = {"message", "plugin", "stream", "level", "ts", "host"}
        return {name: value for name, value in shown.items() if name not in reserved and value is not None}

    @staticmethod
    def _text(record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        if record.stack_info:
            text += "\n" + record.stack_info
        return text

    def _owner(self, record: logging.LogRecord) -> Optional[str]:
        if record.name.startswith(LOGGER_PREFIX):
            return record.name[len(LOGGER_PREFIX) :].split(".", 1)[0]
        by_file = self.plugin_of_file(record.pathname)
        if by_file is not None:
            return by_file
        call = CURRENT_CALL.get()
        return call.plugin if call is not None else self._plugin


def _without_exception(record: logging.LogRecord) -> logging.LogRecord:
    copy = logging.makeLogRecord(record.__dict__)
    copy.exc_info = copy.exc_text = copy.stack_info = None
    return copy


def _shown_name(name: str) -> str:
    if name.startswith(PRIVATE_MODULES):
        return name[len(PRIVATE_MODULES) :]
    return name.removeprefix(LOGGER_PREFIX)


def plugin_logger(plugin: str) -> logging.Logger:
    """Return the logger handed to skills and launch functions of a plugin."""
    return logging.getLogger(LOGGER_PREFIX + plugin)
