"""Messages as they come from Redis: whatever lies there becomes a message, if only one to be refused.

Only the sealed part of a call is signed; what is around it may have been written by anybody who reaches Redis, and must
not end the worker.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from kombu.transport.virtual import Message as VirtualMessage

from aigis._base.errors import MessageRejected

UNREADABLE = (ValueError, TypeError, RecursionError)
"""What taking a message apart may raise."""


class RawMessage(VirtualMessage):
    """A message of the shape Celery expects; one of another shape carries the error that says so."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        try:
            _check(payload)
            super().__init__(payload, channel=channel, **options)  # type: ignore[no-untyped-call]
        except (MessageRejected, *UNREADABLE):
            properties = {"delivery_tag": os.urandom(16).hex(), "delivery_info": {"routing_key": "some queue"}}
            super().__init__({"properties": properties}, channel=channel, **options)  # type: ignore[no-untyped-call]
            self.errors.append(sys.exc_info())


def _check(payload: Any) -> None:
    """Raise MessageRejected where a field that Celery relies on is missing or of another type."""
    kinds = ("headers", dict), ("properties", dict), ("body", str)
    if not isinstance(payload, dict) or not all(isinstance(payload.get(name), kind) for name, kind in kinds):
        raise MessageRejected("it has not the shape of a message")
    if payload["properties"].get("body_encoding") != "base64":
        raise MessageRejected("its body is in no encoding known here")
    texts = [payload["properties"].get("delivery_tag"), *(payload["headers"].get(name, "") for name in ("task", "id"))]
    if not all(isinstance(text, str) for text in texts):
        raise MessageRejected("its name or id is no text")
