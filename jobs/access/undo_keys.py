"""Keys of undo files: a private key that its owner alone keeps, and the public half, which is all that a record holds.

A key is 32 random bytes, written as 64 hexadecimal digits: `openssl rand -hex 32` makes one, too.
"""

import secrets

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_BYTES = 32
KEY_PATTERN = r"^[0-9a-fA-F]{64}$"


def draw_key() -> str:
    """A new key."""
    return secrets.token_hex(KEY_BYTES)


def public_of(key: str) -> str:
    """What an undo file is sealed to, 64 hexadecimal digits; nothing can be opened with it. Raises ValueError."""
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(key)).public_key().public_bytes_raw().hex()
