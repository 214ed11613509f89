"""A process that runs code for a test: a stranger in the home, an internal plugin, or a core worker."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SECONDS = 60.0


@dataclass(frozen=True)
class Failure:
    """The exception a piece of code ended with."""

    kind: str
    text: str
    lineage: tuple[str, ...]
    """Names of its class and of the classes below."""
    cause: str
    facts: dict[str, Any]
    """Its attributes."""


class Console:
    """The test's end of such a process; `ask` sends code and returns the answer of `fixtures/agent/console.py`."""

    def __init__(self, ask: Callable[[str], dict[str, Any]], close: Callable[[], None] = lambda: None) -> None:
        self._ask = ask
        self.close = close

    def value(self, code: str) -> Any:
        """Run the code and return the value of its last line; what JSON does not know comes as its repr."""
        answer = self._ask(code)
        assert "error" not in answer, f"{code} raised {answer}"
        return answer["value"]

    def error(self, code: str) -> Failure:
        """Run the code and return the exception it raises."""
        answer = self._ask(code)
        assert "error" in answer, f"{code} gave {answer['value']!r} and raised nothing"
        return Failure(answer["error"], answer["text"], tuple(answer["lineage"]), answer["cause"], answer["facts"])


def on_pipes(reader: IO[bytes], writer: IO[bytes]) -> Console:
    """Return the console of a process whose stdout and stdin these are."""
    turn = threading.Lock()

    def ask(code: str) -> dict[str, Any]:
        with turn:
            writer.write(json.dumps(code).encode() + b"\n")
            writer.flush()
            line = reader.readline()
        assert line, f"the process ended while it ran {code}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close() -> None:
        writer.close()
        reader.close()

    return Console(ask, close)


def at_socket(place: Path) -> Console:
    """Return the console of an internal plugin that listens at `place`."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    with connection:
        connection.connect(str(place))
        return on_pipes(connection.makefile("rb"), connection.makefile("wb"))


def in_worker(caller: Console) -> Console:
    """Return the console of whatever core worker takes the call; `caller` sends it there."""

    def ask(code: str) -> dict[str, Any]:
        answer: dict[str, Any] = caller.value(f"aigis.probe.run({code!r})")
        return answer

    return Console(ask)
