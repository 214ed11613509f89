"""Signatures: whoever holds the cluster's key is trusted, everything else is refused before it is read."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from aigis._base.errors import MessageRejected, NotRunning, SettingsError
from aigis._base.home import PRIVATE_FOLDER, write_private

KEY_BYTES = 32
MAC_BYTES = 32


def ensure_key(file: Path) -> bytes:
    """Return the cluster's key, making the file (mode 0600) when there is none."""
    if not file.exists():
        file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        write_private(file, os.urandom(KEY_BYTES).hex().encode() + b"\n")
    return read_key(file)


def read_key(file: Path) -> bytes:
    """Return the cluster's key.

    Raises NotRunning when there is no file, SettingsError when its content is no key.
    """
    try:
        text = file.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except FileNotFoundError:
        raise NotRunning(
            f"no key file {str(file)!r}: start AIGIS with `invoke up`, or copy the cluster's key"
        ) from None
    except PermissionError as error:
        raise SettingsError(f"the key file {str(file)!r} belongs to another user: run as its owner") from error
    except ValueError as error:
        raise SettingsError(
            f"the key file {str(file)!r} is damaged: restore it, or delete it while AIGIS is down"
        ) from error
    if len(key) != KEY_BYTES:
        raise SettingsError(f"the key file {str(file)!r} is cut short: restore it, or delete it while AIGIS is down")
    return key


def derive(key: bytes, label: str) -> bytes:
    """Return the key for one use: HKDF with SHA-256 (RFC 5869), one block long."""
    secret = hmac.digest(b"aigis", key, "sha256")
    return hmac.digest(secret, label.encode() + b"\x01", "sha256")


class Signer:
    """Signs and verifies byte strings for one use, told by `label`, with HMAC-SHA256."""

    def __init__(self, key: bytes, label: str) -> None:
        self._key = derive(key, label)
        self.key_id = hashlib.sha256(self._key).hexdigest()[:8]
        """Tells two keys apart without telling either."""

    def sign(self, data: bytes, attached: bytes = b"") -> bytes:
        """Return `data` with its signature before it; `attached` is covered but travels elsewhere."""
        return self._mac(data, attached) + data

    def verify(self, blob: bytes, attached: bytes = b"") -> bytes:
        """Return the signed data; raises MessageRejected when it was not signed with this key."""
        data = blob[MAC_BYTES:]
        if len(blob) < MAC_BYTES or not hmac.compare_digest(blob[:MAC_BYTES], self._mac(data, attached)):
            raise MessageRejected("the message is not signed with this cluster's key; nothing of it was read")
        return data

    def _mac(self, data: bytes, attached: bytes) -> bytes:
        if attached:
            # A digest of fixed length keeps the border between the two parts unambiguous.
            data = data + hashlib.sha256(attached).digest()
        return hmac.digest(self._key, data, "sha256")
