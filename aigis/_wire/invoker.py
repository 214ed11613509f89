"""Calls from this process to skills that run elsewhere."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional

from aigis._base import errors
from aigis._base.context import CURRENT_CALL
from aigis._base.errors import (
    AigisError,
    BusUnavailable,
    CallTooDeep,
    MessageRejected,
    NotPicklable,
    ReplyError,
    SkillTimeout,
    WorkerLost,
)
from aigis._base.home import Home
from aigis._base.messages import CatalogEntry
from aigis._wire import keys, serializer
from aigis._wire.bus import BusClock, read_url, redis_now
from aigis._wire.catalog import Catalog, Target, read_catalog
from aigis._wire.envelope import INLINE_LIMIT, CallHeader, ReplyHeader, open_reply, seal_call
from aigis._wire.exceptions import rebuild_exception
from aigis._wire.exchange import Exchange
from aigis._wire.signing import Signer, read_key

_LOGGER = logging.getLogger("aigis.calls")
Reply = tuple[ReplyHeader, bytes]

CALL_CONTENT_TYPE = "application/x-aigis-call"
"""How a worker recognises our messages; they are not decoded before their skill runs."""
DEFAULT_DEADLINE = 300.0
MAX_DEPTH = 64
LOADING_PAUSE = 0.25
CLOCK_LIFE = 300.0
"""Seconds after which Redis' time is asked again: two machines' clocks drift apart by milliseconds in that time."""


@dataclass(frozen=True)
class Sender:
    """Who calls: written into every message."""

    host: str
    plugin: str = ""
    role: str = "python"


@dataclass(frozen=True)
class Sent:
    """A call on its way: what is needed to take it back or to tell what became of it."""

    header: CallHeader
    queue: str
    message: bytes


class RemoteInvoker:
    """Turns a path and arguments into a call and its outcome, for one process and whatever it forks into.

    `url_and_key` tells where Redis is and the cluster's key, each time anew: AIGIS may come up later than this process.
    """

    def __init__(self, url_and_key: Callable[[], tuple[str, bytes]], sender: Sender) -> None:
        self._url_and_key = url_and_key
        self._sender = sender
        self._lock = threading.Lock()
        self._link: Optional[Link] = None

    @classmethod
    def for_home(cls, home: Home, sender: Sender) -> RemoteInvoker:
        """Return the invoker of a process in `home`."""
        return cls(lambda: (read_url(home), read_key(home.key_file)), sender)

    def invoke(
        self,
        path: str,
        args: tuple[Any, ...] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
        *,
        seconds: Optional[float] = None,
        value_only: bool = False,
    ) -> Any:
        """Call the skill at `path` and return its value.

        `seconds` bounds the call; None takes what is left of the call this one is nested in, the plugin's TIMEOUT or
        300 s. Raises the skill's own exception, or one of `aigis.CallError`'s kinds.
        """
        arguments = _pickled(args, dict(kwargs or {}), path)
        link = self.link()
        target = link.target(path, seconds)
        sent = self._seal(link, target, path, arguments, seconds, value_only)
        return self._outcome(link, sent, self._exchange(link, sent, arguments))

    def catalog(self) -> Catalog:
        """Return the catalog as last read; reads it when it never was."""
        return self.link().catalog()

    def fresh_catalog(self) -> Catalog:
        """Read the catalog and return it."""
        return self.link().refresh()

    def link(self) -> Link:
        """Return the connection to the cluster, made at the first call and again in a forked child."""
        link = self._link
        if link is None or link.pid != os.getpid():
            # The lock may have been held by another thread at the fork; a child starts with a new one.
            if link is not None:
                self._lock = threading.Lock()
            with self._lock:
                if self._link is None or self._link.pid != os.getpid():
                    self._link = Link(*self._url_and_key())
                link = self._link
        return link

    def _seal(
        self, link: Link, target: Target, path: str, arguments: bytes, seconds: Optional[float], value_only: bool
    ) -> Sent:
        current = CURRENT_CALL.get()
        chain = current.chain if current is not None else ()
        if len(chain) >= MAX_DEPTH:
            raise CallTooDeep(f"calls are nested {MAX_DEPTH} deep: {' → '.join((*chain, path))}", chain=(*chain, path))
        link.exchange.connect()
        header = CallHeader(
            id=os.urandom(16).hex(),
            path=path,
            plugin=target.entry.plugin,
            reply_to=link.exchange.reply_to,
            deadline=link.deadline(target.entry, seconds),
            run_id=link.exchange.run_id,
            host=self._sender.host,
            sender=current.plugin if current is not None else self._sender.plugin,
            role=self._sender.role,
            generation=link.catalog().generation,
            parent=current.id if current is not None else "",
            chain=(*chain, path),
            apart=len(arguments) > INLINE_LIMIT,
            value_only=value_only,
            key_id=link.calls.key_id,
        )
        body = seal_call(link.calls, header, arguments)
        queue = keys.call_queue(header.plugin)
        leaf = target.skill.path if target.skill is not None else path
        return Sent(header, queue, celery_message(header, queue, leaf, body))

    def _exchange(self, link: Link, sent: Sent, arguments: bytes) -> Optional[Reply]:
        header = sent.header
        seconds = header.deadline - link.now()
        queue = keys.queue_key(sent.queue)
        commands: list[tuple[Any, ...]] = [("LPUSH", queue, sent.message)]
        if header.apart:
            life = int(max(seconds, 0) * 1000) + 60_000
            commands.insert(0, ("SET", keys.payload(header.id), arguments, "PX", life))
        reply: Optional[Reply] = link.exchange.exchange(
            header.id,
            commands,
            time.monotonic() + seconds,
            lambda: self._still_sensible(link, sent),
            lambda blob: _admitted(link.replies, header.id, blob),
        )
        return reply

    def _still_sensible(self, link: Link, sent: Sent) -> None:
        """Raise when a reply cannot come any more; runs once a second while waiting."""
        if link.exchange.run_id and link.exchange.run_id != sent.header.run_id:
            raise WorkerLost(
                f"aigis.{sent.header.path}: Redis was restarted during the call; whether it ran is unknown",
                started="unknown",
            )
        try:
            catalog = link.catalog()
            if link.exchange.generation != catalog.generation:
                catalog = link.refresh()
            if catalog.generation == sent.header.generation:
                return
            refusal = catalog.refusal(sent.header.path)
            taken_back = refusal is not None and link.exchange.remove(keys.queue_key(sent.queue), sent.message)
        except BusUnavailable:
            return  # it is on its way and may have started: for want of Redis no call is refused any more
        if refusal is not None and taken_back:
            raise refusal

    def _outcome(self, link: Link, sent: Sent, reply: Optional[Reply]) -> Any:
        if reply is None:
            raise self._timed_out(link, sent)
        header, payload = reply
        if header.kind == "value":
            return _read(serializer.loads, payload, header)
        if header.kind == "exception":
            raise _read(rebuild_exception, _read(serializer.loads, payload, header), header)
        raise rebuilt_error(header)

    def _timed_out(self, link: Link, sent: Sent) -> SkillTimeout:
        never_started = False
        if link.exchange.reachable:  # else asking would only make the caller wait longer
            with contextlib.suppress(BusUnavailable):
                never_started = link.exchange.remove(keys.queue_key(sent.queue), sent.message)
        how = "it had not been started and will not be" if never_started else "it may still be running"
        return SkillTimeout(
            f"aigis.{sent.header.path}: no reply before its deadline; {how}",
            started="no" if never_started else "unknown",
        )


class Link:
    """What a process knows of the cluster: connections, keys, time and catalog. Valid in the process that made it."""

    def __init__(self, url: str, key: bytes) -> None:
        self.pid = os.getpid()
        self.exchange = Exchange(url)
        self.calls = Signer(key, "call")
        self.replies = Signer(key, "reply")
        self._clock: Optional[BusClock] = None
        self._clock_until = 0.0
        self._catalog = Catalog()
        self._targets: dict[str, Target] = {}

    def now(self) -> float:
        """Return Redis' time in seconds."""
        if self._clock is None or time.monotonic() > self._clock_until:
            self._clock = BusClock(redis_now(self.exchange.client()))
            self._clock_until = time.monotonic() + CLOCK_LIFE
        return self._clock.now()

    def deadline(self, entry: CatalogEntry, seconds: Optional[float]) -> float:
        """Return when a call of this plugin must have ended, in Redis' time."""
        allowed = seconds if seconds is not None else entry.timeout or DEFAULT_DEADLINE
        current = CURRENT_CALL.get()
        return min(self.now() + allowed, current.deadline if current is not None else float("inf"))

    def _patience(self, seconds: Optional[float]) -> float:
        """Return how many seconds a call may wait for its plugin: no longer than the call it is nested in may last."""
        allowed = DEFAULT_DEADLINE if seconds is None else seconds
        current = CURRENT_CALL.get()
        return allowed if current is None else min(allowed, current.deadline - self.now())

    def catalog(self) -> Catalog:
        """Return the catalog as last read; reads it when it never was."""
        return self._catalog if self._catalog.generation >= 0 else self.refresh()

    def refresh(self) -> Catalog:
        """Read the catalog and return it."""
        self._catalog = read_catalog(self.exchange.client())
        self._targets = {}
        return self._catalog

    def target(self, path: str, seconds: Optional[float]) -> Target:
        """Return where a call of `path` goes, waiting while its plugin loads; raises the refusal when nowhere."""
        known = self._targets.get(path)
        if known is not None and self.exchange.generation == self._catalog.generation:
            return known
        until = time.monotonic() + self._patience(seconds)
        catalog = self.refresh()
        while True:
            refusal = catalog.refusal(path)
            if refusal is not None:
                raise refusal
            target = catalog.find(path)
            if target is not None and target.skill is not None and target.entry.state == "ready":
                self._targets[path] = target
                return target
            if time.monotonic() > until:
                plugin = target.entry.plugin if target is not None else "?"
                raise SkillTimeout(f"aigis.{path}: plugin {plugin!r} was still loading at the deadline", started="no")
            time.sleep(LOADING_PAUSE)
            catalog = self.refresh()


