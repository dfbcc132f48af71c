"""Untrusted bytes become one canonical photo: upright, sRGB, 8 bits, pixels and nothing else. Or a reason why not.

PhotoRejected
├── PhotoEmpty              no bytes
├── PhotoFormatUnsupported  not a JPEG, PNG or WebP, nor an AVIF or HEIC where those are taken, whatever its name says
├── PhotoAnimated           more than one frame
├── PhotoTooSmall           a side below `min_side_px`
├── PhotoTooLarge           more pixels, or a longer side, than we are willing to decode
├── PhotoDamaged            truncated, or not decodable
└── PhotoTransparent        nothing of it can be seen
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field

from PIL import ExifTags, Image

from app.photo.colour import Declared, reduce_to_8_bits, split_alpha, to_srgb
from app.photo.formats import (
    ODDITIES,
    Extra,
    Format,
    bits_per_channel,
    coded_primaries,
    is_film,
    jpeg_quality,
    open_photo,
    tell_format,
)
from app.photo.kept import read_kept
from app.photo.png import bare_png

Image.MAX_IMAGE_PIXELS = None  # `_check_size` is stricter and knows our limits

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MODES = {"1": "grey", "L": "grey", "I;16": "grey", "I": "grey", "LA": "grey+alpha", "P": "palette"}


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


class PhotoTransparent(PhotoRejected):
    """Every pixel is fully transparent: there is nothing to see, and what lies beneath was not meant to be."""

    code = "photo_transparent"


@dataclass(frozen=True)
class PhotoLimits:
    """Checked on the header, before any pixel is decoded."""

    max_pixels: int
    max_side_px: int
    min_side_px: int
    extra_formats: tuple[Extra, ...] = ()


@dataclass(frozen=True)
class Source:
    """What the upload was, for its owner to read.

    mode: `grey`, `grey+alpha`, `palette`, `RGB`, `RGBA` or `CMYK`.  bits: per channel (per pixel of a palette).
    colour: how its colours became sRGB, in the words of `app.photo.colour`.
    is_turned: its EXIF orientation was not upright.  quality: of a JPEG, 1 to 100.
    """

    format: Format
    mode: str
    bits: int
    colour: str
    is_turned: bool
    quality: int | None = None


@dataclass(frozen=True)
class CanonicalPhoto:
    """`png` holds pixels only, `width` by `height`: RGB, or RGBA where the upload shows something through.

    Where alpha is 0 the pixels are white, so that no picture travels unseen.
    kept: what its owner keeps of its metadata, by `credit`, `copyright` and `date`.
    """

    png: bytes
    width: int
    height: int
    source: Source
    kept: dict[str, str] = field(default_factory=dict)


def canonical_photo(upload: bytes, limits: PhotoLimits, keep: Collection[str] = ()) -> CanonicalPhoto:
    """Decode `upload` once and write its pixels anew. keep: what to read of its metadata. Raises PhotoRejected."""
    photo_format = _allowed_format(upload, limits)
    try:
        photo = _decoded(upload, photo_format, limits)
        bits, mode = bits_per_channel(photo, upload, photo_format), MODES.get(photo.mode, photo.mode)
        quality = jpeg_quality(photo) if photo_format == "jpeg" else None
        kept = read_kept(photo, keep)
        says_srgb = photo_format == "png" and "srgb" in photo.info
        declared = Declared(photo.info.get("icc_profile"), coded_primaries(upload, photo_format), says_srgb)
        photo, is_turned = _upright(reduce_to_8_bits(photo, bits))
        photo, alpha = split_alpha(photo)
        photo, colour = to_srgb(photo, declared)
        if alpha:
            photo = _veiled(photo, alpha)
        source = Source(photo_format, mode, bits, colour, is_turned, quality)
        return CanonicalPhoto(bare_png(photo), *photo.size, source, kept)
    except MemoryError as error:
        raise PhotoTooLarge("the photo needs more memory than one upload may have") from error


def _allowed_format(upload: bytes, limits: PhotoLimits) -> Format:
    if not upload:
        raise PhotoEmpty("the photo has no bytes")
    photo_format = tell_format(upload)
    if photo_format is None:
        raise PhotoFormatUnsupported("send a JPEG, PNG or WebP photo")
    if photo_format in ("avif", "heic") and photo_format not in limits.extra_formats:
        name = photo_format.upper()
        raise PhotoFormatUnsupported(
            f"{name} photos are not taken here: send a JPEG, PNG or WebP (phones convert when they share or export), "
            f"or have the operator add {photo_format!r} to DIFFAM_EXTRA_FORMATS"
        )
    return photo_format


def _decoded(upload: bytes, photo_format: Format, limits: PhotoLimits) -> Image.Image:
    """Its pixels as the file stores them. Raises PhotoRejected, MemoryError."""
    name = photo_format.upper()
    try:
        photo = open_photo(upload, photo_format)
        _check_size(photo.width, photo.height, limits)
        if is_film(photo, upload, photo_format):
            raise PhotoAnimated("animations cannot be protected; send a single picture")
        photo.load()  # once only: after a failure Pillow would hand out a blank picture without an error
    except ImportError as error:
        raise PhotoFormatUnsupported(f"{name} photos need a package that is not installed: diffam[heic]") from error
    except ODDITIES as error:
        raise PhotoDamaged(f"the {name} file is truncated or damaged") from error
    _check_size(photo.width, photo.height, limits)  # in a HEIC the pixels may contradict the header
    return photo


def _check_size(width: int, height: int, limits: PhotoLimits) -> None:
    size = f"the photo is {width} by {height} pixels"
    if width * height > limits.max_pixels or max(width, height) > limits.max_side_px:
        raise PhotoTooLarge(f"{size}; at most {limits.max_pixels} in all and {limits.max_side_px} a side are taken")
    if min(width, height) < limits.min_side_px:
        raise PhotoTooSmall(f"{size}; each side needs at least {limits.min_side_px}")


def _upright(photo: Image.Image) -> tuple[Image.Image, bool]:
    """The photo turned as its EXIF orientation says, and whether that was needed; unreadable EXIF says nothing."""
    orientation = None
    with suppress(*ODDITIES):
        orientation = photo.getexif().get(ExifTags.Base.Orientation)
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    if turn is None:
        # HEIC says how to turn in a property of its own, which its decoder has followed; EXIF only repeats it.
        return photo, photo.info.get("original_orientation") in TURNS
    return photo.transpose(turn), True


def _veiled(photo: Image.Image, alpha: Image.Image) -> Image.Image:
    """`photo` with `alpha` upon it, and white where nothing shows. Raises PhotoTransparent."""
    if alpha.getextrema()[1] == 0:
        raise PhotoTransparent("every pixel of the photo is transparent; send one in which something can be seen")
    photo.paste("white", mask=alpha.point([255] + 255 * [0]))
    photo.putalpha(alpha)
    return photo
