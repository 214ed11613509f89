"""What `import aigis` costs a process that may never call anything."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
HEAVY = ("celery", "kombu", "redis", "billiard")


def median(code: str, folder: Path) -> float:
    """Return the milliseconds an interpreter takes for some code, the middle one of many runs."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def test_importing_aigis_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"import sys, aigis; print([name for name in sys.modules if name.split('.')[0] in {HEAVY}])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_importing_aigis_costs_is_told(tmp_path: Path) -> None:
    """It should add under 25 ms; how long anything takes here is not asserted."""
    bare, ours = median("", tmp_path), median("import aigis", tmp_path)
    print(f"\nbare interpreter {bare:.1f} ms, with aigis {ours:.1f} ms: {ours - bare:+.1f} ms")
