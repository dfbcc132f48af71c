"""Which format an upload is, told by its first bytes alone, and how each is opened.

AVIF and HEIC are opened only where `DIFFAM_EXTRA_FORMATS` names them: each is one more decoder, written in C, that
reads bytes of strangers. Nothing here decodes pixels.
"""

import struct
import zlib
from io import BytesIO
from typing import Literal

from PIL import Image

Extra = Literal["avif", "heic"]
Format = Literal["jpeg", "png", "webp"] | Extra

# What Pillow raises on odd files, besides OSError: seen in its issue tracker and on the malformed test files.
ODDITIES = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error),
)
SIGNATURES: dict[bytes, Format] = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}
AVIF_BRANDS = {b"avif", b"avis"}
HEVC_FILM_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis"} | HEVC_FILM_BRANDS
FILM_BRANDS = {b"avis", b"msf1"} | HEVC_FILM_BRANDS
LONGEST_SIDE_PX = {"webp": 16_383, "jpeg": 65_500, "avif": 32_768, "heic": 32_768}
"""What can be written, and read again by the libraries that we have; PNG has no such limit."""
STANDARD_TABLE_SUM = 3679  # of the luminance table that the JPEG standard gives as an example (Annex K, table K.1)
HEADER_BYTES = 1 << 16  # properties of AVIF and HEIC files stand in front of the pixels


def tell_format(upload: bytes) -> Format | None:
    """The format by magic bytes; None when it is none of ours."""
    for signature, photo_format in SIGNATURES.items():
        if upload.startswith(signature):
            return photo_format
    if upload[:4] == b"RIFF" and upload[8:12] == b"WEBP":
        return "webp"
    brands = _brands(upload)
    if brands[:1] and brands[0] in AVIF_BRANDS | HEIC_BRANDS | {b"mif1", b"msf1"}:
        if AVIF_BRANDS.intersection(brands):
            return "avif"
        if HEIC_BRANDS.intersection(brands):
            return "heic"
    return None


def open_photo(upload: bytes, photo_format: Format) -> Image.Image:
    """The photo, its header read. Raises what the format's reader raises; ImportError where it is not installed."""
    if photo_format == "heic":
        from pillow_heif import HeifImageFile, options

        # One thread each, here and below: stacks and heaps of threads count against the child's memory, and
        # `decode_processes` already says how many cores decoding may take.
        options.DECODE_THREADS = 1
        options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
        return HeifImageFile(BytesIO(upload))
    if photo_format == "avif":
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return Image.open(BytesIO(upload), formats=[photo_format.upper()])


def jpeg_quality(photo: Image.Image) -> int | None:
    """The quality that libjpeg would write tables as coarse as the photo's with, 1 to 100; None of what is no JPEG.

    libjpeg scales the standard's luminance table; other encoders have tables of their own, and are compared by the sum.
    """
    table = getattr(photo, "quantization", {}).get(0)
    if not table:
        return None
    percent = 100 * sum(table) / STANDARD_TABLE_SUM
    quality = 100 - percent / 2 if percent <= 100 else 5000 / percent
    return 100 if max(table) == 1 else min(max(round(quality), 1), 99)


def is_film(photo: Image.Image, upload: bytes, photo_format: Format) -> bool:
    """Whether the frames are an animation.

    Phones store more pictures behind a JPEG (MPO) or in a HEIC; there the first, or the primary one, is the photo.
    """
    if photo_format in ("avif", "heic") and _brands(upload)[0] in FILM_BRANDS:
        return True
    return photo_format not in ("jpeg", "heic") and bool(getattr(photo, "is_animated", False))


def bits_per_channel(photo: Image.Image, upload: bytes, photo_format: Format) -> int:
    """As the file stores them; Pillow hands out 8 bits of most."""
    if photo_format == "png":
        return upload[24]  # the IHDR chunk comes first, or Pillow would not have opened it
    if photo_format == "heic":
        return int(photo.info.get("bit_depth", 8))
    if photo_format == "avif" and (at := upload.find(b"av1C", 0, HEADER_BYTES)) >= 0:
        flags = upload[at + 6]
        return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    return 8


def coded_primaries(upload: bytes, photo_format: Format) -> int | None:
    """The primaries that AVIF, HEIC (nclx) or PNG (cICP) name by number (ITU-T H.273); None when they name none."""
    header = upload[:HEADER_BYTES]
    if photo_format in ("avif", "heic") and (at := header.find(b"colrnclx")) >= 0:
        return int.from_bytes(header[at + 8 : at + 10], "big")
    if photo_format == "png" and (at := header.find(b"\0\0\0\x04cICP")) >= 0:
        return header[at + 8]
    return None


def _brands(upload: bytes) -> list[bytes]:
    """The major brand and then the compatible ones of an ISO media file; empty for anything else."""
    if upload[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(upload[:4], "big"), 256)
    return [upload[8:12], *(upload[at : at + 4] for at in range(16, end, 4))]
