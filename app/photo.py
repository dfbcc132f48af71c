"""Untrusted bytes become one canonical photo: upright, sRGB, 8 bits, pixels and nothing else. Or a reason why not.

PhotoRejected
├── PhotoEmpty              no bytes
├── PhotoFormatUnsupported  not a JPEG, PNG or WebP, whatever its name says
├── PhotoAnimated           more than one frame
├── PhotoTooSmall           a side below `min_side_px`
├── PhotoTooLarge           more pixels, or a longer side, than we are willing to decode
└── PhotoDamaged            truncated, or not decodable
"""

import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageCms, ImageOps

Image.MAX_IMAGE_PIXELS = None  # `_check_size` is stricter and knows our limits

SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}

# What Pillow raises on odd files, besides OSError: seen in its issue tracker and on the malformed test files.
ODDITIES = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error),
)


class PhotoRejected(Exception):
    """The upload is not a photo we can work on; `code` is stable and public."""

    code = "photo_rejected"


class PhotoEmpty(PhotoRejected):
    """No bytes at all."""

    code = "photo_empty"


class PhotoFormatUnsupported(PhotoRejected):
    """The first bytes belong to no format on the allow-list."""

    code = "photo_format_unsupported"


class PhotoAnimated(PhotoRejected):
    """Several frames; nobody could say which one to protect."""

    code = "photo_animated"


class PhotoTooSmall(PhotoRejected):
    """Too few pixels for a face."""

    code = "photo_too_small"


class PhotoTooLarge(PhotoRejected):
    """Too many pixels, decompression bombs included."""

    code = "photo_too_large"


class PhotoDamaged(PhotoRejected):
    """The header is fine, the rest is not."""

    code = "photo_damaged"


@dataclass(frozen=True)
class PhotoLimits:
    """Checked on the header, before any pixel is decoded."""

    max_pixels: int
    max_side_px: int
    min_side_px: int


@dataclass(frozen=True)
class CanonicalPhoto:
    """`png` is an RGB PNG without any metadata, `width` by `height` pixels."""

    png: bytes
    width: int
    height: int


def canonical_photo(upload: bytes, limits: PhotoLimits) -> CanonicalPhoto:
    """Decode `upload` once and write its pixels anew. Raises PhotoRejected."""
    photo_format = _photo_format(upload)
    try:
        photo: Image.Image = Image.open(BytesIO(upload), formats=[photo_format])
        _check_size(photo.width, photo.height, limits)
        # Phones store a second picture behind a JPEG (MPO): the first one is the photo. PNG and WebP frames are a film.
        if photo_format != "JPEG" and getattr(photo, "is_animated", False):
            raise PhotoAnimated("animations cannot be protected; send a single picture")
        photo.load()  # once only: after a failure Pillow would hand out a blank picture without an error
    except MemoryError as error:
        raise PhotoTooLarge("the photo needs more memory than one upload may have") from error
    except ODDITIES as error:
        raise PhotoDamaged(f"the {photo_format} file is truncated or damaged") from error
    photo = _to_srgb(_upright(photo))
    pixels = Image.new("RGB", photo.size)  # a new image: no EXIF, GPS, XMP, ICC, thumbnail or text comes along
    pixels.paste(photo)
    png = BytesIO()
    pixels.save(png, "PNG", compress_level=1)
    return CanonicalPhoto(png.getvalue(), *pixels.size)


def _photo_format(upload: bytes) -> str:
    """Pillow's name of the format, by magic bytes."""
    if not upload:
        raise PhotoEmpty("the photo has no bytes")
    for signature, photo_format in SIGNATURES.items():
        if upload.startswith(signature):
            return photo_format
    if upload[:4] == b"RIFF" and upload[8:12] == b"WEBP":
        return "WEBP"
    raise PhotoFormatUnsupported("send a JPEG, PNG or WebP photo")


def _check_size(width: int, height: int, limits: PhotoLimits) -> None:
    size = f"the photo is {width} by {height} pixels"
    if width * height > limits.max_pixels or max(width, height) > limits.max_side_px:
        raise PhotoTooLarge(f"{size}; at most {limits.max_pixels} in all and {limits.max_side_px} a side are taken")
    if min(width, height) < limits.min_side_px:
        raise PhotoTooSmall(f"{size}; each side needs at least {limits.min_side_px}")


def _upright(photo: Image.Image) -> Image.Image:
    """Turn the photo as its EXIF orientation says; unreadable EXIF says nothing."""
    with suppress(*ODDITIES):
        ImageOps.exif_transpose(photo, in_place=True)
    return photo


def _to_srgb(photo: Image.Image) -> Image.Image:
    """RGB in sRGB: 16 bits scaled to 8, transparency on white, the embedded colour profile applied if it is usable."""
    icc_profile = photo.info.get("icc_profile")
    if photo.mode.startswith("I"):  # 16-bit grey: convert() alone would clip it to white
        photo = photo.point(lambda value: value / 257 + 0.5).convert("L")
    elif photo.has_transparency_data:
        layer = photo.convert("RGBA")
        photo = Image.new("RGB", layer.size, "white")
        photo.paste(layer, mask=layer.getchannel("A"))
    elif photo.mode not in ("L", "RGB", "CMYK"):
        photo = photo.convert("RGB")
    if icc_profile:
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
            converted = ImageCms.profileToProfile(photo, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return photo if converted is None else converted
        except (ImageCms.PyCMSError, *ODDITIES):
            pass  # a profile for another colour space, or garbage: take the numbers as sRGB
    return photo.convert("RGB")
