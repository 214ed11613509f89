"""The names of all keys AIGIS has in Redis."""

from __future__ import annotations

from aigis._base.messages import PROTOCOL

PREFIX = f"aigis:{PROTOCOL}:"
"""Before every key, those of Celery's transport too: another protocol never meets ours."""

CATALOG = PREFIX + "catalog"
CATALOG_GENERATION = PREFIX + "catalog:generation"
DECLARED = PREFIX + "declared"
OPERATOR = PREFIX + "operator"
STATUS = PREFIX + "status"


def call_queue(plugin: str) -> str:
    """Return the name of a plugin's call queue as Celery knows it (without the prefix)."""
    return f"aigis.call.{plugin}"


def queue_key(queue: str) -> str:
    """Return the Redis list behind a queue."""
    return PREFIX + queue


def reply_list(caller: str) -> str:
    """Return the list where one calling process finds its replies."""
    return f"{PREFIX}reply:{caller}"


def payload(call: str) -> str:
    """Return the key of arguments too large to travel in the message."""
    return f"{PREFIX}payload:{call}"


def inbox(host: str) -> str:
    """Return the list a supervisor reads commands and news from."""
    return f"{PREFIX}inbox:{host}"


def command_reply(command: str) -> str:
    """Return the list the reply to one command is put in."""
    return f"{PREFIX}command:{command}"


def lease(host: str) -> str:
    """Return the key that lives as long as a host renews it."""
    return f"{PREFIX}lease:{host}"


def single(plugin: str) -> str:
    """Return the key that names the one worker serving a SINGLE plugin."""
    return f"{PREFIX}single:{plugin}"


def records(host: str) -> str:
    """Return the stream that keeps a host's records."""
    return f"{PREFIX}records:{host}"


RECORD_HOSTS = PREFIX + "record-hosts"
