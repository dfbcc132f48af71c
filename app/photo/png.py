"""Writes pixels as PNG, several times as fast as Pillow, which tries five filters on every row and its zlib on each.

Every row is told by what it differs from the one above it (the PNG standard's filter 2), and deflated by ISA-L. In
strips: what lies ready for one stays in the processor's cache, and no second copy of 50 megapixels is needed.
"""

import struct
from collections.abc import Iterator

from isal import isal_zlib
from PIL import Image, ImageChops

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {"RGB": 2, "RGBA": 6}
UP = b"\x02"
STRIP_ROWS = 64
LEVEL = 1  # of 0 to 3; files as large as with Pillow's level 1


def bare_png(photo: Image.Image) -> bytes:
    """A file of pixels and nothing else. photo: RGB or RGBA."""
    header = struct.pack(">IIBBBBB", *photo.size, 8, COLOUR_TYPES[photo.mode], 0, 0, 0)
    pixels = (_chunk(b"IDAT", piece) for piece in _deflated(photo) if piece)
    return b"".join((SIGNATURE, _chunk(b"IHDR", header), *pixels, _chunk(b"IEND", b"")))


def _deflated(photo: Image.Image) -> Iterator[bytes]:
    deflate = isal_zlib.compressobj(LEVEL)
    width, height = photo.size
    for top in range(0, height, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, height)
        above = photo.crop((0, top - 1, width, bottom - 1))  # black above the first row, as the standard has it
        change = memoryview(ImageChops.subtract_modulo(photo.crop((0, top, width, bottom)), above).tobytes())
        row_bytes = len(change) // (bottom - top)
        rows = (change[at : at + row_bytes] for at in range(0, len(change), row_bytes))
        yield deflate.compress(b"".join(part for row in rows for part in (UP, row)))
    yield deflate.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)))
