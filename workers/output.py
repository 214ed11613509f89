"""The output of a worker's process as records: who logged or printed a line is told by the call it runs."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TextIO

from aigis._base.context import CURRENT_CALL
from aigis._base.records import RecordWriter


class AttributedStream(io.TextIOBase):
    """A stdout or stderr whose lines become records of the plugin that printed them.

    Lines are kept apart by thread, so that two skills printing at once do not mix; what belongs to no plugin goes to
    the stream it was meant for.
    """

    def __init__(self, name: str, original: TextIO, writer: RecordWriter) -> None:
        self._name = name
        self._original = original
        self._writer = writer
        self._begun = threading.local()

    def writable(self) -> bool:
        """Return True."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream behind."""
        return self._original.encoding

    def fileno(self) -> int:
        """Return the descriptor of the stream behind: a child's output cannot be told apart."""
        return self._original.fileno()

    def isatty(self) -> bool:
        """Return False."""
        return False

    def write(self, text: str) -> int:
        """Send complete lines, keep the begun one."""
        plugin = self._plugin()
        if plugin is None:
            return self._original.write(text)
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest
        for line in lines:
            self._send(plugin, line)
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind; a begun line waits for its end."""
        self._original.flush()

    def finish_line(self) -> None:
        """Send this thread's begun line: its call has ended."""
        rest, self._begun.text = getattr(self._begun, "text", ""), ""
        plugin = self._plugin()
        if rest and plugin is not None:
            self._send(plugin, rest)

    @staticmethod
    def _plugin() -> str | None:
        call = CURRENT_CALL.get()
        return call.plugin if call is not None else None

    def _send(self, plugin: str, line: str) -> None:
        call = CURRENT_CALL.get()
        level = "INFO" if self._name == "stdout" else "WARNING"
        fields = {"call": call.id} if call is not None and call.id else {}
        self._writer.write(plugin=plugin, stream=self._name, level=level, message=line, **fields)


def attribute_output(writer: RecordWriter) -> tuple[AttributedStream, AttributedStream]:
    """Replace stdout and stderr of this process, and route its loggers, through `writer`; return the two streams."""
    out = AttributedStream("stdout", sys.stdout, writer)
    err = AttributedStream("stderr", sys.stderr, writer)
    sys.stdout, sys.stderr = out, err
    logging.getLogger("celery").setLevel(logging.WARNING)
    logging.getLogger("kombu").setLevel(logging.WARNING)
    return out, err
