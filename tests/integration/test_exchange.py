"""Calls of one process over a real Redis; the test takes the workers' place at the other end of the queue."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from aigis._base.context import CURRENT_CALL, CallContext
from aigis._base.errors import (
    BusUnavailable,
    CallError,
    CallTooDeep,
    NotPicklable,
    NotRunning,
    NoWorker,
    PluginDisabled,
    SkillNotFound,
    SkillTimeout,
    WorkerLost,
)
from aigis._base.home import Home
from aigis._base.messages import CatalogEntry, Skill
from aigis._wire import keys, serializer
from aigis._wire.bus import MAX_CONNECTIONS, connect
from aigis._wire.envelope import CallHeader, ReplyHeader, is_apart, open_call, seal_reply
from aigis._wire.exceptions import describe_exception
from aigis._wire.invoker import MAX_DEPTH, RemoteInvoker, Sender
from aigis._wire.signing import Signer
from tests.stage import RedisServer, eventually, running

QUEUE = keys.queue_key(keys.call_queue("echo"))
ECHO = CatalogEntry("echo", "core", "ready", skills=(Skill("echo.say", "function"),), branches=("echo",))


class Taken:
    """A call that was taken from the queue."""

    def __init__(self, worker: Worker, header: CallHeader, args: tuple[Any, ...]) -> None:
        self._worker = worker
        self.header = header
        self.args = args

    def reply(self, payload: object = None, *, key: bytes | None = None, **fields: Any) -> None:
        header = ReplyHeader(id=self.header.id, **{"kind": "value", **fields})
        blob = seal_reply(Signer(key or self._worker.key, "reply"), header, serializer.dumps(payload))
        self._worker.client.lpush(self.header.reply_to, self.header.id.encode() + blob)


class Worker:
    """The other end: takes calls and answers them when the test says so."""

    def __init__(self, url: str, key: bytes) -> None:
        self.client = connect(url)
        self.key = key
        self.publish(ECHO)

    def publish(self, *entries: CatalogEntry) -> None:
        pipeline = self.client.pipeline()
        for entry in entries:
            pipeline.hset(keys.CATALOG, entry.plugin, entry.to_json())
        pipeline.incr(keys.CATALOG_GENERATION)
        pipeline.execute()

    def take(self, seconds: float = 5) -> Taken | None:
        """Take the next call; with 0 seconds only what is there."""
        popped: Any = self.client.brpop([QUEUE], timeout=seconds) if seconds else (QUEUE, self.client.rpop(QUEUE))
        if popped is None or popped[1] is None:
            return None
        body = base64.b64decode(json.loads(popped[1])["body"])
        call_id = json.loads(popped[1])["headers"]["id"]
        stored: Any = self.client.getdel(keys.payload(call_id)) if is_apart(body) else b""
        header, arguments = open_call(Signer(self.key, "call"), body, stored)
        return Taken(self, header, serializer.loads(arguments)[0])

    def must_take(self) -> Taken:
        taken = self.take()
        assert taken is not None
        return taken

    def waiting(self) -> int:
        return int(self.client.llen(QUEUE))

    @contextmanager
    def echoing(self) -> Iterator[None]:
        """Answer every call with its argument; those that wait together in any order."""
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                taken = self.take(0.05)
                batch = [taken] if taken else []
                while taken and len(batch) < 4 and (taken := self.take(0)):
                    batch.append(taken)
                random.shuffle(batch)
                for each in batch:
                    each.reply(each.args[0])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def worker(redis_url: str, key: bytes) -> Worker:
    return Worker(redis_url, key)


@pytest.fixture
def caller(redis_url: str, key: bytes) -> RemoteInvoker:
    return RemoteInvoker(lambda: (redis_url, key), Sender("box", plugin="tests"))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


Start = Callable[..., "Future[Any]"]


@pytest.fixture
def start(threads: ThreadPoolExecutor, caller: RemoteInvoker) -> Start:
    """Return a function that makes a call in a thread of its own."""
    return lambda *args, **options: threads.submit(caller.invoke, "echo.say", args, **{"seconds": 10, **options})


def test_no_reply_reaches_another_caller(worker: Worker, caller: RemoteInvoker, threads: ThreadPoolExecutor) -> None:
    def call(number: int) -> bool:
        return all(caller.invoke("echo.say", ((number, i),), seconds=10) == (number, i) for i in range(150))

    with worker.echoing():
        assert all(threads.map(call, range(8)))
    assert worker.client.keys(keys.reply_list("*")) == []


def test_more_threads_than_connections_wait_instead_of_failing(worker: Worker, caller: RemoteInvoker) -> None:
    many = 3 * MAX_CONNECTIONS
    with worker.echoing(), ThreadPoolExecutor(many) as pool:
        found = list(pool.map(lambda number: caller.invoke("echo.say", (number,), seconds=10), range(2 * many)))
    assert found == list(range(2 * many))


def test_the_lead_passes_on_when_the_leader_has_its_reply(worker: Worker, start: Start) -> None:
    leader = start("first")
    first = worker.must_take()
    follower = start("second")
    second = worker.must_take()
    first.reply(1)
    assert leader.result(0.5) == 1
    second.reply(2)
    assert follower.result(0.5) == 2


def test_a_leader_hands_others_their_replies_and_waits_on(worker: Worker, start: Start) -> None:
    leader = start("first")
    first = worker.must_take()
    followers = [start(number) for number in range(5)]
    for taken in [worker.must_take() for _ in followers]:
        taken.reply(taken.args[0])
    assert [follower.result(0.5) for follower in followers] == [0, 1, 2, 3, 4]
    assert not leader.done()
    first.reply("at last")
    assert leader.result(0.5) == "at last"


def test_a_call_nobody_takes_ends_as_not_started_and_is_taken_back(worker: Worker, caller: RemoteInvoker) -> None:
    with pytest.raises(
        SkillTimeout, match=r"aigis\.echo\.say: no reply .*had not been started and will not be"
    ) as caught:
        caller.invoke("echo.say", (1,), seconds=0.1)
    assert caught.value.__dict__["started"] == "no"
    assert worker.waiting() == 0


def test_a_call_that_was_taken_ends_as_unknown_and_its_late_reply_is_dropped(
    worker: Worker, start: Start, caller: RemoteInvoker
) -> None:
    late = start(1, seconds=0.2)
    taken = worker.must_take()
    with pytest.raises(SkillTimeout, match="it may still be running") as caught:
        late.result(2)
    assert caught.value.__dict__["started"] == "unknown"
    taken.reply("late")
    with worker.echoing():
        assert caller.invoke("echo.say", (2,)) == 2


def test_the_header_tells_who_calls_and_until_when(worker: Worker, start: Start, redis_url: str) -> None:
    call = start(1, seconds=60)
    header = worker.must_take().header
    call.cancel()
    seconds, micros = worker.client.time()
    assert 55 < header.deadline - (seconds + micros / 1e6) < 60.1
    info: Any = worker.client.info("server")
    assert header.run_id == info["run_id"]
    told = (header.path, header.plugin, header.host, header.sender, header.role, list(header.chain), header.apart)
    assert told == ("echo.say", "echo", "box", "tests", "python", ["echo.say"], False)
    Taken(worker, header, ()).reply()


@pytest.mark.parametrize("size", [10_000, 300_000])
def test_large_arguments_travel_beside_the_message(worker: Worker, start: Start, size: int) -> None:
    call = start(b"x" * size)
    eventually(worker.waiting)
    message: Any = worker.client.lrange(QUEUE, 0, -1)
    stored: Any = worker.client.keys(keys.payload("*"))
    assert (len(stored) == 1) is (len(message[0]) < size)
    assert all(0 < int(worker.client.pttl(key)) <= 360_000 for key in stored)
    taken = worker.must_take()
    taken.reply(len(taken.args[0]))
    assert call.result(1) == size


def during(**context: Any) -> Callable[[Callable[[], Any]], Any]:
    """Return what calls a function as if from within a call."""

    def run(function: Callable[[], Any]) -> Any:
        token = CURRENT_CALL.set(CallContext(plugin="dice", **context))
        try:
            return function()
        finally:
            CURRENT_CALL.reset(token)

    return run


def test_a_nested_call_tells_its_chain_and_ends_no_later_than_the_outer_one(
    worker: Worker, caller: RemoteInvoker, threads: ThreadPoolExecutor
) -> None:
    deadline = caller.link().now() + 5
    outer = during(id="c1", path="dice.roll", chain=("dice.roll",), deadline=deadline)
    call = threads.submit(outer, lambda: caller.invoke("echo.say", (1,), seconds=60))
    taken = worker.must_take()
    header = taken.header
    taken.reply("done")
    assert call.result(1) == "done"
    assert header.deadline == pytest.approx(deadline)
    assert (list(header.chain), header.parent, header.sender) == (["dice.roll", "echo.say"], "c1", "dice")


def test_a_chain_too_long_is_refused_with_the_chain(worker: Worker, caller: RemoteInvoker) -> None:
    chain = ("a.b",) * MAX_DEPTH
    with pytest.raises(CallTooDeep, match=f"nested {MAX_DEPTH} deep: a.b → .* → echo.say") as caught:
        during(chain=chain)(lambda: caller.invoke("echo.say"))
    assert isinstance(caught.value, RecursionError)
    assert caught.value.chain == (*chain, "echo.say")
    assert worker.waiting() == 0


def test_arguments_that_cannot_travel_are_told_before_anything_is_sent(worker: Worker, caller: RemoteInvoker) -> None:
    with pytest.raises(NotPicklable, match=r"aigis\.echo\.say, argument 2: value\['a'\] is a _thread\.lock") as caught:
        caller.invoke("echo.say", (1, {"a": threading.Lock()}))
    assert caught.value.path == "['a']"
    with pytest.raises(NotPicklable, match=r"argument 'b': value is a _thread\.lock"):
        caller.invoke("echo.say", (), {"b": threading.Lock()})
    assert worker.waiting() == 0


def test_a_skill_that_does_not_exist_is_refused_at_once(worker: Worker, caller: RemoteInvoker) -> None:
    with pytest.raises(SkillNotFound, match=r"no skill aigis\.echo\.sey; did you mean aigis\.echo\.say\?"):
        caller.invoke("echo.sey")
    assert worker.waiting() == 0


def test_a_call_waits_while_its_plugin_is_loading(worker: Worker, start: Start) -> None:
    worker.publish(CatalogEntry("echo", "core", "loading", branches=("echo",)))
    call = start(1)
    assert worker.take(0.3) is None
    worker.publish(ECHO)
    worker.must_take().reply("loaded")
    assert call.result(1) == "loaded"


def test_a_nested_call_does_not_wait_for_loading_beyond_the_outer_deadline(
    worker: Worker, caller: RemoteInvoker
) -> None:
    worker.publish(CatalogEntry("echo", "core", "loading", branches=("echo",)))
    outer = during(deadline=caller.link().now() + 0.1)
    begun = time.monotonic()
    with pytest.raises(SkillTimeout, match="plugin 'echo' was still loading") as caught:
        outer(lambda: caller.invoke("echo.say"))
    assert time.monotonic() - begun < 2
    assert caught.value.__dict__["started"] == "no"


def test_disabling_a_plugin_ends_all_calls_that_wait_for_it(worker: Worker, start: Start) -> None:
    calls = [start(number) for number in range(4)]
    eventually(lambda: worker.waiting() == 4)
    worker.publish(CatalogEntry("echo", "core", "disabled", skills=ECHO.skills))
    for call in calls:
        with pytest.raises(PluginDisabled, match="plugin 'echo' is disabled"):
            call.result(4)
    assert worker.waiting() == 0


def test_a_call_that_has_started_is_waited_for_though_its_plugin_is_disabled(worker: Worker, start: Start) -> None:
    call = start(1)
    taken = worker.must_take()
    worker.publish(CatalogEntry("echo", "core", "disabled", skills=ECHO.skills))
    with pytest.raises(TimeoutError):
        call.result(1.3)
    taken.reply("done")
    assert call.result(1) == "done"


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"error": "NoWorker", "message": "not here", "facts": {"why": "x"}}, NoWorker, "not here"),
        ({"error": "TypeError", "message": "no arguments"}, TypeError, "no arguments"),
        ({"error": "FromLater", "message": "what is this"}, CallError, "what is this"),
        ({"error": "os", "message": "what is this"}, CallError, "what is this"),
    ],
)
def test_an_error_of_aigis_arrives_as_its_class(
    worker: Worker, start: Start, fields: dict[str, Any], error: type[Exception], text: str
) -> None:
    call = start(1)
    worker.must_take().reply(kind="error", **fields)
    caught = call.exception(1)
    assert type(caught) is error
    assert str(caught) == text
    assert all(vars(caught)[name] == value for name, value in fields.get("facts", {}).items())


def test_the_skills_exception_arrives_with_its_remote_frames(worker: Worker, start: Start) -> None:
    call = start(1)
    worker.must_take().reply(describe_exception(KeyError("six")), kind="exception")
    caught: Any = call.exception(1)
    assert (type(caught), str(caught)) == (KeyError, "'six'")
    assert "In the process that ran the skill" in str(caught.__cause__)


def test_a_reply_signed_with_another_key_ends_no_call(worker: Worker, start: Start) -> None:
    call = start(1)
    taken = worker.must_take()
    taken.reply("forged", key=bytes(32))
    taken.reply("mine")
    assert call.result(1) == "mine"


def test_replies_nobody_waits_for_are_passed_over(worker: Worker, start: Start) -> None:
    call = start(1)
    taken = worker.must_take()
    for blob in (b"", b"\xff" * 80, b"0" * 32 + b"x"):
        worker.client.lpush(taken.header.reply_to, blob)
    taken.reply("mine")
    assert call.result(1) == "mine"


FORKING = """
import multiprocessing, os, sys, threading
import aigis

