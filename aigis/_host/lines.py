"""Bytes into lines: however the bytes were cut into chunks, the lines are the same."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 64 * 1024
"""Bytes of one line, or of one part of a longer one; also the memory one stream may hold back."""
_LONGEST_CHARACTER = 4


@dataclass(frozen=True)
class Line:
    """One line without its end, or one part of it."""

    data: bytes
    part: int = 0
    """1, 2, 3 … of a line that was split for its length; 0 for a whole line."""
    unfinished: bool = False
    """True for the beginning of a line whose end had not come when `flush` was called."""


class LineSplitter:
    """Collects the bytes of one stream. Lines end with a line feed; a carriage return before it belongs to the end."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._pending = bytearray()
        self._part = 0

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines and parts that are complete now."""
        self._pending += data
        lines: list[Line] = []
        begin = 0
        while (end := self._pending.find(b"\n", begin)) >= 0:
            begin = self._split_long(begin, end, lines)
            lines.append(self._finish(self._pending[begin:end].removesuffix(b"\r")))
            begin = end + 1
        begin = self._split_long(begin, len(self._pending), lines)
        del self._pending[:begin]
        return lines

    def flush(self, *, ended: bool = False) -> list[Line]:
        """Return what is there of an unfinished line: at the end of the stream (`ended`), or to show it in time."""
        if not self._pending:
            self._part = 0 if ended else self._part
            return []
        data = bytes(self._pending)
        self._pending.clear()
        if ended:
            return [self._finish(data)]
        self._part += 1 if self._part else 0
        return [Line(data, self._part, unfinished=True)]

    @property
    def pending(self) -> bool:
        """Whether an unfinished line is held back."""
        return bool(self._pending)

    def _split_long(self, begin: int, end: int, lines: list[Line]) -> int:
        # One byte more, so that a carriage return at the limit does not begin a part of its own.
        while end - begin > self._longest + 1:
            cut = begin + self._character_border(begin)
            self._part += 1
            lines.append(Line(bytes(self._pending[begin:cut]), self._part))
            begin = cut
        return begin

    def _character_border(self, begin: int) -> int:
        """Return how many bytes to take so that no UTF-8 character is cut, if there are characters at all."""
        for length in range(self._longest, max(0, self._longest - _LONGEST_CHARACTER), -1):
            if self._pending[begin + length] & 0xC0 != 0x80:
                return length
        return self._longest

    def _finish(self, data: bytes | bytearray) -> Line:
        part = self._part + 1 if self._part else 0
        self._part = 0
        return Line(bytes(data), part)
