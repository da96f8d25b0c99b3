"""AES-256-GCM at rest. Every ciphertext names its key; the row and column it belongs to are authenticated with it.

Layout: one byte length of the key id, key id, 12 bytes nonce, ciphertext with tag.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_TAG_BYTES = 16


class VaultError(Exception):
    """This one ciphertext cannot be read: key unknown, or it belongs to another row. Says which key, never what."""


class Vault:
    """Keys by id; the first encrypts, all decrypt."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise ValueError("at least one key")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.active = next(iter(keys))
        self._prefix = bytes([len(self.active.encode())]) + self.active.encode()

    @classmethod
    def parse(cls, text: str) -> "Vault":
        """`id:base64,id:base64`, each id once. Raises ValueError that names the rule, never the value."""
        keys: dict[str, bytes] = {}
        for entry in text.split(","):
            key_id, _, encoded = entry.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                key = b""
            if not key_id or len(key_id.encode()) > 32 or len(key) != 32 or key_id in keys:
                raise ValueError("each key is `id:base64` with an id of its own and 32 bytes of key")
            keys[key_id] = key
        return cls(keys)

    def encrypt(self, plain: bytes, row_and_column: str) -> bytes:
        """Bound to `row_and_column`, for example `notifications/<id>/facts`."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._prefix + nonce + self._ciphers[self.active].encrypt(nonce, plain, row_and_column.encode())

    def decrypt(self, cipher: bytes, row_and_column: str) -> bytes:
        """Raises `VaultError` for this value alone; a batch goes on without it."""
        key_id = self.key_id(cipher)
        aead = self._ciphers.get(key_id)
        if aead is None:
            raise VaultError(f"key {key_id!r} is not among VAULT_KEYS; add it back until nothing open uses it")
        start = 1 + cipher[0]
        nonce, sealed = cipher[start : start + _NONCE_BYTES], cipher[start + _NONCE_BYTES :]
        if len(sealed) < _TAG_BYTES:
            raise VaultError(f"ciphertext under key {key_id!r} is cut short")
        try:
            return aead.decrypt(nonce, sealed, row_and_column.encode())
        except InvalidTag:
            raise VaultError(f"ciphertext under key {key_id!r} does not belong to {row_and_column!r}") from None

    @staticmethod
    def key_id(cipher: bytes) -> str:
        """As the ciphertext names it; empty where it names none."""
        return cipher[1 : 1 + cipher[0]].decode("utf-8", "replace") if cipher else ""
