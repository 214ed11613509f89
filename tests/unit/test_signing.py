"""Signatures and the key they are made with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._base.errors import MessageRejected, NotRunning, SettingsError
from aigis._wire.signing import Signer, derive, ensure_key, read_key

KEY = bytes(range(32))
SIGNER = Signer(KEY, "call")
parts = st.binary(max_size=200)


@given(data=parts, attached=parts)
def test_what_was_signed_comes_back(data: bytes, attached: bytes) -> None:
    assert SIGNER.verify(SIGNER.sign(data, attached), attached) == data


@given(data=parts, attached=parts, position=st.integers(min_value=0), flip=st.integers(1, 255))
def test_one_changed_byte_anywhere_is_refused(data: bytes, attached: bytes, position: int, flip: int) -> None:
    whole = bytearray(SIGNER.sign(data, attached) + attached)
    whole[position % len(whole)] ^= flip
    border = len(whole) - len(attached)
    with pytest.raises(MessageRejected, match="not signed"):
        SIGNER.verify(bytes(whole[:border]), bytes(whole[border:]))


@given(data=parts, attached=parts, moved=st.integers(0, 200))
def test_bytes_cannot_move_between_message_and_attachment(data: bytes, attached: bytes, moved: int) -> None:
    both = data + attached
    if moved == len(data) or moved > len(both):
        return
    mac = SIGNER.sign(data, attached)[:32]
    with pytest.raises(MessageRejected):
        SIGNER.verify(mac + both[:moved], both[moved:])


@pytest.mark.parametrize("other", [Signer(KEY, "reply"), Signer(bytes(32), "call")], ids=["use", "key"])
def test_another_use_and_another_key_do_not_fit(other: Signer) -> None:
    with pytest.raises(MessageRejected):
        other.verify(SIGNER.sign(b"roll"))
    assert other.key_id != SIGNER.key_id


@pytest.mark.parametrize("blob", [b"", b"x", bytes(31), bytes(32)])
def test_too_little_to_hold_a_signature_is_refused(blob: bytes) -> None:
    with pytest.raises(MessageRejected):
        SIGNER.verify(blob)


def test_derivation_is_hkdf() -> None:
    from hashlib import sha256
    from hmac import new

    extracted = new(b"aigis", KEY, sha256).digest()
    assert derive(KEY, "call") == new(extracted, b"call\x01", sha256).digest()


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / ".aigis" / "key"
    key = ensure_key(file)
    assert ensure_key(file) == read_key(file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(key) == 32


def test_a_missing_key_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match=r"no key file .*invoke up"):
        read_key(tmp_path / "key")


@pytest.mark.parametrize(("text", "said"), [(b"no hex", "damaged"), (b"ab" * 31, "cut short"), (b"\xff", "damaged")])
def test_a_damaged_key_is_named(tmp_path: Path, text: bytes, said: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(text)
    with pytest.raises(SettingsError, match=said):
        read_key(file)
