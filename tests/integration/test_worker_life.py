"""How a core worker follows its plan, shares SINGLE plugins, lives through a lost Redis, and ends."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import aigis
from aigis import _proxy
from aigis._base.messages import PlannedPlugin
from aigis._wire import keys
from tests.stage import RedisServer, Stage, eventually

skills: Any = aigis
"""What a plugin writes as `aigis`; the type checker knows no skills."""

TALLY = """
    import os
    import time

    import aigis

    SKILLS = ["tally.add", "tally.twice", "tally.slow", "tally.pid"]
    total = 0
    running = []

    class tally:
        def add():
            global total
            assert not running, "two at once"
            running.append(1)
            before = total
            time.sleep(0.0005)
            total = before + 1
            running.pop()
            return total
        def twice(): return aigis.tally.pid() == os.getpid()
        def slow(ledger, n):
            with open(ledger, "a") as file:
                file.write(f"{n}\\n")
            time.sleep(0.08)
            return n
        def pid(): return os.getpid()
"""
SPREAD = """
    import os
    import time

    import aigis

    SKILLS = ["spread.pid", "spread.slow", "spread.tally"]

    class spread:
        def pid():
            time.sleep(0.02)
            return os.getpid()
        def slow(ledger, n):
            with open(ledger, "a") as file:
                file.write(f"{n}\\n")
            time.sleep(0.05)
            return n
        def tally(): return aigis.tally.add()
"""


@pytest.fixture(scope="module")
def duo(open_stage: Callable[[str], Stage]) -> Stage:
    """Two workers that load the same plugins, one of them SINGLE."""
    stage = open_stage("duo")
    write = stage.plugins.write
    stage.plan(write("tally", TALLY, single=True), write("spread", SPREAD))
    for name in ("worker-1", "worker-2"):
        stage.start_worker(name)
    stage.settle()
    return stage


def test_a_single_plugin_runs_one_call_at_a_time_in_one_of_two_workers(duo: Stage) -> None:
    with ThreadPoolExecutor(20) as pool:
        direct = [pool.submit(_proxy.call, "tally.add", seconds=10) for _ in range(80)]
        through_another = [pool.submit(_proxy.call, "spread.tally", seconds=10) for _ in range(20)]
        totals = [future.result(10) for future in (*direct, *through_another)]
    assert sorted(totals) == list(range(1, 101))


def test_other_plugins_are_served_by_both_workers(duo: Stage) -> None:
    served: set[int] = set()
    with ThreadPoolExecutor(16) as pool:

        def call_on() -> bool:
            # A worker's wait in Redis that is under way does not know the plugin's queue yet, for up to a second.
            served.update(pool.map(lambda _: skills.spread.pid(), range(16)))
            return served == {worker.process.pid for worker in duo.workers}

        eventually(call_on)


def test_a_single_plugins_own_nested_call_runs_in_place(duo: Stage) -> None:
    assert _proxy.call("tally.twice", seconds=3) is True


def test_a_revoked_call_gives_up_its_turn(duo: Stage) -> None:
    from workers.celery_app import make_app

    app = make_app(*_proxy._SLOT.get()._invoker._url_and_key())  # type: ignore[attr-defined]
    ledger = duo.home.root / "revoked"
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(_proxy.call, "tally.slow", (str(ledger), n), seconds=5) for n in range(4)]
        eventually(ledger.exists)
        reserved = app.control.inspect(timeout=0.3).reserved() or {}
        waiting = [request["id"] for requests in reserved.values() for request in requests]
        app.control.revoke(waiting, reply=True, timeout=0.3)
        ended = [future.exception(5) for future in calls]
    assert {type(error) for error in ended} <= {type(None), aigis.Cancelled}
    assert skills.tally.pid()


@pytest.mark.parametrize("path", ["spread.slow", "tally.slow"], ids=["many", "single"])
def test_an_orderly_stop_gives_back_what_it_has_not_started(duo: Stage, path: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    first = _serving(duo, path.partition(".")[0])
    with ThreadPoolExecutor(60) as pool:
        calls = [
            pool.submit(_proxy.call, path, (str(ledger), n), seconds=20) for n in range(60 if "spread" in path else 14)
        ]
        eventually(lambda: ledger.exists() and ledger.read_text().count("\n") >= 3)
        assert first.end() == 0
        for worker in duo.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGUSR1)  # else it looks for free leases every other second
        duo.start_worker(first.name)
        assert [future.result(15) for future in calls] == list(range(len(calls)))
    assert Counter(ledger.read_text().split()).most_common(1)[0][1] == 1
    duo.settle()


def _serving(stage: Stage, plugin: str) -> Any:
    newest = {news.worker: news for news in stage.news}
    return next(w for w in stage.workers if w.process.poll() is None and plugin in newest[w.name].serving)


CHANGING = """
    import aigis
    from src import VERSION

    SKILLS = ["changing.version", "changing.later"]

    class changing:
        def version(): return VERSION
        def later():
            from src.deep import where
            return where()

    def cleanup():
        with open({ledger!r}, "a") as file:
            file.write(f"cleanup {{VERSION}}\\n")
