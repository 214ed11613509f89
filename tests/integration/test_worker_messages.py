"""What a real core worker makes of messages AIGIS did not write, and what Celery's own tools make of the worker."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.exceptions import EncodeError

import aigis
from aigis._wire import keys, serializer
from aigis._wire.bus import redis_now
from aigis._wire.envelope import CallHeader, ReplyHeader, open_reply, seal_call
from aigis._wire.invoker import CALL_CONTENT_TYPE, celery_message
from aigis._wire.signing import Signer
from tests.stage import RedisServer, Stage, WorkerProcess, eventually
from workers import serializers
from workers.celery_app import make_app

skills: Any = aigis
"""What a plugin writes as `aigis`; the type checker knows no skills."""

QUEUE = keys.call_queue("cards")
CONTROL_TOPIC = keys.PREFIX + "/0.celery.pidbox"
CARDS = """
    SKILLS = ["cards.draw", "cards.mark"]
    class cards:
        def draw(n=1): return n
        def mark(text, logger): logger.info(text)
"""


class Bait:
    """Leaves a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return open, (str(self.file), "w")


class Hand:
    """Writes into Redis whatever a test likes, as anybody who reaches Redis could."""

    def __init__(self, stage: Stage, client: redis.Redis, key: bytes) -> None:
        self.client = client
        self.key = key
        self.canary = stage.home.root / "canary"
        self.worker = stage.workers[0]
        self.bait = pickle.dumps(Bait(self.canary))

    def message(self, *, properties: Any = None, **changes: Any) -> dict[str, Any]:
        """Return a message like ours, but with a pickle as its body."""
        known = {
            "correlation_id": "c", "reply_to": keys.reply_list("hand"), "delivery_mode": 2, "priority": 0,
            "delivery_info": {"exchange": "", "routing_key": QUEUE}, "body_encoding": "base64", "delivery_tag": "t",
        }  # fmt: skip
        return {
            "body": base64.b64encode(self.bait).decode(),
            "content-encoding": "binary",
            "content-type": CALL_CONTENT_TYPE,
            "headers": {"task": "aigis.cards.draw", "id": "0" * 32, "lang": "py"},
            "properties": known if properties is None else properties,
            **changes,
        }

    def header(self, **changes: Any) -> CallHeader:
        """Return the header of a call that would be run."""
        info: Any = self.client.info("server")
        header = CallHeader(
            id=uuid.uuid4().hex, path="cards.draw", plugin="cards", reply_to=keys.reply_list(uuid.uuid4().hex),
            deadline=redis_now(self.client) + 5, run_id=info["run_id"], host="", sender="", role="python", generation=0,
        )  # fmt: skip
        return dataclasses.replace(header, **changes)

    def seal(self, header: CallHeader, *args: Any) -> bytes:
        return seal_call(Signer(self.key, "call"), header, serializer.dumps((args, {})))

    def push(self, message: bytes) -> None:
        self.client.lpush(keys.queue_key(QUEUE), message)

    def reply(self, header: CallHeader) -> tuple[ReplyHeader, Any]:
        """Wait for the reply of a call."""
        popped: Any = self.client.brpop([header.reply_to], timeout=4)
        assert popped is not None, "no reply"
        assert popped[1][:32] == header.id.encode()
        found, payload = open_reply(Signer(self.key, "reply"), popped[1][32:])
        return found, serializer.loads(payload) if payload else None


@pytest.fixture(scope="module")
def stage(open_stage: Callable[[str], Stage]) -> Stage:
    stage = open_stage("box")
    stage.plan(stage.plugins.write("cards", CARDS))
    stage.start_worker()
    stage.settle()
    assert skills.cards.draw(6) == 6
    return stage


@pytest.fixture
def worker(stage: Stage) -> WorkerProcess:
    return stage.workers[0]


@pytest.fixture
def hand(stage: Stage, module_redis: RedisServer, key: bytes) -> Hand:
    return Hand(stage, module_redis.client(), key)


def records_so_far(worker: WorkerProcess) -> int:
    """Have the worker log a line, wait for it, and return how many records there are with it."""
    text = uuid.uuid4().hex
    skills.cards.mark(text)
    eventually(lambda: worker.messages(message=text))
    return len(worker.records)


def refused_once_and_alive(hand: Hand, act: Callable[[], object]) -> str:
    """Act, and return the one line the worker says about it; it must serve on, and nothing may be unpickled."""
    before = records_so_far(hand.worker)
    act()
    eventually(lambda: len(hand.worker.records) > before, 3)
    (record,) = hand.worker.records[before : records_so_far(hand.worker) - 1]
    assert record["level"] == "WARNING"
    assert "\n" not in record["message"]
    assert not hand.canary.exists()
    assert hand.worker.process.poll() is None
    return str(record["message"])


