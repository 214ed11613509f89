"""Running one call: verify, unpickle, run the skill, seal the reply. Whatever goes wrong becomes a reply."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import redis

import aigis
from aigis._base.context import CURRENT_CALL, CallContext
from aigis._base.errors import (
    AigisError,
    BusUnavailable,
    CallError,
    MessageRejected,
    NotPicklable,
    NoWorker,
    Refused,
    SkillTimeout,
    WorkerLost,
)
from aigis._wire import keys, serializer
from aigis._wire.bus import translated
from aigis._wire.envelope import CallHeader, ReplyHeader, is_apart, open_call, seal_reply
from aigis._wire.exceptions import describe_exception
from aigis._wire.signing import Signer
from workers.replies import Answer

_LOGGER = logging.getLogger("aigis.worker")
OWN_CODE = (str(Path(aigis.__file__).parent) + os.sep, str(Path(__file__).parent) + os.sep)


class Skills(Protocol):
    """What runs skills by their path (see LocalPlugins)."""

    def call_skill(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the object at the end of the path, or return it."""

    def resolve(self, path: str) -> Any:
        """Return the object at the end of the path."""


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Everything a pool thread needs to run calls; shared by all of them."""

    skills: Skills
    client: redis.Redis
    url: str
    calls: Signer
    replies: Signer
    now: Callable[[], float]
    """Redis' time in seconds."""
    run_id: Callable[[], str]
    """Of the Redis this worker fetches calls from."""
    worker: str
    host: str
    single: Callable[[str], bool] = lambda plugin: False
    """Whether a plugin runs one call at a time."""
    lease_holds: Callable[[str], bool] = lambda plugin: True
    """Whether it is certain that no other worker runs a SINGLE plugin's calls."""
    on_end: Callable[[], None] = lambda: None
    """Called in the thread of the call when its skill has ended."""
    pid: int = field(default_factory=os.getpid)

    def run(self, call_id: str, reply_to: str, body: bytes) -> Answer:
        """Run a sealed call and return its answer; never raises for what the message or the skill does.

        `reply_to` and `call_id` are what the outer, unsigned message says; a verified call's own are used instead.
        """
        try:
            return self._answer(call_id, reply_to, body)
        except BaseException as error:  # the last resort: an answer the caller can do little with is better than none
            name = _class_name(error)
            _LOGGER.error("a call ended in %s, which cannot be described", name, extra={"action": "call"})
            return self._error(call_id, reply_to, CallError(f"the skill ended in {name}, which cannot be described"))

    def _answer(self, call_id: str, reply_to: str, body: bytes) -> Answer:
        try:
            header, arguments = self._open(call_id, body)
        except (MessageRejected, ValueError, TypeError, KeyError) as error:
            _LOGGER.warning("call refused before anything of it was read: %s", error, extra={"action": "refuse"})
            return self._error(call_id, reply_to, MessageRejected(str(error)))
        except BusUnavailable as error:
            return self._error(call_id, reply_to, error)
        try:
            self._admit(header)
            args, kwargs = _unpickle(arguments)
        except AigisError as error:
            return self._error(header.id, header.reply_to, error)
        return self._run(header, args, kwargs)

    def _open(self, call_id: str, body: bytes) -> tuple[CallHeader, bytes]:
        if not is_apart(body):
            return open_call(self.calls, body)
        with translated(self.url):
            stored = self.client.getdel(keys.payload(call_id))
        if not isinstance(stored, bytes):
            raise MessageRejected("its arguments are not in Redis (any more)")
        return open_call(self.calls, body, stored)

    def _admit(self, header: CallHeader) -> None:
        if header.run_id != self.run_id():
            raise WorkerLost(
                f"aigis.{header.path}: Redis was restarted after the call was sent; it is not run here",
                started="unknown",
            )
        if self.single(header.plugin) and not self.lease_holds(header.plugin):
            raise NoWorker(
                f"aigis.{header.path}: worker {self.worker!r} may no longer be the one that serves the SINGLE plugin "
                f"{header.plugin!r}; it was not started, call again"
            )
        if self.now() >= header.deadline:
            raise SkillTimeout(
                f"aigis.{header.path}: its deadline passed while it waited; it was not started", started="no"
            )

    def _run(self, header: CallHeader, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
        context = CallContext(
            plugin=header.plugin,
            id=header.id,
            path=header.path,
            deadline=header.deadline,
            chain=tuple(header.chain),
            single=frozenset({header.plugin}) if self.single(header.plugin) else frozenset(),
        )
        token = CURRENT_CALL.set(context)
        try:
            value = (
                self.skills.resolve(header.path)
                if header.value_only
                else self.skills.call_skill(header.path, args, kwargs)
            )
            payload = _packed(header, value)
        except (Refused, TypeError) as error:  # NotPicklable is a TypeError
            return self._refused_or_raised(header, error)
        except BaseException as error:  # the boundary to foreign code: SystemExit of a skill must not end the worker
            return self._raised(header, error)
        finally:
            if os.getpid() != self.pid:
                # The skill forked and its clone came back with it: the original answers, the clone has nothing to do.
                os._exit(0)
            self.on_end()
            CURRENT_CALL.reset(token)
        reply = ReplyHeader(id=header.id, kind="value", worker=self.worker, host=self.host)
        return Answer(header.reply_to, header.id, seal_reply(self.replies, reply, payload))

    def _refused_or_raised(self, header: CallHeader, error: Refused | TypeError) -> Answer:
        """Tell a refusal of this very call, arguments that do not fit among them, from what the skill itself met."""
        if without_own_frames(error.__traceback__) is None:
            return self._error(header.id, header.reply_to, error)
        return self._raised(header, error)

    def _raised(self, header: CallHeader, error: BaseException) -> Answer:
        frames = without_own_frames(error.__traceback__)
        payload = serializer.dumps(describe_exception(error.with_traceback(frames)))
        reply = ReplyHeader(id=header.id, kind="exception", worker=self.worker, host=self.host)
        return Answer(header.reply_to, header.id, seal_reply(self.replies, reply, payload))

    def _error(self, call_id: str, reply_to: str, error: AigisError | TypeError) -> Answer:
        facts = {name: value for name, value in vars(error).items() if isinstance(value, (str, int, float))}
        header = ReplyHeader(
            id=call_id,
            kind="error",
            worker=self.worker,
            host=self.host,
            error=type(error).__name__,
            message=str(error),
            facts=facts,
        )
        return Answer(reply_to, call_id, seal_reply(self.replies, header))


def _unpickle(arguments: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        args, kwargs = serializer.loads(arguments)
    except (Exception, SystemExit, GeneratorExit) as error:
        raise NotPicklable(
            f"the arguments cannot be read where the skill runs: {type(error).__name__}: {error}; send plain values, "
            "or objects whose module is installed there"
        ) from error
    return args, kwargs


def _packed(header: CallHeader, value: object) -> bytes:
    try:
        return serializer.dumps(value)
    except NotPicklable as error:
        text = f"aigis.{header.path} ran, but its result cannot be sent: {error}"
        raise NotPicklable(text, path=error.path) from error


def without_own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback without AIGIS's frames at its top; None when there are no others."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(OWN_CODE):
        frames = frames.tb_next
    return frames


def _class_name(error: BaseException) -> str:
    """Return an exception's class name without asking the class, which may be as hostile as its instance."""
    return str(type.__dict__["__name__"].__get__(type(error)))
