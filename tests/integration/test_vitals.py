"""The example that is not Python: a shell script that knows nothing of AIGIS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "plugins" / "vitals" / "vitals.sh"


@contextmanager
def running(limits: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["sh", str(SCRIPT), "60"], stdout=subprocess.PIPE, text=True, env={**os.environ, **limits}, cwd=SCRIPT.parent
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=5)


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    values: dict[str, Any] = json.loads(process.stdout.readline())
    return values


@pytest.mark.parametrize(("limit", "level"), [("101", "INFO"), ("0", "WARNING")])
def test_a_line_is_json_whose_level_follows_the_limits(limit: str, level: str) -> None:
    with running({"VITALS_DISK_WARNING": limit, "VITALS_LOAD_WARNING": "1000000"}) as process:
        line = first_line(process)
    assert line["level"] == level
    assert 0 <= line["disk_percent"] <= 100
    assert line["cpus"] >= 1


def test_it_ends_at_once_when_asked() -> None:
    with running({}) as process:
        first_line(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
