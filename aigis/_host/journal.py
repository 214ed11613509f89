"""The supervisor's own log: to stderr for whoever started it, and as records of `aigis.supervisor` to the stream."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from aigis._base.messages import Record

OWN_NAME = "aigis.supervisor"
_FIELDS = ("action", "child", "pid")


class JournalHandler(logging.Handler):
    """Puts each log record into the pump's buffer."""

    def __init__(self, add: Callable[[Record], None], host: str) -> None:
        super().__init__(logging.INFO)
        self._add = add
        self._host = host

    def emit(self, record: logging.LogRecord) -> None:
        """Take one log record."""
        fields = {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)
        message = record.getMessage()
        self._add(Record(record.created, self._host, OWN_NAME, "log", record.levelname, message, fields))


def log_to_stderr() -> None:
    """Have everything AIGIS logs in this process written to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger = logging.getLogger("aigis")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