SHAPES: dict[str, Callable[[Hand], Any]] = {
    "no JSON": lambda hand: b"garbage",
    "no text": lambda hand: b"\xff\xfe",
    "no object": lambda hand: b"[1]",
    "nested too deep": lambda hand: b"[" * 100_000,
    "an object of a wrong type": lambda hand: b'{"__type__": "datetime", "__value__": 5}',
    "nothing in it": lambda hand: {},
    "no properties": lambda hand: hand.message(properties=[]),
    "no tag": lambda hand: hand.message(properties={"body_encoding": "base64"}),
    "no headers": lambda hand: hand.message(headers=None),
    "a name that is no text": lambda hand: hand.message(headers={"task": ["x"], "id": "x"}),
    "pickle": lambda hand: hand.message(**{"content-type": "application/x-python-serialize"}),
    "json": lambda hand: hand.message(**{"content-type": "application/json"}),
    "a type nobody knows": lambda hand: hand.message(**{"content-type": "a/b"}),
    "control that is not signed": lambda hand: hand.message(**{"content-type": serializers.CONTROL_CONTENT_TYPE}),
}
ON_QUEUES: dict[str, Callable[[Hand], Any]] = {
    **SHAPES,
    "unsigned": lambda hand: hand.message(),
    "a skill that is not here": lambda hand: hand.message(headers={"task": "aigis.no.such", "id": "0" * 32}),
    "a broken time": lambda hand: hand.message(headers={"task": "aigis.cards.draw", "id": "x", "eta": "soon"}),
    "a broken limit": lambda hand: hand.message(headers={"task": "aigis.cards.draw", "id": "x", "timelimit": "x"}),
}


def as_bytes(message: Any) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()


@pytest.mark.parametrize("shape", ON_QUEUES)
def test_what_is_no_call_of_ours_is_refused_in_one_line(hand: Hand, shape: str) -> None:
    line = refused_once_and_alive(hand, lambda: hand.push(as_bytes(ON_QUEUES[shape](hand))))
    assert "refused" in line


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_no_control_of_ours_is_refused_in_one_line(hand: Hand, shape: str) -> None:
    message = as_bytes(SHAPES[shape](hand))
    line = refused_once_and_alive(hand, lambda: hand.client.publish(CONTROL_TOPIC, message))
    assert "refused" in line or "Cannot process" in line


def test_control_that_comes_after_its_expiry_is_not_obeyed(hand: Hand, worker: WorkerProcess) -> None:
    order: dict[str, Any] = {"method": "shutdown", "arguments": {}, "destination": None}
    envelope = json.dumps({"expiry": 1.0, "message": order}).encode()
    body = base64.b64encode(Signer(hand.key, serializers.CONTROL_LABEL).sign(envelope)).decode()
    message = hand.message(body=body, headers={}, **{"content-type": serializers.CONTROL_CONTENT_TYPE})
    line = refused_once_and_alive(hand, lambda: hand.client.publish(CONTROL_TOPIC, json.dumps(message)))
    assert "after its expiry" in line


def tampered(message: bytes) -> bytes:
    """Change the last byte of the sealed part."""
    values = json.loads(message)
    body = bytearray(base64.b64decode(values["body"]))
    body[-1] ^= 1
    return json.dumps({**values, "body": base64.b64encode(body).decode()}).encode()


def test_a_call_that_was_altered_is_refused_and_its_caller_is_told(hand: Hand) -> None:
    header = hand.header()
    message = celery_message(header, QUEUE, "cards.draw", hand.seal(header, Bait(hand.canary)))
    line = refused_once_and_alive(hand, lambda: hand.push(tampered(message)))
    assert "call refused before anything of it was read" in line
    reply, _ = hand.reply(header)
    assert (reply.kind, reply.error) == ("error", "MessageRejected")


def test_a_call_whose_large_arguments_are_gone_is_refused_and_its_caller_is_told(hand: Hand) -> None:
    header = hand.header(apart=True)
    message = celery_message(header, QUEUE, "cards.draw", hand.seal(header, b"large"))
    assert "its arguments are not in Redis" in refused_once_and_alive(hand, lambda: hand.push(message))
    assert hand.reply(header)[0].error == "MessageRejected"


@pytest.mark.parametrize(
    ("changes", "error", "facts", "said"),
    [
        ({"run_id": "0" * 40}, "WorkerLost", {"started": "unknown"}, "Redis was restarted after the call was sent"),
        ({"deadline": 1.0}, "SkillTimeout", {"started": "no"}, "its deadline passed while it waited"),
        ({"path": "cards.drow"}, "SkillNotFound", {}, "did you mean 'cards.draw'"),
        ({"protocol": 99}, "MessageRejected", {}, "speaks protocol 99"),
    ],
)
def test_a_call_that_must_not_start_is_answered_with_the_reason(
    hand: Hand, changes: dict[str, Any], error: str, facts: dict[str, Any], said: str
) -> None:
    header = hand.header(**changes)
    hand.push(celery_message(header, QUEUE, "cards.draw", hand.seal(header, 1)))
    reply, _ = hand.reply(header)
    assert (reply.kind, reply.error) == ("error", error)
    assert said in reply.message
    assert facts.items() <= (reply.facts or {}).items()


