"""What a skill may do to the worker that runs it, and what anybody may put before it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import aigis
from aigis import _proxy
from aigis._base.home import Home
from aigis._host.processes import snapshot
from aigis._host.redis_binary import find_server
from aigis._wire import keys
from aigis._wire.bus import connect
from tests.stage import RedisServer, Stage, eventually, running

EVIL = """
    import os
    import sys

    SKILLS = ["evil"]

    class Silent(Exception):
        def __str__(self): raise SystemExit("no text")

    class Faceless(Exception):
        @property
        def __class__(self): raise KeyboardInterrupt

    class Nameless(type):
        def __getattribute__(cls, name):
            if name in ("__module__", "__qualname__", "__mro__"): raise GeneratorExit
            return type.__getattribute__(cls, name)

    class Unnamed(Exception, metaclass=Nameless): pass

    class Shy:
        def __reduce__(self): raise TypeError
        def __repr__(self): raise KeyboardInterrupt

    FAULTS = {"silent": Silent, "faceless": Faceless, "unnamed": Unnamed, "argument": lambda: ValueError(Shy())}

    class evil:
        def fail(kind): raise FAULTS[kind]()
        def pid(): return os.getpid()
        def fork():
            if os.fork():
                return "original"
            return "clone"
        def odd(): print("half \\udcff a character\\0")
"""
ONE = "SKILLS = ['one']\ndef one(): return 1\n"


@pytest.fixture(scope="module")
def stage(open_stage: Callable[[str], Stage]) -> Stage:
    stage = open_stage("den")
    write = stage.plugins.write
    stage.plan(write("evil", EVIL), write("one", ONE, single=True))
    stage.start_worker()
    stage.settle()
    return stage


@pytest.fixture(autouse=True)
def _worker(stage: Stage) -> None:
    assert stage.workers[0].process.poll() is None


@pytest.mark.parametrize(
    ("kind", "arrives_as"),
    [("silent", "Silent"), ("faceless", "CallError"), ("unnamed", "CallError"), ("argument", "ValueError")],
)
def test_an_exception_that_cannot_be_described_is_answered_all_the_same(kind: str, arrives_as: str) -> None:
    with pytest.raises(Exception) as caught:
        _proxy.call("evil.fail", (kind,), seconds=5)
    assert type(caught.value).__name__ == arrives_as


def test_a_skill_that_forks_is_answered_once_by_the_original_and_leaves_no_clone(stage: Stage) -> None:
    assert _proxy.call("evil.fork", seconds=5) == "original"
    worker = stage.workers[0].process.pid
    born = [p for p in snapshot().values() if p.parent == worker]
    assert born  # the clone, dead or alive: nobody but the skill could reap it
    eventually(lambda: all(p.zombie for p in snapshot().values() if p.parent == worker))


def test_half_characters_in_what_a_skill_prints_stay_with_the_plugin(stage: Stage) -> None:
    _proxy.call("evil.odd", seconds=5)
    eventually(lambda: stage.workers[0].messages(plugin="evil", stream="stdout") == ["half \\udcff a character\0"])


@pytest.mark.parametrize("encoding", ["nope", None, 7])
def test_a_body_in_an_unknown_encoding_is_refused_and_the_worker_lives(stage: Stage, encoding: Any) -> None:
    properties = {"delivery_tag": "t", "delivery_info": {"exchange": "", "routing_key": "aigis.call.evil"}}
    message = {
        "body": "aGk=",
        "content-type": "application/x-aigis-call",
        "content-encoding": "binary",
        "headers": {"task": "aigis.evil", "id": "x"},
        "properties": {**properties, "body_encoding": encoding},
    }
    with connect(stage.home.bus_file.read_text().strip()) as client:
        client.lpush(keys.queue_key(keys.call_queue("evil")), json.dumps(message))
    assert _proxy.call("evil.pid", seconds=5) == stage.workers[0].process.pid


def test_a_single_plugin_whose_lease_is_not_certain_runs_no_call(stage: Stage) -> None:
    assert _proxy.call("one", seconds=5) == 1
    with connect(stage.home.bus_file.read_text().strip()) as client:
        client.set(keys.single("one"), "another worker", px=60_000)
        eventually(lambda: "another worker serves plugin 'one' now" in str(stage.workers[0].records))
        client.delete(keys.single("one"))
    eventually(lambda: _answers("one"))


def _answers(path: str) -> bool:
    try:
        return bool(_proxy.call(path, seconds=1))
    except (aigis.SkillTimeout, aigis.NoWorker):
        return False


class PasswordServer(RedisServer):
    """A server that wants a password."""

    password = "swordfish9741"

    def __init__(self, program: Path, folder: Path) -> None:
        super().__init__(program, folder)
        self._argv += ["--requirepass", self.password]
        self.url = self.url.replace("unix://", f"unix://:{self.password}@")


@pytest.fixture(scope="module")
def safe(key: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="aigis-") as folder:
        program = find_server(Home(Path(folder))).program
        with running(PasswordServer(program, Path(folder))) as server:
            stage = Stage(tmp_path_factory.mktemp("safe") / "home", server.url, key=key, host="safe")
            stage.plan()
            stage.start_worker()
            stage.settle()
            yield stage
            stage.close()


@pytest.mark.parametrize("what", [["inspect", "stats"], ["inspect", "conf"], ["report"]])
def test_celery_shows_neither_password_nor_key(safe: Stage, what: list[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers", *what],
        cwd=safe.home.root, capture_output=True, text=True, check=True, timeout=30,
        env={**os.environ, "AIGIS_HOME": str(safe.home.root)},
    )  # fmt: skip
    shown = said.stdout + said.stderr
    assert len(shown) > 100
    assert PasswordServer.password not in shown
    assert safe.home.key_file.read_text().strip() not in shown