"""


class Changing:
    """A plugin in several versions, and the ledger its `cleanup` writes."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.ledger = stage.home.root / "ledger"
        self.ledger.touch()

    def version(self, number: int) -> PlannedPlugin:
        files = {
            "src/__init__.py": f"VERSION = {number}",
            "src/deep.py": "from src import VERSION\ndef where(): return VERSION",
        }
        return self.stage.plugins.write("changing", CHANGING.format(ledger=str(self.ledger)), files)

    def cleaned_up(self) -> list[str]:
        return self.ledger.read_text().splitlines()


@pytest.fixture(scope="module")
def changing(open_stage: Callable[[str], Stage]) -> Changing:
    stage = open_stage("changing")
    changing = Changing(stage)
    stage.plan(changing.version(1))
    stage.start_worker()
    stage.settle()
    return changing


@pytest.fixture
def first_version(changing: Changing) -> Changing:
    """Bring the worker to where every test of changes begins."""
    changing.stage.plan(changing.version(1))
    changing.stage.settle()
    changing.ledger.write_text("")
    return changing


def test_a_new_version_takes_the_place_of_the_old_one(first_version: Changing) -> None:
    assert (skills.changing.version(), skills.changing.later()) == (1, 1)
    first_version.stage.plan(first_version.version(2))
    first_version.stage.settle()
    assert (skills.changing.version(), skills.changing.later()) == (2, 2)
    assert first_version.cleaned_up() == ["cleanup 1"]


def test_a_plugin_that_is_disabled_is_unloaded_and_comes_back(first_version: Changing) -> None:
    planned = first_version.version(1)
    first_version.stage.plan(dataclasses.replace(planned, enabled=False))
    first_version.stage.settle()
    with pytest.raises(aigis.PluginDisabled):
        skills.changing.version()
    assert first_version.cleaned_up() == ["cleanup 1"]
    first_version.stage.plan(planned)
    first_version.stage.settle()
    assert skills.changing.version() == 1


def test_plugins_come_and_go_while_others_serve(first_version: Changing) -> None:
    added = first_version.stage.plugins.write("added", "SKILLS = ['added']\nadded = 6")
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(skills.changing.version) for _ in range(100)]
        first_version.stage.plan(first_version.version(1), added)
        first_version.stage.settle()
        assert skills.added() == 6
        first_version.stage.plan(first_version.version(1))
        first_version.stage.settle()
        assert {future.result(5) for future in calls} == {1}
    with pytest.raises(aigis.SkillNotFound):
        skills.added()
    assert first_version.cleaned_up() == []


def test_a_version_that_fails_is_not_tried_again_until_there_is_another(first_version: Changing) -> None:
    stage = first_version.stage
    broken = stage.plugins.write("changing", "raise ValueError('third time')")
    stage.plan(broken)
    stage.settle()
    with pytest.raises(aigis.NoWorker, match="third time"):
        skills.changing.version()
    stage.plan(first_version.version(3))
    stage.settle()
    assert skills.changing.version() == 3


def test_a_reloaded_plugin_is_served_on_after_connections_break(
    first_version: Changing, module_redis: RedisServer
) -> None:
    first_version.stage.plan(first_version.version(4))
    first_version.stage.settle()
    assert skills.changing.version() == 4
    with module_redis.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
        client.client_kill_filter(_type="pubsub", skipme=True)
    eventually(lambda: _answer("changing.version") == 4)


def _answer(path: str) -> Any:
    try:
        return _proxy.call(path, seconds=1)
    except aigis.CallError:
        return None


def test_an_idle_worker_that_is_stopped_cleans_up_once_and_ends_with_0(first_version: Changing) -> None:
    worker = first_version.stage.workers[-1]
    assert worker.end() == 0
    assert first_version.cleaned_up() == ["cleanup 1"]
    first_version.stage.start_worker()
    first_version.stage.settle()
    assert skills.changing.version() == 1


