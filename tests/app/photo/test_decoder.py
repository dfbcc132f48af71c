"""Decoding happens in a child that cannot harm the web process."""

import asyncio
import struct
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pillow_heif
import psutil
import pytest
from PIL import ExifTags, Image

from app.photo.canonical import CanonicalPhoto, PhotoDamaged, PhotoRejected, PhotoTooSmall, canonical_photo
from app.photo.confined import BYTES_PER_PIXEL
from app.photo.decoder import Decoder, photo_limits
from app.spool import open_spool
from jobs.settings import Settings
from tests.app.photo.colours import display_p3

STARVED = """
import resource, sys
from app.photo.formats import open_photo
from app.photo.canonical import PhotoLimits, PhotoRejected, canonical_photo
upload, photo_format = sys.stdin.buffer.read(), sys.argv[1]
open_photo(upload, photo_format)  # its library is loaded, no pixel is
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**23, now + 2**23))
try:
    canonical_photo(upload, PhotoLimits(10**8, 10**4, 64, (photo_format,)))
except PhotoRejected as error:
    sys.exit(error.code)
"""
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits, and tells, a process's memory")


def slow_png() -> bytes:
    """Small to send, a second's work to decode and write anew."""
    upload = BytesIO()
    Image.new("RGB", (7000, 7000)).save(upload, "PNG", compress_level=1)
    return upload.getvalue()


def holds_pixels(child: psutil.Process) -> bool:
    """It has begun to decode `slow_png`."""
    return bool(child.memory_info().rss > 100_000_000)


async def decoded(children: Decoder, upload: bytes) -> CanonicalPhoto:
    """As the routes call it: file in, file out."""
    with open_spool() as file:
        file.write(upload)
        async with children.decode(file) as photo:
            photo.png.seek(0)
            return CanonicalPhoto(photo.png.read(), photo.width, photo.height, photo.source)


def decode(settings: Settings, *uploads: bytes) -> list[CanonicalPhoto | BaseException]:
    async def all_of_them() -> list[CanonicalPhoto | BaseException]:
        children = Decoder(settings)
        return await asyncio.gather(*(decoded(children, upload) for upload in uploads), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_the_child_answers_as_the_function_does(settings: Settings, jpeg: bytes) -> None:
    small = BytesIO()
    Image.new("RGB", (9, 9)).save(small, "PNG")
    good, bad = decode(settings, jpeg, small.getvalue())
    assert good == canonical_photo(jpeg, photo_limits(settings))
    assert isinstance(bad, PhotoTooSmall)
    assert "9 by 9 pixels" in str(bad)


def test_a_child_that_is_killed_is_that_photo_s_problem_alone(settings: Settings, jpeg: bytes) -> None:
    others = set(psutil.Process().children())

    def kill_the_child() -> None:
        while not (busy := [child for child in set(psutil.Process().children()) - others if holds_pixels(child)]):
            time.sleep(0.01)
        busy[0].kill()

    async def kill_one() -> None:
        children = Decoder(settings)
        doomed = asyncio.create_task(decoded(children, slow_png()))
        await asyncio.to_thread(kill_the_child)
        with pytest.raises(PhotoDamaged):
            await doomed
        assert (await decoded(children, jpeg)).width == 96

    asyncio.run(kill_one())


def test_a_decode_that_takes_too_long_is_ended(settings: Settings) -> None:
    impatient = settings.model_copy(update={"decode_timeout_s": 0.05})
    assert [type(answer) for answer in decode(impatient, slow_png())] == [PhotoDamaged]


def test_a_header_that_claims_gigabytes_gets_none(settings: Settings) -> None:
    side = 16_383  # Pillow's WebP reader reserves two canvases of that side before anybody can look at the size
    body = b"\x2f" + struct.pack("<I", (side - 1) | ((side - 1) << 14)) + bytes(51)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    bomb = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
    [answer] = decode(settings, bomb)
    assert isinstance(answer, PhotoRejected)


@linux_only
def test_a_large_photo_costs_few_bytes_a_pixel(settings: Settings, jpeg: bytes) -> None:
    wide = Image.linear_gradient("L").resize((4000, 2000)).convert("RGB")
    wide.putalpha(Image.linear_gradient("L").resize((4000, 2000)))
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    uploads = []
    for photo_format in ("PNG", "WEBP"):  # WebP's own reader is the hungriest: canvases, a copy, a turned copy
        upload = BytesIO()
        wide.save(upload, photo_format, exif=turned, icc_profile=display_p3())
        uploads.append(upload.getvalue())
    others = set(psutil.Process().children())

    def most_bytes() -> int:
        [child] = set(psutil.Process().children()) - others
        [line] = [line for line in Path(f"/proc/{child.pid}/status").read_text().splitlines() if "VmHWM" in line]
        return int(line.split()[1]) * 1024

    async def measure() -> list[float]:
        child, seen = Decoder(settings.model_copy(update={"decode_processes": 1})), []
        await decoded(child, jpeg)
        before = most_bytes()
        for upload in uploads:
            photo = await decoded(child, upload)
            assert photo.source.is_turned
            seen.append((most_bytes() - before) / (photo.width * photo.height))
        return seen

    png, webp = asyncio.run(measure())
    assert png < 12
    assert webp < 20 < BYTES_PER_PIXEL


@linux_only
@pytest.mark.parametrize("photo_format", ["avif", "heic"])
def test_the_extra_decoders_fail_in_order_when_memory_ends(photo_format: str) -> None:
    photo, upload = Image.new("RGB", (2000, 2000)), BytesIO()
    if photo_format == "avif":
        photo.save(upload, "AVIF", speed=10)
    else:
        pillow_heif.from_pillow(photo).save(upload, enc_params={"preset": "ultrafast"})
    command = [sys.executable, "-c", STARVED, photo_format]
    child = subprocess.run(command, input=upload.getvalue(), capture_output=True, check=False, timeout=60)
    assert child.stderr.decode().strip() in ("photo_too_large", "photo_damaged")


def test_no_child_outlives_its_parent(settings: Settings, jpeg: bytes) -> None:
    before = set(psutil.Process().children())
    decode(settings, jpeg, jpeg, jpeg)
    assert set(psutil.Process().children()) <= before
