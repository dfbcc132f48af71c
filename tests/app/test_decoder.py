"""Decoding happens in a child that cannot harm the web process."""

import asyncio
import struct
import time
from io import BytesIO

import psutil
import pytest
from PIL import Image

from app.decoder import Decoder
from app.photo import CanonicalPhoto, PhotoDamaged, PhotoLimits, PhotoRejected, PhotoTooSmall, canonical_photo
from jobs.settings import Settings


def slow_png() -> bytes:
    """Small to send, a second's work to decode and write anew."""
    upload = BytesIO()
    Image.new("RGB", (7000, 7000)).save(upload, "PNG", compress_level=1)
    return upload.getvalue()


def holds_pixels(child: psutil.Process) -> bool:
    """It has begun to decode `slow_png`."""
    return bool(child.memory_info().rss > 100_000_000)


def decode(settings: Settings, *uploads: bytes) -> list[CanonicalPhoto | BaseException]:
    async def all_of_them() -> list[CanonicalPhoto | BaseException]:
        children = Decoder(settings)
        return await asyncio.gather(*(children.decode(upload) for upload in uploads), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_the_child_answers_as_the_function_does(settings: Settings, jpeg: bytes) -> None:
    limits = PhotoLimits(settings.max_pixels, settings.max_side_px, settings.min_side_px)
    small = BytesIO()
    Image.new("RGB", (9, 9)).save(small, "PNG")
    good, bad = decode(settings, jpeg, small.getvalue())
    assert good == canonical_photo(jpeg, limits)
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
        doomed = asyncio.create_task(children.decode(slow_png()))
        await asyncio.to_thread(kill_the_child)
        with pytest.raises(PhotoDamaged):
            await doomed
        assert (await children.decode(jpeg)).width == 96

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


def test_no_child_outlives_its_parent(settings: Settings, jpeg: bytes) -> None:
    before = set(psutil.Process().children())
    decode(settings, jpeg, jpeg, jpeg)
    assert set(psutil.Process().children()) <= before
