"""The processes of a test: a real Redis, real core workers, and the test in their supervisor's place."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import redis

from aigis._base.errors import BusUnavailable
from aigis._base.home import Home, write_private
from aigis._base.messages import CatalogEntry, LoadReport, Plan, PlannedPlugin, WorkerNews
from aigis._wire.bus import connect, connect_async
from aigis._wire.control import BLOCK, Inbox
from aigis._wire.directory import Directory
from aigis._wire.signing import read_key
from tests.building import Plugins

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 10.0) -> T:
    """Return what `look` gives as soon as that is true; fails after `seconds`."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"it did not come true within {seconds} s: {look}"
        time.sleep(0.005)
    return found


class RedisServer:
    """A redis-server of the test's own, on a Unix socket whose name needs quoting."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._argv = [
            str(program), "--port", "0", "--unixsocket", str(folder / "r #%.sock"), "--dir", str(folder),
            "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{quote(str(folder / 'r #%.sock'))}"

    def start(self) -> None:
        """Start it empty, and wait until it answers."""
        self._process = subprocess.Popen(self._argv, stdout=subprocess.DEVNULL)
        with self.client() as client:
            eventually(lambda: _answers(client))

    def stop(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def client(self) -> redis.Redis:
        """Return a new client."""
        return connect(self.url)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.exceptions.ConnectionError, OSError):
        return False


@contextmanager
def running(server: RedisServer) -> Iterator[RedisServer]:
    """Keep a server up for the time of a block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_home(folder: Path, url: str, key: bytes) -> Home:
    """Make a home that knows where Redis is, as a running supervisor leaves it."""
    home = Home(folder)
    home.state.mkdir(parents=True)
    write_private(home.key_file, key.hex().encode())
    write_private(home.bus_file, f"{url}\n".encode())
    return home


class WorkerProcess:
    """A `python -m workers` and everything it says."""

    def __init__(self, home: Home, host: str, name: str) -> None:
        ours, its = os.pipe()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AIGIS_")}
        told = {"AIGIS_HOME": str(home.root), "AIGIS_HOST": host, "AIGIS_WORKER": name, "AIGIS_LOG_FD": str(its)}
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers"],
            cwd=home.root, env={**inherited, **told}, pass_fds=(its,), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        os.close(its)
        self.records: list[dict[str, Any]] = []
        self.output: list[str] = []
        assert self.process.stdout is not None
        self._readers = [
            threading.Thread(target=self._read, args=(os.fdopen(ours, "rb"), json.loads, self.records)),
            threading.Thread(target=self._read, args=(self.process.stdout, bytes.decode, self.output)),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, parse: Callable[[bytes], Any], lines: list[Any]) -> None:
        with stream:
            lines.extend(map(parse, stream))  # each as it comes

    def messages(self, **fields: Any) -> list[str]:
        """Return the messages of the records that have these fields."""
        return [r["message"] for r in list(self.records) if all(r.get(key) == value for key, value in fields.items())]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, seconds: float = 10.0) -> int:
        """Wait until it has ended and all it said was read; return the exit code."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join()
        return code


class Stage:
    """A home, its plugins and workers, and the test in the supervisor's place: it hears news, publishes the catalog."""

    def __init__(self, folder: Path, url: str, *, key: bytes, host: str) -> None:
        self.home = make_home(folder, url, key)
        self.host = host
        self.plugins = Plugins(folder / "run")
        self.news: list[WorkerNews] = []
        self.workers: list[WorkerProcess] = []
        self._url = url
        self._plan = Plan(host=host)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._directory = self._do(self._open())

    def plan(self, *plugins: PlannedPlugin) -> None:
        """Make this the plan, say so in the catalog, and tell the workers."""
        self._plan = Plan(self._plan.generation + 1, self.host, plugins)
        write_private(self.home.plan_file, self._plan.to_json().encode())
        self._do(self._publish())
        for worker in self.workers:
            if worker.process.poll() is None and any(news.worker == worker.name for news in self.news):
                worker.process.send_signal(signal.SIGUSR1)

    def start_worker(self, name: str = "worker-1") -> WorkerProcess:
        """Start a worker."""
        worker = WorkerProcess(self.home, self.host, name)
        self.workers.append(worker)
        return worker

    def settle(self) -> None:
        """Wait until every living worker has tried every plugin of the plan."""
        alive = [worker for worker in self.workers if worker.process.poll() is None]
        eventually(lambda: all(self._is_settled(worker) for worker in alive))
        self._do(self._publish())

    def report(self, plugin: str) -> LoadReport | None:
        """Return the newest report of a plugin, from whichever worker."""
        reports = [report for news in self.news for report in news.reports if report.plugin == plugin]
        return reports[-1] if reports else None

    def close(self) -> None:
        """End the workers and everything else."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.end()
        self._loop.call_soon_threadsafe(self._receiver.cancel)
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _is_settled(self, worker: WorkerProcess) -> bool:
        told = [news for news in self.news if (news.worker, news.pid) == (worker.name, worker.process.pid)]
        return bool(told) and told[-1].settled and told[-1].generation == self._plan.generation

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> Directory:
        self._client = connect_async(self._url, timeout=BLOCK + 5)
        self._receiver = asyncio.create_task(self._receive())
        return Directory(self._client, self.host)

    async def _receive(self) -> None:
        inbox = Inbox(self._client, read_key(self.home.key_file), self.host)
        while True:
            try:
                news = await inbox.receive()
            except BusUnavailable:
                await asyncio.sleep(0.05)
                continue
            if isinstance(news, WorkerNews):
                self.news.append(news)
                await self._publish()

    async def _publish(self) -> None:
        await self._directory.publish_catalog([self._entry(plugin) for plugin in self._plan.plugins])

    def _entry(self, plugin: PlannedPlugin) -> CatalogEntry:
        report = self.report(plugin.name)
        known = report if report is not None and report.version == plugin.version else None
        entry = CatalogEntry(
            plugin=plugin.name, type=plugin.type, state="loading", version=plugin.version, branches=plugin.branches,
            single=plugin.single, timeout=plugin.timeout,
        )  # fmt: skip
        if not plugin.enabled:
            return dataclasses.replace(entry, state="disabled", skills=known.skills if known else ())
        if known is None:
            return entry
        state = "ready" if known.status == "ready" else "failed"
        return dataclasses.replace(entry, state=state, skills=known.skills, reason=known.reason)

    async def _close(self) -> None:
        await asyncio.gather(self._receiver, return_exceptions=True)
        await self._client.aclose()
