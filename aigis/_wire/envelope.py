"""Calls and replies as signed bytes: what is verified, in which order, and how it lies in the message.

Both have one shape: signature, length of the header, header (JSON), payload. The signature covers all of it. A call
has a mark of one byte in front. Arguments
above INLINE_LIMIT travel in a key of their own beside the message (base64 in JSON costs several times more); the
signature covers them as well.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Optional

from aigis._base.errors import MessageRejected
from aigis._base.messages import PROTOCOL, Message
from aigis._wire.signing import Signer

INLINE_LIMIT = 64 * 1024
"""Bytes of arguments that travel inside the message."""

_LENGTH = struct.Struct(">I")
_INSIDE, _APART = b"i", b"a"
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps would make one for each message


@dataclass(frozen=True)
class CallHeader(Message):
    """Everything about a call but its arguments."""

    id: str
    path: str
    plugin: str
    reply_to: str
    """List the caller reads."""
    deadline: float
    """Redis' time after which the call must not start."""
    run_id: str
    """Of the Redis the call was sent to: after a crash of Redis a call is refused, never run a second time."""
    host: str
    """Of the sender, as are the next two."""
    sender: str
    """Plugin that calls, or ''."""
    role: str
    """'worker', 'internal-local', 'internal-remote' or 'python'."""
    generation: int
    """Of the catalog the caller looked the path up in."""
    parent: str = ""
    chain: tuple[str, ...] = ()
    """Paths of the calls this one is nested in, outermost first."""
    codec: str = "pickle"
    apart: bool = False
    """Whether the arguments lie in a key of their own."""
    value_only: bool = False
    """Whether the object is wanted as it is, uncalled (`aigis.calls.value`)."""
    protocol: int = PROTOCOL
    key_id: str = ""


@dataclass(frozen=True)
class ReplyHeader(Message):
    """Everything about a reply but its value."""

    id: str
    kind: str
    """'value', 'exception' (the skill's) or 'error' (AIGIS's own, told by `error` and `facts`)."""
    worker: str = ""
    host: str = ""
    error: str = ""
    message: str = ""
    facts: Optional[dict[str, Any]] = None
    protocol: int = PROTOCOL


def seal_call(signer: Signer, header: CallHeader, arguments: bytes) -> bytes:
    """Return the message's body; where the header says `apart`, the arguments must be stored beside it."""
    if header.apart:
        return _APART + signer.sign(_join(header, b""), arguments)
    return _INSIDE + signer.sign(_join(header, arguments))


def is_apart(body: bytes) -> bool:
    """Whether the arguments of this call lie in a key of their own.

    The mark is outside the signature: with the wrong one the signature does not fit, and the call is refused.
    """
    return body[:1] == _APART


def open_call(signer: Signer, body: bytes, stored: bytes = b"") -> tuple[CallHeader, bytes]:
    """Verify a call and return its header and its arguments, still as bytes.

    Raises MessageRejected for whatever was not signed with this key, or is of another protocol.
    """
    text, inside = _split(signer.verify(body[1:], stored))
    header = CallHeader.from_dict(_of_our_protocol(text))
    return header, stored if header.apart else inside


def seal_reply(signer: Signer, header: ReplyHeader, payload: bytes = b"") -> bytes:
    """Return a signed reply."""
    return signer.sign(_join(header, payload))


def open_reply(signer: Signer, blob: bytes) -> tuple[ReplyHeader, bytes]:
    """Verify a reply and return its header and its value, still as bytes; raises MessageRejected."""
    text, payload = _split(signer.verify(blob))
    return ReplyHeader.from_dict(_of_our_protocol(text)), payload


def _join(header: Message, payload: bytes) -> bytes:
    text = _ENCODE(vars(header)).encode()
    return _LENGTH.pack(len(text)) + text + payload


def _split(data: bytes) -> tuple[bytes, bytes]:
    if len(data) < _LENGTH.size:
        raise MessageRejected("the message is cut short")
    (length,) = _LENGTH.unpack_from(data)
    end = _LENGTH.size + length
    if end > len(data):
        raise MessageRejected("the message is cut short")
    return data[_LENGTH.size : end], data[end:]


def _of_our_protocol(text: bytes) -> dict[str, Any]:
    header = json.loads(text)
    if not isinstance(header, dict):
        raise MessageRejected("the message has no header")
    theirs = header.get("protocol")
    if theirs != PROTOCOL:
        older = "the sender" if isinstance(theirs, int) and theirs < PROTOCOL else "this side"
        raise MessageRejected(
            f"the message speaks protocol {theirs}, this process {PROTOCOL}: upgrade AIGIS on {older}"
        )
    return header