def _admitted(replies: Signer, call_id: str, blob: bytes) -> Optional[Reply]:
    """Return a reply that was signed and belongs to this call, else None: whoever put it there does not end a call."""
    try:
        header, payload = open_reply(replies, blob)
    except (MessageRejected, ValueError, TypeError, KeyError) as error:
        _LOGGER.warning("a reply was refused before anything of it was read: %s", error, extra={"action": "refuse"})
        return None
    return (header, payload) if header.id == call_id else None


def celery_message(header: CallHeader, queue: str, leaf: str, body: bytes) -> bytes:
    """Return a call in the form kombu's Redis transport and Celery's protocol 2 expect.

    Names and ids are plain ASCII without quotes by their own rules, hence the formatting by hand; a test compares it
    with what Celery itself sends.
    """
    return (
        f'{{"body":"{b64encode(body).decode()}","content-encoding":"binary","content-type":"{CALL_CONTENT_TYPE}",'
        f'"headers":{{"lang":"py","task":"aigis.{leaf}","id":"{header.id}","root_id":"{header.id}",'
        f'"parent_id":null,"argsrepr":"","kwargsrepr":""}},'
        f'"properties":{{"correlation_id":"{header.id}","reply_to":"{header.reply_to}","delivery_mode":2,'
        f'"delivery_info":{{"exchange":"","routing_key":"{queue}"}},"priority":0,"body_encoding":"base64",'
        f'"delivery_tag":"{header.id}"}}}}'
    ).encode()


