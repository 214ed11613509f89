"""The two content types a worker accepts: calls, which stay sealed here, and signed remote control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kombu import serialization
from kombu.utils import json

from aigis._base.errors import MessageRejected
from aigis._wire.invoker import CALL_CONTENT_TYPE
from aigis._wire.signing import Signer

CALL = "aigis-call"
CONTROL = "aigis-control"
CONTROL_CONTENT_TYPE = "application/x-aigis-control"
CONTROL_LABEL = "celery control"
CONTROL_LIFE = 30.0
"""Seconds a remote control message is obeyed after it was made."""


class SealedCall:
    """A call as it came: verified and unpickled where the skill runs, so that a bad one is answered, not dropped."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<sealed call of {len(self.data)} bytes>"

    __json__ = __repr__


def register_serializers(signer: Signer, now: Callable[[], float]) -> None:
    """Make both content types known to kombu; `now` is Redis' time in seconds."""
    register: Any = serialization.register
    dumps: Any = json.dumps  # knows dates and whatever has a __json__
    loads: Any = json.loads
    register(CALL, _refuse_to_encode, _open_outer, CALL_CONTENT_TYPE, "binary")

    def encode(message: Any) -> bytes:
        return signer.sign(dumps({"expiry": now() + CONTROL_LIFE, "message": message}).encode())

    def decode(blob: Any) -> Any:
        envelope = loads(signer.verify(bytes(blob)).decode())
        if envelope["expiry"] < now():
            raise MessageRejected("a remote control message came after its expiry and is not obeyed")
        return envelope["message"]

    register(CONTROL, encode, decode, CONTROL_CONTENT_TYPE, "binary")


def _open_outer(body: Any) -> tuple[tuple[SealedCall], dict[str, Any], dict[str, Any]]:
    return (SealedCall(bytes(body)),), {}, {}


def _refuse_to_encode(message: Any) -> bytes:
    raise TypeError("calls are sent by aigis, not by Celery: write `aigis.x.y(…)` instead of `.delay(…)`")