def test_arguments_that_cannot_be_read_where_the_skill_runs_are_told(hand: Hand) -> None:
    header = hand.header()
    body = seal_call(Signer(hand.key, "call"), header, b"cno_such_module\nthing\n.")
    hand.push(celery_message(header, QUEUE, "cards.draw", body))
    reply, _ = hand.reply(header)
    assert reply.error == "NotPicklable"
    assert "the arguments cannot be read where the skill runs: ModuleNotFoundError" in reply.message


def test_a_skill_that_is_not_loaded_here_is_answered(hand: Hand) -> None:
    header = hand.header()
    hand.push(celery_message(header, QUEUE, "no.such", hand.seal(header, 1)))
    reply, _ = hand.reply(header)
    assert (reply.error, reply.worker) == ("NoWorker", "worker-1")


def test_a_reply_is_pushed_to_reply_lists_alone(hand: Hand) -> None:
    header = hand.header(reply_to=keys.CATALOG)
    before = hand.client.type(keys.CATALOG)
    message = celery_message(header, QUEUE, "cards.draw", hand.seal(header, 1))
    line = refused_once_and_alive(hand, lambda: hand.push(message))
    assert "is no reply list" in line
    assert hand.client.type(keys.CATALOG) == before


@pytest.fixture(scope="module")
def app(module_redis: RedisServer, key: bytes) -> Any:
    """Return the app of the workers, as another process has it."""
    return make_app(module_redis.url, key)


def test_our_messages_have_the_keys_that_kombu_writes(hand: Hand, app: Any) -> None:
    app.send_task("aigis.cards.draw", (1,), queue="aigis.call.nobody", serializer=serializers.CONTROL, reply_to="r")
    stored: Any = hand.client.rpop(keys.queue_key("aigis.call.nobody"))
    theirs = json.loads(stored)
    header = hand.header()
    ours = json.loads(celery_message(header, QUEUE, "cards.draw", hand.seal(header)))
    assert set(ours) == set(theirs)
    assert set(ours["properties"]) == set(theirs["properties"])
    assert set(ours["properties"]["delivery_info"]) == set(theirs["properties"]["delivery_info"])
    assert set(ours["headers"]) <= set(theirs["headers"])
    for name in ("content-encoding", "headers", "properties"):
        assert type(ours[name]) is type(theirs[name])


def test_a_message_of_ours_and_the_same_call_sent_by_kombu_are_accepted_alike(hand: Hand, app: Any) -> None:
    ours, theirs = hand.header(), hand.header()
    hand.push(celery_message(ours, QUEUE, "cards.draw", hand.seal(ours, 6)))
    with app.producer_pool.acquire() as producer:
        producer.publish(
            hand.seal(theirs, 6), routing_key=QUEUE, exchange="", content_type=CALL_CONTENT_TYPE,
            content_encoding="binary", correlation_id=theirs.id, reply_to=theirs.reply_to,
            headers={"task": "aigis.cards.draw", "id": theirs.id, "lang": "py"},
        )  # fmt: skip
    for header in (ours, theirs):
        reply, value = hand.reply(header)
        assert (reply.kind, value) == ("value", 6)


def test_celerys_own_way_of_calling_is_answered_with_ours(hand: Hand, app: Any) -> None:
    header = hand.header()
    app.send_task(
        "aigis.cards.draw",
        (1,),
        queue=QUEUE,
        serializer=serializers.CONTROL,
        reply_to=header.reply_to,
        task_id=header.id,
    )
    reply, _ = hand.reply(header)
    assert reply.error == "CallError"
    assert "write `aigis.x.y(…)` instead of `.delay(…)`" in reply.message
    with pytest.raises(EncodeError, match=r"write `aigis\.x\.y\(…\)` instead"):
        app.send_task("aigis.cards.draw", serializer=serializers.CALL)


def test_a_call_that_was_revoked_is_answered_as_cancelled(hand: Hand, app: Any) -> None:
    header = hand.header()
    app.control.revoke(header.id, destination=["worker-1@box"], reply=True, timeout=2)
    hand.push(celery_message(header, QUEUE, "cards.draw", hand.seal(header, 1)))
    assert hand.reply(header)[0].error == "Cancelled"


def celery(stage: Stage, *words: str) -> Any:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIGIS_")}
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers", "inspect", "--json", "-d", "worker-1@box", *words],
        cwd=stage.home.root, env=inherited, check=False, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_celery_inspect_works_unchanged(stage: Stage) -> None:
    assert celery(stage, "ping") == {"worker-1@box": {"ok": "pong"}}
    assert celery(stage, "registered") == {"worker-1@box": ["aigis.cards.draw", "aigis.cards.mark"]}
