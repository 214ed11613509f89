"""Calls and replies as signed bytes."""

from __future__ import annotations

import dataclasses
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.errors import MessageRejected
from aigis._base.messages import PROTOCOL
from aigis._wire.envelope import CallHeader, ReplyHeader, is_apart, open_call, open_reply, seal_call, seal_reply
from aigis._wire.signing import Signer

SIGNER = Signer(bytes(32), "call")
CALL = CallHeader(
    id="0" * 32, path="dnd.roll", plugin="dnd", reply_to="replies", deadline=12.5, run_id="r1", host="box", sender="",
    role="python", generation=3, parent="p", chain=("dnd.roll",), key_id=SIGNER.key_id,
)  # fmt: skip
REPLY = ReplyHeader(id="0" * 32, kind="error", worker="w", error="NoWorker", message="why", facts={"n": 1})


def as_json_has_it(header: CallHeader) -> CallHeader:
    return dataclasses.replace(header, chain=list(header.chain))  # type: ignore[arg-type]


@given(arguments=st.binary(max_size=300), path=st.text(max_size=20), deadline=st.floats(allow_nan=False))
def test_a_call_arrives_as_it_was_sealed(arguments: bytes, path: str, deadline: float) -> None:
    header = dataclasses.replace(CALL, path=path, deadline=deadline)
    body = seal_call(SIGNER, header, arguments)
    assert open_call(SIGNER, body) == (as_json_has_it(header), arguments)
    assert not is_apart(body)


@given(payload=st.binary(max_size=300), message=st.text(max_size=50))
def test_a_reply_arrives_as_it_was_sealed(payload: bytes, message: str) -> None:
    header = dataclasses.replace(REPLY, message=message)
    assert open_reply(SIGNER, seal_reply(SIGNER, header, payload)) == (header, payload)


def test_arguments_apart_are_covered_by_the_signature() -> None:
    header = dataclasses.replace(CALL, apart=True)
    body = seal_call(SIGNER, header, b"large")
    assert is_apart(body)
    assert b"large" not in body
    assert open_call(SIGNER, body, b"large") == (as_json_has_it(header), b"large")
    with pytest.raises(MessageRejected):
        open_call(SIGNER, body, b"Large")


def test_a_call_whose_mark_was_changed_is_refused() -> None:
    apart = seal_call(SIGNER, dataclasses.replace(CALL, apart=True), b"large")
    with pytest.raises(MessageRejected):
        open_call(SIGNER, b"i" + apart[1:])


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(CallHeader)])
def test_every_field_is_covered(field: str) -> None:
    assert f'"{field}":'.encode() in seal_call(SIGNER, CALL, b"")


@pytest.mark.parametrize(("protocol", "older"), [(PROTOCOL + 1, "this side"), (PROTOCOL - 1, "the sender")])
def test_another_protocol_is_refused_naming_the_older_side(protocol: int, older: str) -> None:
    for blob, opened in (
        (seal_call(SIGNER, dataclasses.replace(CALL, protocol=protocol), b""), open_call),
        (seal_reply(SIGNER, dataclasses.replace(REPLY, protocol=protocol)), open_reply),
    ):
        with pytest.raises(MessageRejected, match=f"protocol {protocol}.*upgrade AIGIS on {older}"):
            opened(SIGNER, blob)


def enveloped(header: Any, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return SIGNER.sign(struct.pack(">I", len(text) if length is None else length) + text)


@pytest.mark.parametrize(
    "blob", [SIGNER.sign(b""), SIGNER.sign(b"abc"), enveloped({}, 900), enveloped([]), enveloped({})]
)
def test_what_is_signed_but_no_message_is_refused(blob: bytes) -> None:
    with pytest.raises(MessageRejected):
        open_reply(SIGNER, blob)


def test_fields_of_a_later_version_are_passed_over() -> None:
    later = {**vars(REPLY), "priority": 7}
    assert open_reply(SIGNER, enveloped(later)) == (REPLY, b"")


@given(blob=st.binary(max_size=200))
def test_whatever_is_not_signed_is_refused(blob: bytes) -> None:
    for opened in (open_call, open_reply):
        with pytest.raises(MessageRejected):
            opened(SIGNER, blob)
