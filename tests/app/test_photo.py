"""From untrusted bytes to one canonical photo, or one stable reason why not."""

import struct
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import httpx
import pytest
from hypothesis import given, settings, strategies
from PIL import Image, ImageCms

from app.photo import (
    PhotoAnimated,
    PhotoDamaged,
    PhotoEmpty,
    PhotoFormatUnsupported,
    PhotoLimits,
    PhotoRejected,
    PhotoTooLarge,
    PhotoTooSmall,
    canonical_photo,
)

LIMITS = PhotoLimits(max_pixels=1_000_000, max_side_px=5000, min_side_px=64)


def encoded(photo: Image.Image, photo_format: str, **options: Any) -> bytes:
    upload = BytesIO()
    photo.save(upload, photo_format, **options)
    return upload.getvalue()


def decoded(upload: bytes) -> Image.Image:
    photo = canonical_photo(upload, LIMITS)
    image = Image.open(BytesIO(photo.png))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (photo.width, photo.height))
    return image


def noise(width: int = 96, height: int = 80) -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise((width, height), 60) for _ in "RGB"])


@pytest.mark.parametrize(("photo_format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_pixels_arrive_unchanged(photo_format: str, options: dict[str, Any]) -> None:
    photo = noise()
    assert decoded(encoded(photo, photo_format, **options)).tobytes() == photo.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.new("RGB", (100, 70), "white")
    photo.paste("red", (0, 0, 50, 35))  # the top left quarter of the sensor
    upright = decoded(encoded(photo, "PNG", exif=exif))
    assert upright.size == ((100, 70) if orientation < 5 else (70, 100))
    right, low = upright.width - 10, upright.height - 10
    corner = {1: (9, 9), 2: (right, 9), 3: (right, low), 4: (9, low), 5: (9, 9), 6: (right, 9), 7: (right, low)}
    assert upright.getpixel(corner.get(orientation, (9, low))) == (255, 0, 0)


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    for value, expected in ((0, 0), (257, 1), (32768, 128), (65535, 255)):
        photo = decoded(encoded(Image.new("I;16", (64, 64), value), "PNG"))
        assert photo.getpixel((5, 5)) == (expected,) * 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_every_colour_mode_keeps_its_picture(mode: str) -> None:
    photo = Image.new("RGB", (64, 64), "white")
    photo.paste("black", (0, 0, 32, 64))
    arrived = decoded(encoded(photo.convert(mode), "JPEG" if mode == "CMYK" else "PNG"))
    left, right = arrived.getpixel((10, 10)), arrived.getpixel((50, 10))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert max(left) < 16
    assert min(right) > 239


def test_transparency_lies_on_white() -> None:
    assert decoded(encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 0)), "PNG")).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("RGB", (64, 64), "red").quantize(4)
    assert decoded(encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))).getpixel((0, 0)) == (255, 255, 255)


def test_a_colour_profile_is_applied_and_a_broken_one_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # wrong for RGB: not usable
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = noise()
    for profile in (b"garbage", lab, srgb):
        assert decoded(encoded(photo, "PNG", icc_profile=profile)).tobytes() == photo.tobytes()
    swapped = bytearray(srgb)  # a profile whose red and blue primaries changed places
    tags = {srgb[at : at + 4]: at for at in range(132, 132 + 12 * struct.unpack(">I", srgb[128:132])[0], 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    arrived = decoded(encoded(Image.new("RGB", (64, 64), "red"), "PNG", icc_profile=bytes(swapped)))
    assert arrived.getpixel((5, 5)) == (0, 0, 255)


def test_a_phone_photo_with_a_second_picture_behind_it_is_one_photo() -> None:
    photo = Image.new("RGB", (96, 80), "red")
    upload = encoded(photo, "MPO", save_all=True, append_images=[Image.new("RGB", (96, 80), "blue")])
    red, _, blue = decoded(upload).getpixel((5, 5))  # type: ignore[misc]
    assert red > 200 > 50 > blue


@pytest.mark.parametrize(
    ("upload", "kind"),
    [
        (b"", PhotoEmpty),
        (b"just text", PhotoFormatUnsupported),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", PhotoFormatUnsupported),
        (encoded(noise(), "GIF"), PhotoFormatUnsupported),
        (encoded(noise(), "BMP"), PhotoFormatUnsupported),
        (encoded(noise(33, 33), "PNG"), PhotoTooSmall),
        (encoded(noise(1001, 1000), "PNG"), PhotoTooLarge),
        (encoded(noise(5001, 64), "PNG"), PhotoTooLarge),
        (encoded(noise(), "JPEG")[:-300], PhotoDamaged),
        (encoded(noise(), "PNG")[:-300], PhotoDamaged),
        (encoded(noise(), "WEBP")[:-300], PhotoDamaged),
        (encoded(noise(), "WEBP", save_all=True, append_images=[noise()]), PhotoAnimated),
        (encoded(noise(), "PNG", save_all=True, append_images=[noise()]), PhotoAnimated),
    ],
)
def test_a_bad_upload_has_one_reason(upload: bytes, kind: type[PhotoRejected]) -> None:
    with pytest.raises(kind):
        canonical_photo(upload, LIMITS)


@settings(max_examples=150, deadline=None)
@given(
    photo_format=strategies.sampled_from(["JPEG", "PNG", "WEBP"]),
    position=strategies.floats(0, 1),
    damage=strategies.binary(min_size=1, max_size=30),
)
def test_any_damage_is_a_photo_or_a_rejection(photo_format: str, position: float, damage: bytes) -> None:
    upload = bytearray(encoded(noise(), photo_format))
    start = int(position * len(upload))
    upload[start : start + len(damage)] = damage
    with suppress(PhotoRejected):
        photo = canonical_photo(bytes(upload), LIMITS)
        assert photo.width * photo.height <= LIMITS.max_pixels


def test_every_malformed_file_and_every_photo_gets_an_answer(
    assets: Any, client: httpx.Client, post: Callable[..., httpx.Response]
) -> None:
    answers = {path.name: post(path.read_bytes()) for path in sorted(assets.glob("*/*"))}
    assert len(answers) > 100
    for name, answer in answers.items():
        assert answer.status_code in (202, 413, 415, 422), f"{name}: {answer.text}"
        assert answer.elapsed.total_seconds() < 10, name
    expected = {
        "made__empty.jpg": "photo_empty",
        "made__bomb_12000x12000_rgb.png": "photo_too_large",
        "made__face_truncated_95pct.jpg": "photo_damaged",
        "astronaut_33px.png": "photo_too_small",
        "astronaut256_animated.webp": "photo_animated",
        "pillow_hopper.gif": "photo_format_unsupported",
    }
    assert {name: answers[name].json()["code"] for name in expected} == expected
    real = {"astronaut_nasa.png", "pillow_hopper.jpg", "astronaut_16mp.jpg", "astronaut_cmyk.jpg", "two_faces.jpg"}
    assert {answers[name].status_code for name in real} == {202}
    assert client.get("/livez").status_code == 200
