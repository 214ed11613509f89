"""Measures one call of a skill that does nothing, beside one call of plain Celery, in the same run.

    .venv/bin/python ops/bench/call.py [--calls 500] [--blocks 6] [--json]

Both have one worker with a pool of eight threads and a Redis of their own on a Unix socket; Celery's settings are its
defaults. One caller makes one call after the other, in alternating blocks, so that a change in the machine's mood
meets both. What it says holds for this machine at this hour: compare the ratio, not the microseconds. AIGIS' Redis
writes every change to its log on disk, as in production; Celery's writes nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aigis._base.home import Home
from aigis._host.redis_binary import Server, find_server

THREADS = 8
WARM_UP = 200
"""Calls before the first that counts."""
CONFIG = 'PLUGIN_TYPE = "core"\nENTRYPOINT = "{root}"\n'
CORE = 'SKILLS = ["noop"]\n\n\ndef noop():\n    return None\n'
CELERY_APP = """\
import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])


@app.task
def noop():
    return None
"""


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: seconds of every call, block by block."""

    name: str
    blocks: tuple[tuple[float, ...], ...]

    def summary(self) -> dict[str, float]:
        """Return median and 99th percentile in microseconds, and calls per second in sequence."""
        calls = sorted(second for block in self.blocks for second in block)
        return {
            "calls": len(calls),
            "p50_us": round(statistics.median(calls) * 1e6, 1),
            "p99_us": round(calls[min(len(calls) - 1, int(len(calls) * 0.99))] * 1e6, 1),
            "per_second": round(len(calls) / sum(calls), 1),
        }

    def block_medians(self) -> list[float]:
        """Return the median of every block in microseconds: they show how calm the machine was."""
        return [round(statistics.median(block) * 1e6, 1) for block in self.blocks]


class Caller:
    """A process that makes calls when told to, and nothing else."""

    def __init__(self, name: str, environ: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--caller", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environ), cwd=directory,
        )  # fmt: skip

    def make(self, count: int) -> tuple[float, ...]:
        """Make `count` calls and return the seconds each took."""
        assert self.process.stdin is not None  # noqa: S101
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the caller of {self.name} ended with {self.process.wait()}; its error stands above")
        return tuple(json.loads(line))


def main() -> None:
    """Measure and print."""
    options = parse_words()
    if options.caller:
        obey(skill_of_aigis() if options.caller == "aigis" else task_of_celery())
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        root = Path(folder)
        server = find_server(Home(root))
        callers = [stack.enter_context(aigis_side(root)), stack.enter_context(celery_side(root, server))]
        sides = measure(callers, options.calls, options.blocks)
        result = describe(sides, server)
    print(json.dumps(result) if options.json else table(result))


def parse_words() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=500, help="calls in a block")
    parser.add_argument("--blocks", type=int, default=6, help="blocks of each side")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--caller", choices=["aigis", "celery"], help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(callers: Sequence[Caller], calls: int, blocks: int) -> list[Side]:
    """Let the callers take turns."""
    for caller in callers:
        caller.make(WARM_UP)
    taken: dict[str, list[tuple[float, ...]]] = {caller.name: [] for caller in callers}
    for _ in range(blocks):
        for caller in callers:
            taken[caller.name].append(caller.make(calls))
    return [Side(name, tuple(found)) for name, found in taken.items()]


def describe(sides: Sequence[Side], server: Server) -> dict[str, Any]:
    """Return all that is worth keeping of a run."""
    ours, theirs = (side.summary() for side in sides)
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "server": str(server),
        "sides": {side.name: {**side.summary(), "block_p50_us": side.block_medians()} for side in sides},
        "ratio_p50": round(ours["p50_us"] / theirs["p50_us"], 3),
        "ratio_p99": round(ours["p99_us"] / theirs["p99_us"], 3),
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the result for people."""
    lines = [
        f"one call, one caller, threads pool of {THREADS}",
        f"{result['machine']}, Python {result['python']}, {result['server']}",
        "",
        f"{'':8}{'p50':>12}{'p99':>12}{'calls/s':>10}   p50 of each block",
    ]
    for name, side in result["sides"].items():
        blocks = " ".join(f"{median:.0f}" for median in side["block_p50_us"])
        lines.append(f"{name:8}{side['p50_us']:>9} µs{side['p99_us']:>9} µs{side['per_second']:>10}   {blocks}")
    lines.append(f"{'ratio':8}{result['ratio_p50']:>12}{result['ratio_p99']:>12}")
    return "\n".join(lines)


@contextmanager
def aigis_side(root: Path) -> Iterator[Caller]:
    """Start AIGIS in a home of its own with one plugin; gives the caller."""
    home = root / "home"
    folder = home / "plugins" / "bench" / "AIGIS"
    folder.mkdir(parents=True)
    (folder / "AIGIS.config").write_text(CONFIG)
    (folder / "AIGIS.core").write_text(CORE)
    (home / "aigis.toml").write_text(f"[aigis]\nthreads = {THREADS}\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AIGIS_")}
    environ["AIGIS_HOME"] = str(home)
    program = str(Path(sys.executable).parent / "aigis")
    try:
        subprocess.run([program, "up", "--detach"], env=environ, stdout=sys.stderr, check=True)
        with ended(Caller("aigis", environ, root)) as caller:
            yield caller
    finally:
        subprocess.run([program, "down"], env=environ, stdout=sys.stderr, check=False)


@contextmanager
def celery_side(root: Path, server: Server) -> Iterator[Caller]:
    """Start a Redis and a Celery worker; gives the caller."""
    folder = root / "celery"
    folder.mkdir()
    (folder / "bench_app.py").write_text(CELERY_APP)
    socket = folder / "redis.sock"
    environ = {**os.environ, "BENCH_REDIS": f"redis+socket://{socket}"}
    redis = [str(server.program), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    worker = [sys.executable, "-m", "celery", "-A", "bench_app", "worker", "--pool", "threads", "--loglevel", "ERROR"]
    with (
        process(redis, environ, folder),
        process([*worker, "--concurrency", str(THREADS)], environ, folder),
        ended(Caller("celery", environ, folder)) as caller,
    ):
        yield caller


@contextmanager
def process(command: Sequence[str], environ: Mapping[str, str], directory: Path) -> Iterator[None]:
    """Run a program for as long as the block lasts."""
    child = subprocess.Popen(command, env=dict(environ), cwd=directory, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        stop(child)


@contextmanager
def ended(caller: Caller) -> Iterator[Caller]:
    """Give the caller, and end it afterwards."""
    try:
        yield caller
    finally:
        stop(caller.process)


def stop(child: subprocess.Popen[Any]) -> None:
    """Ask a process to end; after a while, end it."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def obey(call: Callable[[], object]) -> None:
    """Read counts from stdin; make so many calls, and print the seconds of each."""
    for line in sys.stdin:
        taken = []
        for _ in range(int(line)):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
        print(json.dumps(taken), flush=True)


def skill_of_aigis() -> Callable[[], object]:
    """Return the call as any plain Python process makes it, the way to the skill included."""
    aigis: Any = importlib.import_module("aigis")

    def call() -> object:
        return aigis.noop()

    return call


def task_of_celery() -> Callable[[], object]:
    """Return the same with Celery alone; the folder of its app is where this process was started."""
    sys.path.insert(0, os.getcwd())
    app: Any = importlib.import_module("bench_app")

    def call() -> object:
        return app.noop.delay().get(timeout=60)

    return call


if __name__ == "__main__":
    main()
