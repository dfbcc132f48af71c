"""From untrusted bytes to one canonical photo, or one stable reason why not."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any

import httpx
import pillow_heif
import pytest
from hypothesis import given, settings, strategies
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from app.photo.canonical import (
    PhotoAnimated,
    PhotoDamaged,
    PhotoEmpty,
    PhotoFormatUnsupported,
    PhotoLimits,
    PhotoRejected,
    PhotoTooLarge,
    PhotoTooSmall,
    Source,
    canonical_photo,
)
from tests.app.photo.colours import display_p3

LIMITS = PhotoLimits(max_pixels=1_000_000, max_side_px=5000, min_side_px=64, extra_formats=("avif", "heic"))
PLAIN = replace(LIMITS, extra_formats=())


def colour_at(photo: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """The levels of one pixel of a photo in RGB."""
    levels = photo.getpixel((x, y))
    assert isinstance(levels, tuple)
    return levels


def encoded(photo: Image.Image, photo_format: str, **options: Any) -> bytes:
    upload = BytesIO()
    if photo_format == "HEIC":
        pillow_heif.from_pillow(photo).save(upload, **options)
    else:
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


@pytest.mark.parametrize("photo_format", ["AVIF", "HEIC"])
def test_what_phones_and_browsers_send_is_taken_where_it_is_allowed(photo_format: str) -> None:
    upload = encoded(Image.new("RGB", (96, 80), (200, 60, 90)), photo_format, quality=95)
    pixel = colour_at(decoded(upload), 40, 40)
    assert all(abs(level - sent) < 6 for level, sent in zip(pixel, (200, 60, 90), strict=True))
    assert canonical_photo(upload, LIMITS).source == Source(photo_format.lower(), "RGB", 8, "sRGB", is_turned=False)  # type: ignore[arg-type]
    with pytest.raises(PhotoFormatUnsupported, match="DIFFAM_EXTRA_FORMATS"):
        canonical_photo(upload, PLAIN)


@pytest.mark.parametrize("photo_format", ["PNG", "JPEG", "WEBP", "AVIF", "HEIC"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(orientation: int, photo_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.new("RGB", (100, 70), "white")
    photo.paste("red", (0, 0, 50, 35))  # the top left quarter of the sensor
    upload = encoded(photo, photo_format, exif=exif.tobytes())
    upright = decoded(upload)
    assert canonical_photo(upload, LIMITS).source.is_turned == (orientation > 1)
    assert upright.size == ((100, 70) if orientation < 5 else (70, 100))
    right, low = upright.width - 10, upright.height - 10
    corner = {1: (9, 9), 2: (right, 9), 3: (right, low), 4: (9, low), 5: (9, 9), 6: (right, 9), 7: (right, low)}
    red, _, blue = colour_at(upright, *corner.get(orientation, (9, low)))
    assert red > 200 > 60 > blue


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_every_colour_mode_keeps_its_picture(mode: str) -> None:
    photo = Image.new("RGB", (64, 64), "white")
    photo.paste("black", (0, 0, 32, 64))
    arrived = decoded(encoded(photo.convert(mode), "JPEG" if mode == "CMYK" else "PNG"))
    left, right = colour_at(arrived, 10, 10), colour_at(arrived, 50, 10)
    assert max(left) < 16
    assert min(right) > 239


def test_a_phone_photo_with_a_second_picture_behind_it_is_one_photo() -> None:
    photo = Image.new("RGB", (96, 80), "red")
    upload = encoded(photo, "MPO", save_all=True, append_images=[Image.new("RGB", (96, 80), "blue")])
    red, _, blue = colour_at(decoded(upload), 5, 5)
    assert red > 200 > 50 > blue


@pytest.mark.parametrize("photo_format", ["PNG", "JPEG", "WEBP", "AVIF", "HEIC"])
def test_nothing_but_pixels_travels_on(photo_format: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "my name"
    said: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": display_p3()}
    if photo_format == "PNG":
        said["pnginfo"] = PngInfo()
        said["pnginfo"].add_itxt("XML:com.adobe.xmp", "my place")
    else:
        said["xmp"] = b"my place"
    upload = encoded(noise(), photo_format, **said) + b"my secret behind the picture"
    assert b"my name" in upload
    assert b"my place" in upload
    photo = canonical_photo(upload, LIMITS).png
    chunks, at = set(), 8
    while at < len(photo):
        chunks.add(photo[at + 4 : at + 8])
        at += 12 + int.from_bytes(photo[at : at + 4], "big")
    assert chunks == {b"IHDR", b"IDAT", b"IEND"}


def test_of_several_stills_in_a_heic_the_primary_one_is_the_photo() -> None:
    stills = pillow_heif.from_pillow(Image.new("RGB", (96, 80), "blue"))
    stills.add_from_pillow(Image.new("RGB", (64, 64), "red"))
    upload = BytesIO()
    stills.save(upload, primary_index=1)
    red, _, blue = colour_at(decoded(upload.getvalue()), 5, 5)
    assert red > 200 > 50 > blue


def test_a_black_frame_is_a_photo() -> None:
    assert decoded(encoded(Image.new("RGB", (64, 64)), "JPEG")).getextrema() == ((0, 0),) * 3


def film(brand: bytes) -> bytes:
    """A HEIC that says it is a sequence."""
    still = encoded(noise(), "HEIC")
    return still[:8] + brand + still[12:]


def claiming(width: int, height: int) -> bytes:
    """A JPEG whose header claims a size."""
    upload = encoded(noise(), "JPEG")
    at = upload.index(b"\xff\xc0") + 5
    return upload[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + upload[at + 4 :]


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
        (encoded(noise(1, 20_000), "PNG"), PhotoTooLarge),
        (claiming(65_500, 65_500), PhotoTooLarge),
        (encoded(Image.new("F", (64, 64), float("nan")), "TIFF"), PhotoFormatUnsupported),
        (encoded(noise(), "JPEG")[:-300], PhotoDamaged),
        (encoded(noise(), "AVIF")[:-300], PhotoDamaged),
        (encoded(noise(), "HEIC")[:-300], PhotoDamaged),
        (encoded(noise(1001, 1000), "HEIC", quality=10), PhotoTooLarge),
        (encoded(noise(33, 33), "AVIF"), PhotoTooSmall),
        (encoded(noise(), "PNG")[:-300], PhotoDamaged),
        (encoded(noise(), "WEBP")[:-300], PhotoDamaged),
        (encoded(noise(), "WEBP", save_all=True, append_images=[noise()]), PhotoAnimated),
        (encoded(noise(), "PNG", save_all=True, append_images=[noise()]), PhotoAnimated),
        (encoded(noise(), "AVIF", save_all=True, append_images=[noise()]), PhotoAnimated),
        (film(b"msf1"), PhotoAnimated),
        (film(b"hevc"), PhotoAnimated),
    ],
)
def test_a_bad_upload_has_one_reason(upload: bytes, kind: type[PhotoRejected]) -> None:
    with pytest.raises(kind):
        canonical_photo(upload, LIMITS)


@settings(max_examples=150, deadline=None)
@given(
    photo_format=strategies.sampled_from(["JPEG", "PNG", "WEBP", "AVIF", "HEIC"]),
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


def test_no_file_of_the_test_material_stops_the_service(
    assets: Any, client: httpx.Client, post: Callable[..., httpx.Response]
) -> None:
    answers = {path.name: post(path.read_bytes()) for path in sorted(assets.glob("*/*")) if path.is_file()}
    assert len(answers) > 100
    for name, answer in answers.items():
        assert answer.status_code in (202, 413, 415, 422), f"{name}: {answer.text}"
    assert answers["made__fully_transparent.png"].json()["code"] == "photo_transparent"
    assert client.get("/livez").status_code == 200
