"""A process that has no plugin loaded, for what must arrive usable there."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aigis._wire import serializer

_CODE = """
import base64, json, sys
from aigis._wire import serializer
from aigis._wire.exceptions import describe_exception, rebuild_exception

kept = {}
for line in sys.stdin:
    order = json.loads(line)
    names = {**globals(), "answer": None}
    try:
        names["value"] = serializer.loads(base64.b64decode(order["value"]))
        exec(order["code"], names)
        print(base64.b64encode(serializer.dumps(names["answer"])).decode(), flush=True)
    except BaseException as error:
        print(f"!{type(error).__name__}: {error!s}".replace("\\n", " "), flush=True)
"""


class Stranger:
    """Runs statements with a value sent to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, code: str, value: object) -> Any:
        """Send `value`, run `code` there, return what it left in `answer`; what it keeps in `kept` stays."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"code": code, "value": base64.b64encode(serializer.dumps(value)).decode()}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline().strip()
        assert not line.startswith("!"), line[1:]
        return serializer.loads(base64.b64decode(line))


@contextmanager
def stranger_process() -> Iterator[Stranger]:
    """Start such a process, and end it."""
    with subprocess.Popen(
        [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Stranger(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