def call(n):
    return aigis.echo.say(n) == n

assert call(0)
calling = threading.Thread(target=lambda: [call(n) for n in range(50)])
calling.start()
child = os.fork()
if child == 0:
    os._exit(0 if all(call(n) for n in range(100, 150)) else 1)
assert all(call(n) for n in range(200, 250))
calling.join()
assert os.waitpid(child, 0)[1] == 0
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(pool.map(call, range(40)))
assert call(0)
"""


def test_parent_and_child_call_on_after_a_fork(home: Home, worker: Worker) -> None:
    variables = {**os.environ, "AIGIS_HOME": str(home.root)}
    with worker.echoing():
        done = subprocess.run(
            [sys.executable, "-c", FORKING], env=variables, check=False, capture_output=True, text=True, timeout=20
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_connection_that_breaks_while_waiting_costs_nothing(worker: Worker, start: Start) -> None:
    call = start(1)
    taken = worker.must_take()
    eventually(lambda: _blocked(worker.client))
    worker.client.client_kill_filter(_type="normal", skipme=True)
    taken.reply("after all")
    assert call.result(3) == "after all"


def _blocked(client: redis.Redis) -> bool:
    listed: Any = client.client_list()
    return any(each["cmd"] == "brpop" and "b" in each["flags"] for each in listed)


@pytest.fixture
def own_redis(new_redis: Callable[[], RedisServer]) -> Iterator[RedisServer]:
    """Return a server that the test may stop."""
    with running(new_redis()) as server:
        yield server


class Alone:
    """Caller and worker at a server of their own."""

    def __init__(self, server: RedisServer, key: bytes, pool: ThreadPoolExecutor) -> None:
        self.caller = RemoteInvoker(lambda: (server.url, key), Sender("box"))
        self.worker = Worker(server.url, key)
        self._pool = pool

    def start(self, *args: Any, **options: Any) -> Future[Any]:
        return self._pool.submit(self.caller.invoke, "echo.say", args, **{"seconds": 10, **options})


@pytest.fixture
def alone(own_redis: RedisServer, key: bytes, threads: ThreadPoolExecutor) -> Alone:
    return Alone(own_redis, key, threads)


def test_a_call_whose_redis_was_restarted_is_lost_with_unknown_end(own_redis: RedisServer, alone: Alone) -> None:
    call = alone.start(1)
    alone.worker.must_take()
    own_redis.stop()
    own_redis.start()
    with pytest.raises(WorkerLost, match="Redis was restarted during the call") as caught:
        call.result(4)
    assert caught.value.started == "unknown"


def test_calls_after_a_restart_of_redis_work(own_redis: RedisServer, alone: Alone, key: bytes) -> None:
    with alone.worker.echoing():
        assert alone.caller.invoke("echo.say", (1,)) == 1
    own_redis.stop()
    own_redis.start()
    with Worker(own_redis.url, key).echoing():
        assert alone.caller.invoke("echo.say", (2,)) == 2


def test_while_redis_is_away_new_calls_are_refused_and_those_on_their_way_are_not(
    own_redis: RedisServer, alone: Alone
) -> None:
    call = alone.start(1, seconds=3.3)
    alone.worker.must_take()
    own_redis.stop()
    begun = time.monotonic()
    with pytest.raises(BusUnavailable, match="cannot be reached"):
        alone.caller.invoke("echo.say", (2,))
    assert time.monotonic() - begun < 4
    # A change of the catalog that cannot be read any more.
    alone.caller.link().exchange.generation = 99
    with pytest.raises(SkillTimeout) as caught:
        call.result(6)
    assert caught.value.__dict__["started"] == "unknown"


@pytest.mark.parametrize(
    ("command", "named"),
    [(("CONFIG", "SET", "maxmemory", "1"), "'maxmemory'"), (("REPLICAOF", "127.0.0.1", "1"), "read only replica")],
    ids=["full", "read-only"],
)
def test_a_redis_that_takes_no_writes_is_named(alone: Alone, command: tuple[str, ...], named: str) -> None:
    with alone.worker.echoing():
        assert alone.caller.invoke("echo.say", (1,)) == 1
    alone.worker.client.execute_command(*command)  # type: ignore[no-untyped-call]
    with pytest.raises(BusUnavailable, match=f"refuses: .*{named}"):
        alone.caller.invoke("echo.say", (2,))
    for undo in (("CONFIG", "SET", "maxmemory", "0"), ("REPLICAOF", "NO", "ONE")):
        alone.worker.client.execute_command(*undo)  # type: ignore[no-untyped-call]
    with alone.worker.echoing():
        assert alone.caller.invoke("echo.say", (3,)) == 3


def test_a_redis_that_refuses_to_wait_is_not_asked_without_pause(alone: Alone) -> None:
    call = alone.start(1, seconds=0.7)
    alone.worker.must_take()
    alone.worker.client.replicaof("127.0.0.1", 1)
    with pytest.raises(SkillTimeout):
        call.result(2)
    stats: Any = alone.worker.client.info("commandstats")
    assert stats["cmdstat_brpop"]["calls"] < 10


def test_an_unreachable_redis_is_named_without_its_password(key: bytes) -> None:
    caller = RemoteInvoker(lambda: ("redis://:secret@127.0.0.1:1/0", key), Sender("box"))
    with pytest.raises(BusUnavailable, match=r"Redis at '127\.0\.0\.1:1' cannot be reached") as caught:
        caller.invoke("echo.say")
    assert "secret" not in str(caught.value)


def test_a_home_that_was_never_up_says_how_to_start_it(home: Home) -> None:
    home.bus_file.unlink()
    with pytest.raises(NotRunning, match=r"AIGIS is not running in .*; start it with `invoke up`"):
        RemoteInvoker.for_home(home, Sender("box")).invoke("echo.say")
