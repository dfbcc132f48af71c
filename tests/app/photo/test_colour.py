"""Colours arrive as sRGB of 8 bits, transparency as an alpha plane with nothing hidden under it."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from app.photo.canonical import CanonicalPhoto, PhotoLimits, PhotoTransparent, canonical_photo
from tests.app.photo.colours import GREY, RGB, SRGB, dark_cmyk, display_p3, linear_grey, png, transferred

LIMITS = PhotoLimits(max_pixels=1_000_000, max_side_px=5000, min_side_px=64)


def arrived(upload: bytes) -> tuple[CanonicalPhoto, NDArray[np.int64]]:
    photo = canonical_photo(upload, LIMITS)
    return photo, np.asarray(Image.open(BytesIO(photo.png))).astype(np.int64)


def saved(photo: Image.Image, photo_format: str = "PNG", **options: Any) -> bytes:
    upload = BytesIO()
    photo.save(upload, photo_format, **options)
    return upload.getvalue()


def noise() -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise((96, 80), 60) for _ in "RGB"])


def test_a_wide_profile_is_converted_and_named() -> None:
    patches = Image.new("RGB", (96, 80), (200, 120, 90))
    patches.paste((60, 90, 150), (0, 0, 48, 80))
    wide = transferred(patches, display_p3())
    assert np.abs(np.asarray(wide).astype(int) - np.asarray(patches)).max() > 10
    photo, pixels = arrived(saved(wide, icc_profile=display_p3()))
    assert np.abs(pixels - np.asarray(patches)).max() <= 2
    assert photo.source.colour == "converted from Display P3"


def test_a_profile_that_is_srgb_moves_no_pixel() -> None:
    picture = noise()
    photo, pixels = arrived(saved(picture, icc_profile=SRGB))
    assert photo.source.colour == "sRGB"
    assert (pixels == np.asarray(picture)).all()


@pytest.mark.parametrize(
    "profile",
    [b"garbage", dark_cmyk(), linear_grey(), ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()],
    ids=["garbage", "CMYK", "grey", "Lab"],
)
def test_a_profile_for_something_else_is_said_to_be_unusable(profile: bytes) -> None:
    picture = noise()
    photo, pixels = arrived(saved(picture, icc_profile=profile))
    assert photo.source.colour == "profile unusable, sRGB assumed"
    assert (pixels == np.asarray(picture)).all()


def test_a_grey_profile_is_applied_and_a_coloured_one_fits_a_grey_photo() -> None:
    half = Image.new("L", (64, 64), 128)
    photo, pixels = arrived(saved(half, icc_profile=linear_grey()))
    assert photo.source.colour == "converted from an unnamed profile"
    assert np.abs(pixels - 188).max() <= 1
    photo, pixels = arrived(saved(half, icc_profile=SRGB))
    assert photo.source.colour == "sRGB"
    assert (pixels == 128).all()


def test_cmyk_follows_its_profile_and_without_one_is_converted_plainly() -> None:
    inks = Image.new("CMYK", (64, 64))  # no ink: white
    inks.paste((0, 0, 0, 255), (0, 0, 32, 32))
    inks.paste((0, 0, 0, 100), (32, 32, 64, 64))
    for profile, words, grey in (
        (None, "CMYK without a usable profile, converted plainly", 155),
        (SRGB, "CMYK without a usable profile, converted plainly", 155),
        (dark_cmyk(), "converted from an unnamed profile", 87),
    ):
        photo, pixels = arrived(saved(inks, "JPEG", quality=100, icc_profile=profile))
        assert photo.source.colour == words
        assert photo.source.mode == "CMYK"
        assert pixels[40, 8].min() > 250
        assert pixels[8, 8].max() < 5
        assert np.abs(pixels[48, 48] - grey).max() <= 8, profile


def test_other_primaries_named_by_number_are_reported_as_not_converted() -> None:
    rows = [bytes(3 * 64)] * 64
    for primaries, words in ((9, "other primaries not converted, sRGB assumed"), (1, "sRGB"), (2, "sRGB assumed")):
        photo, _ = arrived(png(rows, 64, 8, RGB, cICP=bytes((primaries, 16, 0, 1))))
        assert photo.source.colour == words
    assert arrived(png(rows, 64, 8, RGB, sRGB=b"\0"))[0].source.colour == "sRGB"


@pytest.mark.parametrize(("colour_type", "channels"), [(GREY, 1), (RGB, 3)])
def test_a_gradient_of_16_bits_is_scaled_and_nowhere_clipped(colour_type: int, channels: int) -> None:
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    rows = [np.repeat(row, channels).astype(">u2").tobytes() for row in levels]
    photo, pixels = arrived(png(rows, 64, 16, colour_type))
    assert photo.source.bits == 16
    assert np.abs(pixels - levels[..., None] / 257).max() < 1
    assert (np.diff(pixels[..., 0].ravel()) >= 0).all()


@pytest.mark.parametrize(
    ("bits", "colour_type", "key", "row"),
    [
        (16, GREY, (0xF00D,), struct.pack(">2H", 0xF00D, 9) * 32),
        (16, RGB, (0xF00D, 1, 2), struct.pack(">6H", 0xF00D, 1, 2, 0, 0, 0) * 32),
        (8, RGB, (9, 8, 7), bytes((9, 8, 7, 0, 0, 0)) * 32),
        (8, GREY, (9,), bytes((9, 0)) * 32),
        (2, GREY, (2,), bytes((0b10001000,)) * 16),
        (1, GREY, (1,), bytes((0b10101010,)) * 8),
    ],
)
def test_the_one_colour_that_means_nothing_is_found_at_every_depth(
    bits: int, colour_type: int, key: tuple[int, ...], row: bytes
) -> None:
    photo, pixels = arrived(png([row] * 64, 64, bits, colour_type, tRNS=struct.pack(f">{len(key)}H", *key)))
    assert photo.source.bits == bits
    assert (pixels[:, 0::2] == (255, 255, 255, 0)).all()
    assert (pixels[:, 1::2] == (0, 0, 0, 255)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_no_picture_travels_under_full_transparency(mode: str) -> None:
    picture = noise().convert("RGBA")
    veil = Image.new("L", picture.size, 255)
    veil.paste(0, (0, 0, 48, 80))
    veil.paste(128, (48, 0, 60, 80))
    if mode == "P":
        upload = saved(noise().quantize(16), transparency=bytes(8) + bytes((128,)) * 2)
    else:
        picture.putalpha(veil)
        upload = saved(picture.convert(mode))
    photo, pixels = arrived(upload)
    hidden = pixels[..., 3] == 0
    assert 0 < hidden.sum() < hidden.size
    assert (pixels[hidden][:, :3] == 255).all()
    assert set(np.unique(pixels[..., 3])) == {0, 128, 255}
    assert pixels[~hidden][:, :3].std() > 10
    assert photo.source.mode == {"P": "palette", "LA": "grey+alpha"}.get(mode, mode)


def test_an_alpha_plane_that_hides_nothing_is_dropped() -> None:
    picture = noise()
    _, pixels = arrived(saved(picture.convert("RGBA")))
    assert (pixels == np.asarray(picture)).all()


def test_colours_are_converted_under_a_veil_too() -> None:
    patch = Image.new("RGB", (64, 64), (200, 120, 90))
    wide = transferred(patch, display_p3())
    wide.putalpha(200)
    photo, pixels = arrived(saved(wide, icc_profile=display_p3()))
    assert photo.source.colour == "converted from Display P3"
    assert np.abs(pixels - (200, 120, 90, 200)).max() <= 2


def test_a_photo_that_shows_nothing_is_refused() -> None:
    with pytest.raises(PhotoTransparent):
        canonical_photo(saved(Image.new("RGBA", (64, 64), (200, 10, 10, 0))), LIMITS)