def _pickled(args: tuple[Any, ...], kwargs: dict[str, Any], path: str) -> bytes:
    try:
        return serializer.dumps((args, kwargs))
    except NotPicklable:
        named = {f"argument {index + 1}": value for index, value in enumerate(args)}
        for name, value in {**named, **{f"argument {name!r}": value for name, value in kwargs.items()}}.items():
            try:
                serializer.dumps(value)
            except NotPicklable as error:
                raise NotPicklable(f"aigis.{path}, {name}: {error}", path=error.path) from error
        raise


def _read(read: Callable[[Any], Any], value: Any, header: ReplyHeader) -> Any:
    try:
        return read(value)
    except AigisError:
        raise
    except (Exception, SystemExit, GeneratorExit) as error:
        raise ReplyError(
            f"the skill ran on {header.worker or 'a worker'}, but its reply cannot be read here: "
            f"{type(error).__name__}: {error}"
        ) from error


def rebuilt_error(header: ReplyHeader) -> BaseException:
    """Return the error of AIGIS a reply names."""
    if header.error == "TypeError":
        return TypeError(header.message)
    cls = getattr(errors, header.error, None)
    if not (isinstance(cls, type) and issubclass(cls, AigisError)):
        cls = errors.CallError
    return cls(header.message, **(header.facts or {}))
