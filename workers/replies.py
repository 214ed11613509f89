"""The result backend: one LPUSH to the list of the process that waits, nothing kept."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery.backends.base import Backend

from aigis._base.errors import BusUnavailable
from aigis._wire.bus import connect, send_all, translated
from aigis._wire.envelope import ReplyHeader, seal_reply
from aigis._wire.keys import reply_list
from aigis._wire.signing import Signer

REPLY_LIFE = 600
"""Seconds a reply list nobody reads any more is kept."""
PATIENCE = 60.0
"""Seconds a reply is tried to deliver: without it a caller waits in vain for its deadline."""
PAUSES = (0.05, 1.0)
"""First and longest pause between two attempts."""

_LOGGER = logging.getLogger("aigis.worker")


class Answer:
    """A finished reply on its way from the skill to the backend."""

    __slots__ = ("blob", "reply_to")

    def __init__(self, reply_to: str, call_id: str, blob: bytes) -> None:
        self.reply_to = reply_to
        # The id stands in front, so that a caller with several threads can hand the reply over unread.
        self.blob = call_id.encode() + blob

    def __repr__(self) -> str:
        return f"<answer of {len(self.blob)} bytes>"


class ReplyBackend(Backend):
    """Delivers replies; knows the URL and the key from the app's own settings."""

    # Celery asks for these; nothing is ever read back.
    persistent = False
    supports_autoexpire = True

    def __init__(self, app: Any, url: str | None = None, **options: Any) -> None:
        super().__init__(app, **options)
        self._url = app.aigis.url
        self._client = connect(self._url)
        self._signer = Signer(app.aigis.key, "reply")
        self._hostname = app.aigis.worker

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **options: Any
    ) -> Any:
        """Deliver an answer, or tell the caller why Celery itself ended the call."""
        if isinstance(result, Answer):
            self.deliver(result)
        elif request is not None and getattr(request, "reply_to", None):
            self.deliver(self._refusal(task_id, str(request.reply_to), state, result))
        return result

    def deliver(self, answer: Answer) -> None:
        """Push a reply, again when the connection broke: the caller takes the first and drops the others."""
        if not answer.reply_to.startswith(reply_list("")):
            _LOGGER.warning("reply refused: %r is no reply list", answer.reply_to[:100])
            return
        pause, until = PAUSES[0], time.monotonic() + PATIENCE
        while True:
            try:
                with translated(self._url):
                    pushed, _ = send_all(
                        self._client,
                        ("LPUSH", answer.reply_to, answer.blob),
                        ("EXPIRE", answer.reply_to, REPLY_LIFE),
                    )
                    if isinstance(pushed, Exception):
                        raise pushed
                return
            except BusUnavailable as error:
                if time.monotonic() > until:
                    _LOGGER.error("a reply could not be delivered: %s", error)
                    return
                time.sleep(pause)
                pause = min(PAUSES[1], pause * 2)

    def _refusal(self, task_id: str, reply_to: str, state: str, result: Any) -> Answer:
        if state == "REVOKED":
            error, text = "Cancelled", "the call was cancelled before it started"
        elif type(result).__name__ == "NotRegistered":
            error, text = "NoWorker", f"worker {self._hostname!r} has not loaded this skill; see `invoke status`"
        else:
            error, text = "CallError", f"the worker could not run the call: {type(result).__name__}: {result}"
        header = ReplyHeader(id=task_id, kind="error", worker=self._hostname, error=error, message=text)
        return Answer(reply_to, task_id, seal_reply(self._signer, header))

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        """Tell Celery, which asks before it marks a call as revoked, that no result is kept."""
        return {"status": "PENDING", "result": None}

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing: nobody subscribes to anything."""

    def process_cleanup(self) -> None:
        """Do nothing: the connection is kept for the next reply."""
