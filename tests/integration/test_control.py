"""Commands to a supervisor and news from workers, over a real Redis."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
import redis

from aigis._base.errors import BusUnavailable, MessageRejected, NotRunning
from aigis._base.messages import PROTOCOL, Command, CommandReply, WorkerNews
from aigis._wire import keys
from aigis._wire.bus import connect, connect_async
from aigis._wire.control import LABEL, Inbox, ask, tell
from aigis._wire.signing import Signer

T = TypeVar("T")
HOST = "box"
NEWS = WorkerNews("worker-1", 6, 3, serving=("dice",), settled=True)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return connect(redis_url)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def with_inbox(url: str, key: bytes, act: Callable[[Inbox], Awaitable[T]]) -> T:
    """Act as the supervisor does, with an inbox of its own."""

    async def run() -> T:
        async with connect_async(url, timeout=10) as client:
            return await asyncio.wait_for(act(Inbox(client, key, HOST)), 5)

    return asyncio.run(run())


def receive(url: str, key: bytes) -> Any:
    return with_inbox(url, key, Inbox.receive)


Asked = Callable[..., "Future[CommandReply]"]


@pytest.fixture
def asked(pool: ThreadPoolExecutor, client: redis.Redis, key: bytes) -> Asked:
    """Return a function that gives a command in a thread of its own."""
    return lambda verb, **fields: pool.submit(ask, client, key, HOST, Command(verb, **fields), timeout=4)


def test_a_command_reaches_the_supervisor_and_its_reply_comes_back(redis_url: str, key: bytes, asked: Asked) -> None:
    async def obey(inbox: Inbox) -> Any:
        command: Any = await inbox.receive()
        await inbox.reply(command, CommandReply(command.id, ok=True, message="dice is stopped"))
        return command

    answer = asked("stop", plugin="dice")
    command = with_inbox(redis_url, key, obey)
    assert (command.verb, command.plugin) == ("stop", "dice")
    assert answer.result(2) == CommandReply(command.id, ok=True, message="dice is stopped")


def test_two_commands_get_their_own_replies(redis_url: str, key: bytes, asked: Asked) -> None:
    async def obey(inbox: Inbox) -> None:
        commands: list[Any] = [await inbox.receive() for _ in range(2)]
        for command in reversed(commands):
            await inbox.reply(command, CommandReply(command.id, ok=True, message=command.plugin))

    answers = {name: asked("stop", plugin=name) for name in ("dice", "feeds")}
    with_inbox(redis_url, key, obey)
    assert {name: answer.result(2).message for name, answer in answers.items()} == {"dice": "dice", "feeds": "feeds"}


def test_without_a_supervisor_asking_ends_with_not_running(client: redis.Redis, key: bytes) -> None:
    begun = time.monotonic()
    with pytest.raises(NotRunning, match="supervisor of host 'box' did not answer 'stop' within 0 s; `invoke status`"):
        ask(client, key, HOST, Command("stop"), timeout=0.2)
    assert time.monotonic() - begun < 1


def test_a_reply_nobody_fetches_does_not_stay(redis_url: str, key: bytes, client: redis.Redis) -> None:
    with_inbox(redis_url, key, lambda inbox: inbox.reply(Command("stop", id="c1"), CommandReply("c1", ok=True)))
    assert 0 < int(client.ttl(keys.command_reply("c1"))) <= 60


def test_news_arrive_in_order(redis_url: str, key: bytes, client: redis.Redis) -> None:
    async def both(inbox: Inbox) -> list[Any]:
        return [await inbox.receive(), await inbox.receive()]

    later = dataclasses.replace(NEWS, generation=4)
    for news in (NEWS, later):
        tell(client, key, HOST, news)
    assert with_inbox(redis_url, key, both) == [NEWS, later]


def sealed(key: bytes, label: str = LABEL, **changes: Any) -> bytes:
    values = {"protocol": PROTOCOL, "kind": "news", "expiry": 1e12, "message": NEWS.to_dict(), **changes}
    return Signer(key, label).sign(json.dumps(values).encode())


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (lambda key: b"no message at all", "not signed"),
        (lambda key: sealed(bytes(32)), "not signed"),
        (lambda key: sealed(key, "call"), "not signed"),
        (lambda key: sealed(key)[:-1] + b" ", "not signed"),
        (lambda key: sealed(key, expiry=1.0), "news came after its expiry"),
        (lambda key: sealed(key, kind="reply"), "a supervisor does not take 'reply'"),
        (lambda key: sealed(key, protocol=PROTOCOL + 1), f"it speaks protocol {PROTOCOL + 1}, this process {PROTOCOL}"),
        (lambda key: sealed(key, message={}), "missing 2 required"),
        (lambda key: sealed(key, message=[]), "mapping"),
        (lambda key: Signer(key, LABEL).sign(b"[]"), "indices must be"),
        (lambda key: Signer(key, LABEL).sign(b"{"), "Expecting"),
    ],
    ids=["noise", "key", "use", "altered", "late", "kind", "protocol", "fields", "list", "no-object", "no-json"],
)
def test_what_is_forged_late_or_no_message_is_refused_in_one_line_and_passed_over(
    redis_url: str, key: bytes, client: redis.Redis, forge: Callable[[bytes], bytes], said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    client.lpush(keys.inbox(HOST), forge(key))
    tell(client, key, HOST, NEWS)
    with caplog.at_level(logging.WARNING):
        assert receive(redis_url, key) == NEWS
    (record,) = caplog.records
    assert record.getMessage().startswith("message to the supervisor refused: ")
    assert said in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_command_that_waited_too_long_is_not_obeyed(redis_url: str, key: bytes, client: redis.Redis) -> None:
    with pytest.raises(NotRunning):
        ask(client, key, HOST, Command("stop"), timeout=0.05)
    tell(client, key, HOST, NEWS)
    assert receive(redis_url, key) == NEWS


@pytest.mark.parametrize("forged", ["signature", "kind", "command"])
def test_a_forged_reply_is_not_believed(
    redis_url: str, key: bytes, client: redis.Redis, asked: Asked, forged: str
) -> None:
    answer = asked("stop")
    command = receive(redis_url, key)
    reply = CommandReply("other" if forged == "command" else command.id, ok=True)
    kind = "news" if forged == "kind" else "reply"
    blob = sealed(bytes(32) if forged == "signature" else key, kind=kind, message=reply.to_dict())
    client.lpush(keys.command_reply(command.id), blob)
    with pytest.raises(MessageRejected):
        answer.result(2)


def test_a_lost_redis_is_told_by_both_ends(key: bytes) -> None:
    nowhere = "unix:///no/such.sock"
    with pytest.raises(BusUnavailable, match=r"/no/such\.sock' cannot be reached"):
        tell(connect(nowhere), key, HOST, NEWS)
    with pytest.raises(BusUnavailable):
        ask(connect(nowhere), key, HOST, Command("stop"))
    with pytest.raises(BusUnavailable):
        receive(nowhere, key)
    with pytest.raises(BusUnavailable):
        with_inbox(nowhere, key, lambda inbox: inbox.reply(Command("stop", id="c1"), CommandReply("c1", ok=True)))
