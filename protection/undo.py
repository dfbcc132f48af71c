"""The undo file: what turns a protected photo's pixels back into the original's, for whoever has the key.

Make-up is a difference, so the way back is one as well: `seal` keeps it where pixels changed, compressed, and encrypted
to a public key (HPKE, RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305); `restore` adds it again and checks.

    12 bytes  "DiffAM undo" and a line feed
     1        version of the format
    16        salt
    16        SHA-256 of salt and public key, cut: tells a wrong key from a damaged file, and links no two files
     n        HPKE, bound to all of the above: length of a JSON document (4 bytes, big-endian), the document
              (`_Contents`), and with zlib the original minus the protected photo modulo 256, box by box
"""

import hashlib
import secrets
import zlib
from collections.abc import Iterator

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError
from scipy import ndimage

from diffam_core.images import Alpha, Photo

MAGIC, VERSION = b"DiffAM undo\n", 1
SALT_BYTES, HINT_BYTES, LENGTH_BYTES = 16, 16, 4
HEAD_BYTES = len(MAGIC) + 1 + SALT_BYTES + HINT_BYTES
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
BLOCK_PX = 32
"""Boxes are made of such squares: what changed in neighbouring ones is one box."""

Box = tuple[NonNegativeInt, NonNegativeInt, PositiveInt, PositiveInt]


class UndoError(Exception):
    """Why nothing is restored."""


class KeyRefused(UndoError):
    """It is no key, or another one's."""


class UndoFileDamaged(UndoError):
    """It is no undo file, was changed, or is of a later version."""


class PhotoChanged(UndoError):
    """The photo is not, pixel by pixel, the one that the undo file was made with."""


class _Contents(BaseModel):
    """boxes: x, y, width, height in pixels; they may overlap, and then say the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: PositiveInt
    height: PositiveInt
    protected_sha256: str
    original_sha256: str
    boxes: tuple[Box, ...]


def seal(original: Photo, protected: Photo, alpha: Alpha | None, public_key: str) -> bytes:
    """The undo file of a finished photo, as its file decodes; both have the same size and opacity.

    public_key: 64 hexadecimal digits. Raises ValueError.
    """
    height, width = original.shape[:2]
    boxes = tuple(_boxes((original != protected).any(axis=2)))
    contents = _Contents(
        width=width,
        height=height,
        protected_sha256=_digest(protected, alpha),
        original_sha256=_digest(original, alpha),
        boxes=boxes,
    )
    told = contents.model_dump_json().encode()
    differences = b"".join((_within(original, box) - _within(protected, box)).tobytes() for box in boxes)
    key = X25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    salt = secrets.token_bytes(SALT_BYTES)
    head = MAGIC + bytes([VERSION]) + salt + _hint(salt, key)
    plain = len(told).to_bytes(LENGTH_BYTES) + told + zlib.compress(differences, 9)
    return head + SUITE.encrypt(plain, key, info=head)


def restore(protected: Photo, alpha: Alpha | None, undo: bytes, key: str) -> Photo:
    """The original pixels, to the last bit.

    key: the private one, 64 hexadecimal digits. Raises KeyRefused, UndoFileDamaged, PhotoChanged.
    """
    contents, packed = _opened(undo, key)
    height, width = protected.shape[:2]
    if (width, height) != (contents.width, contents.height):
        made = f"the undo file was made with one of {contents.width} by {contents.height}"
        raise PhotoChanged(f"this photo has {width} by {height} pixels, {made}")
    told = _digest(protected, alpha)
    if told == contents.original_sha256 != contents.protected_sha256:
        raise PhotoChanged("these are the original pixels already: there is nothing to undo")
    if told != contents.protected_sha256:
        raise PhotoChanged(
            "this is not the photo that the undo file was made with, or its pixels were changed since, "
            "as by saving it as JPEG or by sending it through a messenger"
        )
    original = _with_differences(protected, contents.boxes, packed)
    if _digest(original, alpha) != contents.original_sha256:
        raise UndoFileDamaged("what the undo file restores is not the original: it was made wrong")
    return original


def _opened(undo: bytes, key: str) -> tuple[_Contents, bytes]:
    """What an undo file tells, and its differences, compressed."""
    head, sealed = undo[:HEAD_BYTES], undo[HEAD_BYTES:]
    if not head.startswith(MAGIC) or len(head) < HEAD_BYTES:
        raise UndoFileDamaged("this is no undo file")
    if head[len(MAGIC)] != VERSION:
        raise UndoFileDamaged(f"the undo file has version {head[len(MAGIC)]}; version {VERSION} can be read here")
    try:
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(key.strip()))
    except ValueError:
        raise KeyRefused("this is no key: one has 64 hexadecimal digits") from None
    salt, hint = head[len(MAGIC) + 1 : -HINT_BYTES], head[-HINT_BYTES:]
    if hint != _hint(salt, private.public_key()):
        raise KeyRefused("the key is wrong: the undo file was made for another one")
    try:
        plain = SUITE.decrypt(sealed, private, info=head)
        told, packed = plain[LENGTH_BYTES:], int.from_bytes(plain[:LENGTH_BYTES])
        return _Contents.model_validate_json(told[:packed]), told[packed:]
    except (InvalidTag, ValidationError, ValueError):
        raise UndoFileDamaged("the key is right, but the undo file was changed or is damaged") from None


def _with_differences(protected: Photo, boxes: tuple[Box, ...], packed: bytes) -> Photo:
    original, expected = protected.copy(), sum(width * height * 3 for _, _, width, height in boxes)
    try:
        differences = zlib.decompressobj().decompress(packed, max(1, expected))
    except zlib.error:
        differences = b""
    if len(differences) != expected or any(_within(protected, box).size != box[2] * box[3] * 3 for box in boxes):
        raise UndoFileDamaged("the undo file contradicts itself: it was made wrong")
    start = 0
    for box in boxes:
        before = _within(protected, box)
        difference = np.frombuffer(differences, np.uint8, before.size, start).reshape(before.shape)
        _within(original, box)[:] = before + difference
        start += before.size
    return original


def _boxes(is_changed: NDArray[np.bool_]) -> Iterator[Box]:
    """Where pixels changed."""
    height, width = is_changed.shape
    padded = np.pad(is_changed, ((0, -height % BLOCK_PX), (0, -width % BLOCK_PX)))
    blocks = padded.reshape(padded.shape[0] // BLOCK_PX, BLOCK_PX, -1, BLOCK_PX).any(axis=(1, 3))
    for rows, columns in ndimage.find_objects(ndimage.label(blocks)[0]):
        x, y = columns.start * BLOCK_PX, rows.start * BLOCK_PX
        yield x, y, min(columns.stop * BLOCK_PX, width) - x, min(rows.stop * BLOCK_PX, height) - y


def _within(photo: Photo, box: Box) -> Photo:
    x, y, width, height = box
    return photo[y : y + height, x : x + width]


def _digest(photo: Photo, alpha: Alpha | None) -> str:
    """SHA-256 of the pixels, whatever file they lie in."""
    digest = hashlib.sha256(f"{photo.shape} {alpha is not None}".encode())
    digest.update(np.ascontiguousarray(photo).data)
    digest.update(b"" if alpha is None else np.ascontiguousarray(alpha).data)
    return digest.hexdigest()


def _hint(salt: bytes, key: X25519PublicKey) -> bytes:
    return hashlib.sha256(salt + key.public_bytes_raw()).digest()[:HINT_BYTES]