FINE = "SKILLS = ['fine']\nfine = 6"
TAINTING = """
    import threading, time
    SKILLS = ["tainting"]
    threading.Thread(target=time.sleep, args=(30,), name="sleeper", daemon=True).start()
"""
HANGING = "import time\nSKILLS = ['hanging']\ntime.sleep(30)"


@contextmanager
def alone(open_stage: Callable[[str], Stage], name: str, core: str, settings: str = "") -> Iterator[Stage]:
    """Start a worker whose plugin `name` taints it, after another that is fine."""
    stage = open_stage(name)
    (stage.home.root / "aigis.toml").write_text(settings)
    stage.plan(stage.plugins.write("fine", FINE), stage.plugins.write(name, core))
    stage.start_worker()
    yield stage
    stage.plan()


def test_a_plugin_that_taints_its_worker_is_told_and_the_worker_ends(open_stage: Callable[[str], Stage]) -> None:
    with alone(open_stage, "tainting", TAINTING) as stage:
        assert stage.workers[0].wait() == 0
        report = eventually(lambda: stage.report("tainting"))
    assert report is not None
    assert (report.status, report.phase) == ("tainted", "taint")
    assert "thread 'sleeper' running" in report.reason
    assert [r.status for r in stage.news[-1].reports if r.plugin == "fine"] == ["ready"]


def test_an_import_that_does_not_end_taints_its_worker(open_stage: Callable[[str], Stage]) -> None:
    with alone(open_stage, "hanging", HANGING, "[aigis]\nimport_timeout = 1\n") as stage:
        assert stage.workers[0].wait() == 0
        report = eventually(lambda: stage.report("hanging"))
    assert report is not None
    assert (report.status, report.phase) == ("tainted", "import")
    assert "its import did not end within 1 s" in report.reason


def test_a_worker_outlives_its_redis(new_redis: Callable[[], RedisServer], key: bytes, tmp_path: Path) -> None:
    server = new_redis()
    server.start()
    stage = Stage(tmp_path / "home", server.url, key=key, host="box")
    try:
        stage.plan(stage.plugins.write("fine", FINE))
        stage.start_worker()
        stage.settle()
        told = len(stage.news)
        server.stop()
        server.start()
        # It tells everything again, since the news were in the Redis that is gone.
        eventually(lambda: len(stage.news) > told)
        stage.settle()
        with _calling(server.url, key):
            assert eventually(lambda: _answer("fine")) == 6
    finally:
        stage.close()
        server.stop()


@contextmanager
def _calling(url: str, key: bytes) -> Iterator[None]:
    from aigis._wire.invoker import RemoteInvoker, Sender
    from aigis._wire.remote import RemoteRuntime

    before = _proxy._SLOT.get()
    _proxy.install(RemoteRuntime(RemoteInvoker(lambda: (url, key), Sender("box")), _proxy.Path))
    try:
        yield
    finally:
        _proxy.install(before)


def test_a_worker_without_a_home_says_so_and_ends_with_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers"], env={**os.environ, "AIGIS_HOME": str(tmp_path)}, check=False,
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("worker: AIGIS is not running in")
    assert "Traceback" not in done.stderr


def test_a_plan_that_changes_while_plugins_load_is_followed(open_stage: Callable[[str], Stage]) -> None:
    stage = open_stage("hurried")
    slow = stage.plugins.write("slow", "import time\nSKILLS = ['slow']\nslow = 6\ntime.sleep(0.3)")
    stage.plan(slow)
    stage.start_worker()
    eventually(lambda: stage.news)
    stage.plan(stage.plugins.write("swift", "SKILLS = ['swift']\nswift = 7"))
    stage.settle()
    assert skills.swift() == 7
    with pytest.raises(aigis.SkillNotFound):
        skills.slow()


def test_leases_are_given_up_at_the_end(duo: Stage, module_redis: RedisServer) -> None:
    with module_redis.client() as client:
        holder: Any = client.get(keys.single("tally"))
        owner = next(w for w in duo.workers if f":{w.process.pid}:".encode() in holder)
        others = [w for w in duo.workers if w is not owner and w.process.poll() is None]
        for worker in others:
            worker.end()
        assert client.get(keys.single("tally")) == holder
        owner.end()
        assert client.get(keys.single("tally")) is None
